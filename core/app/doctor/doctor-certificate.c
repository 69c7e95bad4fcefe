/* doctor-certificate.c: whether clients take the certificate that they are shown.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-cert.h"
#include "detourctl-dial.h"
#include "detourctl-format.h"
#include "detourctl-address.h"
#include "doctor.h"

/* Probes of the network give the alarm then. */
#define SOON_S (7 * 86400)

static void
doctor_certificate_look_for_renewable (const char *path, GVariant *properties, gpointer user)
{
  const char **id = user;

  if (detourctl_flag (properties, "Renewable") && *id == NULL)
    *id = detourctl_text (properties, "Instance");
}

/* Of the first instance that can get another one; NULL: none can. */
static char *
doctor_certificate_renew_command (const Doctor *doctor)
{
  const char *id = NULL;

  if (doctor->objects != NULL)
    detourctl_each_object (doctor->objects, "Certificate", doctor_certificate_look_for_renewable,
                           &id);
  return id != NULL ? g_strdup_printf ("detourctl certs renew %s", id) : NULL;
}

static char *
doctor_certificate_remedy_of_dates (const Doctor *doctor)
{
  return g_strdup (doctor->is_remote ? _ ("whoever runs that relay has to renew it")
                                     : _ ("renew it; the relay takes a new one over by itself:"));
}

/* ---- dates ----------------------------------------------------------------------------------- */

/* TRUE: nothing is wrong. */
static gboolean
doctor_certificate_look_at_dates (const Doctor *doctor, DoctorReport *report, const char *where,
                                  const DetourctlDialCert *cert)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  g_autofree char *end = detourctl_format_time ((guint64) cert->not_after * G_USEC_PER_SEC);
  g_autofree char *begin = detourctl_format_time ((guint64) cert->not_before * G_USEC_PER_SEC);

  if (cert->not_after <= now)
    doctor_find (
        report, "certificate_expired", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: the certificate %s has expired: %s"), where, cert->subject, end),
        doctor_certificate_remedy_of_dates (doctor), doctor_certificate_renew_command (doctor));
  else if (cert->not_before > now)
    doctor_find (report, "certificate_early", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: the certificate %s is not valid before %s"), where,
                                  cert->subject, begin),
                 g_strdup (_ ("see that the clock of this host is right:")),
                 g_strdup ("detourctl doctor clock"));
  else if (cert->not_after < now + SOON_S)
    doctor_find (report, "certificate_ends_soon", DOCTOR_WARNING,
                 g_strdup_printf (_ ("%s: the certificate %s is valid until %s only"), where,
                                  cert->subject, end),
                 doctor_certificate_remedy_of_dates (doctor),
                 doctor_certificate_renew_command (doctor));
  else
    return TRUE;
  return FALSE;
}

/* ---- trust ----------------------------------------------------------------------------------- */

/* The client takes that certificate and no other, whoever signed it. */
static gboolean
doctor_certificate_look_at_pin (const Doctor *doctor, DoctorReport *report, const char *where,
                                const DetourctlDialTls *tls)
{
  const DetourctlDialCert *leaf = tls->certs->pdata[0];
  const char *pin = g_str_has_prefix (doctor->pin, DETOUR_CERT_PIN_PREFIX)
                      ? doctor->pin + strlen (DETOUR_CERT_PIN_PREFIX)
                      : doctor->pin;

  if (strcmp (pin, leaf->sha256) != 0)
    doctor_find (
        report, "pin_wrong", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: the certificate is not the one of the pin"), where),
        g_strdup (_ ("if the certificate was changed on purpose, write its pin in the map:")),
        g_strdup_printf ("\"CertName\": \"" DETOUR_CERT_PIN_PREFIX "%s\"", leaf->sha256));
  else if (tls->certs->len > 1)
    doctor_find (
        report, "pin_of_chain", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: with a pin, clients take one certificate, and they are shown "
                            "%u"),
                         where, tls->certs->len),
        g_strdup (_ ("have the certificate served without its chain, or take the pin out of "
                     "the map")),
        NULL);
  else
    return TRUE;
  return FALSE;
}

static void
doctor_certificate_tell_name (const Doctor *doctor, DoctorReport *report, const char *where,
                              const DetourctlDialCert *leaf)
{
  g_autofree char *names = detourctl_dial_cert_names (leaf);

  doctor_find (report, "certificate_name", DOCTOR_PROBLEM,
               g_strdup_printf (_ ("%s: the certificate is for %s, and not for %s"), where, names,
                                doctor->target.name),
               doctor->is_remote ? g_strdup (_ ("ask for it under one of these names"))
                                 : g_strdup (_ ("get one for that name, as in:")),
               doctor->is_remote ? NULL
                                 : g_strdup_printf ("[cert main]\nplugin = acme\nnames = %s",
                                                    doctor->target.name));
}

