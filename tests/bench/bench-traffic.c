/* bench-traffic.c: packets between the clients of a crowd, each checked on arrival.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-traffic.h"
#include "bench-packet.h"

#define BENCH_TRAFFIC_TURN_NS  G_GINT64_CONSTANT (20000000)
#define BENCH_TRAFFIC_QUIET_NS G_GUINT64_CONSTANT (250000000)
/* A sender that hears nothing for so long takes what is on its way for lost. */
#define BENCH_TRAFFIC_LOST_NS G_GUINT64_CONSTANT (500000000)
/* A sender whose socket holds back more than this offers nothing more. */
#define BENCH_TRAFFIC_BACKLOG_MAX 262144u
#define BENCH_TRAFFIC_SCATTER_MAX 4096u
/* With a rate: batches in one turn, so that reading goes on when the sending is late. */
#define BENCH_TRAFFIC_BURST_MAX 64u

gboolean
bench_match_parse (const char *text, BenchMatch *match, GError **error)
{
  static const char *const names[] = { "pairs", "random", "scatter" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (text, names[i]))
      {
        *match = (BenchMatch) i;
        return TRUE;
      }
  g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE,
               "\"%s\" is no matching; write pairs, random or scatter", text);
  return FALSE;
}

static gboolean
bench_traffic_is_scattered (const BenchTraffic *self)
{
  return self->plan.match == BENCH_MATCH_SCATTER;
}

static gsize
bench_traffic_flow (const BenchTraffic *self, guint from, guint to)
{
  return bench_traffic_is_scattered (self) ? (gsize) from * self->crowd->n + to : from;
}

static void
bench_traffic_credit (BenchTraffic *self, guint from, guint packets, guint64 now_ns)
{
  BenchSender *sender = &self->senders[from];

  sender->in_flight -= MIN (sender->in_flight, packets);
  sender->credited_ns = now_ns;
  if (!sender->is_ready && self->plan.rate <= 0)
    {
      sender->is_ready = TRUE;
      g_array_append_val (self->ready, from);
    }
}

static void
bench_traffic_deliver (BenchTraffic *self, const BenchPacket *packet, guint from, guint to)
{
  guint32 *expected = &self->expected[bench_traffic_flow (self, from, to)];
  guint64 now_ns = bench_packet_now_ns ();
  guint64 arrived_ns = self->crowd->loop.room.arrived_ns;
  guint passed = 0;

  if (packet->sequence < *expected)
    {
      detour_counter_add (packet->sequence + 1 == *expected ? &self->counters.duplicated
                                                            : &self->counters.reordered,
                          1);
      return;
    }
  passed = (guint) (packet->sequence - *expected) + 1;
  *expected += passed;
  detour_counter_add (&self->counters.delivered, 1);
  for (guint i = BENCH_TRAFFIC_EPOCHS; i > 0; i--)
    {
      guint64 began_ns = __atomic_load_n (&self->epoch_ns[i - 1], __ATOMIC_RELAXED);

      if (began_ns == 0 || packet->sent_ns < began_ns)
        continue;
      bench_histogram_add (&self->latency[i - 1], now_ns - MIN (now_ns, packet->sent_ns));
      if (arrived_ns != 0 && packet->left_ns != 0)
        bench_histogram_add (&self->relayed[i - 1], arrived_ns - MIN (arrived_ns, packet->left_ns));
      break;
    }
  bench_traffic_credit (self, from, passed, now_ns);
}

static void
bench_traffic_on_frame (BenchClient *client, guint8 type, guint8 *payload, guint32 len,
                        gpointer user)
{
  BenchTraffic *self = user;
  BenchCrowd *crowd = self->crowd;
  gboolean is_raw = client->loop->target->kind == BENCH_TARGET_RAW;
  guint first = crowd->clients[0].index;
  guint to = client->index - first;
  BenchPacket packet;
  guint from;

  if (type == DETOUR_FRAME_PEER_GONE)
    detour_counter_add (&self->counters.gone, 1);
  if (type != (is_raw ? DETOUR_FRAME_SEND_PACKET : DETOUR_FRAME_RECV_PACKET))
    return;
  if (len != DETOUR_KEY_SIZE + self->plan.size
      || !bench_packet_read (&packet, payload + DETOUR_KEY_SIZE, len - DETOUR_KEY_SIZE))
    {
      detour_counter_add (&self->counters.corrupt, 1);
      return;
    }
  from = packet.from - first;
  if (packet.to != client->index || from >= crowd->n
      || (!bench_traffic_is_scattered (self) && self->partner[from] != to)
      || (!is_raw && memcmp (payload, crowd->clients[from].key.bytes, DETOUR_KEY_SIZE) != 0))
    {
      detour_counter_add (&self->counters.misrouted, 1);
      return;
    }
  bench_traffic_deliver (self, &packet, from, to);
}

