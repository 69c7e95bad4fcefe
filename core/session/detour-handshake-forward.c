/* detour-handshake-forward.c: a connection for somebody else's name, or one that
 * becomes a tunnel, goes to the forwarder.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"

#include "detour-log.h"
#include "detour-proxy-header.h"

#include <unistd.h>

/* What a tunnel has beside. */
typedef struct {
  void (*ended) (gpointer user);
  gpointer user;
  char *host; /* and port, for the log */
  struct sockaddr_storage peer;
  const char *listener; /* interned */
} Tunnel;

/* What is left of the connection here: its address is counted. */
typedef struct {
  DetourAddressCounts *addresses;
  DetourAddressKey counted;
  Tunnel *tunnel; /* NULL: it is none */
} Forwarded;

static void
handshake_forward_log_tunnel (const Tunnel *tunnel, const DetourForwarderEnd *end)
{
  gint64 duration_ms = end->duration_us / 1000;
  char address[DETOUR_ADDRESS_TEXT_MAX];
  char duration[24], in[24], out[24];

  if (!detour_log_wants (G_LOG_LEVEL_INFO))
    return;
  detour_address_format ((const struct sockaddr *) &tunnel->peer, address);
  g_snprintf (duration, sizeof duration, "%" G_GINT64_FORMAT, duration_ms);
  g_snprintf (in, sizeof in, "%" G_GUINT64_FORMAT, end->bytes_in);
  g_snprintf (out, sizeof out, "%" G_GUINT64_FORMAT, end->bytes_out);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_EVENT, "tunnel-end",
                    DETOUR_LOG_ADDRESS, address, DETOUR_LOG_LISTENER, tunnel->listener,
                    DETOUR_LOG_DURATION, duration, DETOUR_LOG_BYTES_IN, in, DETOUR_LOG_BYTES_OUT,
                    out, "MESSAGE",
                    "%s: tunnel to %s ended after %" G_GINT64_FORMAT ".%03d s, %s bytes in, %s "
                    "bytes out",
                    address, tunnel->host, duration_ms / 1000, (int) (duration_ms % 1000), in, out);
}

static void
handshake_forward_on_ended (gpointer data, const DetourForwarderEnd *end)
{
  g_autofree Forwarded *forwarded = data;
  g_autofree Tunnel *tunnel = forwarded->tunnel;

  detour_address_counts_leave (forwarded->addresses, &forwarded->counted);
  if (tunnel == NULL)
    return;
  if (end != NULL)
    handshake_forward_log_tunnel (tunnel, end);
  tunnel->ended (tunnel->user);
  g_free (tunnel->host);
}

/* What goes before the client's bytes. */
static void
handshake_forward_put_header (const DetourHandshake *self, GByteArray *out)
{
  guint8 header[DETOUR_PROXY_HEADER_WRITE_MAX];
  struct sockaddr_storage local = { 0 };
  socklen_t len = sizeof local;

  if (self->listener->forward_version == 0)
    return;
  if (getsockname (self->io.fd, (struct sockaddr *) &local, &len) < 0)
    local.ss_family = AF_UNSPEC;
  g_byte_array_append (out, header,
                       (guint) detour_proxy_header_write (
                           self->listener->forward_version, (const struct sockaddr *) &self->peer,
                           (const struct sockaddr *) &local, header));
}

/* The address is counted on until the connection is over. */
static Forwarded *
handshake_forward_keep_count (const DetourHandshake *self)
{
  Forwarded *forwarded = g_new (Forwarded, 1);

  *forwarded = (Forwarded) { self->thread->pool->parts.addresses, self->counted, NULL };
  return forwarded;
}

void
detour_handshake_forward (DetourHandshake *self, const DetourForwardTarget *target)
{
  DetourHandshakePool *pool = self->thread->pool;
  DetourForwarderJob job;

  if (pool->forwarder == NULL)
    {
      detour_handshake_close (self, DETOUR_CLOSE_LIMIT);
      return;
    }
  job = (DetourForwarderJob) {
    .fd = self->io.fd,
    .table = self->listener->forward,
    .target = target,
    .listener = g_intern_string (self->listener->instance),
    .first = g_byte_array_new (),
    .idle_us = self->listener->forward_idle_us,
    .most = MIN (self->listener->forward_most, detour_handshake_pool_forward_max (pool)),
    .ended = handshake_forward_on_ended,
    .user = handshake_forward_keep_count (self),
  };
  detour_address_bytes ((const struct sockaddr *) &self->peer, job.address);
  handshake_forward_put_header (self, job.first);
  g_byte_array_append (job.first, self->plain->data, self->plain->len);
  detour_handshake_retire (self);
  detour_forwarder_take (pool->forwarder, &job);
}

void
detour_handshake_tunnel (DetourHandshake *self, const DetourHttpTunnel *tunnel, const char *host)
{
  DetourHandshakePool *pool = self->thread->pool;
  Forwarded *forwarded;
  DetourForwarderJob job;

  if (pool->forwarder == NULL)
    {
      detour_handshake_close (self, DETOUR_CLOSE_LIMIT);
      close (tunnel->fd);
      tunnel->ended (tunnel->user);
      return;
    }
  forwarded = handshake_forward_keep_count (self);
  forwarded->tunnel = g_new (Tunnel, 1);
  *forwarded->tunnel = (Tunnel) { tunnel->ended, tunnel->user, detour_log_escape (host, -1),
                                  self->peer, g_intern_string (self->listener->instance) };
  job = (DetourForwarderJob) {
    .fd = self->io.fd,
    .server_fd = tunnel->fd,
    .channel = self->channel,
    .listener = g_intern_string (self->listener->instance),
    .first = g_byte_array_ref (self->plain),
    .back = g_byte_array_ref (self->out),
    .idle_us = tunnel->idle_us,
    .most = detour_handshake_pool_forward_max (pool),
    .ended = handshake_forward_on_ended,
    .user = forwarded,
  };
  detour_address_bytes ((const struct sockaddr *) &self->peer, job.address);
  detour_handshake_retire (self);
  detour_forwarder_take (pool->forwarder, &job);
}
