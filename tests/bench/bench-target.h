/* bench-target.h: the server under test: its address, how to speak to it, its public key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>

#include "detour-key.h"

G_BEGIN_DECLS

typedef enum {
  BENCH_TARGET_PLAIN, /* http: DERP without TLS */
  BENCH_TARGET_TLS,   /* https: any certificate will do */
  BENCH_TARGET_RAW,   /* raw: no login and no protocol; the copying relay of bench-copy.c */
} BenchTargetKind;

typedef struct _BenchTarget BenchTarget;
struct _BenchTarget {
  BenchTarget *other; /* (owned) (nullable): where clients with odd numbers are instead */
  BenchTargetKind kind;
  struct sockaddr_storage address;
  socklen_t address_len;
  char *host;          /* as in a Host header */
  gboolean is_proxied; /* each connection begins with a PROXY header, as if we were a proxy */
  gboolean is_websocket;
  guint n_sources; /* loopback addresses that clients come from; 0: the system chooses */
  gnutls_certificate_credentials_t credentials; /* NULL unless TLS */
  gnutls_priority_t priority;
  /* Known once a client has logged in; clients over TLS then start without waiting for the
   * greeting, as real ones do. */
  gboolean has_server_key;
  DetourKey server_key;
};

#define BENCH_ERROR (bench_error_quark ())
GQuark bench_error_quark (void);

typedef enum {
  BENCH_ERROR_USAGE,
  BENCH_ERROR_SERVER, /* it cannot be reached, or does not do what a DERP server does */
  BENCH_ERROR_SYSTEM,
} BenchError;

/**
 * bench_target_new:
 * @url: `https://HOST:PORT`, `http://HOST:PORT`, the same in a WebSocket with `wss` and `ws`, or
 *   `raw://HOST:PORT`
 * @priority: (nullable): GnuTLS priority string; NULL: TLS 1.3 with AES-128-GCM and X25519
 * @n_sources: client addresses 127.0.0.1 and following; only used when the server is on an IPv4
 * loopback address
 */
BenchTarget *bench_target_new (const char *url, const char *priority, guint n_sources,
                               GError **error);
void bench_target_free (BenchTarget *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchTarget, bench_target_free)

/* Where the client with that number is. */
static inline BenchTarget *
bench_target_of (BenchTarget *self, guint index)
{
  return self->other != NULL && index % 2 == 1 ? self->other : self;
}

/* A socket on its way to the server for client number @index, or -1 with errno. */
int bench_target_connect (const BenchTarget *self, guint index);
/* Writes the PROXY header of a client with that number, version 2, where there has to be one. FALSE
 * with errno. */
gboolean bench_target_send_header (const BenchTarget *self, int fd, guint index);

G_END_DECLS
