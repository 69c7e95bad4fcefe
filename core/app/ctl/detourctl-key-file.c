/* detourctl-key-file.c: changes a list of node keys line by line, and leaves the rest as it is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-key-file.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-file-write.h"
#include "detour-file.h"
#include "detour-text.h"

#define PREFIX "nodekey:"
#define CLASS  "class="
/* What some editors put before the text. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define FILE_MAX        (64u * 1024u * 1024u)
/* Keys are public, and the daemon runs as another user. */
#define NEW_MODE 0644

static void
ctl_key_file_line_free (gpointer data)
{
  DetourctlKeyLine *line = data;

  g_free (line->class_);
  g_free (line->label);
  g_free (line);
}

static gboolean
ctl_key_file_is_class (const char *text, gsize len)
{
  return len > 0 && strspn (text, G_CSET_a_2_z G_CSET_DIGITS "-") >= len;
}

/* NULL: it is none. @text: without blanks around it */
static DetourctlKeyLine *
ctl_key_file_parse_line (const char *text, guint number)
{
  gsize key_len = strlen (PREFIX) + DETOUR_KEY_HEX_SIZE;
  g_autofree char *key_text = g_strndup (text, key_len);
  const char *rest = text + strlen (key_text);
  gsize class_len = 0;
  DetourctlKeyLine *line;
  DetourKey key;

  if (!g_utf8_validate (text, -1, NULL) || !detour_key_parse (&key, key_text, PREFIX)
      || (*rest != '\0' && *rest != ' ' && *rest != '\t'))
    return NULL;
  rest += strspn (rest, " \t");
  if (g_str_has_prefix (rest, CLASS))
    {
      rest += strlen (CLASS);
      class_len = strcspn (rest, " \t");
      if (!ctl_key_file_is_class (rest, class_len))
        return NULL;
    }
  line = g_new0 (DetourctlKeyLine, 1);
  line->key = key;
  line->line = number;
  line->class_ = g_strndup (rest, class_len);
  rest += class_len;
  line->label = g_strdup (rest + strspn (rest, " \t"));
  return line;
}

/* Calls @func for each line, with its end. */
static void
ctl_key_file_each_line (const char *text, gsize len,
                        void (*func) (const char *line, gsize len, guint number, gpointer data),
                        gpointer data)
{
  const char *end = text + len;

  for (guint number = 1; text < end; number++)
    {
      const char *feed = memchr (text, '\n', (gsize) (end - text));
      const char *next = feed != NULL ? feed + 1 : end;

      func (text, (gsize) (next - text), number, data);
      text = next;
    }
}

static void
ctl_key_file_take_line (const char *text, gsize len, guint number, gpointer data)
{
  DetourctlKeyFile *self = data;
  gboolean has_mark = number == 1 && len >= strlen (BYTE_ORDER_MARK)
                   && memcmp (text, BYTE_ORDER_MARK, strlen (BYTE_ORDER_MARK)) == 0;
  gsize skipped = has_mark ? strlen (BYTE_ORDER_MARK) : 0;
  g_autofree char *line = g_strndup (text + skipped, len - skipped);
  gboolean is_text = strlen (line) == len - skipped;
  DetourctlKeyLine *key;

  g_strstrip (line);
  if (is_text && (*line == '\0' || *line == '#'))
    return;
  key = is_text ? ctl_key_file_parse_line (line, number) : NULL;
  if (key != NULL)
    g_ptr_array_add (self->keys, key);
  else if (self->wrong == 0)
    self->wrong = number;
}

static void
ctl_key_file_parse_all (DetourctlKeyFile *self)
{
  g_ptr_array_set_size (self->keys, 0);
  self->wrong = 0;
  ctl_key_file_each_line (self->text->str, self->text->len, ctl_key_file_take_line, self);
}

DetourctlKeyFile *
detourctl_key_file_parse (const char *path, const char *text, gsize len)
{
  DetourctlKeyFile *self = g_new0 (DetourctlKeyFile, 1);

  self->path = g_strdup (path);
  self->text = g_string_new_len (text, (gssize) len);
  self->keys = g_ptr_array_new_with_free_func (ctl_key_file_line_free);
  self->exists = TRUE;
  ctl_key_file_parse_all (self);
  return self;
}

DetourctlKeyFile *
detourctl_key_file_read (const char *path, GError **error)
{
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) local = NULL;
  DetourctlKeyFile *self;

  if (detour_file_read (path, FILE_MAX, 0, &file, &local))
    return detourctl_key_file_parse (path, file.data, file.len);
  if (!g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  self = detourctl_key_file_parse (path, "", 0);
  self->exists = FALSE;
  return self;
}

