/* home-page.c: what the relay answers to someone who asks for `/`.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "home-page.h"

#include "detour-plugin.h"

#include <string.h>

static gboolean
home_page_is_url (const char *text)
{
  g_autoptr (GUri) uri = NULL;

  /* The URL is copied into a header unchanged. */
  for (const char *p = text; *p != '\0'; p++)
    {
      if (!g_ascii_isgraph (*p))
        return FALSE;
    }
  uri = g_uri_parse (text, G_URI_FLAGS_ENCODED, NULL);
  if (uri == NULL || g_uri_get_host (uri) == NULL || g_uri_get_host (uri)[0] == '\0')
    return FALSE;
  return strcmp (g_uri_get_scheme (uri), "http") == 0
      || strcmp (g_uri_get_scheme (uri), "https") == 0;
}

HomePage *
home_page_new (const char *text, char **problem)
{
  g_autoptr (HomePage) self = g_new0 (HomePage, 1);

  if (strcmp (text, "blank") == 0)
    self->sort = HOME_PAGE_BLANK;
  else if (strcmp (text, "default") == 0)
    self->sort = HOME_PAGE_DEFAULT;
  else if (strcmp (text, "not-found") == 0)
    self->sort = HOME_PAGE_NOT_FOUND;
  else if (g_str_has_prefix (text, "redirect:"))
    {
      self->sort = HOME_PAGE_REDIRECT;
      self->argument = g_strdup (text + strlen ("redirect:"));
      if (!home_page_is_url (self->argument))
        {
          *problem = g_strdup_printf (
              "\"%s\" is not a whole http or https address; write redirect:https://HOST/PATH",
              self->argument);
          return NULL;
        }
    }
  else if (g_str_has_prefix (text, "file:"))
    {
      self->sort = HOME_PAGE_FILE;
      self->argument = g_strdup (text + strlen ("file:"));
      if (!g_path_is_absolute (self->argument))
        {
          *problem = g_strdup_printf ("\"%s\" is not an absolute path; write file:/DIRECTORY/FILE",
                                      self->argument);
          return NULL;
        }
    }
  else
    {
      *problem = g_strdup_printf (
          "\"%s\" is no page; write blank, default, not-found, redirect:URL or file:PATH", text);
      return NULL;
    }
  return g_steal_pointer (&self);
}

void
home_page_free (HomePage *self)
{
  g_free (self->argument);
  g_free (self);
}

GBytes *
home_page_read (const char *path, char **problem)
{
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) error = NULL;

  if (!detour_file_read (path, HOME_PAGE_FILE_MAX, 0, &file, &error))
    *problem = g_strdup (error->message);
  else if (!g_utf8_validate_len (file.data, file.len, NULL))
    *problem = g_strdup_printf ("%s: not UTF-8 text; save the page as UTF-8", path);
  else
    return g_bytes_new (file.data, file.len);
  return NULL;
}
