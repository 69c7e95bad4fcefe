/* url-asker.c: asks admission servers about keys, one after the other until one gives a verdict.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "url-asker.h"

#include <string.h>

#include "answering.h"
#include "url-server.h"

/* Less is not worth another attempt. */
#define ATTEMPT_LEAST_MS 20

/* Questions in a row without an answer, from which on a server counts as silent. */
#define SILENT_N       3u
#define TRIAL_EVERY_US G_TIME_SPAN_SECOND

/* Servers that answer now and then must not make core ask about everyone again and again. */
#define SETTLED_US       G_TIME_SPAN_SECOND
#define RECOVER_EVERY_US (10 * G_TIME_SPAN_SECOND)

struct _UrlAsker {
  UrlAskerFuncs funcs;
  gpointer user;
  WebClient *client;
  guint timeout_ms;
  GPtrArray *servers; /* of UrlServer */
  GQueue open;        /* of Question */
  GQueue looks;       /* of Look */
  GSource *clock;     /* for looks, and for what follows */
  gboolean is_lost;   /* questions went without a verdict since core was told to ask again */
  gboolean is_back;   /* since the last one of them there was an answer */
  gint64 lost_us;     /* when the last one of them did */
  gint64 recovered_us;
  gint64 trial_us; /* while all are silent: when the next question is tried */
  Answering told;
};

/* About one key. */
typedef struct {
  UrlAsker *asker;
  gpointer call;
  char *body;
  gint64 deadline_us;
  guint64 tried; /* bit of each server */
  UrlServer *server;
  WebRequest *request;
  GList link;
} Question;

/* At a server, by the plugin itself. */
typedef struct {
  UrlAsker *asker;
  UrlServer *server;
  WebRequest *request;
  char *body; /* a question that it gave no verdict on; NULL: only whether it is there */
  GList link;
} Look;

static void url_asker_wind (UrlAsker *self);

/* How it is going ------------------------------------------------------------------------------ */

static void
url_asker_tell_state (UrlAsker *self)
{
  g_autoptr (GString) troubles = g_string_new (NULL);
  gint64 latency_us = 0;

  for (guint i = 0; i < self->servers->len; i++)
    {
      const UrlServer *server = self->servers->pdata[i];
      g_autofree char *trouble = url_server_trouble (server);

      if (server->trouble == NULL && latency_us == 0)
        latency_us = server->latency_us;
      if (trouble != NULL)
        g_string_append_printf (troubles, "%s%s", troubles->len > 0 ? "; " : "", trouble);
    }
  if (answering_take (&self->told, latency_us, troubles->str, g_get_monotonic_time ()))
    self->funcs.state (self->user, self->told.summary, self->told.trouble);
}

/* Requests ------------------------------------------------------------------------------------- */

static WebRequest *
url_asker_send (UrlAsker *self, const UrlServer *server, const char *body, guint timeout_ms,
                WebDone done, gpointer user)
{
  static const char *const headers[] = { "Content-Type: application/json",
                                         "Accept: application/json", NULL };
  const WebAsk ask = { .method = body != NULL ? "POST" : "HEAD",
                       .url = server->url,
                       .headers = body != NULL ? headers : NULL,
                       .body = body,
                       .body_len = body != NULL ? strlen (body) : 0,
                       .answer_max = URL_ANSWER_MAX,
                       .timeout_ms = timeout_ms };

  return web_client_send (self->client, &ask, done, user);
}

/* What the answer to @question says of the key, and what that says of the server. */
static void
url_asker_judge (UrlServer *server, const WebAnswer *answer, const char *question, UrlAnswer *out)
{
  g_autofree char *named = NULL;

  if (answer->fault != WEB_OK)
    {
      *out = (UrlAnswer) { .result = DETOUR_AUTH_UNAVAILABLE,
                           .reason = g_strdup (answer->trouble) };
      /* That its turn did not come says nothing about the server. */
      if (answer->fault != WEB_CROWDED)
        {
          url_server_note_bad (server, out->reason, question, -1);
          server->n_silent++;
        }
      return;
    }
  server->n_silent = 0;
  url_answer_judge (out, answer->status, answer->body, answer->body_len);
  if (out->result != DETOUR_AUTH_UNAVAILABLE)
    {
      url_server_note_good (server, answer->status, answer->elapsed_us);
      return;
    }
  named = g_strdup_printf ("%s: %s", server->host, out->reason);
  g_free (out->reason);
  out->reason = g_steal_pointer (&named);
  url_server_note_bad (server, out->reason, question, web_answer_retry_after_s (answer));
}

/* Questions ------------------------------------------------------------------------------------ */

