/* detour-totals.c: sums of what the threads of the relay count each for itself.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-totals.h"

static const char *const drop_names[DETOUR_N_DROPS] = {
  [DETOUR_DROP_UNKNOWN_DEST] = "unknown_dest",
  [DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD] = "unknown_dest_on_forward",
  [DETOUR_DROP_GONE] = "gone",
  [DETOUR_DROP_QUEUE_HEAD] = "queue_head",
  [DETOUR_DROP_QUEUE_TAIL] = "queue_tail",
  [DETOUR_DROP_WRITE_ERROR] = "write_error",
  [DETOUR_DROP_DUP_CLIENT] = "dup_client",
};

static const char *const kind_names[DETOUR_QUEUE_N_KINDS] = {
  [DETOUR_QUEUE_DATA] = "data",
  [DETOUR_QUEUE_DISCO] = "disco",
};

/* Members of the counters of a relay, a worker and a thread of the pool, by their place. */
typedef struct {
  const char *name, *help;
  gsize offset;
} Entry;

/* Of the admission. */
typedef struct {
  const char *name, *result, *help;
  gsize offset;
} AdmissionEntry;

#define RELAY(member, help)                                     \
  {                                                             \
#member, help, G_STRUCT_OFFSET(DetourRelayCounters, member) \
  }
#define WORKER(name, member, help)                             \
  {                                                            \
    name, help, G_STRUCT_OFFSET (DetourWorkerCounters, member) \
  }
#define POOL(name, member, help)                                      \
  {                                                                   \
    name, help, G_STRUCT_OFFSET (DetourHandshakePoolCounters, member) \
  }

static const Entry relay_entries[] = {
  RELAY (bytes_received, "bytes of packets from clients"),
  RELAY (packets_sent, "packets to clients"),
  RELAY (bytes_sent, "bytes of packets to clients"),
  RELAY (packets_forwarded_in, "packets from other relays of the mesh"),
  RELAY (pings, "pings from clients"),
  RELAY (pongs, "pings answered"),
  RELAY (unknown_frames, "frames of a type that is not known"),
  RELAY (keep_alives, "keep-alive frames sent"),
  RELAY (gone_disconnected, "notices that a peer has left"),
  RELAY (gone_not_here, "notices that a peer is not here"),
  RELAY (home_moves_in, "clients that made this relay their home"),
  RELAY (home_moves_out, "clients that chose another home"),
  RELAY (rate_waits, "times that a client over its rate had to wait"),
};

static const Entry worker_entries[] = {
  WORKER ("connections_joined", joined, "connections that were registered"),
  WORKER ("worker_rounds", rounds, "rounds of the workers"),
  WORKER ("worker_reads", reads, "reads of the workers"),
  WORKER ("worker_sends", sends, "sends of the workers"),
};

static const Entry pool_entries[] = {
  POOL ("connections_accepted", accepted, "connections accepted"),
  POOL ("connections_over_limit", over_limit,
        "connections closed at once because there were too many"),
  POOL ("connections_waited", waited, "connections that waited until others had logged in"),
  POOL ("connections_over_rate", over_rate,
        "connections closed at once because they came too fast"),
  POOL ("http_requests", requests, "HTTP requests"),
  POOL ("derp_upgrades", derp, "requests for DERP"),
  POOL ("logins", logins, "logins that hold"),
  POOL ("refused", refused, "clients that admission refused"),
  POOL ("handshake_microseconds", handshake_us, "time spent in handshakes"),
};

#define ADMISSION(name, result, member, help)                          \
  {                                                                    \
    name, result, help, G_STRUCT_OFFSET (DetourAdmissionStats, member) \
  }

static const AdmissionEntry admission_entries[] = {
  ADMISSION ("admission_questions", NULL, asked, "clients that came and were asked about"),
  ADMISSION ("admission_verdicts", "allow", allowed, "verdicts on clients that came"),
  ADMISSION ("admission_verdicts", "deny", denied, "verdicts on clients that came"),
  ADMISSION ("admission_verdicts", "unavailable", unavailable, "verdicts on clients that came"),
  ADMISSION ("admission_by_grace", NULL, by_grace,
             "clients let in because they were allowed lately"),
  ADMISSION ("admission_cached", NULL, cached, "verdicts that were remembered"),
  ADMISSION ("admission_shared", NULL, shared, "clients that waited for the answer to another one"),
  ADMISSION ("admission_dry_run", NULL, let_in, "refusals that a dry run did not carry out"),
  ADMISSION ("admission_rechecks", NULL, rechecked,
             "connected clients that were asked about again"),
  ADMISSION ("admission_revoked", NULL, revoked, "connected clients that were denied"),
};

static guint64
totals_read_at (gconstpointer counters, gsize offset)
{
  return detour_counter_get (
      (const DetourCounter *) (gconstpointer) ((const guint8 *) counters + offset));
}

