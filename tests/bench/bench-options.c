/* bench-options.c: the command line, the same words for every command.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-options.h"

gboolean
bench_options_parse (BenchOptions *self, int argc, char **argv, const char *summary,
                     const GOptionEntry *own, GError **error)
{
  const GOptionEntry common[] = {
    { "url", 0, 0, G_OPTION_ARG_STRING, &self->url,
      "the server: https://HOST:PORT or http://HOST:PORT; in a WebSocket wss:// and ws://", "URL" },
    { "other-url", 0, 0, G_OPTION_ARG_STRING, &self->other_url,
      "a server that is linked with it, where every other client is", "URL" },
    { "server-pid", 0, 0, G_OPTION_ARG_INT, &self->server_pid,
      "its process, to measure time and memory", "PID" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &self->json, "print JSON", NULL },
    { "tls-priority", 0, 0, G_OPTION_ARG_STRING, &self->tls_priority, "as GnuTLS writes it",
      "TEXT" },
    { "sources", 0, 0, G_OPTION_ARG_INT, &self->sources,
      "loopback addresses that clients come from", "N" },
    { "proxied", 0, 0, G_OPTION_ARG_NONE, &self->proxied,
      "begin each connection with a PROXY header", NULL },
    { "at-once", 0, 0, G_OPTION_ARG_INT, &self->at_once, "logins on their way at a time", "N" },
    { NULL },
  };
  const GOptionEntry traffic[] = {
    { "match", 0, 0, G_OPTION_ARG_STRING, &self->match, "pairs, random or scatter", "HOW" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &self->threads, "threads of clients", "N" },
    { "size", 0, 0, G_OPTION_ARG_INT, &self->size, "bytes of a packet", "BYTES" },
    { "batch", 0, 0, G_OPTION_ARG_INT, &self->batch, "frames in one record and one send", "N" },
    { "window", 0, 0, G_OPTION_ARG_INT, &self->window,
      "packets of a sender on their way, without a rate", "N" },
    { "rate", 0, 0, G_OPTION_ARG_DOUBLE, &self->rate,
      "packets a second of all clients; 0: as fast as it goes", "N" },
    { "packets", 0, 0, G_OPTION_ARG_INT64, &self->packets, "stop after so many", "N" },
    { "kernel-times", 0, 0, G_OPTION_ARG_NONE, &self->stamps,
      "also measure from the sender's kernel to the receiver's, without the clients' own waits",
      NULL },
    { "warm-up", 0, 0, G_OPTION_ARG_DOUBLE, &self->warm_up,
      "seconds of traffic before it is measured", "S" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  GOptionGroup *group = g_option_group_new (
      "traffic", "Traffic:", "Options of the packets that are sent", NULL, NULL);

  g_option_group_add_entries (group, traffic);
  g_option_context_add_group (context, group);
  g_option_context_add_main_entries (context, own, NULL);
  g_option_context_add_main_entries (context, common, NULL);
  g_option_context_set_summary (context, summary);
  if (!g_option_context_parse (context, &argc, &argv, error))
    return FALSE;
  if (argc > 1)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE, "%s: there are no words, only options",
                   argv[1]);
      return FALSE;
    }
  if (self->threads < 1 || self->threads > 64 || self->clients < 0 || self->at_once < 1
      || self->seconds < 0 || self->rate < 0 || self->warm_up < 0 || self->packets < 0
      || self->hold < 0 || self->settle < 0 || self->count < 0 || self->bystanders < 0
      || self->stalled < 0 || self->size < 0 || self->batch < 0 || self->window < 0
      || self->sources < 0 || self->idle < 0 || self->server_cpu < -1)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE,
                   "a number is out of range: write 1 to 64 threads, and nothing negative");
      return FALSE;
    }
  return TRUE;
}

void
bench_options_clear (BenchOptions *self)
{
  g_free (self->url);
  g_free (self->other_url);
  g_free (self->tls_priority);
  g_free (self->match);
}

static BenchTarget *
bench_options_target_at (const BenchOptions *self, const char *url, GError **error)
{
  g_autoptr (BenchTarget)
      target = bench_target_new (url, self->tls_priority, (guint) self->sources, error);

  if (target == NULL)
    return NULL;
  target->is_proxied = self->proxied;
  if (!bench_crowd_probe (target, error))
    {
      g_prefix_error (error, "%s: ", url);
      return NULL;
    }
  return g_steal_pointer (&target);
}

BenchTarget *
bench_options_target (const BenchOptions *self, GError **error)
{
  g_autoptr (BenchTarget) target = NULL;

  if (self->url == NULL)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE, "--url is missing");
      return NULL;
    }
  target = bench_options_target_at (self, self->url, error);
  if (target == NULL || self->other_url == NULL)
    return g_steal_pointer (&target);
  target->other = bench_options_target_at (self, self->other_url, error);
  return target->other != NULL ? g_steal_pointer (&target) : NULL;
}

gboolean
bench_options_traffic (const BenchOptions *self, BenchTrafficPlan *plan, GError **error)
{
  *plan = (BenchTrafficPlan) {
    .match = BENCH_MATCH_PAIRS,
    .size = (guint) self->size,
    .batch = (guint) self->batch,
    .window = (guint) self->window,
    .rate = self->rate,
    .packets = (guint64) self->packets,
    .stamps = self->stamps,
  };
  return self->match == NULL || bench_match_parse (self->match, &plan->match, error);
}
