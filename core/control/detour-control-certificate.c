/* detour-control-certificate.c: the interface io.github.detourd.Detour1.Certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include <string.h>

#include "detour-bus-interfaces.h"
#include "detour-cert-report.h"
#include "detour-cert.h"
#include "detour-control-error.h"
#include "detour-log.h"

/* One certificate, or one that is waited for. Instance and report are borrowed for the call that
 * listed it. */
typedef struct {
  char *id;
  DetourInstance *instance; /* NULL: it is not in the roster any more */
  DetourCert *cert;         /* NULL: there is none yet */
  /* What the instance reports about it, and its number there; of an empty one without names when it
   * reports nothing. */
  const DetourCertReport *report;
  guint nth;
} View;

static const DetourCertReport no_report = { .state = DETOUR_CERT_SERVING };

static void
control_certificate_view_free (gpointer data)
{
  View *view = data;

  g_clear_pointer (&view->cert, detour_cert_unref);
  g_free (view->id);
  g_free (view);
}

static GVariant *
control_certificate_text (const char *text)
{
  return g_variant_new_string (text != NULL ? text : "");
}

static GVariant *
control_certificate_names (const char *const *names)
{
  static const char *const none[] = { NULL };

  return g_variant_new_strv (names != NULL ? names : none, -1);
}

static GVariant *
control_certificate_get_instance (gpointer data)
{
  return g_variant_new_string (((View *) data)->id);
}

static GVariant *
control_certificate_get_names (gpointer data)
{
  const View *view = data;

  return control_certificate_names (view->cert != NULL ? detour_cert_names (view->cert)
                                                       : view->report->names);
}

static GVariant *
control_certificate_get_wanted_names (gpointer data)
{
  return control_certificate_names (((View *) data)->report->names);
}

static GVariant *
control_certificate_get_issuer (gpointer data)
{
  const View *view = data;

  return control_certificate_text (view->cert != NULL ? detour_cert_issuer (view->cert) : NULL);
}

static GVariant *
control_certificate_microseconds (gint64 seconds)
{
  return g_variant_new_uint64 (seconds > 0 ? (guint64) seconds * G_USEC_PER_SEC : 0);
}

static GVariant *
control_certificate_get_not_before (gpointer data)
{
  const View *view = data;

  return control_certificate_microseconds (view->cert != NULL ? detour_cert_not_before (view->cert)
                                                              : 0);
}

static GVariant *
control_certificate_get_not_after (gpointer data)
{
  const View *view = data;

  return control_certificate_microseconds (view->cert != NULL ? detour_cert_not_after (view->cert)
                                                              : 0);
}

static GVariant *
control_certificate_get_self_signed (gpointer data)
{
  const View *view = data;

  return g_variant_new_boolean (view->cert != NULL && detour_cert_self_signed (view->cert));
}

static GVariant *
control_certificate_get_pin (gpointer data)
{
  const View *view = data;

  return view->cert != NULL ? g_variant_new_take_string (detour_cert_pin (view->cert))
                            : g_variant_new_string ("");
}

static GVariant *
control_certificate_get_state (gpointer data)
{
  return g_variant_new_string (detour_cert_state_name (((View *) data)->report->state));
}

static GVariant *
control_certificate_get_renewable (gpointer data)
{
  const View *view = data;

  return g_variant_new_boolean (view->instance != NULL && view->report != &no_report
                                && detour_instance_renews_certs (view->instance));
}

static GVariant *
control_certificate_get_authority (gpointer data)
{
  return control_certificate_text (((View *) data)->report->authority);
}

static GVariant *
control_certificate_get_profile (gpointer data)
{
  return control_certificate_text (((View *) data)->report->profile);
}

static GVariant *
control_certificate_get_challenge (gpointer data)
{
  return control_certificate_text (((View *) data)->report->challenge);
}

static GVariant *
control_certificate_get_renew_time (gpointer data)
{
  return g_variant_new_uint64 ((guint64) ((View *) data)->report->renew_us);
}

static GVariant *
control_certificate_get_renew_by (gpointer data)
{
  const DetourCertReport *report = ((View *) data)->report;

  return control_certificate_text (
      report->renew_us > 0 ? detour_cert_decider_name (report->renew_by) : NULL);
}

static GVariant *
control_certificate_get_error (gpointer data)
{
  return control_certificate_text (((View *) data)->report->error);
}

static GVariant *
control_certificate_get_remedy (gpointer data)
{
  return control_certificate_text (((View *) data)->report->remedy);
}

static GVariant *
control_certificate_get_error_time (gpointer data)
{
  return g_variant_new_uint64 ((guint64) ((View *) data)->report->error_us);
}

static GVariant *
control_certificate_get_next_try (gpointer data)
{
  return g_variant_new_uint64 ((guint64) ((View *) data)->report->next_try_us);
}

static const DetourTreeProperty properties[] = {
  { "Instance", control_certificate_get_instance },
  { "Names", control_certificate_get_names },
  { "NotBefore", control_certificate_get_not_before },
  { "NotAfter", control_certificate_get_not_after },
  { "SelfSigned", control_certificate_get_self_signed },
  { "Pin", control_certificate_get_pin },
  { "WantedNames", control_certificate_get_wanted_names },
  { "Issuer", control_certificate_get_issuer },
  { "State", control_certificate_get_state },
  { "Renewable", control_certificate_get_renewable },
  { "Authority", control_certificate_get_authority },
  { "Profile", control_certificate_get_profile },
  { "Challenge", control_certificate_get_challenge },
  { "RenewTime", control_certificate_get_renew_time },
  { "RenewBy", control_certificate_get_renew_by },
  { "Error", control_certificate_get_error },
  { "Remedy", control_certificate_get_remedy },
  { "ErrorTime", control_certificate_get_error_time },
  { "NextTry", control_certificate_get_next_try },
  { NULL },
};

