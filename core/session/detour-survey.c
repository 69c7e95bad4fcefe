/* detour-survey.c: asks a worker who some of its connections are, a few at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-survey.h"

#include "detour-address.h"
#include "detour-worker-private.h"
#include "detour-mailbox.h"

/* Slots a worker looks at for one survey. */
#define SLOTS_MAX 1024u

struct _DetourSurvey {
  guint32 first;
  guint max;
  GArray *clients; /* of DetourSurveyClient */
  guint32 next;
  DetourSurveyDone done; /* main thread; NULL: cancelled */
  gpointer data;
};

static void
survey_clear_client (gpointer client)
{
  detour_auth_request_unref (((DetourSurveyClient *) client)->request);
}

static void
survey_free (DetourSurvey *self)
{
  g_array_unref (self->clients);
  g_free (self);
}

/* "" when the address is not known. */
static const char *
survey_format_address (const DetourPresence *presence, char *out)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6 };

  memcpy (&address.sin6_addr, presence->ip, sizeof presence->ip);
  if (IN6_IS_ADDR_UNSPECIFIED (&address.sin6_addr))
    return "";
  return detour_address_format_host ((const struct sockaddr *) &address, out);
}

/* The connection does not keep the request of its login, because an idle connection is to be small;
 * what it keeps makes an equal one. */
static void
survey_add_client (DetourSurvey *self, const DetourConn *conn)
{
  const DetourPresence *presence = &conn->client->presence;
  DetourSurveyClient client = { .handle = conn->client->handle };
  DetourAuthRequest fields = { .listener = conn->listener };
  char app_name[DETOUR_FRAME_APP_NAME_MAX + 1] = "";
  char address[DETOUR_ADDRESS_TEXT_MAX];
  DetourChannelInfo info;

  detour_channel_info (&conn->channel, &info);
  memcpy (fields.key, conn->client->peer->key.bytes, DETOUR_KEY_SIZE);
  memcpy (app_name, presence->name, MIN (presence->name_len, sizeof app_name - 1));
  fields.address = survey_format_address (presence, address);
  fields.sni = info.sni;
  fields.app_name = app_name;
  fields.prober = (presence->flags & DETOUR_FRAME_PRESENT_PROBER) != 0;
  client.request = detour_auth_request_new (&fields);
  g_array_append_val (self->clients, client);
}

static void
survey_deliver (gpointer data)
{
  DetourSurvey *self = data;

  if (self->done != NULL)
    self->done ((const DetourSurveyClient *) (gpointer) self->clients->data, self->clients->len,
                self->next, self->data);
  survey_free (self);
}

/* Worker. */
static void
survey_look (DetourLoop *loop, gpointer data)
{
  DetourSurvey *self = data;
  const DetourWorker *worker = detour_loop_user (loop);
  guint32 slot = self->first;
  guint32 end = MIN (detour_worker_n_slots (worker), self->first + SLOTS_MAX);

  for (; slot < end && self->clients->len < self->max; slot++)
    {
      const DetourConn *conn = detour_worker_conn_at (worker, slot);

      if (conn != NULL && !conn->client->is_mesh)
        survey_add_client (self, conn);
    }
  self->next = slot < detour_worker_n_slots (worker) ? slot : DETOUR_SURVEY_END;

  detour_mailbox_post (NULL, survey_deliver, self, NULL);
}

DetourSurvey *
detour_survey_start (DetourWorker *worker, guint32 first, guint max, DetourSurveyDone done,
                     gpointer data)
{
  DetourSurvey *self = g_new0 (DetourSurvey, 1);

  self->first = first;
  self->max = max;
  self->clients = g_array_new (FALSE, FALSE, sizeof (DetourSurveyClient));
  g_array_set_clear_func (self->clients, survey_clear_client);
  self->done = done;
  self->data = data;
  detour_loop_post (detour_worker_loop (worker), survey_look, self);
  return self;
}

void
detour_survey_cancel (DetourSurvey *self)
{
  self->done = NULL;
}
