/* acme-dns-server.c: the address of a name server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-dns-server.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "detour-plugin.h"

#define DNS_PORT 53
#define KEYWORD  "nameserver"
#define FILE_MAX ((gsize) 64 << 10)

void
acme_dns_server_free (AcmeDnsServer *self)
{
  g_free (self->text);
  g_free (self);
}

AcmeDnsServer *
acme_dns_server_new (const char *text)
{
  g_autofree char *host = g_strdup (text);
  struct sockaddr_in v4 = { .sin_family = AF_INET };
  struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
  guint64 port = DNS_PORT;
  char *colon = strrchr (host, ':'), *scope;
  AcmeDnsServer *self;

  /* A colon is before a port behind brackets, and where it is the only one. */
  if (colon != NULL && ((colon > host && colon[-1] == ']') || strchr (host, ':') == colon))
    {
      *colon = '\0';
      if (!g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
        return NULL;
    }
  if (host[0] == '[' && host[strlen (host) - 1] == ']')
    {
      memmove (host, host + 1, strlen (host));
      host[strlen (host) - 1] = '\0';
    }
  scope = strchr (host, '%');
  if (scope != NULL)
    {
      v6.sin6_scope_id = if_nametoindex (scope + 1);
      if (v6.sin6_scope_id == 0)
        return NULL;
      *scope = '\0';
    }
  self = g_new0 (AcmeDnsServer, 1);
  self->text = g_strdup (text);
  if (scope == NULL && inet_pton (AF_INET, host, &v4.sin_addr) == 1)
    {
      v4.sin_port = htons ((guint16) port);
      memcpy (&self->address, &v4, sizeof v4);
      self->address_len = sizeof v4;
    }
  else if (inet_pton (AF_INET6, host, &v6.sin6_addr) == 1)
    {
      v6.sin6_port = htons ((guint16) port);
      memcpy (&self->address, &v6, sizeof v6);
      self->address_len = sizeof v6;
    }
  else
    g_clear_pointer (&self, acme_dns_server_free);
  return self;
}

GPtrArray *
acme_dns_server_list (const char *file, guint max)
{
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify) acme_dns_server_free);
  g_auto (DetourFile) text = { NULL };
  g_auto (GStrv) lines = NULL;

  if (detour_file_read (file, FILE_MAX, (DetourFileFlags) 0, &text, NULL))
    lines = g_strsplit (text.data, "\n", -1);
  for (guint i = 0; lines != NULL && lines[i] != NULL && servers->len < max; i++)
    {
      char *word = g_strstrip (lines[i]);
      AcmeDnsServer *server;

      if (!g_str_has_prefix (word, KEYWORD) || !g_ascii_isspace (word[sizeof KEYWORD - 1]))
        continue;
      word = g_strchug (word + sizeof KEYWORD);
      word[strcspn (word, " \t")] = '\0';
      server = acme_dns_server_new (word);
      if (server != NULL)
        g_ptr_array_add (servers, server);
    }
  if (servers->len == 0)
    g_ptr_array_add (servers, acme_dns_server_new ("127.0.0.1"));
  return servers;
}
