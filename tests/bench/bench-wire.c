/* bench-wire.c: a client's connection as bytes, plain or through TLS; never blocks.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-wire.h"
#include "bench-packet.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_WIRE_READ_MAX 65536u
/* Part of a record may have waited in GnuTLS. */
#define BENCH_WIRE_PLAIN_MAX (BENCH_WIRE_READ_MAX + 16384u)

void
bench_room_init (BenchRoom *self)
{
  self->in = g_malloc (BENCH_WIRE_READ_MAX);
  self->plain = g_malloc (BENCH_WIRE_PLAIN_MAX);
  self->sealed = g_byte_array_sized_new (BENCH_WIRE_PLAIN_MAX);
}

void
bench_room_clear (BenchRoom *self)
{
  g_clear_pointer (&self->in, g_free);
  g_clear_pointer (&self->plain, g_free);
  g_clear_pointer (&self->sealed, g_byte_array_unref);
}

static ssize_t
bench_wire_on_pull (gnutls_transport_ptr_t data, void *to, size_t size)
{
  BenchWire *self = data;
  gsize n = MIN (size, (gsize) (self->in_len - self->in_at));

  if (n == 0)
    {
      gnutls_transport_set_errno (self->tls, EAGAIN);
      return -1;
    }
  memcpy (to, self->room->in + self->in_at, n);
  self->in_at += n;
  return (ssize_t) n;
}

static ssize_t
bench_wire_on_push (gnutls_transport_ptr_t data, const void *from, size_t size)
{
  BenchWire *self = data;

  g_byte_array_append (self->room->sealed, from, (guint) size);
  return (ssize_t) size;
}

void
bench_wire_start (BenchWire *self, BenchRoom *room, const BenchTarget *target, int fd)
{
  *self = (BenchWire) { .room = room, .fd = fd };
  if (room->stamps)
    setsockopt (fd, SOL_SOCKET, SO_TIMESTAMPNS, &(int) { 1 }, sizeof (int));
  if (target->kind != BENCH_TARGET_TLS)
    return;

  if (gnutls_init (&self->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS) < 0
      || gnutls_priority_set (self->tls, target->priority) < 0
      || gnutls_credentials_set (self->tls, GNUTLS_CRD_CERTIFICATE, target->credentials) < 0)
    g_error ("GnuTLS makes no session");
  gnutls_handshake_set_timeout (self->tls, GNUTLS_INDEFINITE_TIMEOUT);
  gnutls_transport_set_ptr (self->tls, self);
  gnutls_transport_set_pull_function (self->tls, bench_wire_on_pull);
  gnutls_transport_set_push_function (self->tls, bench_wire_on_push);
}

void
bench_wire_close (BenchWire *self, gboolean reset)
{
  if (self->fd >= 0)
    {
      if (reset)
        {
          const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

          setsockopt (self->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        }
      close (self->fd);
    }
  self->fd = -1;
  g_clear_pointer (&self->tls, gnutls_deinit);
  g_clear_pointer (&self->out, g_free);
  self->out_len = self->out_at = self->in_len = self->in_at = 0;
}

static BenchWireResult
bench_wire_fail (BenchWire *self, const char *why)
{
  self->why = why;
  return BENCH_WIRE_CLOSED;
}

/* The kernel's stamp is of the clock that can be set; the other clock is compared with it anew for
 * each read. */
static guint64
bench_wire_arrived_ns (struct msghdr *message)
{
  struct timespec stamp, now;

  for (struct cmsghdr *part = CMSG_FIRSTHDR (message); part != NULL;
       part = CMSG_NXTHDR (message, part))
    {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS)
        continue;
      memcpy (&stamp, CMSG_DATA (part), sizeof stamp);
      clock_gettime (CLOCK_REALTIME, &now);
      return bench_packet_now_ns ()
           - (guint64) ((now.tv_sec - stamp.tv_sec) * G_GINT64_CONSTANT (1000000000) + now.tv_nsec
                        - stamp.tv_nsec);
    }
  return 0;
}

static ssize_t
bench_wire_receive (BenchWire *self)
{
  struct iovec piece = { .iov_base = self->room->in, .iov_len = BENCH_WIRE_READ_MAX };
  _Alignas(struct cmsghdr) char control[256];
  struct msghdr message = {
    .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
  };
  ssize_t n;

  if (!self->room->stamps)
    return recv (self->fd, self->room->in, BENCH_WIRE_READ_MAX, 0);
  n = recvmsg (self->fd, &message, 0);
  self->room->arrived_ns = n > 0 ? bench_wire_arrived_ns (&message) : 0;
  return n;
}

BenchWireResult
bench_wire_read (BenchWire *self)
{
  ssize_t n = bench_wire_receive (self);

  self->in_at = 0;
  self->in_len = n > 0 ? (guint32) n : 0;
  if (n > 0)
    return BENCH_WIRE_OK;
  if (n == 0)
    return bench_wire_fail (self, "the server closed the connection");
  return errno == EAGAIN || errno == EINTR ? BENCH_WIRE_AGAIN
                                           : bench_wire_fail (self, g_strerror (errno));
}

