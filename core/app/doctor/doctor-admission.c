/* doctor-admission.c: whether those who say who may use the relay can be asked.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "detour-key.h"
#include "detour-tree.h"
#include "doctor-access.h"

/* ---- by asking the daemon to ask ------------------------------------------------------------- */

/* A key that nobody has. */
static char *
doctor_admission_any_key (void)
{
  DetourKey key;

  randombytes_buf (key.bytes, sizeof key.bytes);
  return detour_key_to_text (&key);
}

static void
doctor_admission_tell_verdict (DoctorReport *report, const char *id, GVariant *verdict)
{
  const char *word = detourctl_text (verdict, "verdict");
  const char *reason = detourctl_text (verdict, "reason");

  if (strcmp (word, "unavailable") == 0)
    doctor_find (
        report, "source_down", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s cannot tell who may use the relay: %s"), id, reason),
        g_strdup (_ ("mend what it says; until then only clients that were admitted lately "
                     "come in. To see how it goes:")),
        g_strdup ("detourctl doctor admission"));
  else if (strcmp (word, "allow") == 0)
    doctor_find (
        report, "source_takes_all", DOCTOR_WARNING,
        g_strdup_printf (_ ("%s admits a key that nobody has: it seems to admit everyone"), id),
        g_strdup (_ ("see who answers there, and by which rules")), NULL);
  else
    doctor_find (report, "source_good", DOCTOR_OK,
                 g_strdup_printf (_ ("%s answers, and does not admit an unknown key"), id), NULL,
                 NULL);
}

static void
doctor_admission_ask (const Doctor *doctor, DoctorReport *report, const char *id)
{
  g_autofree char *path = detour_tree_node_name ("plugin", id, 0);
  g_autofree char *key = doctor_admission_any_key ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) verdict = NULL;
  DetourctlExit exit;

  reply = detourctl_try (doctor->ctl, path, "Plugin", "Verify", g_variant_new ("(s)", key),
                         "(a{sv})", &error, &exit);
  if (reply == NULL)
    {
      g_dbus_error_strip_remote_error (error);
      doctor_find (report, "not_checked", DOCTOR_NOTE,
                   g_strdup_printf ("%s: %s", id, error != NULL ? error->message : ""),
                   g_strdup (_ ("ask as root:")), g_strdup ("sudo detourctl doctor admission"));
      return;
    }
  verdict = g_variant_get_child_value (reply, 0);
  doctor_admission_tell_verdict (report, id, verdict);
}

/* ---- without the daemon ---------------------------------------------------------------------- */

static void
doctor_admission_tell_socket (const Doctor *doctor, DoctorReport *report, const char *id,
                              const char *path, int number)
{
  if (number == ENOENT)
    doctor_find (report, "tailscaled_missing", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: there is no tailscaled at %s"), id, path),
                 g_strdup (_ ("install Tailscale on this host, and log it in:")),
                 g_strdup ("tailscale up"));
  else
    doctor_find (report, "tailscaled_closed", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: user %s may not use %s: %s"), id, doctor->user, path,
                                  g_strerror (number)),
                 g_strdup (_ ("let it through the folders on the way; the socket itself is open to "
                              "everyone where tailscaled made it")),
                 NULL);
}

static void
doctor_admission_look_at_tailscaled (const Doctor *doctor, DoctorReport *report,
                                     const DetourConfigInstance *instance)
{
  const DetourConfigKey *key = detour_settings_find_key (instance->settings, "socket");
  const char *room[2];
  const char *const *list;

  if (key == NULL || !doctor_access_is_known (doctor))
    return;
  for (list = detour_settings_values (instance->settings, key, room); *list != NULL; list++)
    {
      g_autofree char *where = NULL;
      int number = doctor_access_try (doctor, *list, R_OK | W_OK, &where);

      if (number == 0)
        doctor_find (
            report, "tailscaled_there", DOCTOR_OK,
            g_strdup_printf (_ ("%s: user %s may use %s"), instance->id, doctor->user, *list), NULL,
            NULL);
      else
        doctor_admission_tell_socket (doctor, report, instance->id, *list, number);
    }
}

/* ---- the chain ------------------------------------------------------------------------------- */

static void
doctor_admission_look_at (const Doctor *doctor, DoctorReport *report, const char *name)
{
  g_autofree char *id = g_strconcat ("auth/", name, NULL);
  const DetourConfigInstance *instance = detour_config_find (doctor->config, id);

  if (strcmp (name, "open") == 0 && instance == NULL)
    {
      doctor_find (
          report, "open", DOCTOR_NOTE,
          g_strdup (_ ("everyone may use this relay, because the chain is \"open\"")),
          g_strdup (_ ("if that is not what you want, admit the nodes that a tailscaled on "
                       "this host knows:")),
          doctor_setting (doctor, doctor->config->admission, "admission", "chain", "tailscaled"));
      return;
    }
  if (instance == NULL || !instance->enabled || instance->plugin == NULL)
    return;
  if (doctor->manager != NULL)
    doctor_admission_ask (doctor, report, id);
  else if (strcmp (instance->plugin_name, "auth-tailscaled") == 0)
    doctor_admission_look_at_tailscaled (doctor, report, instance);
  else
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup_printf (_ ("%s can be asked once the relay runs"), id), NULL, NULL);
}

void
doctor_admission_check (const Doctor *doctor, DoctorReport *report)
{
  const DetourAdmissionOptions *admission;

  if (doctor->config == NULL)
    {
      doctor_find (report, "not_checked", DOCTOR_NOTE,
                   g_strdup (_ ("who is asked is not known while the configuration has errors")),
                   NULL, NULL);
      return;
    }
  admission = &doctor->config->options.admission;
  for (guint i = 0; admission->chain != NULL && admission->chain[i] != NULL; i++)
    doctor_admission_look_at (doctor, report, admission->chain[i]);
  if (admission->dry_run)
    doctor_find (
        report, "dry_run", DOCTOR_WARNING,
        g_strdup (_ ("refusals are only logged: with dry-run everyone is let in")),
        g_strdup (_ ("when the log shows what you want, take it out:")),
        doctor_setting (doctor, doctor->config->admission, "admission", "dry-run", "false"));
}
