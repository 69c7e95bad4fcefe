/* acme-directory.c: what a CA offers, and where.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-directory.h"

#include "acme-header.h"
#include "acme-http.h"
#include "acme-json.h"

#include <string.h>

#define PROFILES_MAX     32
#define PROFILE_NAME_MAX 64

void
acme_directory_clear (AcmeDirectory *self)
{
  g_free (self->new_nonce);
  g_free (self->new_account);
  g_free (self->new_order);
  g_free (self->revoke_cert);
  g_free (self->key_change);
  g_free (self->renewal_info);
  g_free (self->terms);
  g_strfreev (self->profiles);
  *self = (AcmeDirectory) { 0 };
}

static char *
acme_directory_get_url (JsonObject *object, const char *name)
{
  const char *url = acme_json_get_string (object, name);

  return url != NULL && acme_header_is_url (url) ? g_strdup (url) : NULL;
}

static GStrv
acme_directory_get_profiles (JsonObject *meta)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  JsonObject *profiles = acme_json_get_object (meta, "profiles");
  g_autoptr (GList) members = profiles != NULL ? json_object_get_members (profiles) : NULL;
  guint n = 0;

  for (GList *l = members; l != NULL && n < PROFILES_MAX; l = l->next)
    if (strlen (l->data) <= PROFILE_NAME_MAX)
      {
        g_strv_builder_add (names, l->data);
        n++;
      }
  return g_strv_builder_end (names);
}

gboolean
acme_directory_read (AcmeDirectory *self, const char *body, gsize len, AcmeProblem *problem)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = acme_json_parse (body, len, ACME_HTTP_BODY_MAX, &error);
  JsonObject *meta;
  const char *terms;

  *self = (AcmeDirectory) { 0 };
  if (object == NULL)
    return acme_problem_set (problem, "protocol", "this is no ACME directory: %s", error->message);
  self->new_nonce = acme_directory_get_url (object, "newNonce");
  self->new_account = acme_directory_get_url (object, "newAccount");
  self->new_order = acme_directory_get_url (object, "newOrder");
  self->revoke_cert = acme_directory_get_url (object, "revokeCert");
  self->key_change = acme_directory_get_url (object, "keyChange");
  self->renewal_info = acme_directory_get_url (object, "renewalInfo");
  meta = acme_json_get_object (object, "meta");
  terms = acme_json_get_string (meta, "termsOfService");
  self->terms = terms != NULL && acme_header_is_url (terms) ? g_strdup (terms) : NULL;
  self->wants_external_account = acme_json_get_true (meta, "externalAccountRequired");
  self->profiles = acme_directory_get_profiles (meta);
  if (self->new_nonce == NULL || self->new_account == NULL || self->new_order == NULL)
    return acme_problem_set (problem, "protocol",
                             "this is no ACME directory: it lacks an https address for %s",
                             self->new_nonce == NULL     ? "newNonce"
                             : self->new_account == NULL ? "newAccount"
                                                         : "newOrder");
  return TRUE;
}

gboolean
acme_directory_has_profile (const AcmeDirectory *self, const char *profile)
{
  return g_strv_contains ((const char *const *) self->profiles, profile);
}

gboolean
acme_directory_choose_profile (const AcmeDirectory *self, const char *wish, gboolean has_address,
                               const char **out, AcmeProblem *problem)
{
  g_autofree char *names = NULL;

  *out = NULL;
  if (g_strcmp0 (wish, "auto") == 0 || wish == NULL)
    {
      /* The only one that Let's Encrypt has for addresses, and the name that others took over. */
      if (has_address && acme_directory_has_profile (self, "shortlived"))
        *out = "shortlived";
      return TRUE;
    }
  if (acme_directory_has_profile (self, wish))
    {
      *out = wish;
      return TRUE;
    }
  names = g_strjoinv (", ", self->profiles);
  acme_problem_set (problem, ACME_PROBLEM_URN "invalidProfile",
                    "the CA does not offer the profile %s; it has %s", wish,
                    *names != '\0' ? names : "no profiles at all");
  problem->remedy = *names != '\0'
                      ? g_strdup_printf ("Set profile to auto, or to one of: %s.", names)
                      : g_strdup ("Set profile to auto: this CA has none to choose from.");
  return FALSE;
}
