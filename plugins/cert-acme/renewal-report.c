/* renewal-report.c: what status and log are told of a renewal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-private.h"

#include <string.h>

/* How often the log is told that little time is left. */
#define WARN_US (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)

/* A date, or for what is near date and time, in UTC. */
static char *
renewal_report_time (gint64 unix_s, gboolean exact)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (unix_s);

  if (time == NULL)
    return g_strdup ("the end of time");
  return g_date_time_format (time, exact ? "%Y-%m-%d %H:%M UTC" : "%Y-%m-%d");
}

static void
renewal_report_summary (Renewal *self, gint64 due)
{
  g_autofree char *until = NULL;
  g_autofree char *next = renewal_report_time (due, TRUE);

  if (self->cert == NULL)
    {
      detour_host_set_summary (self->host, "%s: no certificate yet, asking %s",
                               self->options.names[0], self->options.authority);
      return;
    }
  until = renewal_report_time (detour_cert_not_after (self->cert), FALSE);
  detour_host_set_summary (self->host, "%s until %s, from %s; renewed at %s",
                           self->options.names[0], until, self->options.authority, next);
}

/* A try that nothing but an operator wanted has failed: there is nothing to do until the
 * certificate wants a successor. */
static gboolean
renewal_report_is_at_rest (const Renewal *self)
{
  return self->cert != NULL && self->fits && !self->is_forced
      && renewal_schedule_is_at_rest (&self->state.schedule, renewal_now ());
}

/* The worst that an operator should know, or NULL. */
static char *
renewal_report_trouble (Renewal *self, gint64 due)
{
  g_autofree char *next = renewal_report_time (due, TRUE);
  const char *error = self->state.error;

  if (self->cert == NULL && error != NULL)
    return g_strdup_printf ("there is no certificate yet: %s; next try at %s", error, next);
  if (self->pair != NULL && self->fits && self->pair->not_after <= renewal_now ())
    return g_strdup_printf ("the certificate has expired: %s; next try at %s",
                            error != NULL ? error : "no new one came", next);
  if (self->cert != NULL && !self->fits && error != NULL)
    return g_strdup_printf ("the certificate does not have all names: %s; next try at %s", error,
                            next);
  if (error != NULL && !renewal_report_is_at_rest (self))
    return g_strdup_printf ("the certificate could not be renewed: %s; next try at %s", error,
                            next);
  if (self->unkept != NULL)
    return g_strdup_printf ("certificate and state cannot be written: %s", self->unkept);
  return NULL;
}

/* By the clock of this host, which may be wrong. */
static void
renewal_report_late (Renewal *self)
{
  gint64 now_us = g_get_monotonic_time ();
  g_autofree char *until = NULL;

  if (self->pair == NULL || !self->fits
      || !renewal_schedule_is_late (&self->state.schedule, renewal_now ())
      || self->state.error == NULL || (self->warned_us != 0 && now_us - self->warned_us < WARN_US))
    return;
  self->warned_us = now_us;
  until = renewal_report_time (self->pair->not_after, TRUE);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "certificate-late",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "%s: less than a third of the certificate's life is left, it ends at %s, and "
                    "it could not be renewed: %s",
                    detour_host_instance (self->host), until, self->state.error);
}

static DetourCertState
renewal_report_state (const Renewal *self)
{
  if (self->activity == RENEWAL_ORDERING)
    return self->cert != NULL ? DETOUR_CERT_RENEWING : DETOUR_CERT_WAITING;
  if (self->state.error != NULL && !renewal_report_is_at_rest (self))
    return DETOUR_CERT_FAILING;
  return self->cert != NULL ? DETOUR_CERT_SERVING : DETOUR_CERT_WAITING;
}

void
renewal_report (Renewal *self)
{
  gint64 now = renewal_now ();
  DetourCertState state = renewal_report_state (self);
  RenewalDecider by;
  gint64 due = MAX (MAX (renewal_schedule_due (&self->state.schedule, now, &by), now),
                    self->look_again);
  DetourCertReport report = {
    .cert = self->cert,
    .names = (const char *const *) self->options.names,
    .state = state,
    .authority = self->options.authority,
    .profile = self->state.profile,
    .challenge = self->state.challenge,
    .renew_us = self->cert != NULL ? due * G_USEC_PER_SEC : 0,
    .renew_by = self->is_forced            ? DETOUR_CERT_BY_OPERATOR
              : by == RENEWAL_BY_AUTHORITY ? DETOUR_CERT_BY_CA
                                           : DETOUR_CERT_BY_LIFETIME,
    .error = self->state.error,
    .remedy = self->state.remedy,
    .error_us = self->state.error_time * G_USEC_PER_SEC,
    .next_try_us = state == DETOUR_CERT_FAILING ? due * G_USEC_PER_SEC : 0,
  };
  g_autofree char *trouble = renewal_report_trouble (self, due);

  detour_host_report_certs (self->host, &report, 1);
  renewal_report_summary (self, due);
  if (trouble != NULL)
    detour_host_set_trouble (self->host, "%s", trouble);
  else
    detour_host_set_trouble (self->host, NULL);
  renewal_report_late (self);
}

void
renewal_report_issued (Renewal *self)
{
  g_autofree char *names = g_strjoinv (", ", self->options.names);
  g_autofree char *until = renewal_report_time (self->pair->not_after, TRUE);

  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "certificate-issued",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "%s: %s has issued a certificate for %s, valid until %s",
                    detour_host_instance (self->host), self->options.authority, names, until);
}

void
renewal_report_failed (Renewal *self, const RenewalFault *fault)
{
  gint64 due = renewal_schedule_due (&self->state.schedule, renewal_now (), NULL);
  g_autofree char *next = renewal_report_time (due, TRUE);
  g_autofree char *remedy = fault->remedy != NULL ? g_strdup_printf (". %s", fault->remedy) : NULL;

  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "certificate-failed",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), DETOUR_LOG_REASON,
                    fault->type, "MESSAGE", "%s: no certificate from %s: %s (%s); next try at %s%s",
                    detour_host_instance (self->host), self->options.authority, self->state.error,
                    fault->type, next, remedy != NULL ? remedy : "");
}

/* Before anything was asked of the authority. */
void
renewal_report_hindered (const Renewal *self)
{
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "certificate-failed",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), DETOUR_LOG_REASON,
                    "not-asked", "MESSAGE", "%s: %s was not asked for a certificate: %s",
                    detour_host_instance (self->host), self->options.authority, self->state.error);
}

void
renewal_report_rollover (const Renewal *self, const char *why)
{
  if (why == NULL)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "account-key-changed",
                      DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                      "%s: the account at %s has a new key", detour_host_instance (self->host),
                      self->options.authority);
  else
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "account-key-failed",
                      DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                      "%s: no new key for the account at %s: %s%s",
                      detour_host_instance (self->host), self->options.authority, why,
                      self->account.next_key != NULL
                          ? "; whether it has the key already is asked again in a minute"
                          : "");
}
