/* web-address.c: judges the addresses of servers and proxies that an operator wrote.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "web-address.h"

#include <string.h>

#define PROXY_EXAMPLE "http://proxy.example.com:3128"

static const char *const web_schemes[] = { "http", "https", NULL };
static const char *const proxy_schemes[] = { "http", "https", "socks5", "socks5h", NULL };

/* "https", in small letters; NULL: there is none. */
static char *
web_address_scheme (const char *text)
{
  const char *end = strstr (text, "://");

  return end != NULL && end > text ? g_ascii_strdown (text, end - text) : NULL;
}

/* The common part; @schemes: ends with NULL; @words: how they are named to people */
static char *
web_address_judge (const char *text, const char *const *schemes, const char *words,
                   const char *example, GUri **out)
{
  g_autofree char *scheme = web_address_scheme (text);
  g_autoptr (GError) error = NULL;
  g_autoptr (GUri) uri = NULL;

  if (scheme == NULL)
    return g_strdup_printf ("\"%s\" does not say how to ask; begin with %s, as in %s", text, words,
                            example);
  if (!g_strv_contains (schemes, scheme))
    return g_strdup_printf ("\"%s\" begins with %s://, which cannot be used here; write %s, as in "
                            "%s",
                            text, scheme, words, example);
  uri = g_uri_parse (text, G_URI_FLAGS_ENCODED | G_URI_FLAGS_HAS_PASSWORD, &error);
  if (uri == NULL)
    return g_strdup_printf ("\"%s\": %s; expected something like %s", text, error->message,
                            example);
  if (g_uri_get_userinfo (uri) != NULL)
    /* The text holds a secret and is not repeated. */
    return g_strdup_printf ("a user name or password does not belong into an address; expected "
                            "something like %s",
                            example);
  if (g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0')
    return g_strdup_printf ("\"%s\" names no host; expected something like %s", text, example);
  if (g_uri_get_port (uri) == 0)
    return g_strdup_printf ("\"%s\": there is no port 0; expected something like %s", text,
                            example);
  if (g_uri_get_fragment (uri) != NULL)
    return g_strdup_printf ("\"%s\": a server is never told what is behind #; take it out", text);
  *out = g_steal_pointer (&uri);
  return NULL;
}

char *
web_address_check (const char *text, const char *example)
{
  g_autoptr (GUri) uri = NULL;

  for (const char *c = text; *c != '\0'; c++)
    if (!g_ascii_isgraph (*c))
      return g_strdup_printf (
          "\"%s\" has a blank or another character that must be written as %%XX", text);
  return web_address_judge (text, web_schemes, "https:// or http://", example, &uri);
}

char *
web_address_check_proxy (const char *text)
{
  g_autoptr (GUri) uri = NULL;
  char *fault;

  if (g_str_equal (text, "none"))
    return NULL;
  fault = web_address_judge (text, proxy_schemes, "http://, https:// or socks5h://", PROXY_EXAMPLE,
                             &uri);
  if (fault != NULL)
    return fault;
  if (g_uri_get_port (uri) < 0)
    return g_strdup_printf ("\"%s\" has no port; expected something like %s", text, PROXY_EXAMPLE);
  if (*g_uri_get_path (uri) != '\0' && !g_str_equal (g_uri_get_path (uri), "/"))
    return g_strdup_printf ("\"%s\" has a path; expected something like %s", text, PROXY_EXAMPLE);
  return NULL;
}

char *
web_address_host (const char *text)
{
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_ENCODED | G_URI_FLAGS_HAS_PASSWORD, NULL);
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;
  gboolean is_v6;
  int port;

  if (host == NULL)
    return g_strdup (text);
  is_v6 = strchr (host, ':') != NULL;
  port = g_uri_get_port (uri);
  if (port < 0)
    port = g_ascii_strcasecmp (g_uri_get_scheme (uri), "https") == 0 ? 443 : 80;
  return g_strdup_printf ("%s%s%s:%d", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

gboolean
web_address_is_local (const char *text)
{
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_ENCODED | G_URI_FLAGS_HAS_PASSWORD, NULL);
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;

  return host != NULL
      && (g_ascii_strcasecmp (host, "localhost") == 0 || g_str_has_prefix (host, "127.")
          || g_str_equal (host, "::1"));
}
