/* auth-template.c: admits clients whose application name is listed; a plugin to copy.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "detour-plugin.h"

/* All state of one [auth NAME] group. A module may run several times, so there are no other
 * variables. */
typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  DetourCounter *allowed;
  DetourCounter *denied;
} AuthTemplate;

/* Feeds the checks, the manual and completion. The getters below use these very keys and types. */
static const DetourConfigKey auth_template_config[] = {
  { "names", DETOUR_CONFIG_STRING, NULL, 0, 0, "names that are admitted",
    DETOUR_CONFIG_LIST | DETOUR_CONFIG_REQUIRED },
  { NULL },
};

/* What the table cannot say. No side effect: the configuration may still be refused. */
static gboolean
auth_template_check (const DetourSettings *settings, GError **error)
{
  const char *const *names = detour_settings_list (settings, "names");

  for (guint i = 0; names[i] != NULL; i++)
    if (*names[i] == '\0')
      {
        detour_settings_error (settings, "names", error,
                               "one of the names is empty; every ordinary client has no name");
        return FALSE;
      }
  return TRUE;
}

static gpointer
auth_template_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  AuthTemplate *self = g_new0 (AuthTemplate, 1);

  self->host = host;
  self->settings = detour_settings_ref (settings);
  self->allowed = detour_host_counter (host, "allowed", "requests answered with allow");
  self->denied = detour_host_counter (host, "denied", "requests answered with deny");
  detour_host_set_summary (host, "%u names",
                           g_strv_length ((char **) detour_settings_list (settings, "names")));
  return self;
}

static void
auth_template_stop (gpointer data)
{
  AuthTemplate *self = data;

  detour_settings_unref (self->settings);
  g_free (self);
}

/* ---- auth: what core asks -------------------------------------------------------------------- */

/* Main thread, so it must not wait for anything; it may answer later and from any thread, but
 * exactly once. */
static void
auth_template_verify (gpointer data, const DetourAuthRequest *request, DetourAuthCall *call)
{
  AuthTemplate *self = data;
  DetourAuthVerdict verdict = { .result = DETOUR_AUTH_DENY, .reason = "application not listed" };

  if (g_strv_contains (detour_settings_list (self->settings, "names"), request->app_name))
    {
      verdict.result = DETOUR_AUTH_ALLOW;
      verdict.label = request->app_name;
      verdict.reason = NULL;
    }
  detour_counter_add (verdict.result == DETOUR_AUTH_ALLOW ? self->allowed : self->denied, 1);
  detour_auth_answer (call, &verdict);
}

static const DetourAuthFuncs auth_template_funcs = { .verify = auth_template_verify };

/* ---- the one symbol of the module ------------------------------------------------------------ */

DETOUR_PLUGIN_DEFINE (.name = "auth-template", .kind = DETOUR_KIND_AUTH,
                      .summary = "admits clients by their application name",
                      .config = auth_template_config, .check = auth_template_check,
                      .start = auth_template_start, .stop = auth_template_stop,
                      .funcs.auth = &auth_template_funcs);
