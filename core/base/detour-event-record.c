/* detour-event-record.c: events of the past written down for another program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-record.h"

/* Longer than any text of an event. */
#define TEXT_MAX_LEN 1024u

/* Numbers of tags are never used for another thing. */
enum {
  TAG_KIND = 1, /* its name */
  TAG_KEY = 2,
  TAG_ADDRESS = 3,
  TAG_SOURCE = 4,
  TAG_LABEL = 5,
  TAG_CLASS = 6,
  TAG_TENANT = 7,
  TAG_TEXT = 8,
  TAG_RESULT = 9,
  TAG_FLAGS = 10,
  TAG_FIRST = 11,
  TAG_LAST = 12,
  TAG_COUNT = 13,
};

void
detour_event_record_write (const DetourEvent *event, DetourRecord *out, guint16 tag)
{
  gsize mark = detour_record_begin (out, tag);

  detour_record_put_text (out, TAG_KIND, detour_event_kind_name (event->kind));
  if (event->key != NULL)
    detour_record_put (out, TAG_KEY, event->key, sizeof *event->key);
  detour_record_put_text (out, TAG_ADDRESS, event->address);
  detour_record_put_text (out, TAG_SOURCE, event->source);
  detour_record_put_text (out, TAG_LABEL, event->label);
  detour_record_put_text (out, TAG_CLASS, event->class_);
  detour_record_put_text (out, TAG_TENANT, event->tenant);
  detour_record_put_text (out, TAG_TEXT, event->text);
  detour_record_put_number (out, TAG_RESULT, event->result);
  detour_record_put_number (out, TAG_FLAGS, event->flags);
  detour_record_put_number (out, TAG_FIRST, (guint64) event->first_us);
  detour_record_put_number (out, TAG_LAST, (guint64) event->last_us);
  detour_record_put_number (out, TAG_COUNT, event->count);
  detour_record_end (out, mark);
}

/* What an event points to. */
typedef struct {
  DetourEvent event;
  DetourKey key;
  char *texts[TAG_TEXT - TAG_ADDRESS + 1];
  gboolean has_kind;
} Draft;

static gboolean
event_record_take_kind (Draft *draft, const DetourRecordItem *item)
{
  g_autofree char *name = detour_record_dup_text (item, TEXT_MAX_LEN);

  draft->has_kind = name != NULL && detour_event_kind_from_name (name, &draft->event.kind);
  return draft->has_kind;
}

static gboolean
event_record_take_key (Draft *draft, const DetourRecordItem *item)
{
  draft->event.key = &draft->key;
  return detour_record_copy (item, &draft->key, sizeof draft->key);
}

static gboolean
event_record_take_text (char **text, const DetourRecordItem *item)
{
  g_free (*text);
  *text = detour_record_dup_text (item, TEXT_MAX_LEN);
  return *text != NULL;
}

static gboolean
event_record_take_byte (const DetourRecordItem *item, guint8 *out)
{
  guint64 number;

  if (!detour_record_number (item, G_MAXUINT8, &number))
    return FALSE;
  *out = (guint8) number;
  return TRUE;
}

static gboolean
event_record_take (const DetourRecordItem *item, gpointer user)
{
  Draft *draft = user;

  switch (item->tag)
    {
    case TAG_KIND:
      return event_record_take_kind (draft, item);
    case TAG_KEY:
      return event_record_take_key (draft, item);
    case TAG_ADDRESS:
    case TAG_SOURCE:
    case TAG_LABEL:
    case TAG_CLASS:
    case TAG_TENANT:
    case TAG_TEXT:
      return event_record_take_text (&draft->texts[item->tag - TAG_ADDRESS], item);
    case TAG_RESULT:
      return event_record_take_byte (item, &draft->event.result);
    case TAG_FLAGS:
      return event_record_take_byte (item, &draft->event.flags);
    case TAG_FIRST:
      return detour_record_time (item, &draft->event.first_us);
    case TAG_LAST:
      return detour_record_time (item, &draft->event.last_us);
    case TAG_COUNT:
      return detour_record_u32 (item, &draft->event.count);
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

gboolean
detour_event_record_read (const DetourRecordItem *item)
{
  Draft draft = { .has_kind = FALSE };
  gboolean good = detour_record_take_inside (item, event_record_take, &draft) && draft.has_kind;

  draft.event.address = draft.texts[TAG_ADDRESS - TAG_ADDRESS];
  draft.event.source = draft.texts[TAG_SOURCE - TAG_ADDRESS];
  draft.event.label = draft.texts[TAG_LABEL - TAG_ADDRESS];
  draft.event.class_ = draft.texts[TAG_CLASS - TAG_ADDRESS];
  draft.event.tenant = draft.texts[TAG_TENANT - TAG_ADDRESS];
  draft.event.text = draft.texts[TAG_TEXT - TAG_ADDRESS];
  if (good)
    detour_events_add (&draft.event);
  for (guint i = 0; i < G_N_ELEMENTS (draft.texts); i++)
    g_free (draft.texts[i]);
  return good;
}
