/* whois-answer.c: what an answer of tailscaled's LocalAPI means.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "whois-answer.h"

#include <json-glib/json-glib.h>
#include <string.h>

/* How a tailscaled says 400 that does not know look-ups by node key. */
#define TOO_OLD "invalid 'addr' parameter"

void
whois_answer_clear (WhoisAnswer *self)
{
  g_clear_pointer (&self->reason, g_free);
  g_clear_pointer (&self->label, g_free);
}

static void
whois_answer_set (WhoisAnswer *self, DetourAuthResult result, const char *reason)
{
  self->result = result;
  self->reason = g_strdup (reason);
}

/* NULL: it is not JSON that a parser may see, and @error is set. */
static JsonNode *
whois_answer_parse (const char *body, gsize len, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();

  if (!detour_json_check (body, len, WHOIS_ANSWER_MAX, error)
      || !json_parser_load_from_data (parser, body, (gssize) len, error))
    return NULL;
  return json_parser_steal_root (parser);
}

/* The member of that name: an object, or NULL for null and nothing. FALSE: it is something else. */
static gboolean
whois_answer_get_object (JsonObject *object, const char *name, JsonObject **out)
{
  JsonNode *node = json_object_get_member (object, name);

  *out = NULL;
  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return FALSE;
  *out = json_node_get_object (node);
  return TRUE;
}

static const char *
whois_answer_get_string (JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;
  const char *text = node != NULL && JSON_NODE_HOLDS_VALUE (node)
                          && json_node_get_value_type (node) == G_TYPE_STRING
                       ? json_node_get_string (node)
                       : NULL;

  return text != NULL && *text != '\0' ? text : NULL;
}

/* "laptop (anna@example.com)". */
static char *
whois_answer_make_label (JsonObject *node, JsonObject *profile)
{
  const char *login = whois_answer_get_string (profile, "LoginName");
  const char *name = whois_answer_get_string (node, "ComputedName");
  g_autofree char *first = NULL;

  if (name == NULL && (name = whois_answer_get_string (node, "Name")) != NULL)
    name = first = g_strndup (name, strcspn (name, "."));
  if (name == NULL)
    return g_strdup (login);
  return login != NULL ? g_strdup_printf ("%s (%s)", name, login) : g_strdup (name);
}

static gboolean
whois_answer_is_expired (JsonObject *node)
{
  JsonNode *expired = node != NULL ? json_object_get_member (node, "Expired") : NULL;

  return expired != NULL && JSON_NODE_HOLDS_VALUE (expired)
      && json_node_get_value_type (expired) == G_TYPE_BOOLEAN && json_node_get_boolean (expired);
}

/* Tells the node from others, whatever its key is. */
static void
whois_answer_identify (WhoisAnswer *self, JsonObject *node)
{
  JsonNode *id = node != NULL ? json_object_get_member (node, "ID") : NULL;
  const char *stable = whois_answer_get_string (node, "StableID");

  if (id != NULL && JSON_NODE_HOLDS_VALUE (id) && json_node_get_value_type (id) == G_TYPE_INT64)
    self->node_id = MAX (json_node_get_int (id), 0);
  if (stable != NULL && strlen (stable) <= WHOIS_ANSWER_ID_MAX)
    g_strlcpy (self->stable_id, stable, sizeof self->stable_id);
}

static void
whois_answer_judge_found (WhoisAnswer *self, const char *body, gsize len)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) root = whois_answer_parse (body, len, &error);
  JsonObject *object, *node, *profile, *caps;

  self->result = DETOUR_AUTH_UNAVAILABLE;
  if (root == NULL)
    {
      self->reason = g_strdup_printf ("its answer is not JSON: %s", error->message);
      return;
    }
  if (JSON_NODE_HOLDS_NULL (root))
    {
      self->result = DETOUR_AUTH_ALLOW;
      return;
    }
  if (!JSON_NODE_HOLDS_OBJECT (root))
    {
      self->reason = g_strdup ("its answer is JSON, but not an object");
      return;
    }
  object = json_node_get_object (root);
  if (!whois_answer_get_object (object, "Node", &node)
      || !whois_answer_get_object (object, "UserProfile", &profile)
      || !whois_answer_get_object (object, "CapMap", &caps))
    {
      self->reason = g_strdup (
          "its answer is JSON, but not of a node: Node, UserProfile and CapMap must be objects");
      return;
    }
  if (whois_answer_is_expired (node))
    {
      whois_answer_set (self, DETOUR_AUTH_DENY, WHOIS_ANSWER_EXPIRED);
      return;
    }
  self->result = DETOUR_AUTH_ALLOW;
  self->label = whois_answer_make_label (node, profile);
  whois_answer_identify (self, node);
}

void
whois_answer_judge (WhoisAnswer *self, long status, const char *body, gsize len)
{
  *self = (WhoisAnswer) { DETOUR_AUTH_UNAVAILABLE, NULL, NULL };

  switch (status)
    {
    case 200:
      whois_answer_judge_found (self, body, len);
      break;
    case 404:
      whois_answer_set (self, DETOUR_AUTH_DENY, WHOIS_ANSWER_UNKNOWN);
      break;
    case 400:
      if (memmem (body, len, TOO_OLD, strlen (TOO_OLD)) != NULL)
        whois_answer_set (self, DETOUR_AUTH_UNAVAILABLE,
                          "tailscaled is too old, it must be 1.70 or newer");
      else
        whois_answer_set (self, DETOUR_AUTH_UNAVAILABLE,
                          "it did not understand the request (status 400)");
      break;
    case 401:
    case 403:
      whois_answer_set (self, DETOUR_AUTH_UNAVAILABLE,
                        status == 401 ? "another user of this machine has it in use (status 401)"
                                      : "it does not let us ask (status 403)");
      break;
    default:
      self->reason = g_strdup_printf ("it answered with status %ld", status);
      break;
    }
}

char *
whois_answer_backend_state (const char *body, gsize len)
{
  g_autoptr (JsonNode) root = whois_answer_parse (body, len, NULL);

  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    return NULL;
  return g_strdup (whois_answer_get_string (json_node_get_object (root), "BackendState"));
}