/* Renewing ------------------------------------------------------------------------------------- */

static DetourControlError
control_certificate_error_code (const GError *error)
{
  if (error->domain != DETOUR_CERT_RENEWAL_ERROR)
    return DETOUR_CONTROL_ERROR_RENEWAL_FAILED;
  return error->code == DETOUR_CERT_RENEWAL_ERROR_BUSY ? DETOUR_CONTROL_ERROR_BUSY
                                                       : DETOUR_CONTROL_ERROR_NOT_AVAILABLE;
}

static void
control_certificate_renewed (const GError *error, gpointer data)
{
  GDBusMethodInvocation *call = data;

  if (error == NULL)
    g_dbus_method_invocation_return_value (call, NULL);
  else
    g_dbus_method_invocation_return_error_literal (
        call, DETOUR_CONTROL_ERROR, (gint) control_certificate_error_code (error), error->message);
}

static gboolean
control_certificate_is_there (const View *view, GDBusMethodInvocation *call)
{
  if (view->instance != NULL)
    return TRUE;
  g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR,
                                         DETOUR_CONTROL_ERROR_NO_SUCH_INSTANCE,
                                         "there is no %s any more", view->id);
  return FALSE;
}

static void
control_certificate_renew (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;

  if (!control_certificate_is_there (view, call))
    return;
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "certificate-wanted",
                    DETOUR_LOG_INSTANCE, view->id, "MESSAGE",
                    "%s: the operator asks for a new certificate", view->id);
  detour_instance_renew_cert (view->instance, view->nth, control_certificate_renewed, call);
}

static void
control_certificate_roll_over (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  View *view = data;

  if (!control_certificate_is_there (view, call))
    return;
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "account-key-wanted",
                    DETOUR_LOG_INSTANCE, view->id, "MESSAGE",
                    "%s: the operator asks for a new key of the account", view->id);
  detour_instance_roll_over (view->instance, view->nth, control_certificate_renewed, call);
}

static const DetourTreeMethod methods[] = {
  { "Renew", control_certificate_renew, DETOUR_RIGHT_CHANGE },
  { "RollOver", control_certificate_roll_over, DETOUR_RIGHT_CHANGE },
  { NULL },
};

static const DetourTreeInterface interface = { &detour_bus_certificate_interface, properties,
                                               methods };

/* Listing -------------------------------------------------------------------------------------- */

/* Certificates that are published, in the order of publishing. */
typedef struct {
  DetourControl *control;
  GPtrArray *certs;
  GStrv instances; /* beside them */
  GPtrArray *nodes;
} Listing;

static gboolean
control_certificate_is_published (const Listing *self, const char *id, const DetourCert *cert)
{
  for (guint i = 0; cert != NULL && i < self->certs->len; i++)
    if (self->certs->pdata[i] == cert && strcmp (self->instances[i], id) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
control_certificate_is_reported (const GPtrArray *reports, const DetourCert *cert)
{
  for (guint i = 0; reports != NULL && i < reports->len; i++)
    if (((const DetourCertReport *) reports->pdata[i])->cert == cert)
      return TRUE;
  return FALSE;
}

static void
control_certificate_add (const Listing *self, const View *what, guint n)
{
  View *view = g_memdup2 (what, sizeof *what);

  view->id = g_strdup (what->id);
  if (view->cert != NULL)
    detour_cert_ref (view->cert);
  detour_tree_add (self->nodes, detour_tree_node_name ("certificate", view->id, n), &interface,
                   view, control_certificate_view_free);
}

/* What the instance reports, in its own order, and then what it only published. */
static void
control_certificate_list_of (const Listing *self, const char *id)
{
  char *name = (char *) id; /* copied */
  DetourInstance *instance = detour_roster_find (self->control->parts.roster, id);
  const GPtrArray *reports = instance != NULL ? detour_instance_cert_reports (instance) : NULL;
  guint n = 0;

  for (guint i = 0; reports != NULL && i < reports->len; i++)
    {
      const DetourCertReport *report = reports->pdata[i];
      gboolean is_there = control_certificate_is_published (self, id, report->cert);

      control_certificate_add (
          self, &(View) { name, instance, is_there ? report->cert : NULL, report, i }, n++);
    }
  for (guint i = 0; i < self->certs->len; i++)
    if (strcmp (self->instances[i], id) == 0
        && !control_certificate_is_reported (reports, self->certs->pdata[i]))
      control_certificate_add (
          self, &(View) { name, instance, self->certs->pdata[i], &no_report, G_MAXUINT }, n++);
}

void
detour_control_list_certificates (DetourControl *self, GPtrArray *nodes)
{
  DetourRoster *roster = self->parts.roster;
  g_auto (GStrv) instances = NULL;
  g_autoptr (GPtrArray) certs = detour_cert_store_list (detour_roster_certs (roster), &instances);
  const Listing listing = { self, certs, instances, nodes };

  for (guint i = 0; i < certs->len; i++)
    {
      gboolean is_first = TRUE;

      for (guint k = 0; k < i; k++)
        is_first = is_first && strcmp (instances[k], instances[i]) != 0;
      if (is_first)
        control_certificate_list_of (&listing, instances[i]);
    }
  for (guint i = 0; i < detour_roster_count (roster); i++)
    {
      const char *id = detour_instance_id (detour_roster_nth (roster, i));

      if (!g_strv_contains ((const char *const *) instances, id)
          && detour_instance_cert_reports (detour_roster_nth (roster, i))->len > 0)
        control_certificate_list_of (&listing, id);
    }
}
