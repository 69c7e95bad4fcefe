/* doctor-names.c: whether the public name leads to this host, in both families.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-address.h"
#include "doctor-addresses.h"
#include "doctor.h"

static const struct {
  GSocketFamily family;
  const char *record; /* of DNS */
  const char *title;
} families[] = {
  { G_SOCKET_FAMILY_IPV4, "A", "IPv4" },
  { G_SOCKET_FAMILY_IPV6, "AAAA", "IPv6" },
};

/* Lines of a zone for all addresses of this host that the world can use, or the line of the
 * configuration that has such an address for its name; NULL: it has none. */
static char *
doctor_names_records (const Doctor *doctor, const GPtrArray *own)
{
  const char *name = doctor->target.name;
  GString *text = g_string_new (NULL);
  gboolean is_literal = g_hostname_is_ip_address (name);

  for (guint i = 0; i < own->len; i++)
    {
      g_autofree char *address = g_inet_address_to_string (own->pdata[i]);
      gboolean is_ipv4 = g_inet_address_get_family (own->pdata[i]) == G_SOCKET_FAMILY_IPV4;

      if (detourctl_address_is_private (own->pdata[i]))
        continue;
      if (is_literal)
        {
          g_autofree char *lines = doctor_setting (
              doctor, doctor->config != NULL ? doctor->config->core : NULL, "core", "hostname",
              address);

          g_string_assign (text, lines);
        }
      else
        g_string_append_printf (text, "%s%s. %s %s", text->len > 0 ? "\n" : "", name,
                                families[is_ipv4 ? 0 : 1].record, address);
    }
  return g_string_free (text, text->len == 0);
}

static void
doctor_names_tell_unknown (const Doctor *doctor, DoctorReport *report, const GPtrArray *own)
{
  const char *name = doctor->target.name;

  if (g_error_matches (doctor->resolver_error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND))
    doctor_find (report, "name_unknown", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s has no address"), name),
                 g_strdup (_ ("make DNS records for it, one for each public address of its host:")),
                 own != NULL ? doctor_names_records (doctor, own) : NULL);
  else
    doctor_find (report, "no_resolver", DOCTOR_WARNING,
                 g_strdup_printf (_ ("it is not known where %s leads: %s"), name,
                                  doctor->resolver_error->message),
                 g_strdup (_ ("see that this host has a resolver that works, in /etc/resolv.conf")),
                 NULL);
}

/* ---- one address ----------------------------------------------------------------------------- */

/* Whether some address of this host has the family and is of the world. */
static gboolean
doctor_names_has_public (const GPtrArray *own, GSocketFamily family)
{
  g_autofree char *text = doctor_addresses_public_text (own, family);

  return *text != '\0';
}

static void
doctor_names_tell_elsewhere (const Doctor *doctor, DoctorReport *report, const GPtrArray *own,
                             const char *text, GSocketFamily family)
{
  const char *name = doctor->target.name;

  if (doctor_names_has_public (own, family))
    doctor_find (
        report, "name_elsewhere", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s leads to %s, which no interface of this host has"), name, text),
        g_strdup (_ ("if that is another host, correct the DNS records; these would be "
                     "right:")),
        doctor_names_records (doctor, own));
  else
    doctor_find (
        report, "behind_nat", DOCTOR_WARNING,
        g_strdup_printf (_ ("%s leads to %s, and this host has private addresses alone: "
                            "it is behind address translation, a container's bridge or a "
                            "load balancer"),
                         name, text),
        g_strdup (_ ("give the relay a host with a public address, or run the container in "
                     "the host's network (--network host): otherwise STUN tells clients "
                     "wrong addresses")),
        NULL);
}

/* The configuration has an address of its host for a name, and DNS is not asked. */
static void
doctor_names_look_at_literal (const Doctor *doctor, DoctorReport *report, const GPtrArray *own,
                              GInetAddress *address)
{
  GSocketFamily family = g_inet_address_get_family (address);
  g_autofree char *text = g_inet_address_to_string (address);

  if (detourctl_address_is_local (address))
    doctor_find (report, "name_local", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s is an address that every host takes for itself"), text),
                 g_strdup (_ ("if others shall use the relay, give it a public address:")),
                 doctor_names_records (doctor, own));
  else if (detourctl_address_is_private (address))
    doctor_find (report, "name_private", DOCTOR_WARNING,
                 g_strdup_printf (_ ("%s is a private address: only clients of that network can "
                                     "use the relay"),
                                  text),
                 g_strdup (_ ("that may be what you want; otherwise give it a public address:")),
                 doctor_names_records (doctor, own));
  else if (doctor_addresses_has (own, address))
    doctor_find (report, "name_good", DOCTOR_OK,
                 g_strdup_printf (_ ("%s is an address of this host"), text), NULL, NULL);
  else if (doctor_names_has_public (own, family))
    doctor_find (report, "name_elsewhere", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("%s is an address that no interface of this host has"), text),
                 g_strdup (_ ("if that is another host, give the address of this one:")),
                 doctor_names_records (doctor, own));
  else
    doctor_names_tell_elsewhere (doctor, report, own, text, family);
}

