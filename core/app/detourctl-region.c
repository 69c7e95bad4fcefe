/* detourctl-region.c: the entry of this relay in a DERP map.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-region.h"

#include <gio/gio.h>
#include <string.h>

#include "detour-address.h"
#include "detourctl-json.h"

#define DERP_PORT    443u
#define STUN_PORT    3478u
#define CAPTIVE_PORT 80u

gboolean
detourctl_region_format_from_name (const char *name, DetourctlRegionFormat *out)
{
  static const char *const names[] = {
    [DETOURCTL_REGION_TAILSCALE] = "tailscale",
    [DETOURCTL_REGION_HEADSCALE] = "headscale",
    [DETOURCTL_REGION_JSON] = "json",
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], name) == 0)
      {
        *out = (DetourctlRegionFormat) i;
        return TRUE;
      }
  return FALSE;
}

/* What the daemon knows of itself -------------------------------------------------------------- */

enum {
  IPV4,
  IPV6,
  N_FAMILIES,
};

typedef struct {
  const char *hostname;
  guint tls_port;        /* 0: none */
  guint stun_port;       /* 0: none */
  gboolean has_derp;     /* some listener relays */
  gboolean has_listener; /* of a transport */
  gboolean has_plain_port80;
  gboolean has_captive;
  gboolean has_cert;  /* any */
  gboolean cert_fits; /* the one below is for the host name */
  gboolean self_signed;
  char *pin;
  char *listen[N_FAMILIES]; /* addresses that TLS is listened on; NULL: any, or none that the world
                               could use */
} Facts;

static void
ctl_region_note_port (guint *port, guint found, guint preferred)
{
  if (found != 0 && (*port == 0 || found == preferred))
    *port = found;
}

/* Of the networks that lie behind address translation, or are not one. */
static gboolean
ctl_region_is_private (GInetAddress *address)
{
  const guint8 *bytes = g_inet_address_to_bytes (address);
  gboolean is_shared = g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4
                         ? bytes[0] == 100 && (bytes[1] & 0xc0) == 64
                         : (bytes[0] & 0xfe) == 0xfc;

  return is_shared || g_inet_address_get_is_any (address)
      || g_inet_address_get_is_link_local (address) || g_inet_address_get_is_site_local (address);
}

/* Keeps the first one of each family. */
static void
ctl_region_note_address (char **addresses, const char *text)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (text);
  char **place;

  if (address == NULL || ctl_region_is_private (address))
    return;
  place = &addresses[g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4 ? IPV4 : IPV6];
  if (*place == NULL)
    *place = g_inet_address_to_string (address);
}

static void
ctl_region_look_at_listener (const char *path, GVariant *properties, gpointer user)
{
  Facts *facts = user;
  g_autofree const char **addresses = NULL;
  gboolean secure = detourctl_flag (properties, "Secure");
  gboolean derp = detourctl_flag (properties, "Derp");
  gboolean stun = strcmp (detourctl_text (properties, "Protocol"), "stun") == 0;

  facts->has_derp = facts->has_derp || derp;
  facts->has_listener = facts->has_listener || !stun;
  if (!g_variant_lookup (properties, "Addresses", "^a&s", &addresses))
    return;
  for (guint i = 0; addresses[i] != NULL; i++)
    {
      DetourAddress address;

      if (!detour_address_parse (addresses[i], &address, NULL))
        continue;
      if (secure && derp)
        {
          ctl_region_note_port (&facts->tls_port, address.port, DERP_PORT);
          ctl_region_note_address (facts->listen, address.host);
        }
      else if (stun)
        ctl_region_note_port (&facts->stun_port, address.port, STUN_PORT);
      else if (!secure && address.port == CAPTIVE_PORT
               && strcmp (detourctl_text (properties, "Protocol"), "http") == 0)
        facts->has_plain_port80 = TRUE;
    }
}

static void
ctl_region_look_at_plugin (const char *path, GVariant *properties, gpointer user)
{
  if (strcmp (detourctl_text (properties, "Plugin"), "http-captive") == 0
      && strcmp (detourctl_text (properties, "State"), "running") == 0)
    ((Facts *) user)->has_captive = TRUE;
}

