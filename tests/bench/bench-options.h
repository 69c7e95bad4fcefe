/* bench-options.h: the command line, the same words for every command.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-team.h"

G_BEGIN_DECLS

typedef struct {
  char *url;
  char *other_url; /* NULL: all clients are at one server */
  int server_pid;  /* 0: nothing is said of the server */
  gboolean json;
  char *tls_priority;
  int sources;
  int at_once;
  gboolean proxied;
  int clients;
  double seconds;
  /* Traffic. */
  char *match;
  int threads;
  int size;
  int batch;
  int window;
  double rate;
  double warm_up;
  gint64 packets;
  gboolean stamps;
  /* Of single commands. */
  int idle;
  int server_cpu; /* -1: any */
  double hold;
  double settle;
  int count;
  int bystanders;
  int stalled;
  double stalled_rate;
} BenchOptions;

/**
 * bench_options_parse:
 * @self: (inout): holds what is not given
 * @summary: one sentence on the command
 * @own: options of this command, ends with { NULL }
 *
 * Ends the program after --help.
 */
gboolean bench_options_parse (BenchOptions *self, int argc, char **argv, const char *summary,
                              const GOptionEntry *own, GError **error);
void bench_options_clear (BenchOptions *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (BenchOptions, bench_options_clear)

/* After bench_options_parse() with a URL: a client has logged in. */
BenchTarget *bench_options_target (const BenchOptions *self, GError **error);
gboolean bench_options_traffic (const BenchOptions *self, BenchTrafficPlan *plan, GError **error);

G_END_DECLS