/* Everyone once as receiver, nobody as his own. */
static void
bench_traffic_shuffle (BenchTraffic *self)
{
  guint n = self->crowd->n;
  g_autofree guint *order = g_new (guint, n);

  for (guint i = 0; i < n; i++)
    order[i] = i;
  for (guint i = n - 1; i > 0; i--)
    {
      guint j = (guint) g_random_int_range (0, (gint32) i + 1);
      guint kept = order[i];

      order[i] = order[j];
      order[j] = kept;
    }
  for (guint i = 0; i < n; i++)
    self->partner[order[i]] = order[(i + 1) % n];
}

gboolean
bench_traffic_init (BenchTraffic *self, BenchCrowd *crowd, const BenchTrafficPlan *plan,
                    GError **error)
{
  guint n = crowd->n;
  gsize flows;

  *self = (BenchTraffic) { .crowd = crowd, .plan = *plan };
  if (n < 2 || n % 2 != 0)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE,
                   "%u clients in a thread; packets need an even number", n);
      return FALSE;
    }
  if (plan->size < BENCH_PACKET_MIN || plan->size > DETOUR_FRAME_PACKET_MAX)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE, "a packet of %u bytes; write %u to %u",
                   plan->size, BENCH_PACKET_MIN, DETOUR_FRAME_PACKET_MAX);
      return FALSE;
    }
  if (plan->batch < 1 || plan->batch > 256 || plan->window < plan->batch)
    {
      g_set_error (
          error, BENCH_ERROR, BENCH_ERROR_USAGE,
          "batches of %u and a window of %u; a batch has 1 to 256 packets and fits into the window",
          plan->batch, plan->window);
      return FALSE;
    }
  if (bench_traffic_is_scattered (self) && n > BENCH_TRAFFIC_SCATTER_MAX)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE,
                   "%u clients in a thread; packets are scattered between up to %u", n,
                   BENCH_TRAFFIC_SCATTER_MAX);
      return FALSE;
    }
  flows = bench_traffic_is_scattered (self) ? (gsize) n * n : n;
  self->next = g_new0 (guint32, flows);
  self->expected = g_new0 (guint32, flows);
  self->senders = g_new0 (BenchSender, n);
  self->partner = g_new (guint, n);
  self->ready = g_array_new (FALSE, FALSE, sizeof (guint));
  self->frames = g_malloc ((gsize) plan->batch * (DETOUR_FRAME_RECV_HEAD_SIZE + plan->size));
  for (guint i = 0; i < n; i++)
    self->partner[i] = i ^ 1u;
  if (plan->match == BENCH_MATCH_RANDOM)
    bench_traffic_shuffle (self);
  crowd->loop.room.stamps = plan->stamps;
  crowd->frame = bench_traffic_on_frame;
  crowd->user = self;
  return TRUE;
}

void
bench_traffic_clear (BenchTraffic *self)
{
  g_clear_pointer (&self->next, g_free);
  g_clear_pointer (&self->expected, g_free);
  g_clear_pointer (&self->senders, g_free);
  g_clear_pointer (&self->partner, g_free);
  g_clear_pointer (&self->ready, g_array_unref);
  g_clear_pointer (&self->frames, g_free);
}

static guint
bench_traffic_destination (BenchTraffic *self, guint from)
{
  guint to;

  if (!bench_traffic_is_scattered (self))
    return self->partner[from];
  to = (guint) g_random_int_range (0, (gint32) self->crowd->n - 1);
  return to >= from ? to + 1 : to;
}

/* One batch; FALSE when the sender cannot send now. */
static gboolean
bench_traffic_send (BenchTraffic *self, guint from, guint64 sent_ns)
{
  BenchCrowd *crowd = self->crowd;
  BenchClient *client = &crowd->clients[from];
  gsize frame_len = DETOUR_FRAME_RECV_HEAD_SIZE + self->plan.size;
  guint8 *at = self->frames;

  if (client->state != BENCH_CLIENT_OPEN
      || bench_wire_waiting (&client->wire) > BENCH_TRAFFIC_BACKLOG_MAX)
    return FALSE;
  for (guint i = 0; i < self->plan.batch; i++, at += frame_len)
    {
      guint to = bench_traffic_destination (self, from);
      BenchPacket packet = {
        .sequence = self->next[bench_traffic_flow (self, from, to)]++,
        .sent_ns = sent_ns,
        .left_ns = self->plan.stamps ? bench_packet_now_ns () : 0,
        .from = client->index,
        .to = crowd->clients[to].index,
      };

      detour_frame_put_header (at, DETOUR_FRAME_SEND_PACKET, DETOUR_KEY_SIZE + self->plan.size);
      memcpy (at + DETOUR_FRAME_HEADER_SIZE, crowd->clients[to].key.bytes, DETOUR_KEY_SIZE);
      bench_packet_write (&packet, at + DETOUR_FRAME_RECV_HEAD_SIZE, self->plan.size);
    }
  self->senders[from].in_flight += self->plan.batch;
  detour_counter_add (&self->counters.offered, self->plan.batch);
  return bench_client_send (client, self->frames, self->plan.batch * frame_len);
}

