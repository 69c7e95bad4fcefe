/* renewal-trial.c: a new certificate is tried before anybody is shown it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-pair.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>

/* A certificate may begin a little later than the clock of this host says. */
#define CLOCK_SLACK_S (60 * 60)
/* Messages that pass between both ends until a handshake is over, at most. */
#define TURNS_MAX 64u

/* One end of a handshake in memory. */
typedef struct {
  gnutls_session_t session;
  GByteArray *in; /* bytes for this end */
  GByteArray *out;
} TrialEnd;

static gboolean
renewal_trial_names (const RenewalPair *pair, const char *const *names, GError **error)
{
  g_autofree char *found = NULL;
  g_autofree char *wanted = NULL;

  if (renewal_pair_has_names (pair, names))
    return TRUE;
  found = g_strjoinv (", ", pair->names);
  wanted = g_strjoinv (", ", (GStrv) names);
  g_set_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_NAMES,
               "the certificate is for %s; expected %s",
               found[0] != '\0' ? found : "no name at all", wanted);
  return FALSE;
}

static gboolean
renewal_trial_dates (const RenewalPair *pair, gint64 now, GError **error)
{
  g_autoptr (GDateTime) from = g_date_time_new_from_unix_utc (pair->not_before);
  g_autoptr (GDateTime) to = g_date_time_new_from_unix_utc (pair->not_after);
  g_autofree char *from_text = from != NULL ? g_date_time_format_iso8601 (from)
                                            : g_strdup ("never");
  g_autofree char *to_text = to != NULL ? g_date_time_format_iso8601 (to) : g_strdup ("never");

  if (pair->not_before <= now + CLOCK_SLACK_S && pair->not_after > now
      && pair->not_after > pair->not_before)
    return TRUE;
  g_set_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_DATES,
               "the certificate is valid from %s to %s, which the clock of this host says is not "
               "now",
               from_text, to_text);
  return FALSE;
}

static gboolean
renewal_trial_chain (const RenewalPair *pair, GError **error)
{
  for (guint i = 0; i + 1 < pair->n_chain; i++)
    {
      unsigned status = 0;

      if (gnutls_x509_crt_check_issuer (pair->chain[i], pair->chain[i + 1]) == 0
          || gnutls_x509_crt_verify (pair->chain[i], &pair->chain[i + 1], 1,
                                     GNUTLS_VERIFY_ALLOW_ANY_X509_V1_CA_CRT
                                         | GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
                                     &status)
                 < 0
          || (status & GNUTLS_CERT_SIGNATURE_FAILURE) != 0)
        {
          g_set_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_CHAIN,
                       "certificate %u of the chain was not signed by the next one", i + 1);
          return FALSE;
        }
    }
  return TRUE;
}

/* A handshake in memory ------------------------------------------------------------------------ */

static ssize_t
renewal_trial_pull (gnutls_transport_ptr_t ptr, void *data, size_t len)
{
  TrialEnd *end = ptr;
  gsize n = MIN (len, end->in->len);

  if (n == 0)
    {
      gnutls_transport_set_errno (end->session, EAGAIN);
      return -1;
    }
  memcpy (data, end->in->data, n);
  g_byte_array_remove_range (end->in, 0, (guint) n);
  return (ssize_t) n;
}

static int
renewal_trial_pull_timeout (gnutls_transport_ptr_t ptr, unsigned ms)
{
  return ((TrialEnd *) ptr)->in->len > 0;
}

static ssize_t
renewal_trial_push (gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
  g_byte_array_append (((TrialEnd *) ptr)->out, data, (guint) len);
  return (ssize_t) len;
}

static int
renewal_trial_arm (TrialEnd *end, unsigned role, gnutls_certificate_credentials_t credentials)
{
  int rc = gnutls_init (&end->session, role | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS);

  if (rc < 0)
    return rc;
  gnutls_transport_set_ptr (end->session, end);
  gnutls_transport_set_pull_function (end->session, renewal_trial_pull);
  gnutls_transport_set_pull_timeout_function (end->session, renewal_trial_pull_timeout);
  gnutls_transport_set_push_function (end->session, renewal_trial_push);
  gnutls_handshake_set_timeout (end->session, GNUTLS_INDEFINITE_TIMEOUT);
  rc = gnutls_set_default_priority (end->session);
  if (rc >= 0)
    rc = gnutls_credentials_set (end->session, GNUTLS_CRD_CERTIFICATE, credentials);
  return rc;
}

