/* doctor-map.c: whether the entry of a relay in a DERP map is what clients find.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-cert.h"
#include "detourctl-dial.h"
#include "detourctl-format.h"
#include "detourctl-map.h"
#include "doctor-addresses.h"
#include "doctor.h"

#define DERP_PORT    443
#define CAPTIVE_PORT 80
/* For relays that operators run themselves. */
#define REGION_MIN 900
#define REGION_MAX 999

/* Takes @text and @line, which is a member of the node. */
static void
doctor_map_tell (DoctorReport *report, const DetourctlMapNode *node, const char *code,
                 DoctorStatus status, char *text, char *line)
{
  doctor_find (report, code, status, text,
               line != NULL ? g_strdup_printf (_ ("write it like this in the entry of node %s:"),
                                               node->name != NULL ? node->name : "?")
                            : NULL,
               line);
}

static void
doctor_map_look_at_ports (const Doctor *doctor, DoctorReport *report, const DetourctlMapNode *node)
{
  gint64 derp = node->derp_port != 0 ? node->derp_port : DERP_PORT;
  gint64 stun = node->stun_port == 0 ? DOCTOR_STUN_PORT : MAX (node->stun_port, 0);
  const DoctorTarget *target = &doctor->target;

  if (!node->stun_only && derp != target->port)
    doctor_map_tell (report, node, "map_port", DOCTOR_PROBLEM,
                     g_strdup_printf (_ ("by the map clients go to TCP %d, and the relay is at %u"),
                                      (int) derp, target->port),
                     g_strdup_printf ("\"DERPPort\": %u", target->port));
  /* From outside it is not known which one there is. */
  if (!doctor->is_remote && stun != target->stun_port)
    doctor_map_tell (
        report, node, "map_stun_port", DOCTOR_PROBLEM,
        stun == 0 ? g_strdup_printf (_ ("by the map there is no STUN, and there is one "
                                        "at UDP %u"),
                                     target->stun_port)
        : target->stun_port == 0
            ? g_strdup_printf (_ ("by the map clients ask for STUN at UDP %d, and there is "
                                  "none"),
                               (int) stun)
            : g_strdup_printf (_ ("by the map clients ask for STUN at UDP %d, and it is at "
                                  "%u"),
                               (int) stun, target->stun_port),
        g_strdup_printf ("\"STUNPort\": %d",
                         target->stun_port != 0 ? (int) target->stun_port : -1));
  if (!doctor->is_remote && node->can_port80 && target->captive_port != CAPTIVE_PORT)
    doctor_map_tell (report, node, "map_port80", DOCTOR_PROBLEM,
                     g_strdup (_ ("by the map port 80 answers checks for captive portals, and no "
                                  "listener of the relay is there")),
                     g_strdup ("\"CanPort80\": false"));
}

static void
doctor_map_look_at_address (const Doctor *doctor, DoctorReport *report,
                            const DetourctlMapNode *node, const char *key, const char *text,
                            GSocketFamily family)
{
  g_autoptr (GInetAddress) address = text != NULL ? g_inet_address_new_from_string (text) : NULL;
  g_autofree char *real = NULL;

  /* Without a resolver nothing is known, and with "none" nothing is wanted. */
  if (text == NULL || *text == '\0' || doctor->resolver_error != NULL
      || doctor->target.addresses == NULL || (address == NULL && strcmp (text, "none") == 0))
    return;
  for (guint i = 0; i < doctor->target.addresses->len && real == NULL; i++)
    if (g_inet_address_get_family (doctor->target.addresses->pdata[i]) == family)
      real = g_inet_address_to_string (doctor->target.addresses->pdata[i]);
  if (address != NULL && doctor_addresses_has (doctor->target.addresses, address))
    return;
  doctor_map_tell (
      report, node, "map_address", DOCTOR_PROBLEM,
      address == NULL
          ? g_strdup_printf (_ ("the map has \"%s\" for %s, which is no address"), text, key)
      : real != NULL
          ? g_strdup_printf (_ ("by the map clients go to %s, and the name leads to %s"), text,
                             real)
          : g_strdup_printf (_ ("by the map clients go to %s, and the name has no address "
                                "of that family"),
                             text),
      g_strdup_printf ("\"%s\": \"%s\"", key, real != NULL ? real : "none"));
}

