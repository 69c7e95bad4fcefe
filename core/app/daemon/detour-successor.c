/* detour-successor.c: waits for a program that runs in another process to hand over its clients.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-successor.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "detour-key.h"
#include "detour-parley.h"
#include "detour-program.h"
#include "detour-rehearsal.h"
#include "detour-server-key.h"
#include "detour-socket.h"
#include "detour-state-lock.h"
#include "detour-text.h"

/* Whoever connects has something to say. */
#define FIRST_MS 2000u
/* Who have said nothing yet; for one more the oldest is closed. */
#define CALLERS_MAX 16u
/* A program that asked, and heard that this one could, has so long to hand over: it waits for
 * logins under way, pauses, and writes its record meanwhile. And so long again from the word that
 * all is here to the one that it has let go. */
#define STEP_S    15u
#define COMMIT_US (STEP_S * G_USEC_PER_SEC)
#define FINISH_US (10 * G_USEC_PER_SEC)

/* How often it is looked whether a program runs, and how often in a row there must be none: the
 * one that runs may be going over to another one in its own process just now. */
#define LOOK_S     1u
#define LOOKS_MOST 5u

typedef struct {
  DetourConfig *config;
  const char *path;
  char *state; /* directory */
  GMainLoop *loop;
  DetourSuccessorOutcome outcome;
  int listener;
  DetourSocketFileId file;
  guint listener_source;
  GQueue callers;                    /* of Caller, the oldest first */
  int before;                        /* -1: nobody asks */
  guint before_source, before_timer; /* of it; 0: nobody asks */
  guint n_free;                      /* looks in a row */
} Successor;

/* Has connected, and said nothing yet. */
typedef struct {
  Successor *owner;
  int socket; /* -1: taken */
  guint source, timer;
} Caller;

static void
successor_end (Successor *self, DetourSuccessorOutcome outcome)
{
  self->outcome = outcome;
  g_main_loop_quit (self->loop);
}

/* Being asked ---------------------------------------------------------------------------------- */

/* Clients know the relay by its key, and would find another one at their next login. */
static gboolean
successor_has_key (const Successor *self, const char *hex, GString *complaints)
{
  const char *named = self->config->options.core.key_file;
  g_autofree char *path = named != NULL ? g_strdup (named)
                                        : g_build_filename (self->state, "server.key", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourServerKey) key = detour_server_key_load (path, &error);
  char own[DETOUR_KEY_HEX_SIZE + 1];

  if (key == NULL)
    g_string_append_printf (complaints, "it has no server key: %s\n", error->message);
  else
    {
      detour_key_to_hex (detour_server_key_public (key), own);
      if (strcmp (own, hex) == 0)
        return TRUE;
      g_string_append_printf (complaints,
                              "it has another server key, in %s; both need the same one\n", path);
    }
  return FALSE;
}

/* @fd: taken */
static gboolean
successor_could (const Successor *self, const char *question, int fd, GString *complaints)
{
  gboolean good;

  if (!g_str_has_prefix (question, DETOUR_PARLEY_BEGIN) || fd < 0)
    {
      g_string_append (complaints, "it speaks another language\n");
      if (fd >= 0)
        close (fd);
      return FALSE;
    }
  good = successor_has_key (self, question + strlen (DETOUR_PARLEY_BEGIN), complaints);
  return detour_rehearsal_try (self->config, fd, complaints) && good;
}

static gboolean
successor_answer (const Successor *self, int socket)
{
  g_autoptr (GString) complaints = g_string_new (NULL);
  g_autofree char *question = NULL;
  g_autofree char *why = NULL;
  int fd;

  question = detour_parley_receive (socket, 0, &fd, NULL);
  /* Somebody looked whether anybody is here. */
  if (question == NULL)
    return FALSE;
  if (self->before >= 0)
    {
      if (fd >= 0)
        close (fd);
      detour_successor_decline (socket, "another program is about to hand over to it");
      return FALSE;
    }
  if (successor_could (self, question, fd, complaints))
    return detour_parley_send (socket, DETOUR_PARLEY_CAN DETOUR_VERSION, -1);
  why = detour_text_tidy (complaints->str, DETOUR_PARLEY_MAX); /* for the log */
  g_warning ("asked whether it could take over, it could not: %s", why);
  detour_successor_decline (socket, complaints->str);
  return FALSE;
}

