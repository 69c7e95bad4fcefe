/* tls-credentials.c: state shared by the sessions of one listener: ciphers, certificates, the meta
 * certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of certificates is put together by hand and ends with the meta certificate, which
 * belongs to no chain: GnuTLS's own loader would sort it out. */
#include "config.h"

#include "tls-credentials.h"

#include <gio/gio.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

#include "tls-challenge.h"
#include "tls-metacert.h"

/* Server's order. AES-128 first, because ChaCha20 costs GnuTLS fourteen times as much; X25519
 * first, because official clients send a share of it at once, and any other group would cost a
 * round trip. */
#define TLS_PRIORITIES                                                                         \
  ":+ECDHE-ECDSA:+ECDHE-RSA:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD"                \
  ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1" \
  ":+COMP-NULL:+CTYPE-SRV-X509:%SERVER_PRECEDENCE"

/* A server that runs for years must still show a valid meta certificate. Today's clients do not
 * check it, but middleboxes may. */
#define METACERT_RENEW_S (TLS_METACERT_SPAN_S / 2)

struct _TlsPair {
  gatomicrefcount refs;
  /* Keeps the address, which is the key in the table, from being reused; NULL: of a challenge. */
  DetourCert *cert;
  gnutls_pcert_st *list;
  guint n_list;
  gnutls_privkey_t key; /* NULL: the certificate cannot be used, which was logged */
};

struct _TlsCredentials {
  gatomicrefcount refs;
  char *cert;
  char **alpn;
  gboolean exports, tls13_only;
  gnutls_priority_t priorities;
  gnutls_certificate_credentials_t roots; /* of clients; main thread; NULL: not needed yet */
  gnutls_certificate_credentials_t certificates;

  GMutex lock;      /* of all below */
  DetourHost *host; /* NULL: detached */
  DetourCounter *counters[TLS_N_COUNTS];
  guint64 generation; /* of the store that `pairs` belongs to */
  GHashTable *pairs;  /* DetourCert → TlsPair */
  GBytes *metacert;   /* NULL: could not be made */
  gint64 metacert_s;  /* when it was made */
  gboolean troubled;  /* no certificate was found the last time */
};

