/* detourctl-map-check.c: what is wrong with a DERP map, for clients and for what reads it for them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "detour-cert.h"
#include "detour-text.h"
#include "detourctl-address.h"
#include "detourctl-host.h"
#include "detourctl-map.h"

/* Kept for relays of one's own; others are Tailscale's, now or later. */
#define OWN_MIN 900
#define OWN_MAX 999
/* Clients use the number as a port of their own, cut to 16 bits. */
#define REGION_MAX 65535
#define PIN_DIGITS 64u

/* Where in a map a check is. */
typedef struct {
  DetourctlMap *map;
  const DetourctlMapRegion *region;
  const DetourctlMapNode *node;
  GHashTable *node_names; /* borrowed name: path of its node */
} Place;

static void ctl_map_check_note (DetourctlMap *map, gboolean is_error, guint line, const char *path,
                                const char *member, const char *format, va_list args)
    G_GNUC_PRINTF (6, 0);

/* @member: in any spelling, "" for none; in the path it has that of the document. */
static void
ctl_map_check_note (DetourctlMap *map, gboolean is_error, guint line, const char *path,
                    const char *member, const char *format, va_list args)
{
  g_autofree char *spelt = map->kind == DETOURCTL_DOCUMENT_YAML ? g_ascii_strdown (member, -1)
                                                                : g_strdup (member);
  g_autofree char *whole = g_strconcat (path, *member != '\0' ? "." : "", spelt, NULL);
  g_autofree char *text = g_strdup_vprintf (format, args);

  detourctl_map_note (map, is_error, line, whole, "%s", text);
}

static void ctl_map_check_node_note (const Place *place, gboolean is_error, const char *member,
                                     const char *format, ...) G_GNUC_PRINTF (4, 5);
static void ctl_map_check_region_note (const Place *place, gboolean is_error, const char *member,
                                       const char *format, ...) G_GNUC_PRINTF (4, 5);

static void
ctl_map_check_node_note (const Place *place, gboolean is_error, const char *member,
                         const char *format, ...)
{
  va_list args;

  va_start (args, format);
  ctl_map_check_note (place->map, is_error, place->node->line, place->node->path, member, format,
                      args);
  va_end (args);
}

static void
ctl_map_check_region_note (const Place *place, gboolean is_error, const char *member,
                           const char *format, ...)
{
  va_list args;

  va_start (args, format);
  ctl_map_check_note (place->map, is_error, place->region->line, place->region->path, member,
                      format, args);
  va_end (args);
}

static gboolean
ctl_map_check_is_empty (const char *text)
{
  return text == NULL || *text == '\0';
}

/* Whether something that nobody sees is in it, which was said when it was read. */
static gboolean
ctl_map_check_is_hiding (const char *text)
{
  return detour_text_find_hidden (text) != 0;
}

/* Nodes ------------------------------------------------------------------------------------------
 */

static void
ctl_map_check_host (const Place *place)
{
  const char *host = place->node->host_name;
  const char *colon;
  g_autofree char *shown = NULL;

  if (ctl_map_check_is_empty (host))
    {
      ctl_map_check_node_note (place, TRUE, "HostName",
                               _ ("is missing; clients would not know where to connect"));
      return;
    }
  if (detourctl_host_is_good (host) || ctl_map_check_is_hiding (host))
    return;
  shown = g_strescape (host, NULL);
  colon = strrchr (host, ':');
  if (strstr (host, "://") != NULL)
    ctl_map_check_node_note (place, TRUE, "HostName",
                             _ ("\"%s\" is a URL; write the name alone, as in relay.example.com"),
                             shown);
  else if (colon != NULL && colon[1] != '\0'
           && strspn (colon + 1, "0123456789") == strlen (colon + 1))
    ctl_map_check_node_note (place, TRUE, "HostName",
                             _ ("\"%s\" has a port; that one belongs into DERPPort"), shown);
  else
    ctl_map_check_node_note (place, TRUE, "HostName",
                             _ ("\"%s\" is neither a host name nor an address"), shown);
}

