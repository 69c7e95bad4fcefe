/* device-store.c: the last list of devices on disk, for a start while the API is out of reach.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "device-store.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#define FIRST_LINE "detour-devices 1"
#define FAMILY     "detour-devices "
#define N_FIELDS   7

static G_DEFINE_QUARK (device-store-error, device_store_error);

/* Fields end with a tab, lines with a line feed. */
static void
device_store_put (GString *out, const char *text, char end)
{
  for (; *text != '\0'; text++)
    switch (*text)
      {
      case '\\':
        g_string_append (out, "\\\\");
        break;
      case '\t':
        g_string_append (out, "\\t");
        break;
      case '\n':
        g_string_append (out, "\\n");
        break;
      default:
        g_string_append_c (out, *text);
        break;
      }
  g_string_append_c (out, end);
}

GString *
device_store_format (const DeviceTable *table, const char *place, gint64 fetched)
{
  guint n = device_table_size (table);
  GString *out = g_string_sized_new (256 + 160 * (gsize) n);

  g_string_append (out, FIRST_LINE "\n");
  device_store_put (out, place, '\n');
  g_string_append_printf (out, "%" G_GINT64_FORMAT "\n", fetched);
  for (guint i = 0; i < n; i++)
    {
      const Device *device = device_table_at (table, i);

      for (gsize j = 0; j < DETOUR_KEY_SIZE; j++)
        g_string_append_printf (out, "%02x", device->key[j]);
      g_string_append_printf (out, "\t%" G_GINT64_FORMAT "\t%d\t", device->expires,
                              device->authorized != FALSE);
      device_store_put (out, device->id, '\t');
      device_store_put (out, device->name, '\t');
      device_store_put (out, device->owner, '\t');
      device_store_put (out, device->tags, '\n');
    }
  g_string_append_printf (out, "end %u\n", n);
  return out;
}

/* Undoes device_store_put() where the text lies. FALSE: it never wrote that. */
static gboolean
device_store_unescape (char *text)
{
  char *to = text;

  for (const char *from = text; *from != '\0'; from++)
    {
      char c = *from;

      if (c == '\\')
        {
          from++;
          if (*from != '\\' && *from != 't' && *from != 'n')
            return FALSE;
          c = *from == 't' ? '\t' : *from == 'n' ? '\n' : '\\';
        }
      *to++ = c;
    }
  *to = '\0';
  return TRUE;
}

/* Ends the line at *@at and moves that behind it; NULL: there is no whole line. */
static char *
device_store_take_line (char **at)
{
  char *line = *at;
  char *end = strchr (line, '\n');

  if (end == NULL)
    return NULL;
  *end = '\0';
  *at = end + 1;
  return line;
}

static gboolean
device_store_read_device (char *line, Device *device)
{
  g_autofree char *key = NULL;
  char *fields[N_FIELDS];
  gint64 authorized;

  for (guint i = 0; i < N_FIELDS; i++)
    {
      char *end = strchr (line, '\t');

      if ((end == NULL) != (i == N_FIELDS - 1))
        return FALSE;
      fields[i] = line;
      if (end != NULL)
        {
          *end = '\0';
          line = end + 1;
        }
      if (!device_store_unescape (fields[i]))
        return FALSE;
    }
  key = g_strconcat ("nodekey:", fields[0], NULL);
  if (!device_parse_key (key, device->key)
      || !g_ascii_string_to_signed (fields[1], 10, 0, G_MAXINT64, &device->expires, NULL)
      || !g_ascii_string_to_signed (fields[2], 10, 0, 1, &authorized, NULL))
    return FALSE;
  device->authorized = authorized != 0;
  device->id = fields[3];
  device->name = fields[4];
  device->owner = fields[5];
  device->tags = fields[6];
  return TRUE;
}

