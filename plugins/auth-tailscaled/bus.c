/* bus.c: the connection over which tailscaled tells what changes, as long as it will.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus.h"

#include "local-transfer.h"

#define URL LOCAL_TRANSFER_BASE "watch-ipn-bus?mask="

/* What is told. No private keys (1 << 4); nodes that changed or went, each by itself (1 << 12), and
 * small changes apart from those (1 << 15); no list of all nodes (1 << 13). */
#define MASK URL "45072"
/* Before 1.100 none of these is known but the first, and each change brings the list of all nodes:
 * then no more often than every few seconds (1 << 8), which newer ones refuse. */
#define MASK_OF_OLD URL "272"

#define RETRY_MIN_US (1 * G_TIME_SPAN_SECOND)
#define RETRY_MAX_US (5 * G_TIME_SPAN_MINUTE)
/* It has held, so that the next try is as good as the first. */
#define HELD_US (30 * G_TIME_SPAN_SECOND)

struct _Bus {
  CURLM *multi;
  guint timeout_ms;
  BusFuncs funcs;
  gpointer user;

  BusReader *reader;
  CURL *easy; /* NULL: waits for the next try */
  gboolean is_open;
  gboolean is_old; /* it tells of all nodes each time */
  gboolean turns;  /* it has told so, and is asked otherwise */
  gint64 opened_us;
  gint64 next_us;
  gint64 retry_us; /* after the next failure */
};

static void
bus_on_node (gpointer user, const BusNode *node)
{
  Bus *self = user;

  self->funcs.reader.node (self->user, node);
}

static void
bus_on_removed (gpointer user, gint64 id)
{
  Bus *self = user;

  self->funcs.reader.removed (self->user, id);
}

static void
bus_on_map (gpointer user, gboolean begins)
{
  Bus *self = user;

  self->funcs.reader.map (self->user, begins);
  if (!begins && !self->is_old)
    self->is_old = self->turns = TRUE;
}

static void
bus_on_state (gpointer user)
{
  Bus *self = user;

  self->funcs.reader.state (self->user);
}

static const BusReaderFuncs reader_funcs = { bus_on_node, bus_on_removed, bus_on_map,
                                             bus_on_state };

static size_t
bus_write_body (char *data, size_t size, size_t n, void *user)
{
  Bus *self = user;

  if (!self->is_open || !bus_reader_feed (self->reader, data, n) || self->turns)
    return 0;
  return n;
}

/* The headers come when it has begun to listen for changes. */
static size_t
bus_write_header (char *line, size_t size, size_t n, void *user)
{
  Bus *self = user;
  long status = 0;

  curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 || (line[0] != '\r' && line[0] != '\n') || self->is_open)
    return n;
  self->is_open = TRUE;
  self->opened_us = g_get_monotonic_time ();
  self->funcs.opened (self->user);
  return n;
}

static void
bus_connect (Bus *self, const char *socket)
{
  CURL *easy = local_transfer_new (socket, self->is_old ? MASK_OF_OLD : MASK);

  self->easy = easy;
  self->is_open = FALSE;
  self->turns = FALSE;
  bus_reader_reset (self->reader);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, bus_write_body);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, self);
  curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, bus_write_header);
  curl_easy_setopt (easy, CURLOPT_HEADERDATA, self);
  curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS, (long) self->timeout_ms);
  curl_multi_add_handle (self->multi, easy);
}

static void
bus_disconnect (Bus *self)
{
  if (self->easy == NULL)
    return;
  curl_multi_remove_handle (self->multi, self->easy);
  curl_easy_cleanup (g_steal_pointer (&self->easy));
}

gboolean
bus_done (Bus *self, CURL *easy)
{
  gint64 now_us = g_get_monotonic_time ();
  gboolean was_open = self->is_open;
  long status = 0;

  if (easy == NULL || easy != self->easy)
    return FALSE;
  curl_easy_getinfo (easy, CURLINFO_RESPONSE_CODE, &status);
  bus_disconnect (self);
  self->is_open = FALSE;
  if (status >= 400 && status < 500)
    self->retry_us = RETRY_MAX_US; /* it has none, or does not let us */
  else if (was_open && now_us - self->opened_us >= HELD_US)
    self->retry_us = RETRY_MIN_US;
  self->next_us = self->turns ? now_us : now_us + self->retry_us;
  self->retry_us = MIN (self->retry_us * 2, RETRY_MAX_US);
  if (was_open)
    self->funcs.ended (self->user);
  return TRUE;
}

gint64
bus_look_after (Bus *self, const char *socket, gint64 now_us)
{
  if (self->easy != NULL)
    return G_MAXINT64;
  if (now_us < self->next_us)
    return self->next_us;
  bus_connect (self, socket);
  /* The transfer begins when the multi handle is driven next. */
  return now_us;
}

void
bus_hurry (Bus *self)
{
  self->next_us = 0;
  self->retry_us = RETRY_MIN_US;
}

Bus *
bus_new (CURLM *multi, guint timeout_ms, const BusFuncs *funcs, gpointer user)
{
  Bus *self = g_new0 (Bus, 1);

  self->multi = multi;
  self->timeout_ms = timeout_ms;
  self->funcs = *funcs;
  self->user = user;
  self->reader = bus_reader_new (&reader_funcs, self);
  self->retry_us = RETRY_MIN_US;
  return self;
}

void
bus_free (Bus *self)
{
  bus_disconnect (self);
  bus_reader_free (self->reader);
  g_free (self);
}
