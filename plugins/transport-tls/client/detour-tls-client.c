/* detour-tls-client.c: speaks TLS on a connection that it is given, says what it saw of the
 * server, and carries bytes.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A program of its own, so that neither detourctl nor core needs a TLS library. Descriptor 0 is the
 * connection to the server. On descriptor 1 comes one line of JSON after the handshake; then each
 * side's bytes are carried to the other. Nothing is judged here: a certificate that no client would
 * take is described like any other. It ends when either side does, or when its time is over. */
#include "config.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <json-glib/json-glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* No server shows more, and all are looked at. */
#define CHAIN_MAX 16u
/* Nothing here may outlive the program that started it by much. */
#define LIFE_S          120u
#define BUFFER_SIZE     16384u
#define META_NAME       "derpkey"
#define SERVER_KEY_HEX  64u
#define NAMES_MAX       100u
#define HANDSHAKE_MS    5000
#define CERTIFICATE_MAX 65536u

static char *server_name, *ca_file;
static int handshake_ms = HANDSHAKE_MS;

static const GOptionEntry options[] = {
  { "name", 0, 0, G_OPTION_ARG_STRING, &server_name, "Ask for this name", "NAME" },
  { "ca", 0, 0, G_OPTION_ARG_FILENAME, &ca_file,
    "Trust these authorities alone; empty: ask nobody for trust", "FILE" },
  { "milliseconds", 0, 0, G_OPTION_ARG_INT, &handshake_ms, "Limit of the handshake", "N" },
  { NULL },
};

/* ---- the chain ------------------------------------------------------------------------------- */

typedef struct {
  gnutls_x509_crt_t certs[CHAIN_MAX];
  gnutls_datum_t raw[CHAIN_MAX];
  guint n;
} Chain;

/* Others than the first one may be left out: nothing depends on them. */
static gboolean
tls_client_get_chain (gnutls_session_t session, Chain *chain, char **error)
{
  guint n = 0;
  const gnutls_datum_t *raw = gnutls_certificate_get_peers (session, &n);

  for (guint i = 0; i < n && chain->n < CHAIN_MAX; i++)
    {
      gnutls_x509_crt_t cert;

      gnutls_x509_crt_init (&cert);
      if (raw[i].size > CERTIFICATE_MAX
          || gnutls_x509_crt_import (cert, &raw[i], GNUTLS_X509_FMT_DER) < 0)
        {
          gnutls_x509_crt_deinit (cert);
          if (i == 0)
            break;
          continue;
        }
      chain->certs[chain->n] = cert;
      chain->raw[chain->n++] = raw[i];
    }
  if (chain->n == 0)
    *error = g_strdup ("the certificate cannot be read, or is longer than any should be");
  return chain->n > 0;
}

/* The last certificate of a relay tells its key and takes part in nothing. NULL: there is none. */
static const char *
tls_client_meta_key (const Chain *chain, char *name, gsize size)
{
  gsize len = size;

  if (chain->n < 2
      || gnutls_x509_crt_get_dn_by_oid (chain->certs[chain->n - 1], GNUTLS_OID_X520_COMMON_NAME, 0,
                                        0, name, &len)
             < 0
      || !g_str_has_prefix (name, META_NAME)
      || strlen (name) != strlen (META_NAME) + SERVER_KEY_HEX)
    return NULL;
  return name + strlen (META_NAME);
}

/* ---- the report ------------------------------------------------------------------------------ */

static void
tls_client_add_text (JsonBuilder *json, const char *name, const char *text)
{
  g_autofree char *valid = text != NULL ? g_utf8_make_valid (text, -1) : NULL;

  json_builder_set_member_name (json, name);
  if (valid != NULL)
    json_builder_add_string_value (json, valid);
  else
    json_builder_add_null_value (json);
}

static void
tls_client_add_number (JsonBuilder *json, const char *name, gint64 value)
{
  json_builder_set_member_name (json, name);
  json_builder_add_int_value (json, value);
}

static void
tls_client_add_flag (JsonBuilder *json, const char *name, gboolean value)
{
  json_builder_set_member_name (json, name);
  json_builder_add_boolean_value (json, value);
}

static void
tls_client_add_names (JsonBuilder *json, gnutls_x509_crt_t cert)
{
  json_builder_set_member_name (json, "names");
  json_builder_begin_array (json);
  for (guint i = 0; i < NAMES_MAX; i++)
    {
      char name[1024];
      gsize len = sizeof name - 1;
      int type = gnutls_x509_crt_get_subject_alt_name (cert, i, name, &len, NULL);
      g_autofree char *text = NULL;

      if (type < 0)
        break;
      if (type == GNUTLS_SAN_DNSNAME)
        text = g_utf8_make_valid (name, (gssize) len);
      else if (type == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16))
        {
          g_autoptr (GInetAddress) address = g_inet_address_new_from_bytes (
              (const guint8 *) name, len == 4 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);

          text = g_inet_address_to_string (address);
        }
      if (text != NULL)
        json_builder_add_string_value (json, text);
    }
  json_builder_end_array (json);
}