static void
ctl_map_check_certificate (const Place *place)
{
  const char *name = place->node->cert_name;
  g_autofree char *shown = NULL;

  if (ctl_map_check_is_empty (name) || ctl_map_check_is_hiding (name))
    return;
  shown = g_strescape (name, NULL);
  if (g_str_has_prefix (name, DETOUR_CERT_PIN_PREFIX))
    {
      const char *digits = name + strlen (DETOUR_CERT_PIN_PREFIX);

      if (strspn (digits, "0123456789abcdef") == PIN_DIGITS && digits[PIN_DIGITS] == '\0')
        return;
      if (strspn (digits, "0123456789abcdefABCDEF") == PIN_DIGITS && digits[PIN_DIGITS] == '\0')
        ctl_map_check_node_note (place, TRUE, "CertName",
                                 _ ("the digits of a pin are to be in lower case; clients compare "
                                    "texts"));
      else
        ctl_map_check_node_note (place, TRUE, "CertName",
                                 _ ("\"%s\": a pin has %u hex digits behind %s"), shown, PIN_DIGITS,
                                 DETOUR_CERT_PIN_PREFIX);
      return;
    }
  if (g_ascii_strncasecmp (name, "sha256", strlen ("sha256")) == 0)
    ctl_map_check_node_note (place, TRUE, "CertName",
                             _ ("\"%s\": a pin is written %s and %u hex digits in lower case; "
                                "clients take this for a host name"),
                             shown, DETOUR_CERT_PIN_PREFIX, PIN_DIGITS);
  else if (!detourctl_host_is_good (name))
    ctl_map_check_node_note (place, TRUE, "CertName",
                             _ ("\"%s\" is neither a host name nor a pin (%s and %u hex digits)"),
                             shown, DETOUR_CERT_PIN_PREFIX, PIN_DIGITS);
}

/* Returns whether the family is switched off. */
static gboolean
ctl_map_check_address (const Place *place, const char *member, const char *text,
                       GSocketFamily family)
{
  g_autoptr (GInetAddress) address = NULL;
  g_autofree char *shown = NULL;

  if (ctl_map_check_is_empty (text) || ctl_map_check_is_hiding (text))
    return FALSE;
  address = g_inet_address_new_from_string (text);
  shown = g_strescape (text, NULL);
  if (address == NULL)
    {
      if (strcmp (text, "none") != 0)
        ctl_map_check_node_note (place, TRUE, member,
                                 _ ("\"%s\" is no address, which switches this family off; write "
                                    "an address, none, or leave it out for DNS"),
                                 shown);
      return TRUE;
    }
  if (g_inet_address_get_family (address) != family)
    {
      ctl_map_check_node_note (place, TRUE, member, _ ("%s is an address of the other family"),
                               shown);
      return TRUE;
    }
  if (detourctl_address_is_private (address))
    ctl_map_check_node_note (place, FALSE, member,
                             _ ("%s is a private address; clients elsewhere cannot reach it"),
                             shown);
  return FALSE;
}

static void
ctl_map_check_addresses (const Place *place)
{
  const DetourctlMapNode *node = place->node;
  gboolean no_ipv4 = ctl_map_check_address (place, "IPv4", node->ipv4, G_SOCKET_FAMILY_IPV4);
  gboolean no_ipv6 = ctl_map_check_address (place, "IPv6", node->ipv6, G_SOCKET_FAMILY_IPV6);

  if (no_ipv4 && no_ipv6)
    ctl_map_check_node_note (place, TRUE, "IPv4",
                             _ ("IPv4 and IPv6 are both switched off; no client can connect"));
  if (node->can_port80 && no_ipv4)
    ctl_map_check_node_note (place, TRUE, "CanPort80",
                             _ ("the check of captive portals goes to IPv4, which is switched "
                                "off; leave CanPort80 out"));
  else if (node->can_port80 && ctl_map_check_is_empty (node->ipv4))
    ctl_map_check_node_note (place, FALSE, "CanPort80",
                             _ ("has no effect without an address in IPv4"));
  if (!ctl_map_check_is_empty (node->stun_test_ip)
      && !g_hostname_is_ip_address (node->stun_test_ip))
    ctl_map_check_node_note (place, TRUE, "STUNTestIP", _ ("is no address"));
  else if (!ctl_map_check_is_empty (node->stun_test_ip))
    ctl_map_check_node_note (place, FALSE, "STUNTestIP", _ ("is for tests"));
}

