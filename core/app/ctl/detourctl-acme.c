/* detourctl-acme.c: the hook of a foreign ACME client, whose challenges the daemon answers.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The arguments are those of uacme's hooks. It offers one challenge after the other until one is
 * accepted, so whatever cannot be answered here is declined with exit status 1. */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-json.h"

enum { TYPE, IDENT, TOKEN, AUTH, N_ARGUMENTS };

/* What the daemon has to answer with. */
typedef struct {
  gboolean has_http, has_tls;
} Means;

static void
ctl_acme_look_at_plugin (const char *path, GVariant *properties, gpointer user)
{
  if (strcmp (detourctl_text (properties, "Plugin"), "http-acme") == 0
      && strcmp (detourctl_text (properties, "State"), "running") == 0)
    ((Means *) user)->has_http = TRUE;
}

static void
ctl_acme_look_at_listener (const char *path, GVariant *properties, gpointer user)
{
  if (detourctl_flag (properties, "Secure"))
    ((Means *) user)->has_tls = TRUE;
}

/* FALSE after a message: this challenge cannot be answered here. */
static gboolean
ctl_acme_can_answer (GVariant *objects, const char *type)
{
  Means means = { FALSE, FALSE };

  detourctl_each_object (objects, "Plugin", ctl_acme_look_at_plugin, &means);
  detourctl_each_object (objects, "Listener", ctl_acme_look_at_listener, &means);
  if (strcmp (type, "http-01") == 0 && !means.has_http)
    detourctl_complain (_ ("http-01 is declined: no [http acme] runs. See: detourctl plugins"));
  else if (strcmp (type, "tls-alpn-01") == 0 && !means.has_tls)
    detourctl_complain (_ ("tls-alpn-01 is declined: no listener speaks TLS"));
  else if (strcmp (type, "http-01") != 0 && strcmp (type, "tls-alpn-01") != 0)
    detourctl_complain (_ ("%s is declined: Detour answers http-01 and tls-alpn-01"), type);
  else
    return TRUE;
  return FALSE;
}

static DetourctlExit
ctl_acme_finish (const Detourctl *self, const char *member, gboolean value, DetourctlExit exit)
{
  DetourctlJson *json;

  if (!self->json)
    return exit;
  json = detourctl_json_begin_document ();
  detourctl_json_flag (json, member, value);
  return detourctl_json_end_document (json, exit);
}

static DetourctlExit
ctl_acme_run_begin (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) objects = detourctl_objects (self, &exit);
  g_autoptr (GVariant) reply = NULL;

  if (objects == NULL)
    return exit;
  if (!ctl_acme_can_answer (objects, arguments[TYPE]))
    return ctl_acme_finish (self, "accepted", FALSE, DETOURCTL_FAILED);
  reply = detourctl_call (self, "", "Manager", "PresentChallenge",
                          g_variant_new ("(ssss)", arguments[TYPE], arguments[IDENT],
                                         arguments[TOKEN], arguments[AUTH]),
                          NULL, &exit);
  /* A value that the daemon does not take is declined like everything else. */
  if (exit == DETOURCTL_USAGE)
    exit = DETOURCTL_FAILED;
  return ctl_acme_finish (self, "accepted", reply != NULL, exit);
}

/* After the authority has looked, or when the order has failed. */
static DetourctlExit
ctl_acme_run_end (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) reply = detourctl_call (
      self, "", "Manager", "WithdrawChallenge",
      g_variant_new ("(sss)", arguments[TYPE], arguments[IDENT], arguments[TOKEN]), "(b)", &exit);
  gboolean was_there = FALSE;

  if (reply == NULL)
    return exit;
  g_variant_get (reply, "(b)", &was_there);
  return ctl_acme_finish (self, "withdrawn", was_there, exit);
}

const DetourctlCommand detourctl_acme_commands[] = {
  { .name = "acme begin",
    .arguments = N_ ("TYPE IDENT TOKEN AUTH"),
    .summary = N_ ("Answer a challenge of another ACME client"),
    .details = N_ ("For hooks of uacme and of others with its arguments. TYPE is http-01 or "
                   "tls-alpn-01; exit status 1\ndeclines, so that the client tries another one. An "
                   "answer ends by itself after an hour.\nOptions stand before TYPE."),
    .run = ctl_acme_run_begin,
    .n_min = N_ARGUMENTS,
    .n_max = N_ARGUMENTS,
    .takes_dashes = TRUE },
  { .name = "acme done",
    .arguments = N_ ("TYPE IDENT TOKEN AUTH"),
    .summary = N_ ("Take the answer back: the authority has looked"),
    .run = ctl_acme_run_end,
    .n_min = N_ARGUMENTS,
    .n_max = N_ARGUMENTS,
    .takes_dashes = TRUE },
  { .name = "acme failed",
    .arguments = N_ ("TYPE IDENT TOKEN AUTH"),
    .summary = N_ ("Take the answer back: the order has failed"),
    .run = ctl_acme_run_end,
    .n_min = N_ARGUMENTS,
    .n_max = N_ARGUMENTS,
    .takes_dashes = TRUE },
  { NULL },
};
