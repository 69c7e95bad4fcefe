/* detour-by-hand.c: what an operator has set by hand in a running daemon, written down for the
 * program that takes its place.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-by-hand.h"

#include "detour-health.h"
#include "detour-log.h"

#define ID_MAX    256u
#define LEVEL_MAX 16u
/* Of each list. */
#define INSTANCES_MAX 1024u

/* Numbers of tags are never used for another thing. */
enum {
  TAG_ANNOUNCEMENT = 1,
  TAG_LOG_LEVEL = 2,
  TAG_STARTED = 3,
  TAG_STOPPED = 4,
  TAG_DRAIN = 5,
};

/* Of a drain. */
enum {
  TAG_D_BEGIN = 1,
  TAG_D_FOR = 2,
  TAG_D_KEEP = 3,
  TAG_D_N_BEGIN = 4,
  TAG_D_DONE = 5,
  TAG_D_SALT = 6,
  TAG_D_ENDS = 7,
};

void
detour_by_hand_init (DetourByHand *self)
{
  *self = (DetourByHand) { .started = g_ptr_array_new_with_free_func (g_free),
                           .stopped = g_ptr_array_new_with_free_func (g_free) };
}

void
detour_by_hand_clear (DetourByHand *self)
{
  g_free (self->announcement);
  g_ptr_array_unref (self->started);
  g_ptr_array_unref (self->stopped);
}

void
detour_by_hand_look (DetourByHand *self, DetourServer *server, const DetourRoster *roster)
{
  const DetourServerDrain *drain = detour_server_draining (server);

  self->announcement = g_strdup (detour_server_announcement (server));
  self->log_level = detour_log_override ();
  for (guint i = 0; i < detour_roster_count (roster); i++)
    {
      const DetourInstance *instance = detour_roster_nth (roster, i);
      DetourInstanceState state = detour_instance_state (instance);

      if (state == DETOUR_INSTANCE_STOPPED)
        g_ptr_array_add (self->stopped, g_strdup (detour_instance_id (instance)));
      else if (state == DETOUR_INSTANCE_RUNNING && !detour_instance_is_enabled (instance))
        g_ptr_array_add (self->started, g_strdup (detour_instance_id (instance)));
    }
  self->is_draining = drain != NULL;
  if (drain != NULL)
    self->drain = *drain;
}

/* Writing -------------------------------------------------------------------------------------- */

static void
by_hand_put_ids (DetourRecord *out, guint16 tag, const GPtrArray *ids)
{
  for (guint i = 0; i < ids->len; i++)
    detour_record_put_text (out, tag, ids->pdata[i]);
}

static void
by_hand_put_drain (const DetourByHand *self, DetourRecord *out)
{
  const DetourServerDrain *drain = &self->drain;
  gsize mark = detour_record_begin (out, TAG_DRAIN);

  detour_record_put_number (out, TAG_D_BEGIN, (guint64) drain->begin_real_us);
  detour_record_put_number (out, TAG_D_FOR, (guint64) drain->for_us);
  detour_record_put_number (out, TAG_D_KEEP, drain->keep);
  detour_record_put_number (out, TAG_D_N_BEGIN, drain->n_begin);
  detour_record_put_number (out, TAG_D_DONE, drain->is_done ? 1 : 0);
  detour_record_put_number (out, TAG_D_SALT, drain->salt);
  detour_record_put_number (out, TAG_D_ENDS, self->ends_when_drained ? 1 : 0);
  detour_record_end (out, mark);
}

void
detour_by_hand_write (const DetourByHand *self, DetourRecord *out)
{
  gsize mark = detour_record_begin (out, DETOUR_HANDOVER_BY_HAND);

  detour_record_put_text (out, TAG_ANNOUNCEMENT, self->announcement);
  if (self->log_level != 0)
    detour_record_put_text (out, TAG_LOG_LEVEL, detour_log_level_name (self->log_level));
  by_hand_put_ids (out, TAG_STARTED, self->started);
  by_hand_put_ids (out, TAG_STOPPED, self->stopped);
  if (self->is_draining)
    by_hand_put_drain (self, out);
  detour_record_end (out, mark);
}

/* Reading -------------------------------------------------------------------------------------- */

static gboolean
by_hand_take_level (DetourByHand *self, const DetourRecordItem *item)
{
  g_autofree char *name = detour_record_dup_text (item, LEVEL_MAX);

  return name != NULL && detour_log_level_from_name (name, &self->log_level);
}

static gboolean
by_hand_take_id (GPtrArray *ids, const DetourRecordItem *item)
{
  char *id = ids->len < INSTANCES_MAX ? detour_record_dup_text (item, ID_MAX) : NULL;

  if (id != NULL)
    g_ptr_array_add (ids, id);
  return id != NULL;
}

static gboolean
by_hand_take_flag (const DetourRecordItem *item, gboolean *out)
{
  guint64 number;

  if (!detour_record_number (item, 1, &number))
    return FALSE;
  *out = number == 1;
  return TRUE;
}

static gboolean
by_hand_take_drain_fact (const DetourRecordItem *item, gpointer user)
{
  DetourByHand *self = user;
  DetourServerDrain *drain = &self->drain;

  switch (item->tag)
    {
    case TAG_D_BEGIN:
      return detour_record_time (item, &drain->begin_real_us);
    case TAG_D_FOR:
      return detour_record_time (item, &drain->for_us);
    case TAG_D_KEEP:
      return detour_record_u32 (item, &drain->keep);
    case TAG_D_N_BEGIN:
      return detour_record_u32 (item, &drain->n_begin);
    case TAG_D_DONE:
      return by_hand_take_flag (item, &drain->is_done);
    case TAG_D_SALT:
      return detour_record_u32 (item, &drain->salt);
    case TAG_D_ENDS:
      return by_hand_take_flag (item, &self->ends_when_drained);
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

static gboolean
by_hand_take (const DetourRecordItem *item, gpointer user)
{
  DetourByHand *self = user;

  switch (item->tag)
    {
    case TAG_ANNOUNCEMENT:
      g_free (self->announcement);
      self->announcement = detour_record_dup_text (item, DETOUR_HEALTH_ANNOUNCEMENT_MAX);
      return self->announcement != NULL;
    case TAG_LOG_LEVEL:
      return by_hand_take_level (self, item);
    case TAG_STARTED:
      return by_hand_take_id (self->started, item);
    case TAG_STOPPED:
      return by_hand_take_id (self->stopped, item);
    case TAG_DRAIN:
      self->is_draining = TRUE;
      return detour_record_take_inside (item, by_hand_take_drain_fact, self);
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

gboolean
detour_by_hand_read (DetourByHand *self, const DetourRecordItem *item)
{
  if (detour_record_take_inside (item, by_hand_take, self))
    return TRUE;
  detour_by_hand_clear (self);
  detour_by_hand_init (self);
  return FALSE;
}

/* ---------------------------------------------------------------------------------------------- */

static void
by_hand_apply_ids (const GPtrArray *ids, DetourRoster *roster, gboolean runs)
{
  for (guint i = 0; i < ids->len; i++)
    detour_roster_switch (roster, ids->pdata[i], runs);
}

void
detour_by_hand_apply (const DetourByHand *self, DetourServer *server, DetourRoster *roster)
{
  detour_log_set_override (self->log_level);
  by_hand_apply_ids (self->started, roster, TRUE);
  by_hand_apply_ids (self->stopped, roster, FALSE);
  if (self->announcement != NULL)
    detour_server_announce (server, self->announcement);
  if (self->is_draining)
    detour_server_stay_out (server);
}