static void
ctl_map_check_ports (const Place *place)
{
  const DetourctlMapNode *node = place->node;

  if (node->derp_port < 0 || node->derp_port > 65535)
    ctl_map_check_node_note (place, TRUE, "DERPPort",
                             _ ("%lld is no port; write 1 to 65535, or leave it "
                                "out for 443"),
                             (long long) node->derp_port);
  if (node->stun_port > 65535)
    ctl_map_check_node_note (place, TRUE, "STUNPort",
                             _ ("%lld is no port; write 1 to 65535, -1 for no "
                                "STUN, or leave it out for 3478"),
                             (long long) node->stun_port);
  else if (node->stun_port < -1)
    ctl_map_check_node_note (place, FALSE, "STUNPort", _ ("%lld means no STUN, as -1 does"),
                             (long long) node->stun_port);
  if (node->stun_only && node->stun_port < 0)
    ctl_map_check_node_note (place, TRUE, "STUNOnly",
                             _ ("with STUN switched off by STUNPort the node does nothing"));
  if (node->stun_only && node->derp_port != 0)
    ctl_map_check_node_note (place, FALSE, "DERPPort", _ ("has no effect beside STUNOnly"));
}

static void
ctl_map_check_node (const Place *place)
{
  const DetourctlMapNode *node = place->node;

  if (ctl_map_check_is_empty (node->name))
    ctl_map_check_node_note (place, TRUE, "Name",
                             _ ("is missing; write one that no other node of the map has, as in "
                                "%llda"),
                             (long long) place->region->key);
  else if (g_hash_table_contains (place->node_names, node->name))
    ctl_map_check_node_note (place, TRUE, "Name", _ ("\"%s\" is the name of %s, too"), node->name,
                             (const char *) g_hash_table_lookup (place->node_names, node->name));
  else
    g_hash_table_insert (place->node_names, node->name, node->path);

  if (!node->has_region_id)
    ctl_map_check_node_note (place, TRUE, "RegionID",
                             _ ("is missing; write %lld, the number of its region"),
                             (long long) place->region->key);
  else if (node->region_id != place->region->key)
    ctl_map_check_node_note (place, TRUE, "RegionID",
                             _ ("is %lld, but the node is in region "
                                "%lld"),
                             (long long) node->region_id, (long long) place->region->key);
  ctl_map_check_host (place);
  ctl_map_check_certificate (place);
  ctl_map_check_addresses (place);
  ctl_map_check_ports (place);
  if (node->insecure)
    ctl_map_check_node_note (place, FALSE, "InsecureForTests",
                             _ ("clients take any certificate; whoever is in between can read who "
                                "talks to whom"));
}

/* Regions ----------------------------------------------------------------------------------------
 */

static void
ctl_map_check_id (const Place *place)
{
  const DetourctlMapRegion *region = place->region;

  if (region->key < 1 || region->key > REGION_MAX)
    ctl_map_check_region_note (place, TRUE, "",
                               _ ("clients have no use for a region of this number; write 900 to "
                                  "999"));
  else if ((region->key < OWN_MIN || region->key > OWN_MAX) && !region->is_null)
    ctl_map_check_region_note (place, FALSE, "",
                               _ ("900 to 999 are for relays of one's own; this number may be that "
                                  "of a region of Tailscale's, now or later"));
  if (region->is_null)
    return;
  if (!region->has_id)
    ctl_map_check_region_note (place, TRUE, "RegionID", _ ("is missing; write %lld"),
                               (long long) region->key);
  else if (region->id != region->key)
    ctl_map_check_region_note (place, TRUE, "RegionID",
                               _ ("is %lld, but the name of the region is "
                                  "%lld"),
                               (long long) region->id, (long long) region->key);
}

