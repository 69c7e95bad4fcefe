/* detourctl-hujson.c: edits JSON with comments in place.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A copy in which comments and commas at the end of lists are blanks has all values where the
 * original has them; what is found there is changed in the original. */
#include "config.h"

#include "detourctl-hujson.h"

#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>

#include "detour-json.h"
#include "detourctl-document.h"

G_DEFINE_QUARK (detourctl - hujson - error, detourctl_hujson_error)

typedef struct {
  const char *text; /* the original */
  gsize len;
  char *plain; /* the copy */
  DetourJsonValue root;
} Hujson;

/* Where a path leads. */
typedef struct {
  DetourJsonValue container; /* of the member, or of the one that is missing */
  DetourJsonValue name;      /* text NULL: an element */
  DetourJsonValue value;
  DetourJsonValue before; /* the value before it; text NULL: it is the first */
  DetourJsonValue last;   /* name of the last member of the container; text NULL: it is empty */
  DetourJsonValue last_value;
  guint n_missing; /* steps of the path that are not there; 0: it was found */
} Found;

static gsize
ctl_hujson_at (const Hujson *self, const char *p)
{
  return (gsize) (p - self->plain);
}

static gsize
ctl_hujson_end (const Hujson *self, const DetourJsonValue *value)
{
  return ctl_hujson_at (self, value->text) + value->len;
}

/* Reading ---------------------------------------------------------------------------------------
 */

static gboolean
ctl_hujson_open (Hujson *self, const char *text, gsize len, GError **error)
{
  const char *reason = NULL;
  gsize offset = 0;
  guint line = 1;

  /* No text may have no address. */
  if (len == 0)
    text = "";
  *self = (Hujson) { .text = text, .len = len };
  if (len > DETOURCTL_DOCUMENT_BYTES_MAX || memchr (text, '\0', len) != NULL)
    {
      g_set_error (error, DETOURCTL_HUJSON_ERROR, 0, _ ("not a text of at most %u bytes"),
                   DETOURCTL_DOCUMENT_BYTES_MAX);
      return FALSE;
    }
  self->plain = g_strndup (text, len);
  detourctl_document_blank (self->plain, len);
  if (detour_json_scan (self->plain, len, DETOURCTL_DOCUMENT_DEPTH_MAX, &self->root, NULL, NULL,
                        &reason, &offset)
      && self->root.type == DETOUR_JSON_OBJECT)
    return TRUE;
  for (gsize i = 0; i < MIN (offset, len); i++)
    line += text[i] == '\n';
  g_set_error (error, DETOURCTL_HUJSON_ERROR, 0, _ ("%u: not JSON: %s"), line,
               reason != NULL ? reason : "expected {");
  g_clear_pointer (&self->plain, g_free);
  return FALSE;
}

static void
ctl_hujson_close (Hujson *self)
{
  g_free (self->plain);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Hujson, ctl_hujson_close)

/* One step of a path. */
typedef struct {
  const char *wanted;
  gint64 index; /* of an element; -1: a name is wanted */
  guint n, n_found;
  Found *found;
} Search;

static gboolean
ctl_hujson_is_name (const DetourJsonValue *name, const char *wanted)
{
  g_autofree char *text = g_malloc (name->len + 1);

  return detour_json_get_string (name, text, name->len + 1)
      && g_ascii_strcasecmp (text, wanted) == 0;
}

static gboolean
ctl_hujson_look (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  Search *search = user;
  gboolean fits = name == NULL ? search->index == (gint64) search->n
                               : search->index < 0 && ctl_hujson_is_name (name, search->wanted);

  if (fits)
    {
      search->n_found++;
      search->found->before = search->found->last_value;
      search->found->name = name != NULL ? *name : (DetourJsonValue) { 0 };
      search->found->value = *value;
    }
  search->n++;
  search->found->last = name != NULL ? *name : *value;
  search->found->last_value = *value;
  return TRUE;
}

/* FALSE with @error: the path cannot be followed. */
static gboolean
ctl_hujson_find (const Hujson *self, const char *const *path, Found *found, GError **error)
{
  DetourJsonValue value = self->root;

  for (guint i = 0; path[i] != NULL; i++)
    {
      Search search = { path[i], *path[i] == '#' ? atoi (path[i] + 1) : -1, 0, 0, found };

      *found = (Found) { .container = value };
      if (value.type != (search.index < 0 ? DETOUR_JSON_OBJECT : DETOUR_JSON_ARRAY))
        {
          g_set_error (error, DETOURCTL_HUJSON_ERROR, 0,
                       _ ("what should have \"%s\" in it is no object"), path[i]);
          return FALSE;
        }
      detour_json_each (&value, ctl_hujson_look, &search);
      if (search.n_found > 1)
        {
          g_set_error (error, DETOURCTL_HUJSON_ERROR, 0, _ ("\"%s\" is there twice"), path[i]);
          return FALSE;
        }
      if (search.n_found == 0)
        {
          found->n_missing = g_strv_length ((char **) path + i);
          return TRUE;
        }
      value = found->value;
    }
  return TRUE;
}

