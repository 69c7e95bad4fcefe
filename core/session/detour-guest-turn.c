/* detour-guest-turn.c: guests take turns: so many are half open at a time, others wait until one
 * of them is done.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A crowd that comes at once, from behind one address even, is served one after the other and not
 * turned away. Who has something to say goes before who is silent: a connection that waits and
 * says nothing is closed soon, and one that is half open and rests gives way when somebody else
 * wants its place. */
#include "config.h"

#include "detour-guest-private.h"

#include <sys/resource.h>
#include <sys/socket.h>

/* A client speaks first, with its very acknowledgement. */
#define SILENT_US (G_USEC_PER_SEC / 4)
/* Its first message comes in one go. */
#define HALF_SAID_US G_USEC_PER_SEC
/* Later in a handshake or a login the peer has to think, and a crowd of peers may share a
 * processor. */
#define RESTING_US (5 * G_USEC_PER_SEC)
/* How long a waiting guest may take for its first word. */
#define FIRST_WORD_US (3 * G_USEC_PER_SEC)
/* How often those who wait look for a place that nobody uses. */
#define LOOK_US (G_USEC_PER_SEC / 4)

#define WAITING_MAX 8192u
/* Guests that are looked at for one place. */
#define SEARCH_MAX 1024u

static void guest_turn_serve (DetourLoop *loop, gpointer data);

static DetourTurn
guest_turn_enter (DetourGuest *self)
{
  DetourHandshakePool *pool = self->thread->pool;
  const DetourHandshakePoolLimits *limits = &self->thread->limits;

  if (limits->half_open > 0 && detour_handshake_pool_n_half_open (pool) >= limits->half_open)
    return DETOUR_TURN_TOO_MANY;
  if (!detour_sources_enter (pool->half_open_sources, (const struct sockaddr *) &self->peer,
                             limits->half_open_per_source, &self->half_open))
    return DETOUR_TURN_TOO_MANY_HERE;

  detour_handshake_pool_adjust (&pool->n_half_open, 1);
  self->is_half_open = TRUE;
  self->active_us = detour_loop_now_us (self->thread->loop);
  g_queue_push_tail_link (&self->thread->half_open, &self->half_open_link);
  return DETOUR_TURN_NOW;
}

/* Nothing came for so long that its place is free for others. Not while it is the relay that
 * thinks, and not when the relay itself was slow to read. */
static gboolean
guest_turn_gives_way (DetourGuest *self, gint64 idle_us)
{
  gint64 patience_us = self->has_been_told ? RESTING_US
                     : self->has_spoken    ? HALF_SAID_US
                                           : SILENT_US;
  char byte;

  if (self->state == DETOUR_GUEST_ASKING || idle_us < patience_us)
    return FALSE;
  if (recv (self->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
    return TRUE;
  detour_guest_note_activity (self);
  return FALSE;
}

static gboolean
guest_turn_come_from_one (const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
  return detour_sources_same ((const struct sockaddr *) a, (const struct sockaddr *) b);
}

/* Closes the guest of @thread that rests longest, of all or of those that come from @source. */
static gboolean
guest_turn_make_place (DetourHandshakeThread *thread, const struct sockaddr_storage *source,
                       DetourTurn turn)
{
  gint64 now_us = detour_loop_now_us (thread->loop);
  GList *link = thread->half_open.head;

  for (guint i = 0; link != NULL && i < SEARCH_MAX; i++)
    {
      DetourGuest *other = link->data;
      gint64 idle_us = now_us - other->active_us;

      link = link->next;
      if (idle_us < SILENT_US)
        break;
      if ((turn == DETOUR_TURN_TOO_MANY || guest_turn_come_from_one (source, &other->peer))
          && guest_turn_gives_way (other, idle_us))
        {
          detour_guest_close (other, DETOUR_CLOSE_LIMIT);
          return TRUE;
        }
    }
  return FALSE;
}

/* TRUE: it has a place. */
static gboolean
guest_turn_try (DetourGuest *self)
{
  self->turn = guest_turn_enter (self);
  if (self->turn != DETOUR_TURN_NOW
      && guest_turn_make_place (self->thread, &self->peer, self->turn))
    self->turn = guest_turn_enter (self);
  return self->turn == DETOUR_TURN_NOW;
}

void
detour_guest_leave_half_open (DetourGuest *self)
{
  DetourHandshakeThread *thread = self->thread;

  if (!self->is_half_open)
    return;
  self->is_half_open = FALSE;
  g_queue_unlink (&thread->half_open, &self->half_open_link);
  detour_handshake_pool_adjust (&thread->pool->n_half_open, -1);
  detour_sources_leave (thread->pool->half_open_sources, &self->half_open);
  if (thread->waiting.length > 0 && !thread->serves)
    {
      thread->serves = TRUE;
      detour_loop_defer (thread->loop, guest_turn_serve, thread);
    }
}

void
detour_guest_note_activity (DetourGuest *self)
{
  self->has_spoken = TRUE;
  self->active_us = detour_loop_now_us (self->thread->loop);
  if (self->is_half_open)
    {
      g_queue_unlink (&self->thread->half_open, &self->half_open_link);
      g_queue_push_tail_link (&self->thread->half_open, &self->half_open_link);
    }
}

/* Waiting -------------------------------------------------------------------------------------- */

/* Who came last goes first: in a crowd that outlasts patience somebody is served in time. */
static void
guest_turn_serve (DetourLoop *loop, gpointer data)
{
  DetourHandshakeThread *thread = data;
  GList *link = thread->waiting.head;
  const DetourGuest *failed = NULL; /* and so will those from its address */

  thread->serves = FALSE;
  for (guint i = 0; link != NULL && i < SEARCH_MAX; i++)
    {
      DetourGuest *guest = link->data;

      link = link->next;
      if (!guest->has_spoken
          || (failed != NULL && guest_turn_come_from_one (&guest->peer, &failed->peer)))
        continue;
      if (guest_turn_try (guest))
        {
          detour_guest_leave_waiting (guest);
          detour_guest_begin (guest);
        }
      else if (guest->turn == DETOUR_TURN_TOO_MANY)
        break;
      else
        failed = guest;
    }
}

/* Descriptors that those who wait may take. */
static guint
guest_turn_waiting_max (void)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_NOFILE, &limit) == 0 ? (guint) MIN (limit.rlim_cur / 4, WAITING_MAX)
                                                : WAITING_MAX;
}

