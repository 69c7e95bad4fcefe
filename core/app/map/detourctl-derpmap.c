/* detourctl-derpmap.c: the command that tells what to paste into a DERP map.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-derpmap.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-text.h"
#include "detourctl-host.h"
#include "detourctl-region.h"

/* 900 to 999 are kept for relays of one's own; what is below may be a region of Tailscale's now or
 * later. */
#define REGION_DEFAULT 900
/* Clients use the number as a port number of their own, cut to 16 bits. */
#define REGION_MAX 65535

static gint64 region = REGION_DEFAULT;
static char *code, *name, *node_name, *format, *hostname, *ipv4, *ipv6;

static const GOptionEntry options[] = {
  { "region", 0, 0, G_OPTION_ARG_INT64, &region, N_ ("Number of the region; 900 when not given"),
    N_ ("NUMBER") },
  { "code", 0, 0, G_OPTION_ARG_STRING, &code, N_ ("Short name of the region"), N_ ("WORD") },
  { "name", 0, 0, G_OPTION_ARG_STRING, &name, N_ ("Long name of the region"), N_ ("TEXT") },
  { "node-name", 0, 0, G_OPTION_ARG_STRING, &node_name,
    N_ ("Name of the node, which no other node of the map may have; 900a in region 900 when not "
        "given"),
    N_ ("WORD") },
  { "format", 0, 0, G_OPTION_ARG_STRING, &format,
    N_ ("tailscale (a policy file), headscale (YAML), or json"), N_ ("FORMAT") },
  { "hostname", 0, 0, G_OPTION_ARG_STRING, &hostname,
    N_ ("Name or address of the relay instead of the configured one"), N_ ("HOST") },
  { "ipv4", 0, 0, G_OPTION_ARG_STRING, &ipv4,
    N_ ("IPv4 address, so that clients need no DNS; none: not to be used"), N_ ("ADDRESS") },
  { "ipv6", 0, 0, G_OPTION_ARG_STRING, &ipv6, N_ ("IPv6 address, likewise"), N_ ("ADDRESS") },
  { NULL },
};

static gboolean
ctl_derpmap_is_address_or_none (const char *option, const char *text, GSocketFamily family)
{
  g_autoptr (GInetAddress) address = text != NULL ? g_inet_address_new_from_string (text) : NULL;

  if (text == NULL || strcmp (text, "none") == 0
      || (address != NULL && g_inet_address_get_family (address) == family))
    return TRUE;
  detourctl_complain (_ ("%s: \"%s\" is no such address; write one, or none"), option, text);
  return FALSE;
}

/* As `derpmap check` would have it. @text: (nullable): not given */
static gboolean
ctl_derpmap_check_text (const char *option, const char *text)
{
  g_autofree char *shown = NULL;

  if (text == NULL
      || (*text != '\0' && g_utf8_validate (text, -1, NULL) && detour_text_find_hidden (text) == 0))
    return TRUE;
  shown = g_strescape (text, NULL);
  detourctl_complain (_ ("%s: \"%s\" is empty, or has a character that is not seen; type it anew"),
                      option, shown);
  return FALSE;
}

static gboolean
ctl_derpmap_check_host (const char *text)
{
  g_autofree char *shown = NULL;

  if (detourctl_host_is_good (text))
    return TRUE;
  shown = g_strescape (text, NULL);
  if (strstr (text, "://") != NULL)
    detourctl_complain (_ ("--hostname: \"%s\" is a URL; write the name alone, as in "
                           "relay.example.com"),
                        shown);
  else
    detourctl_complain (_ ("--hostname: \"%s\" is neither a host name nor an address; write "
                           "relay.example.com, 203.0.113.5 or 2001:db8::5, without a port"),
                        shown);
  return FALSE;
}

static gboolean
ctl_derpmap_options_are_good (DetourctlRegionFormat *out)
{
  if (region < 1 || region > REGION_MAX)
    {
      detourctl_complain (
          _ ("--region: write a number from 1 to %d; 900 to 999 are for relays of one's own"),
          REGION_MAX);
      return FALSE;
    }
  if (hostname != NULL && !ctl_derpmap_check_host (hostname))
    return FALSE;
  if (!ctl_derpmap_check_text ("--code", code) || !ctl_derpmap_check_text ("--name", name)
      || !ctl_derpmap_check_text ("--node-name", node_name))
    return FALSE;
  if (!detourctl_derpmap_read_format (format, out))
    return FALSE;
  if (g_strcmp0 (ipv4, "none") == 0 && g_strcmp0 (ipv6, "none") == 0)
    {
      detourctl_complain (_ ("with neither IPv4 nor IPv6 no client could connect"));
      return FALSE;
    }
  return ctl_derpmap_is_address_or_none ("--ipv4", ipv4, G_SOCKET_FAMILY_IPV4)
      && ctl_derpmap_is_address_or_none ("--ipv6", ipv6, G_SOCKET_FAMILY_IPV6);
}

static DetourctlExit
ctl_derpmap_run_derpmap (Detourctl *self, char **arguments)
{
  DetourctlRegionFormat wanted = self->json ? DETOURCTL_REGION_JSON : DETOURCTL_REGION_TAILSCALE;
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) manager = NULL;
  g_autoptr (GVariant) objects = NULL;
  g_autofree char *own_code = NULL;
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = NULL;
  DetourctlRegion self_region = { .ipv4 = ipv4, .ipv6 = ipv6 };

  if (!ctl_derpmap_options_are_good (&wanted))
    return DETOURCTL_USAGE;
  manager = detourctl_manager (self, &exit);
  objects = manager != NULL ? detourctl_objects (self, &exit) : NULL;
  if (objects == NULL)
    return exit;
  self_region.hostname = hostname != NULL ? hostname : detourctl_text (manager, "Hostname");
  if (*self_region.hostname == '\0')
    {
      detourctl_complain (
          _ ("the relay does not know its own name; set hostname in [core], or give --hostname"));
      return DETOURCTL_FAILED;
    }
  if (region < REGION_DEFAULT)
    detourctl_complain (
        _ ("region %d may be one of Tailscale's own, which this entry would replace; "
           "900 to 999 are for relays of one's own"),
        (int) region);
  own_code = detourctl_region_default_code (self_region.hostname);
  self_region.id = (guint64) region;
  self_region.code = code != NULL ? code : own_code;
  self_region.name = name != NULL ? name : self_region.hostname;
  self_region.node_name = node_name;
  if (!detourctl_region_learn (&self_region, objects, texts) && !self_region.stun_only)
    detourctl_complain (_ (
        "no listener speaks TLS; clients will expect something in front of the relay that does, on "
        "port 443"));
  if (self_region.next != NULL)
    detourctl_complain (
        _ ("the listeners show different certificates, and a node has one pin: each "
           "has a region of its own, and both belong into the map until one of them "
           "goes"));
  text = detourctl_region_format (&self_region, wanted);
  g_print ("%s", text);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_derpmap_commands[] = {
  { .name = "derpmap",
    .arguments = "",
    .summary = N_ ("This relay's entry for a DERP map"),
    .details = N_ ("Out of what the relay really does now: ports, addresses that it is bound to, a "
                   "pin for a self-signed\n"
                   "certificate, and whether port 80 answers checks for captive portals."),
    .options = options,
    .run = ctl_derpmap_run_derpmap },
  { NULL },
};