/* Layout ----------------------------------------------------------------------------------------
 */

/* @json without blanks outside of texts. */
static char *
ctl_hujson_squeeze (const char *json, gsize len)
{
  GString *out = g_string_sized_new (len);
  gboolean is_inside = FALSE;

  for (gsize i = 0; i < len; i++)
    {
      if (!is_inside && g_ascii_isspace (json[i]))
        continue;
      g_string_append_c (out, json[i]);
      if (is_inside && json[i] == '\\' && i + 1 < len)
        g_string_append_c (out, json[++i]);
      else if (json[i] == '"')
        is_inside = !is_inside;
    }
  return g_string_free (out, FALSE);
}

static void
ctl_hujson_break (GString *out, const char *indent, const char *unit, guint depth)
{
  g_string_append_printf (out, "\n%s", indent);
  for (guint i = 0; i < depth; i++)
    g_string_append (out, unit);
}

/* @json with a line for each member; the first line has no indentation. */
static char *
ctl_hujson_lay_out (const char *json, const char *indent, const char *unit)
{
  g_autofree char *squeezed = ctl_hujson_squeeze (json, strlen (json));
  GString *out = g_string_new (NULL);
  gboolean is_inside = FALSE;
  guint depth = 0;

  for (const char *p = squeezed; *p != '\0'; p++)
    {
      if (!is_inside && (*p == '}' || *p == ']') && depth > 0)
        {
          depth--;
          if (p > squeezed && p[-1] != '{' && p[-1] != '[')
            ctl_hujson_break (out, indent, unit, depth);
        }
      g_string_append_c (out, *p);
      if (is_inside && *p == '\\' && p[1] != '\0')
        g_string_append_c (out, *++p);
      else if (*p == '"')
        is_inside = !is_inside;
      else if (is_inside)
        continue;
      else if (*p == ':')
        g_string_append_c (out, ' ');
      else if (*p == '{' || *p == '[')
        depth++;
      if (!is_inside
          && (*p == ','
              || ((*p == '{' || *p == '[') && p[1] != '}' && p[1] != ']' && p[1] != '\0')))
        ctl_hujson_break (out, indent, unit, depth);
    }
  return g_string_free (out, FALSE);
}

static gsize
ctl_hujson_line_start (const Hujson *self, gsize at)
{
  while (at > 0 && self->text[at - 1] != '\n')
    at--;
  return at;
}

static gboolean
ctl_hujson_is_blank (char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}

/* The blanks with which the line begins. */
static char *
ctl_hujson_indent (const Hujson *self, gsize at)
{
  gsize start = ctl_hujson_line_start (self, at), end = start;

  while (end < at && (self->text[end] == ' ' || self->text[end] == '\t'))
    end++;
  return g_strndup (self->text + start, end - start);
}

/* Whether nothing but blanks is before it on its line. */
static gboolean
ctl_hujson_begins_line (const Hujson *self, gsize at)
{
  for (; at > 0 && self->text[at - 1] != '\n'; at--)
    if (self->text[at - 1] != ' ' && self->text[at - 1] != '\t')
      return FALSE;
  return TRUE;
}

/* What each level adds: as the first member of the document has it, else a tab, as Tailscale's
 * editor does. */
static char *
ctl_hujson_unit (const Hujson *self)
{
  g_autofree char *indent = NULL;
  gsize at;

  for (at = ctl_hujson_at (self, self->root.text) + 1; at < self->len; at++)
    if (!g_ascii_isspace (self->plain[at]))
      break;
  if (at < self->len && self->plain[at] == '"' && ctl_hujson_begins_line (self, at))
    indent = ctl_hujson_indent (self, at);
  return indent != NULL && *indent != '\0' ? g_steal_pointer (&indent) : g_strdup ("\t");
}