static void
bench_wire_keep (BenchWire *self, const guint8 *data, gsize len)
{
  gsize waiting = bench_wire_waiting (self);

  if (self->out_at > 0)
    memmove (self->out, self->out + self->out_at, waiting);
  self->out = g_realloc (self->out, waiting + len);
  memcpy (self->out + waiting, data, len);
  self->out_at = 0;
  self->out_len = (guint32) (waiting + len);
}

static gsize
bench_wire_most (const BenchWire *self, gsize len)
{
  return self->dribbles ? MIN (len, 1) : len;
}

static BenchWireResult
bench_wire_send (BenchWire *self, const guint8 *data, gsize len)
{
  ssize_t n = 0;

  if (self->out == NULL)
    {
      n = send (self->fd, data, bench_wire_most (self, len), MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN && errno != EINTR)
        return bench_wire_fail (self, g_strerror (errno));
      n = MAX (n, 0);
    }
  if ((gsize) n < len)
    bench_wire_keep (self, data + n, len - (gsize) n);
  return self->out == NULL ? BENCH_WIRE_OK : BENCH_WIRE_AGAIN;
}

static BenchWireResult
bench_wire_send_sealed (BenchWire *self)
{
  GByteArray *sealed = self->room->sealed;
  BenchWireResult result = BENCH_WIRE_OK;

  if (sealed->len > 0)
    result = bench_wire_send (self, sealed->data, sealed->len);
  g_byte_array_set_size (sealed, 0);
  return result;
}

BenchWireResult
bench_wire_handshake (BenchWire *self)
{
  int status;

  if (self->tls == NULL)
    return BENCH_WIRE_OK;
  do
    status = gnutls_handshake (self->tls);
  while (status < 0 && status != GNUTLS_E_AGAIN && !gnutls_error_is_fatal (status));
  if (bench_wire_send_sealed (self) == BENCH_WIRE_CLOSED)
    return BENCH_WIRE_CLOSED;
  if (status == GNUTLS_E_SUCCESS)
    return BENCH_WIRE_OK;
  return status == GNUTLS_E_AGAIN ? BENCH_WIRE_AGAIN
                                  : bench_wire_fail (self, gnutls_strerror (status));
}

BenchWireResult
bench_wire_open (BenchWire *self, guint8 **data, gsize *len)
{
  gsize n = 0;

  if (self->tls == NULL)
    {
      *data = self->room->in + self->in_at;
      *len = self->in_len - self->in_at;
      self->in_at = self->in_len;
      return BENCH_WIRE_OK;
    }
  for (;;)
    {
      ssize_t got = gnutls_record_recv (self->tls, self->room->plain + n, BENCH_WIRE_PLAIN_MAX - n);

      if (got > 0)
        n += (gsize) got;
      else if (got == GNUTLS_E_AGAIN)
        break;
      else if (got == 0)
        return bench_wire_fail (self, "the server ended TLS");
      else if (gnutls_error_is_fatal ((int) got))
        return bench_wire_fail (self, gnutls_strerror ((int) got));
    }
  *data = self->room->plain;
  *len = n;
  return BENCH_WIRE_OK;
}

BenchWireResult
bench_wire_write (BenchWire *self, const guint8 *data, gsize len)
{
  if (self->tls == NULL)
    return bench_wire_send (self, data, len);
  /* The other side is not asked for the same: GnuTLS does not open what was on its way then, from
   * itself as little as from others. */
  if (self->update_every > 0 && ++self->n_written % self->update_every == 0
      && gnutls_session_key_update (self->tls, 0) < 0)
    return bench_wire_fail (self, "the keys cannot be changed");
  while (len > 0)
    {
      ssize_t n = gnutls_record_send (self->tls, data, len);

      if (n < 0 && gnutls_error_is_fatal ((int) n))
        return bench_wire_fail (self, gnutls_strerror ((int) n));
      n = MAX (n, 0);
      data += n;
      len -= (gsize) n;
    }
  return bench_wire_send_sealed (self);
}

BenchWireResult
bench_wire_flush (BenchWire *self)
{
  ssize_t n;

  if (self->out == NULL)
    return BENCH_WIRE_OK;
  n = send (self->fd, self->out + self->out_at,
            bench_wire_most (self, self->out_len - self->out_at), MSG_NOSIGNAL);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? BENCH_WIRE_AGAIN
                                             : bench_wire_fail (self, g_strerror (errno));
  self->out_at += (guint32) n;
  if (self->out_at < self->out_len)
    return BENCH_WIRE_AGAIN;
  g_clear_pointer (&self->out, g_free);
  self->out_len = self->out_at = 0;
  return BENCH_WIRE_OK;
}
