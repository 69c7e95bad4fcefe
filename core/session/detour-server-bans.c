/* detour-server-bans.c: carries bans out: what they mean for connections that are there and that
 * come.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

#include "detour-address.h"
#include "detour-events.h"
#include "detour-log.h"
#include "detour-scan.h"

#define FILE_NAME "bans"

/* A change that is being carried out. */
typedef struct {
  DetourServer *server;
  DetourNetSet *networks; /* that are banned by it; NULL: none */
  guint n_pending;        /* of writing, looking, and the caller of both */
  guint n_closed;
  GError *problem;
  DetourServerBanned done;
  gpointer data;
} Banning;

static void
server_bans_end (Banning *banning)
{
  if (--banning->n_pending > 0)
    return;
  if (banning->done != NULL)
    banning->done (banning->n_closed, banning->problem, banning->data);
  g_clear_error (&banning->problem);
  g_clear_pointer (&banning->networks, detour_net_set_unref);
  g_free (banning);
}

static void
server_bans_on_kept (const GError *error, gpointer data)
{
  Banning *banning = data;

  banning->problem = error != NULL ? g_error_copy (error) : NULL;
  server_bans_end (banning);
}

/* Networks ------------------------------------------------------------------------------------- */

/* It does not come back, and packets of its clients do not either. */
static void
server_bans_tell_peer (const DetourScanRow *row)
{
  g_autofree char *key = detour_key_to_text (&row->key);
  char address[DETOUR_ADDRESS_TEXT_MAX];

  detour_address_format_bytes (row->presence.ip, row->presence.port, address);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "peer-banned",
                    DETOUR_LOG_KEY, key, DETOUR_LOG_ADDRESS, address, "MESSAGE",
                    "the ban of a network closes a connection with the mesh key, from %s: if that "
                    "is another server of the region (%s), its packets do not come here until the "
                    "ban is lifted",
                    address, key);
}

static void
server_bans_on_scan (DetourScan *scan, gpointer data)
{
  Banning *banning = data;
  DetourServer *server = banning->server;
  GPtrArray *rows = detour_scan_rows (scan);

  server->n_ban_scans--;
  for (guint i = 0; i < rows->len; i++)
    {
      const DetourScanRow *row = rows->pdata[i];
      DetourHandle handle = row->handle;

      if (row->is_mesh)
        server_bans_tell_peer (row);
      detour_worker_close (server->workers[DETOUR_HANDLE_WORKER (handle)], handle,
                           DETOUR_CLOSE_REVOKED);
    }
  banning->n_closed += rows->len;
  detour_scan_free (scan);
  server_bans_end (banning);
}

/* What was handed on to other servers, and tunnels. */
static void
server_bans_close_forwarded (Banning *banning)
{
  DetourForwarder *forwarder = detour_handshake_pool_forwarder (banning->server->pool);

  if (forwarder != NULL)
    detour_forwarder_close_from (forwarder, banning->networks);
}

/* Closes what the workers and the forwarder have from the networks, mesh connections too: at the
 * next connection nobody could know that it will be one. */
static void
server_bans_scan (Banning *banning)
{
  const DetourScanFilter filter = { .networks = banning->networks };

  server_bans_close_forwarded (banning);
  banning->n_pending++;
  banning->server->n_ban_scans++;
  detour_scan_all (banning->server, &filter, server_bans_on_scan, banning);
}

static void
server_bans_on_settled (gpointer data)
{
  Banning *banning = data;

  server_bans_scan (banning);
  server_bans_end (banning);
}

static void
server_bans_drop_settled (gpointer data)
{
  server_bans_end (data);
}

/* Once now, and once when clients that were let in before have arrived at their workers. */
static void
server_bans_close_networks (Banning *banning)
{
  DetourServer *self = banning->server;
  Banning *later = g_new0 (Banning, 1);

  server_bans_scan (banning);
  later->server = self;
  later->networks = detour_net_set_ref (banning->networks);
  later->n_pending = 1;
  detour_handshake_pool_settle (self->pool, self->bans_settled, server_bans_on_settled, later,
                                server_bans_drop_settled);
}

/* Keys ----------------------------------------------------------------------------------------- */

static void
server_bans_count_conn (const DetourPeer *peer, DetourHandle handle, const DetourPresence *presence,
                        gpointer user)
{
  if ((presence->flags & DETOUR_FRAME_PRESENT_MESH) == 0)
    (*(guint *) user)++;
}

/* Whoever shows the mesh key is another relay of the operator, and is not meant. */
static void
server_bans_close_key (Banning *banning, const DetourKey *key)
{
  DetourServer *self = banning->server;

  detour_registry_each_conn_of_all (self->registry, key, server_bans_count_conn,
                                    &banning->n_closed);
  detour_admission_revoke (self->admission, NULL, key);
  detour_recheck_revoke (self->recheck, key);
}

/* ---------------------------------------------------------------------------------------------- */

