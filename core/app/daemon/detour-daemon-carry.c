/* detour-daemon-carry.c: what the daemon itself hands to the program that takes its place, beside
 * connections.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-daemon-private.h"

#include <unistd.h>

#include "detour-config-record.h"
#include "detour-daemon.h"
#include "detour-event-record.h"
#include "detour-log-memory.h"
#include "detour-log.h"
#include "detour-memory.h"
#include "detour-successor.h"

/* The latest so many events. */
#define EVENTS_MAX 65536u

/* In the item of the events. */
enum { TAG_EVENT = 1 };

static void
daemon_carry_write_by_hand (DetourDaemon *self, DetourRecord *out)
{
  g_auto (DetourByHand) by_hand;

  detour_by_hand_init (&by_hand);
  detour_by_hand_look (&by_hand, self->server, self->roster);
  by_hand.ends_when_drained = self->ends_when_drained;
  detour_by_hand_write (&by_hand, out);
}

/* Those behind @after. The file gets them from this program, and not from the next one. */
static void
daemon_carry_write_events (DetourDaemon *self, DetourRecord *out, guint64 after)
{
  g_autoptr (GPtrArray) events = detour_events_read (after, NULL);
  gsize mark = detour_record_begin (out, DETOUR_HANDOVER_EVENTS);

  if (self->events != NULL)
    {
      detour_event_file_pause (self->events);
      detour_event_file_go_on (self->events);
    }
  for (guint i = 0; i < events->len; i++)
    {
      const DetourEvent *event = events->pdata[i];

      detour_event_record_write (event, out, TAG_EVENT);
      self->written_event = event->number;
    }
  detour_record_end (out, mark);
}

void
detour_daemon_write_down (gpointer user, DetourRecord *out)
{
  DetourDaemon *self = user;
  guint64 last = detour_events_last ();

  /* A restart makes all as it is configured. */
  if (!self->is_leaving)
    daemon_carry_write_by_hand (self, out);
  detour_config_record_write (detour_roster_config (self->roster), out, DETOUR_HANDOVER_CONFIG);
  self->written_event = last - MIN (last, EVENTS_MAX);
  daemon_carry_write_events (self, out, self->written_event);
  self->written_line = detour_log_memory_last ();
  detour_log_memory_write (out, DETOUR_HANDOVER_LOG, 0);
  if (self->control != NULL)
    detour_control_write_history (self->control, out, DETOUR_HANDOVER_HISTORY);
  detour_roster_write_memories (self->roster, out, DETOUR_HANDOVER_PLUGIN);
}

/* Few, if any. An event that was written down before and has been repeated since is written once
 * more: the other program counts it twice, which is better than not at all. */
void
detour_daemon_write_rest (gpointer user, DetourRecord *out)
{
  DetourDaemon *self = user;

  if (detour_events_last () > self->written_event)
    daemon_carry_write_events (self, out, self->written_event);
  detour_log_flush ();
  if (detour_log_memory_last () > self->written_line)
    detour_log_memory_write (out, DETOUR_HANDOVER_LOG, self->written_line);
  detour_roster_write_counters (self->roster, out, DETOUR_HANDOVER_PLUGIN);
}

void
detour_daemon_wait (gpointer user, gint64 for_us)
{
  detour_watchdog_excuse (((DetourDaemon *) user)->watchdog, for_us);
}

/* The new program ------------------------------------------------------------------------------ */

static void
daemon_carry_complain (const char *what)
{
  g_warning ("the record of the program before is damaged; lost, or a part of it: %s", what);
}

/* The record is gone before there is time for it. */
static void
daemon_carry_keep (DetourDaemon *self, const DetourRecordItem *item)
{
  detour_record_put (&self->memories, item->tag, item->data, item->len);
}

