/* key-list.c: node keys with labels, read from text files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "key-list.h"

#include <string.h>

#define PREFIX "nodekey:"
#define CLASS  "class="
#define HOW    "write nodekey: and 64 hex digits, as printed by: tailscale status --json"
/* What some editors put before the text. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

typedef struct {
  guint8 key[KEY_LIST_KEY_SIZE]; /* first: entries are found by a pointer to a bare key */
  guint line;
  const char *file; /* of the list */
  char *label;
  char *class_;
} Entry;

struct _KeyList {
  guint max_entries;
  gboolean full; /* and there is an error that says so */
  GHashTable *entries;
  GPtrArray *files;
  GPtrArray *errors;
};

/* Keys are random bytes, and only the operator puts them here. */
static guint
key_list_entry_hash (gconstpointer key)
{
  guint32 hash;

  memcpy (&hash, key, sizeof hash);
  return hash;
}

static gboolean
key_list_entry_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, KEY_LIST_KEY_SIZE) == 0;
}

static void
key_list_entry_free (gpointer data)
{
  Entry *self = data;

  g_free (self->label);
  g_free (self->class_);
  g_free (self);
}

KeyList *
key_list_new (guint max_entries)
{
  KeyList *self = g_new0 (KeyList, 1);

  self->max_entries = max_entries;
  self->entries = g_hash_table_new_full (key_list_entry_hash, key_list_entry_equal,
                                         key_list_entry_free, NULL);
  self->files = g_ptr_array_new_with_free_func (g_free);
  self->errors = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
key_list_free (KeyList *self)
{
  g_hash_table_unref (self->entries);
  g_ptr_array_unref (self->files);
  g_ptr_array_unref (self->errors);
  g_free (self);
}

/* @line: 0: of the file as a whole. */
static void G_GNUC_PRINTF (4, 5)
    key_list_add_error (KeyList *self, const char *file, guint line, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (self->errors, line > 0 ? g_strdup_printf ("%s:%u: %s", file, line, text)
                                          : g_strdup_printf ("%s: %s", file, text));
}

static gsize
key_list_count_digits (const char *text)
{
  return strspn (text, "0123456789abcdefABCDEF");
}

/* What a line that does not begin with a node key may have been meant to be. No text of the line is
 * repeated, because it may be a secret. */
static const char *
key_list_explain (const char *line)
{
  static const struct {
    const char *prefix, *problem;
  } known[] = {
    { "privkey:", "a private key, which does not belong in this list. Write the node's public key, "
                  "nodekey: and "
                  "64 hex digits; and since whoever read this file has the private one, give the "
                  "node a new key" },
    { "discokey:", "a disco key, which says nothing about who a node is; " HOW },
    { "mkey:", "a machine key, which a relay never sees; " HOW },
    { "nlpub:", "a key of tailnet lock, not of a node; " HOW },
    { "tskey-", "a key for logging in to Tailscale, which is secret; " HOW },
  };

  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_ascii_strncasecmp (line, known[i].prefix, strlen (known[i].prefix)) == 0)
      return known[i].problem;
  if (g_ascii_strncasecmp (line, PREFIX, strlen (PREFIX)) == 0)
    return "not a node key; nodekey: is written in small letters";
  if (key_list_count_digits (line) == 2 * KEY_LIST_KEY_SIZE)
    return "hex digits alone may be any key; write nodekey: before them if it is a node's public "
           "one";
  return "not a node key; " HOW;
}

/* What is wrong with the key at the start of @line; NULL: nothing. */
static const char *
key_list_parse_key (const char *line, guint8 *key)
{
  const char *digits = line + strlen (PREFIX);
  gsize n;

  if (!g_str_has_prefix (line, PREFIX))
    return key_list_explain (line);
  n = key_list_count_digits (digits);
  if (n != 2 * KEY_LIST_KEY_SIZE)
    return "not a node key; nodekey: is followed by exactly 64 hex digits";
  if (digits[n] != '\0' && digits[n] != ' ' && digits[n] != '\t')
    return "something sticks to the key; leave a blank before the label";
  for (gsize i = 0; i < KEY_LIST_KEY_SIZE; i++)
    key[i] = (guint8) (g_ascii_xdigit_value (digits[2 * i]) << 4
                       | g_ascii_xdigit_value (digits[2 * i + 1]));
  return NULL;
}