/* Behind blanks and comments. @is_line: no further than the end of the line on which they begin */
static gsize
ctl_hujson_skip (const Hujson *self, gsize at, gboolean is_line)
{
  while (at < self->len)
    {
      const char *p = self->text + at;
      const char *end = self->text + self->len;

      if (*p == '\n' && is_line)
        return at;
      if (g_ascii_isspace (*p))
        {
          at++;
        }
      else if (end - p > 1 && p[0] == '/' && p[1] == '/')
        {
          const char *stop = memchr (p, '\n', (gsize) (end - p));

          at = stop != NULL ? (gsize) (stop - self->text) : self->len;
        }
      else if (end - p > 1 && p[0] == '/' && p[1] == '*')
        {
          const char *stop = g_strstr_len (p + 2, end - p - 2, "*/");

          at = stop != NULL ? (gsize) (stop + 2 - self->text) : self->len;
        }
      else
        {
          return at;
        }
    }
  return at;
}

/* Behind the comma that follows; @at itself when there is none. */
static gsize
ctl_hujson_skip_comma (const Hujson *self, gsize at)
{
  gsize next = ctl_hujson_skip (self, at, FALSE);

  return next < self->len && self->text[next] == ',' ? next + 1 : at;
}

/* Changing --------------------------------------------------------------------------------------
 */

/* @json inside of objects with the names from @path on. */
static char *
ctl_hujson_wrap (const char *const *path, const char *json)
{
  g_autoptr (GString) out = g_string_new (NULL);
  guint n = g_strv_length ((char **) path);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *escaped = g_strescape (path[i], NULL);

      g_string_append_printf (out, "{\"%s\":", escaped);
    }
  g_string_append (out, json);
  for (guint i = 0; i < n; i++)
    g_string_append_c (out, '}');
  return g_strdup (out->str);
}

/* An object that has no member yet, though perhaps comments. */
static char *
ctl_hujson_fill (const Hujson *self, const Found *found, const char *name, const char *json)
{
  gsize open = ctl_hujson_at (self, found->container.text);
  gsize close = ctl_hujson_end (self, &found->container) - 1;
  g_autofree char *outer = ctl_hujson_indent (self, open);
  g_autofree char *unit = ctl_hujson_unit (self);
  g_autofree char *indent = g_strconcat (outer, unit, NULL);
  g_autofree char *value = ctl_hujson_lay_out (json, indent, unit);
  gboolean has_line = close > open && ctl_hujson_begins_line (self, close);
  gsize at = has_line ? ctl_hujson_line_start (self, close) : close;
  gsize keep = at;

  /* Blanks between the brackets are not kept at the end of a line. */
  while (!has_line && keep > open + 1 && ctl_hujson_is_blank (self->text[keep - 1]))
    keep--;
  return g_strdup_printf ("%.*s%s%s\"%s\": %s\n%s%.*s", (int) keep, self->text,
                          has_line ? "" : "\n", indent, name, value, has_line ? "" : outer,
                          (int) (self->len - at), self->text + at);
}

/* Behind the last member of an object. */
static char *
ctl_hujson_append (const Hujson *self, const Found *found, const char *name, const char *json)
{
  gsize last = ctl_hujson_at (self, found->last.text);
  gsize end = ctl_hujson_end (self, &found->last_value);
  gsize comma = ctl_hujson_skip_comma (self, end);
  gsize at = ctl_hujson_skip (self, comma, TRUE);
  gboolean has_line = at < self->len && self->text[at] == '\n';
  g_autofree char *outer = ctl_hujson_indent (self, ctl_hujson_at (self, found->container.text));
  g_autofree char *unit = ctl_hujson_unit (self);
  g_autofree char *indent = ctl_hujson_begins_line (self, last) ? ctl_hujson_indent (self, last)
                                                                : g_strconcat (outer, unit, NULL);
  g_autofree char *value = ctl_hujson_lay_out (json, indent, unit);

  /* The bracket is on the same line, perhaps with a comment before it. */
  while (!has_line && at > comma && ctl_hujson_is_blank (self->text[at - 1]))
    at--;
  return g_strdup_printf ("%.*s%s%.*s\n%s\"%s\": %s%s%s%s%.*s", (int) end, self->text,
                          comma > end ? "" : ",", (int) (at - end), self->text + end, indent, name,
                          value, comma > end ? "," : "", has_line ? "" : "\n",
                          has_line ? "" : outer, (int) (self->len - at), self->text + at);
}

