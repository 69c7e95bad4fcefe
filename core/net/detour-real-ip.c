/* detour-real-ip.c: the client's address in a header that proxies write into a request.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-real-ip.h"

#include <arpa/inet.h>
#include <string.h>

/* Longest entry that can be an address: an IPv4 address in IPv6 with brackets and a port. */
#define ENTRY_MAX 64u

static gboolean
real_ip_is_blank (guint8 c)
{
  return c == ' ' || c == '\t';
}

/* `192.0.2.1`, `2001:db8::1`, and both with a port: `192.0.2.1:80`, `[2001:db8::1]:80`. */
static gboolean
real_ip_parse_entry (const guint8 *data, gsize len, struct sockaddr_storage *out)
{
  char text[ENTRY_MAX], bare[ENTRY_MAX + sizeof "[]:0"];
  DetourAddress address;
  struct in6_addr v6;
  socklen_t n;

  while (len > 0 && real_ip_is_blank (data[0]))
    data++, len--;
  while (len > 0 && real_ip_is_blank (data[len - 1]))
    len--;
  if (len == 0 || len >= sizeof text || memchr (data, '\0', len) != NULL)
    return FALSE;
  memcpy (text, data, len);
  text[len] = '\0';
  if (inet_pton (AF_INET6, text, &v6) == 1)
    g_snprintf (bare, sizeof bare, "[%s]:0", text);
  else if (strchr (text, ':') == NULL || text[len - 1] == ']')
    g_snprintf (bare, sizeof bare, "%s:0", text);
  else
    g_strlcpy (bare, text, sizeof bare);
  /* An empty host would mean every address, and a name is none. */
  if (!detour_address_parse (bare, &address, NULL) || address.host[0] == '\0'
      || !detour_address_to_sockaddr (&address, out, &n))
    return FALSE;
  detour_address_unmap (out);
  return TRUE;
}

/* Goes through one header from the right. FALSE: the search is over. */
static gboolean
real_ip_search_list (const guint8 *data, gsize len, const DetourCidr *trusted, guint n_trusted,
                     struct sockaddr_storage *out)
{
  for (gsize end = len;;)
    {
      struct sockaddr_storage found;
      gsize start = end;

      while (start > 0 && data[start - 1] != ',')
        start--;
      if (!real_ip_parse_entry (data + start, end - start, &found))
        return FALSE;
      *out = found;
      if (!detour_cidr_list_contains (trusted, n_trusted, (const struct sockaddr *) &found))
        return FALSE;
      if (start == 0)
        return TRUE;
      end = start - 1;
    }
}

gboolean
detour_real_ip_find (const DetourHttpHead *head, const char *header, const DetourCidr *trusted,
                     guint n_trusted, struct sockaddr_storage *out)
{
  memset (out, 0, sizeof *out);
  /* Several headers of that name are one list. */
  for (guint i = head->n_headers; i > 0; i--)
    {
      DetourHttpSpan value = head->headers[i - 1].value;

      if (detour_http_head_name_is (head, &head->headers[i - 1], header)
          && !real_ip_search_list (head->data + value.start, value.len, trusted, n_trusted, out))
        break;
    }
  return out->ss_family != AF_UNSPEC;
}
