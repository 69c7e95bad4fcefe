/* detour-handshake-pool.c: the threads that take connections up to the moment they are registered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-pool-private.h"

#include "detour-barrier.h"
#include "detour-descriptors.h"
#include "detour-handshake-private.h"

#include <sodium.h>

#define POOL_NICE 5

/* Requests that waited for their turn, in a round of the loop. Few, since rounds are short: what
 * strangers send ahead costs more than their arrival, and logins share the rounds with it. */
#define TURNS_MAX 8u

/* How often the backlogs look for places that nobody uses, while connections wait. */
#define LOOK_US (G_USEC_PER_SEC / 4)

/* Connections that wait for a place, and refused ones that are held, at most; fewer when the
 * process may have few descriptors. */
#define WAITING_MAX 8192u
#define HELD_MAX    4096u

#define READ_SIZE 16384u

static DetourHandshakeThread *
handshake_pool_thread_of (DetourLoop *loop)
{
  return detour_loop_user (loop);
}

/* The backlogs --------------------------------------------------------------------------------- */

static void
handshake_pool_run_decisions (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = data;
  DetourHandshake *handshake;

  do
    {
      GList *link;

      detour_handshake_pool_lock (thread->pool);
      link = g_queue_pop_head_link (&thread->decided);
      handshake = link != NULL ? g_steal_pointer (&link->data) : NULL;
      detour_handshake_pool_unlock (thread->pool);
      if (handshake != NULL)
        detour_handshake_on_decision (handshake);
      detour_handshake_pool_give_way (thread);
    }
  while (handshake != NULL);
}

void
detour_handshake_pool_decide (DetourHandshakeThread *thread, GList *link,
                              DetourHandshake *handshake)
{
  if (link->data != NULL)
    return;
  link->data = handshake;
  g_queue_push_tail_link (&thread->decided, link);
  if (thread->decided.length > 1)
    return;
  if (detour_loop_is_current (thread->loop))
    detour_loop_defer (thread->loop, handshake_pool_run_decisions, thread);
  else
    detour_loop_post (thread->loop, handshake_pool_run_decisions, thread);
}

void
detour_handshake_pool_look_later (DetourHandshakeThread *self)
{
  DetourWheel *wheel = detour_loop_wheel (self->loop);

  if (self->look.link == NULL)
    detour_wheel_set (wheel, &self->look, detour_loop_now_us (self->loop) + LOOK_US);
}

static void
handshake_pool_look (DetourHandshakeThread *thread)
{
  DetourHandshakePool *pool = thread->pool;
  guint n_waiting;

  detour_handshake_pool_lock (pool);
  for (guint i = 0; i < pool->gates->len; i++)
    detour_half_open_tick (((DetourHandshakeGate *) g_ptr_array_index (pool->gates, i))->backlog,
                           detour_loop_now_us (thread->loop));
  n_waiting = detour_handshake_pool_count_waiting (pool);
  detour_handshake_pool_unlock (pool);
  if (n_waiting > 0)
    detour_handshake_pool_look_later (thread);
}

/* Descriptors that connections may have. */
static guint
handshake_pool_usable (guint64 n_descriptors, const DetourHandshakePoolLimits *limits)
{
  return n_descriptors > limits->reserved ? (guint) MIN (n_descriptors - limits->reserved, G_MAXINT)
                                          : 0;
}

/* With the lock. The log says so when there are too few descriptors for [limits] half-open, since
 * only the operator can change that. */
static void
handshake_pool_tell_short (DetourHandshakePool *self, guint n_places, guint n_listening)
{
  if (self->is_told_short || n_places >= (guint64) self->limits.half_open * n_listening)
    return;
  self->is_told_short = TRUE;
  g_message (
      "%" G_GUINT64_FORMAT " descriptors are enough for %u connections that log in at a time "
      "on all listeners together, and [limits] half-open = %u allows more on each; allow more "
      "open files (LimitNOFILE= of the service)",
      self->n_descriptors, n_places, self->limits.half_open);
}

/* With the lock. Connections that wait, refused ones that are held, and half-open ones have at most
 * a quarter of the descriptors each, so that a quarter is left for clients whatever strangers do.
 */
