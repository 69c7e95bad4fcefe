/* test-cert-own.c: what the certificate holds, and when it is used again.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <gnutls/x509.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cert-own.h"
#include "own-files.h"

#define DAY   86400
#define NOW_S G_GINT64_CONSTANT (1767225600) /* 2026-01-01 */
#define DAYS  100

typedef struct {
  char *folder, *stem, *crt, *key;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  f->folder = g_dir_make_tmp ("detour-own-XXXXXX", NULL);
  f->stem = g_build_filename (f->folder, "selfsigned-x", NULL);
  f->crt = g_strconcat (f->stem, ".crt", NULL);
  f->key = g_strconcat (f->stem, ".key", NULL);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (f->folder, 0, NULL);
  const char *file;

  while ((file = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (f->folder, file, NULL);

      g_assert_cmpint (g_remove (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (f->folder), ==, 0);
  g_free (f->folder);
  g_free (f->stem);
  g_free (f->crt);
  g_free (f->key);
}

static const char *const names[] = { "relay.example", "*.relay.example", "192.0.2.7", "2001:db8::7",
                                     NULL };

static CertOwnWish
wish_for (Fixture *f, const char *const *for_names, gint64 now_s)
{
  return (CertOwnWish) { .stem = f->stem, .names = for_names, .days = DAYS, .now_s = now_s };
}

/* The pin; the rest of the outcome has to be as expected. */
static char *
pin_of (const CertOwnWish *wish, CertOwnFault fault, CertOwnOrigin origin)
{
  g_auto (CertOwnOutcome) outcome = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourCert) cert = cert_own_obtain (wish, &outcome, &error);

  g_assert_no_error (error);
  g_assert_cmpint (outcome.fault, ==, fault);
  g_assert_cmpint (outcome.origin, ==, origin);
  g_assert_cmpstr (outcome.unwritten, ==, NULL);
  return cert_own_pin (cert);
}

static char *
make (Fixture *f)
{
  const CertOwnWish wish = wish_for (f, names, NOW_S);

  return pin_of (&wish, CERT_OWN_ABSENT, CERT_OWN_NEW);
}

static DetourCert *
obtain (Fixture *f, const char *const *for_names)
{
  const CertOwnWish wish = wish_for (f, for_names, NOW_S);
  g_auto (CertOwnOutcome) outcome = { 0 };
  g_autoptr (GError) error = NULL;
  DetourCert *cert = cert_own_obtain (&wish, &outcome, &error);

  g_assert_no_error (error);
  return cert;
}

static char *
content (const char *path)
{
  char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static guint
count_copies (Fixture *f)
{
  g_autoptr (GPtrArray) copies = own_files_list_copies (f->stem);

  return copies->len;
}

static void
remove_copies (Fixture *f)
{
  g_autoptr (GDir) dir = g_dir_open (f->folder, 0, NULL);
  const char *file;

  while ((file = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (file, ".pem"))
      {
        g_autofree char *path = g_build_filename (f->folder, file, NULL);

        g_assert_cmpint (g_remove (path), ==, 0);
      }
}

static gnutls_x509_crt_t
parse (const DetourCert *cert)
{
  GBytes *const *chain;
  gnutls_x509_crt_t crt;
  gsize len;
  gnutls_datum_t der;

  g_assert_cmpuint (detour_cert_chain (cert, &chain), ==, 1); /* a pin stands for one certificate */
  der.data = (unsigned char *) g_bytes_get_data (chain[0], &len);
  der.size = (unsigned) len;
  gnutls_x509_crt_init (&crt);
  g_assert_cmpint (gnutls_x509_crt_import (crt, &der, GNUTLS_X509_FMT_DER), ==, 0);
  return crt;
}

static char *
common_name (const DetourCert *cert)
{
  gnutls_x509_crt_t crt = parse (cert);
  char name[128];
  size_t len = sizeof name;

  g_assert_cmpint (
      gnutls_x509_crt_get_dn_by_oid (crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len), ==, 0);
  gnutls_x509_crt_deinit (crt);
  return g_strdup (name);
}

static void
fields (Fixture *f, gconstpointer data)
{
  g_autoptr (DetourCert) cert = obtain (f, names);
  gnutls_x509_crt_t crt = parse (cert);
  g_autofree char *subject = common_name (cert);
  unsigned critical, ca = 1, usage = 0;
  guint8 serial[32];
  char purpose[64];
  size_t len = sizeof serial;

  g_assert_true (detour_cert_self_signed (cert));
  g_assert_cmpstr (subject, ==, "relay.example");
  for (guint i = 0; names[i] != NULL; i++)
    g_assert_true (
        gnutls_x509_crt_check_hostname (crt, names[i][0] == '*' ? "a.relay.example" : names[i]));
  g_assert_false (gnutls_x509_crt_check_hostname (crt, "192.0.2.8"));
  g_assert_cmpint (gnutls_x509_crt_get_pk_algorithm (crt, NULL), ==, GNUTLS_PK_ECDSA);
  g_assert_cmpint (gnutls_x509_crt_get_serial (crt, serial, &len), ==, 0);
  g_assert_cmpuint (len, ==, 16);
  g_assert_cmpuint (serial[0] & 0x80, ==, 0);
  g_assert_cmpint (gnutls_x509_crt_get_basic_constraints (crt, &critical, &ca, NULL), >=, 0);
  g_assert_cmpuint (ca, ==, 0);
  g_assert_cmpint (gnutls_x509_crt_get_key_usage (crt, &usage, &critical), ==, 0);
  g_assert_cmpuint (usage, ==, GNUTLS_KEY_DIGITAL_SIGNATURE);
  len = sizeof purpose;
  g_assert_cmpint (gnutls_x509_crt_get_key_purpose_oid (crt, 0, purpose, &len, &critical), ==, 0);
  g_assert_cmpstr (purpose, ==, GNUTLS_KP_TLS_WWW_SERVER);
  g_assert_cmpint (detour_cert_not_before (cert), <, NOW_S - 3650 * (gint64) DAY);
  g_assert_cmpint (detour_cert_not_after (cert), ==, NOW_S + DAYS * DAY);
  gnutls_x509_crt_deinit (crt);
}

static void
private_files (Fixture *f, gconstpointer data)
{
  g_autofree char *pin = make (f);
  g_autofree char *copy = g_strdup_printf ("%s-%.16s.pem", f->stem, pin);
  const char *const paths[] = { f->key, f->crt, copy };

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      struct stat st;

      g_assert_cmpint (stat (paths[i], &st), ==, 0);
      g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
    }
}

static void
stable_pin (Fixture *f, gconstpointer data)
{
  g_autofree char *pin = make (f);
  const CertOwnWish later = wish_for (f, names, NOW_S + 80 * DAY);
  g_autofree char *again = pin_of (&later, CERT_OWN_FINE, CERT_OWN_FROM_FILES);
  g_autoptr (DetourCert) cert = obtain (f, names);

  g_assert_cmpstr (again, ==, pin);
  g_assert_cmpuint (strlen (pin), ==, 64);
  for (guint i = 0; i < 64; i++)
    g_assert_true (g_ascii_isdigit (pin[i]) || (pin[i] >= 'a' && pin[i] <= 'f'));
  g_assert_true (detour_cert_self_signed (cert));
}

/* A clock that is wrong when the relay starts: the pin stays, and so do the bytes of the files. */
static void
wrong_clock (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *what;
    gint64 now_s;
    CertOwnFault fault;
    gboolean early;
  } cases[] = {
    { "1970", 0, CERT_OWN_FINE, TRUE },
    { "before 1970", -1000, CERT_OWN_FINE, TRUE },
    { "two days back", NOW_S - 2 * DAY, CERT_OWN_FINE, FALSE },
    { "nine years back", NOW_S - G_GINT64_CONSTANT (3287) * DAY, CERT_OWN_FINE, FALSE },
    { "the last day", NOW_S + DAYS * DAY - 1, CERT_OWN_FINE, FALSE },
    { "the day after", NOW_S + DAYS * DAY, CERT_OWN_EXPIRED, FALSE },
    { "2040", G_GINT64_CONSTANT (2208988800), CERT_OWN_EXPIRED, FALSE },
    { "9999", G_GINT64_CONSTANT (253370764800), CERT_OWN_EXPIRED, FALSE },
  };
  g_autofree char *pin = make (f);
  g_autofree char *crt = content (f->crt);
  g_autofree char *key = content (f->key);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const CertOwnWish wish = wish_for (f, names, cases[i].now_s);
      g_auto (CertOwnOutcome) outcome = { 0 };
      g_autoptr (GError) error = NULL;
      g_autoptr (DetourCert) cert = cert_own_obtain (&wish, &outcome, &error);
      g_autofree char *found = cert != NULL ? cert_own_pin (cert) : NULL;
      g_autofree char *crt_now = content (f->crt);
      g_autofree char *key_now = content (f->key);

      g_test_message ("%s", cases[i].what);
      g_assert_no_error (error);
      g_assert_cmpint (outcome.fault, ==, cases[i].fault);
      g_assert_cmpint (outcome.origin, ==, CERT_OWN_FROM_FILES);
      g_assert_cmpint (outcome.early, ==, cases[i].early);
      g_assert_cmpstr (found, ==, pin);
      g_assert_cmpstr (crt_now, ==, crt);
      g_assert_cmpstr (key_now, ==, key);
    }
  g_assert_cmpuint (count_copies (f), ==, 1);
}

/* The clock cannot be right before the program was built: the end is counted from there. */
static void
built_later (Fixture *f, gconstpointer data)
{
  CertOwnWish wish = wish_for (f, names, 0);
  g_autoptr (DetourCert) cert = NULL;
  g_auto (CertOwnOutcome) outcome = { 0 };
  g_autofree char *pin = NULL;

  wish.built_s = NOW_S;
  cert = cert_own_obtain (&wish, &outcome, NULL);
  g_assert_nonnull (cert);
  g_assert_false (outcome.early);
  g_assert_cmpint (detour_cert_not_after (cert), ==, NOW_S + DAYS * DAY);

  /* And a pair that ends before the program was built has expired, whatever the clock says. */
  wish.built_s = NOW_S + 200 * DAY;
  pin = pin_of (&wish, CERT_OWN_EXPIRED, CERT_OWN_FROM_FILES);
}

/* The clock was behind the end for long enough. The old pair stays among the copies. */
static void
replaced (Fixture *f, gconstpointer data)
{
  g_autofree char *first = make (f);
  CertOwnWish wish = wish_for (f, names, NOW_S + 200 * DAY);
  g_autofree char *second = NULL;
  g_autofree char *third = NULL;
  g_autofree char *copy = g_strdup_printf ("%s-%.16s.pem", f->stem, first);

  wish.replace_expired = TRUE;
  second = pin_of (&wish, CERT_OWN_EXPIRED, CERT_OWN_NEW);
  g_assert_cmpstr (second, !=, first);
  third = pin_of (&wish, CERT_OWN_FINE, CERT_OWN_FROM_FILES);
  g_assert_cmpstr (third, ==, second);
  g_assert_true (g_file_test (copy, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count_copies (f), ==, 2);
}

/* A name more needs another certificate; a name less, or another order, does not. With the names of
 * before the pin of before comes back. */
static void
renamed (Fixture *f, gconstpointer data)
{
  static const char *const fewer[] = { "192.0.2.7", "RELAY.example", NULL };
  static const char *const same[] = { "2001:DB8:0::7", "relay.example", NULL };
  static const char *const other_address[] = { "relay.example", "192.0.2.8", NULL };
  static const char *const more[] = {
    "relay.example", "*.relay.example", "192.0.2.7", "2001:db8::7", "b", NULL
  };
  static const struct {
    const char *const *for_names;
    gboolean fits, fits_back;
  } cases[] = { { fewer, TRUE, TRUE },
                { same, TRUE, TRUE },
                { other_address, FALSE, FALSE },
                { more, FALSE, TRUE } };
  const CertOwnWish before = wish_for (f, names, NOW_S);
  g_autofree char *first = make (f);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const CertOwnWish wish = wish_for (f, cases[i].for_names, NOW_S);
      g_autofree char *pin = pin_of (&wish, cases[i].fits ? CERT_OWN_FINE : CERT_OWN_RENAMED,
                                     cases[i].fits ? CERT_OWN_FROM_FILES : CERT_OWN_NEW);
      g_autofree char *back = pin_of (
          &before, cases[i].fits_back ? CERT_OWN_FINE : CERT_OWN_RENAMED,
          cases[i].fits_back ? CERT_OWN_FROM_FILES : CERT_OWN_FROM_COPY);

      g_assert_cmpint (strcmp (pin, first) == 0, ==, cases[i].fits);
      g_assert_cmpstr (back, ==, cases[i].fits_back ? pin : first);
    }
}

/* Of a pair, one half or both are missing or damaged: the copy has it still. */
static void
damaged (Fixture *f, gconstpointer data)
{
  g_autofree char *pin = make (f);
  const CertOwnWish wish = wish_for (f, names, NOW_S);
  g_autofree char *crt = content (f->crt);
  g_autofree char *key = content (f->key);
  static const char *const texts[] = { NULL, "", "-----BEGIN", "no PEM at all\n" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    for (guint halves = 1; halves < 4; halves++)
      {
        g_autofree char *found = NULL;
        g_autofree char *crt_now = NULL;
        g_autofree char *key_now = NULL;

        if (texts[i] == NULL && halves == 3)
          continue; /* that is "absent" */
        for (guint half = 0; half < 2; half++)
          {
            const char *path = half == 0 ? f->crt : f->key;

            if ((halves & (1 << half)) != 0 && texts[i] == NULL)
              g_assert_cmpint (g_remove (path), ==, 0);
            else if ((halves & (1 << half)) != 0)
              g_assert_true (g_file_set_contents (path, texts[i], -1, NULL));
          }
        found = pin_of (&wish, CERT_OWN_DAMAGED, CERT_OWN_FROM_COPY);
        g_assert_cmpstr (found, ==, pin);
        crt_now = content (f->crt);
        key_now = content (f->key);
        g_assert_cmpstr (crt_now, ==, crt);
        g_assert_cmpstr (key_now, ==, key);
      }
}

/* Without a copy there has to be a new pair, but what was there is kept. */
static void
damaged_without_copy (Fixture *f, gconstpointer data)
{
  g_autofree char *pin = make (f);
  const CertOwnWish wish = wish_for (f, names, NOW_S);
  g_autofree char *key = content (f->key);
  g_autofree char *old_key = g_strconcat (f->key, ".old-1", NULL);
  g_autofree char *old_crt = g_strconcat (f->crt, ".old-1", NULL);
  g_autofree char *found = NULL;
  g_autofree char *kept_key = NULL;
  g_autofree char *kept_crt = NULL;

  remove_copies (f);
  g_assert_true (g_file_set_contents (f->crt, "cut", -1, NULL));
  found = pin_of (&wish, CERT_OWN_DAMAGED, CERT_OWN_NEW);
  g_assert_cmpstr (found, !=, pin);
  kept_key = content (old_key);
  kept_crt = content (old_crt);
  g_assert_cmpstr (kept_key, ==, key);
  g_assert_cmpstr (kept_crt, ==, "cut");
}

/* The key of one pair beside the certificate of another: the certificate is what maps have the pin
 * of. */
static void
mixed (Fixture *f, gconstpointer data)
{
  static const char *const others[] = { "b.example", NULL };
  static const char *const both[] = { NULL };
  const CertOwnWish for_others = wish_for (f, others, NOW_S);
  const CertOwnWish for_any = wish_for (f, both, NOW_S);
  g_autofree char *first = make (f);
  g_autofree char *key = content (f->key);
  g_autofree char *second = pin_of (&for_others, CERT_OWN_RENAMED, CERT_OWN_NEW);
  g_autofree char *found = NULL;

  g_assert_true (g_file_set_contents (f->key, key, -1, NULL));
  found = pin_of (&for_any, CERT_OWN_DAMAGED, CERT_OWN_FROM_COPY);
  g_assert_cmpstr (found, ==, second);
}

/* Files of before there were copies, or that somebody put there. */
static void
copied_later (Fixture *f, gconstpointer data)
{
  g_autofree char *pin = make (f);
  const CertOwnWish wish = wish_for (f, names, NOW_S);
  g_autofree char *found = NULL;

  remove_copies (f);
  g_assert_cmpuint (count_copies (f), ==, 0);
  found = pin_of (&wish, CERT_OWN_FINE, CERT_OWN_FROM_FILES);
  g_assert_cmpstr (found, ==, pin);
  g_assert_cmpuint (count_copies (f), ==, 1);
}

/* Somebody removed both files to have a new pair. */
static void
removed (Fixture *f, gconstpointer data)
{
  g_autofree char *first = make (f);
  g_autofree char *second = NULL;

  g_assert_cmpint (g_remove (f->crt), ==, 0);
  g_assert_cmpint (g_remove (f->key), ==, 0);
  second = make (f);
  g_assert_cmpstr (first, !=, second);
}

/* Copies of an instance whose name begins with ours are not ours. */
static void
neighbours (Fixture *f, gconstpointer data)
{
  g_autofree char *stem = g_strconcat (f->stem, "-b", NULL);
  CertOwnWish wish = wish_for (f, names, NOW_S);
  g_autofree char *pin = NULL;

  wish.stem = stem;
  pin = pin_of (&wish, CERT_OWN_ABSENT, CERT_OWN_NEW);
  g_assert_cmpuint (count_copies (f), ==, 0);
}

/* No byte can be written, not even by root. */
static void
set_read_only (gboolean on)
{
  static struct rlimit before;
  struct rlimit none;

  if (!on)
    {
      g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
      return;
    }
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  none = (struct rlimit) { 0, before.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &none), ==, 0);
}

/* The state directory cannot be written, or is full: what is there is served, and why it is not
 * what is wanted is told. */
static void
unwritable (Fixture *f, gconstpointer data)
{
  static const char *const others[] = { "b.example", NULL };
  g_autofree char *pin = make (f);
  const CertOwnWish same = wish_for (f, names, NOW_S);
  CertOwnWish wishes[] = { wish_for (f, others, NOW_S), wish_for (f, names, NOW_S + 200 * DAY) };
  g_autofree char *found = NULL;
  g_autofree char *crt = content (f->crt);
  g_autofree char *key = content (f->key);

  wishes[1].replace_expired = TRUE;
  set_read_only (TRUE);
  found = pin_of (&same, CERT_OWN_FINE, CERT_OWN_FROM_FILES);
  g_assert_cmpstr (found, ==, pin);
  for (guint i = 0; i < G_N_ELEMENTS (wishes); i++)
    {
      g_auto (CertOwnOutcome) outcome = { 0 };
      g_autoptr (DetourCert) cert = cert_own_obtain (&wishes[i], &outcome, NULL);
      g_autofree char *kept = cert_own_pin (cert);
      g_autofree char *crt_now = content (f->crt);
      g_autofree char *key_now = content (f->key);

      g_assert_cmpstr (kept, ==, pin);
      g_assert_cmpint (outcome.origin, ==, CERT_OWN_FROM_FILES);
      g_assert_nonnull (outcome.unwritten);
      g_assert_cmpstr (crt_now, ==, crt);
      g_assert_cmpstr (key_now, ==, key);
    }
  set_read_only (FALSE);
}

/* A damaged pair that cannot be written back is served from its copy; without a copy nothing is. */
static void
damaged_and_unwritable (Fixture *f, gconstpointer data)
{
  g_autofree char *pin = make (f);
  const CertOwnWish wish = wish_for (f, names, NOW_S);
  g_auto (CertOwnOutcome) outcome = { 0 };
  g_auto (CertOwnOutcome) none = { 0 };
  g_autoptr (DetourCert) cert = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;

  g_assert_cmpint (g_remove (f->key), ==, 0);
  set_read_only (TRUE);
  cert = cert_own_obtain (&wish, &outcome, NULL);
  found = cert_own_pin (cert);
  g_assert_cmpstr (found, ==, pin);
  g_assert_nonnull (outcome.unwritten);
  g_assert_true (g_file_test (f->crt, G_FILE_TEST_EXISTS)); /* else the next start makes a pair */
  remove_copies (f);
  g_assert_null (cert_own_obtain (&wish, &none, &error));
  g_assert_nonnull (error);
  set_read_only (FALSE);
}

static void
expect_refused (Fixture *f, const char *text)
{
  const CertOwnWish wish = wish_for (f, names, NOW_S);
  g_auto (CertOwnOutcome) outcome = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_null (cert_own_obtain (&wish, &outcome, &error));
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, text));
}

