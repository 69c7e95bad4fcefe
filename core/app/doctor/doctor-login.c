/* doctor-login.c: whether a client gets in, and a packet through.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <sodium.h>
#include <string.h>

#include "detourctl-derp.h"
#include "detourctl-address.h"
#include "doctor.h"

/* Of the packet, whose bytes are random, so that no other one is taken for it. */
#define PACKET_SIZE 32u

/* How far it went. */
typedef enum {
  REACHED_NOTHING,
  REACHED_TCP,
  REACHED_TLS,
  REACHED_UPGRADE,
  REACHED_LOGIN,
  REACHED_PEER, /* a packet */
} Reached;

/* One client, as far as it gets. */
static Reached
doctor_login_try (const Doctor *doctor, GInetAddress *address, DetourctlDerp *client,
                  GError **error)
{
  const DoctorTarget *target = &doctor->target;
  g_autofree char *host = detourctl_http_host (target->name, target->port,
                                               target->secure ? 443 : 80);

  if (!detourctl_stream_connect (&client->stream, address, target->port, doctor->limit_us, error))
    return REACHED_NOTHING;
  if (target->secure
      && !detourctl_stream_start_tls (&client->stream, target->name, doctor->ca_file, error))
    return REACHED_TCP;
  if (!detourctl_derp_upgrade (client, host, error))
    return REACHED_TLS;
  if (!detourctl_derp_login (client, doctor->mesh_key, error))
    return REACHED_UPGRADE;
  return REACHED_LOGIN;
}

static gboolean
doctor_login_carry (DetourctlDerp *from, DetourctlDerp *to, GError **error)
{
  guint8 packet[PACKET_SIZE];

  randombytes_buf (packet, sizeof packet);
  return detourctl_derp_send (from, &to->key, packet, sizeof packet, error)
      && detourctl_derp_expect (to, &from->key, packet, sizeof packet, error);
}

/* ---- what it means --------------------------------------------------------------------------- */

static void
doctor_login_tell_tcp (const Doctor *doctor, DoctorReport *report, const char *where,
                       const GError *error)
{
  if (doctor_find_unreachable (report, where, error))
    return;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    doctor_find (report, "refused_tcp", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: nobody listens there"), where),
                 doctor->is_remote ? g_strdup (_ ("start the relay there, or ask at another port"))
                                   : g_strdup (_ ("start the relay:")),
                 doctor->is_remote ? NULL : doctor_start_command (doctor));
  else
    doctor_find (report, "no_tcp", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: %s"), where, error->message),
                 g_strdup_printf (_ ("let TCP %u through the firewalls on the way, or correct the "
                                     "address of the name"),
                                  doctor->target.port),
                 NULL);
}

/* A relay that admits known keys alone does what it should. */
static void
doctor_login_tell_refused (const Doctor *doctor, DoctorReport *report, const char *where)
{
  gboolean is_open = doctor->config != NULL && doctor->config->options.admission.chain != NULL
                  && g_strcmp0 (doctor->config->options.admission.chain[0], "open") == 0;

  if (is_open)
    doctor_find (report, "login_refused", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: the relay refused a client, though it is open"), where),
                 g_strdup (_ ("see whether a ban or a limit is to blame:")),
                 g_strdup ("detourctl refused"));
  else
    doctor_find (report, "login_needs_key", DOCTOR_NOTE,
                 g_strdup_printf (_ ("%s: the relay greets clients, and does not admit one with an "
                                     "unknown key, so that no packet could be tried"),
                                  where),
                 doctor->mesh_key != NULL
                     ? g_strdup (_ ("the mesh key that was given is not the relay's"))
                     : g_strdup (_ ("with the mesh key of the relay it can be tried: --mesh-key "
                                    "FILE")),
                 NULL);
}

