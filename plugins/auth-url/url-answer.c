/* url-answer.c: what is asked of an admission URL, and what its answer means.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "url-answer.h"

#include <json-glib/json-glib.h>
#include <string.h>

/* What people and the log have to take. */
#define TEXT_MAX_BYTES  200u
#define CLASS_MAX_BYTES 64u

/* Beyond that core decides anyway. */
#define TTL_MAX_S 86400

typedef enum {
  MEMBER_ALLOW,
  MEMBER_LABEL,
  MEMBER_CLASS,
  MEMBER_REASON,
  MEMBER_TTL,
  N_MEMBERS,
} Member;

static const char *const names[N_MEMBERS] = { "Allow", "Label", "Class", "Reason", "TTLSeconds" };

void
url_answer_clear (UrlAnswer *self)
{
  g_clear_pointer (&self->reason, g_free);
  g_clear_pointer (&self->label, g_free);
  g_clear_pointer (&self->class_, g_free);
}

char *
url_answer_question (const guint8 *key, const char *address)
{
  GString *out = g_string_new ("{\"NodePublic\":\"nodekey:");

  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    g_string_append_printf (out, "%02x", key[i]);
  g_string_append (out, "\",\"Source\":\"");
  /* Nothing else can be in an address, save in the name of an interface. */
  for (const char *c = address; *c != '\0'; c++)
    if (g_ascii_isalnum (*c) || strchr (".:%-_@", *c) != NULL)
      g_string_append_c (out, *c);
    else
      g_string_append_printf (out, "\\u%04x", (guint) (guchar) *c);
  g_string_append (out, "\"}");
  return g_string_free (out, FALSE);
}

gboolean
url_answer_is_class (const char *text)
{
  gsize len = strspn (text, G_CSET_a_2_z G_CSET_DIGITS "-");

  return len > 0 && len <= CLASS_MAX_BYTES && text[len] == '\0';
}

/* NULL for nothing and null; otherwise cut to what people can take. */
static char *
url_answer_text (JsonNode *node)
{
  const char *text = node != NULL ? json_node_get_string (node) : NULL;
  gsize len = text != NULL ? strlen (text) : 0;
  char *out;

  if (len == 0)
    return NULL;
  if (len > TEXT_MAX_BYTES)
    {
      const char *end = g_utf8_find_prev_char (text, text + TEXT_MAX_BYTES + 1);

      len = (gsize) (end - text);
    }
  out = g_strndup (text, len);
  for (char *c = out; *c != '\0'; c++)
    if (g_ascii_iscntrl (*c))
      *c = ' ';
  return out;
}

/* As Go does it: the names are compared without regard to case. FALSE: @self has the reason. */
static gboolean
url_answer_find (UrlAnswer *self, JsonObject *object, JsonNode *out[N_MEMBERS])
{
  g_autoptr (GList) members = json_object_get_members (object);

  for (const GList *link = members; link != NULL; link = link->next)
    for (guint i = 0; i < N_MEMBERS; i++)
      if (g_ascii_strcasecmp (link->data, names[i]) == 0)
        {
          JsonNode *node = json_object_get_member (object, link->data);

          if (out[i] != NULL)
            {
              self->reason = g_strdup_printf ("its answer has %s more than once", names[i]);
              return FALSE;
            }
          out[i] = node;
        }
  for (guint i = 0; i < N_MEMBERS; i++)
    if (out[i] != NULL && JSON_NODE_HOLDS_NULL (out[i]))
      out[i] = NULL;
  return TRUE;
}

