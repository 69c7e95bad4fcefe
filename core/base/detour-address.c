/* detour-address.c: addresses of sockets and of networks as they are written by people.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-address.h"

#include "detour-plugin.h"

#include <arpa/inet.h>
#include <glib/gi18n-lib.h>
#include <string.h>

G_DEFINE_QUARK (detour_address_error_quark, detour_address_error)

static const guint8 v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static gboolean
address_refuse (GError **error, const char *text, const char *why)
{
  g_set_error (error, DETOUR_ADDRESS_ERROR, DETOUR_ADDRESS_ERROR_SYNTAX,
               _ ("\"%s\" is not an address: %s"), text, why);
  return FALSE;
}

/* Digits only: no sign, no blank, nothing behind. */
static gboolean
address_parse_number (const char *text, guint max, guint *out)
{
  guint value = 0;

  if (*text == '\0')
    return FALSE;
  for (; *text != '\0'; text++)
    {
      if (!g_ascii_isdigit (*text))
        return FALSE;
      value = value * 10 + (guint) (*text - '0');
      if (value > max)
        return FALSE;
    }
  *out = value;
  return TRUE;
}

/* A host name, an IPv4 literal, or nothing. Digits and dots alone are an address, never a name. */
static gboolean
address_host_is_sane (const char *host)
{
  struct in_addr v4;

  if (host[0] == '\0')
    return TRUE;
  if (strspn (host, "0123456789.") == strlen (host))
    return inet_pton (AF_INET, host, &v4) == 1;
  if (host[0] == '-' || host[0] == '.')
    return FALSE;
  for (const char *p = host; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && *p != '-' && *p != '_' && (*p != '.' || p[1] == '.'))
      return FALSE;
  return TRUE;
}

gboolean
detour_address_parse (const char *text, DetourAddress *out, GError **error)
{
  const char *colon;
  const char *host = text;
  gsize n_host;
  guint port;
  gboolean bracketed;

  memset (out, 0, sizeof *out);

  if (g_str_has_prefix (text, "unix:"))
    {
      const char *path = text + strlen ("unix:");

      if (path[0] != '/')
        return address_refuse (
            error, text,
            _ ("the path of a Unix socket must be absolute, as in unix:/run/detour/http"));
      if (strlen (path) >= sizeof out->path)
        return address_refuse (error, text,
                               _ ("the path of a Unix socket may have 107 bytes at most"));
      g_strlcpy (out->path, path, sizeof out->path);
      return TRUE;
    }

  colon = strrchr (text, ':');
  if (colon == NULL)
    return address_refuse (error, text, _ ("write HOST:PORT, [V6]:PORT, :PORT or unix:/path"));
  if (!address_parse_number (colon + 1, G_MAXUINT16, &port))
    return address_refuse (error, text,
                           _ ("the port after the last colon must be a number from 0 to 65535"));

  n_host = (gsize) (colon - text);
  bracketed = n_host >= 2 && text[0] == '[' && colon[-1] == ']';
  if (bracketed)
    {
      host++;
      n_host -= 2;
    }
  if (n_host >= sizeof out->host)
    return address_refuse (error, text, _ ("the host is too long"));
  memcpy (out->host, host, n_host);
  out->port = (guint16) port;

  if (bracketed)
    {
      struct in6_addr v6;

      if (inet_pton (AF_INET6, out->host, &v6) != 1)
        return address_refuse (error, text, _ ("there is no IPv6 address between the brackets"));
      if (IN6_IS_ADDR_UNSPECIFIED (&v6))
        out->host[0] = '\0';
      return TRUE;
    }
  if (strchr (out->host, ':') != NULL)
    return address_refuse (error, text,
                           _ ("an IPv6 address needs brackets, as in [2001:db8::1]:443"));
  if (!address_host_is_sane (out->host))
    return address_refuse (
        error, text, _ ("the host must be a name, an IPv4 address or an IPv6 address in brackets"));
  return TRUE;
}

gboolean
detour_address_is_host (const char *host)
{
  g_autofree char *text = g_strdup_printf (strchr (host, ':') != NULL ? "[%s]:0" : "%s:0", host);
  DetourAddress address;

  return host[0] != '\0' && detour_address_parse (text, &address, NULL);
}