static void
guest_turn_look_later (DetourHandshakeThread *thread)
{
  detour_wheel_set (detour_loop_wheel (thread->loop), &thread->look,
                    detour_loop_now_us (thread->loop) + LOOK_US);
}

typedef struct {
  struct sockaddr_storage source;
  DetourTurn turn;
} Wish;

static void
guest_turn_on_wish (DetourLoop *loop, gpointer data)
{
  g_autofree Wish *wish = data;

  guest_turn_make_place (detour_loop_user (loop), &wish->source, wish->turn);
}

/* Those who rest may be guests of the other threads. */
static void
guest_turn_wish_for_place (DetourHandshakeThread *thread)
{
  const DetourHandshakePool *pool = thread->pool;
  GList *link = thread->waiting.head;

  while (link != NULL && !((DetourGuest *) link->data)->has_spoken)
    link = link->next;
  for (guint i = 0; link != NULL && i < pool->n_threads; i++)
    if (&pool->threads[i] != thread)
      {
        const DetourGuest *guest = link->data;
        Wish *wish = g_new (Wish, 1);

        *wish = (Wish) { guest->peer, guest->turn };
        detour_loop_post (pool->threads[i].loop, guest_turn_on_wish, wish);
      }
}

void
detour_guest_look (DetourHandshakeThread *thread)
{
  guest_turn_serve (thread->loop, thread);
  guest_turn_wish_for_place (thread);
  if (thread->waiting.length > 0)
    guest_turn_look_later (thread);
}

void
detour_guest_leave_waiting (DetourGuest *self)
{
  DetourHandshakeThread *thread = self->thread;

  g_queue_unlink (&thread->waiting, &self->queue_link);
  detour_handshake_pool_adjust (&thread->pool->n_waiting, -1);
  if (thread->waiting.length == 0)
    detour_wheel_clear (detour_loop_wheel (thread->loop), &thread->look);
}

gboolean
detour_guest_take_turn (DetourGuest *self)
{
  DetourHandshakeThread *thread = self->thread;

  if (guest_turn_enter (self) == DETOUR_TURN_NOW)
    return TRUE;
  g_queue_push_head_link (&thread->waiting, &self->queue_link);
  detour_handshake_pool_adjust (&thread->pool->n_waiting, 1);
  detour_counter_add (&thread->counters.waited, 1);
  if (thread->waiting.length == 1)
    guest_turn_look_later (thread);
  if (detour_handshake_pool_n_waiting (thread->pool) > guest_turn_waiting_max ())
    detour_guest_close (self, DETOUR_CLOSE_LIMIT);
  else
    detour_guest_set_limit (self, MIN (FIRST_WORD_US, thread->limits.handshake_timeout_us));
  return FALSE;
}

void
detour_guest_speaks (DetourGuest *self)
{
  self->has_spoken = TRUE;
  if (guest_turn_try (self))
    {
      detour_guest_leave_waiting (self);
      detour_guest_begin (self);
      return;
    }
  detour_guest_set_limit (self, self->thread->limits.handshake_timeout_us);
  detour_guest_set_events (self);
}
