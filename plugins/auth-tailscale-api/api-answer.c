/* api-answer.c: what answers of an API mean that are no list of devices: tokens and refusals.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "api-answer.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define TOKEN_MAX 8192u
/* Seconds: what is assumed when the answer does not say, and the bounds of what is believed. */
#define LIFE        3600u
#define LIFE_MIN    10u
#define LIFE_MAX    86400u
#define MESSAGE_MAX 200u

static G_DEFINE_QUARK (api-answer-error, api_answer_error);

void
api_token_clear (ApiToken *self)
{
  if (self->text != NULL)
    explicit_bzero (self->text, strlen (self->text));
  g_clear_pointer (&self->text, g_free);
  self->life = 0;
}

gboolean
api_answer_is_header_safe (const char *text)
{
  if (*text == '\0')
    return FALSE;
  for (; *text != '\0'; text++)
    if (!g_ascii_isgraph (*text))
      return FALSE;
  return TRUE;
}

/* The object that the text is; NULL: it is something else. */
static JsonNode *
api_answer_parse (const char *body, gsize len)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root;

  if (!detour_json_check (body, len, API_ANSWER_MAX, NULL)
      || !json_parser_load_from_data (parser, body, (gssize) len, NULL))
    return NULL;
  root = json_parser_get_root (parser);
  return root != NULL && JSON_NODE_HOLDS_OBJECT (root) ? json_parser_steal_root (parser) : NULL;
}

/* NULL: absent, empty, or no string. */
static const char *
api_answer_string (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  const char *text = node != NULL && JSON_NODE_HOLDS_VALUE (node)
                          && json_node_get_value_type (node) == G_TYPE_STRING
                       ? json_node_get_string (node)
                       : NULL;

  return text != NULL && *text != '\0' ? text : NULL;
}

static guint
api_answer_life (JsonObject *object)
{
  JsonNode *node = json_object_get_member (object, "expires_in");
  gint64 life;

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_INT64)
    return LIFE;
  life = json_node_get_int (node);
  return life > 0 ? (guint) CLAMP (life, LIFE_MIN, LIFE_MAX) : LIFE;
}

gboolean
api_token_parse (ApiToken *self, const char *body, gsize len, GError **error)
{
  g_autoptr (JsonNode) root = api_answer_parse (body, len);
  JsonObject *object = root != NULL ? json_node_get_object (root) : NULL;
  const char *text = object != NULL ? api_answer_string (object, "access_token") : NULL;
  const char *type = object != NULL ? api_answer_string (object, "token_type") : NULL;
  const char *problem = NULL;

  *self = (ApiToken) { 0 };
  if (object == NULL)
    problem = "it is no JSON object";
  else if (text == NULL)
    problem = "it has no \"access_token\"";
  else if (strlen (text) > TOKEN_MAX || !api_answer_is_header_safe (text))
    problem = "its \"access_token\" does not fit into a header";
  else if (type != NULL && g_ascii_strcasecmp (type, "bearer") != 0)
    problem = "its \"token_type\" is not Bearer";
  if (problem != NULL)
    {
      g_set_error_literal (error, api_answer_error_quark (), 0, problem);
      return FALSE;
    }
  self->text = g_strdup (text);
  self->life = api_answer_life (object);
  return TRUE;
}

/* One line of at most MESSAGE_MAX bytes. */
static char *
api_answer_tidy (const char *text, gsize len)
{
  GString *line = g_string_new (NULL);
  const char *end = text + len;

  while (text < end && line->len < MESSAGE_MAX)
    {
      gunichar c = g_utf8_get_char_validated (text, end - text);

      if (c == (gunichar) -1 || c == (gunichar) -2)
        break;
      if (g_unichar_isprint (c))
        g_string_append_unichar (line, c);
      else if (line->len > 0 && line->str[line->len - 1] != ' ')
        g_string_append_c (line, ' ');
      text = g_utf8_next_char (text);
    }
  g_strchomp (line->str);
  if (*line->str == '\0')
    return g_string_free (line, TRUE);
  return g_string_free (line, FALSE);
}

char *
api_answer_message (const char *body, gsize len)
{
  static const char *const names[] = { "message", "error_description", "error", "detail", "title" };
  g_autoptr (JsonNode) root = api_answer_parse (body, len);

  for (guint i = 0; root != NULL && i < G_N_ELEMENTS (names); i++)
    {
      const char *text = api_answer_string (json_node_get_object (root), names[i]);

      if (text != NULL)
        return api_answer_tidy (text, strlen (text));
    }
  /* A page for a browser says nothing to people who read logs. */
  if (root != NULL || len == 0 || len > MESSAGE_MAX || memchr (body, '<', len) != NULL)
    return NULL;
  return api_answer_tidy (body, len);
}
