/* detourctl-region.c: the entry of this relay in a DERP map.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-region.h"

#include <gio/gio.h>
#include <string.h>

#include "detour-address.h"
#include "detourctl-address.h"
#include "detourctl-map.h"
#include "detourctl.h"

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

char *
detourctl_region_default_code (const char *hostname)
{
  if (g_hostname_is_ip_address (hostname) || strchr (hostname, '.') == NULL)
    return g_strdup ("own");
  return g_strndup (hostname, (gsize) (strchr (hostname, '.') - hostname));
}

/* What the daemon knows of itself -------------------------------------------------------------- */

enum {
  IPV4,
  IPV6,
  N_FAMILIES,
};

/* A certificate. */
typedef struct {
  char *instance; /* "cert/main" */
  char *pin;      /* NULL: an authority signed it */
  gboolean fits;  /* it is for the host name */
} Cert;

/* Listeners that speak TLS and show clients the same certificate, or any that an authority signed.
 */
typedef struct {
  char *certificate;        /* instance of what they show; "": any */
  const Cert *cert;         /* NULL: there is none */
  guint port;               /* 0: none */
  char *listen[N_FAMILIES]; /* addresses that they listen on; NULL: any, or none that the world
                               could use */
} Group;

typedef struct {
  const char *hostname;
  GPtrArray *groups;     /* of Group: one for each listener */
  GPtrArray *certs;      /* of Cert */
  guint stun_port;       /* 0: none */
  gboolean has_derp;     /* some listener relays */
  gboolean has_listener; /* of a transport */
  gboolean has_plain_port80;
  gboolean has_captive;
} Facts;

static void
ctl_region_cert_free (gpointer data)
{
  Cert *cert = data;

  g_free (cert->instance);
  g_free (cert->pin);
  g_free (cert);
}

static void
ctl_region_group_free (gpointer data)
{
  Group *group = data;

  g_free (group->certificate);
  for (guint i = 0; i < N_FAMILIES; i++)
    g_free (group->listen[i]);
  g_free (group);
}

static void
ctl_region_note_port (guint *port, guint found, guint preferred)
{
  if (found != 0 && (*port == 0 || found == preferred))
    *port = found;
}