/* @at: behind the head, terminated. */
static DeviceTable *
device_store_read_devices (char *at, GError **error)
{
  g_autoptr (DeviceTable) table = device_table_new ();
  g_autofree char *end = NULL;
  char *line;
  guint number = 3;

  while ((line = device_store_take_line (&at)) != NULL && !g_str_has_prefix (line, "end "))
    {
      Device device;

      number++;
      if (device_store_read_device (line, &device) && device_table_add (table, &device))
        continue;
      g_set_error (error, device_store_error_quark (), 0, "line %u is no device", number);
      return NULL;
    }
  end = g_strdup_printf ("end %u", number - 3);
  if (line == NULL || strcmp (line, end) != 0 || *at != '\0')
    {
      g_set_error (error, device_store_error_quark (), 0, "it does not end as it should");
      return NULL;
    }
  device_table_seal (table);
  return g_steal_pointer (&table);
}

DeviceStoreResult
device_store_parse (const char *text, gsize len, const char *place, DeviceTable **table,
                    gint64 *fetched, GError **error)
{
  g_autofree char *copy = NULL;
  char *at, *line;

  *table = NULL;
  *fetched = 0;
  if (len > DEVICE_STORE_MAX || memchr (text, '\0', len) != NULL
      || !g_utf8_validate (text, (gssize) len, NULL))
    {
      g_set_error (error, device_store_error_quark (), 0, "it is not text");
      return DEVICE_STORE_BROKEN;
    }
  at = copy = g_strndup (text, len);
  line = device_store_take_line (&at);
  if (line == NULL || strcmp (line, FIRST_LINE) != 0)
    {
      if (line != NULL && g_str_has_prefix (line, FAMILY))
        return DEVICE_STORE_FOREIGN;
      g_set_error (error, device_store_error_quark (), 0,
                   "it does not begin with \"" FIRST_LINE "\"");
      return DEVICE_STORE_BROKEN;
    }
  line = device_store_take_line (&at);
  if (line == NULL || !device_store_unescape (line))
    {
      g_set_error (error, device_store_error_quark (), 0, "it ends in its head");
      return DEVICE_STORE_BROKEN;
    }
  if (strcmp (line, place) != 0)
    return DEVICE_STORE_FOREIGN;
  line = device_store_take_line (&at);
  if (line == NULL || !g_ascii_string_to_signed (line, 10, 1, G_MAXINT32 * 4ll, fetched, NULL))
    {
      g_set_error (error, device_store_error_quark (), 0, "line 3 is no time");
      return DEVICE_STORE_BROKEN;
    }
  *table = device_store_read_devices (at, error);
  return *table != NULL ? DEVICE_STORE_GOOD : DEVICE_STORE_BROKEN;
}

static void
device_store_set_aside (const char *path)
{
  g_autofree char *aside = g_strconcat (path, ".broken", NULL);

  /* When this fails, the next list takes its place. */
  (void) g_rename (path, aside);
}

DeviceStoreResult
device_store_read (const char *path, const char *place, DeviceTable **table, gint64 *fetched,
                   GError **error)
{
  g_autoptr (GError) why = NULL;
  g_auto (DetourFile) file = { 0 };
  DeviceStoreResult result;

  *table = NULL;
  *fetched = 0;
  if (!detour_file_read (path, DEVICE_STORE_MAX,
                         DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED, &file,
                         &why))
    {
      if (g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return DEVICE_STORE_NONE;
      device_store_set_aside (path);
      g_propagate_error (error, g_steal_pointer (&why));
      return DEVICE_STORE_BROKEN;
    }
  result = device_store_parse (file.data, file.len, place, table, fetched, error);
  if (result == DEVICE_STORE_BROKEN)
    {
      g_prefix_error (error, "%s: ", path);
      device_store_set_aside (path);
    }
  return result;
}

gboolean
device_store_write (const char *path, const DeviceTable *table, const char *place, gint64 fetched,
                    GError **error)
{
  GString *text = device_store_format (table, place, fetched);
  gboolean good = g_file_set_contents_full (
      path, text->str, (gssize) text->len,
      G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);

  g_string_free (text, TRUE);
  return good;
}
