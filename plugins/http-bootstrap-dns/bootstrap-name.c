/* bootstrap-name.c: a name whose addresses are told to clients, and its addresses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bootstrap-name.h"

#include <string.h>

#define NAME_MAX_LEN 253u
#define EVERYONE     100u

/* Such a name needs no quoting in JSON. */
static gboolean
bootstrap_name_is_host (const char *text, gsize len)
{
  if (len == 0 || len > NAME_MAX_LEN)
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && strchr ("-._", text[i]) == NULL)
      return FALSE;
  return TRUE;
}

BootstrapName *
bootstrap_name_new (const char *text, gboolean is_unpublished, char **problem)
{
  const char *slash = is_unpublished ? strchr (text, '/') : NULL;
  gsize len = slash != NULL ? (gsize) (slash - text) : strlen (text);
  BootstrapName *self;

  if (!bootstrap_name_is_host (text, len)
      || (slash != NULL && !bootstrap_name_is_host (slash + 1, strlen (slash + 1))))
    {
      g_autofree char *escaped = g_strescape (text, NULL);

      *problem = g_strdup_printf ("\"%s\" is not a host name; write login.example.com%s", escaped,
                                  is_unpublished ? " or login.example.com/percent.example.com"
                                                 : "");
      return NULL;
    }
  self = g_new0 (BootstrapName, 1);
  self->name = g_ascii_strdown (text, (gssize) len);
  self->txt_name = slash != NULL ? g_strdup (slash + 1) : NULL;
  self->addresses = g_ptr_array_new_with_free_func (g_free);
  self->percent = slash != NULL ? 0 : EVERYONE;
  return self;
}

void
bootstrap_name_free (BootstrapName *self)
{
  g_ptr_array_unref (self->addresses);
  g_free (self->name);
  g_free (self->txt_name);
  g_free (self);
}

void
bootstrap_name_set_addresses (BootstrapName *self, GList *addresses)
{
  g_ptr_array_set_size (self->addresses, 0);
  for (GList *link = addresses; link != NULL; link = link->next)
    g_ptr_array_insert (self->addresses, g_random_int_range (0, (gint32) self->addresses->len + 1),
                        g_inet_address_to_string (link->data));
}

/* One record; its strings belong together. */
static gboolean
bootstrap_name_parse_percent (GVariant *record, guint *percent)
{
  g_autofree const char **strings = NULL;
  g_autofree char *text = NULL;
  guint64 number;

  g_variant_get (record, "(^a&s)", &strings);
  text = g_strjoinv ("", (char **) strings);
  if (!g_ascii_string_to_unsigned (text, 10, 0, EVERYONE, &number, NULL))
    return FALSE;
  *percent = (guint) number;
  return TRUE;
}

void
bootstrap_name_set_percent (BootstrapName *self, GList *records)
{
  self->percent = 0;
  for (GList *link = records; link != NULL; link = link->next)
    bootstrap_name_parse_percent (link->data, &self->percent);
}