void
detour_daemon_expect (DetourDaemon *self, const DetourHandover *handover, DetourByHand *by_hand)
{
  DetourRecordReader reader = detour_handover_items (handover);
  DetourRecordItem item;

  while (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    switch (item.tag)
      {
      case DETOUR_HANDOVER_BY_HAND:
        if (!detour_by_hand_read (by_hand, &item))
          daemon_carry_complain ("what was set by hand");
        break;
      case DETOUR_HANDOVER_PLUGIN:
        if (!detour_roster_read (self->roster, &item))
          daemon_carry_complain ("counters and memory of a plugin");
        break;
      case DETOUR_HANDOVER_EVENTS:
      case DETOUR_HANDOVER_LOG:
      case DETOUR_HANDOVER_HISTORY:
        daemon_carry_keep (self, &item);
        break;
      default:
        break;
      }
  detour_by_hand_apply (by_hand, self->server, self->roster);
}

static gboolean
daemon_carry_read_events (DetourDaemon *self, const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  gboolean good = TRUE;
  DetourRecordItem event;
  DetourRecordStep step;

  if (self->events != NULL)
    detour_event_file_pause (self->events);
  while ((step = detour_record_next (&reader, &event)) == DETOUR_RECORD_ITEM)
    if (event.tag == TAG_EVENT)
      good = detour_event_record_read (&event) && good;
  if (self->events != NULL)
    {
      detour_event_file_skip (self->events, self->begin_real_us);
      detour_event_file_go_on (self->events);
    }
  return good && step == DETOUR_RECORD_END;
}

void
detour_daemon_remember (DetourDaemon *self)
{
  DetourRecordReader reader = { self->memories.data, self->memories.len };
  DetourRecordItem item;

  while (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    if (item.tag == DETOUR_HANDOVER_EVENTS && !daemon_carry_read_events (self, &item))
      daemon_carry_complain ("events");
    else if (item.tag == DETOUR_HANDOVER_LOG && !detour_log_memory_take (&item))
      daemon_carry_complain ("lines of the log");
    else if (item.tag == DETOUR_HANDOVER_HISTORY
             && !detour_control_read_history (self->control, &item))
      daemon_carry_complain ("the rates of the last hour");
  if (self->memories.len == 0)
    return;
  detour_record_clear (&self->memories);
  /* To read all that took some megabytes for a moment, which lie between what is kept. */
  detour_memory_trim ();
}

/* From another process ------------------------------------------------------------------------- */

/* The program that would hand over goes on when this one ends, with all that is its own: nothing is
 * cleaned up here, such as files of sockets. */
void
detour_daemon_decline (const DetourProgram *program, const char *why)
{
  g_warning ("this program does not take over, and ends: %s", why);
  detour_successor_decline (program->before, why);
  detour_log_flush ();
  _exit (DETOUR_EXIT_FAILED);
}

/* The other program has failed, and this one could still take over: it begins again, and waits for
 * the next one that asks. What was started for the clients that do not come is gone with that. */
static void daemon_carry_wait_on (DetourProgram *program, const char *why) G_GNUC_NORETURN;

static void
daemon_carry_wait_on (DetourProgram *program, const char *why)
{
  g_warning ("nothing was handed over, and this program waits on: %s", why);
  detour_successor_decline (program->before, why);
  detour_log_flush ();
  detour_program_end_children ();
  detour_program_begin_again (program);
  detour_log_flush ();
  _exit (DETOUR_EXIT_FAILED);
}

gboolean
detour_daemon_commit (gpointer user)
{
  DetourProgram *program = user;
  g_autoptr (GError) error = NULL;

  if (program->before < 0
      || detour_successor_commit (program->before, &program->before_process, &error))
    return TRUE;
  daemon_carry_wait_on (program, error->message);
}

/* What is in another process. */
DetourHandover *
detour_daemon_receive (DetourProgram *program)
{
  g_autoptr (GError) error = NULL;
  DetourHandover *handover;

  detour_program_begin_secrecy ();
  handover = detour_successor_receive (program->before, &error);
  if (handover == NULL)
    daemon_carry_wait_on (program, error->message);
  return handover;
}

/* The addresses of the program before are free when that has ended. */
void
detour_daemon_finish (DetourDaemon *self, DetourProgram *program)
{
  if (program->before < 0)
    return;
  detour_server_accept_again (self->server);
  detour_successor_finish (program->before, program->before_process);
  program->before = program->before_process = -1;
  detour_roster_start_rest (self->roster);
}