/* The pin, against the certificate that is served. */
static void
doctor_map_look_at_pin (const Doctor *doctor, DoctorReport *report, const DetourctlMapNode *node)
{
  const DoctorTarget *target = &doctor->target;
  gboolean has_pin = node->cert_name != NULL
                  && g_str_has_prefix (node->cert_name, DETOUR_CERT_PIN_PREFIX);

  for (guint i = 0; target->secure && target->addresses != NULL && i < target->addresses->len; i++)
    {
      g_auto (DetourctlStream) stream = DETOURCTL_STREAM_INIT;
      const DetourctlDialCert *leaf;

      if (!detourctl_stream_connect (&stream, target->addresses->pdata[i], target->port,
                                     doctor->limit_us, NULL)
          || !detourctl_stream_start_tls (&stream, target->name, doctor->ca_file, NULL)
          || stream.tls->certs->len == 0)
        continue;
      leaf = stream.tls->certs->pdata[0];
      if (has_pin && strcmp (node->cert_name + strlen (DETOUR_CERT_PIN_PREFIX), leaf->sha256) != 0)
        doctor_map_tell (
            report, node, "map_pin", DOCTOR_PROBLEM,
            g_strdup (_ ("the pin in the map is not that of the certificate")),
            g_strdup_printf ("\"CertName\": \"" DETOUR_CERT_PIN_PREFIX "%s\"", leaf->sha256));
      else if (!has_pin && leaf->is_self_signed && !node->insecure)
        doctor_map_tell (
            report, node, "map_pin_missing", DOCTOR_PROBLEM,
            g_strdup (_ ("the certificate is self-signed, and the map does not have its "
                         "pin")),
            g_strdup_printf ("\"CertName\": \"" DETOUR_CERT_PIN_PREFIX "%s\"", leaf->sha256));
      return;
    }
}

static void
doctor_map_look_at_ids (DoctorReport *report, const DetourctlMapNode *node, gint64 region)
{
  if (region < REGION_MIN || region > REGION_MAX)
    doctor_find (
        report, "map_region", DOCTOR_WARNING,
        g_strdup_printf (_ ("region %d is not one of those for relays of your own"), (int) region),
        g_strdup (_ ("give the region a number from 900 to 999")), NULL);
  if (node->region_id != region)
    doctor_map_tell (
        report, node, "map_region_id", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("the node says that it is of region %d, and it is in region %d"),
                         (int) node->region_id, (int) region),
        g_strdup_printf ("\"RegionID\": %" G_GINT64_FORMAT, region));
  if (node->insecure)
    doctor_map_tell (report, node, "map_insecure", DOCTOR_WARNING,
                     g_strdup (_ ("clients do not look at the certificate")),
                     g_strdup ("\"InsecureForTests\": false"));
}

static void
doctor_map_look_at_node (const Doctor *doctor, DoctorReport *report, const DetourctlMapNode *node,
                         gint64 region)
{
  guint before = report->findings->len;

  doctor_map_look_at_ids (report, node, region);
  doctor_map_look_at_ports (doctor, report, node);
  doctor_map_look_at_address (doctor, report, node, "IPv4", node->ipv4, G_SOCKET_FAMILY_IPV4);
  doctor_map_look_at_address (doctor, report, node, "IPv6", node->ipv6, G_SOCKET_FAMILY_IPV6);
  if (!node->stun_only)
    doctor_map_look_at_pin (doctor, report, node);
  if (report->findings->len == before)
    doctor_find (report, "map_good", DOCTOR_OK,
                 g_strdup_printf (_ ("node %s of the map is as the relay is"),
                                  node->name != NULL ? node->name : "?"),
                 NULL, NULL);
}

/* Whether some node of the map is the relay. */
static gboolean
doctor_map_look_at_nodes (const Doctor *doctor, DoctorReport *report, const DetourctlMap *map)
{
  gboolean has_one = FALSE;

  for (guint i = 0; i < map->regions->len; i++)
    {
      const DetourctlMapRegion *region = map->regions->pdata[i];

      for (guint k = 0; k < region->nodes->len; k++)
        {
          const DetourctlMapNode *node = region->nodes->pdata[k];

          if (node->host_name == NULL
              || g_ascii_strcasecmp (node->host_name, doctor->target.name) != 0)
            continue;
          has_one = TRUE;
          doctor_map_look_at_node (doctor, report, node, region->id);
        }
    }
  return has_one;
}

void
doctor_map_check (const Doctor *doctor, DoctorReport *report)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlMap) map = detourctl_map_load (doctor->map, doctor->limit_us / 1000, &error);
  g_autofree char *word = detourctl_format_word (doctor->map);
  guint n_errors = map != NULL ? detourctl_map_count (map, TRUE) : 0;

  if (map == NULL)
    {
      doctor_find (report, "map_unreadable", DOCTOR_PROBLEM, g_strdup (error->message),
                   g_strdup (_ ("name a file, or a URL, with a DERP map")), NULL);
      return;
    }
  if (n_errors > 0)
    doctor_find (
        report, "map_faulty", DOCTOR_PROBLEM,
        g_strdup_printf (ngettext ("the map has %u error", "the map has %u errors", n_errors),
                         n_errors),
        g_strdup (_ ("this shows them, with their places:")),
        g_strdup_printf ("detourctl derpmap check %s", word));
  if (doctor->target.name == NULL)
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup (_ ("the name of the relay is not known, see \"config\"")), NULL, NULL);
  else if (!doctor_map_look_at_nodes (doctor, report, map))
    doctor_find (
        report, "map_no_entry", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("no node of the map has the HostName %s"), doctor->target.name),
        doctor->is_remote ? g_strdup (_ ("name it as the map does"))
                          : g_strdup (_ ("this prints an entry to paste:")),
        doctor->is_remote ? NULL : g_strdup ("detourctl derpmap"));
}
