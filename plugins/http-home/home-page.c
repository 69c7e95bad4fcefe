/* home-page.c: what the relay answers to someone who asks for `/`.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "home-page.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
home_page_is_url (const char *text)
{
  g_autoptr (GUri) uri = NULL;

  /* It goes into a header as it is. */
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

static GBytes *
home_page_read_all (int fd, char **problem)
{
  g_autofree char *text = g_malloc (HOME_PAGE_FILE_MAX + 1u);
  gsize len = 0;
  gssize n;

  /* One byte more than is allowed, to see that there is no more. */
  do
    {
      n = read (fd, text + len, HOME_PAGE_FILE_MAX + 1u - len);
      if (n > 0)
        len += (gsize) n;
    }
  while ((n > 0 && len <= HOME_PAGE_FILE_MAX) || (n < 0 && errno == EINTR));

  if (n < 0)
    *problem = g_strdup (g_strerror (errno));
  else if (len > HOME_PAGE_FILE_MAX)
    *problem = g_strdup ("longer than 1 MiB; a page may have 1048576 bytes");
  else if (!g_utf8_validate_len (text, len, NULL))
    *problem = g_strdup ("not UTF-8 text; save the page as UTF-8");
  else
    return g_bytes_new (text, len);
  return NULL;
}

GBytes *
home_page_read (const char *path, char **problem)
{
  g_autofree char *why = NULL;
  GBytes *bytes = NULL;
  struct stat info;
  /* Neither a pipe nor a device may hold up the relay. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

  if (fd < 0 || fstat (fd, &info) < 0)
    why = g_strdup (g_strerror (errno));
  else if (!S_ISREG (info.st_mode))
    why = g_strdup ("not an ordinary file");
  else
    bytes = home_page_read_all (fd, &why);
  if (fd >= 0)
    close (fd);
  if (bytes == NULL)
    *problem = g_strdup_printf ("cannot serve %s: %s", path, why);
  return bytes;
}
