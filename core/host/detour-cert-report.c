/* detour-cert-report.c: what cert instances tell of their certificates.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-cert-report.h"

#include "detour-instance-private.h"
#include "detour-text.h"

/* An authority's words are shown as they are, but not without end. */
#define TEXT_MAX  1000u
#define NAMES_MAX 200u

const char *
detour_cert_state_name (DetourCertState state)
{
  static const char *const names[DETOUR_N_CERT_STATES] = {
    [DETOUR_CERT_WAITING] = "waiting",
    [DETOUR_CERT_SERVING] = "serving",
    [DETOUR_CERT_RENEWING] = "renewing",
    [DETOUR_CERT_FAILING] = "failing",
  };

  return names[state];
}

const char *
detour_cert_decider_name (DetourCertDecider decider)
{
  static const char *const names[DETOUR_N_CERT_DECIDERS] = {
    [DETOUR_CERT_BY_LIFETIME] = "lifetime",
    [DETOUR_CERT_BY_CA] = "ca",
    [DETOUR_CERT_BY_OPERATOR] = "operator",
  };

  return names[decider];
}

static GStrv
cert_report_tidy_names (const char *const *names)
{
  g_autoptr (GStrvBuilder) out = g_strv_builder_new ();

  for (guint i = 0; names != NULL && names[i] != NULL && i < NAMES_MAX; i++)
    {
      g_autofree char *name = detour_text_tidy (names[i], TEXT_MAX);

      if (name != NULL)
        g_strv_builder_add (out, name);
    }
  return g_strv_builder_end (out);
}

static void
cert_report_free (gpointer data)
{
  DetourCertReport *self = data;

  g_clear_pointer (&self->cert, detour_cert_unref);
  g_strfreev ((GStrv) self->names);
  g_free ((char *) self->authority);
  g_free ((char *) self->profile);
  g_free ((char *) self->challenge);
  g_free ((char *) self->error);
  g_free ((char *) self->remedy);
  g_free (self);
}

static DetourCertReport *
cert_report_copy (const DetourCertReport *report)
{
  DetourCertReport *self = g_new0 (DetourCertReport, 1);

  g_assert ((guint) report->state < DETOUR_N_CERT_STATES);
  g_assert ((guint) report->renew_by < DETOUR_N_CERT_DECIDERS);
  *self = (DetourCertReport) {
    .cert = report->cert != NULL ? detour_cert_ref (report->cert) : NULL,
    .names = (const char *const *) cert_report_tidy_names (report->names),
    .state = report->state,
    .authority = detour_text_tidy (report->authority, TEXT_MAX),
    .profile = detour_text_tidy (report->profile, TEXT_MAX),
    .challenge = detour_text_tidy (report->challenge, TEXT_MAX),
    .renew_us = MAX (report->renew_us, 0),
    .renew_by = report->renew_by,
    .error = detour_text_tidy (report->error, TEXT_MAX),
    .remedy = detour_text_tidy (report->remedy, TEXT_MAX),
    .error_us = MAX (report->error_us, 0),
    .next_try_us = MAX (report->next_try_us, 0),
  };
  return self;
}

GPtrArray *
detour_cert_reports_new (void)
{
  return g_ptr_array_new_with_free_func (cert_report_free);
}

static void
cert_report_release (gpointer owner, gpointer thing)
{
  DetourHost *host = owner;

  g_ptr_array_set_size (host->cert_reports, 0);
  detour_instance_changed (host, FALSE);
}

void
detour_host_report_certs (DetourHost *host, const DetourCertReport *reports, guint n)
{
  g_ptr_array_set_size (host->cert_reports, 0);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (host->cert_reports, cert_report_copy (&reports[i]));
  detour_instance_hold (host, DETOUR_HOLD_FOR_RUN, cert_report_release, host, NULL);
  detour_instance_changed (host, FALSE);
}

const GPtrArray *
detour_instance_cert_reports (const DetourInstance *self)
{
  return self->cert_reports;
}
