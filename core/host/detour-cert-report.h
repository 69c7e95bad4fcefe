/* detour-cert-report.h: what cert instances tell of their certificates; the calls for plugins are
 * in detour-plugin.h.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread, all of it. */
#pragma once

#include "detour-host-hooks.h"

G_BEGIN_DECLS

/* "waiting", "serving", "renewing", "failing"; "lifetime", "ca", "operator". */
const char *detour_cert_state_name (DetourCertState state);
const char *detour_cert_decider_name (DetourCertDecider decider);

/* What the instance reported last, of DetourCertReport: never NULL. Borrowed until it reports again
 * or stops. */
const GPtrArray *detour_instance_cert_reports (const DetourInstance *self);

/* Whether its plugin renews certificates when an operator asks. */
gboolean detour_instance_renews_certs (const DetourInstance *self);
/* Whether it gives its account at an authority a new key when an operator asks. */
gboolean detour_instance_rolls_over (const DetourInstance *self);

/* Errors of a renewal before the plugin is asked. */
#define DETOUR_CERT_RENEWAL_ERROR (detour_cert_renewal_error_quark ())
GQuark detour_cert_renewal_error_quark (void);
typedef enum {
  DETOUR_CERT_RENEWAL_ERROR_IMPOSSIBLE, /* this plugin renews nothing by hand */
  DETOUR_CERT_RENEWAL_ERROR_NOT_RUNNING,
  DETOUR_CERT_RENEWAL_ERROR_BUSY,    /* too many wait already */
  DETOUR_CERT_RENEWAL_ERROR_STOPPED, /* the instance stopped before there was an outcome */
} DetourCertRenewalError;

/* @error: (nullable): NULL: the new certificate is published, or the account has a new key. */
typedef void (*DetourCertRenewedFunc) (const GError *error, gpointer data);

/**
 * detour_instance_renew_cert:
 * @self: of kind cert
 * @nth: of its reports
 *
 * @done is called exactly once on the main thread, from its loop or when the instance stops, never
 * from inside this call.
 */
void detour_instance_renew_cert (DetourInstance *self, guint nth, DetourCertRenewedFunc done,
                                 gpointer data);
/* Likewise; a new key for the account at the authority of that certificate. */
void detour_instance_roll_over (DetourInstance *self, guint nth, DetourCertRenewedFunc done,
                                gpointer data);

G_END_DECLS
