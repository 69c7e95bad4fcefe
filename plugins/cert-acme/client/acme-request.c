/* acme-request.c: the one request that a run is for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-request.h"

#include "acme-header.h"
#include "acme-json.h"

#include <string.h>

#define TIME_LIMIT_S 300

void
acme_request_clear (AcmeRequest *self)
{
  g_clear_pointer (&self->object, json_object_unref);
  g_strfreev (self->names);
  g_strfreev (self->challenges);
  g_strfreev (self->dns_servers);
  *self = (AcmeRequest) { 0 };
}

static gboolean
acme_request_read_account (AcmeRequest *self, AcmeProblem *problem)
{
  JsonObject *eab = acme_json_get_object (self->object, "eab");

  self->account.key = acme_json_get_string (self->object, "account_key");
  self->account.url = acme_json_get_string (self->object, "account_url");
  self->account.contact = acme_json_get_string (self->object, "contact");
  if (eab == NULL)
    return TRUE;
  self->account.eab_kid = acme_json_get_string (eab, "kid");
  self->account.eab_key = acme_json_get_string (eab, "key");
  self->account.eab_algorithm = acme_json_get_string (eab, "alg");
  return (self->account.eab_kid != NULL && self->account.eab_key != NULL)
      || acme_problem_set (problem, "input", "eab needs both kid and key");
}

/* What each kind of run cannot do without. */
static gboolean
acme_request_check (AcmeRequest *self, AcmeProblem *problem)
{
  static const char *const order[] = { "names", NULL };
  static const char *const certificate[] = { "certificate", NULL };
  static const char *const account[] = { "account_key", NULL };
  static const char *const both[] = { "certificate", "account_key", NULL };
  static const struct {
    const char *what;
    const char *const *needed;
  } kinds[] = {
    { "order", order }, { "renewal-info", certificate }, { "rollover", account }, { "revoke", both }
  };
  guint i = 0;

  while (i < G_N_ELEMENTS (kinds) && g_strcmp0 (self->what, kinds[i].what) != 0)
    i++;
  if (i == G_N_ELEMENTS (kinds))
    return acme_problem_set (problem, "input",
                             "do is order, renewal-info, rollover or revoke, not %s",
                             self->what != NULL ? self->what : "missing");
  for (guint j = 0; kinds[i].needed[j] != NULL; j++)
    {
      const char *field = kinds[i].needed[j];

      /* Names are the only list. */
      if (strcmp (field, "names") == 0 ? acme_json_get_array (self->object, field) == NULL
                                       : acme_json_get_string (self->object, field) == NULL)
        return acme_problem_set (problem, "input", "%s needs %s", self->what, field);
    }
  return TRUE;
}

gboolean
acme_request_read (AcmeRequest *self, JsonObject *object, AcmeProblem *problem)
{
  *self = (AcmeRequest) { .object = json_object_ref (object) };
  self->what = acme_json_get_string (object, "do");
  self->directory = acme_json_get_string (object, "directory");
  self->ca_file = acme_json_get_string (object, "ca_file");
  self->profile = acme_json_get_string (object, "profile");
  self->key_type = acme_json_get_string (object, "key_type");
  self->replaces = acme_json_get_string (object, "replaces");
  self->preferred_chain = acme_json_get_string (object, "preferred_chain");
  self->certificate = acme_json_get_string (object, "certificate");
  self->next_key = acme_json_get_string (object, "next_key");
  self->reason = acme_json_get_int (object, "reason", 0, 10, 0);
  self->time_limit_s = acme_json_get_int (object, "time_limit", 1, ACME_REQUEST_SECONDS_MAX,
                                          TIME_LIMIT_S);
  self->names = acme_json_get_strings (object, "names");
  self->challenges = acme_json_get_strings (object, "challenges");
  self->dns_servers = acme_json_get_strings (object, "dns_servers");
  if (self->key_type == NULL)
    self->key_type = "p256";
  if (self->profile == NULL)
    self->profile = "auto";
  if (self->directory == NULL || !acme_header_is_url (self->directory))
    return acme_problem_set (problem, "input", "directory is not an https address: %s",
                             self->directory != NULL ? self->directory : "missing");
  return acme_request_check (self, problem) && acme_request_read_account (self, problem);
}

gboolean
acme_request_read_chain (const AcmeRequest *self, AcmeChain *out, AcmeProblem *problem)
{
  g_auto (AcmeProblem) why = { 0 };

  if (acme_chain_read (out, self->certificate, strlen (self->certificate), &why))
    return TRUE;
  return acme_problem_set (problem, "input", "%s", why.detail);
}
