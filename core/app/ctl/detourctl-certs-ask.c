/* detourctl-certs-ask.c: what is asked of an instance that fetches certificates: a renewal, or a
 * new key for its account.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-certs-ask.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-config-value.h"
#include "detour-nearest.h"
#include "detourctl-cert.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-print.h"

/* An authority may take minutes to look at all names from everywhere. */
#define PATIENCE_MS (G_GINT64_CONSTANT (300) * 1000)

/* What is asked for. Texts for people are marked for translation. */
typedef struct {
  const char *command;              /* "renew" */
  const char *method;               /* on D-Bus */
  const char *list;                 /* member of JSON with the outcomes */
  const char *done;                 /* member of each that says whether it was done */
  const char *nothing;              /* there is no certificate of such a kind */
  const char *late;                 /* of the instance and the time that was waited */
  void (*explain) (GVariant *cert); /* why not this one */
  void (*tell) (GVariant *now);     /* it was done */
} Deed;

/* Which certificate --------------------------------------------------------------------------- */

/* What an operator calls a certificate: its instance, or one of its names. */
typedef struct {
  const Deed *deed;
  const char *wanted; /* NULL: the only one that can be renewed */
  GPtrArray *paths;   /* of those that fit */
  GPtrArray *certs;   /* beside them, of GVariant */
  GPtrArray *names;   /* what there is, for a hint */
} Search;

static gboolean
ctl_certs_ask_is_called (GVariant *cert, const char *wanted)
{
  const char *id = detourctl_text (cert, "Instance");
  g_autofree const char **names = NULL;
  g_autofree const char **more = NULL;

  if (strcmp (id, wanted) == 0
      || (strchr (id, '/') != NULL && strcmp (strchr (id, '/') + 1, wanted) == 0))
    return TRUE;
  return (g_variant_lookup (cert, "Names", "^a&s", &names) && g_strv_contains (names, wanted))
      || (g_variant_lookup (cert, "WantedNames", "^a&s", &more) && g_strv_contains (more, wanted));
}

static void
ctl_certs_ask_look (const char *path, GVariant *properties, gpointer user)
{
  Search *search = user;
  gboolean fits = search->wanted != NULL ? ctl_certs_ask_is_called (properties, search->wanted)
                                         : detourctl_flag (properties, "Renewable");

  g_ptr_array_add (search->names, g_strdup (detourctl_text (properties, "Instance")));
  if (!fits)
    return;
  g_ptr_array_add (search->paths, g_strdup (strstr (path, "certificate/")));
  g_ptr_array_add (search->certs, g_variant_ref (properties));
}

static void
ctl_certs_ask_search_clear (Search *self)
{
  g_clear_pointer (&self->paths, g_ptr_array_unref);
  g_clear_pointer (&self->certs, g_ptr_array_unref);
  g_clear_pointer (&self->names, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Search, ctl_certs_ask_search_clear)

static void
ctl_certs_ask_search (Search *self, const Deed *deed, GVariant *objects, const char *wanted)
{
  *self = (Search) { deed, wanted, g_ptr_array_new_with_free_func (g_free),
                     g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref),
                     g_ptr_array_new_with_free_func (g_free) };
  detourctl_each_object (objects, "Certificate", ctl_certs_ask_look, self);
}

/* FALSE after a message: it is not clear which ones are meant, or there is none. */
static gboolean
ctl_certs_ask_is_clear (Search *self)
{
  const char *nearest;

  if (self->wanted == NULL && self->certs->len > 1)
    {
      detourctl_complain (_ ("there are several certificates; say which: detourctl certs %s NAME"),
                          self->deed->command);
      return FALSE;
    }
  if (self->certs->len > 0)
    return TRUE;
  if (self->wanted == NULL)
    {
      detourctl_complain ("%s", gettext (self->deed->nothing));
      return FALSE;
    }
  g_ptr_array_add (self->names, NULL);
  nearest = detour_nearest (self->wanted, (const char *const *) self->names->pdata);
  if (nearest != NULL)
    detourctl_complain (_ ("there is no certificate \"%s\"; did you mean \"%s\"?"), self->wanted,
                        nearest);
  else
    detourctl_complain (_ ("there is no certificate \"%s\"; \"detourctl certs\" lists them"),
                        self->wanted);
  return FALSE;
}