void
detourctl_key_file_free (DetourctlKeyFile *self)
{
  g_free (self->path);
  g_string_free (self->text, TRUE);
  g_ptr_array_unref (self->keys);
  g_free (self);
}

const DetourctlKeyLine *
detourctl_key_file_find (const DetourctlKeyFile *self, const DetourKey *key)
{
  for (guint i = 0; i < self->keys->len; i++)
    {
      const DetourctlKeyLine *line = self->keys->pdata[i];

      if (detour_key_equal (&line->key, key))
        return line;
    }
  return NULL;
}

void
detourctl_key_file_add (DetourctlKeyFile *self, const DetourKey *key, const char *class_,
                        const char *label)
{
  g_autofree char *text = detour_key_to_text (key);
  gboolean has_returns = self->text->len >= 2 && g_str_has_suffix (self->text->str, "\r\n");
  const char *end = has_returns ? "\r\n" : "\n";

  if (self->text->len > 0 && self->text->str[self->text->len - 1] != '\n')
    g_string_append (self->text, end);
  g_string_append_printf (self->text, "%s%s%s%s%s%s", text, *class_ != '\0' ? " " CLASS : "",
                          class_, *label != '\0' ? " " : "", label, end);
  ctl_key_file_parse_all (self);
}

typedef struct {
  const DetourctlKeyFile *file;
  const DetourKey *key;
  GString *kept;
} Removal;

static void
ctl_key_file_keep_line (const char *text, gsize len, guint number, gpointer data)
{
  const Removal *removal = data;
  const GPtrArray *keys = removal->file->keys;

  for (guint i = 0; i < keys->len; i++)
    {
      const DetourctlKeyLine *line = keys->pdata[i];

      if (line->line == number && detour_key_equal (&line->key, removal->key))
        return;
    }
  g_string_append_len (removal->kept, text, (gssize) len);
}

void
detourctl_key_file_remove (DetourctlKeyFile *self, const DetourKey *key)
{
  Removal removal = { self, key, g_string_new (NULL) };

  ctl_key_file_each_line (self->text->str, self->text->len, ctl_key_file_keep_line, &removal);
  g_string_free (self->text, TRUE);
  self->text = removal.kept;
  ctl_key_file_parse_all (self);
}

gboolean
detourctl_key_file_write (const DetourctlKeyFile *self, GError **error)
{
  return detour_file_write (self->path, self->text->str, self->text->len, NEW_MODE, error);
}

/* Words of an operator ------------------------------------------------------------------------- */

gboolean
detourctl_key_file_read_key (const char *text, DetourKey *out, GError **error)
{
  static const char around[] = " \t\r\n\"',;{}[]";
  g_autofree char *bare = g_strdup (text);
  const char *problem, *at = bare + strspn (bare, around);
  gsize len;

  if (g_str_has_prefix (at, "PublicKey"))
    at += strlen ("PublicKey");
  at += strspn (at, " \t\"':");
  len = strcspn (at, around);
  if (at[len + strspn (at + len, around)] == '\0')
    {
      bare[at - bare + (gssize) len] = '\0';
      if (detour_key_parse (out, at, PREFIX))
        return TRUE;
    }
  if (strstr (text, "privkey:") != NULL)
    problem = _ ("that is a private key, which belongs in no list and on no command line; give the "
                 "node a new key, and write its public one");
  else if (strstr (text, "tskey-") != NULL)
    problem = _ ("that is a key for logging in to Tailscale, which is secret; write the node's "
                 "public key");
  else if (strstr (text, "discokey:") != NULL || strstr (text, "mkey:") != NULL)
    problem = _ ("that is no node key; \"tailscale status --json\" shows a node's own as "
                 "Self.PublicKey");
  else
    problem = _ ("that is no node key: write nodekey: and 64 hex digits, as \"tailscale status "
                 "--json\" shows them as Self.PublicKey");
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, problem);
  return FALSE;
}

const char *
detourctl_key_file_check_label (const char *label)
{
  if (!g_utf8_validate (label, -1, NULL))
    return _ ("it is to be UTF-8");
  for (const char *at = label; *at != '\0'; at = g_utf8_next_char (at))
    if (detour_text_is_hidden (g_utf8_get_char (at)))
      return _ ("it is to be one line of plain text, all of which can be seen");
  if (g_str_has_prefix (label, CLASS))
    return _ ("it would be read as a class; use --class");
  return NULL;
}

const char *
detourctl_key_file_check_class (const char *class_)
{
  return ctl_key_file_is_class (class_, strlen (class_))
           ? NULL
           : _ ("write a word of small letters, digits and -");
}
