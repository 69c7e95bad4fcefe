/* detour-control-challenge.c: the methods with which an operator's own ACME client has its
 * challenges answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-control-error.h"
#include "detour-log.h"

/* Owner of what comes by these methods, and of nothing else. */
#define OWNER "operator"

void
detour_control_present_challenge (DetourControl *self, GVariant *arguments,
                                  GDBusMethodInvocation *call)
{
  DetourChallenges *challenges = detour_roster_challenges (self->parts.roster);
  const char *type, *identifier, *token, *key_authorization;
  g_autofree char *name = NULL;
  g_autoptr (GError) error = NULL;

  g_variant_get (arguments, "(&s&s&s&s)", &type, &identifier, &token, &key_authorization);
  if (!detour_challenges_present (challenges, OWNER, type, identifier, token, key_authorization,
                                  g_get_monotonic_time (), &error))
    {
      gboolean is_full = g_error_matches (error, DETOUR_CHALLENGE_ERROR,
                                          DETOUR_CHALLENGE_ERROR_FULL);

      g_dbus_method_invocation_return_error_literal (
          call, DETOUR_CONTROL_ERROR,
          is_full ? DETOUR_CONTROL_ERROR_BUSY : DETOUR_CONTROL_ERROR_BAD_ARGUMENT, error->message);
      return;
    }
  name = detour_log_escape (identifier, -1);
  detour_log_event (G_LOG_LEVEL_INFO, "challenge-presented",
                    "%s for %s is answered for the operator's ACME client", type, name);
  g_dbus_method_invocation_return_value (call, NULL);
}

void
detour_control_withdraw_challenge (DetourControl *self, GVariant *arguments,
                                   GDBusMethodInvocation *call)
{
  DetourChallenges *challenges = detour_roster_challenges (self->parts.roster);
  const char *type, *identifier, *token;
  gboolean was_there;

  g_variant_get (arguments, "(&s&s&s)", &type, &identifier, &token);
  was_there = detour_challenges_withdraw (challenges, OWNER, type, identifier, token);
  g_dbus_method_invocation_return_value (call, g_variant_new ("(b)", was_there));
}