gboolean
detour_address_to_sockaddr (const DetourAddress *self, struct sockaddr_storage *out, socklen_t *len)
{
  struct sockaddr_un *un = (struct sockaddr_un *) out;
  struct sockaddr_in *in = (struct sockaddr_in *) out;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) out;

  memset (out, 0, sizeof *out);
  if (self->path[0] != '\0')
    {
      un->sun_family = AF_UNIX;
      g_strlcpy (un->sun_path, self->path, sizeof un->sun_path);
      *len = sizeof *un;
      return TRUE;
    }
  if (self->host[0] != '\0' && inet_pton (AF_INET, self->host, &in->sin_addr) == 1)
    {
      in->sin_family = AF_INET;
      in->sin_port = htons (self->port);
      *len = sizeof *in;
      return TRUE;
    }
  if (self->host[0] == '\0' || inet_pton (AF_INET6, self->host, &in6->sin6_addr) == 1)
    {
      in6->sin6_family = AF_INET6;
      in6->sin6_port = htons (self->port);
      *len = sizeof *in6;
      return TRUE;
    }
  return FALSE;
}

gboolean
detour_address_bytes (const struct sockaddr *address, guint8 out[16])
{
  if (address->sa_family == AF_INET)
    {
      memcpy (out, v4_prefix, sizeof v4_prefix);
      memcpy (out + 12, &((const struct sockaddr_in *) (const void *) address)->sin_addr, 4);
      return TRUE;
    }
  if (address->sa_family == AF_INET6)
    {
      memcpy (out, &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr, 16);
      return TRUE;
    }
  return FALSE;
}

void
detour_address_unmap (struct sockaddr_storage *address)
{
  const struct sockaddr_in6 in6 = *(const struct sockaddr_in6 *) address;
  struct sockaddr_in *in = (struct sockaddr_in *) address;

  if (in6.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED (&in6.sin6_addr))
    return;
  memset (address, 0, sizeof *address);
  in->sin_family = AF_INET;
  in->sin_port = in6.sin6_port;
  memcpy (&in->sin_addr, in6.sin6_addr.s6_addr + sizeof v4_prefix, sizeof in->sin_addr);
}

static const char *
address_format (const struct sockaddr *address, gboolean with_port, char *out)
{
  char host[INET6_ADDRSTRLEN] = "";
  guint8 bytes[16];
  guint port;

  if (address->sa_family == AF_UNIX)
    {
      const struct sockaddr_un *un = (const struct sockaddr_un *) (const void *) address;

      g_snprintf (out, DETOUR_ADDRESS_TEXT_MAX, "unix:%.*s", (int) sizeof un->sun_path,
                  un->sun_path);
      return out;
    }
  if (!detour_address_bytes (address, bytes))
    {
      g_strlcpy (out, "unknown", DETOUR_ADDRESS_TEXT_MAX);
      return out;
    }

  port = ntohs (address->sa_family == AF_INET
                    ? ((const struct sockaddr_in *) (const void *) address)->sin_port
                    : ((const struct sockaddr_in6 *) (const void *) address)->sin6_port);
  if (memcmp (bytes, v4_prefix, sizeof v4_prefix) == 0)
    {
      inet_ntop (AF_INET, bytes + 12, host, sizeof host);
      g_snprintf (out, DETOUR_ADDRESS_TEXT_MAX, with_port ? "%s:%u" : "%s", host, port);
    }
  else
    {
      inet_ntop (AF_INET6, bytes, host, sizeof host);
      g_snprintf (out, DETOUR_ADDRESS_TEXT_MAX, with_port ? "[%s]:%u" : "%s", host, port);
    }
  return out;
}

const char *
detour_address_format (const struct sockaddr *address, char *out)
{
  return address_format (address, TRUE, out);
}

const char *
detour_address_format_bytes (const guint8 bytes[16], guint16 port, char *out)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = g_htons (port) };

  memcpy (&address.sin6_addr, bytes, sizeof address.sin6_addr);
  out[0] = '\0';
  if (port == 0 && IN6_IS_ADDR_UNSPECIFIED (&address.sin6_addr))
    return out;
  return address_format ((const struct sockaddr *) &address, TRUE, out);
}

