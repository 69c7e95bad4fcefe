/* detourctl-say.c: tells the users of all clients something.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>

#include "detour-announcement.h"
#include "detourctl-json.h"

static gboolean clear;

static const GOptionEntry options[] = {
  { "clear", 0, 0, G_OPTION_ARG_NONE, &clear, N_ ("Take back what was said"), NULL },
  { NULL },
};

static DetourctlExit
ctl_say_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;
  const char *text = arguments[0];

  if (clear == (text != NULL))
    {
      detourctl_complain (_ ("write either a text or --clear"));
      return DETOURCTL_USAGE;
    }
  /* The daemon would refuse a wrong text as well, but not in the user's language. */
  if (text != NULL && !detour_announcement_check (text, &error))
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_USAGE;
    }
  reply = detourctl_call (self, "", "Manager", "Say", g_variant_new ("(s)", clear ? "" : text),
                          "()", &exit);
  if (reply == NULL)
    return exit;
  if (self->json)
    {
      g_autoptr (GVariant) said = g_variant_ref_sink (g_variant_new_string (clear ? "" : text));

      return detourctl_json_print_variant ("announcement", said, NULL);
    }
  g_print ("%s\n", clear ? _ ("Clients are told nothing any more.")
                         : _ ("Clients are told this, until \"detourctl say --clear\"."));
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_say_commands[] = {
  { .name = "say",
    .arguments = N_ ("[TEXT]"),
    .summary = N_ ("Tell the users of all clients something, until it is taken back"),
    .details = N_ (
        "Official clients show the text as a problem of the relay, for instance in "
        "\"tailscale status\". Those that are connected get it at once, and others as they "
        "connect. It is one line of at most 256 bytes, and is forgotten when the daemon "
        "ends."),
    .options = options,
    .run = ctl_say_run,
    .n_max = 1 },
  { NULL },
};