static void
server_bans_carry_out (Banning *banning, const DetourBanTarget *targets, guint n)
{
  g_autoptr (GArray) networks = g_array_new (FALSE, FALSE, sizeof (DetourCidr));

  for (guint i = 0; i < n; i++)
    if (targets[i].is_key)
      server_bans_close_key (banning, &targets[i].key);
    else
      g_array_append_val (networks, targets[i].network);
  /* What was asked before a key was forgotten is not remembered, whoever it was about. */
  if (networks->len < n)
    detour_admission_bans_changed (banning->server->admission);
  if (networks->len == 0)
    return;
  banning->networks = detour_net_set_new ((const DetourCidr *) (gpointer) networks->data,
                                          networks->len);
  server_bans_close_networks (banning);
}

gboolean
detour_server_ban (DetourServer *self, const DetourBanTarget *targets, guint n, gint64 for_us,
                   const char *reason, DetourServerBanned done, gpointer data, GError **error)
{
  Banning *banning = g_new0 (Banning, 1);

  banning->server = self;
  /* The writing and this function. */
  banning->n_pending = 2;
  banning->done = done;
  banning->data = data;
  if (!detour_bans_add (self->bans, targets, n, for_us, reason, server_bans_on_kept, banning,
                        error))
    {
      g_free (banning);
      return FALSE;
    }
  if (!self->is_stopped)
    server_bans_carry_out (banning, targets, n);
  server_bans_end (banning);
  return TRUE;
}

static void
server_bans_on_followed (guint n, const GError *problem, gpointer data)
{
  if (problem != NULL)
    detour_log_event (G_LOG_LEVEL_WARNING, "ban-not-kept",
                      "a ban that follows a node to its new key holds until the daemon ends, but "
                      "could not be written down: %s",
                      problem->message);
}

void
detour_server_follow_ban (DetourServer *self, const DetourKey *before, const DetourKey *after)
{
  const DetourBanTarget old = { .is_key = TRUE, .key = *before };
  const DetourBanTarget target = { .is_key = TRUE, .key = *after };
  gint64 now_us = g_get_real_time ();
  char old_text[DETOUR_BAN_TARGET_MAX], text[DETOUR_BAN_TARGET_MAX];
  g_autofree char *reason = NULL;
  g_autoptr (GError) error = NULL;
  const DetourBan *ban;

  if (detour_bans_count (self->bans) == 0)
    return;
  ban = detour_bans_find (self->bans, detour_ban_target_format (&old, old_text));
  if (ban == NULL || (ban->until_us != 0 && ban->until_us <= now_us)
      || detour_bans_find (self->bans, detour_ban_target_format (&target, text)) != NULL)
    return;
  reason = g_strdup (ban->reason);
  if (!detour_server_ban (self, &target, 1, ban->until_us != 0 ? ban->until_us - now_us : 0, reason,
                          server_bans_on_followed, NULL, &error))
    {
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "ban-not-kept",
                        DETOUR_LOG_KEY, text, DETOUR_LOG_KEY_BEFORE, old_text, "MESSAGE",
                        "the ban on %s cannot follow the node, which is %s now: %s", old_text, text,
                        error->message);
      return;
    }
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "banned", DETOUR_LOG_KEY,
                    text, DETOUR_LOG_KEY_BEFORE, old_text, "MESSAGE",
                    "%s is banned: it is the new key of the node that had %s, which the operator "
                    "has banned%s%s",
                    text, old_text, *reason != '\0' ? ": " : "", reason);
  detour_events_note (DETOUR_EVENT_BAN, after, NULL, "operator", "%s", reason);
}

/* The bans in force are others. */
static void
server_bans_on_changed (gpointer user)
{
  DetourServer *self = user;

  detour_admission_bans_changed (self->admission);
  if (self->is_stopped)
    return;
  detour_handshake_pool_set_banned (self->pool, detour_bans_networks (self->bans));
  detour_handshake_pool_ask_again (self->pool);
}

static const DetourBansPort port = { .changed = server_bans_on_changed };

DetourBans *
detour_server_bans (const DetourServer *self)
{
  return self->bans;
}

void
detour_server_open_bans (DetourServer *self, const char *state_directory)
{
  g_autofree char *path = g_build_filename (state_directory, FILE_NAME, NULL);

  detour_bans_open (self->bans, path);
}

void
detour_server_init_bans (DetourServer *self)
{
  self->bans = detour_bans_new (&port, self);
  self->bans_settled = detour_mailbox_new ();
  detour_admission_set_bans (self->admission, self->bans);
}

void
detour_server_stop_bans (DetourServer *self)
{
  detour_mailbox_close (self->bans_settled);
  while (self->n_ban_scans > 0)
    g_main_context_iteration (NULL, TRUE);
}

void
detour_server_clear_bans (DetourServer *self)
{
  detour_bans_free (self->bans);
  detour_mailbox_free (self->bans_settled);
}