static TlsPair *
tls_pair_ref (TlsPair *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

static void
tls_pair_unref (TlsPair *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  for (guint i = 0; i < self->n_list; i++)
    gnutls_pcert_deinit (&self->list[i]);
  g_free (self->list);
  if (self->key != NULL)
    gnutls_privkey_deinit (self->key);
  g_clear_pointer (&self->cert, detour_cert_unref);
  g_free (self);
}

static gnutls_datum_t
tls_credentials_datum_of (GBytes *bytes)
{
  gsize len;
  gconstpointer data = g_bytes_get_data (bytes, &len);

  return (gnutls_datum_t) { (unsigned char *) data, (unsigned) len };
}

static int
tls_pair_append (TlsPair *self, GBytes *der)
{
  gnutls_datum_t data = tls_credentials_datum_of (der);
  int rc = gnutls_pcert_import_x509_raw (&self->list[self->n_list], &data, GNUTLS_X509_FMT_DER, 0);

  if (rc >= 0)
    self->n_list++;
  return rc;
}

static int
tls_pair_import_key (TlsPair *self, GBytes *der)
{
  gnutls_datum_t data = tls_credentials_datum_of (der);
  gnutls_privkey_t key;
  int rc = gnutls_privkey_init (&key);

  if (rc < 0)
    return rc;
  rc = gnutls_privkey_import_x509_raw (key, &data, GNUTLS_X509_FMT_DER, NULL, 0);
  if (rc < 0)
    gnutls_privkey_deinit (key);
  else
    self->key = key;
  return rc;
}

/* A pair without a key when @cert cannot be used. */
static TlsPair *
tls_pair_new (DetourCert *cert, GBytes *metacert)
{
  TlsPair *self = g_new0 (TlsPair, 1);
  GBytes *const *chain;
  guint n = detour_cert_chain (cert, &chain);
  int rc = 0;

  g_atomic_ref_count_init (&self->refs);
  self->cert = detour_cert_ref (cert);
  self->list = g_new0 (gnutls_pcert_st, n + 1);
  for (guint i = 0; i < n && rc >= 0; i++)
    rc = tls_pair_append (self, chain[i]);
  if (metacert != NULL && rc >= 0)
    rc = tls_pair_append (self, metacert);
  if (rc >= 0)
    rc = tls_pair_import_key (self, detour_cert_private_key (cert));
  if (rc < 0)
    g_warning ("certificate for %s cannot be served: %s",
               detour_cert_names (cert)[0] != NULL ? detour_cert_names (cert)[0] : "no name",
               gnutls_strerror (rc));
  return self;
}

/* The answer to a challenge; NULL when none waits for @sni. */
static TlsPair *
tls_pair_new_for_challenge (DetourHost *host, const char *sni)
{
  DetourTlsChallenge challenge;
  TlsPair *self;
  int rc;

  if (sni == NULL || !detour_host_find_tls_challenge (host, sni, &challenge))
    return NULL;
  self = g_new0 (TlsPair, 1);
  g_atomic_ref_count_init (&self->refs);
  self->list = g_new0 (gnutls_pcert_st, 1);
  rc = tls_challenge_make (&challenge, (gint64) time (NULL), self->list, &self->key);
  if (rc < 0)
    {
      g_warning ("no certificate can be made that answers a challenge: %s", gnutls_strerror (rc));
      self->key = NULL;
      tls_pair_unref (self);
      return NULL;
    }
  self->n_list = 1;
  return self;
}

/* With the lock held. Forgets what was imported when the store changed or the meta certificate grew
 * old. */
static void
tls_credentials_refresh (TlsCredentials *self)
{
  guint64 generation = detour_host_cert_generation (self->host);
  gint64 now_s = (gint64) time (NULL);
  g_autoptr (GError) error = NULL;

  /* The same after the clock was set back. */
  if (self->metacert == NULL || ABS (now_s - self->metacert_s) > METACERT_RENEW_S)
    {
      g_clear_pointer (&self->metacert, g_bytes_unref);
      g_hash_table_remove_all (self->pairs);
      self->metacert = tls_metacert_new (detour_host_server_key (self->host), now_s, &error);
      self->metacert_s = now_s;
      if (self->metacert == NULL)
        g_warning ("%s; clients need one round trip more", error->message);
    }
  if (generation != self->generation)
    g_hash_table_remove_all (self->pairs);
  self->generation = generation;
}

/* With the lock held: (transfer full) (nullable). */
static TlsPair *
tls_credentials_find (TlsCredentials *self, const TlsChoice *choice)
{
  g_autoptr (DetourCert) cert = NULL;
  TlsPair *pair;

  tls_credentials_refresh (self);
  cert = detour_host_find_cert (self->host, self->cert, choice->sni,
                                (const struct sockaddr *) choice->local);
  if (cert == NULL)
    return NULL;
  pair = g_hash_table_lookup (self->pairs, cert);
  if (pair == NULL)
    {
      pair = tls_pair_new (cert, self->metacert);
      g_hash_table_insert (self->pairs, cert, pair);
    }
  return pair->key != NULL ? tls_pair_ref (pair) : NULL;
}

gboolean
tls_credentials_expect (TlsCredentials *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->host != NULL && detour_host_is_cert_expected (self->host, self->cert);
}

/* @expected: that there is none is no trouble. */
static TlsPair *
tls_credentials_choose (TlsCredentials *self, const TlsChoice *choice, gboolean expected)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  TlsPair *pair;

  if (self->host == NULL)
    return NULL;
  if (choice->is_challenge)
    return tls_pair_new_for_challenge (self->host, choice->sni);
  pair = tls_credentials_find (self, choice);
  if (pair == NULL && expected)
    return NULL;
  if (pair == NULL && !self->troubled)
    {
      const char *from = self->cert != NULL ? " from " : "";
      const char *instance = self->cert != NULL ? self->cert : "";

      detour_host_set_trouble (self->host, "no certificate%s%s to serve", from, instance);
      g_warning ("no certificate%s%s to serve; handshakes fail", from, instance);
    }
  else if (pair != NULL && self->troubled)
    detour_host_set_trouble (self->host, NULL);
  self->troubled = pair == NULL;
  return pair;
}

/* The client's name, or NULL; GnuTLS has checked its form. */
static char *
tls_session_sni (gnutls_session_t session)
{
  char name[256];
  size_t len = sizeof name;
  unsigned type;

  if (gnutls_server_name_get (session, name, &len, &type, 0) < 0 || type != GNUTLS_NAME_DNS
      || len == 0)
    return NULL;
  return g_strndup (name, len);
}