static char *
ctl_hujson_replace (const Hujson *self, const Found *found, const char *json)
{
  gsize start = ctl_hujson_at (self, found->value.text);
  gsize end = ctl_hujson_end (self, &found->value);
  g_autofree char *before = ctl_hujson_squeeze (found->value.text, found->value.len);
  g_autofree char *after = ctl_hujson_squeeze (json, strlen (json));
  g_autofree char *indent = ctl_hujson_indent (self, start);
  g_autofree char *unit = ctl_hujson_unit (self);
  g_autofree char *value = ctl_hujson_lay_out (json, indent, unit);

  if (strcmp (before, after) == 0)
    return g_strndup (self->text, self->len);
  return g_strdup_printf ("%.*s%s%.*s", (int) start, self->text, value, (int) (self->len - end),
                          self->text + end);
}

char *
detourctl_hujson_set (const char *text, gsize len, const char *const *path, const char *json,
                      GError **error)
{
  g_auto (Hujson) self = { 0 };
  g_autofree char *wrapped = NULL;
  const char *const *missing;
  Found found = { 0 };

  if (!ctl_hujson_open (&self, text, len, error) || !ctl_hujson_find (&self, path, &found, error))
    return NULL;
  if (found.n_missing == 0)
    return ctl_hujson_replace (&self, &found, json);
  missing = path + g_strv_length ((char **) path) - found.n_missing;
  if (**missing == '#')
    {
      g_set_error (error, DETOURCTL_HUJSON_ERROR, 0, _ ("the list has no element %s"), *missing);
      return NULL;
    }
  wrapped = ctl_hujson_wrap (missing + 1, json);
  return found.last.text != NULL ? ctl_hujson_append (&self, &found, *missing, wrapped)
                                 : ctl_hujson_fill (&self, &found, *missing, wrapped);
}

/* The line, with its end, when @at and @end have nothing but blanks around them. */
static void
ctl_hujson_take_line (const Hujson *self, gsize *at, gsize *end)
{
  gsize next = *end;

  while (next < self->len && ctl_hujson_is_blank (self->text[next]))
    next++;
  if (next >= self->len || self->text[next] != '\n' || !ctl_hujson_begins_line (self, *at))
    return;
  *at = ctl_hujson_line_start (self, *at);
  *end = next + 1;
}

char *
detourctl_hujson_remove (const char *text, gsize len, const char *const *path, GError **error)
{
  g_auto (Hujson) self = { 0 };
  Found found = { 0 };
  gsize at, value_end, end, gap, gap_end;

  if (!ctl_hujson_open (&self, text, len, error) || !ctl_hujson_find (&self, path, &found, error))
    return NULL;
  if (found.n_missing > 0 || found.name.text == NULL)
    return g_strndup (text, len);
  at = ctl_hujson_at (&self, found.name.text);
  value_end = ctl_hujson_end (&self, &found.value);
  end = ctl_hujson_skip_comma (&self, value_end);
  /* The last one of plain JSON: the comma before it goes along. */
  gap = gap_end = at;
  if (end == value_end && found.before.text != NULL)
    {
      gap_end = ctl_hujson_skip_comma (&self, ctl_hujson_end (&self, &found.before));
      gap = gap_end - 1;
    }
  ctl_hujson_take_line (&self, &at, &end);
  gap = MIN (gap, at);
  gap_end = MIN (gap_end, at);
  return g_strdup_printf ("%.*s%.*s%.*s", (int) gap, text, (int) (at - gap_end), text + gap_end,
                          (int) (len - end), text + end);
}

/* FALSE: it is not there, or the text is not well-formed. */
static gboolean
ctl_hujson_get (Hujson *self, const char *text, gsize len, const char *const *path, Found *found)
{
  return ctl_hujson_open (self, text, len, NULL) && ctl_hujson_find (self, path, found, NULL)
      && found->n_missing == 0;
}

char *
detourctl_hujson_get (const char *text, gsize len, const char *const *path)
{
  g_auto (Hujson) self = { 0 };
  Found found = { 0 };

  return ctl_hujson_get (&self, text, len, path, &found)
           ? ctl_hujson_squeeze (found.value.text, found.value.len)
           : NULL;
}

char *
detourctl_hujson_get_text (const char *text, gsize len, const char *const *path)
{
  g_auto (Hujson) self = { 0 };
  g_autofree char *out = NULL;
  Found found = { 0 };

  if (!ctl_hujson_get (&self, text, len, path, &found) || found.value.type != DETOUR_JSON_STRING)
    return NULL;
  out = g_malloc (found.value.len);
  return detour_json_get_string (&found.value, out, found.value.len) ? g_steal_pointer (&out)
                                                                     : NULL;
}
