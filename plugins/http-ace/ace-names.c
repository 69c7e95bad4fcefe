/* ace-names.c: the host names to which tunnels may lead.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "ace-names.h"

#include <string.h>

#define NAME_LEN_MAX  253u
#define LABEL_LEN_MAX 63u

static gboolean
ace_names_is_label (const char *text, gsize len)
{
  if (len == 0 || len > LABEL_LEN_MAX || text[0] == '-' || text[len - 1] == '-')
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-' && text[i] != '_')
      return FALSE;
  return TRUE;
}

/* A number as the last label is an address, in one of the ways in which resolvers take them. */
static gboolean
ace_names_is_number (const char *label, gsize len)
{
  if (len > 2 && label[0] == '0' && g_ascii_tolower (label[1]) == 'x')
    return TRUE;
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isdigit (label[i]))
      return FALSE;
  return TRUE;
}

static gboolean
ace_names_is_host (const char *text)
{
  if (strlen (text) > NAME_LEN_MAX)
    return FALSE;
  for (;;)
    {
      gsize len = strcspn (text, ".");

      if (!ace_names_is_label (text, len))
        return FALSE;
      if (text[len] == '\0')
        return !ace_names_is_number (text, len);
      text += len + 1;
    }
}

gboolean
ace_names_is_entry (const char *entry)
{
  return ace_names_is_host (g_str_has_prefix (entry, "*.") ? entry + 2 : entry);
}

static gboolean
ace_names_allows (const char *entry, const char *host)
{
  gsize len = strlen (host), below;

  if (!g_str_has_prefix (entry, "*."))
    return g_ascii_strcasecmp (entry, host) == 0;
  below = strlen (entry) - 1;
  if (len <= below || g_ascii_strcasecmp (host + len - below, entry + 1) != 0)
    return FALSE;
  for (const char *at = host; *at != '\0'; at++)
    if (g_ascii_strncasecmp (at, "derp", 4) == 0)
      return FALSE;
  return TRUE;
}

gboolean
ace_names_match (const char *const *list, const char *target, char **host, guint16 *port)
{
  const char *colon = strrchr (target, ':');
  g_autofree char *name = colon != NULL ? g_strndup (target, (gsize) (colon - target)) : NULL;
  gboolean is_allowed = FALSE;

  if (name == NULL || !ace_names_is_host (name))
    return FALSE;
  if (strcmp (colon, ":443") != 0 && strcmp (colon, ":80") != 0)
    return FALSE;
  for (; *list != NULL && !is_allowed; list++)
    is_allowed = ace_names_allows (*list, name);
  if (!is_allowed)
    return FALSE;
  *host = g_steal_pointer (&name);
  *port = strcmp (colon, ":443") == 0 ? 443 : 80;
  return TRUE;
}