static void
ctl_map_check_text (const Place *place, const char *member, const char *text)
{
  if (ctl_map_check_is_empty (text))
    ctl_map_check_region_note (place, FALSE, member, _ ("is missing; clients show a blank"));
}

static void
ctl_map_check_position (const Place *place, const char *member, const char *text, double max)
{
  double degrees = text != NULL ? g_ascii_strtod (text, NULL) : 0;

  if (!(fabs (degrees) <= max))
    ctl_map_check_region_note (place, FALSE, member, _ ("%s is no such position in degrees"), text);
}

static void
ctl_map_check_nodes (Place *place)
{
  const DetourctlMapRegion *region = place->region;
  guint n_relays = 0;

  for (guint i = 0; i < region->nodes->len; i++)
    {
      place->node = region->nodes->pdata[i];
      ctl_map_check_node (place);
      n_relays += !place->node->stun_only;
    }
  if (region->nodes->len == 0)
    ctl_map_check_region_note (place, TRUE, "Nodes", _ ("there are none; no client can connect"));
  else if (n_relays == 0 && !region->no_measure_no_home)
    ctl_map_check_region_note (place, FALSE, "Nodes",
                               _ ("no node relays: all of them are STUNOnly"));
}

/* What is said of a region of the default map that this one takes away. */
static void
ctl_map_check_null (const Place *place)
{
  if (!place->map->is_policy)
    ctl_map_check_region_note (place, FALSE, "",
                               _ ("null takes a region away in a policy of Tailscale's; Headscale "
                                  "and derpprobe do not all understand it"));
}

static void
ctl_map_check_region (Place *place, GHashTable *codes)
{
  const DetourctlMapRegion *region = place->region;

  ctl_map_check_id (place);
  if (region->is_null)
    {
      ctl_map_check_null (place);
      return;
    }
  ctl_map_check_text (place, "RegionCode", region->code);
  ctl_map_check_text (place, "RegionName", region->name);
  if (!ctl_map_check_is_empty (region->code))
    {
      if (g_hash_table_contains (codes, region->code))
        ctl_map_check_region_note (place, TRUE, "RegionCode", _ ("\"%s\" is the code of %s, too"),
                                   region->code,
                                   (const char *) g_hash_table_lookup (codes, region->code));
      else
        g_hash_table_insert (codes, region->code, region->path);
    }
  ctl_map_check_position (place, "Latitude", region->latitude, 90);
  ctl_map_check_position (place, "Longitude", region->longitude, 180);
  if (region->avoid)
    ctl_map_check_region_note (place, FALSE, "Avoid",
                               _ ("means something else to each release of clients; use "
                                  "NoMeasureNoHome"));
  ctl_map_check_nodes (place);
}

/* The map ----------------------------------------------------------------------------------------
 */

static void
ctl_map_check_whole (DetourctlMap *self)
{
  if (self->regions->len == 0 && self->findings->len == 0)
    detourctl_map_note (self, TRUE, 0, "", _ ("there is no region in it"));
  if (self->kind == DETOURCTL_DOCUMENT_HUJSON && !self->is_policy)
    detourctl_map_note (self, FALSE, 0, "",
                        _ ("comments and commas before a closing bracket are for policies of "
                           "Tailscale's; as a map by itself it is refused by most readers"));
  if (self->kind == DETOURCTL_DOCUMENT_YAML && self->scores->len > 0)
    detourctl_map_note (self, FALSE, 0, "homeparams", _ ("Headscale takes no notice of it"));
  if (self->kind == DETOURCTL_DOCUMENT_YAML && self->omit_default_regions)
    detourctl_map_note (self, FALSE, 0, "omitdefaultregions",
                        _ ("Headscale takes no notice of it; leave Tailscale's map out of its "
                           "urls"));
}

