/* detour-server-left.c: connections that have not logged in go from one program to the next, as far
 * as they can.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One of which nothing was read begins anew in the next program. The record layer of all others is
 * half done and cannot be written down: they are closed there one by one, and refused ones that are
 * held when their time is over. */
#include "config.h"

#include "detour-server-left.h"

#include <string.h>

#include "detour-server-private.h"

/* Those that cannot go along are closed within this time, and longer where they are many. */
#define STRAGGLER_US        (2 * G_USEC_PER_SEC)
#define STRAGGLERS_A_SECOND 500u

/* Of a refused client that is held. */
enum {
  TAG_H_FD = 1 | DETOUR_RECORD_MUST,
  TAG_H_UNTIL = 2,
};

/* Of a connection of which nothing was read. */
enum {
  TAG_U_FD = 1 | DETOUR_RECORD_MUST,
  TAG_U_LISTENER = 2 | DETOUR_RECORD_MUST, /* its instance */
};

/* Nobody looks whether it is there still, so it is held no longer than that. */
#define HELD_US      (60 * G_USEC_PER_SEC)
#define NAME_MAX_LEN 512u

void
detour_server_left_init (DetourServerLeft *self)
{
  self->stragglers = g_array_new (FALSE, FALSE, sizeof (DetourHandshakeLeft));
  self->unheard = g_array_new (FALSE, FALSE, sizeof (DetourHandshakeLeft));
}

void
detour_server_left_clear (DetourServerLeft *self)
{
  g_array_unref (self->stragglers);
  g_array_unref (self->unheard);
}

/* The old program ------------------------------------------------------------------------------ */

/* Before the same as a straggler, which is all that it is for a program that does not know this. */
static void
server_left_write_unheard (DetourRecord *out, guint32 place, const DetourListener *listener)
{
  gsize mark = detour_record_begin (out, DETOUR_HANDOVER_UNHEARD);

  detour_record_put_number (out, TAG_U_FD, place);
  detour_record_put_text (out, TAG_U_LISTENER, listener->instance);
  detour_record_end (out, mark);
}

static gboolean
server_left_write_one (DetourHandoverDraft *draft, const DetourHandshakeLeft *left, GError **error)
{
  guint32 place = detour_handover_draft_add_fd (draft, left->fd);
  DetourRecord *out = detour_handover_draft_record (draft);

  if (left->came != NULL)
    server_left_write_unheard (out, place, left->came);
  if (left->held_until_us == 0)
    detour_record_put_number (out, DETOUR_HANDOVER_STRAGGLER, (guint64) place + 1);
  else
    {
      gsize mark = detour_record_begin (out, DETOUR_HANDOVER_HELD);

      detour_record_put_number (out, TAG_H_FD, place);
      detour_record_put_number (out, TAG_H_UNTIL, (guint64) left->held_until_us);
      detour_record_end (out, mark);
    }
  return detour_handover_draft_commit (draft, error);
}

/* What an earlier upgrade left behind goes along until its time is over: two upgrades, one behind
 * the other, do not close it at once. */
static void
server_left_add_straggler (int fd, gint64 end_us, gpointer user)
{
  DetourHandshakeLeft left = { fd, end_us, NULL };

  g_array_append_val ((GArray *) user, left);
}

gboolean
detour_server_left_write (const DetourServer *self, DetourHandoverDraft *draft, guint *n_unfinished,
                          GError **error)
{
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (DetourHandshakeLeft));
  gboolean good = TRUE;

  detour_handshake_pool_list (self->pool, all);
  *n_unfinished = 0;
  for (guint i = 0; i < all->len; i++)
    *n_unfinished += g_array_index (all, DetourHandshakeLeft, i).held_until_us == 0;
  if (self->stragglers != NULL)
    detour_stragglers_each (self->stragglers, server_left_add_straggler, all);
  for (guint i = 0; good && i < all->len; i++)
    good = server_left_write_one (draft, &g_array_index (all, DetourHandshakeLeft, i), error);
  return good;
}

/* The new program ------------------------------------------------------------------------------ */

