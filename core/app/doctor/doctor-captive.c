/* doctor-captive.c: whether the plain port answers as clients expect that look for a captive
 * portal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-captive.h"
#include "detourctl-address.h"
#include "doctor.h"

/* The map can do without that port, if it says so. */
static void
doctor_captive_tell_failure (const Doctor *doctor, DoctorReport *report, char *text, char *command)
{
  doctor_find (report, "captive_wrong", DOCTOR_WARNING, text,
               command != NULL
                   ? g_strdup (_ ("have it answered, or leave CanPort80 out of the map:"))
                   : g_strdup (_ ("have it answered, or leave CanPort80 out of the map")),
               command);
}

static void
doctor_captive_look_at (const Doctor *doctor, DoctorReport *report, GInetAddress *address)
{
  guint16 port = doctor->target.captive_port;
  g_autofree char *where = detourctl_address_place (address, port);
  g_autoptr (GError) error = NULL;
  gboolean is_response;
  guint status;

  if (!detourctl_captive_ask (address, port, doctor->limit_us, &status, &is_response, &error))
    {
      doctor_captive_tell_failure (
          doctor, report,
          g_strdup_printf (_ ("%s: /generate_204 is not answered: %s"), where, error->message),
          NULL);
      return;
    }
  if (status != DETOURCTL_CAPTIVE_STATUS || !is_response)
    doctor_captive_tell_failure (
        doctor, report,
        status != DETOURCTL_CAPTIVE_STATUS
            ? g_strdup_printf (_ ("%s: /generate_204 is answered with %u, which clients take for a "
                                  "captive portal"),
                               where, status)
            : g_strdup_printf (_ ("%s: /generate_204 is answered without the response to the "
                                  "challenge, which clients take for a captive portal"),
                               where),
        doctor->is_remote ? NULL : g_strdup ("[http captive]\nenabled = true"));
  else
    doctor_find (report, "captive_good", DOCTOR_OK,
                 g_strdup_printf (_ ("%s: /generate_204 is answered as clients expect"), where),
                 NULL, NULL);
}

void
doctor_captive_check (const Doctor *doctor, DoctorReport *report)
{
  const DoctorTarget *target = &doctor->target;

  if (target->captive_port == 0 || target->addresses == NULL
      || (!doctor->is_remote && doctor->manager == NULL))
    return;
  /* Clients ask over IPv4 alone. */
  for (guint i = 0; i < target->addresses->len; i++)
    if (g_inet_address_get_family (target->addresses->pdata[i]) == G_SOCKET_FAMILY_IPV4)
      doctor_captive_look_at (doctor, report, target->addresses->pdata[i]);
}