static guint64
totals_sum_relay (const DetourServer *server, gsize offset)
{
  guint64 sum = 0;

  for (guint i = 0; i < detour_server_n_carriers (server); i++)
    sum += totals_read_at (detour_worker_relay_counters (detour_server_carrier (server, i)),
                           offset);
  return sum;
}

static guint64
totals_sum_worker (const DetourServer *server, gsize offset)
{
  guint64 sum = 0;

  for (guint i = 0; i < detour_server_n_carriers (server); i++)
    sum += totals_read_at (detour_worker_counters (detour_server_carrier (server, i)), offset);
  return sum;
}

static guint64
totals_sum_pool (const DetourServer *server, gsize offset)
{
  DetourHandshakePool *pool = detour_server_pool (server);
  guint64 sum = 0;

  for (guint i = 0; pool != NULL && i < detour_handshake_pool_n_threads (pool); i++)
    sum += totals_read_at (detour_handshake_pool_counters (pool, i), offset);
  return sum;
}

#define SUM_RELAY(server, member) \
  totals_sum_relay (server, G_STRUCT_OFFSET (DetourRelayCounters, member))
#define SUM_CARRIER(server, member) \
  totals_sum_worker (server, G_STRUCT_OFFSET (DetourWorkerCounters, member))
#define SUM_POOL(server, member) \
  totals_sum_pool (server, G_STRUCT_OFFSET (DetourHandshakePoolCounters, member))

void
detour_totals_read (DetourTotals *self, const DetourServer *server)
{
  *self = (DetourTotals) {
    .joined = SUM_CARRIER (server, joined),
    .refused = SUM_POOL (server, refused),
    .bytes_received = SUM_RELAY (server, bytes_received),
    .packets_sent = SUM_RELAY (server, packets_sent),
    .bytes_sent = SUM_RELAY (server, bytes_sent),
  };
  for (guint i = 0; i < DETOUR_N_CLOSES; i++)
    self->left += SUM_CARRIER (server, closed[i]);
  for (guint kind = 0; kind < DETOUR_QUEUE_N_KINDS; kind++)
    {
      self->packets_received += SUM_RELAY (server, packets_received[kind]);
      for (guint i = 0; i < DETOUR_N_DROPS; i++)
        self->packets_dropped += SUM_RELAY (server, packets_dropped[i][kind]);
      self->packets_dropped_slow += SUM_RELAY (server,
                                               packets_dropped[DETOUR_DROP_QUEUE_HEAD][kind]);
    }
}

void
detour_totals_each (const DetourServer *server, DetourTotalsFunc func, gpointer user)
{
  const DetourAdmissionStats *admission = detour_admission_stats (detour_server_admission (server));

  for (guint kind = 0; kind < DETOUR_QUEUE_N_KINDS; kind++)
    func ("packets_received", "kind", kind_names[kind], NULL, NULL,
          SUM_RELAY (server, packets_received[kind]), "packets from clients", user);
  for (guint i = 0; i < DETOUR_N_DROPS; i++)
    for (guint kind = 0; kind < DETOUR_QUEUE_N_KINDS; kind++)
      {
        func ("packets_dropped", "reason", drop_names[i], "kind", kind_names[kind],
              SUM_RELAY (server, packets_dropped[i][kind]), "packets that were not relayed", user);
        func ("bytes_dropped", "reason", drop_names[i], "kind", kind_names[kind],
              SUM_RELAY (server, bytes_dropped[i][kind]), "bytes of packets that were not relayed",
              user);
      }
  for (guint i = 0; i < G_N_ELEMENTS (relay_entries); i++)
    func (relay_entries[i].name, NULL, NULL, NULL, NULL,
          totals_sum_relay (server, relay_entries[i].offset), relay_entries[i].help, user);
  for (guint i = 0; i < G_N_ELEMENTS (worker_entries); i++)
    func (worker_entries[i].name, NULL, NULL, NULL, NULL,
          totals_sum_worker (server, worker_entries[i].offset), worker_entries[i].help, user);
  for (guint i = 0; i < G_N_ELEMENTS (pool_entries); i++)
    func (pool_entries[i].name, NULL, NULL, NULL, NULL,
          totals_sum_pool (server, pool_entries[i].offset), pool_entries[i].help, user);
  for (guint i = 0; i < G_N_ELEMENTS (admission_entries); i++)
    {
      const AdmissionEntry *entry = &admission_entries[i];

      func (entry->name, entry->result != NULL ? "result" : NULL, entry->result, NULL, NULL,
            G_STRUCT_MEMBER (guint64, admission, entry->offset), entry->help, user);
    }
  for (guint i = 0; i < DETOUR_N_CLOSES; i++)
    {
      func ("connections_closed", "reason", detour_close_name ((DetourClose) i), "stage",
            "registered", SUM_CARRIER (server, closed[i]), "connections that ended", user);
      func ("connections_closed", "reason", detour_close_name ((DetourClose) i), "stage",
            "handshake", SUM_POOL (server, closed[i]), "connections that ended", user);
    }
}
