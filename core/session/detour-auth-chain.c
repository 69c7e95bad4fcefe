/* detour-auth-chain.c: auth instances in their order, asked with single flight.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-chain.h"

#include "detour-auth-walk.h"

/* More flights than that are not begun. */
#define FLIGHTS_MAX 8192u
/* How exactly time limits are kept. */
#define TICK_MS         50
#define PATIENCE_MAX_US G_USEC_PER_SEC

struct _DetourAuthChain {
  const DetourAuthPort *port;
  gpointer port_user;
  const DetourAuthChainFuncs *funcs;
  gpointer user;
  GPtrArray *instances; /* of DetourAuthInstance; none: open */
  DetourAuthChainTerms terms;
  GHashTable *flights; /* Flight: itself */
  guint ticker;        /* 0: there is no flight */
};

/* A walk and all clients that wait for it. */
typedef struct {
  DetourAuthChain *chain;
  DetourAuthRequest *request;
  gboolean is_recheck;
  DetourAuthWalk *walk;
  gint64 deadline_us;
  DetourVerdict *provisional; /* that was told; NULL: none, and clients wait */
  GArray *waiters;            /* of Waiter */
} Flight;

typedef struct {
  DetourVerdictFunc done;
  gpointer data;
} Waiter;

static gint64
auth_chain_now_us (const DetourAuthChain *self)
{
  return self->port->now_us != NULL ? self->port->now_us (self->port_user)
                                    : g_get_monotonic_time ();
}

static DetourVerdict *
auth_chain_make_verdict (DetourAuthResult result, const char *instance, const char *reason)
{
  const DetourVerdict fields = { .result = result, .instance = instance, .reason = reason };

  return detour_verdict_new (&fields);
}

/* What is clear without asking an instance; NULL: nothing. */
static DetourVerdict *
auth_chain_precheck (const DetourAuthChain *self, const DetourAuthRequest *request)
{
  DetourVerdict *verdict = self->funcs->precheck (self->user, request);

  if (verdict == NULL && self->instances->len == 0)
    verdict = auth_chain_make_verdict (DETOUR_AUTH_ALLOW, "open", NULL);
  return verdict;
}

/* Flights -------------------------------------------------------------------------------------- */

static guint
auth_chain_flight_hash (gconstpointer flight)
{
  return (guint) detour_auth_request_hash (((const Flight *) flight)->request);
}

static gboolean
auth_chain_flight_equal (gconstpointer a, gconstpointer b)
{
  const Flight *one = a, *other = b;

  return one->is_recheck == other->is_recheck
      && detour_auth_request_equal (one->request, other->request);
}

static Flight *
auth_chain_flight_new (DetourAuthChain *self, DetourAuthRequest *request, gboolean is_recheck)
{
  Flight *flight = g_new0 (Flight, 1);

  flight->chain = self;
  flight->request = detour_auth_request_ref (request);
  flight->is_recheck = is_recheck;
  flight->deadline_us = auth_chain_now_us (self) + self->terms.timeout_us;
  flight->waiters = g_array_new (FALSE, FALSE, sizeof (Waiter));
  return flight;
}

static void
auth_chain_flight_free (gpointer data)
{
  Flight *flight = data;

  g_assert (flight->waiters->len == 0);
  g_clear_pointer (&flight->walk, detour_auth_walk_free);
  g_clear_pointer (&flight->provisional, detour_verdict_unref);
  g_array_unref (flight->waiters);
  detour_auth_request_unref (flight->request);
  g_free (flight);
}

/* All clients that wait are told. Their callbacks may do anything but end the flight. */
static void
auth_chain_tell (Flight *flight, DetourVerdict *verdict)
{
  g_autoptr (GArray) waiters = g_steal_pointer (&flight->waiters);

  flight->waiters = g_array_new (FALSE, FALSE, sizeof (Waiter));
  for (guint i = 0; i < waiters->len; i++)
    {
      const Waiter *waiter = &g_array_index (waiters, Waiter, i);

      waiter->done (verdict, waiter->data);
    }
}

/* (transfer full): what @n clients are told. */
static DetourVerdict *
auth_chain_conclude (DetourAuthChain *self, const DetourAuthRequest *request, gboolean is_recheck,
                     DetourVerdict *verdict, guint n)
{
  g_autoptr (DetourVerdict) flagged = is_recheck
                                        ? detour_verdict_add_flags (verdict, DETOUR_VERDICT_RECHECK)
                                        : detour_verdict_ref (verdict);

  return self->funcs->conclude (self->user, request, flagged, n);
}