/* Whether the client offered the protocol of challenges, which is agreed on before every other. */
static gboolean
tls_session_is_challenge (gnutls_session_t session)
{
  gnutls_datum_t protocol;

  return gnutls_alpn_get_selected_protocol (session, &protocol) >= 0
      && protocol.size == strlen (DETOUR_CHALLENGE_PROTOCOL)
      && memcmp (protocol.data, DETOUR_CHALLENGE_PROTOCOL, protocol.size) == 0;
}

/* Sets `pair`, `missing` or `waits`. The caller does not hold the lock. */
static void
tls_credentials_decide (TlsCredentials *self, TlsChoice *choice)
{
  /* Asked first, so that one that is published in between is found. */
  gboolean expected = !choice->is_challenge && tls_credentials_expect (self);

  choice->pair = tls_credentials_choose (self, choice, expected);
  choice->waits = choice->pair == NULL && expected;
  choice->missing = choice->pair == NULL && !expected;
}

gboolean
tls_credentials_look_again (TlsCredentials *self, TlsChoice *choice)
{
  tls_credentials_decide (self, choice);
  return !choice->waits;
}

/* Called by GnuTLS once the client's hello is there. */
static int
tls_credentials_retrieve (gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                          gnutls_pcert_st **list, unsigned *n_list, gnutls_ocsp_data_st **ocsp,
                          unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
  TlsChoice *choice = gnutls_session_get_ptr (session);

  /* GnuTLS asks again for each kind of key it could use. */
  if (choice->pair == NULL && !choice->missing && !choice->waits)
    {
      g_clear_pointer (&choice->sni, g_free);
      choice->sni = tls_session_sni (session);
      choice->is_challenge = tls_session_is_challenge (session);
      tls_credentials_decide (choice->credentials, choice);
    }
  if (choice->pair == NULL)
    return -1;
  /* No flag: the list and the key stay owned by the pair, and the session borrows them as long as
   * @choice lives. */
  *list = choice->pair->list;
  *n_list = choice->pair->n_list;
  *key = choice->pair->key;
  *ocsp = NULL;
  *n_ocsp = 0;
  *flags = 0;
  return 0;
}

static const struct {
  const char *name;
  const char *help;
} counters[TLS_N_COUNTS] = {
  [TLS_COUNT_FAILED] = { "handshakes_failed",
                         "handshakes that the peer broke or gave up with an alert" },
  [TLS_COUNT_TLS12] = { "handshakes_tls12", "finished with TLS 1.2" },
  [TLS_COUNT_TLS13] = { "handshakes_tls13", "finished with TLS 1.3" },
  [TLS_COUNT_EXPORTED] = { "connections_exported", "connections whose records are handled here" },
  [TLS_COUNT_NOT_EXPORTED] = { "connections_not_exported",
                               "connections that had to stay with GnuTLS" },
};

TlsCredentials *
tls_credentials_new (DetourHost *host, const TlsConfig *config, GError **error)
{
  TlsCredentials *self = g_new0 (TlsCredentials, 1);
  g_autofree char *priorities = g_strconcat (
      "NONE:+VERS-TLS1.3", config->tls13_only ? "" : ":+VERS-TLS1.2", TLS_PRIORITIES, NULL);
  int rc;

  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->host = host;
  self->cert = g_strdup (config->cert);
  self->alpn = g_strdupv ((char **) config->alpn);
  self->pairs = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) tls_pair_unref);
  self->exports = config->exports;
  self->tls13_only = config->tls13_only;
  for (guint i = 0; i < TLS_N_COUNTS; i++)
    self->counters[i] = detour_host_counter (host, counters[i].name, counters[i].help);

  rc = gnutls_priority_init (&self->priorities, priorities, NULL);
  if (rc >= 0)
    rc = gnutls_certificate_allocate_credentials (&self->certificates);
  if (rc < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "GnuTLS refuses the ciphers of this listener: %s", gnutls_strerror (rc));
      tls_credentials_unref (self);
      return NULL;
    }
  gnutls_certificate_set_retrieve_function3 (self->certificates, tls_credentials_retrieve);
  return self;
}

TlsCredentials *
tls_credentials_ref (TlsCredentials *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
tls_credentials_unref (TlsCredentials *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->certificates != NULL)
    gnutls_certificate_free_credentials (self->certificates);
  if (self->roots != NULL)
    gnutls_certificate_free_credentials (self->roots);
  if (self->priorities != NULL)
    gnutls_priority_deinit (self->priorities);
  g_hash_table_unref (self->pairs);
  g_clear_pointer (&self->metacert, g_bytes_unref);
  g_mutex_clear (&self->lock);
  g_strfreev (self->alpn);
  g_free (self->cert);
  g_free (self);
}

