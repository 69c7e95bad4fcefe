/* cert-acme.c: certificates that an authority issues by ACME, fetched and renewed without anybody
 * thinking of it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-options.h"
#include "renewal.h"

static gpointer
cert_acme_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  return renewal_new (host, settings, error);
}

static void
cert_acme_reload (gpointer self)
{
  renewal_look_again (self);
}

static void
cert_acme_stop (gpointer self)
{
  renewal_free (self);
}

static void
cert_acme_renew (gpointer self, guint nth, DetourCertRenewal *request)
{
  renewal_request (self, request);
}

static void
cert_acme_roll_over (gpointer self, guint nth, DetourCertRenewal *request)
{
  renewal_request_rollover (self, request);
}

static const DetourCertFuncs cert_acme_funcs = { .renew = cert_acme_renew,
                                                 .roll_over = cert_acme_roll_over };

DETOUR_PLUGIN_DEFINE (.name = "cert-acme", .kind = DETOUR_KIND_CERT,
                      .summary = "certificates that an authority issues by ACME",
                      .config = renewal_options_config, .check = renewal_options_check,
                      .advise = renewal_options_advise, .start = cert_acme_start,
                      .reload = cert_acme_reload, .stop = cert_acme_stop,
                      .funcs.cert = &cert_acme_funcs);
