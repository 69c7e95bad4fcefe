/* detour-conn-sample.c: round trips and queues of a few connections, for the metrics.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-conn-private.h"

#include "detour-tcp-state.h"

/* At one keep-alive of so many a worker looks at the connection. A prime, so that of few clients,
 * whose keep-alives come in turns, each has its turn. */
#define KEEP_ALIVES_A_SAMPLE 17u

const guint64 detour_conn_sample_bounds_us[DETOUR_CONN_N_SAMPLE_BOUNDS] = {
  1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000,
};

static void
conn_sample_observe (DetourCounter *counts, DetourCounter *sum, guint64 value_us)
{
  detour_metric_observe (counts, sum, detour_conn_sample_bounds_us, DETOUR_CONN_N_SAMPLE_BOUNDS,
                         value_us);
}

void
detour_conn_sample (DetourConnShared *shared, const DetourConn *conn)
{
  DetourWorkerCounters *counters = &shared->counters;
  guint64 waiting, delay_us = 0;
  DetourTcpState tcp;

  if (shared->n_keep_alives++ % KEEP_ALIVES_A_SAMPLE != 0
      || !detour_tcp_state_read (conn->io.fd, &tcp))
    return;
  waiting = detour_conn_waiting_bytes (conn) + tcp.unsent_bytes;
  /* At the pace at which TCP has delivered. */
  if (waiting > 0)
    delay_us = waiting * G_USEC_PER_SEC / MAX (tcp.delivery_rate, 1);
  conn_sample_observe (counters->round_trip_us, &counters->round_trip_us_sum, tcp.rtt_us);
  conn_sample_observe (counters->queue_delay_us, &counters->queue_delay_us_sum, delay_us);
}
