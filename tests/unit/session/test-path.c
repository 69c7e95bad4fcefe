/* test-path.c: which cause is named for which figures, and how figures come from looks.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-path.h"

#include <string.h>

/* A client of a lively connection, whose packets go out at once, and one that more comes for than
 * goes; with a round trip. */
#define GOOD(rtt)                                                                          \
  .time_us = 2 * G_USEC_PER_SEC, .has_tcp = TRUE, .tx_packets = 2000, .tx_bytes = 2000000, \
  .rtt_us = (rtt), .min_rtt_us = 10000, .busy = 900
#define SENT      .sent_segments = 1500
#define SLOW(rtt) GOOD (rtt), SENT, .waiting = 950, .waiting_bytes = 30000, .unsent_bytes = 100000
#define SENDER(rtt)                                                                        \
  .time_us = 2 * G_USEC_PER_SEC, .has_tcp = TRUE, .rx_packets = 2000, .rx_bytes = 2000000, \
  .receive_rtt_us = (rtt), .min_rtt_us = 10000, .received_segments = 1500

/* Twenty packets a second. */
#define PAUSING(rtt)                                                                   \
  .time_us = 2 * G_USEC_PER_SEC, .has_tcp = TRUE, .rx_packets = 40, .rx_bytes = 40000, \
  .receive_rtt_us = (rtt), .min_rtt_us = 10000, .received_segments = 40