static void
doctor_login_tell_failure (const Doctor *doctor, DoctorReport *report, const char *where,
                           Reached reached, const GError *error)
{
  if (reached == REACHED_NOTHING)
    doctor_login_tell_tcp (doctor, report, where, error);
  else if (reached == REACHED_TCP)
    doctor_find (report, "no_tls", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: no TLS: %s"), where, error->message),
                 g_strdup (_ ("see what is said of the certificate:")),
                 doctor->is_remote ? NULL : g_strdup ("detourctl doctor certificate"));
  else if (reached == REACHED_TLS)
    doctor_find (
        report, "no_derp", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: no DERP: %s"), where, error->message),
        g_strdup (_ ("see that the port is the relay's, and that a proxy in front hands on "
                     "\"Upgrade: DERP\"")),
        NULL);
  else if (detourctl_derp_is_refusal (error))
    doctor_login_tell_refused (doctor, report, where);
  else
    doctor_find (report, "login_failed", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: the login failed: %s"), where, error->message), NULL,
                 NULL);
}

/* Two servers with one name have two keys, and clients of one do not find those of the other. */
static gboolean
doctor_login_is_one_relay (const Doctor *doctor, DoctorReport *report, const char *where,
                           const DetourctlDerp *a, const DetourctlDerp *b)
{
  const char *own = doctor->manager != NULL ? detourctl_text (doctor->manager, "ServerKey") : "";
  g_autofree char *key = detour_key_to_text (&a->server);

  if (!detour_key_equal (&a->server, &b->server))
    doctor_find (
        report, "two_servers", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: two connections came to two servers with different keys"), where),
        g_strdup (_ ("a load balancer must not be in front of relays: give each a name of "
                     "its own, or mesh them as nodes of one region")),
        NULL);
  else if (*own != '\0' && strcmp (own, key) != 0)
    doctor_find (
        report, "another_relay", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: another relay than the one of this host answers (its key is "
                            "%s)"),
                         where, key),
        g_strdup (_ ("correct the DNS records of the name, or stop that other one")), NULL);
  else
    return TRUE;
  return FALSE;
}

static void
doctor_login_look_at (const Doctor *doctor, DoctorReport *report, GInetAddress *address)
{
  g_autofree char *where = detourctl_address_place (address, doctor->target.port);
  g_auto (DetourctlDerp) a = { 0 };
  g_auto (DetourctlDerp) b = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 began_us;
  Reached reached;

  detourctl_derp_init (&a);
  detourctl_derp_init (&b);
  reached = doctor_login_try (doctor, address, &a, &error);
  if (reached == REACHED_LOGIN)
    reached = doctor_login_try (doctor, address, &b, &error);
  if (reached != REACHED_LOGIN)
    {
      doctor_login_tell_failure (doctor, report, where, reached, error);
      return;
    }
  if (!doctor_login_is_one_relay (doctor, report, where, &a, &b))
    return;
  began_us = g_get_monotonic_time ();
  if (!doctor_login_carry (&a, &b, &error))
    doctor_find (report, "packet_lost", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: two clients are logged in, but a packet from one to the "
                                     "other does not come: %s"),
                                  where, error->message),
                 g_strdup (_ ("see what is dropped, and why:")),
                 doctor->is_remote ? NULL : g_strdup ("detourctl counters"));
  else
    doctor_find (
        report, "login_good", DOCTOR_OK,
        g_strdup_printf (_ ("%s: a client is admitted, and a packet takes %.1f ms to another "
                            "one"),
                         where, (double) (g_get_monotonic_time () - began_us) / 1000),
        NULL, NULL);
}

void
doctor_login_check (const Doctor *doctor, DoctorReport *report)
{
  const DoctorTarget *target = &doctor->target;

  if (target->port == 0 || target->name == NULL || target->addresses == NULL)
    {
      doctor_find (
          report, "not_checked", DOCTOR_NOTE,
          target->port == 0 ? g_strdup (_ ("no listener with a port relays"))
          : target->name == NULL
              ? g_strdup (_ ("the name of the relay is not known, see \"config\""))
              : g_strdup_printf (_ ("%s: %s"), target->name, doctor->resolver_error->message),
          NULL, NULL);
      return;
    }
  if (target->is_fallback)
    doctor_find (report, "only_from_here", DOCTOR_NOTE,
                 g_strdup_printf (_ ("%s leads nowhere, so the relay is asked at this host's own "
                                     "address"),
                                  target->name),
                 NULL, NULL);
  for (guint i = 0; i < target->addresses->len; i++)
    doctor_login_look_at (doctor, report, target->addresses->pdata[i]);
}