static void
doctor_names_look_at_address (const Doctor *doctor, DoctorReport *report, const GPtrArray *own,
                              GInetAddress *address)
{
  g_autofree char *text = g_inet_address_to_string (address);
  const char *name = doctor->target.name;

  if (own != NULL && g_hostname_is_ip_address (name))
    doctor_names_look_at_literal (doctor, report, own, address);
  else if (detourctl_address_is_local (address))
    doctor_find (
        report, "name_local", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("%s leads to %s, which every host takes for itself"), name, text),
        g_strdup (_ ("take the name out of /etc/hosts if it is there, and make DNS records "
                     "with a public address:")),
        own != NULL ? doctor_names_records (doctor, own) : NULL);
  else if (detourctl_address_is_private (address))
    doctor_find (report, "name_private", DOCTOR_WARNING,
                 g_strdup_printf (_ ("%s leads to %s, a private address: only clients of that "
                                     "network can use the relay"),
                                  name, text),
                 g_strdup (_ ("that may be what you want; otherwise make DNS records with a public "
                              "address:")),
                 own != NULL ? doctor_names_records (doctor, own) : NULL);
  else if (own != NULL && !doctor_addresses_has (own, address))
    doctor_names_tell_elsewhere (doctor, report, own, text, g_inet_address_get_family (address));
  else
    doctor_find (report, "name_good", DOCTOR_OK,
                 own != NULL
                     ? g_strdup_printf (_ ("%s leads to %s, an address of this host"), name, text)
                     : g_strdup_printf (_ ("%s leads to %s"), name, text),
                 NULL, NULL);
}

/* ---- families -------------------------------------------------------------------------------- */

static void
doctor_names_look_at_family (const Doctor *doctor, DoctorReport *report, const GPtrArray *own,
                             guint i)
{
  const GPtrArray *addresses = doctor->target.addresses;
  g_autofree char *ours = own != NULL ? doctor_addresses_public_text (own, families[i].family)
                                      : g_strdup ("");

  for (guint k = 0; k < addresses->len; k++)
    if (g_inet_address_get_family (addresses->pdata[k]) == families[i].family)
      return;
  if (*ours != '\0')
    doctor_find (report, "family_missing", DOCTOR_WARNING,
                 g_strdup_printf (_ ("this host has the %s address %s, but %s does not lead there"),
                                  families[i].title, ours, doctor->target.name),
                 g_strdup (_ ("make a DNS record for it, so that clients of that family find the "
                              "relay:")),
                 g_strdup_printf ("%s. %s %.*s", doctor->target.name, families[i].record,
                                  (int) strcspn (ours, ","), ours));
  else
    doctor_find (
        report, "family_absent", DOCTOR_NOTE,
        g_strdup_printf (_ ("%s has no %s address: clients that have nothing else cannot use "
                            "the relay"),
                         doctor->target.name, families[i].title),
        NULL, NULL);
}

void
doctor_names_check (const Doctor *doctor, DoctorReport *report)
{
  const DoctorTarget *target = &doctor->target;
  g_autoptr (GPtrArray) own = doctor->is_remote ? NULL : doctor_addresses_own ();

  if (target->name == NULL)
    {
      doctor_find (report, "not_checked", DOCTOR_NOTE,
                   g_strdup (_ ("the name of the relay is not known, see \"config\"")), NULL, NULL);
      return;
    }
  if (doctor->resolver_error != NULL)
    {
      doctor_names_tell_unknown (doctor, report, own);
      return;
    }
  if (doctor->is_dev)
    {
      doctor_find (report, "not_checked", DOCTOR_NOTE,
                   g_strdup (_ ("the relay was started with --dev, for this host alone")), NULL,
                   NULL);
      return;
    }
  /* What was given is an address already, so there is no name to look at. */
  if (doctor->is_remote && g_hostname_is_ip_address (target->name))
    return;
  for (guint i = 0; i < target->addresses->len; i++)
    doctor_names_look_at_address (doctor, report, own, target->addresses->pdata[i]);
  if (!g_hostname_is_ip_address (target->name))
    for (guint i = 0; i < G_N_ELEMENTS (families); i++)
      doctor_names_look_at_family (doctor, report, own, i);
}
