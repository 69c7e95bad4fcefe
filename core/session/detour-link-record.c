/* detour-link-record.c: what a link is known by, written down for another program, and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-link-record.h"

/* Numbers of tags are never used for another thing. */
enum {
  TAG_NAME = 1,
  TAG_KEYS = 2 | DETOUR_RECORD_MUST,
  TAG_PACKETS = 3,
  TAG_BYTES = 4,
  TAG_DROPPED = 5, /* one for each reason: its number, and how many */
  TAG_TOLD = 6,
  TAG_PREFERRED = 7,
};

#define NAME_MAX_LEN 4096u

static void
link_record_put_keys (DetourRecord *out, guint16 tag, const GArray *keys)
{
  if (keys != NULL && keys->len > 0)
    detour_record_put (out, tag, keys->data, keys->len * sizeof (DetourKey));
}

void
detour_link_record_write (DetourRecord *out, guint16 tag, const DetourLinkTie *tie,
                          const GArray *keys, const GArray *preferred)
{
  const DetourRelayLinkCounters *counters = &tie->relay.counters;
  gsize mark = detour_record_begin (out, tag);

  detour_record_put_text (out, TAG_NAME, tie->name != NULL ? tie->name : "");
  link_record_put_keys (out, TAG_KEYS, keys);
  link_record_put_keys (out, TAG_PREFERRED, preferred);
  detour_record_put_number (out, TAG_TOLD, detour_counter_get (&counters->told));
  detour_record_put_number (out, TAG_PACKETS, detour_counter_get (&counters->packets));
  detour_record_put_number (out, TAG_BYTES, detour_counter_get (&counters->bytes));
  for (guint i = 0; i < DETOUR_N_DROPS; i++)
    {
      guint64 pair[2] = { GUINT64_TO_BE (i),
                          GUINT64_TO_BE (detour_counter_get (&counters->packets_dropped[i])) };

      detour_record_put (out, TAG_DROPPED, pair, sizeof pair);
    }
  detour_record_end (out, mark);
}

/* What was read so far. */
typedef struct {
  char *name;
  GArray *keys, *preferred;
  DetourRelayLinkCounters counters;
} LinkDraft;

static gboolean
link_record_take_keys (const DetourRecordItem *item, GArray **keys)
{
  if (*keys != NULL || item->len % sizeof (DetourKey) != 0)
    return FALSE;
  *keys = g_array_new (FALSE, FALSE, sizeof (DetourKey));
  g_array_append_vals (*keys, item->data, (guint) (item->len / sizeof (DetourKey)));
  return TRUE;
}

static gboolean
link_record_take (const DetourRecordItem *item, gpointer user)
{
  LinkDraft *draft = user;
  guint64 pair[2], reason;

  switch (item->tag)
    {
    case TAG_NAME:
      g_free (draft->name);
      draft->name = detour_record_dup_text (item, NAME_MAX_LEN);
      return draft->name != NULL;
    case TAG_KEYS:
      return link_record_take_keys (item, &draft->keys);
    case TAG_PREFERRED:
      return link_record_take_keys (item, &draft->preferred);
    case TAG_TOLD:
      return detour_record_number (item, G_MAXUINT64, &draft->counters.told.value);
    case TAG_PACKETS:
      return detour_record_number (item, G_MAXUINT64, &draft->counters.packets.value);
    case TAG_BYTES:
      return detour_record_number (item, G_MAXUINT64, &draft->counters.bytes.value);
    case TAG_DROPPED:
      if (!detour_record_copy (item, pair, sizeof pair))
        return FALSE;
      reason = GUINT64_FROM_BE (pair[0]);
      if (reason < DETOUR_N_DROPS) /* else it is one of a newer program */
        draft->counters.packets_dropped[reason].value = GUINT64_FROM_BE (pair[1]);
      return TRUE;
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

DetourLinkTie *
detour_link_record_read (const DetourRecordItem *item, GArray **keys, GArray **preferred)
{
  static const DetourKey unknown;
  LinkDraft draft = { NULL };
  DetourLinkTie *tie = NULL;

  if (detour_record_take_inside (item, link_record_take, &draft) && draft.name != NULL)
    {
      tie = detour_link_tie_new (&unknown, draft.name);
      tie->relay.counters = draft.counters;
      *keys = g_steal_pointer (&draft.keys);
      *preferred = g_steal_pointer (&draft.preferred);
    }
  g_clear_pointer (&draft.preferred, g_array_unref);
  g_clear_pointer (&draft.keys, g_array_unref);
  g_free (draft.name);
  return tie;
}

char *
detour_link_record_dup_name (const DetourRecordItem *item)
{
  return detour_record_find_text (item, TAG_NAME, NAME_MAX_LEN);
}