/* What cannot be read, or should not be believed, is not overwritten, and stops nothing. */
static void
unreadable (Fixture *f, gconstpointer data)
{
  g_autofree char *pin = NULL;

  g_assert_cmpint (g_mkdir (f->crt, 0700), ==, 0);
  expect_refused (f, "selfsigned-x.crt");
  g_assert_cmpint (g_rmdir (f->crt), ==, 0);
  g_assert_cmpint (mkfifo (f->key, 0600), ==, 0);
  expect_refused (f, "selfsigned-x.key");
  g_assert_cmpint (g_remove (f->key), ==, 0);
  g_assert_cmpint (symlink ("/dev/zero", f->crt), ==, 0);
  expect_refused (f, "selfsigned-x.crt");
  g_assert_cmpint (g_remove (f->crt), ==, 0);

  pin = make (f);
  g_assert_cmpint (chmod (f->key, 0604), ==, 0);
  expect_refused (f, "selfsigned-x.key");
  g_assert_cmpint (chmod (f->key, 0620), ==, 0);
  expect_refused (f, "selfsigned-x.key");
  g_assert_cmpint (chmod (f->key, 0600), ==, 0);
  g_assert_cmpint (chmod (f->crt, 0666), ==, 0);
  expect_refused (f, "selfsigned-x.crt");
  g_assert_cmpint (truncate (f->crt, 70000), ==, 0);
  g_assert_cmpint (chmod (f->crt, 0600), ==, 0);
  expect_refused (f, "selfsigned-x.crt");
  g_assert_cmpuint (count_copies (f), ==, 1);
}

