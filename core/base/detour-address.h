/* detour-address.h: addresses of sockets and of networks as they are written by people.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

G_BEGIN_DECLS

#define DETOUR_ADDRESS_ERROR (detour_address_error_quark ())
GQuark detour_address_error_quark (void);

typedef enum {
  DETOUR_ADDRESS_ERROR_SYNTAX,
} DetourAddressError;

/* Longest text detour_address_format() writes, with its end. */
#define DETOUR_ADDRESS_TEXT_MAX 128

/* A written address. Either @path is set, or @port with a @host that may be empty. */
typedef struct {
  char host[256]; /* literal without brackets, or a name; "": every address, both families */
  guint16 port;   /* 0: the system chooses */
  char path[sizeof ((struct sockaddr_un *) 0)->sun_path]; /* of a Unix socket; "" otherwise */
} DetourAddress;

/**
 * detour_address_parse:
 * @text: `HOST:PORT`, `V4:PORT`, `[V6]:PORT`, `:PORT` or `unix:/path`
 *
 * Pure; looks nothing up. `[::]` and the empty host both mean every address of both families and
 * give an empty @host.
 */
gboolean detour_address_parse (const char *text, DetourAddress *out, GError **error);

/* Whether @host, without brackets and port, is a name or a literal that detour_address_parse()
 * takes. Empty is neither. Pure. */
gboolean detour_address_is_host (const char *host);

/**
 * detour_address_to_sockaddr:
 * @out: (out): the empty host gives the IPv6 wildcard, for a socket without IPV6_V6ONLY
 * @len: (out): length of what was written
 *
 * Returns: FALSE when the host is a name, which somebody must look up.
 */
gboolean detour_address_to_sockaddr (const DetourAddress *self, struct sockaddr_storage *out,
                                     socklen_t *len);

/* `1.2.3.4:80`, `[2001:db8::1]:80`, `unix:/path`, `unix:` for an unnamed socket; an IPv4 address
 * inside IPv6 is written as IPv4. @out has DETOUR_ADDRESS_TEXT_MAX bytes; returns @out. */
const char *detour_address_format (const struct sockaddr *address, char *out);

/* The same of @bytes as detour_address_bytes() gives them; "" when all of it is zero. */
const char *detour_address_format_bytes (const guint8 bytes[16], guint16 port, char *out);

/* Likewise without port and brackets. */
const char *detour_address_format_host (const struct sockaddr *address, char *out);

/* 16 bytes in network order, IPv4 as ::ffff:a.b.c.d, so that both families compare alike. FALSE for
 * other families. */
gboolean detour_address_bytes (const struct sockaddr *address, guint8 out[16]);

/* Makes an IPv4 address inside IPv6 one of IPv4; leaves others as they are. */
void detour_address_unmap (struct sockaddr_storage *address);

/* A network: an address and the number of leading bits that count, both as in
 * detour_address_bytes(). */
typedef struct {
  guint8 bytes[16];
  guint8 bits; /* 0 to 128; of an IPv4 network 96 to 128 */
} DetourCidr;

/**
 * detour_cidr_parse:
 * @text: `ADDRESS` or `ADDRESS/BITS`; bits of the address beyond BITS must be zero
 */
gboolean detour_cidr_parse (const char *text, DetourCidr *out, GError **error);
/* `192.0.2.0/24`, `2001:db8::1` where all bits count. @out has DETOUR_ADDRESS_TEXT_MAX bytes;
 * returns @out. */
const char *detour_cidr_format (const DetourCidr *self, char *out);
/* Whether @other lies in it, or is the same. */
gboolean detour_cidr_covers (const DetourCidr *self, const DetourCidr *other);
gboolean detour_cidr_contains (const DetourCidr *self, const struct sockaddr *address);
/* Whether one of them does. */
gboolean detour_cidr_list_contains (const DetourCidr *list, guint n,
                                    const struct sockaddr *address);

G_END_DECLS