/* Renewals ------------------------------------------------------------------------------------- */

/* Why Detour does not renew it, and who does. */
static void
ctl_certs_ask_explain_foreign (GVariant *cert)
{
  const char *id = detourctl_text (cert, "Instance");

  if (detourctl_flag (cert, "SelfSigned"))
    detourctl_complain (
        _ ("%s: a new self-signed certificate has another pin, which every map needs "
           "first; the guide says how to move without an outage, under \"A new "
           "self-signed certificate\""),
        id);
  else
    detourctl_complain (
        _ ("%s: Detour does not fetch this certificate; renew it with the program that "
           "writes its files, and it is read by itself"),
        id);
}

static void
ctl_certs_ask_tell_renewed (GVariant *now)
{
  g_autofree char *until = detourctl_format_time (detourctl_number (now, "NotAfter"));

  g_print (_ ("%s: there is a new certificate, valid until %s\n"), detourctl_text (now, "Instance"),
           until);
}

static const Deed ctl_certs_ask_renewal = {
  .command = "renew",
  .method = "Renew",
  .list = "renewals",
  .done = "renewed",
  .nothing = N_ ("Detour fetches no certificate here ([cert NAME] with plugin = acme would), so "
                 "there is nothing to renew"),
  .late = N_ ("the renewal goes on, and \"detourctl certs\" shows how it ends"),
  .explain = ctl_certs_ask_explain_foreign,
  .tell = ctl_certs_ask_tell_renewed,
};

/* Keys of accounts ----------------------------------------------------------------------------- */

static void
ctl_certs_ask_explain_no_account (GVariant *cert)
{
  detourctl_complain (_ ("%s: Detour does not fetch this certificate, so it has no account for it"),
                      detourctl_text (cert, "Instance"));
}

static void
ctl_certs_ask_tell_rolled_over (GVariant *now)
{
  g_autofree char *authority = detourctl_format_safe (detourctl_text (now, "Authority"));

  g_print (_ ("%s: the account at %s has a new key\n"), detourctl_text (now, "Instance"),
           authority);
}

static const Deed ctl_certs_ask_rollover = {
  .command = "rollover",
  .method = "RollOver",
  .list = "rollovers",
  .done = "changed",
  .nothing = N_ ("Detour fetches no certificate here ([cert NAME] with plugin = acme would), so "
                 "there is no account"),
  .late = N_ ("it goes on, and the log says how it ends"),
  .explain = ctl_certs_ask_explain_no_account,
  .tell = ctl_certs_ask_tell_rolled_over,
};

/* Asking --------------------------------------------------------------------------------------- */

/* What became of it for one certificate. */
typedef struct {
  gboolean is_done;
  char *error; /* NULL: there is none */
  DetourctlExit exit;
} Outcome;

static void
ctl_certs_ask_outcome_clear (Outcome *self)
{
  g_free (self->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Outcome, ctl_certs_ask_outcome_clear)

static void
ctl_certs_ask_do_one (Detourctl *self, const Deed *deed, const char *path, GVariant *cert,
                      Outcome *out)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;

  *out = (Outcome) { FALSE, NULL, DETOURCTL_FAILED };
  if (!detourctl_flag (cert, "Renewable"))
    {
      deed->explain (cert);
      return;
    }
  reply = detourctl_try (self, path, "Certificate", deed->method, NULL, NULL, &error, &out->exit);
  out->is_done = reply != NULL;
  if (error == NULL)
    return;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    {
      g_autofree char *limit = detour_config_format_duration ((guint64) self->timeout_ms);

      out->exit = DETOURCTL_NO_ANSWER;
      /* TRANSLATORS: a certificate's instance, how long was waited, and what goes on. */
      detourctl_complain (_ ("%s: no outcome within %s; %s"), detourctl_text (cert, "Instance"),
                          limit, gettext (deed->late));
      return;
    }
  g_dbus_error_strip_remote_error (error);
  out->exit = DETOURCTL_FAILED;
  out->error = g_strdup (error->message);
}

