/* detourctl-probe.c: the command that asks every node of a DERP map what clients ask.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <sodium.h>
#include <string.h>

#include "detour-config-value.h"
#include "detourctl-derpmap.h"
#include "detourctl-mesh-key.h"
#include "probe.h"

/* A step on the network takes no longer, unless --timeout says so. */
#define LIMIT_US      (5 * G_USEC_PER_SEC)
#define PLAIN_PORT    80
#define BANDWIDTH_MAX (16ull << 30)
/* Of this relay, when no map is given: the number that `detourctl derpmap` gives it. */
#define OWN_REGION 900

static char *region, *ca_file, *mesh_key_file, *bandwidth;
static int plain_port = PLAIN_PORT;
static gboolean is_closed, no_between, is_strict;

static const GOptionEntry options[] = {
  { "region", 0, 0, G_OPTION_ARG_STRING, &region, N_ ("Only this region, by number or code"),
    N_ ("REGION") },
  { "ca", 0, 0, G_OPTION_ARG_FILENAME, &ca_file,
    N_ ("Trust the authorities in FILE, and not the system's"), N_ ("FILE") },
  { "mesh-key", 0, 0, G_OPTION_ARG_FILENAME, &mesh_key_file,
    N_ ("Log in with the mesh key in FILE, where unknown keys are not admitted"), N_ ("FILE") },
  { "closed", 0, 0, G_OPTION_ARG_NONE, &is_closed,
    N_ ("The relays admit known keys alone: that ours is refused is as it should be"), NULL },
  { "no-mesh", 0, 0, G_OPTION_ARG_NONE, &no_between,
    N_ ("Try no packets from one node of a region to another"), NULL },
  { "bandwidth", 0, 0, G_OPTION_ARG_STRING, &bandwidth,
    N_ ("Carry so much through each node, and say how fast: 10M"), N_ ("SIZE") },
  { "plain-port", 0, 0, G_OPTION_ARG_INT, &plain_port,
    N_ ("Ask for captive portals at TCP PORT, and not at 80, where clients do"), N_ ("PORT") },
  { "strict", 0, 0, G_OPTION_ARG_NONE, &is_strict, N_ ("Exit status 1 for warnings, too"), NULL },
  { NULL },
};

/* ---- the map --------------------------------------------------------------------------------- */

/* Out of what this host's relay says of itself. */
static DetourctlMap *
ctl_probe_own_map (Detourctl *self, DetourctlExit *exit)
{
  g_autoptr (GVariant) manager = detourctl_manager (self, exit);
  g_autoptr (GVariant) objects = manager != NULL ? detourctl_objects (self, exit) : NULL;
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  DetourctlRegion relay = { .id = OWN_REGION, .code = "own" };
  DetourctlMap *map;

  if (objects == NULL)
    return NULL;
  relay.hostname = detourctl_text (manager, "Hostname");
  relay.name = relay.hostname;
  if (*relay.hostname == '\0')
    {
      detourctl_complain (
          _ ("the relay does not know its own name; set hostname in [core], or give a map"));
      *exit = DETOURCTL_FAILED;
      return NULL;
    }
  (void) detourctl_region_learn (&relay, objects, texts);
  map = detourctl_map_new ();
  detourctl_map_add_relay (map, &relay);
  return map;
}

static DetourctlMap *
ctl_probe_read_map (Detourctl *self, const char *place, DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlMap) map = detourctl_map_load (place, self->timeout_ms, &error);

  if (map == NULL)
    {
      detourctl_complain ("%s", error->message);
      *exit = DETOURCTL_FAILED;
      return NULL;
    }
  if (detourctl_map_count (map, TRUE) > 0)
    {
      detourctl_derpmap_print_findings (place, map);
      *exit = DETOURCTL_FAILED;
    }
  return g_steal_pointer (&map);
}

/* ---------------------------------------------------------------------------------------------- */

static gboolean
ctl_probe_read_bandwidth (Probe *probe)
{
  static const DetourConfigKey key = {
    "bandwidth", DETOUR_CONFIG_SIZE, NULL, 1, BANDWIDTH_MAX, ""
  };
  g_autoptr (GError) error = NULL;
  DetourConfigValue value = { 0 };

  if (bandwidth == NULL)
    return TRUE;
  if (!detour_config_value_parse (&key, bandwidth, &value, &error))
    {
      detourctl_complain ("--bandwidth: %s", error->message);
      return FALSE;
    }
  probe->bandwidth = value.number;
  detour_config_value_clear (&value);
  return TRUE;
}

static gboolean
ctl_probe_read_options (Probe *probe)
{
  if (plain_port < 1 || plain_port > G_MAXUINT16)
    {
      detourctl_complain (_ ("--plain-port: write a number from 1 to 65535"));
      return FALSE;
    }
  if (!ctl_probe_read_bandwidth (probe))
    return FALSE;
  probe->plain_port = (guint16) plain_port;
  probe->ca_file = g_strdup (ca_file);
  probe->is_closed = is_closed;
  probe->no_between = no_between;
  return mesh_key_file == NULL || detourctl_mesh_key_read (mesh_key_file, &probe->mesh_key);
}

static DetourctlExit
ctl_probe_look (Detourctl *self, Probe *probe, const DetourctlMap *map, const char *place,
                DetourctlExit exit)
{
  g_autoptr (GPtrArray) advice = NULL;

  probe_run (probe, map, region);
  if (probe->nodes->len == 0)
    {
      if (region != NULL)
        detourctl_complain (_ ("the map has no region \"%s\" with nodes"), region);
      else
        detourctl_complain (_ ("the map has no nodes"));
      return DETOURCTL_FAILED;
    }
  advice = probe_client_advice (probe);
  if (self->json)
    probe_tell_json (probe, place, advice);
  else
    probe_tell_table (self, probe, advice);
  if (probe_count (probe, PROBE_FAILED) > 0
      || (is_strict && probe_count (probe, PROBE_WARNING) > 0))
    return DETOURCTL_FAILED;
  return exit;
}

static DetourctlExit
ctl_probe_run (Detourctl *self, char **arguments)
{
  const char *place = arguments[0];
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (DetourctlMap) map = NULL;
  Probe probe = { .limit_us = LIMIT_US };

  if (self->timeout != NULL && self->timeout_ms > 0)
    probe.limit_us = self->timeout_ms * 1000;
  if (sodium_init () < 0)
    return DETOURCTL_FAILED;
  if (!ctl_probe_read_options (&probe))
    {
      probe_clear (&probe);
      return DETOURCTL_USAGE;
    }
  map = place != NULL ? ctl_probe_read_map (self, place, &exit) : ctl_probe_own_map (self, &exit);
  if (map != NULL)
    exit = ctl_probe_look (self, &probe, map, place, exit);
  probe_clear (&probe);
  return exit;
}

const DetourctlCommand detourctl_probe_commands[] = {
  { .name = "probe",
    .arguments = N_ ("[FILE|URL|tailscaled:]"),
    .summary = N_ ("Ask every node of a DERP map what clients ask"),
    .details = N_ (
        "STUN and TLS in each family, the certificate or its pin, the latency check, the "
        "check for captive\nportals, a login with a key that is thrown away, a packet "
        "from one client to another, also between the\nnodes of a region, and "
        "WebSocket; and what a client would have done. \"tailscaled:\" is the map that this "
        "host's\ntailscaled got from its control server. Without a map, the relay of this host is "
        "asked. Exit status 1: a check\nhas failed."),
    .options = options,
    .run = ctl_probe_run,
    .n_max = 1 },
  { NULL },
};
