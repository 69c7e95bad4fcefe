/* auth-tailscaled.c: admits the nodes of the tailnet that a tailscaled on this machine belongs to.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>
#include <sys/un.h>

#include "local-api.h"
#include "local-transfer.h"

#define SOCKET "/var/run/tailscale/tailscaled.sock"

/* A state that comes and goes is logged once a minute. */
#define LOG_EVERY_US G_TIME_SPAN_MINUTE

typedef struct {
  DetourHost *host;
  LocalApi *api;
  DetourCounter *allowed;
  DetourCounter *denied;
  DetourCounter *unavailable;
  DetourCounter *recoveries;
  DetourGauge *watched;

  /* Of the thread. */
  gboolean in_trouble;
  gboolean has_told; /* of this trouble */
  gint64 told_us;    /* of one; 0: never */

  int change_is_posted; /* atomic: the main thread will hear of it */
  int n_rekeys;         /* atomic: so many keys the main thread has not heard of yet */
} AuthTailscaled;

static const DetourConfigKey auth_tailscaled_config[] = {
  { "socket", DETOUR_CONFIG_PATH, SOCKET, 0, 0,
    "LocalAPI sockets; a node that one of them knows is admitted", DETOUR_CONFIG_LIST },
  { "timeout", DETOUR_CONFIG_DURATION, "4500ms", 50, 60000,
    "time for an answer; keep it below [admission] timeout" },
  { NULL },
};

/* Its place on other systems. Every user may put a socket into /tmp, so no place there is tried. */
static const char *const alternatives[] = {
  "/var/packages/Tailscale/var/tailscaled.sock", /* Synology, DSM 7 */
  "/var/packages/Tailscale/etc/tailscaled.sock", /* Synology, DSM 6 */
  "/perm/tailscaled/tailscaled.sock",            /* gokrazy */
  NULL,
};

static gboolean
auth_tailscaled_check (const DetourSettings *settings, GError **error)
{
  const char *const *sockets = detour_settings_list (settings, "socket");
  const gsize max = sizeof ((struct sockaddr_un *) NULL)->sun_path - 1;

  if (!local_transfer_is_possible ())
    {
      detour_settings_error (settings, "socket", error,
                             "libcurl of this system knows no sockets of Unix; install one that "
                             "was built with them");
      return FALSE;
    }
  if (*sockets == NULL)
    {
      detour_settings_error (settings, "socket", error, "empty; leave it out for %s", SOCKET);
      return FALSE;
    }
  for (; *sockets != NULL; sockets++)
    if (strlen (*sockets) > max)
      {
        detour_settings_error (settings, "socket", error,
                               "\"%s\" is longer than a socket's path may be, %u bytes", *sockets,
                               (guint) max);
        return FALSE;
      }
  return TRUE;
}

/* Called by the LocalApi, on its thread -------------------------------------------------------- */

/* What the main thread is to hear in this order: another key of a node, and a verdict. */
typedef struct {
  AuthTailscaled *auth;
  gboolean is_rekeyed;
  guint8 before[DETOUR_KEY_SIZE];
  guint8 after[DETOUR_KEY_SIZE];
  DetourAuthCall *call; /* NULL: no verdict */
  DetourAuthResult result;
  char *label;
  char *reason;
} Message;

static void
auth_tailscaled_message_drop (gpointer data)
{
  Message *message = data;
  DetourAuthVerdict verdict = { .result = message->result,
                                .label = message->label,
                                .reason = message->reason };

  if (message->is_rekeyed)
    g_atomic_int_add (&message->auth->n_rekeys, -1);
  if (message->call != NULL)
    detour_auth_answer (message->call, &verdict);
  g_free (message->label);
  g_free (message->reason);
  g_free (message);
}

static void
auth_tailscaled_message_take (gpointer data)
{
  Message *message = data;

  if (message->is_rekeyed)
    detour_host_auth_rekeyed (message->auth->host, message->before, message->after);
  auth_tailscaled_message_drop (message);
}

/* @before: (nullable): no other key */
static void
auth_tailscaled_post (AuthTailscaled *self, const guint8 *before, const guint8 *after,
                      DetourAuthCall *call, const WhoisAnswer *answer)
{
  Message *message = g_new0 (Message, 1);

  message->auth = self;
  if (before != NULL)
    {
      message->is_rekeyed = TRUE;
      memcpy (message->before, before, DETOUR_KEY_SIZE);
      memcpy (message->after, after, DETOUR_KEY_SIZE);
      g_atomic_int_inc (&self->n_rekeys);
    }
  message->call = call;
  if (answer != NULL)
    {
      message->result = answer->result;
      message->label = g_strdup (answer->label);
      message->reason = g_strdup (answer->reason);
    }
  detour_host_post (self->host, auth_tailscaled_message_take, message,
                    auth_tailscaled_message_drop);
}