const char *
detour_address_format_host (const struct sockaddr *address, char *out)
{
  return address_format (address, FALSE, out);
}

/* Whether the first @bits bits of both are the same. */
static gboolean
address_same_bits (const guint8 *a, const guint8 *b, guint bits)
{
  guint whole = bits / 8;
  guint rest = bits % 8;

  return memcmp (a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

gboolean
detour_cidr_parse (const char *text, DetourCidr *out, GError **error)
{
  const char *slash = strchr (text, '/');
  g_autofree char *host = slash != NULL ? g_strndup (text, (gsize) (slash - text))
                                        : g_strdup (text);
  guint max;
  guint bits;

  memset (out, 0, sizeof *out);
  if (inet_pton (AF_INET, host, out->bytes + 12) == 1)
    {
      memcpy (out->bytes, v4_prefix, sizeof v4_prefix);
      max = 32;
    }
  else if (inet_pton (AF_INET6, host, out->bytes) == 1)
    max = 128;
  else
    {
      g_set_error (error, DETOUR_ADDRESS_ERROR, DETOUR_ADDRESS_ERROR_SYNTAX,
                   _ ("\"%s\" is not a network: write ADDRESS or ADDRESS/BITS, as in 192.0.2.0/24 "
                      "or 2001:db8::/32"),
                   text);
      return FALSE;
    }

  bits = max;
  if (slash != NULL && !address_parse_number (slash + 1, max, &bits))
    {
      g_set_error (error, DETOUR_ADDRESS_ERROR, DETOUR_ADDRESS_ERROR_SYNTAX,
                   _ ("\"%s\" is not a network: the number after the slash goes from 0 to %u"),
                   text, max);
      return FALSE;
    }
  out->bits = (guint8) (bits + 128 - max);

  for (guint i = out->bits; i < 128; i++)
    if ((out->bytes[i / 8] & (0x80 >> i % 8)) != 0)
      {
        g_set_error (error, DETOUR_ADDRESS_ERROR, DETOUR_ADDRESS_ERROR_SYNTAX,
                     _ ("\"%s\" is not a network: the address has bits set beyond the first %u"),
                     text, bits);
        return FALSE;
      }
  return TRUE;
}

const char *
detour_cidr_format (const DetourCidr *self, char *out)
{
  gboolean is_v4 = self->bits >= 96 && memcmp (self->bytes, v4_prefix, sizeof v4_prefix) == 0;
  guint max = is_v4 ? 32 : 128;
  guint bits = self->bits - (128 - max);
  gsize len;

  inet_ntop (is_v4 ? AF_INET : AF_INET6, self->bytes + (is_v4 ? 12 : 0), out,
             DETOUR_ADDRESS_TEXT_MAX);
  len = strlen (out);
  if (bits < max)
    g_snprintf (out + len, DETOUR_ADDRESS_TEXT_MAX - len, "/%u", bits);
  return out;
}

gboolean
detour_cidr_covers (const DetourCidr *self, const DetourCidr *other)
{
  return self->bits <= other->bits && address_same_bits (self->bytes, other->bytes, self->bits);
}

gboolean
detour_cidr_contains (const DetourCidr *self, const struct sockaddr *address)
{
  guint8 bytes[16];

  return detour_address_bytes (address, bytes)
      && address_same_bits (self->bytes, bytes, self->bits);
}

gboolean
detour_networks_contain (const char *const *networks, const struct sockaddr *address)
{
  DetourCidr cidr;

  for (; *networks != NULL; networks++)
    if (detour_cidr_parse (*networks, &cidr, NULL) && detour_cidr_contains (&cidr, address))
      return TRUE;
  return FALSE;
}

gboolean
detour_cidr_list_contains (const DetourCidr *list, guint n, const struct sockaddr *address)
{
  for (guint i = 0; i < n; i++)
    if (detour_cidr_contains (&list[i], address))
      return TRUE;
  return FALSE;
}
