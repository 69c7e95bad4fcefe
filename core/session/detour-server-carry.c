/* detour-server-carry.c: all connections of the relay go from one program to the next.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-carry.h"

#include <gio/gio.h>

#include "detour-metric-record.h"
#include "detour-secret-hash.h"
#include "detour-server-left.h"
#include "detour-server-private.h"
#include "detour-session-record.h"

/* Of a listener. */
enum {
  TAG_FD = 1 | DETOUR_RECORD_MUST,
  TAG_NAME = 2 | DETOUR_RECORD_MUST,
};

/* Of the registry. */
enum {
  TAG_R_DUPS = 1,
  TAG_R_MULTI_CREATED = 2,
  TAG_R_MULTI_DELETED = 3,
  TAG_R_OTHER_DELETED = 4,
};

#define NAME_MAX_LEN 512u

/* Rehearsals ------------------------------------------------------------------------------------
 */

void
detour_server_write_samples (DetourServer *self, DetourHandoverDraft *draft,
                             DetourServerPause *counts)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  DetourWorkerSample sample = { .out = detour_handover_draft_record (draft),
                                .tag = DETOUR_HANDOVER_SAMPLE,
                                .seen = seen };

  detour_session_record_write_tags (sample.out, DETOUR_HANDOVER_SESSION_TAGS);
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_sample (self->workers[i], &sample);
  counts->n_kept = sample.n_kept;
  counts->n_links = sample.n_links;
  counts->n_lost = sample.n_lost;
}