/* Whether a label with @c would mislead whoever reads it: control characters, ends of lines, marks
 * of direction, blanks without width; the two joiners are what Persian and pictures need. */
static gboolean
key_list_is_hidden (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  /* The last five are the grapheme joiner and Hangul's fillers, which Unicode takes for marks and
   * letters. */
  return type == G_UNICODE_CONTROL || type == G_UNICODE_LINE_SEPARATOR
      || type == G_UNICODE_PARAGRAPH_SEPARATOR
      || (type == G_UNICODE_FORMAT && c != 0x200c && c != 0x200d) || c == 0x034f || c == 0x115f
      || c == 0x1160 || c == 0x3164 || c == 0xffa0;
}

/* The first one in @line, valid UTF-8, that is no tab; 0: none. */
static gunichar
key_list_find_hidden (const char *line)
{
  for (const char *p = line; *p != '\0'; p = g_utf8_next_char (p))
    if (*p != '\t' && key_list_is_hidden (g_utf8_get_char (p)))
      return g_utf8_get_char (p);
  return 0;
}

/* What stands behind the key: a class, if there is one, and the label. Returns what is wrong; NULL:
 * nothing. @class_: (out) (nullable): of @len bytes */
static const char *
key_list_parse_rest (const char *line, const char **class_, gsize *len, const char **label)
{
  const char *rest = line + strlen (PREFIX) + 2 * KEY_LIST_KEY_SIZE;

  rest += strspn (rest, " \t");
  *class_ = NULL;
  *label = rest;
  if (!g_str_has_prefix (rest, CLASS))
    return NULL;
  *class_ = rest + strlen (CLASS);
  *len = strspn (*class_, G_CSET_a_2_z G_CSET_DIGITS "-");
  rest = *class_ + *len;
  if (*len == 0 || (*rest != '\0' && *rest != ' ' && *rest != '\t'))
    return "class= is followed by a word of small letters, digits and -, and then a blank";
  *label = rest + strspn (rest, " \t");
  return NULL;
}

/* @line: without blanks around it, not empty. */
static void
key_list_add_line (KeyList *self, const char *file, guint number, const char *line)
{
  const char *problem, *class_ = NULL, *label = NULL;
  gboolean is_text = g_utf8_validate (line, -1, NULL);
  gunichar hidden = is_text ? key_list_find_hidden (line) : 0;
  guint8 key[KEY_LIST_KEY_SIZE];
  gsize class_len = 0;
  const Entry *before;
  Entry *entry;

  if (hidden != 0)
    {
      key_list_add_error (self, file, number,
                          "here is a character that is not seen or turns the direction of "
                          "writing, U+%04X; type it anew",
                          hidden);
      return;
    }
  if (!is_text)
    problem = "not plain UTF-8 text";
  else
    problem = key_list_parse_key (line, key);
  if (problem == NULL)
    problem = key_list_parse_rest (line, &class_, &class_len, &label);
  if (problem != NULL)
    {
      key_list_add_error (self, file, number, "%s", problem);
      return;
    }
  before = g_hash_table_lookup (self->entries, key);
  if (before != NULL)
    {
      key_list_add_error (self, file, number, "the same key as in %s:%u; strike out one of them",
                          before->file, before->line);
      return;
    }
  if (g_hash_table_size (self->entries) >= self->max_entries)
    {
      if (!self->full)
        key_list_add_error (self, file, number, "more than %u keys; raise max-entries",
                            self->max_entries);
      self->full = TRUE;
      return;
    }
  entry = g_new0 (Entry, 1);
  memcpy (entry->key, key, sizeof key);
  entry->file = file;
  entry->line = number;
  entry->class_ = class_ != NULL ? g_strndup (class_, class_len) : NULL;
  entry->label = *label != '\0' ? g_strdup (label) : NULL;
  g_hash_table_add (self->entries, entry);
}