static int
ctl_map_check_compare_lines (gconstpointer a, gconstpointer b)
{
  const DetourctlMapFinding *one = *(DetourctlMapFinding *const *) a;
  const DetourctlMapFinding *two = *(DetourctlMapFinding *const *) b;

  return one->line < two->line ? -1 : one->line > two->line;
}

void
detourctl_map_check (DetourctlMap *self)
{
  g_autoptr (GHashTable) codes = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  Place place = { .map = self, .node_names = names };

  ctl_map_check_whole (self);
  for (guint i = 0; i < self->regions->len; i++)
    {
      place.region = self->regions->pdata[i];
      ctl_map_check_region (&place, codes);
    }
  /* In the order of the document; the sort is stable, so within a line the order stays. */
  g_ptr_array_sort (self->findings, ctl_map_check_compare_lines);
}

/* The numbers of all regions, borrowed. */
static GHashTable *
ctl_map_check_keys (const DetourctlMap *map)
{
  GHashTable *keys = g_hash_table_new (g_int64_hash, g_int64_equal);

  for (guint i = 0; i < map->regions->len; i++)
    g_hash_table_add (keys, &((DetourctlMapRegion *) map->regions->pdata[i])->key);
  return keys;
}

/* Codes and names of the regions of @before that stay, each with its path. */
static void
ctl_map_check_collect (const DetourctlMap *before, const DetourctlMap *after, GHashTable *codes,
                       GHashTable *names)
{
  g_autoptr (GHashTable) replaced = ctl_map_check_keys (after);

  for (guint i = 0; i < before->regions->len; i++)
    {
      const DetourctlMapRegion *region = before->regions->pdata[i];

      if (g_hash_table_contains (replaced, &region->key))
        continue;
      if (!ctl_map_check_is_empty (region->code))
        g_hash_table_insert (codes, region->code, region->path);
      for (guint k = 0; k < region->nodes->len; k++)
        {
          const DetourctlMapNode *node = region->nodes->pdata[k];

          if (!ctl_map_check_is_empty (node->name))
            g_hash_table_insert (names, node->name, node->path);
        }
    }
}

void
detourctl_map_check_together (DetourctlMap *self, const DetourctlMap *before,
                              const char *before_name)
{
  g_autoptr (GHashTable) codes = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) keys_before = ctl_map_check_keys (before);
  Place place = { .map = self };

  ctl_map_check_collect (before, self, codes, names);
  for (guint i = 0; i < self->regions->len; i++)
    {
      const DetourctlMapRegion *region = self->regions->pdata[i];

      place.region = region;
      if (g_hash_table_contains (keys_before, &region->key))
        ctl_map_check_region_note (&place, FALSE, "",
                                   _ ("takes the place of the region of that number in %s"),
                                   before_name);
      if (!ctl_map_check_is_empty (region->code) && g_hash_table_contains (codes, region->code))
        ctl_map_check_region_note (
            &place, TRUE, "RegionCode", _ ("\"%s\" is the code of %s in %s, too"), region->code,
            (const char *) g_hash_table_lookup (codes, region->code), before_name);
      for (guint k = 0; k < region->nodes->len; k++)
        {
          const DetourctlMapNode *node = region->nodes->pdata[k];

          place.node = node;
          if (!ctl_map_check_is_empty (node->name) && g_hash_table_contains (names, node->name))
            ctl_map_check_node_note (
                &place, TRUE, "Name", _ ("\"%s\" is the name of %s in %s, too"), node->name,
                (const char *) g_hash_table_lookup (names, node->name), before_name);
        }
    }
}
