/* detour-record.c: state that one program writes down and another one, older or newer, reads.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-record.h"

#include <string.h>

#define NUMBER_SIZE 8u
#define CAP_MIN     4096u

/* Writing -------------------------------------------------------------------------------------- */

void
detour_record_empty (DetourRecord *self)
{
  if (self->data != NULL)
    explicit_bzero (self->data, self->len);
  self->len = 0;
}

void
detour_record_clear (DetourRecord *self)
{
  detour_record_empty (self);
  g_clear_pointer (&self->data, g_free);
  self->cap = 0;
}

/* realloc() would leave what it held behind in the heap. */
static void
record_reserve (DetourRecord *self, gsize len)
{
  guint8 *data;
  gsize cap;

  if (self->cap - self->len >= len)
    return;
  cap = MAX (MAX (2 * self->cap, self->len + len), CAP_MIN);
  data = g_malloc (cap);
  if (self->data != NULL)
    {
      memcpy (data, self->data, self->len);
      explicit_bzero (self->data, self->len);
      g_free (self->data);
    }
  self->data = data;
  self->cap = cap;
}

static void
record_set_head (guint8 *head, guint16 tag, gsize len)
{
  guint16 tag_be = GUINT16_TO_BE (tag);
  guint32 len_be = GUINT32_TO_BE ((guint32) len);

  g_assert (len <= G_MAXUINT32);
  memcpy (head, &tag_be, sizeof tag_be);
  memcpy (head + sizeof tag_be, &len_be, sizeof len_be);
}

void
detour_record_put (DetourRecord *self, guint16 tag, gconstpointer data, gsize len)
{
  record_reserve (self, DETOUR_RECORD_HEAD_SIZE + len);
  record_set_head (self->data + self->len, tag, len);
  if (len > 0)
    memcpy (self->data + self->len + DETOUR_RECORD_HEAD_SIZE, data, len);
  self->len += DETOUR_RECORD_HEAD_SIZE + len;
}

void
detour_record_put_number (DetourRecord *self, guint16 tag, guint64 value)
{
  guint64 value_be = GUINT64_TO_BE (value);

  if (value != 0)
    detour_record_put (self, tag, &value_be, sizeof value_be);
}

void
detour_record_put_text (DetourRecord *self, guint16 tag, const char *text)
{
  if (text != NULL)
    detour_record_put (self, tag, text, strlen (text));
}

gsize
detour_record_begin (DetourRecord *self, guint16 tag)
{
  gsize mark = self->len;

  detour_record_put (self, tag, NULL, 0);
  return mark;
}

void
detour_record_end (DetourRecord *self, gsize mark)
{
  guint16 tag_be;

  memcpy (&tag_be, self->data + mark, sizeof tag_be);
  record_set_head (self->data + mark, GUINT16_FROM_BE (tag_be),
                   self->len - mark - DETOUR_RECORD_HEAD_SIZE);
}

void
detour_record_put_tags (DetourRecord *self, guint16 tag, const guint16 *tags, gsize n)
{
  gsize mark = detour_record_begin (self, tag);

  for (gsize i = 0; i < n; i++)
    detour_record_put (self, tags[i], NULL, 0);
  detour_record_end (self, mark);
}

/* Reading -------------------------------------------------------------------------------------- */

DetourRecordStep
detour_record_next (DetourRecordReader *self, DetourRecordItem *item)
{
  guint16 tag_be;
  guint32 len_be;

  if (self->left == 0)
    return DETOUR_RECORD_END;
  if (self->left < DETOUR_RECORD_HEAD_SIZE)
    return DETOUR_RECORD_DAMAGED;
  memcpy (&tag_be, self->data, sizeof tag_be);
  memcpy (&len_be, self->data + sizeof tag_be, sizeof len_be);
  item->tag = GUINT16_FROM_BE (tag_be);
  item->len = GUINT32_FROM_BE (len_be);
  item->data = self->data + DETOUR_RECORD_HEAD_SIZE;
  if (item->len > self->left - DETOUR_RECORD_HEAD_SIZE)
    return DETOUR_RECORD_DAMAGED;
  self->data = item->data + item->len;
  self->left -= DETOUR_RECORD_HEAD_SIZE + item->len;
  return DETOUR_RECORD_ITEM;
}

gboolean
detour_record_take_inside (const DetourRecordItem *item, DetourRecordTake take, gpointer user)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner;
  DetourRecordStep step;

  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    if (!take (&inner, user))
      return FALSE;
  return step == DETOUR_RECORD_END;
}

gboolean
detour_record_number (const DetourRecordItem *item, guint64 max, guint64 *out)
{
  guint64 value_be;

  if (item->len != NUMBER_SIZE)
    return FALSE;
  memcpy (&value_be, item->data, sizeof value_be);
  if (GUINT64_FROM_BE (value_be) > max)
    return FALSE;
  *out = GUINT64_FROM_BE (value_be);
  return TRUE;
}

gboolean
detour_record_u32 (const DetourRecordItem *item, guint32 *out)
{
  guint64 number;

  if (!detour_record_number (item, G_MAXUINT32, &number))
    return FALSE;
  *out = (guint32) number;
  return TRUE;
}

gboolean
detour_record_time (const DetourRecordItem *item, gint64 *out)
{
  guint64 number;

  if (!detour_record_number (item, G_MAXINT64, &number))
    return FALSE;
  *out = (gint64) number;
  return TRUE;
}

gboolean
detour_record_copy (const DetourRecordItem *item, gpointer out, gsize len)
{
  if (item->len != len)
    return FALSE;
  memcpy (out, item->data, len);
  return TRUE;
}

gboolean
detour_record_has_tags (const DetourRecordItem *item, const guint16 *tags, gsize n)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner;
  DetourRecordStep step;

  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    {
      gsize i = 0;

      while (i < n && tags[i] != inner.tag)
        i++;
      if (i == n)
        return FALSE;
    }
  return step == DETOUR_RECORD_END;
}

char *
detour_record_dup_text (const DetourRecordItem *item, gsize max_len)
{
  if (item->len > max_len || memchr (item->data, '\0', item->len) != NULL
      || !g_utf8_validate_len ((const char *) item->data, item->len, NULL))
    return NULL;
  return g_strndup ((const char *) item->data, item->len);
}

char *
detour_record_find_text (const DetourRecordItem *item, guint16 tag, gsize max_len)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner;

  while (detour_record_next (&reader, &inner) == DETOUR_RECORD_ITEM)
    if (inner.tag == tag)
      return detour_record_dup_text (&inner, max_len);
  return NULL;
}