void
key_list_add_text (KeyList *self, const char *file, const char *text, gsize len)
{
  const char *end = text + len;
  guint number = 0;

  if (len >= strlen (BYTE_ORDER_MARK) && g_str_has_prefix (text, BYTE_ORDER_MARK))
    text += strlen (BYTE_ORDER_MARK);
  g_ptr_array_add (self->files, g_strdup (file));
  file = g_ptr_array_index (self->files, self->files->len - 1);
  while (text < end)
    {
      const char *feed = memchr (text, '\n', (gsize) (end - text));
      const char *stop = feed != NULL ? feed : end;
      g_autofree char *line = g_strndup (text, (gsize) (stop - text));

      number++;
      if (memchr (text, '\0', (gsize) (stop - text)) != NULL)
        key_list_add_error (self, file, number, "not plain UTF-8 text");
      else if (*g_strstrip (line) != '\0' && *line != '#')
        key_list_add_line (self, file, number, line);
      text = stop + 1;
    }
}

void
key_list_add_file (KeyList *self, const char *path)
{
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) error = NULL;

  if (detour_file_read (path, KEY_LIST_FILE_MAX, 0, &file, &error))
    key_list_add_text (self, path, file.data, file.len);
  else
    g_ptr_array_add (self->errors, g_strdup (error->message));
}

static int
key_list_compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

void
key_list_add_directory (KeyList *self, const char *path)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (path, 0, &error);
  const char *name;

  if (dir == NULL)
    {
      key_list_add_error (self, path, 0, "cannot read the directory: %s", error->message);
      return;
    }
  while ((name = g_dir_read_name (dir)) != NULL)
    if (*name != '.' && g_str_has_suffix (name, ".keys"))
      g_ptr_array_add (names, g_build_filename (path, name, NULL));
  /* The order decides which of two equal keys is the second. */
  g_ptr_array_sort (names, key_list_compare_names);
  for (guint i = 0; i < names->len; i++)
    key_list_add_file (self, g_ptr_array_index (names, i));
}

guint
key_list_size (const KeyList *self)
{
  return g_hash_table_size (self->entries);
}

char *
key_list_errors (const KeyList *self, const char *separator, guint shown)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < MIN (self->errors->len, shown); i++)
    g_string_append_printf (text, "%s%s", i > 0 ? separator : "",
                            (const char *) g_ptr_array_index (self->errors, i));
  if (self->errors->len > shown)
    g_string_append_printf (text, "%s%u more", separator, self->errors->len - shown);
  return g_string_free (text, self->errors->len == 0);
}

gboolean
key_list_find (const KeyList *self, const guint8 *key, const char **label, const char **class_)
{
  const Entry *entry = g_hash_table_lookup (self->entries, key);

  *label = entry != NULL ? entry->label : NULL;
  *class_ = entry != NULL ? entry->class_ : NULL;
  return entry != NULL;
}

static gboolean
key_list_has_equal (const KeyList *self, const Entry *other)
{
  const Entry *entry = g_hash_table_lookup (self->entries, other->key);

  return entry != NULL && g_strcmp0 (entry->label, other->label) == 0
      && g_strcmp0 (entry->class_, other->class_) == 0;
}

gboolean
key_list_equal (const KeyList *a, const KeyList *b)
{
  GHashTableIter iter;
  gpointer entry;

  if (key_list_size (a) != key_list_size (b))
    return FALSE;
  g_hash_table_iter_init (&iter, a->entries);
  while (g_hash_table_iter_next (&iter, &entry, NULL))
    if (!key_list_has_equal (b, entry))
      return FALSE;
  return TRUE;
}

void
key_list_each_gone (const KeyList *self, const KeyList *newer, KeyListFunc func, gpointer user)
{
  GHashTableIter iter;
  gpointer entry;

  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, &entry, NULL))
    if (!g_hash_table_contains (newer->entries, entry))
      func (((const Entry *) entry)->key, user);
}