static void
doctor_certificate_tell_distrust (const Doctor *doctor, DoctorReport *report, const char *where,
                                  const DetourctlDialTls *tls)
{
  const DetourctlDialCert *leaf = tls->certs->pdata[0];
  g_autofree char *pin = g_strdup_printf ("\"CertName\": \"" DETOUR_CERT_PIN_PREFIX "%s\"",
                                          leaf->sha256);

  if (leaf->is_self_signed && !doctor->is_remote)
    doctor_find (
        report, "certificate_self_signed", DOCTOR_NOTE,
        g_strdup_printf (_ ("%s: the certificate is self-signed, so clients need its pin"), where),
        g_strdup (_ ("the entry in the map has to have it, which \"detourctl derpmap\" "
                     "prints:")),
        g_steal_pointer (&pin));
  else if (leaf->is_self_signed)
    doctor_find (
        report, "certificate_self_signed", DOCTOR_WARNING,
        g_strdup_printf (_ ("%s: the certificate is self-signed: only clients with its pin "
                            "take it"),
                         where),
        g_strdup_printf (_ ("if the map has its pin, say so with --pin; it is %s"), leaf->sha256),
        g_steal_pointer (&pin));
  else if (tls->certs->len == 1)
    doctor_find (
        report, "chain_incomplete", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: the certificate comes alone, without that of its issuer "
                            "(%s): %s"),
                         where, leaf->issuer, tls->trouble),
        g_strdup (_ ("have the whole chain served: the file of the certificate needs those "
                     "of its issuers behind it; of an authority of your own, name it with "
                     "--ca")),
        NULL);
  else
    doctor_find (
        report, "certificate_distrusted", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s: no authority that this host trusts vouches for the "
                            "certificate: %s"),
                         where, tls->trouble),
        g_strdup (_ ("get one from an authority that clients trust; of one of your own, name "
                     "it with --ca")),
        NULL);
}

/* ---------------------------------------------------------------------------------------------- */

static void
doctor_certificate_judge (const Doctor *doctor, DoctorReport *report, const char *where,
                          const DetourctlDialTls *tls)
{
  const DetourctlDialCert *leaf = tls->certs->pdata[0];
  gint64 left_us = leaf->not_after * G_USEC_PER_SEC - g_get_real_time ();
  g_autofree char *left = detourctl_format_duration ((guint64) MAX (left_us, 0));
  gboolean is_good = TRUE;

  for (guint i = 0; i < tls->certs->len; i++)
    is_good = doctor_certificate_look_at_dates (doctor, report, where, tls->certs->pdata[i])
           && is_good;
  if (doctor->pin != NULL)
    is_good = doctor_certificate_look_at_pin (doctor, report, where, tls) && is_good;
  else
    {
      if (!tls->name_fits)
        doctor_certificate_tell_name (doctor, report, where, leaf);
      /* When a date is wrong, no authority vouches for the chain either, and that says nothing
       * more. */
      if (tls->trouble != NULL && is_good)
        doctor_certificate_tell_distrust (doctor, report, where, tls);
      is_good = is_good && tls->name_fits && tls->trouble == NULL;
    }
  if (is_good)
    doctor_find (
        report, "certificate_good", DOCTOR_OK,
        g_strdup_printf (_ ("%s: %s, the certificate is good for %s"), where, tls->version, left),
        NULL, NULL);
  if (tls->server_key == NULL)
    doctor_find (
        report, "no_meta_certificate", DOCTOR_NOTE,
        g_strdup_printf (_ ("%s: the handshake does not tell the key of the relay, so that "
                            "clients need a round trip more"),
                         where),
        g_strdup (_ ("something in front of the relay ends TLS, perhaps a proxy")), NULL);
}

static void
doctor_certificate_look_at (const Doctor *doctor, DoctorReport *report, GInetAddress *address)
{
  g_autofree char *where = detourctl_address_place (address, doctor->target.port);
  g_auto (DetourctlStream) stream = DETOURCTL_STREAM_INIT;
  g_autoptr (GError) error = NULL;

  if (!detourctl_stream_connect (&stream, address, doctor->target.port, doctor->limit_us, &error))
    doctor_find (
        report, "not_checked", DOCTOR_NOTE,
        g_strdup_printf (_ ("%s: no connection, see \"login\": %s"), where, error->message), NULL,
        NULL);
  else if (!detourctl_stream_start_tls (&stream, doctor->target.name, doctor->ca_file, &error))
    doctor_find (report, "no_handshake", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s: no TLS: %s"), where, error->message),
                 doctor->is_remote ? g_strdup (_ ("see that the port is one of TLS"))
                                   : g_strdup (_ ("see which certificates the relay has:")),
                 doctor->is_remote ? NULL : g_strdup ("detourctl certs"));
  else
    doctor_certificate_judge (doctor, report, where, stream.tls);
}

/* What the daemon says of its own. */
static void
doctor_certificate_look_at_object (const char *path, GVariant *properties, gpointer user)
{
  DoctorReport *report = user;
  const char *id = detourctl_text (properties, "Instance");
  const char *error = detourctl_text (properties, "Error");
  const char *remedy = detourctl_text (properties, "Remedy");
  const char *state = detourctl_text (properties, "State");

  if (*error != '\0')
    doctor_find (report, "renewal_failed", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s could not get a certificate: %s"), id, error),
                 g_strdup (*remedy != '\0' ? remedy : _ ("mend that, and try again:")),
                 g_strdup_printf ("detourctl certs renew %s", id));
  else if (strcmp (state, "waiting") == 0)
    doctor_find (report, "certificate_awaited", DOCTOR_WARNING,
                 g_strdup_printf (_ ("%s waits for its first certificate"), id),
                 g_strdup (_ ("look again in a minute:")), g_strdup ("detourctl certs"));
}

void
doctor_certificate_check (const Doctor *doctor, DoctorReport *report)
{
  const DoctorTarget *target = &doctor->target;

  if (doctor->objects != NULL)
    detourctl_each_object (doctor->objects, "Certificate", doctor_certificate_look_at_object,
                           report);
  if (target->port != 0 && !target->secure)
    doctor_find (report, "no_tls_listener", DOCTOR_NOTE,
                 g_strdup (_ ("no listener that relays speaks TLS: clients need something in front "
                              "that does")),
                 NULL, NULL);
  else if (target->port == 0 || target->name == NULL || target->addresses == NULL)
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup (_ ("where clients would come in is not known")), NULL, NULL);
  else
    for (guint i = 0; i < target->addresses->len; i++)
      doctor_certificate_look_at (doctor, report, target->addresses->pdata[i]);
}
