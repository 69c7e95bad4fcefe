/* simulate.c: what regions of many nodes cost, counted in a model of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sizes of frames and of a key in memory are those of the program, from its headers. What has to be
 * measured on a machine (logins a second, the cost of forwarding) is given by options, whose
 * fallbacks are from doc/performance.md. The rest are assumptions, and options, too. */
#include "config.h"

#include "simulate-random.h"
#include "simulate-region.h"

#include "detour-peer-table.h"

#include <stdlib.h>

typedef struct {
  int regions;
  int nodes;
  int keys;
  double churn;
  double seconds;
  double logins;
  double forward_cost;
  double contacts;
  int packets;
  gint64 seed;
  gboolean in_order;
  gboolean table;
} Options;

typedef struct {
  const char *name;
  int regions, nodes, keys;
} Fleet;

/* Of doc/planning.md, whose tables this program prints. */
static const Fleet fleets[] = {
  { "one relay", 1, 1, 10000 },
  { "a region of two", 1, 2, 1000 },
  { "a region of three", 1, 3, 10000 },
  { "a large region", 1, 10, 100000 },
  { "500 regions of two", 500, 2, 20000 },
  { "100 regions of ten", 100, 10, 100000 },
  { "10 regions of a hundred", 10, 100, 1000000 },
  { "one region of a thousand", 1, 1000, 10000000 },
};

static gboolean
simulate_parse (Options *self, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "table", 0, 0, G_OPTION_ARG_NONE, &self->table, "the tables of doc/planning.md", NULL },
    { "regions", 0, 0, G_OPTION_ARG_INT, &self->regions, "regions in all (1)", "N" },
    { "nodes", 0, 0, G_OPTION_ARG_INT, &self->nodes, "nodes of a region (3)", "N" },
    { "keys", 0, 0, G_OPTION_ARG_INT, &self->keys, "clients of a region (10000)", "N" },
    { "churn", 0, 0, G_OPTION_ARG_DOUBLE, &self->churn,
      "how often a client connects anew in an hour (1)", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &self->seconds, "of churn that are watched (600)",
      "S" },
    { "logins", 0, 0, G_OPTION_ARG_DOUBLE, &self->logins, "that a node serves a second (2900)",
      "N" },
    { "forward-cost", 0, 0, G_OPTION_ARG_DOUBLE, &self->forward_cost,
      "work of one of the two nodes for a forwarded packet, to that for a local one (1.04)", "X" },
    { "contacts", 0, 0, G_OPTION_ARG_DOUBLE, &self->contacts,
      "clients that a client sends to at a time through relays (3)", "N" },
    { "packets", 0, 0, G_OPTION_ARG_INT, &self->packets, "that are looked at (1000000)", "N" },
    { "in-order", 0, 0, G_OPTION_ARG_NONE, &self->in_order,
      "clients take the first node of the map that answers, not any", NULL },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &self->seed, "of the random numbers (1)", "N" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_set_summary (context, "Counts what regions of many nodes cost.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1 || self->regions < 1 || self->nodes < 1 || (guint) self->nodes > SIMULATE_NODES_MAX
      || self->keys < 1 || self->keys > 100000000 || self->churn < 0 || self->seconds < 0
      || self->seconds > 1e6 || self->logins <= 0 || self->forward_cost <= 0 || self->contacts < 0
      || self->contacts > 1000 || self->packets < 0)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "a number is out of range, or there is a word that is no option");
      return FALSE;
    }
  return TRUE;
}

/* How many connections a client has: one to its own region, and one to each other region in which
 * somebody is at home that it sends to. */
static double
simulate_connections (const Options *self)
{
  SimulateRandom random = { (guint64) self->seed };
  guint contacts = (guint) (self->contacts + 0.5), n_clients = 100000;
  g_autofree guint32 *seen = g_new0 (guint32, (gsize) self->regions);
  guint64 n = 0;

  for (guint32 client = 1; client <= n_clients; client++)
    {
      seen[simulate_random_below (&random, (guint) self->regions)] = client;
      n++;
      for (guint i = 0; i < contacts; i++)
        {
          guint region = simulate_random_below (&random, (guint) self->regions);

          n += seen[region] != client;
          seen[region] = client;
        }
    }
  return (double) n / n_clients;
}

/* Packets that a region can carry, to those that one node can: until its fullest node has no time
 * left, where of a forwarded packet two nodes have work. */
static double
simulate_capacity (const Options *self, const SimulateRegionResult *result)
{
  double share = (double) result->local_most / self->keys;

  return 1 / (share * share + 2 * share * (1 - share) * self->forward_cost);
}

/* What the registry takes for keys of other nodes: a peer each, and the table, which doubles as
 * soon as three quarters of it are filled. */
static double
simulate_memory (guint n_keys)
{
  double capacity = 64;

  while (capacity * 3 / 4 < n_keys)
    capacity *= 2;
  return n_keys > 0 ? (double) n_keys * sizeof (DetourPeer) + capacity * sizeof (uintptr_t) : 0;
}

static void
simulate_run (const Options *self, SimulateRegionResult *result)
{
  const SimulateRegionPlan plan = {
    .nodes = (guint) self->nodes,
    .keys = (guint) self->keys,
    .churn = self->churn,
    .seconds = self->seconds,
    .logins = self->logins,
    .packets = (guint) self->packets,
    .in_order = self->in_order,
    .seed = (guint64) self->seed,
  };

  simulate_region (&plan, result);
}

