/* debug-html.c: writes the HTML of a page, in which every text is escaped.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "debug-html.h"

#include "debug-query.h"

/* U+FFFD in place of what may not stand in a page. */
#define REPLACED "\357\277\275"

void
debug_html_put (DebugHtml *self, const char *markup)
{
  g_string_append (self->out, markup);
}

/* HTML allows neither control characters nor the code points that are no characters. Those of
 * format, but for the two joiners, are not seen, or make a reader see a text in another order than
 * it is in. */
static gboolean
debug_html_may_stand (gunichar c)
{
  if (c < 0x20)
    return c == '\t' || c == '\n';
  if (g_unichar_type (c) == G_UNICODE_FORMAT && c != 0x200c && c != 0x200d)
    return FALSE;
  return !(c >= 0x7f && c < 0xa0) && !(c >= 0xfdd0 && c <= 0xfdef) && (c & 0xfffeu) != 0xfffeu;
}

static void
debug_html_append_char (GString *out, gunichar c)
{
  switch (c)
    {
    case '&':
      g_string_append (out, "&amp;");
      break;
    case '<':
      g_string_append (out, "&lt;");
      break;
    case '>':
      g_string_append (out, "&gt;");
      break;
    case '"':
      g_string_append (out, "&quot;");
      break;
    case '\'':
      g_string_append (out, "&#39;");
      break;
    default:
      if (debug_html_may_stand (c))
        g_string_append_unichar (out, c);
      else
        g_string_append (out, REPLACED);
    }
}

void
debug_html_text (DebugHtml *self, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    debug_html_append_char (self->out, g_utf8_get_char (p));
}

void
debug_html_say (DebugHtml *self, const char *text)
{
  debug_html_text (self, page_language_say (self->language, text));
}

void
debug_html_element (DebugHtml *self, const char *tag, const char *class_, const char *text)
{
  if (class_ != NULL)
    g_string_append_printf (self->out, "<%s class=\"%s\">", tag, class_);
  else
    g_string_append_printf (self->out, "<%s>", tag);
  debug_html_text (self, text);
  g_string_append_printf (self->out, "</%s>", tag);
}

void
debug_html_say_element (DebugHtml *self, const char *tag, const char *class_, const char *text)
{
  debug_html_element (self, tag, class_, page_language_say (self->language, text));
}

void
debug_html_href (DebugHtml *self, const char *path, const char *query)
{
  g_autoptr (GString) whole = g_string_new (query);

  if (self->debug_key != NULL)
    debug_query_append (whole, "debugkey", self->debug_key);
  if (whole->len > 0)
    g_string_truncate (whole, whole->len - 1);
  g_string_append_printf (self->out, " href=\"%s%s", path, whole->len > 0 ? "?" : "");
  debug_html_text (self, whole->str);
  g_string_append_c (self->out, '"');
}

void
debug_html_begin_table (DebugHtml *self, const char *caption, const DebugColumn *columns)
{
  debug_html_put (self, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"");
  debug_html_say (self, caption);
  debug_html_put (self, "\">\n<table>\n<caption>");
  debug_html_say (self, caption);
  debug_html_put (self, "</caption>\n<thead><tr>");
  for (; columns->title != NULL; columns++)
    {
      debug_html_put (self, columns->is_number ? "<th scope=\"col\" class=\"number\">"
                                               : "<th scope=\"col\">");
      debug_html_say (self, columns->title);
      debug_html_put (self, "</th>");
    }
  debug_html_put (self, "</tr></thead>\n<tbody>\n");
}

void
debug_html_end_table (DebugHtml *self)
{
  debug_html_put (self, "</tbody>\n</table>\n</div>\n");
}

void
debug_html_row_head (DebugHtml *self, const char *text)
{
  debug_html_put (self, "<th scope=\"row\">");
  debug_html_text (self, text);
  debug_html_put (self, "</th>");
}

void
debug_html_cell (DebugHtml *self, const char *text)
{
  debug_html_element (self, "td", NULL, text);
}

void
debug_html_number_cell (DebugHtml *self, const char *text)
{
  debug_html_element (self, "td", "number", text);
}

void
debug_html_fact (DebugHtml *self, const char *name, const char *text)
{
  debug_html_put (self, "<div>");
  debug_html_say_element (self, "dt", NULL, name);
  debug_html_element (self, "dd", NULL, text);
  debug_html_put (self, "</div>\n");
}