static void
url_asker_end (Question *question, const UrlAnswer *answer)
{
  UrlAsker *self = question->asker;
  gpointer call = question->call;

  g_queue_unlink (&self->open, &question->link);
  g_free (question->body);
  g_free (question);
  if (answer->result == DETOUR_AUTH_UNAVAILABLE)
    {
      self->is_lost = TRUE;
      self->is_back = FALSE;
      self->lost_us = g_get_monotonic_time ();
    }
  else
    self->is_back = TRUE;
  /* The state is told before the answer, so that core does not log the same trouble again. */
  url_asker_tell_state (self);
  url_asker_wind (self);
  self->funcs.answer (self->user, call, answer);
}

static gboolean url_asker_try (Question *question);

static void
url_asker_on_answer (const WebAnswer *answer, gpointer user)
{
  Question *question = user;
  g_auto (UrlAnswer) what = { 0 };

  question->request = NULL;
  url_asker_judge (question->server, answer, question->body, &what);
  if (what.result == DETOUR_AUTH_UNAVAILABLE && url_asker_try (question))
    return;
  url_asker_end (question, &what);
}

/* Asks the next server; FALSE: there is none, or no time for it. */
static gboolean
url_asker_try (Question *question)
{
  UrlAsker *self = question->asker;
  gint64 left_us = question->deadline_us - g_get_monotonic_time ();
  gint64 left_ms = (left_us + G_TIME_SPAN_MILLISECOND - 1) / G_TIME_SPAN_MILLISECOND;
  guint index = 0, n_left = self->servers->len;

  question->server = url_server_choose (self->servers, question->tried, &index);
  if (question->server == NULL || left_ms < ATTEMPT_LEAST_MS)
    return FALSE;
  for (guint i = 0; i < self->servers->len; i++)
    n_left -= (guint) (question->tried >> i & 1);
  question->tried |= G_GUINT64_CONSTANT (1) << index;
  /* Each of those that are left has the same share of the time. */
  question->request = url_asker_send (self, question->server, question->body,
                                      (guint) left_ms / n_left, url_asker_on_answer, question);
  return TRUE;
}

/* No server gave any answer lately, and this question is not the one that is tried all the same. */
static gboolean
url_asker_gives_up (UrlAsker *self)
{
  gint64 now_us = g_get_monotonic_time ();

  for (guint i = 0; i < self->servers->len; i++)
    if (((const UrlServer *) self->servers->pdata[i])->n_silent < SILENT_N)
      return FALSE;
  if (now_us < self->trial_us)
    return TRUE;
  self->trial_us = now_us + TRIAL_EVERY_US;
  return FALSE;
}

void
url_asker_ask (UrlAsker *self, const guint8 *key, const char *address, gpointer call)
{
  Question *question = g_new0 (Question, 1);

  question->asker = self;
  question->call = call;
  question->link.data = question;
  question->body = url_answer_question (key, address);
  question->deadline_us = g_get_monotonic_time () + self->timeout_ms * G_TIME_SPAN_MILLISECOND;
  g_queue_push_tail_link (&self->open, &question->link);
  if (url_asker_gives_up (self) || !url_asker_try (question))
    {
      const UrlServer *first = self->servers->pdata[0];
      const UrlAnswer answer = { .result = DETOUR_AUTH_UNAVAILABLE, .reason = first->trouble };

      url_asker_end (question, &answer);
    }
}

/* Looks ---------------------------------------------------------------------------------------- */

static void
url_asker_drop_look (Look *look)
{
  g_queue_unlink (&look->asker->looks, &look->link);
  g_free (look->body);
  g_free (look);
}

/* Gateways say so for servers that are not there; what else the server thinks of HEAD does not
 * matter. */
static gboolean
url_asker_is_gateway (guint status)
{
  return status == 502 || status == 503 || status == 504;
}

static void
url_asker_judge_head (UrlServer *server, const WebAnswer *answer)
{
  if (answer->fault == WEB_CROWDED)
    return;
  if (answer->fault != WEB_OK)
    url_server_note_bad (server, answer->trouble, NULL, -1);
  else if (url_asker_is_gateway (answer->status) || answer->status == 407)
    {
      g_autofree char *reason = g_strdup_printf ("%s: it answered with status %u", server->host,
                                                 answer->status);

      url_server_note_bad (server, reason, NULL, web_answer_retry_after_s (answer));
    }
  else
    url_server_note_good (server, 0, 0);
}

static void
url_asker_on_look (const WebAnswer *answer, gpointer user)
{
  Look *look = user;
  UrlAsker *self = look->asker;
  UrlServer *server = look->server;
  g_auto (UrlAnswer) what = { 0 };

  if (look->body != NULL)
    url_asker_judge (server, answer, look->body, &what);
  else if (server->question == NULL)
    url_asker_judge_head (server, answer);
  /* Else it left a question without a verdict meanwhile, and that weighs more. */
  self->is_back |= server->trouble == NULL;
  url_asker_drop_look (look);
  url_asker_tell_state (self);
  url_asker_wind (self);
}