gboolean
bench_traffic_is_done (const BenchTraffic *self)
{
  return self->plan.packets != 0
      && detour_counter_get (&self->counters.offered) >= self->plan.packets;
}

static gboolean
bench_traffic_is_sender (const BenchTraffic *self, guint index)
{
  return self->plan.match != BENCH_MATCH_ONE_WAY || index % 2 == 0;
}

/* Packets that were dropped give no credit. */
static void
bench_traffic_check (BenchTraffic *self, guint64 now_ns)
{
  if (now_ns - self->checked_ns < BENCH_TRAFFIC_LOST_NS / 5)
    return;
  self->checked_ns = now_ns;
  for (guint i = 0; i < self->crowd->n; i++)
    if (!self->senders[i].is_ready && bench_traffic_is_sender (self, i)
        && now_ns - self->senders[i].credited_ns >= BENCH_TRAFFIC_LOST_NS)
      bench_traffic_credit (self, i, G_MAXUINT, now_ns);
}

static void
bench_traffic_fill_windows (BenchTraffic *self, guint64 now_ns)
{
  bench_traffic_check (self, now_ns);
  for (guint i = 0; i < self->ready->len; i++)
    {
      guint from = g_array_index (self->ready, guint, i);
      BenchSender *sender = &self->senders[from];

      sender->is_ready = FALSE;
      while (sender->in_flight + self->plan.batch <= self->plan.window
             && !bench_traffic_is_done (self))
        if (!bench_traffic_send (self, from, bench_packet_now_ns ()))
          break;
    }
  g_array_set_size (self->ready, 0);
}

/* The time that counts is when a packet was due, not when the sender came round to it: what a
 * client waits for. */
static void
bench_traffic_keep_rate (BenchTraffic *self, guint64 now_ns)
{
  double gap_ns = (double) self->plan.batch * 1e9 / self->plan.rate;

  for (guint i = 0;
       i < BENCH_TRAFFIC_BURST_MAX && self->due_ns <= now_ns && !bench_traffic_is_done (self); i++)
    {
      if (!bench_traffic_send (self, self->turn, self->due_ns))
        detour_counter_add (&self->counters.held_back, self->plan.batch);
      do
        self->turn = (self->turn + 1) % self->crowd->n;
      while (!bench_traffic_is_sender (self, self->turn));
      self->due_ns += (guint64) gap_ns;
    }
}

void
bench_traffic_turn (BenchTraffic *self)
{
  guint64 now_ns = bench_packet_now_ns ();
  gint64 wait_ns = BENCH_TRAFFIC_TURN_NS;

  if (!self->has_begun)
    {
      self->has_begun = TRUE;
      self->due_ns = self->checked_ns = now_ns;
      for (guint i = 0; i < self->crowd->n; i++)
        if (bench_traffic_is_sender (self, i))
          bench_traffic_credit (self, i, 0, now_ns);
    }
  if (self->plan.rate > 0)
    {
      bench_traffic_keep_rate (self, now_ns);
      if (!bench_traffic_is_done (self))
        wait_ns = CLAMP ((gint64) (self->due_ns - bench_packet_now_ns ()), 0, wait_ns);
    }
  else
    bench_traffic_fill_windows (self, now_ns);
  bench_crowd_turn (self->crowd, wait_ns);
}

void
bench_traffic_drain (BenchTraffic *self)
{
  guint64 seen = detour_counter_get (&self->counters.delivered);
  guint64 since_ns = bench_packet_now_ns ();

  while (bench_packet_now_ns () - since_ns < BENCH_TRAFFIC_QUIET_NS
         && seen < detour_counter_get (&self->counters.offered))
    {
      guint64 now;

      bench_crowd_turn (self->crowd, BENCH_TRAFFIC_TURN_NS);
      now = detour_counter_get (&self->counters.delivered);
      if (now != seen)
        since_ns = bench_packet_now_ns ();
      seen = now;
    }
}