/* A client that a provisional verdict let in is told nothing more; a denial ends it. */
static void
auth_chain_correct (Flight *flight, DetourVerdict *verdict)
{
  DetourAuthChain *self = flight->chain;
  g_autoptr (DetourVerdict) told = NULL;

  if (verdict->result != DETOUR_AUTH_DENY)
    return;
  told = auth_chain_conclude (self, flight->request, FALSE, verdict, 1);
  /* A dry run makes ALLOW of it. */
  if (told->result == DETOUR_AUTH_DENY)
    self->port->revoke (self->port_user, flight->request);
}

/* The flight is over. */
static void
auth_chain_land (Flight *flight, DetourVerdict *verdict)
{
  DetourAuthChain *self = flight->chain;

  g_hash_table_steal (self->flights, flight);
  if (flight->provisional != NULL)
    auth_chain_correct (flight, verdict);
  else
    {
      g_autoptr (DetourVerdict) told = auth_chain_conclude (
          self, flight->request, flight->is_recheck, verdict, flight->waiters->len);

      auth_chain_tell (flight, told);
    }
  auth_chain_flight_free (flight);
}

static void
auth_chain_on_verdict (DetourVerdict *verdict, gboolean is_final, gpointer data)
{
  Flight *flight = data;

  if (is_final)
    auth_chain_land (flight, verdict);
  else if (!flight->is_recheck && flight->provisional == NULL)
    {
      g_autoptr (DetourVerdict) told = auth_chain_conclude (flight->chain, flight->request, FALSE,
                                                            verdict, flight->waiters->len);

      flight->provisional = detour_verdict_ref (verdict);
      auth_chain_tell (flight, told);
    }
}

/* Walks ---------------------------------------------------------------------------------------- */

/* The instances that are asked. A chain whose instances are all stopped is not an open one: all of
 * them are asked then, and none can say. */
static GPtrArray *
auth_chain_list_instances (const DetourAuthChain *self, gboolean *is_stopped)
{
  GPtrArray *out = g_ptr_array_new ();

  for (guint i = 0; i < self->instances->len; i++)
    if (detour_auth_instance_takes_part (self->instances->pdata[i]))
      g_ptr_array_add (out, self->instances->pdata[i]);
  *is_stopped = out->len == 0;
  for (guint i = 0; *is_stopped && i < self->instances->len; i++)
    g_ptr_array_add (out, self->instances->pdata[i]);
  return out;
}

/* Begins the walk, or begins it anew; may end the flight. */
static void
auth_chain_launch (Flight *flight)
{
  DetourAuthChain *self = flight->chain;
  g_autoptr (DetourVerdict) verdict = auth_chain_precheck (self, flight->request);
  g_autoptr (GPtrArray) instances = NULL;
  DetourAuthWalkTerms terms = {
    .match_all = self->terms.match_all,
    .asks_anew = flight->is_recheck,
    .grace_us = self->terms.grace_us,
    .deadline_us = flight->deadline_us,
  };

  g_clear_pointer (&flight->walk, detour_auth_walk_free);
  if (verdict != NULL)
    {
      auth_chain_land (flight, verdict);
      return;
    }
  instances = auth_chain_list_instances (self, &terms.is_stopped);
  terms.patience_us = MIN (self->terms.timeout_us / (instances->len + 1), PATIENCE_MAX_US);
  flight->walk = detour_auth_walk_new (flight->request,
                                       (DetourAuthInstance *const *) instances->pdata,
                                       instances->len, &terms, auth_chain_on_verdict, flight);
  detour_auth_walk_start (flight->walk, auth_chain_now_us (self));
}

static gboolean
auth_chain_on_tick (gpointer data)
{
  DetourAuthChain *self = data;

  detour_auth_chain_tick (self);
  if (g_hash_table_size (self->flights) > 0)
    return G_SOURCE_CONTINUE;
  self->ticker = 0;
  return G_SOURCE_REMOVE;
}

void
detour_auth_chain_tick (DetourAuthChain *self)
{
  guint n = 0;
  g_autofree gpointer *flights = g_hash_table_get_keys_as_array (self->flights, &n);
  gint64 now_us = auth_chain_now_us (self);

  /* A tick ends no flight but its own. */
  for (guint i = 0; i < n; i++)
    detour_auth_walk_tick (((Flight *) flights[i])->walk, now_us);
}

