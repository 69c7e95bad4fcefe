/* acme-account.c: the account at a CA: found, made, given another key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-account.h"

#include "acme-header.h"
#include "acme-json.h"
#include "acme-jws.h"

#include <string.h>

static void
acme_account_tell (AcmeSession *session, const AcmeKey *key, gboolean created)
{
  JsonBuilder *builder = acme_lines_begin ("account");
  char *pem = acme_key_to_pem (key);

  acme_json_add_or_null (builder, "url", session->account_url);
  acme_json_add (builder, "key", pem);
  acme_json_add_bool (builder, "created", created);
  acme_lines_send (session->lines, builder);
  acme_key_free_pem (pem);
}

/* The body of a request for an account. */
static char *
acme_account_make_payload (const AcmeAccount *self, AcmeSession *session, AcmeProblem *problem)
{
  g_autoptr (JsonBuilder) builder = acme_json_begin ();

  acme_json_add_bool (builder, "termsOfServiceAgreed", TRUE);
  if (self->contact != NULL)
    {
      g_autofree char *mail = g_str_has_prefix (self->contact, "mailto:")
                                ? g_strdup (self->contact)
                                : g_strconcat ("mailto:", self->contact, NULL);

      json_builder_set_member_name (builder, "contact");
      json_builder_begin_array (builder);
      json_builder_add_string_value (builder, mail);
      json_builder_end_array (builder);
    }
  if (self->eab_kid != NULL)
    {
      g_autofree char *binding = acme_jws_make_binding (session->key, self->eab_kid, self->eab_key,
                                                        self->eab_algorithm,
                                                        session->directory.new_account, problem);

      if (binding == NULL)
        return NULL;
      json_builder_set_member_name (builder, "externalAccountBinding");
      json_builder_add_value (builder, json_from_string (binding, NULL));
    }
  /* An account that is there was bound when it was made. */
  else if (self->key == NULL && session->directory.wants_external_account)
    {
      acme_problem_set (problem, ACME_PROBLEM_URN "externalAccountRequired",
                        "the CA's directory says that it wants an external account");
      return NULL;
    }
  return acme_json_end (g_steal_pointer (&builder));
}

static gboolean
acme_account_set_url (AcmeSession *session, const AcmeAnswer *answer, AcmeProblem *problem)
{
  char *url = answer->location != NULL ? acme_header_resolve (answer->url, answer->location) : NULL;

  if (url == NULL)
    return acme_problem_set (problem, "protocol", "the CA did not say where the account is");
  g_free (session->account_url);
  session->account_url = url;
  return TRUE;
}

/* A CA that has the key already answers with the account it belongs to. */
static gboolean
acme_account_register (AcmeSession *session, gpointer user_data, AcmeProblem *problem)
{
  const AcmeAccount *self = user_data;
  g_autofree char *payload = NULL;
  g_auto (AcmeAnswer) answer = { 0 };
  const char *step = session->step;

  session->step = "account";
  payload = acme_account_make_payload (self, session, problem);
  if (payload == NULL
      || !acme_session_post (session, session->directory.new_account, payload, &answer, problem)
      || !acme_account_set_url (session, &answer, problem))
    return FALSE;
  acme_account_tell (session, session->key, answer.status == 201);
  if (answer.status == 201 && session->directory.terms != NULL)
    acme_lines_note (session->lines, "a new account agreed to the CA's terms of service: %s",
                     session->directory.terms);
  session->step = step;
  return TRUE;
}

gboolean
acme_account_open (const AcmeAccount *self, AcmeSession *session, AcmeProblem *problem)
{
  acme_session_enter (session, "account");
  session->register_again = acme_account_register;
  session->register_data = (gpointer) self;
  if (self->key != NULL)
    session->key = acme_key_new_from_pem (self->key, problem);
  else
    session->key = acme_key_new (problem);
  if (session->key == NULL)
    return FALSE;
  if (self->key != NULL && self->url != NULL)
    {
      if (!acme_header_is_url (self->url))
        return acme_problem_set (problem, "input", "account_url is not an https address");
      session->account_url = g_strdup (self->url);
      return TRUE;
    }
  /* A key that was used and is lost would leave an account behind that nobody can sign for. */
  if (self->key == NULL)
    acme_account_tell (session, session->key, TRUE);
  return acme_account_register (session, session->register_data, problem);
}