/* Keeps the first one of each family. */
static void
ctl_region_note_address (char **addresses, const char *text)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (text);
  char **place;

  /* Loopback is for relays that are tried out. */
  if (address == NULL
      || (detourctl_address_is_private (address) && !g_inet_address_get_is_loopback (address)))
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
  Group *group = NULL;

  facts->has_derp = facts->has_derp || derp;
  facts->has_listener = facts->has_listener || !stun;
  if (!g_variant_lookup (properties, "Addresses", "^a&s", &addresses))
    return;
  if (secure && derp)
    {
      group = g_new0 (Group, 1);
      group->certificate = g_strdup (detourctl_text (properties, "Certificate"));
      g_ptr_array_add (facts->groups, group);
    }
  for (guint i = 0; addresses[i] != NULL; i++)
    {
      DetourAddress address;

      if (!detour_address_parse (addresses[i], &address, NULL))
        continue;
      if (group != NULL)
        {
          ctl_region_note_port (&group->port, address.port, DERP_PORT);
          ctl_region_note_address (group->listen, address.host);
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
  const char *pin = detourctl_text (properties, "Pin");
  g_autofree const char **names = NULL;
  Cert *cert;

  /* One that is only waited for has none. */
  if (*pin == '\0')
    return;
  cert = g_new0 (Cert, 1);
  cert->instance = g_strdup (detourctl_text (properties, "Instance"));
  if (detourctl_flag (properties, "SelfSigned"))
    cert->pin = g_strdup (pin);
  if (g_variant_lookup (properties, "Names", "^a&s", &names))
    for (guint i = 0; names[i] != NULL; i++)
      cert->fits = cert->fits || ctl_region_name_fits (names[i], facts->hostname);
  g_ptr_array_add (facts->certs, cert);
}

/* The first one that fits, or else the first one. */
static const Cert *
ctl_region_cert_of (const Facts *facts, const Group *group)
{
  const Cert *best = NULL;

  for (guint i = 0; i < facts->certs->len; i++)
    {
      const Cert *cert = facts->certs->pdata[i];

      if (*group->certificate != '\0' && strcmp (group->certificate, cert->instance) != 0)
        continue;
      if (best == NULL || (cert->fits && !best->fits))
        best = cert;
    }
  return best;
}

static gboolean
ctl_region_shows_the_same (const Group *a, const Group *b)
{
  return g_strcmp0 (a->cert != NULL ? a->cert->pin : NULL, b->cert != NULL ? b->cert->pin : NULL)
      == 0;
}

/* Makes groups that clients cannot tell apart one, and puts the one with the usual port in front.
 */
static void
ctl_region_join_groups (Facts *facts)
{
  for (guint i = 0; i < facts->groups->len; i++)
    ((Group *) facts->groups->pdata[i])->cert = ctl_region_cert_of (facts, facts->groups->pdata[i]);
  for (guint i = 0; i < facts->groups->len; i++)
    for (guint k = facts->groups->len - 1; k > i; k--)
      {
        Group *into = facts->groups->pdata[i];
        const Group *from = facts->groups->pdata[k];

        if (!ctl_region_shows_the_same (into, from))
          continue;
        ctl_region_note_port (&into->port, from->port, DERP_PORT);
        for (guint family = 0; family < N_FAMILIES; family++)
          if (from->listen[family] != NULL && into->listen[family] == NULL)
            into->listen[family] = g_strdup (from->listen[family]);
        g_ptr_array_remove_index (facts->groups, k);
      }
  for (guint i = 1; i < facts->groups->len; i++)
    if (((const Group *) facts->groups->pdata[i])->port == DERP_PORT)
      {
        g_ptr_array_insert (facts->groups, 0, g_ptr_array_steal_index (facts->groups, i));
        break;
      }
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
ctl_region_learn_addresses (DetourctlRegion *self, Group *group, GPtrArray *texts)
{
  const char **places[N_FAMILIES] = { [IPV4] = &self->ipv4, [IPV6] = &self->ipv6 };
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (self->hostname);

  for (guint i = 0; i < N_FAMILIES; i++)
    {
      GSocketFamily family = i == IPV4 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6;
      const char *listen = group != NULL ? ctl_region_keep (texts, &group->listen[i]) : NULL;

      if (*places[i] != NULL)
        continue;
      if (address != NULL && g_inet_address_get_family (address) == family)
        *places[i] = self->hostname;
      else if (listen != NULL)
        *places[i] = listen;
    }
}

/* What is different for listeners with a certificate of their own. */
static void
ctl_region_learn_group (DetourctlRegion *self, Group *group, GPtrArray *texts)
{
  char *pin = group != NULL && group->cert != NULL ? g_strdup (group->cert->pin) : NULL;

  ctl_region_learn_addresses (self, group, texts);
  self->derp_port = group == NULL || group->port == DERP_PORT ? 0 : group->port;
  self->cert_name = ctl_region_keep (texts, &pin);
}

/* A node has one pin, and nodes of one region would have to be meshed: so each further certificate
 * has a region of its own. */
static void
ctl_region_learn_more (DetourctlRegion *self, const DetourctlRegion *plain, const Facts *facts,
                       GPtrArray *texts)
{
  DetourctlRegion *last = self;

  for (guint i = 1; i < facts->groups->len; i++)
    {
      Group *group = facts->groups->pdata[i];
      DetourctlRegion *more;
      char *code, *name, *node_name;

      if (group->cert == NULL || group->port == 0)
        continue;
      more = g_memdup2 (plain, sizeof *plain);
      code = g_strdup_printf ("%s-%u", self->code, i + 1);
      name = g_strdup_printf ("%s (%u)", self->name, i + 1);
      node_name = self->node_name != NULL ? g_strdup_printf ("%s-%u", self->node_name, i + 1)
                                          : NULL;
      g_ptr_array_add (texts, more);
      more->id = last->id + 1;
      more->code = ctl_region_keep (texts, &code);
      more->name = ctl_region_keep (texts, &name);
      more->node_name = ctl_region_keep (texts, &node_name);
      ctl_region_learn_group (more, group, texts);
      last->next = more;
      last = more;
    }
}

gboolean
detourctl_region_learn (DetourctlRegion *self, GVariant *objects, GPtrArray *texts)
{
  g_autoptr (GPtrArray) groups = g_ptr_array_new_with_free_func (ctl_region_group_free);
  g_autoptr (GPtrArray) certs = g_ptr_array_new_with_free_func (ctl_region_cert_free);
  Facts facts = { .hostname = self->hostname, .groups = groups, .certs = certs };
  Group *first;
  DetourctlRegion plain;

  detourctl_each_object (objects, "Listener", ctl_region_look_at_listener, &facts);
  detourctl_each_object (objects, "Plugin", ctl_region_look_at_plugin, &facts);
  detourctl_each_object (objects, "Certificate", ctl_region_look_at_certificate, &facts);
  ctl_region_join_groups (&facts);
  first = groups->len > 0 ? groups->pdata[0] : NULL;

  self->stun_port = facts.stun_port == 0         ? -1
                  : facts.stun_port == STUN_PORT ? 0
                                                 : (int) facts.stun_port;
  /* The check goes to the IPv4 address, whatever that key says. */
  self->can_port80 = facts.has_plain_port80 && facts.has_captive
                  && g_strcmp0 (self->ipv4, "none") != 0;
  self->stun_only = facts.has_listener && !facts.has_derp && facts.stun_port != 0;
  plain = *self;
  ctl_region_learn_group (self, first, texts);
  ctl_region_learn_more (self, &plain, &facts, texts);
  return first != NULL && first->port != 0;
}

/* Writing it down ------------------------------------------------------------------------------ */

void
detourctl_map_add_relay (DetourctlMap *map, const DetourctlRegion *self)
{
  for (; self != NULL; self = self->next)
    {
      g_autofree char *path = g_strdup_printf ("Regions.%" G_GUINT64_FORMAT, self->id);
      g_autofree char *node_path = g_strconcat (path, ".Nodes[0]", NULL);
      DetourctlMapRegion *region = detourctl_map_add_region (map, (gint64) self->id, path);
      DetourctlMapNode *node = detourctl_map_add_node (region, node_path);

      region->id = (gint64) self->id;
      region->has_id = TRUE;
      region->code = g_strdup (self->code);
      region->name = g_strdup (self->name);
      node->name = self->node_name != NULL ? g_strdup (self->node_name)
                                           : g_strdup_printf ("%" G_GUINT64_FORMAT "a", self->id);
      node->region_id = (gint64) self->id;
      node->has_region_id = TRUE;
      node->host_name = g_strdup (self->hostname);
      node->cert_name = g_strdup (self->cert_name);
      node->ipv4 = g_strdup (self->ipv4);
      node->ipv6 = g_strdup (self->ipv6);
      node->stun_port = self->stun_port;
      node->stun_only = self->stun_only;
      node->derp_port = self->derp_port;
      node->can_port80 = self->can_port80;
    }
}

char *
detourctl_region_format (const DetourctlRegion *self, DetourctlRegionFormat format)
{
  g_autoptr (DetourctlMap) map = detourctl_map_new ();

  detourctl_map_add_relay (map, self);
  return detourctl_map_format (map, format);
}
