/* detour-mesh-report.c: what an instance tells of the other servers of the region.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-mesh-report.h"

#include <string.h>

#include "detour-instance-private.h"
#include "detour-text.h"

/* Part of it may be the words of a stranger. */
#define TEXT_MAX 500u

typedef struct {
  DetourMeshReport report; /* first, so that one is the other */
  DetourLinkStats past;    /* sums of the links to the peer that ended */
} Kept;

const char *
detour_mesh_state_name (DetourMeshState state)
{
  static const char *const names[DETOUR_N_MESH_STATES] = {
    [DETOUR_MESH_WAITING] = "waiting", [DETOUR_MESH_CONNECTING] = "connecting",
    [DETOUR_MESH_UP] = "up",           [DETOUR_MESH_REFUSED] = "refused",
    [DETOUR_MESH_ITSELF] = "itself",
  };

  return names[state];
}

static void
mesh_report_free (gpointer data)
{
  DetourMeshReport *self = data;

  g_free ((char *) self->name);
  g_free ((char *) self->host);
  g_free ((char *) self->address);
  g_free ((guint8 *) self->server_key);
  g_free ((char *) self->error);
  g_free ((char *) self->remedy);
  g_free (self); /* the whole Kept */
}

static Kept *
mesh_report_copy (const DetourMeshReport *report)
{
  Kept *kept = g_new0 (Kept, 1);
  DetourMeshReport *self = &kept->report;

  *self = *report;
  g_assert ((guint) report->state < DETOUR_N_MESH_STATES);
  self->name = g_strdup (report->name);
  self->host = g_strdup (report->host);
  self->address = g_strdup (report->address);
  self->server_key = g_memdup2 (report->server_key, DETOUR_KEY_SIZE);
  self->error = detour_text_tidy (report->error, TEXT_MAX);
  self->remedy = detour_text_tidy (report->remedy, TEXT_MAX);
  return kept;
}

GPtrArray *
detour_mesh_reports_new (void)
{
  return g_ptr_array_new_with_free_func (mesh_report_free);
}

static void
mesh_report_release (gpointer owner, gpointer thing)
{
  DetourHost *host = owner;

  g_ptr_array_set_size (host->mesh_reports, 0);
  detour_instance_changed (host, FALSE);
}

/* What was counted of a peer of that name before. */
static DetourLinkStats
mesh_report_past (const GPtrArray *before, const char *name)
{
  for (guint i = 0; i < before->len; i++)
    {
      const Kept *kept = before->pdata[i];

      if (strcmp (kept->report.name, name) == 0)
        return kept->past;
    }
  return (DetourLinkStats) { FALSE };
}

void
detour_host_report_mesh (DetourHost *host, const DetourMeshReport *reports, guint n)
{
  g_autoptr (GPtrArray) before = host->mesh_reports;

  host->mesh_reports = detour_mesh_reports_new ();
  for (guint i = 0; i < n; i++)
    {
      Kept *kept = mesh_report_copy (&reports[i]);

      kept->past = mesh_report_past (before, kept->report.name);
      g_ptr_array_add (host->mesh_reports, kept);
    }
  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, mesh_report_release, host, NULL);
  detour_instance_changed (host, FALSE);
}

const GPtrArray *
detour_instance_mesh_reports (const DetourInstance *self)
{
  return self->mesh_reports;
}

static void
mesh_report_add (DetourLinkStats *sums, const DetourLinkStats *stats)
{
  sums->packets += stats->packets;
  sums->bytes += stats->bytes;
  sums->dropped_queue += stats->dropped_queue;
  sums->dropped_gone += stats->dropped_gone;
  sums->dropped_write += stats->dropped_write;
}

void
detour_instance_mesh_stats (DetourInstance *self, const DetourMeshReport *report,
                            DetourLinkStats *stats)
{
  const Kept *kept = (const Kept *) report;

  *stats = (DetourLinkStats) { FALSE };
  if (report->link != NULL)
    detour_host_link_stats (self, report->link, stats);
  mesh_report_add (stats, &kept->past);
}

void
detour_instance_mesh_keep (DetourInstance *self, DetourLink *link)
{
  for (guint i = 0; i < self->mesh_reports->len; i++)
    {
      Kept *kept = self->mesh_reports->pdata[i];
      DetourLinkStats stats;

      if (kept->report.link != link)
        continue;
      detour_host_link_stats (self, link, &stats);
      mesh_report_add (&kept->past, &stats);
      kept->report.link = NULL;
    }
}