/* Another key --------------------------------------------------------------------------------- */

/* @has: (out): whether @key is the account's already: a rollover whose answer was lost. FALSE: the
 * CA did not say. */
static gboolean
acme_account_ask_for_key (AcmeSession *session, AcmeKey *key, gboolean *has, AcmeProblem *problem)
{
  g_autofree char *url = g_steal_pointer (&session->account_url);
  AcmeKey *old = session->key;
  g_auto (AcmeAnswer) answer = { 0 };
  g_autofree char *found = NULL;
  gboolean is_said;

  session->key = key;
  is_said = acme_session_post (session, session->directory.new_account,
                               "{\"onlyReturnExisting\":true}", &answer, problem);
  if (is_said && answer.location != NULL)
    found = acme_header_resolve (answer.url, answer.location);
  session->key = old;
  session->account_url = g_steal_pointer (&url);
  *has = g_strcmp0 (found, session->account_url) == 0;
  return is_said || acme_problem_is (problem, "accountDoesNotExist");
}

static void
acme_account_swap (AcmeSession *session, AcmeKey *key)
{
  acme_key_free (session->key);
  session->key = key;
  acme_account_tell (session, key, FALSE);
}

/* So that the new key is on a disk before the CA has it. */
static gboolean
acme_account_offer (AcmeSession *session, const AcmeKey *key, AcmeProblem *problem)
{
  JsonBuilder *builder = acme_lines_begin ("next-key");
  char *pem = acme_key_to_pem (key);
  g_autoptr (JsonObject) reply = NULL;

  acme_json_add (builder, "key", pem);
  acme_lines_send (session->lines, builder);
  acme_key_free_pem (pem);
  reply = acme_lines_read (session->lines, session->deadline_us, problem);
  if (reply == NULL)
    return FALSE;
  return acme_json_get_true (reply, "stored")
      || acme_problem_set (problem, "input", "the new account key was not stored");
}

static char *
acme_account_make_change (AcmeSession *session, const AcmeKey *key, AcmeProblem *problem)
{
  JsonBuilder *builder = acme_json_begin ();
  g_autofree char *payload = NULL;

  acme_json_add (builder, "account", session->account_url);
  json_builder_set_member_name (builder, "oldKey");
  json_builder_add_value (builder, json_from_string (acme_key_jwk (session->key), NULL));
  payload = acme_json_end (builder);
  return acme_jws_make (key, NULL, NULL, session->directory.key_change, payload, problem);
}

gboolean
acme_account_roll_over (AcmeSession *session, const char *next_key, AcmeProblem *problem)
{
  g_autoptr (AcmeKey) key = NULL;
  g_autofree char *change = NULL;
  g_auto (AcmeAnswer) answer = { 0 };
  gboolean has = FALSE;

  acme_session_enter (session, "rollover");
  if (session->directory.key_change == NULL)
    return acme_problem_set (problem, "unsupported", "the CA does not change keys of accounts");
  key = next_key != NULL ? acme_key_new_from_pem (next_key, problem) : acme_key_new (problem);
  if (key == NULL)
    return FALSE;
  if (next_key != NULL && !acme_account_ask_for_key (session, key, &has, problem))
    return FALSE;
  if (has)
    {
      acme_account_swap (session, g_steal_pointer (&key));
      return TRUE;
    }
  acme_problem_clear (problem);
  if (next_key == NULL && !acme_account_offer (session, key, problem))
    return FALSE;
  change = acme_account_make_change (session, key, problem);
  if (change == NULL
      || !acme_session_post (session, session->directory.key_change, change, &answer, problem))
    return FALSE;
  acme_account_swap (session, g_steal_pointer (&key));
  return TRUE;
}