void
tls_credentials_detach (TlsCredentials *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  self->host = NULL;
  /* Dropped now, so that keys do not stay in memory as long as any session lasts; each session
   * holds its own pair. */
  g_hash_table_remove_all (self->pairs);
}

static int
tls_ignore_received (gnutls_session_t session, const unsigned char *data, size_t len)
{
  return 0;
}

static int
tls_ignore_sent (gnutls_session_t session, gnutls_buffer_t extension)
{
  return 0;
}

/* A server may ignore the request for small records, as derper does. Then seal() makes one record
 * of what fits in one, and DETOUR_CHANNEL_SEAL_BOUND() holds. */
static int
tls_ignore_record_size (gnutls_session_t session)
{
  static const struct {
    const char *name;
    int number;
  } extensions[] = { { "max_fragment_length", 1 }, { "record_size_limit", 28 } };
  int rc = 0;

  for (guint i = 0; i < G_N_ELEMENTS (extensions) && rc >= 0; i++)
    rc = gnutls_session_ext_register (
        session, extensions[i].name, extensions[i].number, GNUTLS_EXT_TLS, tls_ignore_received,
        tls_ignore_sent, NULL, NULL, NULL,
        GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_OVERRIDE_INTERNAL);
  return rc;
}

static gnutls_datum_t
tls_credentials_protocol (const char *name)
{
  return (gnutls_datum_t) { (unsigned char *) name, (unsigned) strlen (name) };
}

int
tls_credentials_arm (TlsCredentials *self, gnutls_session_t session, TlsChoice *choice)
{
  gnutls_datum_t alpn[TLS_ALPN_MAX + 1];
  guint n = 0;
  int rc;

  /* First, so that a client that offers it never gets anything else. */
  alpn[n++] = tls_credentials_protocol (DETOUR_CHALLENGE_PROTOCOL);
  for (guint i = 0; self->alpn[i] != NULL && n < G_N_ELEMENTS (alpn); i++)
    alpn[n++] = tls_credentials_protocol (self->alpn[i]);

  gnutls_session_set_ptr (session, choice);
  rc = gnutls_priority_set (session, self->priorities);
  if (rc >= 0)
    rc = gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, self->certificates);
  if (rc >= 0)
    rc = gnutls_alpn_set_protocols (session, alpn, n,
                                    GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
  if (rc >= 0)
    rc = tls_ignore_record_size (session);
  return rc;
}

int
tls_credentials_roots (TlsCredentials *self, gnutls_certificate_credentials_t *roots)
{
  gnutls_certificate_credentials_t fresh;
  int rc = 0;

  /* Read when somebody is verified by them, since that takes some milliseconds. */
  if (self->roots == NULL)
    {
      rc = gnutls_certificate_allocate_credentials (&fresh);
      if (rc >= 0)
        {
          rc = gnutls_certificate_set_x509_system_trust (fresh);
          if (rc >= 0)
            self->roots = fresh;
          else
            gnutls_certificate_free_credentials (fresh);
        }
    }
  *roots = self->roots;
  return rc;
}

int
tls_credentials_arm_client (TlsCredentials *self, gnutls_session_t session,
                            gnutls_certificate_credentials_t trust, const char *name)
{
  static const gnutls_datum_t alpn = { (unsigned char *) "http/1.1", 8 };
  int rc = gnutls_priority_set (session, self->priorities);

  if (rc >= 0)
    rc = gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, trust);
  if (rc >= 0 && !g_hostname_is_ip_address (name))
    rc = gnutls_server_name_set (session, GNUTLS_NAME_DNS, name, strlen (name));
  if (rc >= 0)
    rc = gnutls_alpn_set_protocols (session, &alpn, 1, 0);
  return rc;
}

gboolean
tls_credentials_exports (const TlsCredentials *self)
{
  return self->exports;
}

gboolean
tls_credentials_is_tls13_only (const TlsCredentials *self)
{
  return self->tls13_only;
}

void
tls_credentials_count (TlsCredentials *self, TlsCount what)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->host != NULL) /* the counters go with the instance */
    detour_counter_add (self->counters[what], 1);
}

void
tls_choice_clear (TlsChoice *choice)
{
  g_clear_pointer (&choice->pair, tls_pair_unref);
  g_clear_pointer (&choice->credentials, tls_credentials_unref);
  g_clear_pointer (&choice->sni, g_free);
  g_clear_pointer (&choice->local, g_free);
}