static void
handshake_pool_divide_limits (DetourHandshakePool *self, guint n_descriptors)
{
  guint usable = handshake_pool_usable (n_descriptors, &self->limits);
  guint n_listening = 0;
  DetourHalfOpenLimits limits;

  self->n_descriptors = n_descriptors;
  self->held_max = MIN (HELD_MAX, usable / 4);
  for (guint i = 0; i < self->gates->len; i++)
    n_listening += ((DetourHandshakeGate *) g_ptr_array_index (self->gates, i))->n_listeners > 0;
  n_listening = MAX (n_listening, 1);
  limits = (DetourHalfOpenLimits) {
    .places = MAX (usable / 4 / n_listening, 1),
    .places_per_address = self->limits.half_open_per_source,
    .waiting = MIN (WAITING_MAX, usable / 4) / n_listening,
  };
  handshake_pool_tell_short (self, usable / 4, n_listening);
  if (self->limits.half_open > 0)
    limits.places = MIN (limits.places, self->limits.half_open);
  /* A quarter of the memory is for those that are held. */
  self->held_bytes_max = self->limits.half_open_bytes / 4;
  detour_handshake_pool_shorten_held (self, 0);
  for (guint i = 0; i < self->gates->len; i++)
    {
      DetourHandshakeGate *gate = g_ptr_array_index (self->gates, i);
      DetourHalfOpenLimits own = limits;

      /* Both wait, so they share that part. */
      gate->prefaces_max = MAX (limits.waiting / 2, 1);
      if (gate->has_prefaces)
        own.waiting -= limits.waiting / 2;
      __atomic_store_n (&gate->bytes_max,
                        (self->limits.half_open_bytes - self->held_bytes_max) / n_listening,
                        __ATOMIC_RELAXED);
      detour_half_open_set_limits (gate->backlog, &own, g_get_monotonic_time ());
    }
}

DetourHandshakeGate *
detour_handshake_pool_find_gate (DetourHandshakePool *self, const char *instance)
{
  DetourHandshakeGate *gate;

  for (guint i = 0; i < self->gates->len; i++)
    {
      gate = g_ptr_array_index (self->gates, i);
      if (g_str_equal (gate->instance, instance))
        return gate;
    }
  gate = g_new0 (DetourHandshakeGate, 1);
  gate->instance = g_strdup (instance);
  g_queue_init (&gate->prefaces);
  gate->requests = detour_http_holdings_new ();
  gate->backlog = detour_half_open_new (&detour_handshake_half_open_funcs, gate);
  g_ptr_array_add (self->gates, gate);
  return gate;
}

static void
handshake_pool_free_gate (gpointer data)
{
  DetourHandshakeGate *gate = data;

  detour_half_open_free (gate->backlog);
  detour_http_holdings_unref (gate->requests);
  g_free (gate->instance);
  g_free (gate);
}

DetourHandshakeGate *
detour_handshake_pool_count_listener (DetourHandshakePool *self, const DetourListener *listener,
                                      int n)
{
  DetourHandshakeGate *gate;

  detour_handshake_pool_lock (self);
  gate = detour_handshake_pool_find_gate (self, listener->instance);
  gate->n_listeners += (guint) n;
  if (n > 0)
    gate->has_prefaces = listener->proxy_protocol != DETOUR_PROXY_OFF;
  handshake_pool_divide_limits (self, self->n_descriptors);
  detour_handshake_pool_unlock (self);
  return gate;
}

guint
detour_handshake_pool_check_descriptors (DetourHandshakeThread *thread)
{
  DetourHandshakePool *pool = thread->pool;
  /* The limit may have been changed from outside. */
  guint64 n = detour_descriptors_max ();

  detour_handshake_pool_lock (pool);
  if (n != pool->n_descriptors)
    handshake_pool_divide_limits (pool, n);
  detour_handshake_pool_unlock (pool);
  return handshake_pool_usable (n, &thread->limits);
}

/* Each takes two. */
guint
detour_handshake_pool_forward_max (DetourHandshakePool *self)
{
  guint n;

  detour_handshake_pool_lock (self);
  n = handshake_pool_usable (self->n_descriptors, &self->limits) / 8;
  detour_handshake_pool_unlock (self);
  return n;
}

/* Requests that wait for their turn ------------------------------------------------------------ */

/* Each connection has one request answered in a round, and what is new on sockets comes between
 * two rounds, so that a peer that sends hundreds of requests at once holds up nobody. */
static void
handshake_pool_run_turns (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = data;
  DetourHandshake *batch[TURNS_MAX];
  guint n = MIN (detour_turns_length (thread->turns), TURNS_MAX);
  guint n_left;

  /* A connection with yet another request joins the queue while the batch is served. */
  for (guint i = 0; i < n; i++)
    batch[i] = detour_turns_pop (thread->turns);
  n_left = detour_turns_length (thread->turns);
  for (guint i = 0; i < n; i++)
    {
      detour_handshake_on_turn (batch[i]);
      detour_handshake_pool_give_way (thread);
    }
  if (n_left > 0)
    detour_loop_defer (loop, handshake_pool_run_turns, thread);
}

void
detour_handshake_pool_take_turns (DetourHandshakeThread *self, DetourTurn *turn,
                                  const DetourAddressKey *key, DetourHandshake *member)
{
  detour_turns_push (self->turns, turn, key, member);
  if (detour_turns_length (self->turns) == 1)
    detour_loop_defer (self->loop, handshake_pool_run_turns, self);
}