/* As TLS compares names: `*.` stands for one label. */
static gboolean
ctl_region_name_fits (const char *name, const char *hostname)
{
  if (g_ascii_strcasecmp (name, hostname) == 0)
    return TRUE;
  return g_str_has_prefix (name, "*.") && strchr (hostname, '.') != NULL
      && g_ascii_strcasecmp (name + 1, strchr (hostname, '.')) == 0;
}

static void
ctl_region_look_at_certificate (const char *path, GVariant *properties, gpointer user)
{
  Facts *facts = user;
  g_autofree const char **names = NULL;
  gboolean fits = FALSE;

  if (g_variant_lookup (properties, "Names", "^a&s", &names))
    for (guint i = 0; names[i] != NULL; i++)
      fits = fits || ctl_region_name_fits (names[i], facts->hostname);
  /* The first one that fits, or else the first one. */
  if (facts->has_cert && (facts->cert_fits || !fits))
    return;
  facts->has_cert = TRUE;
  facts->cert_fits = fits;
  facts->self_signed = detourctl_flag (properties, "SelfSigned");
  g_free (facts->pin);
  facts->pin = g_strdup (detourctl_text (properties, "Pin"));
}

/* Moves what was found to @texts. */
static const char *
ctl_region_keep (GPtrArray *texts, char **text)
{
  const char *kept = *text;

  if (kept != NULL)
    g_ptr_array_add (texts, g_steal_pointer (text));
  return kept;
}

static void
ctl_region_learn_addresses (DetourctlRegion *self, Facts *facts, GPtrArray *texts)
{
  const char **places[N_FAMILIES] = { [IPV4] = &self->ipv4, [IPV6] = &self->ipv6 };
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (self->hostname);

  for (guint i = 0; i < N_FAMILIES; i++)
    {
      GSocketFamily family = i == IPV4 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6;
      const char *listen = ctl_region_keep (texts, &facts->listen[i]);

      if (*places[i] != NULL)
        continue;
      if (address != NULL && g_inet_address_get_family (address) == family)
        *places[i] = self->hostname;
      else if (listen != NULL)
        *places[i] = listen;
    }
}

gboolean
detourctl_region_learn (DetourctlRegion *self, GVariant *objects, GPtrArray *texts)
{
  Facts facts = { .hostname = self->hostname };

  detourctl_each_object (objects, "Listener", ctl_region_look_at_listener, &facts);
  detourctl_each_object (objects, "Plugin", ctl_region_look_at_plugin, &facts);
  detourctl_each_object (objects, "Certificate", ctl_region_look_at_certificate, &facts);

  ctl_region_learn_addresses (self, &facts, texts);
  self->derp_port = facts.tls_port == DERP_PORT ? 0 : facts.tls_port;
  self->stun_port = facts.stun_port == 0         ? -1
                  : facts.stun_port == STUN_PORT ? 0
                                                 : (int) facts.stun_port;
  /* The check goes to the IPv4 address, whatever that key says. */
  self->can_port80 = facts.has_plain_port80 && facts.has_captive
                  && g_strcmp0 (self->ipv4, "none") != 0;
  self->stun_only = facts.has_listener && !facts.has_derp && facts.stun_port != 0;
  if (facts.tls_port != 0 && facts.self_signed)
    self->cert_name = ctl_region_keep (texts, &facts.pin);
  g_free (facts.pin);
  return facts.tls_port != 0;
}

/* Writing it down ------------------------------------------------------------------------------ */

static void
ctl_region_write_node (DetourctlJson *json, const DetourctlRegion *self)
{
  g_autofree char *name = g_strdup_printf ("%" G_GUINT64_FORMAT "a", self->id);

  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "Name", name);
  detourctl_json_number (json, "RegionID", self->id);
  detourctl_json_text (json, "HostName", self->hostname);
  if (self->cert_name != NULL)
    detourctl_json_text (json, "CertName", self->cert_name);
  if (self->ipv4 != NULL)
    detourctl_json_text (json, "IPv4", self->ipv4);
  if (self->ipv6 != NULL)
    detourctl_json_text (json, "IPv6", self->ipv6);
  if (self->stun_port != 0)
    detourctl_json_signed (json, "STUNPort", self->stun_port);
  if (self->stun_only)
    detourctl_json_flag (json, "STUNOnly", TRUE);
  if (self->derp_port != 0)
    detourctl_json_number (json, "DERPPort", self->derp_port);
  if (self->can_port80)
    detourctl_json_flag (json, "CanPort80", TRUE);
  detourctl_json_end_object (json);
}