/* Its socket is kept. */
static void
successor_watch_no_more (Successor *self)
{
  if (self->before_source != 0)
    g_source_remove (self->before_source);
  if (self->before_timer != 0)
    g_source_remove (self->before_timer);
  self->before_source = self->before_timer = 0;
}

static void
successor_drop_before (Successor *self)
{
  successor_watch_no_more (self);
  close (self->before);
  self->before = -1;
}

static gboolean
successor_on_before (int fd, GIOCondition condition, gpointer data)
{
  Successor *self = data;

  if (detour_parley_is_next (fd))
    {
      successor_end (self, DETOUR_SUCCESSOR_CALLED);
      return G_SOURCE_CONTINUE;
    }
  successor_drop_before (self);
  g_message ("asked whether it could take over, it could, and waits on");
  return G_SOURCE_CONTINUE;
}

/* Another program may want to. */
static gboolean
successor_on_delay (gpointer data)
{
  successor_drop_before (data);
  g_warning ("asked whether it could take over, it could, but nothing came within %u s; it waits "
             "on",
             STEP_S);
  return G_SOURCE_CONTINUE;
}

static void
successor_watch (Successor *self, int before)
{
  self->before = before;
  self->before_source = g_unix_fd_add (before, G_IO_IN | G_IO_HUP | G_IO_ERR, successor_on_before,
                                       self);
  self->before_timer = g_timeout_add_seconds (STEP_S, successor_on_delay, self);
}

static void
successor_forget (Caller *caller)
{
  g_queue_remove (&caller->owner->callers, caller);
  g_source_remove (caller->source);
  g_source_remove (caller->timer);
  if (caller->socket >= 0)
    close (caller->socket);
  g_free (caller);
}

static gboolean
successor_on_question (int fd, GIOCondition condition, gpointer data)
{
  Caller *caller = data;
  Successor *self = caller->owner;

  if (successor_answer (self, fd))
    {
      successor_watch (self, fd);
      caller->socket = -1;
    }
  successor_forget (caller);
  return G_SOURCE_CONTINUE;
}

static gboolean
successor_on_silence (gpointer data)
{
  successor_forget (data);
  return G_SOURCE_CONTINUE;
}

/* Nobody who is silent keeps another one waiting. */
static gboolean
successor_on_connect (int fd, GIOCondition condition, gpointer data)
{
  Successor *self = data;
  g_autoptr (GError) error = NULL;
  int socket = detour_parley_accept (fd, &error);
  Caller *caller;

  if (socket < 0)
    {
      if (error != NULL)
        g_warning ("somebody who may not wanted to hand over: %s", error->message);
      return G_SOURCE_CONTINUE;
    }
  if (self->callers.length >= CALLERS_MAX)
    successor_forget (g_queue_peek_head (&self->callers));
  caller = g_new (Caller, 1);
  *caller = (Caller) { .owner = self, .socket = socket };
  caller->source = g_unix_fd_add (socket, G_IO_IN | G_IO_HUP | G_IO_ERR, successor_on_question,
                                  caller);
  caller->timer = g_timeout_add (FIRST_MS, successor_on_silence, caller);
  g_queue_push_tail (&self->callers, caller);
  return G_SOURCE_CONTINUE;
}

/* Waiting -------------------------------------------------------------------------------------- */

static gboolean
successor_on_look (gpointer data)
{
  Successor *self = data;

  self->n_free = detour_state_lock_is_free (self->state) ? self->n_free + 1 : 0;
  if (self->n_free < LOOKS_MOST || self->before >= 0)
    return G_SOURCE_CONTINUE;
  g_warning ("the program that ran has ended without handing over; starting");
  successor_end (self, DETOUR_SUCCESSOR_ALONE);
  return G_SOURCE_CONTINUE;
}