/* Settings ------------------------------------------------------------------------------------- */

static void
handshake_pool_set_limits (DetourLoop *loop, gpointer data)
{
  handshake_pool_thread_of (loop)->limits = *(const DetourHandshakePoolLimits *) data;
}

void
detour_handshake_pool_set_limits (DetourHandshakePool *self,
                                  const DetourHandshakePoolLimits *limits)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_pool_set_limits, (gpointer) limits);
  detour_handshake_pool_lock (self);
  self->limits = *limits;
  self->is_told_short = FALSE;
  handshake_pool_divide_limits (self, detour_descriptors_max ());
  detour_bucket_init (&self->accept_bucket, MAX (limits->accept_burst, 1), g_get_monotonic_time ());
  detour_handshake_pool_unlock (self);
}

static void
handshake_pool_set_refuse_hold (DetourLoop *loop, gpointer data)
{
  handshake_pool_thread_of (loop)->refuse_hold_us = *(const gint64 *) data;
}

void
detour_handshake_pool_set_refuse_hold (DetourHandshakePool *self, gint64 hold_us)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_pool_set_refuse_hold, &hold_us);
}

/* A proxy that has not said whose connection it hands on is not meant itself. */
static gboolean
handshake_pool_is_banned (const DetourHandshakeThread *thread, const DetourHandshake *handshake)
{
  return !(handshake->is_trusted && handshake->proxy == NULL)
      && detour_handshake_is_banned (thread, handshake->listener, &handshake->peer);
}

static void
handshake_pool_set_banned (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);
  GList *link = data != NULL ? thread->handshakes.head : NULL;

  g_clear_pointer (&thread->banned, detour_net_set_unref);
  thread->banned = data;
  while (link != NULL)
    {
      DetourHandshake *handshake = link->data;

      link = link->next;
      if (handshake_pool_is_banned (thread, handshake))
        {
          detour_counter_add (&thread->counters.banned, 1);
          detour_handshake_close (handshake, DETOUR_CLOSE_REFUSED);
        }
    }
}

void
detour_handshake_pool_set_banned (DetourHandshakePool *self, DetourNetSet *networks)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_post (self->threads[i].loop, handshake_pool_set_banned,
                      networks != NULL ? detour_net_set_ref (networks) : NULL);
}

static void
handshake_pool_set_mesh_key (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);

  thread->has_mesh_key = data != NULL && !sodium_is_zero (data, DETOUR_KEY_SIZE);
  if (thread->has_mesh_key)
    memcpy (thread->mesh_key, data, DETOUR_KEY_SIZE);
  else
    sodium_memzero (thread->mesh_key, DETOUR_KEY_SIZE);
}

void
detour_handshake_pool_set_mesh_key (DetourHandshakePool *self, const guint8 *key)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_call (self->threads[i].loop, handshake_pool_set_mesh_key, (gpointer) key);
}

static void
handshake_pool_ask_again (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);
  GList *link = thread->handshakes.head;

  while (link != NULL)
    {
      DetourHandshake *handshake = link->data;

      link = link->next;
      detour_handshake_ask_again (handshake);
    }
}

void
detour_handshake_pool_ask_again (DetourHandshakePool *self)
{
  for (guint i = 0; i < self->n_threads; i++)
    detour_loop_post (self->threads[i].loop, handshake_pool_ask_again, NULL);
}

/* ---------------------------------------------------------------------------------------------- */

static void
handshake_pool_on_timer (DetourLoop *loop, DetourTimer *timer, gpointer user)
{
  DetourHandshakeThread *thread = user;

  if (timer == &thread->look)
    handshake_pool_look (thread);
  else if (!detour_partings_on_timer (&thread->partings, loop, timer))
    detour_handshake_on_timer (timer);
  detour_handshake_pool_give_way (thread);
}

static const DetourLoopFuncs loop_funcs = { .timer = handshake_pool_on_timer };

static gboolean
handshake_pool_start_thread (DetourHandshakePool *self, guint index,
                             const DetourHandshakePoolLimits *limits, GError **error)
{
  DetourHandshakeThread *thread = &self->threads[index];
  char name[16];

  thread->pool = self;
  thread->limits = *limits;
  thread->sockets = detour_handshake_accept_sockets_new ();
  thread->in = (DetourBuffer) { g_malloc (READ_SIZE), 0, READ_SIZE };
  thread->plain.cap = READ_SIZE + DETOUR_CHANNEL_FEED_SLACK;
  thread->plain.data = g_malloc (thread->plain.cap);
  thread->out.cap = DETOUR_CHANNEL_SEAL_BOUND (2 * DETOUR_CHANNEL_RECORD_MAX)
                  + DETOUR_CHANNEL_FEED_SLACK;
  thread->out.data = g_malloc (thread->out.cap);
  thread->reply = g_byte_array_new ();
  thread->turns = detour_turns_new ();
  g_queue_init (&thread->handshakes);
  g_queue_init (&thread->decided);
  detour_partings_init (&thread->partings, DETOUR_PARTINGS_TIME_US, detour_partings_most ());
  detour_log_limit_init (&thread->refusals, g_get_monotonic_time ());
  detour_log_limit_init (&thread->proxy_refusals, g_get_monotonic_time ());

  g_snprintf (name, sizeof name, "handshake-%u", index);
  thread->loop = detour_loop_new (name, POOL_NICE, &loop_funcs, thread, error);
  return thread->loop != NULL;
}

