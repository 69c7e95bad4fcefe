/* detour-recheck.c: asks again about the clients that are connected, now and then or because
 * verdicts changed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-recheck.h"

#include "detour-log-limit.h"

/* The interval is cut into so many parts, none of them shorter or longer than that. */
#define PARTS      60
#define PART_MIN_S 1
#define PART_MAX_S 10

struct _DetourRecheck {
  DetourAdmission *admission; /* NULL: stopped */
  const DetourRecheckPort *port;
  gpointer user;
  guint worker;           /* that is scanned next */
  guint32 slot;           /* in it */
  gboolean is_all;        /* goes on to the end of the round without a pause */
  gboolean found_any;     /* in this round */
  double due;             /* clients it is time to ask about */
  gpointer scan;          /* NULL: none is out */
  guint n_open;           /* requests that are out */
  DetourMailbox *settled; /* for what waits until clients on their way have arrived */
  guint change;           /* counts changes after which all are asked about */
  guint timer;
  guint part_s;
  DetourLogLimit ends;
};

typedef struct {
  DetourRecheck *recheck;
  DetourHandle handle;
  DetourKey key;
} Ask;

/* A change of all verdicts, or of that on one key, that waits for clients on their way. */
typedef struct {
  DetourRecheck *recheck;
  guint change;
  DetourKey key;
  char *tenant; /* NULL: everywhere */
} Change;

static void recheck_go_on (DetourRecheck *self);

DetourRecheck *
detour_recheck_new (DetourAdmission *admission, const DetourRecheckPort *port, gpointer user)
{
  DetourRecheck *self = g_new0 (DetourRecheck, 1);

  self->admission = admission;
  self->port = port;
  self->user = user;
  self->settled = detour_mailbox_new ();
  detour_log_limit_init (&self->ends, g_get_monotonic_time ());
  return self;
}

void
detour_recheck_stop (DetourRecheck *self)
{
  self->admission = NULL;
  g_clear_handle_id (&self->timer, g_source_remove);
  detour_mailbox_close (self->settled);
  if (self->scan != NULL)
    self->port->cancel (g_steal_pointer (&self->scan));
}

void
detour_recheck_free (DetourRecheck *self)
{
  g_assert (self->admission == NULL && self->n_open == 0);
  detour_mailbox_free (self->settled);
  g_free (self);
}

static void
recheck_log_end (DetourRecheck *self, const DetourKey *key, const DetourVerdict *verdict)
{
  g_autofree char *text = detour_key_to_text (key);
  GLogLevelFlags level = detour_log_limit_level (&self->ends, g_get_monotonic_time ());

  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "client-revoked", DETOUR_LOG_KEY, text,
                    DETOUR_LOG_INSTANCE, verdict->instance, "MESSAGE",
                    "closing %s, which is not admitted any more: %s (%s)", text,
                    detour_verdict_reason (verdict), verdict->instance);
}

static void
recheck_log_stray (DetourRecheck *self, const DetourScanRow *client)
{
  g_autofree char *text = detour_key_to_text (&client->key);
  GLogLevelFlags level = detour_log_limit_level (&self->ends, g_get_monotonic_time ());
  g_autofree char *why = client->tenant != NULL ? g_strdup_printf (
                             "whose tenant %s is not there any more, or not for its name",
                             detour_tenant_name (client->tenant))
                                                : g_strdup ("which belongs to a tenant now");

  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "client-revoked", DETOUR_LOG_KEY, text,
                    DETOUR_LOG_INSTANCE, "admission", "MESSAGE", "closing %s, %s (admission)", text,
                    why);
}

/* TRUE: it is closed, because it does not belong where it is any more. */
static gboolean
recheck_closes_stray (DetourRecheck *self, const DetourScanRow *client)
{
  if (self->port->belongs == NULL || self->port->belongs (self->user, client))
    return FALSE;
  recheck_log_stray (self, client);
  self->port->close (self->user, client->handle);
  return TRUE;
}

static gboolean
recheck_has_tenants (const DetourRecheck *self)
{
  return self->port->has_tenants != NULL && self->port->has_tenants (self->user);
}

static void
recheck_on_verdict (DetourVerdict *verdict, gpointer data)
{
  g_autofree Ask *ask = data;
  DetourRecheck *self = ask->recheck;

  self->n_open--;
  if (self->admission == NULL)
    return;
  if (verdict->result == DETOUR_AUTH_DENY)
    {
      recheck_log_end (self, &ask->key, verdict);
      self->port->close (self->user, ask->handle);
    }
  else if (verdict->result == DETOUR_AUTH_ALLOW)
    self->port->allow (self->user, ask->handle, verdict);
  if (self->n_open == 0)
    recheck_go_on (self);
}

