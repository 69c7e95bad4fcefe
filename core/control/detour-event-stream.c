/* detour-event-stream.c: events as they happen, for callers that subscribed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-event-stream.h"

#include "detour-event-list.h"
#include "detour-subscribers.h"

#define LOOK_MS 100u
/* In one signal. */
#define BATCH_MAX 500u

struct _DetourEventStream {
  DetourSubscribers *subscribers;
  guint64 after;
};

static void
event_stream_begin (gpointer user)
{
  ((DetourEventStream *) user)->after = detour_events_last ();
}

static void
event_stream_look (gpointer user)
{
  DetourEventStream *self = user;
  g_autoptr (GPtrArray) events = NULL;
  GVariantBuilder out;
  guint first;

  if (detour_events_last () <= self->after)
    return;
  events = detour_events_read (self->after, NULL);
  first = events->len > BATCH_MAX ? events->len - BATCH_MAX : 0;
  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = first; i < events->len; i++)
    g_variant_builder_add_value (&out, detour_event_list_make_row (events->pdata[i]));
  if (events->len > 0)
    self->after = ((const DetourEvent *) events->pdata[events->len - 1])->number;
  detour_subscribers_tell_all (self->subscribers, g_variant_new ("(aa{sv})", &out));
}

void
detour_event_stream_add (DetourEventStream *self, GDBusMethodInvocation *call)
{
  detour_subscribers_add (self->subscribers, call, NULL, NULL);
}

void
detour_event_stream_remove (DetourEventStream *self, GDBusMethodInvocation *call)
{
  detour_subscribers_remove (self->subscribers, call);
}

DetourEventStream *
detour_event_stream_new (const char *path)
{
  static const DetourSubscribersFuncs funcs = { "Events", LOOK_MS, event_stream_begin,
                                                event_stream_look };
  DetourEventStream *self = g_new0 (DetourEventStream, 1);

  self->subscribers = detour_subscribers_new (path, &funcs, self);
  return self;
}

void
detour_event_stream_free (DetourEventStream *self)
{
  detour_subscribers_free (self->subscribers);
  g_free (self);
}
