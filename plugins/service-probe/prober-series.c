/* prober-series.c: what the last look saw, as numbers for monitoring.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prober-series.h"

/* Names come from a map that somebody else may write: there are so many checks at most, and what is
 * beyond is counted. A node has ten. */
#define CHECKS_MAX 1000u

/* Of one check. */
typedef struct {
  DetourGauge *good, *failed, *time;
  DetourGauge *certificate, *rate; /* NULL: it never had such a number */
  gboolean is_seen;
} Entry;

struct _ProberSeries {
  DetourHost *host;
  GHashTable *entries; /* prober_check_id() -> Entry */
  DetourGauge *n[PROBER_N_STATUS];
  DetourCounter *runs_good, *runs_failed, *runs_broken;
  DetourGauge *left_out;
};

static DetourCounter *
prober_series_runs (DetourHost *host, const char *outcome)
{
  const DetourMetric metric = { .name = "runs",
                                .help = "looks at all nodes of the map, by how they ended",
                                .n_labels = 1,
                                .labels = { { "outcome", outcome } } };

  return detour_host_counter_with (host, &metric);
}

ProberSeries *
prober_series_new (DetourHost *host)
{
  ProberSeries *self = g_new0 (ProberSeries, 1);
  const DetourMetric left_out = {
    .name = "checks_left_out", .help = "checks of the last look that have no series of their own"
  };

  self->host = host;
  self->entries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->runs_good = prober_series_runs (host, "good");
  self->runs_failed = prober_series_runs (host, "failed");
  self->runs_broken = prober_series_runs (host, "broken");
  for (guint i = 0; i < PROBER_N_STATUS; i++)
    {
      const DetourMetric metric = { .name = "checks",
                                    .help = "checks of the last look",
                                    .n_labels = 1,
                                    .labels = {
                                        { "status", prober_status_name ((ProberStatus) i) } } };

      self->n[i] = detour_host_gauge_with (host, &metric);
    }
  self->left_out = detour_host_gauge_with (host, &left_out);
  return self;
}

void
prober_series_free (ProberSeries *self)
{
  g_hash_table_unref (self->entries);
  g_free (self);
}

/* Labels live as long as the process, so they are interned; CHECKS_MAX bounds them. */
static DetourGauge *
prober_series_gauge (ProberSeries *self, const ProberCheck *check, const char *name,
                     const char *unit, const char *help)
{
  const DetourMetric metric = { .name = name,
                                .unit = unit,
                                .help = help,
                                .n_labels = 3,
                                .labels = { { "region", g_intern_string (check->region) },
                                            { "node", g_intern_string (check->node) },
                                            { "check", g_intern_string (check->check) } } };

  return detour_host_gauge_with (self->host, &metric);
}

/* NULL: there are too many. */
static Entry *
prober_series_find (ProberSeries *self, const ProberCheck *check)
{
  g_autofree char *id = prober_check_id (check);
  Entry *entry = g_hash_table_lookup (self->entries, id);

  if (entry != NULL || g_hash_table_size (self->entries) >= CHECKS_MAX)
    return entry;
  entry = g_new0 (Entry, 1);
  entry->good = prober_series_gauge (
      self, check, "check_good", NULL,
      "1: the check of that node went well, with a warning or without");
  entry->failed = prober_series_gauge (self, check, "check_failed", NULL,
                                       "1: the check of that node failed");
  entry->time = prober_series_gauge (self, check, "check_time", "microseconds",
                                     "how long it took; 0: nothing was measured");
  g_hash_table_insert (self->entries, g_steal_pointer (&id), entry);
  return entry;
}

static void
prober_series_set (ProberSeries *self, Entry *entry, const ProberCheck *check)
{
  entry->is_seen = TRUE;
  detour_gauge_set (entry->good,
                    check->status == PROBER_GOOD || check->status == PROBER_WARNING ? 1 : 0);
  detour_gauge_set (entry->failed, check->status == PROBER_FAILED ? 1 : 0);
  detour_gauge_set (entry->time, check->took_us > 0 ? (guint64) check->took_us : 0);
  if (entry->certificate == NULL && check->certificate_us >= 0)
    entry->certificate = prober_series_gauge (self, check, "certificate_left", "microseconds",
                                              "until the certificate of that node ends");
  if (entry->certificate != NULL)
    detour_gauge_set (entry->certificate,
                      check->certificate_us > 0 ? (guint64) check->certificate_us : 0);
  if (entry->rate == NULL && check->rate > 0)
    entry->rate = prober_series_gauge (self, check, "bandwidth", "bytes",
                                       "a second, from one client of that node to another");
  if (entry->rate != NULL)
    detour_gauge_set (entry->rate, check->rate);
}

static void
prober_series_clear_unseen (ProberSeries *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Entry *entry = value;

      if (!entry->is_seen)
        {
          detour_gauge_set (entry->good, 0);
          detour_gauge_set (entry->failed, 0);
          detour_gauge_set (entry->time, 0);
        }
      entry->is_seen = FALSE;
    }
}

void
prober_series_update (ProberSeries *self, const ProberReport *report)
{
  guint n_left_out = 0;

  for (guint i = 0; i < report->checks->len; i++)
    {
      const ProberCheck *check = report->checks->pdata[i];
      Entry *entry = prober_series_find (self, check);

      if (entry != NULL)
        prober_series_set (self, entry, check);
      else
        n_left_out++;
    }
  prober_series_clear_unseen (self);
  for (guint i = 0; i < PROBER_N_STATUS; i++)
    detour_gauge_set (self->n[i], report->n[i]);
  detour_gauge_set (self->left_out, n_left_out);
  detour_counter_add (report->n[PROBER_FAILED] > 0 || report->n_map_errors > 0 ? self->runs_failed
                                                                               : self->runs_good,
                      1);
}

void
prober_series_note_broken (ProberSeries *self)
{
  detour_counter_add (self->runs_broken, 1);
}