static const struct {
  const char *name;
  DetourPathCause cause;
  DetourPathFigures client, senders[2];
  DetourPathLoad load;
} cases[] = {
  { "nothing-is-wrong",
    DETOUR_PATH_NONE,
    { GOOD (12000), SENT },
    { { SENDER (12000) } },
    { 100, 50, 300 } },
  { "nothing-was-sent", DETOUR_PATH_QUIET, { .time_us = G_USEC_PER_SEC }, { { 0 } }, { 0 } },
  { "four-packets-a-second",
    DETOUR_PATH_QUIET,
    { .time_us = 2 * G_USEC_PER_SEC, .tx_packets = 9 },
    { { 0 } },
    { 900, 900, 90000 } },
  { "nothing-was-sent-but-much-waits",
    DETOUR_PATH_LINE_DOWN,
    { .time_us = G_USEC_PER_SEC, .waiting = 1000, .waiting_bytes = 5000 },
    { { 0 } },
    { 0 } },
  { "line-down", DETOUR_PATH_LINE_DOWN, { SLOW (150000) }, { { SENDER (12000) } }, { 0 } },
  { "line-down-with-a-short-queue",
    DETOUR_PATH_LINE_DOWN,
    { SLOW (12000) },
    { { SENDER (12000) } },
    { 0 } },
  { "line-down-whose-queue-overflows",
    DETOUR_PATH_LINE_DOWN,
    { SLOW (150000), .resent = 40 },
    { { SENDER (12000) } },
    { 0 } },
  { "packets-dropped-although-little-waits",
    DETOUR_PATH_LINE_DOWN,
    { GOOD (12000), SENT, .waiting = 100, .dropped_packets = 3 },
    { { SENDER (12000) } },
    { 0 } },
  { "line-down-on-a-busy-relay",
    DETOUR_PATH_LINE_DOWN,
    { SLOW (150000) },
    { { SENDER (12000) } },
    { 900, 400, 50000 } },
  { "reader",
    DETOUR_PATH_READER,
    { SLOW (12000), .peer_limited = 600 },
    { { SENDER (12000) } },
    { 0 } },
  { "reader-on-a-busy-relay",
    DETOUR_PATH_READER,
    { SLOW (12000), .peer_limited = 600 },
    { { SENDER (12000) } },
    { 900, 400, 50000 } },
  { "send-buffer",
    DETOUR_PATH_SEND_BUFFER,
    { SLOW (12000), .buffer_limited = 700 },
    { { SENDER (12000) } },
    { 0 } },
  { "loss", DETOUR_PATH_LOSS, { SLOW (12000), .resent = 40 }, { { SENDER (12000) } }, { 0 } },
  { "loss-though-nothing-waits",
    DETOUR_PATH_LOSS,
    { GOOD (12000), SENT, .resent = 40 },
    { { SENDER (12000) } },
    { 0 } },
  { "loss-of-too-few-segments",
    DETOUR_PATH_NONE,
    { GOOD (12000), .resent = 100, .sent_segments = 20 },
    { { SENDER (12000) } },
    { 0 } },
  { "relay-works-all-the-time",
    DETOUR_PATH_RELAY_CPU,
    { GOOD (12000), SENT },
    { { SENDER (12000) } },
    { 950, 0, 300 } },
  { "relay-waits-for-a-processor",
    DETOUR_PATH_RELAY_CPU,
    { GOOD (12000), SENT },
    { { SENDER (12000), .unread = 900 } },
    { 300, 800, 300 } },
  { "relay-is-late",
    DETOUR_PATH_RELAY_CPU,
    { GOOD (12000), SENT },
    { { SENDER (12000) } },
    { 100, 0, 40000 } },
  { "line-up", DETOUR_PATH_LINE_UP, { GOOD (12000), SENT }, { { SENDER (120000) } }, { 0 } },
  { "line-up-on-a-busy-relay",
    DETOUR_PATH_LINE_UP,
    { GOOD (12000), SENT },
    { { SENDER (120000) } },
    { 300, 300, 300 } },
  { "unread-data-is-not-the-line",
    DETOUR_PATH_RELAY_CPU,
    { GOOD (12000), SENT },
    { { SENDER (120000), .unread = 900 } },
    { 500, 400, 30000 } },
  { "line-of-the-one-that-sends-little",
    DETOUR_PATH_NONE,
    { GOOD (12000), SENT },
    { { SENDER (12000) }, { .rx_bytes = 1000, .receive_rtt_us = 120000, .min_rtt_us = 10000 } },
    { 0 } },
  { "line-of-the-one-that-sends-most",
    DETOUR_PATH_LINE_UP,
    { GOOD (12000), SENT },
    { { SENDER (120000) }, { .rx_bytes = 1000 } },
    { 0 } },
  { "a-long-way-is-no-full-line",
    DETOUR_PATH_NONE,
    { GOOD (12000), SENT },
    { { .rx_bytes = 2000000, .receive_rtt_us = 320000, .min_rtt_us = 300000 } },
    { 0 } },
  { "line-up-with-a-short-queue",
    DETOUR_PATH_LINE_UP,
    { GOOD (12000), SENT },
    { { .rx_bytes = 2000000, .receive_rtt_us = 11000, .min_rtt_us = 20, .full = 995 } },
    { 10, 460, 9000 } },
  { "full-segments-of-a-fast-line",
    DETOUR_PATH_NONE,
    { GOOD (12000), SENT },
    { { .rx_bytes = 2000000, .receive_rtt_us = 11000, .min_rtt_us = 9000, .full = 995 } },
    { 0 } },
  { "busy-host",
    DETOUR_PATH_NONE,
    { GOOD (12000), SENT },
    { { SENDER (12000), .full = 900 } },
    { 20, 460, 13000 } },
  { "loss-up",
    DETOUR_PATH_LOSS_UP,
    { GOOD (12000), SENT },
    { { SENDER (12000), .disordered = 50 } },
    { 0 } },
  { "loss-up-that-delays-what-comes",
    DETOUR_PATH_LOSS_UP,
    { GOOD (12000), SENT },
    { { SENDER (35000), .disordered = 50 } },
    { 0 } },
  { "line-up-whose-queue-overflows",
    DETOUR_PATH_LINE_UP,
    { GOOD (12000), SENT },
    { { SENDER (120000), .disordered = 50 } },
    { 0 } },
  { "sender-that-pauses",
    DETOUR_PATH_NONE,
    { GOOD (12000), SENT },
    { { PAUSING (50000) } },
    { 0 } },
  { "line-of-a-sender-that-pauses",
    DETOUR_PATH_LINE_UP,
    { GOOD (12000), SENT },
    { { PAUSING (120000) } },
    { 0 } },
  { "receive-rate",
    DETOUR_PATH_RECEIVE_RATE,
    { GOOD (12000), SENT },
    { { SENDER (120000), .held_up = 600 } },
    { 0 } },
};

