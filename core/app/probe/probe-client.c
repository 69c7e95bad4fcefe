/* probe-client.c: what a client would have done, by what the checks found.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-cert.h"
#include "detourctl-format.h"
#include "probe.h"

static void
probe_client_add (GPtrArray *advice, const DetourctlMapRegion *region, const ProbeNode *node,
                  const char *code, char *text)
{
  ProbeAdvice *one = g_new (ProbeAdvice, 1);

  *one = (ProbeAdvice) { region, node, code, text };
  g_ptr_array_add (advice, one);
}

static void
probe_client_advice_free (gpointer data)
{
  ProbeAdvice *advice = data;

  g_free (advice->text);
  g_free (advice);
}

/* "900 (own)"; free with g_free(). */
static char *
probe_client_region_name (const DetourctlMapRegion *region)
{
  return g_strdup_printf ("%" G_GINT64_FORMAT " (%s)", region->key,
                          region->code != NULL && *region->code != '\0' ? region->code : "?");
}

/* ---- a node ---------------------------------------------------------------------------------- */

/* Why it is not used over one family; free with g_free(). */
static char *
probe_client_why_not (const ProbeNode *node, ProbeFamilyIndex family)
{
  const ProbeResult *result = probe_node_result (node,
                                                 family == PROBE_IPV4 ? PROBE_TLS4 : PROBE_TLS6);
  const char *name = family == PROBE_IPV4 ? "IPv4" : "IPv6";

  if (result != NULL && result->status != PROBE_GOOD && result->status != PROBE_WARNING)
    return g_strdup (result->text);
  if (node->families[family].is_off)
    return g_strdup_printf (_ ("the map says that it has no %s address"), name);
  if (node->has_literal)
    return g_strdup_printf (_ ("it has no %s address"), name);
  return g_strdup_printf (_ ("its name has no %s address"), name);
}

static void
probe_client_look_at_families (GPtrArray *advice, const ProbeNode *node)
{
  gboolean has4 = node->has_tls[PROBE_IPV4], has6 = node->has_tls[PROBE_IPV6];
  g_autofree char *why4 = has4 ? NULL : probe_client_why_not (node, PROBE_IPV4);
  g_autofree char *why6 = has6 ? NULL : probe_client_why_not (node, PROBE_IPV6);

  if (!has4 && !has6)
    probe_client_add (advice, node->region, node, "not_used",
                      g_strdup_printf (_ ("No client would use node %s: %s."), node->name,
                                       node->families[PROBE_IPV4].addresses->len > 0 ? why4
                                       : node->no_name != NULL                       ? node->no_name
                                                                                     : why6));
  else if (!has6)
    probe_client_add (
        advice, node->region, node, "only_ipv4",
        g_strdup_printf (_ ("A client would use node %s only by IPv4: %s."), node->name, why6));
  else if (!has4)
    probe_client_add (
        advice, node->region, node, "only_ipv6",
        g_strdup_printf (_ ("A client would use node %s only by IPv6: %s."), node->name, why4));
}

static gboolean
probe_client_has_failed (const ProbeNode *node, ProbeCheck check)
{
  const ProbeResult *result = probe_node_result (node, check);

  return result != NULL && result->status == PROBE_FAILED;
}

static void
probe_client_look_at_node (GPtrArray *advice, const ProbeNode *node)
{
  const ProbeResult *login = probe_node_result (node, PROBE_LOGIN);
  const char *cert_name = node->entry->cert_name;

  if (!node->entry->stun_only)
    probe_client_look_at_families (advice, node);
  if (login != NULL && login->status == PROBE_FAILED)
    probe_client_add (
        advice, node->region, node,
        strcmp (login->code, "refused") == 0 ? "unknown_refused" : "not_admitted",
        strcmp (login->code, "refused") == 0
            ? g_strdup_printf (_ ("A client with a key that the relay does not know "
                                  "would not be admitted to node %s."),
                               node->name)
        : strcmp (login->code, "stranger_admitted") == 0
            ? g_strdup_printf (_ ("Anybody would be admitted to node %s."), node->name)
            : g_strdup_printf (_ ("No client would log in to node %s."), node->name));
  if (cert_name != NULL && g_str_has_prefix (cert_name, DETOUR_CERT_PIN_PREFIX)
      && probe_node_address (node) != NULL)
    probe_client_add (advice, node->region, node, "pin_unknown",
                      g_strdup_printf (_ ("A client older than v1.86 would not connect to node %s: "
                                          "it does not know pins."),
                                       node->name));
  if (probe_client_has_failed (node, PROBE_CAPTIVE))
    probe_client_add (
        advice, node->region, node, "captive_portal",
        g_strdup_printf (_ ("A client that asks node %s whether it is behind a captive "
                            "portal would get a wrong answer, or none; leave "
                            "CanPort80 out of the map, or have port 80 answer."),
                         node->name));
}

