/* detour-mesh-report.c: what an instance tells of the other servers of the region.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-mesh-report.h"

#include <string.h>

#include "detour-events.h"
#include "detour-instance-private.h"
#include "detour-text.h"

/* Part of it may be the words of a stranger. */
#define TEXT_MAX 500u

#define NAME_MAX_LEN 256u
/* Of peers whose sums are taken over. */
#define CARRIED_MAX 4096u

/* Of the sums of a peer. Numbers of tags are never used for another thing. */
enum {
  TAG_NAME = 1,
  TAG_PACKETS = 2,
  TAG_BYTES = 3,
  TAG_DROPPED_QUEUE = 4,
  TAG_DROPPED_GONE = 5,
  TAG_DROPPED_WRITE = 6,
};

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

static guint
mesh_report_index (const GPtrArray *reports, const char *name)
{
  guint i = 0;

  while (i < reports->len && strcmp (((const Kept *) reports->pdata[i])->report.name, name) != 0)
    i++;
  return i;
}

/* What was told of a peer of that name; NULL: nothing. */
static const Kept *
mesh_report_find (const GPtrArray *reports, const char *name)
{
  guint i = mesh_report_index (reports, name);

  return i < reports->len ? reports->pdata[i] : NULL;
}

/* Events --------------------------------------------------------------------------------------- */

static void
mesh_report_note (const DetourHost *host, const DetourMeshReport *report, const char *what,
                  const char *why)
{
  DetourKey key;

  if (report->server_key != NULL)
    memcpy (key.bytes, report->server_key, DETOUR_KEY_SIZE);
  detour_events_note (DETOUR_EVENT_LINK, report->server_key != NULL ? &key : NULL, report->address,
                      detour_instance_id (host), "peer %s: %s%s%s", report->name, what,
                      why != NULL ? ": " : "", why != NULL ? why : "");
}

/* A link that was up when the peer was told of first came along from the program before. That a
 * link cannot be made is noted once, and not for each attempt. */
static void
mesh_report_note_change (const DetourHost *host, const DetourMeshReport *before,
                         const DetourMeshReport *now)
{
  gboolean was_up = before->state == DETOUR_MESH_UP, is_up = now->state == DETOUR_MESH_UP;

  if (is_up && (!was_up || before->n_up != now->n_up))
    mesh_report_note (host, now, "the link is up", NULL);
  else if (was_up && !is_up)
    mesh_report_note (host, before, "the link ended",
                      now->error != NULL ? now->error : "the configuration is another one");
  else if (!is_up && before->error == NULL && now->error != NULL)
    mesh_report_note (host, now, "no link", now->error);
}

/* @now: (nullable): the instance stops */
static void
mesh_report_note_changes (const DetourHost *host, const GPtrArray *before, const GPtrArray *now)
{
  for (guint i = 0; i < before->len; i++)
    {
      const Kept *was = before->pdata[i];
      const Kept *is = now != NULL ? mesh_report_find (now, was->report.name) : NULL;

      if (is != NULL)
        mesh_report_note_change (host, &was->report, &is->report);
      else if (was->report.state == DETOUR_MESH_UP)
        mesh_report_note (host, &was->report, "the link ended",
                          now != NULL ? "it is no peer any more" : "the instance was stopped");
    }
}

/* ---------------------------------------------------------------------------------------------- */

static void
mesh_report_release (gpointer owner, gpointer thing)
{
  DetourHost *host = owner;

  mesh_report_note_changes (host, host->mesh_reports, NULL);
  g_ptr_array_set_size (host->mesh_reports, 0);
  g_ptr_array_set_size (host->mesh_carried, 0);
  detour_instance_changed (host, FALSE);
}