static void
test_case (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data), n = 0;

  while (n < G_N_ELEMENTS (cases[i].senders) && cases[i].senders[n].rx_bytes > 0)
    n++;
  g_assert_cmpstr (
      detour_path_name (detour_path_judge (&cases[i].client, cases[i].senders, n, &cases[i].load)),
      ==, detour_path_name (cases[i].cause));
}

static void
test_words (void)
{
  for (guint i = 0; i < DETOUR_N_PATHS; i++)
    {
      gsize len = strlen (detour_path_sentence ((DetourPathCause) i));

      g_assert_cmpuint (len, >, 20);
      g_assert_cmpint (detour_path_sentence ((DetourPathCause) i)[len - 1], ==, '.');
      for (guint k = 0; k < i; k++)
        g_assert_cmpstr (detour_path_name ((DetourPathCause) i), !=,
                         detour_path_name ((DetourPathCause) k));
    }
}

static void
test_figures (void)
{
  DetourPathTrack track = { .n = 0 };
  DetourPathFigures figures;
  DetourPathReading reading = {
    .now_us = 1000000,
    .tx_packets = 100,
    .tx_bytes = 50000,
    .waiting_bytes = 1000,
    .tcp = { .is_known = TRUE,
             .rtt_us = 10000,
             .sent_bytes = 1000000,
             .busy_us = 500000,
             .received_segments = 10 },
  };

  detour_path_track_figures (&track, &figures);
  g_assert_cmpuint (figures.time_us, ==, 0);
  g_assert_cmpuint (figures.queue_delay_us, ==, 0);

  detour_path_track_add (&track, &reading);
  detour_path_track_figures (&track, &figures);
  g_assert_cmpuint (figures.tx_packets, ==, 0);

  reading.now_us += 1000000;
  reading.tx_packets += 50;
  reading.tx_bytes += 20000;
  reading.waiting_bytes = 0;
  reading.is_held_up = TRUE;
  reading.tcp.rtt_us = 30000;
  reading.tcp.min_rtt_us = 9000;
  reading.tcp.sent_bytes += 10000;
  reading.tcp.resent_bytes += 500;
  reading.tcp.busy_us += 250000;
  reading.tcp.received_segments = 110;
  reading.tcp.disordered_segments = 7;
  reading.tcp.unread_bytes = 70000;
  detour_path_track_add (&track, &reading);
  detour_path_track_figures (&track, &figures);
  g_assert_cmpuint (figures.time_us, ==, 1000000);
  g_assert_cmpuint (figures.tx_packets, ==, 50);
  g_assert_cmpuint (figures.rtt_us, ==, 20000);
  g_assert_cmpuint (figures.min_rtt_us, ==, 9000);
  g_assert_cmpuint (figures.resent, ==, 50);
  g_assert_cmpuint (figures.busy, ==, 250);
  g_assert_cmpuint (figures.waiting, ==, 500);
  g_assert_cmpuint (figures.held_up, ==, 500);
  g_assert_cmpuint (figures.unread, ==, 500);
  g_assert_cmpuint (figures.disordered, ==, 70);
  /* 500 bytes on average, at 20,000 a second. */
  g_assert_cmpuint (figures.queue_delay_us, ==, 25000);
}

/* Nothing went: what waits has waited all the time, at least. */
static void
test_delay_of_what_does_not_move (void)
{
  DetourPathTrack track = { .n = 0 };
  DetourPathFigures figures;
  DetourPathReading reading = { .waiting_bytes = 1000 };

  detour_path_track_add (&track, &reading);
  reading.now_us = 3000000;
  detour_path_track_add (&track, &reading);
  detour_path_track_figures (&track, &figures);
  g_assert_cmpuint (figures.queue_delay_us, ==, 3000000);
  g_assert_false (figures.has_tcp);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/path/cause/", cases[i].name, NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_case);
    }
  g_test_add_func ("/path/words", test_words);
  g_test_add_func ("/path/figures", test_figures);
  g_test_add_func ("/path/delay-of-what-does-not-move", test_delay_of_what_does_not_move);
  return g_test_run ();
}