static void
url_asker_look_at (UrlAsker *self, UrlServer *server)
{
  Look *look = g_new0 (Look, 1);

  look->asker = self;
  look->server = server;
  look->body = g_strdup (server->question);
  look->link.data = look;
  g_queue_push_tail_link (&self->looks, &look->link);
  /* Until there is an answer. */
  server->look_us = G_MAXINT64;
  look->request = url_asker_send (self, server, look->body, self->timeout_ms, url_asker_on_look,
                                  look);
}

static gboolean
url_asker_is_looked_at (const UrlAsker *self, const UrlServer *server)
{
  for (const GList *link = self->looks.head; link != NULL; link = link->next)
    if (((const Look *) link->data)->server == server)
      return TRUE;
  return FALSE;
}

/* When core is told that there are verdicts again; G_MAXINT64: there is nothing to tell. */
static gint64
url_asker_recovers_us (const UrlAsker *self)
{
  if (!self->is_lost || !self->is_back)
    return G_MAXINT64;
  return MAX (self->lost_us + SETTLED_US,
              self->recovered_us != 0 ? self->recovered_us + RECOVER_EVERY_US : 0);
}

/* Sets the clock to whatever is due next. */
static void
url_asker_wind (UrlAsker *self)
{
  gint64 next_us = url_asker_recovers_us (self);

  for (guint i = 0; i < self->servers->len; i++)
    {
      const UrlServer *server = self->servers->pdata[i];

      if (!url_asker_is_looked_at (self, server))
        next_us = MIN (next_us, server->look_us);
    }
  g_source_set_ready_time (self->clock, next_us == G_MAXINT64 ? -1 : next_us);
}

static gboolean
url_asker_on_clock (gpointer user)
{
  UrlAsker *self = user;
  gint64 now_us = g_get_monotonic_time ();
  gboolean recovers = url_asker_recovers_us (self) <= now_us;

  for (guint i = 0; i < self->servers->len; i++)
    {
      UrlServer *server = self->servers->pdata[i];

      if (server->look_us <= now_us && !url_asker_is_looked_at (self, server))
        url_asker_look_at (self, server);
    }
  if (recovers)
    {
      self->is_lost = FALSE;
      self->recovered_us = now_us;
    }
  url_asker_wind (self);
  if (recovers)
    self->funcs.recovered (self->user);
  return G_SOURCE_CONTINUE;
}

void
url_asker_begin_anew (UrlAsker *self)
{
  for (guint i = 0; i < self->servers->len; i++)
    {
      UrlServer *server = self->servers->pdata[i];

      server->n_silent = 0;
      server->retry_us = 0;
      if (server->trouble != NULL)
        server->look_us = g_get_monotonic_time ();
    }
  url_asker_wind (self);
}

static gboolean
url_asker_dispatch_clock (GSource *source, GSourceFunc func, gpointer user)
{
  return func (user);
}

/* Life ----------------------------------------------------------------------------------------- */

UrlAsker *
url_asker_new (const char *const *urls, guint timeout_ms, WebClient *client,
               const UrlAskerFuncs *funcs, gpointer user)
{
  static GSourceFuncs clock_funcs = { NULL, NULL, url_asker_dispatch_clock, NULL, NULL, NULL };
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  UrlAsker *self = g_new0 (UrlAsker, 1);

  self->funcs = *funcs;
  self->user = user;
  self->client = client;
  self->timeout_ms = timeout_ms;
  self->servers = g_ptr_array_new_with_free_func ((GDestroyNotify) url_server_free);
  for (; *urls != NULL; urls++)
    g_ptr_array_add (self->servers, url_server_new (*urls));
  self->clock = g_source_new (&clock_funcs, sizeof (GSource));
  g_source_set_callback (self->clock, url_asker_on_clock, self, NULL);
  g_source_attach (self->clock, context);
  url_asker_tell_state (self);
  url_asker_wind (self);
  return self;
}

void
url_asker_free (UrlAsker *self)
{
  const UrlAnswer answer = { .result = DETOUR_AUTH_UNAVAILABLE, .reason = (char *) "it stops" };

  g_source_destroy (self->clock);
  g_source_unref (self->clock);
  web_client_free (self->client);
  while (self->looks.length > 0)
    url_asker_drop_look (self->looks.head->data);
  while (self->open.length > 0)
    {
      Question *question = g_queue_pop_head (&self->open);

      self->funcs.answer (self->user, question->call, &answer);
      g_free (question->body);
      g_free (question);
    }
  g_ptr_array_unref (self->servers);
  answering_clear (&self->told);
  g_free (self);
}