static void
auth_tailscaled_on_answer (gpointer user, gpointer call, const WhoisAnswer *answer,
                           const guint8 *key, const guint8 *before)
{
  AuthTailscaled *self = user;
  DetourAuthVerdict verdict = { .result = answer->result,
                                .label = answer->label,
                                .reason = answer->reason };

  detour_counter_add (answer->result == DETOUR_AUTH_ALLOW  ? self->allowed
                      : answer->result == DETOUR_AUTH_DENY ? self->denied
                                                           : self->unavailable,
                      1);
  /* What holds for a key of before has to hold for this one before it is allowed. */
  if (before != NULL || g_atomic_int_get (&self->n_rekeys) > 0)
    auth_tailscaled_post (self, before, key, call, answer);
  else
    detour_auth_answer (call, &verdict);
}

static void
auth_tailscaled_on_rekeyed (gpointer user, const guint8 *before, const guint8 *after)
{
  auth_tailscaled_post (user, before, after, NULL, NULL);
}

static void
auth_tailscaled_on_watched (gpointer user, guint n)
{
  detour_gauge_set (((AuthTailscaled *) user)->watched, n);
}

static void
auth_tailscaled_tell (AuthTailscaled *self, const char *trouble)
{
  gint64 now_us = g_get_monotonic_time ();

  if (trouble != NULL && (self->told_us == 0 || now_us - self->told_us >= LOG_EVERY_US))
    {
      self->has_told = TRUE;
      self->told_us = now_us;
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "auth-down",
                        DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE", "%s: %s",
                        detour_host_instance (self->host), trouble);
    }
  else if (trouble == NULL && self->has_told)
    {
      self->has_told = FALSE;
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "auth-up",
                        DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                        "%s: tailscaled answers again", detour_host_instance (self->host));
    }
}

static void
auth_tailscaled_on_state (gpointer user, const char *summary, const char *trouble)
{
  AuthTailscaled *self = user;

  detour_host_set_summary (self->host, "%s", summary);
  detour_host_set_trouble (self->host, trouble != NULL ? "%s" : NULL, trouble);
  if (self->in_trouble == (trouble != NULL))
    return;
  self->in_trouble = trouble != NULL;
  auth_tailscaled_tell (self, trouble);
}

static void
auth_tailscaled_tell_core (gpointer data)
{
  AuthTailscaled *self = data;

  g_atomic_int_set (&self->change_is_posted, FALSE);
  detour_host_auth_changed (self->host);
}

static void
auth_tailscaled_on_changed (gpointer user)
{
  AuthTailscaled *self = user;

  detour_counter_add (self->recoveries, 1);
  if (g_atomic_int_compare_and_exchange (&self->change_is_posted, FALSE, TRUE))
    detour_host_post (self->host, auth_tailscaled_tell_core, self, NULL);
}

static const LocalApiFuncs local_api_funcs = { auth_tailscaled_on_answer, auth_tailscaled_on_state,
                                               auth_tailscaled_on_changed,
                                               auth_tailscaled_on_rekeyed,
                                               auth_tailscaled_on_watched };

/* Main thread ---------------------------------------------------------------------------------- */

static gpointer
auth_tailscaled_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  AuthTailscaled *self = g_new0 (AuthTailscaled, 1);
  const char *const *elsewhere = detour_settings_is_written (settings, "socket") ? NULL
                                                                                 : alternatives;
  g_autofree char *state = NULL;
  guint timeout_ms = (guint) (detour_settings_duration_us (settings, "timeout")
                              / G_TIME_SPAN_MILLISECOND);

  self->host = host;
  self->allowed = detour_host_counter (host, "allowed", "requests whose key tailscaled knows");
  self->denied = detour_host_counter (host, "denied",
                                      "requests whose key tailscaled does not know");
  self->unavailable = detour_host_counter (host, "unavailable",
                                           "requests that tailscaled did not answer");
  self->recoveries = detour_host_counter (host, "changes",
                                          "times that answers had changed: tailscaled came back, a "
                                          "denied key became known, or a node went");
  self->watched = detour_host_gauge_with (
      host, &(DetourMetric) { .name = "watched",
                              .help = "tailscaleds that tell of nodes that change or go" });
  state = g_build_filename (detour_host_state_directory (host),
                            strchr (detour_host_instance (host), '/') + 1, NULL);
  self->api = local_api_new (detour_settings_list (settings, "socket"), elsewhere, timeout_ms,
                             state, &local_api_funcs, self);
  return self;
}

static void
auth_tailscaled_stop (gpointer data)
{
  AuthTailscaled *self = data;

  local_api_free (self->api);
  g_free (self);
}

static void
auth_tailscaled_verify (gpointer data, const DetourAuthRequest *request, DetourAuthCall *call)
{
  local_api_ask (((AuthTailscaled *) data)->api, request->key, call);
}

static const DetourAuthFuncs auth_tailscaled_funcs = { .verify = auth_tailscaled_verify };

DETOUR_PLUGIN_DEFINE (.name = "auth-tailscaled", .kind = DETOUR_KIND_AUTH,
                      .summary = "admits the nodes that a tailscaled on this machine knows",
                      .config = auth_tailscaled_config, .check = auth_tailscaled_check,
                      .start = auth_tailscaled_start, .stop = auth_tailscaled_stop,
                      .funcs.auth = &auth_tailscaled_funcs);
