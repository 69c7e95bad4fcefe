/* detour-record.h: state that one program writes down and another one, older or newer, reads.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A record is a line of items. An item is a tag of two bytes, a length of four, both in network
 * order, and that many bytes, which may be items again. A reader skips tags that it does not know,
 * except those with DETOUR_RECORD_MUST set: what they say is not left out without harm, and a
 * reader that does not know them refuses the whole.
 *
 * Records may hold secrets, so what a writer has held is wiped. Readers check everything, as if a
 * stranger had written it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Part of a tag. */
#define DETOUR_RECORD_MUST 0x8000u

#define DETOUR_RECORD_HEAD_SIZE 6u

/* Writing -------------------------------------------------------------------------------------- */

/* All zero to begin with. */
typedef struct {
  guint8 *data;
  gsize len, cap;
} DetourRecord;

/* Wiped and freed, so that it is as in the beginning. */
void detour_record_clear (DetourRecord *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourRecord, detour_record_clear)
/* Wiped, and as long as before inside. */
void detour_record_empty (DetourRecord *self);

void detour_record_put (DetourRecord *self, guint16 tag, gconstpointer data, gsize len);
/* Nothing is written for 0, which a reader takes for granted. */
void detour_record_put_number (DetourRecord *self, guint16 tag, guint64 value);
/* @text: (nullable): nothing is written for NULL */
void detour_record_put_text (DetourRecord *self, guint16 tag, const char *text);

/* Tags that a reader will have to know, each an empty item inside. */
void detour_record_put_tags (DetourRecord *self, guint16 tag, const guint16 *tags, gsize n);

/* What is put until detour_record_end() is inside an item with this tag. Returns: for that. */
gsize detour_record_begin (DetourRecord *self, guint16 tag) G_GNUC_WARN_UNUSED_RESULT;
void detour_record_end (DetourRecord *self, gsize mark);

/* Reading -------------------------------------------------------------------------------------- */

/* Borrows all it is given. */
typedef struct {
  const guint8 *data;
  gsize left;
} DetourRecordReader;

typedef struct {
  guint16 tag; /* DETOUR_RECORD_MUST is part of it */
  const guint8 *data;
  gsize len;
} DetourRecordItem;

typedef enum {
  DETOUR_RECORD_ITEM,
  DETOUR_RECORD_END,
  DETOUR_RECORD_DAMAGED, /* an item is longer than what is there */
} DetourRecordStep;

DetourRecordStep detour_record_next (DetourRecordReader *self, DetourRecordItem *item)
    G_GNUC_WARN_UNUSED_RESULT;

/* Those inside of @item. */
static inline DetourRecordReader
detour_record_inside (const DetourRecordItem *item)
{
  return (DetourRecordReader) { item->data, item->len };
}

/* FALSE: it does not want this item, or cannot use it. */
typedef gboolean (*DetourRecordTake) (const DetourRecordItem *item, gpointer user);

/* Hands all that are inside of @item to @take, in their order, until one is refused. FALSE: one
 * was, or the record is damaged. */
gboolean detour_record_take_inside (const DetourRecordItem *item, DetourRecordTake take,
                                    gpointer user) G_GNUC_WARN_UNUSED_RESULT;

/* FALSE: it is no number, or above @max. */
gboolean detour_record_number (const DetourRecordItem *item, guint64 max, guint64 *out)
    G_GNUC_WARN_UNUSED_RESULT;
gboolean detour_record_u32 (const DetourRecordItem *item, guint32 *out) G_GNUC_WARN_UNUSED_RESULT;
/* Or another number that is signed and never negative. */
gboolean detour_record_time (const DetourRecordItem *item, gint64 *out) G_GNUC_WARN_UNUSED_RESULT;
/* FALSE: it has another length; nothing is copied. */
gboolean detour_record_copy (const DetourRecordItem *item, gpointer out, gsize len)
    G_GNUC_WARN_UNUSED_RESULT;
/* Whether the @n @tags have all that are inside, which were put with detour_record_put_tags(). */
gboolean detour_record_has_tags (const DetourRecordItem *item, const guint16 *tags, gsize n)
    G_GNUC_WARN_UNUSED_RESULT;
/* Returns: (transfer full) (nullable): NULL: it is longer than @max_len, or no text. */
char *detour_record_dup_text (const DetourRecordItem *item, gsize max_len);
/* The same of the first with @tag that is inside; NULL as well when there is none. */
char *detour_record_find_text (const DetourRecordItem *item, guint16 tag, gsize max_len);

G_END_DECLS