void
detour_auth_chain_restart (DetourAuthChain *self)
{
  guint n = 0;
  g_autofree gpointer *flights = g_hash_table_get_keys_as_array (self->flights, &n);

  for (guint i = 0; i < n; i++)
    auth_chain_launch (flights[i]);
}

/* Asking --------------------------------------------------------------------------------------- */

static void
auth_chain_answer (DetourAuthChain *self, const DetourAuthRequest *request, gboolean is_recheck,
                   DetourVerdict *verdict, DetourVerdictFunc done, gpointer data)
{
  g_autoptr (DetourVerdict) told = auth_chain_conclude (self, request, is_recheck, verdict, 1);

  done (told, data);
}

/* What can be answered without waiting; NULL: nothing. */
static DetourVerdict *
auth_chain_answer_at_once (const DetourAuthChain *self, const DetourAuthRequest *request,
                           const Flight *flight)
{
  g_autoptr (DetourVerdict) verdict = auth_chain_precheck (self, request);

  if (verdict != NULL)
    return g_steal_pointer (&verdict);
  /* The final verdict is on its way, and revokes if need be. */
  if (flight != NULL && flight->provisional != NULL)
    return detour_verdict_ref (flight->provisional);
  if (flight == NULL && g_hash_table_size (self->flights) >= FLIGHTS_MAX)
    return auth_chain_make_verdict (DETOUR_AUTH_UNAVAILABLE, "admission",
                                    "too many clients wait for a verdict");
  return NULL;
}

gboolean
detour_auth_chain_ask (DetourAuthChain *self, DetourAuthRequest *request, gboolean is_recheck,
                       DetourVerdictFunc done, gpointer data)
{
  const Flight probe = { .request = request, .is_recheck = is_recheck };
  const Waiter waiter = { done, data };
  Flight *flight = g_hash_table_lookup (self->flights, &probe);
  g_autoptr (DetourVerdict) verdict = auth_chain_answer_at_once (self, request, flight);

  if (verdict != NULL)
    {
      auth_chain_answer (self, request, is_recheck, verdict, done, data);
      return FALSE;
    }
  if (flight != NULL)
    {
      g_array_append_val (flight->waiters, waiter);
      return TRUE;
    }
  flight = auth_chain_flight_new (self, request, is_recheck);
  g_array_append_val (flight->waiters, waiter);
  g_hash_table_add (self->flights, flight);
  if (self->ticker == 0)
    self->ticker = g_timeout_add (TICK_MS, auth_chain_on_tick, self);
  auth_chain_launch (flight);
  return FALSE;
}

/* Life ----------------------------------------------------------------------------------------- */

DetourAuthChain *
detour_auth_chain_new (const DetourAuthPort *port, gpointer port_user,
                       const DetourAuthChainFuncs *funcs, gpointer user)
{
  DetourAuthChain *self = g_new0 (DetourAuthChain, 1);

  self->port = port;
  self->port_user = port_user;
  self->funcs = funcs;
  self->user = user;
  self->instances = g_ptr_array_new ();
  self->flights = g_hash_table_new_full (auth_chain_flight_hash, auth_chain_flight_equal,
                                         auth_chain_flight_free, NULL);
  return self;
}

void
detour_auth_chain_free (DetourAuthChain *self)
{
  g_autoptr (DetourVerdict)
      stopping = auth_chain_make_verdict (DETOUR_AUTH_UNAVAILABLE, "admission", "the daemon stops");
  guint n = 0;
  g_autofree gpointer *flights = g_hash_table_get_keys_as_array (self->flights, &n);

  for (guint i = 0; i < n; i++)
    auth_chain_tell (flights[i], stopping);
  g_clear_handle_id (&self->ticker, g_source_remove);
  g_hash_table_unref (self->flights);
  g_ptr_array_unref (self->instances);
  g_free (self);
}

void
detour_auth_chain_set (DetourAuthChain *self, GPtrArray *instances,
                       const DetourAuthChainTerms *terms)
{
  g_autoptr (GPtrArray) before = g_steal_pointer (&self->instances);

  self->terms = *terms;
  self->instances = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_auth_instance_unref);
  for (guint i = 0; i < instances->len; i++)
    g_ptr_array_add (self->instances, detour_auth_instance_ref (instances->pdata[i]));
  detour_auth_chain_restart (self);
}
