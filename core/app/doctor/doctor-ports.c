/* doctor-ports.c: whether the relay has its ports, and who has them otherwise.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "detour-address.h"
#include "detour-config-trial.h"
#include "detour-file.h"
#include "doctor.h"

#define CGROUP_MAX 4096u

/* Unit of the service manager that a process belongs to; NULL: none is seen. */
static char *
doctor_ports_unit_of (guint64 pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%" G_GUINT64_FORMAT "/cgroup", pid);
  g_auto (DetourFile) file = { 0 };
  g_autofree char *name = NULL;

  if (!detour_file_read (path, CGROUP_MAX, DETOUR_FILE_HEAD, &file, NULL))
    return NULL;
  g_strdelimit (file.data, "\n", '\0');
  name = g_path_get_basename (file.data);
  return g_str_has_suffix (name, ".service") ? g_steal_pointer (&name) : NULL;
}

/* How to have a program give its port back; @owner as of detour_port_owner(). */
static char *
doctor_ports_stop_command (const char *owner)
{
  const char *place = strstr (owner, "(process ");
  guint64 pid = place != NULL ? g_ascii_strtoull (place + strlen ("(process "), NULL, 10) : 0;
  g_autofree char *unit = pid != 0 ? doctor_ports_unit_of (pid) : NULL;

  if (unit != NULL)
    return g_strdup_printf ("systemctl disable --now %s", unit);
  return pid != 0 ? g_strdup_printf ("kill %" G_GUINT64_FORMAT, pid) : NULL;
}

/* Addresses at which the daemon says that it does not listen yet. */
static void
doctor_ports_look_at_listener (const char *path, GVariant *properties, gpointer user)
{
  DoctorReport *report = user;
  g_autofree const char **absent = NULL;

  if (!g_variant_lookup (properties, "AbsentAddresses", "^a&s", &absent))
    return;
  for (guint i = 0; absent[i] != NULL; i++)
    doctor_find (
        report, "address_absent", DOCTOR_WARNING,
        g_strdup_printf (_ ("%s waits for %s, which no interface of this host has, or whose port "
                            "another program has"),
                         detourctl_text (properties, "Instance"), absent[i]),
        g_strdup (
            _ ("give an interface that address, end the other program, or correct \"listen\"")),
        NULL);
}

static void
doctor_ports_tell_taken (const DetourConfigListener *listener, guint16 port, DoctorReport *report,
                         gboolean is_running)
{
  g_autofree char *owner = detour_port_owner (port, listener->udp);
  const char *protocol = listener->udp ? "UDP" : "TCP";
  const char *id = listener->instance->id;

  if (owner != NULL && g_str_has_prefix (owner, DETOUR_PORT_OWNER_RELAY))
    doctor_find (report, "port_good", DOCTOR_OK,
                 g_strdup_printf (_ ("%s %u (%s) is the relay's"), protocol, port, id), NULL, NULL);
  else if (owner != NULL)
    doctor_find (
        report, "port_taken", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s %u (%s) is taken by %s"), protocol, port, id, owner),
        g_strdup (_ ("stop that program, or give the relay another port with \"listen\":")),
        doctor_ports_stop_command (owner));
  else
    doctor_find (report, "port_taken_by_unknown", is_running ? DOCTOR_NOTE : DOCTOR_WARNING,
                 g_strdup_printf (_ ("%s %u (%s) is taken, and this user may not see by whom"),
                                  protocol, port, id),
                 g_strdup (_ ("ask as root:")), g_strdup ("sudo detourctl doctor ports"));
}

static void
doctor_ports_tell_free (const Doctor *doctor, const DetourConfigListener *listener, guint16 port,
                        DoctorReport *report)
{
  const char *protocol = listener->udp ? "UDP" : "TCP";
  const char *id = listener->instance->id;

  if (doctor->manager == NULL)
    doctor_find (report, "port_free", DOCTOR_OK,
                 g_strdup_printf (_ ("%s %u (%s) is free"), protocol, port, id), NULL, NULL);
  else
    doctor_find (report, "port_not_served", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s %u (%s) is free, though the relay runs: nobody listens"),
                                  protocol, port, id),
                 g_strdup (_ ("have it started again, and see why if it fails:")),
                 g_strdup_printf ("detourctl plugins restart %s", id));
}

