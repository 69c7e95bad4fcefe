/* acme-authorization.c: what a CA wants to be shown for one name, and how it went.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-authorization.h"

#include "acme-base64.h"
#include "acme-header.h"
#include "acme-http.h"
#include "acme-json.h"

#include <string.h>

#define CHALLENGES_MAX 16

static const char *const types[] = { "http-01", "tls-alpn-01", "dns-01" };

static void
acme_authorization_free_challenge (gpointer data)
{
  AcmeChallenge *challenge = data;

  g_free (challenge->url);
  g_free (challenge->token);
  g_free (challenge);
}

void
acme_authorization_clear (AcmeAuthorization *self)
{
  g_clear_pointer (&self->challenges, g_ptr_array_unref);
  g_free (self->status);
  g_free (self->identifier);
  g_free (self->offered);
  acme_problem_clear (&self->problem);
  *self = (AcmeAuthorization) { 0 };
}

static const char *
acme_authorization_known_type (const char *type)
{
  for (guint i = 0; type != NULL && i < G_N_ELEMENTS (types); i++)
    if (strcmp (types[i], type) == 0)
      return types[i];
  return NULL;
}

/* "203.0.113.5 port 80": where the CA looked last, if it says so. */
static char *
acme_authorization_read_address (JsonObject *challenge)
{
  JsonArray *records = acme_json_get_array (challenge, "validationRecord");
  guint n = records != NULL ? json_array_get_length (records) : 0;
  JsonObject *last = n > 0 ? acme_json_element (records, n - 1) : NULL;
  const char *address = acme_json_get_string (last, "addressUsed");
  const char *port = acme_json_get_string (last, "port");
  AcmeName name = { 0 };
  g_auto (AcmeProblem) ignored = { 0 };
  char *text = NULL;

  if (address != NULL && acme_names_parse (address, &name, &ignored) && name.bytes_len > 0)
    text = port != NULL && strlen (port) <= 5 && strspn (port, "0123456789") == strlen (port)
             ? g_strdup_printf ("%s port %s", name.value, port)
             : g_strdup (name.value);
  acme_name_clear (&name);
  return text;
}

static AcmeChallengeState
acme_authorization_challenge_state (const char *status)
{
  if (status == NULL || strcmp (status, "pending") == 0)
    return ACME_CHALLENGE_PENDING;
  return strcmp (status, "processing") == 0 ? ACME_CHALLENGE_PROCESSING : ACME_CHALLENGE_OVER;
}

static void
acme_authorization_add_challenge (AcmeAuthorization *self, JsonObject *object)
{
  const char *type = acme_authorization_known_type (acme_json_get_string (object, "type"));
  const char *url = acme_json_get_string (object, "url");
  const char *token = acme_json_get_string (object, "token");
  JsonObject *error = acme_json_get_object (object, "error");
  AcmeChallenge *challenge;

  if (error != NULL && self->failed == NULL)
    {
      self->failed = type;
      acme_problem_set_object (&self->problem, error, 0);
      self->problem.address = acme_authorization_read_address (object);
    }
  /* A token becomes part of a path and of a file's name. */
  if (type == NULL || url == NULL || !acme_header_is_url (url) || token == NULL
      || !acme_base64_is_token (token, ACME_TOKEN_MAX))
    return;
  challenge = g_new0 (AcmeChallenge, 1);
  challenge->type = type;
  challenge->url = g_strdup (url);
  challenge->token = g_strdup (token);
  challenge->state = acme_authorization_challenge_state (acme_json_get_string (object, "status"));
  g_ptr_array_add (self->challenges, challenge);
}

static void
acme_authorization_read_challenges (AcmeAuthorization *self, JsonArray *array)
{
  g_autoptr (GString) offered = g_string_new (NULL);

  for (guint i = 0; array != NULL && i < json_array_get_length (array) && i < CHALLENGES_MAX; i++)
    {
      JsonObject *object = acme_json_element (array, i);
      const char *type = acme_json_get_string (object, "type");

      if (type == NULL)
        continue;
      g_string_append_printf (offered, "%s%.32s", offered->len > 0 ? ", " : "", type);
      acme_authorization_add_challenge (self, object);
    }
  self->offered = g_utf8_make_valid (offered->len > 0 ? offered->str : "nothing", -1);
}

gboolean
acme_authorization_read (AcmeAuthorization *self, const char *body, gsize len,
                         const GPtrArray *names, AcmeProblem *problem)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = acme_json_parse (body, len, ACME_HTTP_BODY_MAX, &error);
  JsonObject *identifier = acme_json_get_object (object, "identifier");
  const char *value = acme_json_get_string (identifier, "value");
  const char *status = acme_json_get_string (object, "status");

  *self = (AcmeAuthorization) { 0 };
  self->challenges = g_ptr_array_new_with_free_func (acme_authorization_free_challenge);
  if (object == NULL)
    acme_problem_set (problem, "protocol", "this is no authorisation: %s", error->message);
  else if (value == NULL || status == NULL)
    acme_problem_set (problem, "protocol", "an authorisation lacks its status or its name");
  else if ((self->name = acme_names_find (names, value, acme_json_get_true (object, "wildcard")))
           == NULL)
    acme_problem_set (problem, "protocol",
                      "the CA wants a proof for %.256s, which was not asked for", value);
  else
    {
      self->status = g_strdup (status);
      self->identifier = g_strdup (acme_name_base (self->name));
      self->state = strcmp (status, "valid") == 0 ? ACME_AUTHORIZATION_VALID
                  : strcmp (status, "pending") == 0 || strcmp (status, "processing") == 0
                      ? ACME_AUTHORIZATION_PENDING
                      : ACME_AUTHORIZATION_OVER;
      acme_authorization_read_challenges (self, acme_json_get_array (object, "challenges"));
      return TRUE;
    }
  acme_authorization_clear (self);
  return FALSE;
}

const AcmeChallenge *
acme_authorization_choose (const AcmeAuthorization *self, const char *const *wanted,
                           const char *after)
{
  gboolean is_behind = after == NULL;

  for (guint i = 0; after == NULL && i < self->challenges->len; i++)
    {
      const AcmeChallenge *challenge = self->challenges->pdata[i];

      if (challenge->state == ACME_CHALLENGE_PROCESSING
          && g_strv_contains (wanted, challenge->type))
        return challenge;
    }
  for (guint i = 0; wanted[i] != NULL; i++)
    {
      for (guint j = 0; is_behind && j < self->challenges->len; j++)
        {
          const AcmeChallenge *challenge = self->challenges->pdata[j];

          if (challenge->state == ACME_CHALLENGE_PENDING
              && strcmp (challenge->type, wanted[i]) == 0)
            return challenge;
        }
      is_behind = is_behind || g_strcmp0 (after, wanted[i]) == 0;
    }
  return NULL;
}
