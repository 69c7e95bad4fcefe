/* detour-proxy-header.h: the header of the PROXY protocol, with which a proxy says whose connection
 * it hands on.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pure function over bytes: no socket, no clock, no allocation. Both versions are read; which
 * peers may send one is the caller's business. */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* Longest header that is read, in bytes. Version 1 has 107 at most. Version 2 could announce 64
 * KiB, and those in use stay below 2 KiB, with a client certificate in them. */
#define DETOUR_PROXY_HEADER_MAX 4096u

typedef enum {
  DETOUR_PROXY_HEADER_OK,
  DETOUR_PROXY_HEADER_MORE, /* a header has begun, or may have; all bytes belong to it */
  DETOUR_PROXY_HEADER_NONE, /* the first bytes are not those of a header */
  DETOUR_PROXY_HEADER_BAD,  /* a header that breaks the rules */
} DetourProxyHeaderResult;

typedef struct {
  gsize len; /* OK: of the header; the bytes behind it are the client's */
  /* OK: the client's address, and the one it has dialled. AF_UNSPEC: the proxy gives none, for
   * instance because it has come by itself to see whether the relay is well. An IPv4 address inside
   * IPv6 is given as IPv4. */
  struct sockaddr_storage source, destination;
  const char *why; /* BAD: static, one clause */
} DetourProxyHeader;

/**
 * detour_proxy_header_parse:
 * @data: (array length=len): everything received since the first byte of the connection
 * @out: (out): filled in for OK and BAD, all zero otherwise
 *
 * The answer does not depend on how the bytes were cut: more bytes change nothing but MORE.
 */
DetourProxyHeaderResult detour_proxy_header_parse (const guint8 *data, gsize len,
                                                   DetourProxyHeader *out)
    G_GNUC_WARN_UNUSED_RESULT;

/* Longest header that is written, in bytes. */
#define DETOUR_PROXY_HEADER_WRITE_MAX 107u

/**
 * detour_proxy_header_write:
 * @version: 1 or 2
 * @source: of the client; when it has no address of the internet, the header says so
 * @out: DETOUR_PROXY_HEADER_WRITE_MAX bytes
 *
 * Returns: bytes written.
 */
gsize detour_proxy_header_write (guint version, const struct sockaddr *source,
                                 const struct sockaddr *destination, guint8 *out);

G_END_DECLS