DetourHandshakePool *
detour_handshake_pool_new (guint n_threads, const DetourHandshakePoolParts *parts,
                           const DetourHandshakePoolLimits *limits, GError **error)
{
  DetourHandshakePool *self = g_new0 (DetourHandshakePool, 1);

  self->parts = *parts;
  self->n_threads = n_threads;
  self->threads = g_new0 (DetourHandshakeThread, n_threads);
  self->limits = *limits;
  self->n_descriptors = detour_descriptors_max ();
  self->gates = g_ptr_array_new_with_free_func (handshake_pool_free_gate);
  g_queue_init (&self->held);
  g_mutex_init (&self->lock);
  g_cond_init (&self->standing_changed);
  detour_bucket_init (&self->accept_bucket, MAX (limits->accept_burst, 1), g_get_monotonic_time ());

  for (guint i = 0; i < n_threads; i++)
    if (!handshake_pool_start_thread (self, i, limits, error))
      {
        detour_handshake_pool_free (self);
        return NULL;
      }
  return self;
}

/* All threads wait at the same time, since none of them is waited for here. */
static void
handshake_pool_on_last_words (DetourLoop *loop, gpointer data)
{
  detour_partings_finish (&handshake_pool_thread_of (loop)->partings, loop,
                          DETOUR_PARTINGS_STOP_US);
}

static void
handshake_pool_stop_thread (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = handshake_pool_thread_of (loop);

  detour_handshake_accept_stop (thread);
  detour_partings_stop (&thread->partings, loop);
  while (thread->handshakes.head != NULL)
    detour_handshake_close (thread->handshakes.head->data, DETOUR_CLOSE_STOPPING);
  detour_loop_post (loop, handshake_pool_on_last_words, NULL);
}

void
detour_handshake_pool_free (DetourHandshakePool *self)
{
  /* Threads post to each other as long as one of them has connections. */
  for (guint i = 0; i < self->n_threads; i++)
    if (self->threads[i].loop != NULL)
      detour_loop_call (self->threads[i].loop, handshake_pool_stop_thread, NULL);
  g_clear_pointer (&self->forwarder, detour_forwarder_free);
  for (guint i = 0; i < self->n_threads; i++)
    {
      DetourHandshakeThread *thread = &self->threads[i];

      detour_loop_clear (&thread->loop);
      g_clear_pointer (&thread->sockets, g_ptr_array_unref);
      g_free (thread->in.data);
      g_free (thread->plain.data);
      g_free (thread->out.data);
      g_clear_pointer (&thread->reply, g_byte_array_unref);
      g_clear_pointer (&thread->turns, detour_turns_free);
      g_clear_pointer (&thread->banned, detour_net_set_unref);
      sodium_memzero (thread->mesh_key, sizeof thread->mesh_key);
    }
  g_free (self->threads);
  g_ptr_array_unref (self->gates);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->standing_changed);
  g_free (self);
}

DetourLoop *
detour_handshake_pool_loop (const DetourHandshakePool *self, guint thread)
{
  return self->threads[thread].loop;
}

/* A client goes from a thread of the pool to a worker. */
void
detour_handshake_pool_settle (DetourHandshakePool *self, DetourMailbox *mailbox,
                              DetourMailboxFunc done, gpointer data, DetourMailboxFunc drop)
{
  guint n_workers = self->parts.n_workers;
  g_autofree DetourLoop **threads = g_new (DetourLoop *, self->n_threads);
  g_autofree DetourLoop **workers = g_new (DetourLoop *, n_workers);

  for (guint i = 0; i < self->n_threads; i++)
    threads[i] = self->threads[i].loop;
  for (guint i = 0; i < n_workers; i++)
    workers[i] = detour_worker_loop (self->parts.workers[i]);
  detour_barrier_send (threads, self->n_threads, workers, n_workers, mailbox, done, data, drop);
}

guint
detour_handshake_pool_n_threads (const DetourHandshakePool *self)
{
  return self->n_threads;
}

const DetourHandshakePoolCounters *
detour_handshake_pool_counters (const DetourHandshakePool *self, guint thread)
{
  return &self->threads[thread].counters;
}
