/* doctor-stun.c: whether STUN answers, and tells the address that the request came from.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-address.h"
#include "detourctl-stun.h"
#include "doctor-addresses.h"
#include "doctor.h"

static char *
doctor_stun_text (GInetSocketAddress *address)
{
  return detourctl_address_place (g_inet_socket_address_get_address (address),
                                  g_inet_socket_address_get_port (address));
}

static void
doctor_stun_tell_silence (const Doctor *doctor, DoctorReport *report, const char *where,
                          const GError *error)
{
  guint16 port = doctor->target.stun_port;
  gboolean is_draining = doctor->manager != NULL && detourctl_flag (doctor->manager, "Draining");

  if (is_draining)
    doctor_find (report, "stun_draining", DOCTOR_NOTE,
                 g_strdup_printf (_ ("%s: STUN is silent, because the relay drains"), where), NULL,
                 NULL);
  else if (doctor_find_unreachable (report, where, error))
    return;
  /* On purpose, as clients would take it for their home. */
  else if (doctor->manager != NULL && !detourctl_flag (doctor->manager, "Ready")
           && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    doctor_find (report, "stun_not_ready", DOCTOR_NOTE,
                 g_strdup_printf (_ ("%s: STUN is silent as long as clients cannot log in"), where),
                 g_strdup (_ ("see what is said of the certificate and the ports")), NULL);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    doctor_find (report, "stun_refused", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: nobody has that UDP port"), where),
                 doctor->is_remote
                     ? g_strdup (_ ("start STUN there, or have it left out of the map"))
                     : g_strdup (_ ("start STUN:")),
                 doctor->is_remote         ? NULL
                 : doctor->manager == NULL ? doctor_start_command (doctor)
                                           : g_strdup ("detourctl plugins restart service/stun"));
  else
    doctor_find (report, "stun_silent", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: STUN does not answer: %s"), where, error->message),
                 g_strdup_printf (_ ("let UDP %u through the firewalls on the way, in both "
                                     "directions"),
                                  port),
                 NULL);
}

/* On one host nothing lies between, unless something translates. */
static void
doctor_stun_tell_translated (DoctorReport *report, const char *where, const char *own,
                             const char *told)
{
  doctor_find (
      report, "stun_translated", DOCTOR_PROBLEM,
      g_strdup_printf (_ ("%s: STUN was asked from %s and saw %s: something on the way "
                          "translates addresses, and clients would be told wrong ones"),
                       where, own, told),
      g_strdup (_ ("take the translation away, as a container's bridge by --network host, and "
                   "what [service stun] map says if that is wrong")),
      NULL);
}

static void
doctor_stun_tell_answer (const Doctor *doctor, DoctorReport *report, const char *where,
                         const DetourctlStunAnswer *answer, GInetAddress *server)
{
  GInetAddress *saw = g_inet_socket_address_get_address (answer->told);
  g_autofree char *own = doctor_stun_text (answer->own);
  g_autofree char *told = doctor_stun_text (answer->told);
  gboolean is_same = g_inet_address_equal (saw, g_inet_socket_address_get_address (answer->own));

  if (!doctor->is_remote && !is_same)
    doctor_stun_tell_translated (report, where, own, told);
  /* Behind address translation of our own another address is right, but not a private one. */
  else if (!is_same && detourctl_address_is_private (saw) && !detourctl_address_is_private (server))
    doctor_find (report, "stun_private", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: STUN tells a client of the world the private address %s: "
                                     "the relay is behind address translation or a container's "
                                     "bridge"),
                                  where, told),
                 g_strdup (_ ("give the relay an address of its own, or run the container in the "
                              "host's network (--network host)")),
                 NULL);
  else
    doctor_find (report, "stun_good", DOCTOR_OK,
                 g_strdup_printf (_ ("%s: STUN answers in %.1f ms, and sees %s as %s"), where,
                                  (double) answer->took_us / 1000, own, told),
                 NULL, NULL);
}

static void
doctor_stun_look_at (const Doctor *doctor, DoctorReport *report, GInetAddress *server,
                     GInetAddress *from)
{
  g_autofree char *where = detourctl_address_place (server, doctor->target.stun_port);
  g_auto (DetourctlStunAnswer) answer = { 0 };
  g_autoptr (GError) error = NULL;

  if (detourctl_stun_ask (server, doctor->target.stun_port, from, doctor->limit_us, &answer,
                          &error))
    doctor_stun_tell_answer (doctor, report, where, &answer, server);
  else
    doctor_stun_tell_silence (doctor, report, where, error);
}

/* From each address of this host that is not its own alone, as others would ask. */
static void
doctor_stun_look_from_all (const Doctor *doctor, DoctorReport *report, GInetAddress *server)
{
  g_autoptr (GPtrArray) own = doctor_addresses_own ();
  guint before = report->findings->len;

  if (!doctor->is_remote && !detourctl_address_is_local (server))
    for (guint i = 0; i < own->len; i++)
      if (g_inet_address_get_family (own->pdata[i]) == g_inet_address_get_family (server)
          && !detourctl_address_is_local (own->pdata[i]))
        doctor_stun_look_at (doctor, report, server, own->pdata[i]);
  if (report->findings->len == before)
    doctor_stun_look_at (doctor, report, server, NULL);
}

static void
doctor_stun_look_at_plugin (const char *path, GVariant *properties, gpointer user)
{
  DoctorReport *report = user;
  const char *trouble = detourctl_text (properties, "Trouble");

  if (strcmp (detourctl_text (properties, "Plugin"), "service-stun") == 0 && *trouble != '\0')
    doctor_find (report, "stun_trouble", DOCTOR_WARNING,
                 g_strdup_printf ("%s: %s", detourctl_text (properties, "Id"), trouble), NULL,
                 NULL);
}

void
doctor_stun_check (const Doctor *doctor, DoctorReport *report)
{
  const DoctorTarget *target = &doctor->target;

  if (doctor->objects != NULL)
    detourctl_each_object (doctor->objects, "Plugin", doctor_stun_look_at_plugin, report);
  if (target->stun_port == 0 && doctor->config != NULL)
    doctor_find (
        report, "no_stun", DOCTOR_NOTE,
        g_strdup (_ ("no [service stun] is enabled: the map needs STUNPort -1, and clients "
                     "learn their address from other relays")),
        NULL, NULL);
  else if (target->stun_port == 0 || target->addresses == NULL)
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup (_ ("where STUN would answer is not known")), NULL, NULL);
  else
    for (guint i = 0; i < target->addresses->len; i++)
      doctor_stun_look_from_all (doctor, report, target->addresses->pdata[i]);
}