static void
tls_client_add_cert (JsonBuilder *json, const Chain *chain, guint i)
{
  gnutls_x509_crt_t cert = chain->certs[i];
  g_autofree char *pin = g_compute_checksum_for_data (G_CHECKSUM_SHA256, chain->raw[i].data,
                                                      chain->raw[i].size);
  gnutls_datum_t subject = { 0 }, issuer = { 0 };

  json_builder_begin_object (json);
  (void) gnutls_x509_crt_get_dn3 (cert, &subject, 0);
  (void) gnutls_x509_crt_get_issuer_dn3 (cert, &issuer, 0);
  tls_client_add_text (json, "subject", (const char *) subject.data);
  tls_client_add_text (json, "issuer", (const char *) issuer.data);
  gnutls_free (subject.data);
  gnutls_free (issuer.data);
  tls_client_add_names (json, cert);
  tls_client_add_number (json, "not_before", gnutls_x509_crt_get_activation_time (cert));
  tls_client_add_number (json, "not_after", gnutls_x509_crt_get_expiration_time (cert));
  tls_client_add_flag (json, "self_signed", gnutls_x509_crt_check_issuer (cert, cert) != 0);
  tls_client_add_text (json, "sha256", pin);
  json_builder_end_object (json);
}

/* What the authorities of this host, or those of the file, say of the chain: NULL when they vouch
 * for it. */
static char *
tls_client_judge_trust (const Chain *chain, guint n)
{
  gnutls_x509_trust_list_t list;
  gnutls_datum_t text = { 0 };
  guint status = 0;
  char *result = NULL;
  int n_trusted;

  gnutls_x509_trust_list_init (&list, 0);
  n_trusted = ca_file != NULL ? gnutls_x509_trust_list_add_trust_file (list, ca_file, NULL,
                                                                       GNUTLS_X509_FMT_PEM, 0, 0)
                              : gnutls_x509_trust_list_add_system_trust (list, 0, 0);
  if (n_trusted <= 0)
    result = g_strdup_printf ("%s: no authority could be read",
                              ca_file != NULL ? ca_file : "the system's list");
  else if (gnutls_x509_trust_list_verify_crt2 (list, (gnutls_x509_crt_t *) chain->certs, n, NULL, 0,
                                               0, &status, NULL)
           < 0)
    result = g_strdup ("the chain could not be checked");
  else if (status != 0
           && gnutls_certificate_verification_status_print (status, GNUTLS_CRT_X509, &text, 0) == 0)
    result = g_strstrip (g_strdup ((const char *) text.data));
  else if (status != 0)
    result = g_strdup ("not trusted");
  gnutls_free (text.data);
  gnutls_x509_trust_list_deinit (list, 1);
  return result;
}

static void
tls_client_add_chain (JsonBuilder *json, const Chain *chain)
{
  char name[256];
  const char *meta;
  guint n;
  g_autofree char *trouble = NULL;

  meta = tls_client_meta_key (chain, name, sizeof name);
  n = chain->n - (meta != NULL ? 1 : 0);
  trouble = ca_file != NULL && *ca_file == '\0' ? NULL : tls_client_judge_trust (chain, n);
  tls_client_add_text (json, "server_key", meta);
  tls_client_add_text (json, "trouble", trouble);
  tls_client_add_flag (json, "name_fits",
                       server_name != NULL
                           && gnutls_x509_crt_check_hostname (chain->certs[0], server_name) != 0);
  json_builder_set_member_name (json, "chain");
  json_builder_begin_array (json);
  for (guint i = 0; i < n; i++)
    tls_client_add_cert (json, chain, i);
  json_builder_end_array (json);
}