/* ---- a region -------------------------------------------------------------------------------- */

/* Nodes are tried in the order of the map until one takes a connection; the rest does not matter
 * then. */
static void
probe_client_look_at_region (GPtrArray *advice, const Probe *probe,
                             const DetourctlMapRegion *region)
{
  const ProbeNode *first = NULL, *taken = NULL;
  g_autofree char *name = probe_client_region_name (region);

  for (guint i = 0; i < probe->nodes->len && taken == NULL; i++)
    {
      const ProbeNode *node = probe->nodes->pdata[i];

      if (node->region != region || node->entry->stun_only)
        continue;
      if (first == NULL)
        first = node;
      if (node->has_tcp[PROBE_IPV4] || node->has_tcp[PROBE_IPV6])
        taken = node;
    }
  if (first == NULL)
    return;
  if (taken == NULL)
    probe_client_add (advice, region, NULL, "region_down",
                      g_strdup_printf (_ ("No client would find a relay in region %s."), name));
  else if (probe_node_address (taken) == NULL && region->nodes->len > 1)
    probe_client_add (advice, region, taken, "region_stuck",
                      g_strdup_printf (_ ("A client would go to node %s and no further: the next "
                                          "node is tried only where nobody takes the connection."),
                                       taken->name));
  else if (taken != first)
    probe_client_add (advice, region, taken, "next_node",
                      g_strdup_printf (_ ("A client would connect to node %s, since node %s takes "
                                          "no connection."),
                                       taken->name, first->name));
}

/* ---- the home -------------------------------------------------------------------------------- */

static double
probe_client_score (const DetourctlMap *map, gint64 region)
{
  double factor = 1;

  for (guint i = 0; i < map->scores->len; i++)
    {
      const DetourctlMapScore *score = map->scores->pdata[i];
      double value = g_ascii_strtod (score->factor, NULL);

      if (score->region == region && value > 0)
        factor = value;
    }
  return factor;
}

/* The best time of a region, with the factor of the map; negative: there is none. */
static double
probe_client_region_time (const Probe *probe, const DetourctlMapRegion *region, gboolean by_stun)
{
  double best = -1;

  for (guint i = 0; i < probe->nodes->len; i++)
    {
      const ProbeNode *node = probe->nodes->pdata[i];
      gint64 us = by_stun ? node->stun_us : node->latency_us;

      if (node->region == region && us >= 0 && (best < 0 || (double) us < best))
        best = (double) us;
    }
  return best < 0 || region->avoid || region->no_measure_no_home
           ? -1
           : best * probe_client_score (probe->map, region->key);
}

static const DetourctlMapRegion *
probe_client_find_home (const Probe *probe, gboolean by_stun, double *time)
{
  const DetourctlMapRegion *home = NULL;

  for (guint i = 0; i < probe->map->regions->len; i++)
    {
      const DetourctlMapRegion *region = probe->map->regions->pdata[i];
      double one = probe_client_region_time (probe, region, by_stun);

      if (one >= 0 && (home == NULL || one < *time))
        {
          home = region;
          *time = one;
        }
    }
  return home;
}

static void
probe_client_choose_home (GPtrArray *advice, const Probe *probe)
{
  gboolean by_stun = TRUE;
  double time = 0;
  const DetourctlMapRegion *home = probe_client_find_home (probe, TRUE, &time);
  g_autofree char *name = NULL;
  g_autofree char *shown = NULL;

  if (home == NULL)
    {
      /* Clients ask over HTTPS only where no STUN server of any region answers. */
      by_stun = FALSE;
      home = probe_client_find_home (probe, FALSE, &time);
    }
  if (home == NULL)
    {
      probe_client_add (advice, NULL, NULL, "no_home",
                        g_strdup (_ ("A client would have nothing to choose its home by, and take "
                                     "any region.")));
      return;
    }
  name = probe_client_region_name (home);
  shown = detourctl_format_latency ((guint64) time);
  probe_client_add (advice, home, NULL, by_stun ? "home" : "home_by_https",
                    g_strdup_printf (by_stun ? _ ("A client here would take region %s as its home: "
                                                  "%s by STUN.")
                                             : _ ("A client here would take region %s as its home: "
                                                  "no STUN answers, and it takes %s by HTTPS."),
                                     name, shown));
}

GPtrArray *
probe_client_advice (const Probe *probe)
{
  GPtrArray *advice = g_ptr_array_new_with_free_func (probe_client_advice_free);

  for (guint i = 0; i < probe->nodes->len; i++)
    probe_client_look_at_node (advice, probe->nodes->pdata[i]);
  for (guint i = 0; i < probe->map->regions->len; i++)
    probe_client_look_at_region (advice, probe, probe->map->regions->pdata[i]);
  probe_client_choose_home (advice, probe);
  return advice;
}