/* What was counted of a peer of that name before, by this program or the one before it. */
static DetourLinkStats
mesh_report_past (const GPtrArray *before, GPtrArray *carried, const char *name)
{
  guint i = mesh_report_index (before, name), k = mesh_report_index (carried, name);
  DetourLinkStats past = { FALSE };

  if (i < before->len)
    return ((const Kept *) before->pdata[i])->past;
  if (k < carried->len)
    {
      past = ((const Kept *) carried->pdata[k])->past;
      g_ptr_array_remove_index_fast (carried, k);
    }
  return past;
}

void
detour_host_report_mesh (DetourHost *host, const DetourMeshReport *reports, guint n)
{
  const DetourHostHooks *hooks = host->context->hooks;
  g_autoptr (GPtrArray) before = host->mesh_reports;

  host->mesh_reports = detour_mesh_reports_new ();
  for (guint i = 0; i < n; i++)
    {
      Kept *kept = mesh_report_copy (&reports[i]);

      kept->past = mesh_report_past (before, host->mesh_carried, kept->report.name);
      if (hooks->know_peer != NULL && kept->report.server_key != NULL
          && kept->report.state != DETOUR_MESH_ITSELF)
        hooks->know_peer (host->context->hooks_data, kept->report.server_key);
      g_ptr_array_add (host->mesh_reports, kept);
    }
  mesh_report_note_changes (host, before, host->mesh_reports);
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

/* From one program to the next ------------------------------------------------------------------
 */

static void
mesh_report_write (const Kept *kept, DetourRecord *out, guint16 tag)
{
  gsize mark = detour_record_begin (out, tag);

  detour_record_put_text (out, TAG_NAME, kept->report.name);
  detour_record_put_number (out, TAG_PACKETS, kept->past.packets);
  detour_record_put_number (out, TAG_BYTES, kept->past.bytes);
  detour_record_put_number (out, TAG_DROPPED_QUEUE, kept->past.dropped_queue);
  detour_record_put_number (out, TAG_DROPPED_GONE, kept->past.dropped_gone);
  detour_record_put_number (out, TAG_DROPPED_WRITE, kept->past.dropped_write);
  detour_record_end (out, mark);
}

/* Also those that the program before had counted and nobody reported of since. */
void
detour_mesh_reports_write (const DetourInstance *self, DetourRecord *out, guint16 tag)
{
  for (guint i = 0; i < self->mesh_reports->len; i++)
    mesh_report_write (self->mesh_reports->pdata[i], out, tag);
  for (guint i = 0; i < self->mesh_carried->len; i++)
    mesh_report_write (self->mesh_carried->pdata[i], out, tag);
}

static gboolean
mesh_report_take (const DetourRecordItem *item, gpointer user)
{
  Kept *kept = user;

  switch (item->tag)
    {
    case TAG_NAME:
      if (kept->report.name != NULL)
        return FALSE;
      kept->report.name = detour_record_dup_text (item, NAME_MAX_LEN);
      return kept->report.name != NULL;
    case TAG_PACKETS:
      return detour_record_number (item, G_MAXUINT64, &kept->past.packets);
    case TAG_BYTES:
      return detour_record_number (item, G_MAXUINT64, &kept->past.bytes);
    case TAG_DROPPED_QUEUE:
      return detour_record_number (item, G_MAXUINT64, &kept->past.dropped_queue);
    case TAG_DROPPED_GONE:
      return detour_record_number (item, G_MAXUINT64, &kept->past.dropped_gone);
    case TAG_DROPPED_WRITE:
      return detour_record_number (item, G_MAXUINT64, &kept->past.dropped_write);
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

gboolean
detour_mesh_reports_read (DetourInstance *self, const DetourRecordItem *item)
{
  Kept *kept = g_new0 (Kept, 1);
  gboolean is_good = detour_record_take_inside (item, mesh_report_take, kept)
                  && kept->report.name != NULL;

  if (is_good && self->mesh_carried->len < CARRIED_MAX)
    g_ptr_array_add (self->mesh_carried, kept);
  else
    mesh_report_free (kept);
  return is_good;
}
