/* detour-loop.h: the event loop of a thread: one epoll descriptor, a wheel of timers and an inbox.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The thread runs a GMainContext with a single GSource. Under load it stays in that source: a turn
 * of the context costs two to three times a bare epoll_wait(). When it would wait for tens of
 * thousands of events a second one by one, it lets them gather for a tenth of a millisecond, see
 * doc/architecture.md.
 *
 * A round goes in this order: begin(), events of descriptors, poll(), messages of the inbox,
 * timers, round(), deferred calls. Functions marked "loop's thread" assert that they run there,
 * except those that are called for each packet. */
#pragma once

#include <glib.h>

#include "detour-wheel.h"

G_BEGIN_DECLS

typedef struct _DetourLoop DetourLoop;
typedef struct _DetourIo DetourIo;

/* @events are those of epoll. May remove and close any io of the loop, its own included. */
typedef void (*DetourIoReady) (DetourLoop *loop, DetourIo *io, guint32 events);

/* A descriptor that the loop watches; embedded in the object that it belongs to. */
struct _DetourIo {
  DetourIoReady ready;
  int fd;
  guint32 events; /* asked for; 0: added but silent, except for errors */
};

/* A message; runs on the loop's thread. */
typedef void (*DetourLoopFunc) (DetourLoop *loop, gpointer data);

/* Functions of the owner for fixed points of a round. All run on the loop's thread; each may be
 * NULL, @timer if no timer is ever set. */
typedef struct {
  /* The clock was read, nothing else has happened. */
  void (*begin) (DetourLoop *loop, gpointer user);
  void (*timer) (DetourLoop *loop, DetourTimer *timer, gpointer user);
  void (*round) (DetourLoop *loop, gpointer user);
  /* Work that no descriptor announces, such as a ring filled by another worker. Returns TRUE when
   * there was some. It is called again after the loop has announced that it sleeps, so that a
   * producer which saw it awake is never missed. */
  gboolean (*poll) (DetourLoop *loop, gpointer user);
  /* Around a wait that may be long. */
  void (*sleeping) (DetourLoop *loop, gboolean sleeps, gpointer user);
} DetourLoopFuncs;

/**
 * detour_loop_new:
 * @name: of the thread, at most 15 characters
 * @nice: added to the thread's niceness, 0 to 19; with more than 0, others interrupt it at
 * once, and it interrupts none
 *
 * Starts the thread. Main thread.
 */
DetourLoop *detour_loop_new (const char *name, int nice, const DetourLoopFuncs *funcs,
                             gpointer user, GError **error);
/* Runs the messages of the inbox, ends the thread and frees the loop, if there is one. *@self is
 * NULL only then, since the thread may look there for itself to the end. Any other thread. */
void detour_loop_clear (DetourLoop **self);

/* Any thread. It has something to do and has not run since: another thread has its processor. */
gboolean detour_loop_waits_to_run (const DetourLoop *self);

gpointer detour_loop_user (const DetourLoop *self);
gboolean detour_loop_is_current (const DetourLoop *self);

/* Microseconds of the monotonic clock, read once a round. Loop's thread. */
gint64 detour_loop_now_us (const DetourLoop *self);
/* Loop's thread. */
DetourWheel *detour_loop_wheel (DetourLoop *self);

/* Loop's thread, like the two below. FALSE with errno when the kernel refuses. */
gboolean detour_loop_add (DetourLoop *self, DetourIo *io) G_GNUC_WARN_UNUSED_RESULT;
void detour_loop_modify (DetourLoop *self, DetourIo *io, guint32 events);
/* The same for a descriptor that another program, which takes the place of this one in the same
 * process, may go on to watch without a call to the kernel for each; so what the kernel has of it
 * is its number, and not where @io lies.
 * @watched_by: (nullable): the loop that still watches it, with @io->events, after
 * detour_loop_leave(); maybe this one. Its thread does nothing about it meanwhile. */
gboolean detour_loop_add_lasting (DetourLoop *self, DetourIo *io, DetourLoop *watched_by)
    G_GNUC_WARN_UNUSED_RESULT;
/* Forgets one that was added so, and whose descriptor the kernel goes on to watch. What it has to
 * say is for nobody, until it is added again. Loop's thread. */
void detour_loop_leave (DetourLoop *self, DetourIo *io);
/* Any thread: the kernel does not watch @fd any more, which was left. */
void detour_loop_unwatch (DetourLoop *self, int fd);
/* Any thread: by which the kernel watches for it; for detour_loop_inherit(). */
int detour_loop_watch_fd (const DetourLoop *self);
/* Goes on with what a loop of the program before watched, before anything was added. Loop's thread.
 * FALSE with errno: @watch_fd is not such a thing, and stays with the caller. */
gboolean detour_loop_inherit (DetourLoop *self, int watch_fd) G_GNUC_WARN_UNUSED_RESULT;

/* Stops watching; does not close. @io may still be named by an event of this round, which is then
 * skipped: keep its memory until a deferred call. */
void detour_loop_remove (DetourLoop *self, DetourIo *io);
/* Loop's thread. While it is held, from the next round on, messages and timers run and what
 * descriptors have to say waits in the kernel: so they can be added, changed and removed without a
 * call to the kernel for each that only keeps it silent. */
void detour_loop_hold (DetourLoop *self, gboolean hold);
/* Loop's thread: runs @func once the round is over. */
void detour_loop_defer (DetourLoop *self, DetourLoopFunc func, gpointer data);

/* Any thread. Control messages only; in order for each sender. */
void detour_loop_post (DetourLoop *self, DetourLoopFunc func, gpointer data);
/* Any other thread: the same, and waits until @func has run. */
void detour_loop_call (DetourLoop *self, DetourLoopFunc func, gpointer data);
/* Any thread: makes the loop call poll() soon if it sleeps. Costs one atomic read when it does
 * not. */
void detour_loop_wake (DetourLoop *self);

G_END_DECLS