static void
ctl_region_write_map (DetourctlJson *json, const char *member, const DetourctlRegion *self)
{
  g_autofree char *id = g_strdup_printf ("%" G_GUINT64_FORMAT, self->id);

  detourctl_json_begin_object (json, member);
  detourctl_json_begin_object (json, "Regions");
  detourctl_json_begin_object (json, id);
  detourctl_json_number (json, "RegionID", self->id);
  detourctl_json_text (json, "RegionCode", self->code);
  detourctl_json_text (json, "RegionName", self->name);
  detourctl_json_begin_array (json, "Nodes");
  ctl_region_write_node (json, self);
  detourctl_json_end_array (json);
  detourctl_json_end_object (json);
  detourctl_json_end_object (json);
  detourctl_json_end_object (json);
}

static char *
ctl_region_format_json (const DetourctlRegion *self)
{
  GString *text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);

  ctl_region_write_map (json, NULL, self);
  detourctl_json_finish (json);
  return g_string_free (text, FALSE);
}

/* The member alone, to be pasted between the others of the policy: without the braces around it. */
static char *
ctl_region_format_tailscale (const DetourctlRegion *self)
{
  g_autoptr (GString) text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);
  gsize end;

  detourctl_json_begin_object (json, NULL);
  ctl_region_write_map (json, "derpMap", self);
  detourctl_json_end_object (json);
  detourctl_json_finish (json);
  end = text->len - strlen ("\n}\n");
  return g_strdup_printf ("%.*s,\n", (int) (end - strlen ("{\n")), text->str + strlen ("{\n"));
}

/* A text in double quotes is the same in YAML as in JSON. */
static void
ctl_region_append_yaml (GString *text, const char *indent, const char *key, const char *value)
{
  g_autoptr (GString) quoted = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (quoted);

  detourctl_json_text (json, NULL, value);
  detourctl_json_finish (json);
  g_string_append_printf (text, "%s%s: %s", indent, key, quoted->str);
}

static char *
ctl_region_format_headscale (const DetourctlRegion *self)
{
  GString *text = g_string_new ("regions:\n");
  g_autofree char *node = g_strdup_printf ("%" G_GUINT64_FORMAT "a", self->id);

  g_string_append_printf (text, "  %" G_GUINT64_FORMAT ":\n    regionid: %" G_GUINT64_FORMAT "\n",
                          self->id, self->id);
  ctl_region_append_yaml (text, "    ", "regioncode", self->code);
  ctl_region_append_yaml (text, "    ", "regionname", self->name);
  g_string_append (text, "    nodes:\n");
  ctl_region_append_yaml (text, "      - ", "name", node);
  g_string_append_printf (text, "        regionid: %" G_GUINT64_FORMAT "\n", self->id);
  ctl_region_append_yaml (text, "        ", "hostname", self->hostname);
  if (self->cert_name != NULL)
    ctl_region_append_yaml (text, "        ", "certname", self->cert_name);
  if (self->ipv4 != NULL)
    ctl_region_append_yaml (text, "        ", "ipv4", self->ipv4);
  if (self->ipv6 != NULL)
    ctl_region_append_yaml (text, "        ", "ipv6", self->ipv6);
  if (self->stun_port != 0)
    g_string_append_printf (text, "        stunport: %d\n", self->stun_port);
  if (self->stun_only)
    g_string_append (text, "        stunonly: true\n");
  if (self->derp_port != 0)
    g_string_append_printf (text, "        derpport: %u\n", self->derp_port);
  if (self->can_port80)
    g_string_append (text, "        canport80: true\n");
  return g_string_free (text, FALSE);
}

char *
detourctl_region_format (const DetourctlRegion *self, DetourctlRegionFormat format)
{
  switch (format)
    {
    case DETOURCTL_REGION_TAILSCALE:
      return ctl_region_format_tailscale (self);
    case DETOURCTL_REGION_HEADSCALE:
      return ctl_region_format_headscale (self);
    default:
      return ctl_region_format_json (self);
    }
}