static void
no_folder (Fixture *f, gconstpointer data)
{
  g_autofree char *stem = g_build_filename (f->folder, "none", "x", NULL);
  CertOwnWish wish = wish_for (f, names, NOW_S);
  g_auto (CertOwnOutcome) outcome = { 0 };
  g_autoptr (GError) error = NULL;

  wish.stem = stem;
  g_assert_null (cert_own_obtain (&wish, &outcome, &error));
  g_assert_nonnull (error);
}

/* Clients would take it for the meta certificate, or libraries refuse its length. */
static void
subject (Fixture *f, gconstpointer data)
{
  static const char *const cases[] = {
    "derpkey.example",
    "a123456789012345678901234567890.b123456789012345678901234567890.c",
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const char *const one[] = { cases[i], NULL };
      g_autoptr (DetourCert) cert = obtain (f, one);
      g_autofree char *found = common_name (cert);

      g_assert_cmpstr (found, ==, "relay");
    }
}

static void
check_names (void)
{
  static const struct {
    const char *name;
    gboolean good;
  } cases[] = {
    { "relay.example", TRUE },
    { "localhost", TRUE },
    { "*.relay.example", TRUE },
    { "192.0.2.7", TRUE },
    { "2001:db8::7", TRUE },
    { "a-b_c.x1", TRUE },
    { "xn--bcher-kva.example", TRUE },
    { "", FALSE },
    { "[2001:db8::7]", FALSE },
    { "relay.example:443", FALSE },
    { "a b", FALSE },
    { ".example", FALSE },
    { "a..b", FALSE },
    { "a.", FALSE },
    { "-a.b", FALSE },
    { "*", FALSE },
    { "a.*.b", FALSE },
    { "\"", FALSE },
    { "b\xc3\xbc.x", FALSE },
    { "a234567890123456789012345678901234567890123456789012345678901234.b", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", cases[i].name);
      g_assert_cmpint (cert_own_check_name (cases[i].name, &error), ==, cases[i].good);
      g_assert_cmpint (error == NULL, ==, cases[i].good);
    }
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, setup, function, teardown)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  umask (0077);
  ADD ("/cert-own/fields", fields);
  ADD ("/cert-own/files-are-private", private_files);
  ADD ("/cert-own/pin-is-the-same-next-time", stable_pin);
  ADD ("/cert-own/wrong-clock-changes-nothing", wrong_clock);
  ADD ("/cert-own/clock-older-than-the-program", built_later);
  ADD ("/cert-own/expired-is-replaced-late-and-kept", replaced);
  ADD ("/cert-own/other-names-and-back", renamed);
  ADD ("/cert-own/damaged-files-come-back-from-the-copy", damaged);
  ADD ("/cert-own/damaged-files-without-copy-are-kept", damaged_without_copy);
  ADD ("/cert-own/halves-of-two-pairs", mixed);
  ADD ("/cert-own/pair-without-copy-gets-one", copied_later);
  ADD ("/cert-own/both-files-removed", removed);
  ADD ("/cert-own/copies-of-a-neighbour", neighbours);
  ADD ("/cert-own/unwritable-folder", unwritable);
  ADD ("/cert-own/damaged-and-unwritable", damaged_and_unwritable);
  ADD ("/cert-own/unreadable-files-stay", unreadable);
  ADD ("/cert-own/no-folder-for-it", no_folder);
  ADD ("/cert-own/subject-is-not-taken-for-the-meta-certificate", subject);
  g_test_add_func ("/cert-own/names", check_names);
  return g_test_run ();
}