static gboolean
successor_on_terminate (gpointer data)
{
  successor_end (data, DETOUR_SUCCESSOR_ENDED);
  return G_SOURCE_CONTINUE;
}

static void
successor_mask_ends (int how)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGTERM);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGUSR1);
  pthread_sigmask (how, &set, NULL);
}

/* Whatever else is asked of a daemon waits until this one is there. */
static void
successor_run (Successor *self)
{
  guint sources[] = { g_timeout_add_seconds (LOOK_S, successor_on_look, self),
                      g_unix_signal_add (SIGTERM, successor_on_terminate, self),
                      g_unix_signal_add (SIGINT, successor_on_terminate, self),
                      g_unix_signal_add (SIGUSR1, successor_on_terminate, self) };

  self->listener_source = g_unix_fd_add (self->listener, G_IO_IN, successor_on_connect, self);
  g_message ("waiting at %s for the program that runs; to have it hand over: detourctl upgrade "
             "--to %s",
             self->path, self->path);
  detour_program_block_signals ();
  successor_mask_ends (SIG_UNBLOCK);
  g_main_loop_run (self->loop);
  successor_mask_ends (SIG_BLOCK);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  g_source_remove (self->listener_source);
  successor_watch_no_more (self);
  while (self->callers.length > 0)
    successor_forget (g_queue_peek_head (&self->callers));
}

DetourSuccessorOutcome
detour_successor_wait (DetourConfig *config, const char *path, int *before)
{
  g_autofree char *state = detour_config_state_directory (config);
  Successor self = {
    .config = config, .path = path, .state = state, .callers = G_QUEUE_INIT, .before = -1
  };
  g_autoptr (GError) error = NULL;

  *before = -1;
  if (detour_state_lock_is_free (state))
    {
      g_message ("no relay runs with %s, so there is nothing to take over; starting", state);
      return DETOUR_SUCCESSOR_ALONE;
    }
  self.listener = detour_parley_listen (path, &error);
  if (self.listener < 0)
    {
      g_warning ("%s", error->message);
      return DETOUR_SUCCESSOR_FAILED;
    }
  self.file = detour_socket_file_id (self.listener);
  self.loop = g_main_loop_new (NULL, FALSE);
  successor_run (&self);
  g_main_loop_unref (self.loop);
  detour_socket_remove_file (self.listener, &self.file);
  close (self.listener);
  if (self.outcome == DETOUR_SUCCESSOR_CALLED)
    *before = self.before;
  else if (self.before >= 0)
    close (self.before);
  return self.outcome;
}

/* Taking over ---------------------------------------------------------------------------------- */

DetourHandover *
detour_successor_receive (int before, GError **error)
{
  g_autoptr (GError) problem = NULL;
  DetourHandover *handover = detour_handover_receive (before, &problem);

  if (handover != NULL)
    return handover;
  detour_successor_decline (before, problem->message);
  g_propagate_error (error, g_steal_pointer (&problem));
  return NULL;
}

/* The other program tidies all that it receives. */
void
detour_successor_decline (int before, const char *why)
{
  g_autofree char *text = g_strconcat (DETOUR_PARLEY_CANNOT, why, NULL);

  detour_parley_send (before, text, -1);
}

gboolean
detour_successor_commit (int before, int *process, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autofree char *text = NULL;

  *process = detour_parley_open_process (before);
  if (detour_parley_send (before, DETOUR_PARLEY_HAVE, -1))
    text = detour_parley_receive_last (before, g_get_monotonic_time () + COMMIT_US, &problem);
  else
    g_set_error_literal (&problem, G_IO_ERROR, G_IO_ERROR_CLOSED, "it has ended");
  if (text != NULL && strcmp (text, DETOUR_PARLEY_GO) == 0)
    return TRUE;
  if (text != NULL)
    g_set_error (&problem, G_IO_ERROR, G_IO_ERROR_FAILED, "it speaks another language");
  if (*process >= 0)
    close (*process);
  *process = -1;
  g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

void
detour_successor_finish (int before, int process)
{
  detour_parley_wait_end (before, process, g_get_monotonic_time () + FINISH_US);
  close (before);
}