static gboolean
tls_client_write (const char *data, gsize len)
{
  while (len > 0)
    {
      gssize n = write (STDOUT_FILENO, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

/* @took_us: of the handshake alone; @error: (nullable): of the handshake, or of @chain, which has
 * something without one */
static gboolean
tls_client_report (gnutls_session_t session, const Chain *chain, gint64 took_us, const char *error)
{
  g_autoptr (JsonBuilder) json = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = NULL;
  g_autofree char *line = NULL;

  json_builder_begin_object (json);
  tls_client_add_text (json, "error", error);
  if (error == NULL)
    {
      tls_client_add_text (json, "version",
                           gnutls_protocol_get_name (gnutls_protocol_get_version (session)));
      tls_client_add_number (json, "handshake_microseconds", took_us);
      tls_client_add_chain (json, chain);
    }
  json_builder_end_object (json);
  root = json_builder_get_root (json);
  text = json_to_string (root, FALSE);
  line = g_strconcat (text, "\n", NULL);
  return tls_client_write (line, strlen (line));
}

/* ---- carrying -------------------------------------------------------------------------------- */

/* FALSE: the server's side has ended. */
static gboolean
tls_client_carry_from_server (gnutls_session_t session)
{
  char buffer[BUFFER_SIZE];

  do
    {
      gssize n = gnutls_record_recv (session, buffer, sizeof buffer);

      if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
        return TRUE;
      if (n <= 0 || !tls_client_write (buffer, (gsize) n))
        return FALSE;
    }
  while (gnutls_record_check_pending (session) > 0);
  return TRUE;
}

static gboolean
tls_client_carry_to_server (gnutls_session_t session)
{
  char buffer[BUFFER_SIZE];
  gssize len = read (STDOUT_FILENO, buffer, sizeof buffer);
  struct pollfd room = { STDIN_FILENO, POLLOUT, 0 };

  for (gssize done = 0; done < len;)
    {
      gssize n = gnutls_record_send (session, buffer + done, (gsize) (len - done));

      if (n == GNUTLS_E_AGAIN)
        poll (&room, 1, -1);
      else if (n < 0 && n != GNUTLS_E_INTERRUPTED)
        return FALSE;
      done += MAX (n, 0);
    }
  return len > 0;
}

static void
tls_client_carry (gnutls_session_t session)
{
  struct pollfd fds[2] = { { STDIN_FILENO, POLLIN, 0 }, { STDOUT_FILENO, POLLIN, 0 } };

  /* A record may hold nothing for us, and then there is nothing to wait for. */
  g_unix_set_fd_nonblocking (STDIN_FILENO, TRUE, NULL);
  /* What came with the last message of the handshake is in GnuTLS already. */
  if (gnutls_record_check_pending (session) > 0 && !tls_client_carry_from_server (session))
    return;
  while (poll (fds, G_N_ELEMENTS (fds), -1) > 0 || errno == EINTR)
    {
      if (fds[0].revents != 0 && !tls_client_carry_from_server (session))
        return;
      if (fds[1].revents != 0 && !tls_client_carry_to_server (session))
        return;
    }
}

/* ---------------------------------------------------------------------------------------------- */

static gboolean
tls_client_shake_hands (gnutls_session_t session, char **error)
{
  int result;

  gnutls_handshake_set_timeout (session, (guint) handshake_ms);
  do
    result = gnutls_handshake (session);
  while (result < 0 && !gnutls_error_is_fatal (result));
  if (result == 0)
    return TRUE;
  if (result == GNUTLS_E_FATAL_ALERT_RECEIVED)
    *error = g_strdup_printf ("the server refused: %s",
                              gnutls_alert_get_name (gnutls_alert_get (session)));
  else
    *error = g_strdup (gnutls_strerror (result));
  return FALSE;
}

static gboolean
tls_client_run (void)
{
  gnutls_certificate_credentials_t credentials;
  gnutls_session_t session;
  Chain chain = { 0 };
  g_autofree char *error = NULL;
  gint64 began_us, took_us;
  gboolean is_good;

  gnutls_certificate_allocate_credentials (&credentials);
  gnutls_init (&session, GNUTLS_CLIENT);
  gnutls_set_default_priority (session);
  gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, credentials);
  if (server_name != NULL && !g_hostname_is_ip_address (server_name))
    gnutls_server_name_set (session, GNUTLS_NAME_DNS, server_name, strlen (server_name));
  gnutls_transport_set_int (session, STDIN_FILENO);
  began_us = g_get_monotonic_time ();
  is_good = tls_client_shake_hands (session, &error);
  took_us = g_get_monotonic_time () - began_us;
  is_good = is_good && tls_client_get_chain (session, &chain, &error);
  if (tls_client_report (session, &chain, took_us, error) && is_good)
    {
      tls_client_carry (session);
      gnutls_bye (session, GNUTLS_SHUT_WR);
    }
  for (guint i = 0; i < chain.n; i++)
    gnutls_x509_crt_deinit (chain.certs[i]);
  gnutls_deinit (session);
  gnutls_certificate_free_credentials (credentials);
  return is_good;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_add_main_entries (context, options, NULL);
  alarm (LIFE_S);
  signal (SIGPIPE, SIG_IGN);
  if (!g_option_context_parse (context, &argc, &argv, NULL))
    return 2;
  return tls_client_run () ? 0 : 1;
}