/* FALSE: @self has the reason. */
static gboolean
url_answer_check_types (UrlAnswer *self, JsonNode *const nodes[N_MEMBERS])
{
  static const char *const wanted[N_MEMBERS] = { "true or false", "a string", "a string",
                                                 "a string", "a number of seconds" };

  for (guint i = 0; i < N_MEMBERS; i++)
    {
      GType type = nodes[i] != NULL && JSON_NODE_HOLDS_VALUE (nodes[i])
                     ? json_node_get_value_type (nodes[i])
                     : G_TYPE_INVALID;
      gboolean fits = i == MEMBER_ALLOW ? type == G_TYPE_BOOLEAN
                    : i == MEMBER_TTL   ? type == G_TYPE_INT64 || type == G_TYPE_DOUBLE
                                        : type == G_TYPE_STRING;

      if (nodes[i] != NULL && !fits)
        {
          self->reason = g_strdup_printf ("%s in its answer is not %s", names[i], wanted[i]);
          return FALSE;
        }
    }
  if (nodes[MEMBER_TTL] != NULL && !(json_node_get_double (nodes[MEMBER_TTL]) >= 0))
    {
      self->reason = g_strdup ("TTLSeconds in its answer is less than 0");
      return FALSE;
    }
  if (nodes[MEMBER_CLASS] != NULL && *json_node_get_string (nodes[MEMBER_CLASS]) != '\0'
      && !url_answer_is_class (json_node_get_string (nodes[MEMBER_CLASS])))
    {
      self->reason = g_strdup ("Class in its answer is not a word of small letters, digits and -");
      return FALSE;
    }
  return TRUE;
}

static void
url_answer_judge_object (UrlAnswer *self, JsonObject *object)
{
  JsonNode *nodes[N_MEMBERS] = { NULL };

  if (!url_answer_find (self, object, nodes) || !url_answer_check_types (self, nodes))
    return;
  self->result = nodes[MEMBER_ALLOW] != NULL && json_node_get_boolean (nodes[MEMBER_ALLOW])
                   ? DETOUR_AUTH_ALLOW
                   : DETOUR_AUTH_DENY;
  self->reason = url_answer_text (nodes[MEMBER_REASON]);
  if (self->result == DETOUR_AUTH_DENY && self->reason == NULL)
    self->reason = g_strdup ("the admission server does not allow it");
  self->label = url_answer_text (nodes[MEMBER_LABEL]);
  self->class_ = url_answer_text (nodes[MEMBER_CLASS]);
  /* 0 is for core to decide; the shortest time is what it asks for. */
  if (nodes[MEMBER_TTL] != NULL)
    self->ttl_us = MAX (
        (gint64) (MIN (json_node_get_double (nodes[MEMBER_TTL]), TTL_MAX_S) * G_USEC_PER_SEC), 1);
}

static void
url_answer_judge_body (UrlAnswer *self, const char *body, gsize len)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) error = NULL;
  JsonNode *root = NULL;

  if (!detour_json_check (body, len, URL_ANSWER_MAX, &error)
      || !json_parser_load_from_data (parser, body, (gssize) len, &error)
      || (root = json_parser_get_root (parser)) == NULL)
    self->reason = g_strdup_printf ("its answer is not JSON: %s",
                                    error != NULL ? error->message : "empty");
  else if (!JSON_NODE_HOLDS_OBJECT (root))
    self->reason = g_strdup ("its answer is JSON, but not an object");
  else
    url_answer_judge_object (self, json_node_get_object (root));
}

void
url_answer_judge (UrlAnswer *self, guint status, const char *body, gsize len)
{
  *self = (UrlAnswer) { DETOUR_AUTH_UNAVAILABLE, NULL, NULL, NULL, 0 };

  switch (status)
    {
    case 200:
      url_answer_judge_body (self, body, len);
      break;
    /* These say nothing about the key: of the proxy, and for later. */
    case 407:
      self->reason = g_strdup ("the proxy wants a password (status 407)");
      break;
    case 408:
    case 425:
    case 429:
      self->reason = g_strdup_printf ("it wants to be asked later (status %u)", status);
      break;
    default:
      if (status / 100 == 4)
        {
          self->result = DETOUR_AUTH_DENY;
          self->reason = g_strdup_printf ("the admission server refuses it with status %u", status);
        }
      else if (status / 100 == 3)
        self->reason = g_strdup_printf ("it answered with status %u; redirects are not followed",
                                        status);
      else
        self->reason = g_strdup_printf ("it answered with status %u", status);
      break;
    }
}
