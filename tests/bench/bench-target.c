/* bench-target.c: the server under test: its address, how to speak to it, its public key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-target.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

G_DEFINE_QUARK (bench - error - quark, bench_error)

/* What clients of today and a server of ours would agree on; one key share, so that no handshake
 * has a second turn. */
#define BENCH_TARGET_PRIORITY                                                                      \
  "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-GROUP-" \
  "ALL:+GROUP-X25519"

static gboolean
bench_target_resolve (BenchTarget *self, const char *host, const char *port, GError **error)
{
  const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
  struct addrinfo *found = NULL;
  int failed = getaddrinfo (host, port, &hints, &found);

  if (failed != 0)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE, "%s:%s: %s", host, port,
                   gai_strerror (failed));
      return FALSE;
    }
  memcpy (&self->address, found->ai_addr, found->ai_addrlen);
  self->address_len = found->ai_addrlen;
  freeaddrinfo (found);
  return TRUE;
}

static gboolean
bench_target_is_loopback (const BenchTarget *self)
{
  const struct sockaddr_in *in = (const struct sockaddr_in *) (const void *) &self->address;

  return in->sin_family == AF_INET && ntohl (in->sin_addr.s_addr) >> 24 == 127;
}

BenchTarget *
bench_target_new (const char *url, const char *priority, guint n_sources, GError **error)
{
  g_autoptr (BenchTarget) self = g_new0 (BenchTarget, 1);
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_NONE, error);
  g_autofree char *port = NULL;
  const char *scheme;

  if (uri == NULL)
    {
      g_prefix_error (error, "%s: ", url);
      return NULL;
    }
  scheme = g_uri_get_scheme (uri);
  self->is_websocket = g_str_equal (scheme, "wss") || g_str_equal (scheme, "ws");
  if (g_str_equal (scheme, "https") || g_str_equal (scheme, "wss"))
    self->kind = BENCH_TARGET_TLS;
  else if (g_str_equal (scheme, "http") || g_str_equal (scheme, "ws"))
    self->kind = BENCH_TARGET_PLAIN;
  else if (g_str_equal (scheme, "raw"))
    self->kind = BENCH_TARGET_RAW;
  else
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE,
                   "%s: the scheme is \"%s\"; write https, http, wss, ws or raw", url, scheme);
      return NULL;
    }
  if (g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0' || g_uri_get_port (uri) <= 0)
    {
      g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE,
                   "%s: write a host and a port, as in https://127.0.0.1:3340", url);
      return NULL;
    }
  port = g_strdup_printf ("%d", g_uri_get_port (uri));
  if (!bench_target_resolve (self, g_uri_get_host (uri), port, error))
    return NULL;
  self->host = g_strdup_printf ("%s:%s", g_uri_get_host (uri), port);
  self->n_sources = bench_target_is_loopback (self) ? CLAMP (n_sources, 1, 250) : 0;

  if (self->kind == BENCH_TARGET_TLS)
    {
      const char *position = NULL;

      if (gnutls_priority_init (&self->priority,
                                priority != NULL ? priority : BENCH_TARGET_PRIORITY, &position)
          < 0)
        {
          g_set_error (error, BENCH_ERROR, BENCH_ERROR_USAGE,
                       "GnuTLS does not know this part of the priorities: %s", position);
          return NULL;
        }
      if (gnutls_certificate_allocate_credentials (&self->credentials) < 0)
        g_error ("out of memory");
    }
  return g_steal_pointer (&self);
}

void
bench_target_free (BenchTarget *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->other, bench_target_free);
  g_clear_pointer (&self->priority, gnutls_priority_deinit);
  g_clear_pointer (&self->credentials, gnutls_certificate_free_credentials);
  g_free (self->host);
  g_free (self);
}

gboolean
bench_target_send_header (const BenchTarget *self, int fd, guint index)
{
  /* Signature, version and command, family and transport, 12 bytes; 10.x.y.z to 198.51.100.2. */
  const guint8 header[28] = {
    0x0d,
    0x0a,
    0x0d,
    0x0a,
    0x00,
    0x0d,
    0x0a,
    0x51,
    0x55,
    0x49,
    0x54,
    0x0a,
    0x21,
    0x11,
    0,
    12,
    10,
    (guint8) (index >> 16),
    (guint8) (index >> 8),
    (guint8) index,
    198,
    51,
    100,
    2,
    0xca,
    0x6c,
    0x01,
    0xbb,
  };

  return !self->is_proxied
      || send (fd, header, sizeof header, MSG_NOSIGNAL) == (gssize) sizeof header;
}

int
bench_target_connect (const BenchTarget *self, guint index)
{
  const int on = 1;
  int saved;
  int fd = socket (self->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return -1;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (self->n_sources > 0)
    {
      const struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl (INADDR_LOOPBACK + index % self->n_sources),
      };

      /* The port is chosen at connect(), so that every address has the whole range towards this
       * server. */
      setsockopt (fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
      if (bind (fd, (const struct sockaddr *) &source, sizeof source) < 0)
        goto failed;
    }
  if (connect (fd, (const struct sockaddr *) &self->address, self->address_len) == 0
      || errno == EINPROGRESS)
    return fd;

failed:
  saved = errno;
  close (fd);
  errno = saved;
  return -1;
}
