/* detour-cert-renewal.c: an operator's wish for a new certificate, or for a new key of the account,
 * on its way to a plugin, and the outcome on its way back to the main thread.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-cert-report.h"

#include "detour-instance-private.h"
#include "detour-mailbox.h"

/* How many may wait for one instance. */
#define WAITING_MAX 32u

G_DEFINE_QUARK (detour - cert - renewal - error - quark, detour_cert_renewal_error)

/* Two may hold a renewal: the plugin until it answers, and the instance's list until the outcome is
 * delivered. */
struct _DetourCertRenewal {
  gatomicrefcount refs;
  GError *error; /* set by the thread that answers, read on the main thread afterwards */

  /* Main thread only. */
  DetourInstance *instance; /* NULL once delivered */
  DetourCertRenewedFunc done;
  gpointer data;
};

static void
cert_renewal_unref (DetourCertRenewal *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_error (&self->error);
  g_free (self);
}

/* Takes the renewal off the instance's list and tells its caller. */
static void
cert_renewal_deliver (DetourCertRenewal *self, const GError *error)
{
  DetourInstance *instance = g_steal_pointer (&self->instance);

  g_ptr_array_remove (instance->cert_renewals, self);
  self->done (error, self->data);
  cert_renewal_unref (self);
}

static void
cert_renewal_deliver_answer (gpointer data)
{
  DetourCertRenewal *self = data;

  if (self->instance != NULL)
    cert_renewal_deliver (self, self->error);
  cert_renewal_unref (self);
}

void
detour_cert_renewal_answer (DetourCertRenewal *renewal, const GError *error)
{
  renewal->error = error != NULL ? g_error_copy (error) : NULL;
  /* The renewal knows whether it is still waited for: an instance that stopped took that away. */
  detour_mailbox_post (NULL, cert_renewal_deliver_answer, renewal, NULL);
}

static void
cert_renewal_refuse (DetourCertRenewal *self, DetourCertRenewalError code, const char *text)
{
  g_autoptr (GError) error = g_error_new_literal (DETOUR_CERT_RENEWAL_ERROR, code, text);

  detour_cert_renewal_answer (self, error);
}

/* DetourCertFuncs without any function, for plugins that have none. */
static const DetourCertFuncs *
cert_renewal_funcs (const DetourInstance *self)
{
  static const DetourCertFuncs none = { 0 };

  return self->plugin != NULL && self->plugin->funcs.cert != NULL ? self->plugin->funcs.cert
                                                                  : &none;
}

gboolean
detour_instance_renews_certs (const DetourInstance *self)
{
  return cert_renewal_funcs (self)->renew != NULL;
}

gboolean
detour_instance_rolls_over (const DetourInstance *self)
{
  return cert_renewal_funcs (self)->roll_over != NULL;
}

/* @ask: (nullable): of the plugin; @impossible: said when it is NULL. */
static void
cert_renewal_begin (DetourInstance *self, guint nth,
                    void (*ask) (gpointer self, guint nth, DetourCertRenewal *renewal),
                    const char *impossible, DetourCertRenewedFunc done, gpointer data)
{
  DetourCertRenewal *renewal = g_new0 (DetourCertRenewal, 1);

  g_assert (self->kind == DETOUR_KIND_CERT);
  g_atomic_ref_count_init (&renewal->refs);
  g_atomic_ref_count_inc (&renewal->refs);
  renewal->instance = self;
  renewal->done = done;
  renewal->data = data;
  g_ptr_array_add (self->cert_renewals, renewal);

  if (self->cert_renewals->len > WAITING_MAX)
    cert_renewal_refuse (renewal, DETOUR_CERT_RENEWAL_ERROR_BUSY,
                         "too many wait for this renewal already");
  else if (self->state != DETOUR_INSTANCE_RUNNING)
    cert_renewal_refuse (renewal, DETOUR_CERT_RENEWAL_ERROR_NOT_RUNNING,
                         "the instance does not run");
  else if (ask == NULL || nth >= self->cert_reports->len)
    cert_renewal_refuse (renewal, DETOUR_CERT_RENEWAL_ERROR_IMPOSSIBLE, impossible);
  else
    ask (self->self, nth, renewal);
}

void
detour_instance_renew_cert (DetourInstance *self, guint nth, DetourCertRenewedFunc done,
                            gpointer data)
{
  cert_renewal_begin (self, nth, cert_renewal_funcs (self)->renew,
                      "its plugin renews nothing on request", done, data);
}

void
detour_instance_roll_over (DetourInstance *self, guint nth, DetourCertRenewedFunc done,
                           gpointer data)
{
  cert_renewal_begin (self, nth, cert_renewal_funcs (self)->roll_over,
                      "its plugin has no account at an authority", done, data);
}

void
detour_cert_renewal_abandon_all (DetourInstance *self)
{
  g_autoptr (GError)
      stopped = g_error_new_literal (DETOUR_CERT_RENEWAL_ERROR, DETOUR_CERT_RENEWAL_ERROR_STOPPED,
                                     "the instance stopped before there was an outcome");

  while (self->cert_renewals->len > 0)
    cert_renewal_deliver (self->cert_renewals->pdata[0], stopped);
}