int
detour_server_left_behind (DetourServerLeft *self, DetourHandover *handover, guint32 place,
                           gint64 held_until_us)
{
  DetourHandshakeLeft left = { detour_handover_take_fd (handover, place), held_until_us, NULL };

  if (left.fd >= 0)
    g_array_append_val (self->stragglers, left);
  return left.fd;
}

/* One that is damaged is closed with @handover. */
static void
server_left_take_held (DetourServerLeft *self, DetourHandover *handover,
                       const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  guint32 place = 0;
  gint64 until_us = 0;
  DetourRecordItem inner;
  DetourRecordStep step;

  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    if ((inner.tag == TAG_H_FD && !detour_record_u32 (&inner, &place))
        || (inner.tag == TAG_H_UNTIL && !detour_record_time (&inner, &until_us))
        || (inner.tag != TAG_H_FD && (inner.tag & DETOUR_RECORD_MUST) != 0))
      return;
  if (step == DETOUR_RECORD_END)
    detour_server_left_behind (self, handover, place, until_us);
}

/* A listener that is gone, or listens no more, has no place for its connections either. */
static DetourListener *
server_left_find_listener (const DetourServer *self, const char *instance)
{
  for (guint i = 0; i < self->listeners->len; i++)
    {
      DetourListener *listener = self->listeners->pdata[i];

      if (strcmp (listener->instance, instance) == 0 && !listener->is_paused)
        return listener;
    }
  return NULL;
}

/* One for which there is no listener is a straggler. */
static void
server_left_take_unheard (DetourServerLeft *self, const DetourServer *server,
                          DetourHandover *handover, const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  g_autofree char *name = NULL;
  DetourHandshakeLeft left = { -1, 0, NULL };
  guint32 place = 0;
  DetourRecordItem inner;
  DetourRecordStep step;

  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    if (inner.tag == TAG_U_LISTENER && name == NULL)
      name = detour_record_dup_text (&inner, NAME_MAX_LEN);
    else if (inner.tag != TAG_U_FD ? (inner.tag & DETOUR_RECORD_MUST) != 0
                                   : !detour_record_u32 (&inner, &place))
      return;
  if (step != DETOUR_RECORD_END || name == NULL)
    return;
  left.came = server_left_find_listener (server, name);
  if (left.came != NULL)
    left.fd = detour_handover_take_fd (handover, place);
  if (left.fd >= 0)
    g_array_append_val (self->unheard, left);
}

void
detour_server_left_read (DetourServerLeft *self, const DetourServer *server,
                         DetourHandover *handover, const DetourRecordItem *item)
{
  guint32 place;

  if (item->tag == DETOUR_HANDOVER_HELD)
    server_left_take_held (self, handover, item);
  else if (item->tag == DETOUR_HANDOVER_UNHEARD)
    server_left_take_unheard (self, server, handover, item);
  else if (item->tag == DETOUR_HANDOVER_STRAGGLER && detour_record_u32 (item, &place) && place > 0)
    detour_server_left_behind (self, handover, place - 1, 0);
}

static void
server_left_keep_stragglers (DetourServer *self, const GArray *all)
{
  gint64 within_us = MAX (STRAGGLER_US, (gint64) all->len * G_USEC_PER_SEC / STRAGGLERS_A_SECOND);
  gint64 held_max_us = g_get_monotonic_time () + HELD_US;

  self->stragglers = detour_stragglers_new ();
  for (guint i = 0; i < all->len; i++)
    {
      const DetourHandshakeLeft *left = &g_array_index (all, DetourHandshakeLeft, i);

      if (left->held_until_us != 0)
        detour_stragglers_keep (self->stragglers, left->fd, MIN (left->held_until_us, held_max_us));
      else
        detour_stragglers_add (self->stragglers, left->fd, within_us);
    }
}

void
detour_server_left_go_on (DetourServer *server, const DetourServerLeft *self)
{
  for (guint i = 0; i < self->unheard->len; i++)
    {
      const DetourHandshakeLeft *left = &g_array_index (self->unheard, DetourHandshakeLeft, i);

      detour_handshake_pool_take (server->pool, left->came, left->fd);
    }
  server_left_keep_stragglers (server, self->stragglers);
}