/* To the next worker, or to the first one of the next round. */
static void
recheck_step (DetourRecheck *self)
{
  self->slot = 0;
  if (++self->worker < self->port->n_workers (self->user))
    return;
  self->worker = 0;
  self->is_all = FALSE;
  if (!self->found_any)
    self->due = 0;
  self->found_any = FALSE;
}

static void
recheck_on_scan (const DetourScanRow *clients, guint n, guint32 next, gpointer data)
{
  DetourRecheck *self = data;

  self->scan = NULL;
  self->due = MAX (self->due - n, 0);
  self->found_any |= n > 0;
  if (next == DETOUR_SCAN_END)
    recheck_step (self);
  else
    self->slot = next;

  for (guint i = 0; i < n; i++)
    {
      Ask *ask;

      if (recheck_closes_stray (self, &clients[i]) || detour_admission_is_open (self->admission))
        continue;
      ask = g_new (Ask, 1);
      *ask = (Ask) { self, clients[i].handle, *detour_auth_request_key (clients[i].request) };
      self->n_open++;
      detour_admission_recheck (self->admission, clients[i].request, recheck_on_verdict, ask);
    }
  if (self->n_open == 0)
    recheck_go_on (self);
}

/* The next few, if it is time and the ones before are finished. */
static void
recheck_go_on (DetourRecheck *self)
{
  guint max = self->is_all ? DETOUR_RECHECK_BATCH : (guint) MIN (self->due, DETOUR_RECHECK_BATCH);

  if (self->scan != NULL || self->n_open > 0 || max == 0)
    return;
  if (detour_admission_is_open (self->admission) && !recheck_has_tenants (self))
    {
      self->is_all = FALSE;
      self->due = 0;
      return;
    }
  self->scan = self->port->scan (self->user, self->worker, self->slot, max, recheck_on_scan, self);
}

static Change *
recheck_change_new (DetourRecheck *self)
{
  Change *change = g_new0 (Change, 1);

  change->recheck = self;
  change->change = ++self->change;
  return change;
}

static void
recheck_on_settled (gpointer data)
{
  g_autofree Change *change = data;
  DetourRecheck *self = change->recheck;

  /* A later one begins from the beginning as well. */
  if (change->change != self->change)
    return;
  if (self->scan != NULL)
    self->port->cancel (g_steal_pointer (&self->scan));
  self->worker = 0;
  self->slot = 0;
  self->is_all = TRUE;
  recheck_go_on (self);
}

void
detour_recheck_all (DetourRecheck *self)
{
  if (self->admission != NULL)
    self->port->settle (self->user, self->settled, recheck_on_settled, recheck_change_new (self),
                        g_free);
}

static void
recheck_change_free (gpointer data)
{
  Change *change = data;

  g_free (change->tenant);
  g_free (change);
}

static void
recheck_on_revoked_settled (gpointer data)
{
  Change *change = data;

  change->recheck->port->close_key (change->recheck->user, &change->key, change->tenant);
  recheck_change_free (change);
}

void
detour_recheck_revoke_in (DetourRecheck *self, const DetourKey *key, const char *tenant)
{
  Change *change;

  if (self->admission == NULL)
    return;
  self->port->close_key (self->user, key, tenant);
  change = g_new0 (Change, 1);
  change->recheck = self;
  change->key = *key;
  change->tenant = g_strdup (tenant);
  self->port->settle (self->user, self->settled, recheck_on_revoked_settled, change,
                      recheck_change_free);
}

void
detour_recheck_revoke (DetourRecheck *self, const DetourKey *key)
{
  detour_recheck_revoke_in (self, key, NULL);
}

void
detour_recheck_pass (DetourRecheck *self, gint64 elapsed_us)
{
  gint64 interval_us = self->admission != NULL ? detour_admission_recheck_us (self->admission) : 0;
  guint n = self->port->n_clients (self->user);

  if (interval_us <= 0)
    return;
  self->due = MIN (self->due + (double) n * (double) elapsed_us / (double) interval_us, n);
  recheck_go_on (self);
}

static gboolean
recheck_on_timer (gpointer data)
{
  DetourRecheck *self = data;

  detour_recheck_pass (self, self->part_s * G_USEC_PER_SEC);
  return G_SOURCE_CONTINUE;
}

void
detour_recheck_apply (DetourRecheck *self)
{
  gint64 interval_us = detour_admission_recheck_us (self->admission);

  g_clear_handle_id (&self->timer, g_source_remove);
  if (interval_us > 0 && !detour_admission_is_open (self->admission))
    {
      self->part_s = (guint) CLAMP (interval_us / PARTS / G_USEC_PER_SEC, PART_MIN_S, PART_MAX_S);
      self->timer = g_timeout_add_seconds (self->part_s, recheck_on_timer, self);
    }
  detour_recheck_all (self);
}