/* The last certificate of the chain stands for what clients trust. Dates were looked at already. */
static int
renewal_trial_trust (gnutls_certificate_credentials_t credentials, const RenewalPair *pair)
{
  return gnutls_certificate_set_x509_trust (credentials, &pair->chain[pair->n_chain - 1], 1);
}

static int
renewal_trial_ask_for (gnutls_session_t client, const char *name)
{
  int rc = 0;

  if (!g_hostname_is_ip_address (name))
    rc = gnutls_server_name_set (client, GNUTLS_NAME_DNS, name, strlen (name));
  gnutls_session_set_verify_cert (
      client, name, GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS);
  return rc;
}

static int
renewal_trial_shake_hands (TrialEnd *client, TrialEnd *server)
{
  int client_rc = GNUTLS_E_AGAIN, server_rc = GNUTLS_E_AGAIN;

  for (guint i = 0; i < TURNS_MAX && (client_rc != 0 || server_rc != 0); i++)
    {
      if (client_rc != 0)
        client_rc = gnutls_handshake (client->session);
      if (client_rc != 0 && gnutls_error_is_fatal (client_rc))
        return client_rc;
      if (server_rc != 0)
        server_rc = gnutls_handshake (server->session);
      if (server_rc != 0 && gnutls_error_is_fatal (server_rc))
        return server_rc;
    }
  return client_rc != 0 ? client_rc : server_rc;
}

static int
renewal_trial_run (const char *name, gnutls_certificate_credentials_t shown,
                   gnutls_certificate_credentials_t trusted)
{
  g_autoptr (GByteArray) to_server = g_byte_array_new ();
  g_autoptr (GByteArray) to_client = g_byte_array_new ();
  TrialEnd client = { NULL, to_client, to_server };
  TrialEnd server = { NULL, to_server, to_client };
  int rc = renewal_trial_arm (&server, GNUTLS_SERVER, shown);

  if (rc >= 0)
    rc = renewal_trial_arm (&client, GNUTLS_CLIENT, trusted);
  if (rc >= 0)
    rc = renewal_trial_ask_for (client.session, name);
  if (rc >= 0)
    rc = renewal_trial_shake_hands (&client, &server);
  if (client.session != NULL)
    gnutls_deinit (client.session);
  if (server.session != NULL)
    gnutls_deinit (server.session);
  return rc;
}

static gboolean
renewal_trial_handshake (const RenewalPair *pair, const char *name, GError **error)
{
  gnutls_certificate_credentials_t shown = NULL, trusted = NULL;
  g_autofree char *plain = g_str_has_prefix (name, "*.") ? g_strconcat ("any", name + 1, NULL)
                                                         : g_strdup (name);
  int rc = gnutls_certificate_allocate_credentials (&shown);

  if (rc >= 0)
    rc = gnutls_certificate_allocate_credentials (&trusted);
  if (rc >= 0)
    rc = gnutls_certificate_set_x509_key (shown, pair->chain, (int) pair->n_chain, pair->key);
  if (rc >= 0)
    rc = renewal_trial_trust (trusted, pair);
  if (rc >= 0)
    rc = renewal_trial_run (plain, shown, trusted);
  if (shown != NULL)
    gnutls_certificate_free_credentials (shown);
  if (trusted != NULL)
    gnutls_certificate_free_credentials (trusted);
  if (rc >= 0)
    return TRUE;
  g_set_error (error, RENEWAL_PAIR_ERROR, RENEWAL_PAIR_ERROR_TRIAL,
               "a client that asks for %s would not take the certificate: %s", plain,
               gnutls_strerror (rc));
  return FALSE;
}

gboolean
renewal_pair_try (const RenewalPair *self, const char *const *names, gint64 now, GError **error)
{
  return renewal_trial_names (self, names, error) && renewal_trial_dates (self, now, error)
      && renewal_trial_chain (self, error) && renewal_trial_handshake (self, names[0], error);
}
