/* bench-server.h: what the kernel says of the server process: processor time, memory, wake-ups.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gint64 at_us;
  guint64 cpu_ns;     /* of all threads that are there */
  guint64 waiting_ns; /* the same threads could have run, but others had the processor */
  guint64 user_us,
      system_us;        /* with those that have ended; split by samples of the kernel's clock */
  guint64 rss_bytes;    /* pages of files included */
  guint64 anon_bytes;   /* memory of its own */
  guint64 peak_bytes;   /* highest rss so far */
  guint64 kernel_bytes; /* of all TCP sockets of this machine, both ends */
  guint64 wakeups;      /* waits that ended: voluntary switches, all threads */
  guint n_threads;
} BenchServer;

/* Zero, and FALSE, when @pid is 0 or gone. */
gboolean bench_server_sample (int pid, BenchServer *sample);

/* The same of the process that calls. */
guint64 bench_server_own_cpu_ns (void);

G_END_DECLS