static void
ctl_certs_ask_find_again (const char *path, GVariant *properties, gpointer user)
{
  Search *search = user;

  if (g_str_has_suffix (path, search->wanted))
    g_ptr_array_add (search->certs, g_variant_ref (properties));
}

/* The certificate as it is now; NULL: it is gone, or the daemon is. */
static GVariant *
ctl_certs_ask_look_again (Detourctl *self, const char *path)
{
  DetourctlExit exit;
  g_autoptr (GVariant) objects = detourctl_objects (self, &exit);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  Search search = { .wanted = path, .certs = found };

  if (objects != NULL)
    detourctl_each_object (objects, "Certificate", ctl_certs_ask_find_again, &search);
  return found->len > 0 ? g_variant_ref (found->pdata[0]) : NULL;
}

static void
ctl_certs_ask_tell_outcome (Detourctl *self, const Deed *deed, const char *path, GVariant *cert,
                            const Outcome *outcome)
{
  g_autoptr (GVariant) now = NULL;

  if (outcome->error != NULL)
    detourctl_complain ("%s: %s", detourctl_text (cert, "Instance"), gettext (outcome->error));
  if (!outcome->is_done && outcome->error == NULL)
    return;
  now = ctl_certs_ask_look_again (self, path);
  if (now == NULL)
    return;
  if (outcome->is_done)
    deed->tell (now);
  else if (*detourctl_text (now, "Remedy") != '\0')
    {
      g_autofree char *safe = detourctl_format_safe (detourctl_text (now, "Remedy"));

      g_printerr ("%s\n", safe);
    }
}

static void
ctl_certs_ask_write_outcome (DetourctlJson *json, const Deed *deed, GVariant *cert,
                             const Outcome *outcome)
{
  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "instance", detourctl_text (cert, "Instance"));
  detourctl_json_flag (json, deed->done, outcome->is_done);
  detourctl_json_text (json, "error", outcome->error);
  detourctl_json_end_object (json);
}

static DetourctlExit
ctl_certs_ask_run (Detourctl *self, const Deed *deed, const char *wanted)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) objects = detourctl_objects (self, &exit);
  g_auto (Search) search = { 0 };
  DetourctlJson *json;

  if (objects == NULL)
    return exit;
  ctl_certs_ask_search (&search, deed, objects, wanted);
  if (!ctl_certs_ask_is_clear (&search))
    return DETOURCTL_FAILED;
  if (self->timeout == NULL)
    self->timeout_ms = PATIENCE_MS;
  json = self->json ? detourctl_json_begin_document () : NULL;
  if (json != NULL)
    detourctl_json_begin_array (json, deed->list);
  for (guint i = 0; i < search.certs->len; i++)
    {
      const char *path = search.paths->pdata[i];
      GVariant *cert = search.certs->pdata[i];
      g_auto (Outcome) outcome = { 0 };

      ctl_certs_ask_do_one (self, deed, path, cert, &outcome);
      if (json != NULL)
        ctl_certs_ask_write_outcome (json, deed, cert, &outcome);
      else
        ctl_certs_ask_tell_outcome (self, deed, path, cert, &outcome);
      if (!outcome.is_done)
        exit = outcome.exit;
    }
  if (json == NULL)
    return exit;
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

DetourctlExit
detourctl_certs_run_renew (Detourctl *self, char **arguments)
{
  return ctl_certs_ask_run (self, &ctl_certs_ask_renewal, arguments[0]);
}

DetourctlExit
detourctl_certs_run_rollover (Detourctl *self, char **arguments)
{
  return ctl_certs_ask_run (self, &ctl_certs_ask_rollover, arguments[0]);
}