static void
simulate_print (const Options *self)
{
  SimulateRegionResult r;
  double present = DETOUR_FRAME_PEER_PRESENT_SIZE (0u);

  simulate_run (self, &r);
  g_print ("links_of_a_region %" G_GUINT64_FORMAT "\n", r.links);
  g_print ("links_in_all %" G_GUINT64_FORMAT "\n", r.links * (guint64) self->regions);
  g_print ("clients_of_a_node_mean %.0f\n", r.local_mean);
  g_print ("clients_of_a_node_most %u\n", r.local_most);
  g_print ("remote_keys_of_a_node %u\n", r.remote_most);
  g_print ("remote_bytes_of_a_node %.0f\n", simulate_memory (r.remote_most));
  g_print ("forwarded_percent %.2f\n", 100 * r.forwarded);
  g_print ("capacity_to_one_node %.2f\n", simulate_capacity (self, &r));
  g_print ("changes_a_second %.2f\n", self->seconds > 0 ? (double) r.changes / self->seconds : 0);
  g_print ("frames_of_changes %" G_GUINT64_FORMAT "\n", r.frames);
  g_print ("changes_in_all %" G_GUINT64_FORMAT "\n", r.changes);
  g_print ("heard_by_a_node_per_second %.2f\n", r.heard);
  g_print ("heard_by_a_node_per_second_most %.0f\n", r.heard_peak);
  g_print ("bytes_of_a_link_per_second %.1f\n", r.link_bytes);
  g_print ("connections_of_a_client %.2f\n", simulate_connections (self));
  g_print ("end_clients_lost %u\n", r.lost);
  g_print ("end_seconds_until_back %.2f\n", r.back_seconds);
  g_print ("end_retries %u\n", r.retries);
  g_print ("end_link_frames_per_second_most %u\n", r.link_peak);
  g_print ("end_forwarded_percent %.2f\n", 100 * r.forwarded_without);
  g_print ("restart_frames %u\n", r.flood_frames);
  g_print ("restart_bytes %.0f\n", r.flood_frames * present);
  g_print ("restart_bytes_of_a_link %.0f\n", r.flood_link * present);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static char *
simulate_grouped (guint64 n)
{
  g_autofree char *digits = g_strdup_printf ("%" G_GUINT64_FORMAT, n);
  GString *text = g_string_new (digits);

  for (gssize i = (gssize) text->len - 3; i > 0; i -= 3)
    g_string_insert_c (text, i, ',');
  return g_string_free (text, FALSE);
}

static char *
simulate_bytes (double bytes)
{
  static const char *const units[] = { "bytes", "KB", "MB", "GB" };
  guint i = 0;

  for (; bytes >= 1000 && i + 1 < G_N_ELEMENTS (units); i++)
    bytes /= 1000;
  return g_strdup_printf (bytes < 10 && i > 0 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}

static void
simulate_print_links (const Options *self, const char *name, const SimulateRegionResult *r)
{
  g_autofree char *links = simulate_grouped (r->links);
  g_autofree char *in_all = simulate_grouped (r->links * (guint64) self->regions);
  g_autofree char *clients = simulate_grouped (r->local_most);
  g_autofree char *remote = simulate_grouped (r->remote_most);
  g_autofree char *memory = simulate_bytes (simulate_memory (r->remote_most));

  g_print ("| %s | %s | %s | %s | %s | %s | %.2f |\n", name, links, in_all, clients, remote, memory,
           simulate_connections (self));
}

static void
simulate_print_traffic (const Options *self, const char *name, const SimulateRegionResult *r)
{
  g_autofree char *told = simulate_bytes (r->link_bytes * (self->nodes - 1));
  g_autofree char *lost = simulate_grouped (r->lost);
  g_autofree char *flood = simulate_bytes ((double) r->flood_frames
                                           * DETOUR_FRAME_PEER_PRESENT_SIZE (0u));

  g_print ("| %s | %.1f | %s | %.1f %% | %.2f | %s | %.1f s | %s |\n", name, r->heard, told,
           100 * r->forwarded, simulate_capacity (self, r), lost, r->back_seconds, flood);
}

static void
simulate_print_tables (const Options *self)
{
  SimulateRegionResult results[G_N_ELEMENTS (fleets)];
  Options options[G_N_ELEMENTS (fleets)];

  g_print ("| | links of a region | links in all | clients of the fullest node "
           "| keys of others, a node | memory for them | connections of a client |\n"
           "|---|---|---|---|---|---|---|\n");
  for (gsize i = 0; i < G_N_ELEMENTS (fleets); i++)
    {
      options[i] = *self;
      options[i].regions = fleets[i].regions;
      options[i].nodes = fleets[i].nodes;
      options[i].keys = fleets[i].keys;
      simulate_run (&options[i], &results[i]);
      simulate_print_links (&options[i], fleets[i].name, &results[i]);
    }
  g_print ("\n| | changes a node hears of, a second | it tells, a second | forwarded packets "
           "| packets, to those of one node | a node ends: clients | all back after "
           "| it returns: is told |\n"
           "|---|---|---|---|---|---|---|---|\n");
  for (gsize i = 0; i < G_N_ELEMENTS (fleets); i++)
    simulate_print_traffic (&options[i], fleets[i].name, &results[i]);
}

int
main (int argc, char **argv)
{
  Options options = {
    .regions = 1,
    .nodes = 3,
    .keys = 10000,
    .churn = 1,
    .seconds = 600,
    .logins = 2900,
    .forward_cost = 1.04,
    .contacts = 3,
    .packets = 1000000,
    .seed = 1,
  };
  g_autoptr (GError) error = NULL;

  if (!simulate_parse (&options, &argc, &argv, &error))
    {
      g_printerr ("simulate: %s\n", error->message);
      return 2;
    }
  if (options.table)
    simulate_print_tables (&options);
  else
    simulate_print (&options);
  return EXIT_SUCCESS;
}
