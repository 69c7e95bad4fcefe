/* detour-relay-metrics.c: what each number of a relay is called.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-relay.h"

static const char *
relay_metrics_reason (guint index)
{
  static const char *const words[DETOUR_N_DROPS] = {
    [DETOUR_DROP_UNKNOWN_DEST] = "unknown_dest",
    [DETOUR_DROP_UNKNOWN_DEST_ON_FORWARD] = "unknown_dest_on_forward",
    [DETOUR_DROP_GONE] = "gone",
    [DETOUR_DROP_QUEUE_HEAD] = "queue_head",
    [DETOUR_DROP_QUEUE_TAIL] = "queue_tail",
    [DETOUR_DROP_WRITE_ERROR] = "write_error",
    [DETOUR_DROP_DUP_CLIENT] = "dup_client",
    [DETOUR_DROP_TOO_LONG] = "too_long",
  };

  return words[index];
}

static const char *
relay_metrics_kind (guint index)
{
  static const char *const words[DETOUR_QUEUE_N_KINDS] = {
    [DETOUR_QUEUE_DATA] = "data",
    [DETOUR_QUEUE_DISCO] = "disco",
  };

  return words[index];
}

static const guint64 sizes[DETOUR_N_PACKET_SIZES - 1] = { 64,   128,  256,   512,   1024, 2048,
                                                          4096, 8192, 16384, 32768, 65536 };

#define KINDS                                        \
  {                                                  \
    "kind", DETOUR_QUEUE_N_KINDS, relay_metrics_kind \
  }
#define REASONS                                    \
  {                                                \
    "reason", DETOUR_N_DROPS, relay_metrics_reason \
  }
#define ROW(member, unit, help) DETOUR_METRIC_ROW (DetourRelayCounters, member, #member, unit, help)

const DetourMetricRow detour_relay_metrics[] = {
  { "packets_received",
    NULL,
    "packets from clients",
    G_STRUCT_OFFSET (DetourRelayCounters, packets_received),
    { NULL },
    { KINDS } },
  ROW (bytes_received, "bytes", "bytes of packets from clients"),
  DETOUR_METRIC_HISTOGRAM_ROW (DetourRelayCounters, packet_sizes, bytes_received, "packet_bytes",
                               "bytes", "sizes of packets from clients", sizes),
  ROW (packets_sent, NULL, "packets to clients"),
  ROW (bytes_sent, "bytes", "bytes of packets to clients"),
  { "packets_dropped",
    NULL,
    "packets that were not relayed",
    G_STRUCT_OFFSET (DetourRelayCounters, packets_dropped),
    { NULL },
    { REASONS, KINDS } },
  { "bytes_dropped",
    "bytes",
    "bytes of packets that were not relayed",
    G_STRUCT_OFFSET (DetourRelayCounters, bytes_dropped),
    { NULL },
    { REASONS, KINDS } },
  ROW (packets_forwarded_in, NULL, "packets from other relays of the mesh"),
  ROW (packets_forwarded_out, NULL, "packets to other relays of the mesh"),
  /* Connections that are forwarded past the relay have that name otherwise. */
  DETOUR_METRIC_ROW (DetourRelayCounters, bytes_forwarded_out, "mesh_forwarded_out_bytes", "bytes",
                     "bytes of packets to other relays of the mesh"),
  ROW (pings, NULL, "pings from clients"),
  ROW (pongs, NULL, "pings answered"),
  ROW (unknown_frames, NULL, "frames of a type that is not known"),
  ROW (keep_alives, NULL, "keep-alive frames sent"),
  ROW (gone_disconnected, NULL, "notices that a peer has left"),
  ROW (gone_not_here, NULL, "notices that a peer is not here"),
  ROW (home_moves_in, NULL, "clients that made this relay their home"),
  ROW (home_moves_out, NULL, "clients that chose another home"),
  ROW (health_texts, NULL, "texts for users sent to clients"),
  ROW (rate_waits, NULL, "times that a client over its rate had to wait"),
  { "clients_home", NULL, "clients whose home this relay is",
    G_STRUCT_OFFSET (DetourRelayCounters, homes), .type = DETOUR_METRIC_GAUGE },
  { "clients_not_ideal", NULL, "clients that would rather be at another relay of the region",
    G_STRUCT_OFFSET (DetourRelayCounters, not_ideal), .type = DETOUR_METRIC_GAUGE },
  { NULL },
};