static void
doctor_ports_tell_other (const DetourConfigListener *listener, guint16 port, int number,
                         DoctorReport *report)
{
  g_autofree char *remedy = detour_config_bind_remedy (number, port, listener->udp);

  doctor_find (report, "port_refused", DOCTOR_PROBLEM,
               g_strdup_printf ("%s (%s): %s%s", listener->text, listener->instance->id,
                                g_strerror (number), remedy),
               NULL, NULL);
}

static void
doctor_ports_look_at (const Doctor *doctor, const DetourConfigListener *listener,
                      DoctorReport *report)
{
  DetourAddress address;
  int number;

  if (!detour_address_parse (listener->text, &address, NULL)
      || !detour_config_try_listener (listener, &address, &number))
    return;
  if (number == EADDRINUSE)
    doctor_ports_tell_taken (listener, address.port, report, doctor->manager != NULL);
  else if (number == 0)
    doctor_ports_tell_free (doctor, listener, address.port, report);
  else if (number == EACCES && doctor->manager == NULL)
    doctor_find (report, "port_free", DOCTOR_OK,
                 g_strdup_printf (_ ("%s %u (%s) needs a privilege, which the service unit gives"),
                                  listener->udp ? "UDP" : "TCP", address.port,
                                  listener->instance->id),
                 NULL, NULL);
  /* Of one that this host does not have, the daemon itself says more. */
  else if (number != EACCES && number != EADDRNOTAVAIL)
    doctor_ports_tell_other (listener, address.port, number, report);
}

/* Whether a relay has one of the ports, be it another one. */
static gboolean
doctor_ports_has_relay (const Doctor *doctor)
{
  for (guint i = 0; i < doctor->listeners->len; i++)
    {
      const DetourConfigListener *listener = &g_array_index (doctor->listeners,
                                                             DetourConfigListener, i);
      g_autofree char *owner = NULL;
      DetourAddress address;

      if (!detour_address_parse (listener->text, &address, NULL))
        continue;
      owner = detour_port_owner (address.port, listener->udp);
      if (owner != NULL && g_str_has_prefix (owner, DETOUR_PORT_OWNER_RELAY))
        return TRUE;
    }
  return FALSE;
}

static void
doctor_ports_tell_no_daemon (const Doctor *doctor, DoctorReport *report)
{
  if (doctor_ports_has_relay (doctor))
    doctor_find (report, "no_control", DOCTOR_PROBLEM,
                 g_strdup (_ ("a relay has ports of this configuration, but does not answer "
                              "detourctl: its control socket is elsewhere, or it hangs")),
                 g_strdup (_ ("say where its control socket is, with --socket or "
                              "DETOUR_SOCKET; without that this looks at less")),
                 NULL);
  else
    doctor_find (report, "no_daemon", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("no relay answers: %s"), doctor->no_daemon),
                 g_strdup (_ ("start it:")), doctor_start_command (doctor));
}

void
doctor_ports_check (const Doctor *doctor, DoctorReport *report)
{
  if (doctor->config == NULL)
    {
      doctor_find (report, "not_checked", DOCTOR_NOTE,
                   g_strdup (_ ("ports are not known while the configuration has errors")), NULL,
                   NULL);
      return;
    }
  if (doctor->manager == NULL)
    doctor_ports_tell_no_daemon (doctor, report);
  for (guint i = 0; i < doctor->listeners->len; i++)
    doctor_ports_look_at (doctor, &g_array_index (doctor->listeners, DetourConfigListener, i),
                          report);
  if (doctor->objects != NULL)
    detourctl_each_object (doctor->objects, "Listener", doctor_ports_look_at_listener, report);
}