gboolean
detour_server_try_samples (const DetourHandover *handover, const DetourChannelTable *channels,
                           const char **reason)
{
  DetourRecordReader reader = detour_handover_items (handover);
  DetourRecordItem item;

  while (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    {
      DetourChannel channel;

      if (item.tag == DETOUR_HANDOVER_SESSION_TAGS && !detour_session_record_knows_tags (&item))
        {
          *reason = "its record has parts that only a newer program knows";
          return FALSE;
        }
      if (item.tag != DETOUR_HANDOVER_SAMPLE)
        continue;
      if (!detour_channel_restore (channels, item.data, item.len, &channel, reason))
        return FALSE;
      detour_channel_clear (&channel);
    }
  return TRUE;
}

/* The old program ------------------------------------------------------------------------------ */

void
detour_server_hold_off (DetourServer *self)
{
  for (guint i = 0; i < self->listeners->len; i++)
    if (!((DetourListener *) self->listeners->pdata[i])->is_paused)
      detour_server_unwatch (self, self->listeners->pdata[i]);
  self->holds_off = TRUE;
}

void
detour_server_accept_again (DetourServer *self)
{
  self->holds_off = FALSE;
  for (guint i = 0; i < self->listeners->len; i++)
    if (!((DetourListener *) self->listeners->pdata[i])->is_paused)
      detour_server_watch (self, self->listeners->pdata[i]);
}

gboolean
detour_server_flush (DetourServer *self, GError **error)
{
  gboolean good = detour_budgets_flush (self->budgets, error);

  return detour_bans_flush (self->bans, good ? error : NULL) && good;
}

/* Handshakes first: what they gave to a worker before is there when it is taken apart. */
void
detour_server_pause (DetourServer *self, DetourServerPause *pause)
{
  pause->since_us = g_get_monotonic_time ();
  pause->sessions = g_ptr_array_new ();
  self->carried_mesh_key = self->mesh_key;
  detour_handshake_pool_stand_still (self->pool);
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_freeze (self->workers[i]);
  detour_registry_stats (self->registry, &pause->registry);
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_detach_all (self->workers[i], pause->sessions);
}

static gboolean
server_carry_write_listener (DetourHandoverDraft *draft, const DetourListener *listener,
                             GError **error)
{
  if (listener->asked == NULL)
    return TRUE;
  for (guint i = 0; i < listener->fds->len; i++)
    {
      g_autofree char *name = detour_listener_dup_name (listener->instance, listener->asked[i]);
      DetourRecord *out = detour_handover_draft_record (draft);
      gsize mark;

      if (detour_listener_is_taken (listener, i))
        {
          g_set_error (
              error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
              "%s: another program has taken %s, so the new program could not listen there",
              listener->instance, (const char *) listener->addresses->pdata[i]);
          return FALSE;
        }
      mark = detour_record_begin (out, DETOUR_HANDOVER_LISTENER);
      detour_record_put_number (
          out, TAG_FD, detour_handover_draft_add_fd (draft, g_array_index (listener->fds, int, i)));
      detour_record_put_text (out, TAG_NAME, name);
      detour_record_end (out, mark);
      if (!detour_handover_draft_commit (draft, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
server_carry_write_session (const DetourServer *self, DetourServerPause *pause,
                            DetourHandoverDraft *draft, DetourSession *session, GError **error)
{
  guint32 place = detour_handover_draft_add_fd (draft, session->fd);

  if (detour_session_record_write (detour_handover_draft_record (draft), DETOUR_HANDOVER_SESSION,
                                   session, place))
    (*(session->is_mesh ? &pause->n_links : &pause->n_kept))++;
  else
    {
      pause->n_lost++;
      detour_server_forget_watch (self, session->watched_by, session->fd);
      session->watched_by = 0;
      detour_record_put_number (detour_handover_draft_record (draft), DETOUR_HANDOVER_STRAGGLER,
                                (guint64) place + 1);
    }
  return detour_handover_draft_commit (draft, error);
}

static void
server_carry_write_counters (const DetourServer *self, DetourRecord *out)
{
  guint n_threads = detour_handshake_pool_n_threads (self->pool);
  g_autofree gconstpointer *structs = g_new (gconstpointer, MAX (self->n_workers, n_threads));

  for (guint i = 0; i < self->n_workers; i++)
    structs[i] = detour_worker_relay_counters (self->workers[i]);
  detour_metric_record_write (out, DETOUR_HANDOVER_RELAY_COUNTERS, detour_relay_metrics, structs,
                              self->n_workers);
  for (guint i = 0; i < self->n_workers; i++)
    structs[i] = detour_worker_counters (self->workers[i]);
  detour_metric_record_write (out, DETOUR_HANDOVER_WORKER_COUNTERS, detour_worker_metrics, structs,
                              self->n_workers);
  for (guint i = 0; i < n_threads; i++)
    structs[i] = detour_handshake_pool_counters (self->pool, i);
  detour_metric_record_write (out, DETOUR_HANDOVER_HANDSHAKE_COUNTERS, detour_handshake_metrics,
                              structs, n_threads);
}

static void
server_carry_write_registry (DetourRecord *out, const DetourRegistryStats *stats)
{
  gsize mark = detour_record_begin (out, DETOUR_HANDOVER_REGISTRY_TOTALS);

  detour_record_put_number (out, TAG_R_DUPS, stats->total_dups);
  detour_record_put_number (out, TAG_R_MULTI_CREATED, stats->total_multi_created);
  detour_record_put_number (out, TAG_R_MULTI_DELETED, stats->total_multi_deleted);
  detour_record_put_number (out, TAG_R_OTHER_DELETED, stats->total_other_deleted);
  detour_record_end (out, mark);
}

static void
server_carry_write_tenant (DetourTenant *tenant, const DetourTenantGroup *group, gpointer user)
{
  detour_tenant_write (tenant, user, DETOUR_HANDOVER_TENANT);
}

gboolean
detour_server_write_down (DetourServer *self, DetourServerPause *pause, DetourHandoverDraft *draft,
                          GError **error)
{
  gboolean good = TRUE;

  pause->n_kept = pause->n_links = pause->n_lost = 0;
  server_carry_write_counters (self, detour_handover_draft_record (draft));
  server_carry_write_registry (detour_handover_draft_record (draft), &pause->registry);
  detour_server_write_mesh_key (self, detour_handover_draft_record (draft));
  detour_tenant_table_foreach (self->tenants, server_carry_write_tenant,
                               detour_handover_draft_record (draft));
  if (pause->same_process)
    detour_server_write_watches (self, draft);
  for (guint i = 0; good && i < self->listeners->len; i++)
    good = server_carry_write_listener (draft, self->listeners->pdata[i], error);
  for (guint i = 0; good && i < pause->sessions->len; i++)
    good = server_carry_write_session (self, pause, draft, pause->sessions->pdata[i], error);
  return good && detour_server_left_write (self, draft, &pause->n_unfinished, error);
}

/* Both programs -------------------------------------------------------------------------------- */

/* Whose loop watches it already, or any. */
static DetourWorker *
server_carry_choose_worker (const DetourServer *self, const DetourSession *session, guint i)
{
  return self->workers[session->watched_by > 0 ? session->watched_by - 1 : i % self->n_workers];
}

/* Connections of one key go to one worker, the one that gets the packets as the last: so it gets
 * them again. @registry: (nullable): its totals */
static void
server_carry_adopt (DetourServer *self, GPtrArray *sessions, const DetourRegistryStats *registry)
{
  g_autoptr (GHashTable) workers = g_hash_table_new_full (
      detour_secret_hash_key, detour_secret_hash_key_equal, g_free, NULL);

  for (guint pass = 0; pass < 2; pass++)
    for (guint i = sessions->len; i-- > 0;)
      {
        DetourSession *session = sessions->pdata[i];
        gpointer worker;

        /* NULL: a worker has it, and frees it. */
        if (session == NULL || session->client.is_active != (pass == 1))
          continue;
        worker = g_hash_table_lookup (workers, &session->key);
        if (worker == NULL)
          {
            worker = server_carry_choose_worker (self, session, i);
            g_hash_table_insert (workers, g_memdup2 (&session->key, sizeof session->key), worker);
          }
        sessions->pdata[i] = NULL;
        detour_worker_adopt (worker, session);
      }
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_wait (self->workers[i]);
  if (registry != NULL)
    detour_registry_set_totals (self->registry, registry);
  detour_server_judge_mesh (self);
  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_thaw (self->workers[i]);
}

void
detour_server_resume (DetourServer *self, DetourServerPause *pause)
{
  server_carry_adopt (self, pause->sessions, &pause->registry);
  g_clear_pointer (&pause->sessions, g_ptr_array_unref);
  detour_handshake_pool_go_on (self->pool);
}

/* The new program ------------------------------------------------------------------------------ */

static gboolean
server_carry_read_listener (const DetourRecordItem *item, guint32 *place, char **name)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner;
  DetourRecordStep step;

  *place = 0;
  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    if (inner.tag == TAG_FD)
      {
        if (!detour_record_u32 (&inner, place))
          return FALSE;
      }
    else if (inner.tag == TAG_NAME && *name == NULL)
      *name = detour_record_dup_text (&inner, NAME_MAX_LEN);
    else if ((inner.tag & DETOUR_RECORD_MUST) != 0)
      return FALSE;
  return step == DETOUR_RECORD_END && *name != NULL;
}

static void
server_carry_inherit (DetourServer *self, DetourHandover *handover, const DetourRecordItem *item)
{
  g_autofree char *name = NULL;
  guint32 place;
  int fd;

  if (!server_carry_read_listener (item, &place, &name))
    return;
  fd = detour_handover_take_fd (handover, place);
  if (fd >= 0)
    detour_inherited_add (self->inherited, fd, name);
}

static gboolean
server_carry_take_total (const DetourRecordItem *item, gpointer user)
{
  DetourRegistryStats *stats = user;

  switch (item->tag)
    {
    case TAG_R_DUPS:
      return detour_record_number (item, G_MAXUINT64, &stats->total_dups);
    case TAG_R_MULTI_CREATED:
      return detour_record_number (item, G_MAXUINT64, &stats->total_multi_created);
    case TAG_R_MULTI_DELETED:
      return detour_record_number (item, G_MAXUINT64, &stats->total_multi_deleted);
    case TAG_R_OTHER_DELETED:
      return detour_record_number (item, G_MAXUINT64, &stats->total_other_deleted);
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

static void
server_carry_expect_totals (DetourServer *self, const DetourRecordItem *item)
{
  g_autofree DetourRegistryStats *stats = g_new0 (DetourRegistryStats, 1);

  if (!detour_record_take_inside (item, server_carry_take_total, stats))
    return;
  g_free (self->carried_totals);
  self->carried_totals = g_steal_pointer (&stats);
}

void
detour_server_expect (DetourServer *self, DetourHandover *handover)
{
  DetourRecordReader reader = detour_handover_items (handover);
  g_autoptr (GArray) watches = g_array_new (FALSE, FALSE, sizeof (guint32));
  DetourRecordItem item;
  guint32 place;

  for (guint i = 0; i < self->n_workers; i++)
    detour_worker_freeze (self->workers[i]);
  self->inherited = detour_inherited_new ();
  while (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    switch (item.tag)
      {
      case DETOUR_HANDOVER_LISTENER:
        server_carry_inherit (self, handover, &item);
        break;
      case DETOUR_HANDOVER_WATCH:
        if (detour_record_u32 (&item, &place) && place > 0)
          g_array_append_val (watches, place);
        break;
      case DETOUR_HANDOVER_MESH_KEY:
        detour_server_expect_mesh_key (self, &item);
        break;
      case DETOUR_HANDOVER_SESSION:
        detour_server_expect_link (self, &item);
        break;
      case DETOUR_HANDOVER_REGISTRY_TOTALS:
        server_carry_expect_totals (self, &item);
        break;
      case DETOUR_HANDOVER_RELAY_COUNTERS:
        detour_worker_count_on (self->workers[0], &item, NULL);
        break;
      case DETOUR_HANDOVER_WORKER_COUNTERS:
        detour_worker_count_on (self->workers[0], NULL, &item);
        break;
      case DETOUR_HANDOVER_HANDSHAKE_COUNTERS:
        detour_handshake_pool_count_on (self->pool, detour_handover_about (handover)->n_connections,
                                        &item);
        break;
      default:
        break;
      }
  detour_server_inherit_watches (self, handover, watches);
}

/* What is read of the record before it is forgotten. */
typedef struct {
  DetourServer *server;
  DetourHandover *handover;
  GPtrArray *sessions;
  DetourServerLeft *left;
  guint n_refused; /* sessions that this program could not take */
} TakeoverDraft;

/* A tenant that is not in the configuration any more has no place for its clients. */
static gboolean
server_carry_enter_tenant (DetourServer *self, DetourSessionRecord *record)
{
  const DetourClientState *client = &record->session->client;
  g_autoptr (DetourTenant) tenant = NULL;

  if (record->tenant == NULL)
    return TRUE;
  tenant = detour_tenant_table_find (self->tenants, record->tenant);
  if (tenant == NULL)
    return FALSE;
  record->session->visit = detour_tenant_enter_again (
      tenant, &(DetourTenantTraffic) { client->rx_packets, client->rx_bytes, client->tx_packets,
                                       client->tx_bytes, client->dropped_packets });
  return TRUE;
}

/* A descriptor that cannot be used is closed with @handover. */
static gboolean
server_carry_take_session (TakeoverDraft *draft, const DetourRecordItem *item)
{
  const DetourChannelTable *channels = detour_roster_channels (draft->server->roster);
  g_auto (DetourSessionRecord) record = { NULL };
  const char *reason;
  DetourSession *session;

  if (!detour_session_record_read (item, channels, &record, &reason))
    {
      g_warning ("a connection does not go along: %s", reason);
      return FALSE;
    }
  if (record.session->watched_by > draft->server->n_watching)
    record.session->watched_by = 0;
  if (!server_carry_enter_tenant (draft->server, &record))
    {
      g_warning ("a connection does not go along: there is no tenant \"%s\" any more",
                 record.tenant);
      detour_server_forget_watch (
          draft->server, record.session->watched_by,
          detour_server_left_behind (draft->left, draft->handover, record.fd, 0));
      return FALSE;
    }
  session = g_steal_pointer (&record.session);
  if (session->link != NULL)
    detour_server_meet_link (draft->server, session);
  session->fd = detour_handover_take_fd (draft->handover, record.fd);
  if (session->fd < 0)
    {
      g_warning ("a connection does not go along: its descriptor is not there");
      detour_session_free (session);
      return FALSE;
    }
  detour_address_counts_restore (draft->server->addresses, &session->address_key);
  g_ptr_array_add (draft->sessions, session);
  return TRUE;
}

static void
server_carry_take_tenant (DetourServer *self, const DetourRecordItem *item)
{
  g_autofree char *name = detour_tenant_read_name (item);
  g_autoptr (DetourTenant) tenant = name != NULL ? detour_tenant_table_find (self->tenants, name)
                                                 : NULL;

  if (tenant != NULL)
    detour_tenant_count_on (tenant, item);
}

static void
server_carry_read (TakeoverDraft *draft)
{
  DetourRecordReader reader = detour_handover_items (draft->handover);
  DetourRecordItem item;

  while (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    if (item.tag == DETOUR_HANDOVER_SESSION)
      draft->n_refused += server_carry_take_session (draft, &item) ? 0 : 1;
    else if (item.tag == DETOUR_HANDOVER_TENANT)
      server_carry_take_tenant (draft->server, &item);
    else
      detour_server_left_read (draft->left, draft->server, draft->handover, &item);
}

gboolean
detour_server_take_over (DetourServer *self, DetourHandover *handover,
                         gboolean (*commit) (gpointer user), gpointer user, DetourTakeover *result)
{
  const DetourHandoverAbout *about = detour_handover_about (handover);
  g_autoptr (GPtrArray) sessions = g_ptr_array_new ();
  g_auto (DetourServerLeft) left;
  TakeoverDraft draft = { self, handover, sessions, &left, 0 };
  guint n_links = 0;

  detour_server_left_init (&left);
  server_carry_read (&draft);
  if (commit != NULL && !commit (user))
    return FALSE;
  for (guint i = 0; i < sessions->len; i++)
    n_links += ((const DetourSession *) sessions->pdata[i])->is_mesh;
  detour_server_expect_no_more_links (self);
  g_clear_pointer (&self->inherited, detour_inherited_free);
  /* From the moment that one of the workers seals something the record would be wrong. */
  detour_handover_forget (handover);
  server_carry_adopt (self, sessions, self->carried_totals);
  g_clear_pointer (&self->carried_totals, g_free);
  detour_server_left_go_on (self, &left);
  *result = (DetourTakeover) {
    .n_unfinished = (guint) (about->n_unfinished - MIN (about->n_unfinished, left.unheard->len)),
    .n_kept = sessions->len - n_links,
    .n_links = n_links,
    .n_lost = (guint) about->n_lost + draft.n_refused,
    .paused_us = g_get_monotonic_time () - about->paused_us,
  };
  detour_recheck_all (self->recheck);
  return TRUE;
}
