/* test-cert-store.c: which certificate is for whom.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-cert-store.h"

#include <string.h>

#include "detour-address.h"
#include "detour-cert.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourCertStore, detour_cert_store_free)

/* A certificate whose DER is its @label. */
static DetourCert *
make (const char *label, const char *names)
{
  g_autoptr (GBytes) der = g_bytes_new (label, strlen (label));
  g_auto (GStrv) list = g_strsplit (names, " ", -1);

  return detour_cert_new (&der, 1, (const guint8 *) "secret", 6, (const char *const *) list, 100,
                          200);
}

static void
publish (DetourCertStore *store, const char *instance, const char *label, const char *names)
{
  DetourCert *cert = make (label, names);

  detour_cert_store_publish (store, instance, &cert, 1);
  detour_cert_unref (cert);
}

/* The label of what is found, "" when nothing is. */
static char *
find (DetourCertStore *store, const char *instance, const char *sni, const char *local)
{
  g_autoptr (DetourCert) cert = NULL;
  struct sockaddr_storage storage;
  GBytes *const *chain;
  gsize n;
  const char *data;

  if (local != NULL)
    {
      DetourAddress address = { .port = 443 };
      socklen_t len;

      g_strlcpy (address.host, local, sizeof address.host);
      g_assert_true (detour_address_to_sockaddr (&address, &storage, &len));
    }
  cert = detour_cert_store_find (store, instance, sni,
                                 local != NULL ? (const struct sockaddr *) &storage : NULL);
  if (cert == NULL)
    return g_strdup ("");
  detour_cert_chain (cert, &chain);
  data = g_bytes_get_data (chain[0], &n);
  return g_strndup (data, n);
}

static void
choice (void)
{
  g_autoptr (DetourCertStore) store = detour_cert_store_new ();
  static const struct {
    const char *instance, *sni, *local, *label;
  } cases[] = {
    { NULL, NULL, NULL, "first" },
    { NULL, "relay.example.com", NULL, "relay" },
    { NULL, "RELAY.Example.Com", NULL, "relay" },
    { NULL, "relay.example.com.", NULL, "relay" },
    { NULL, "other.example.com", NULL, "wild" },
    { NULL, "a.other.example.com", NULL, "first" },
    { NULL, "example.com", NULL, "first" },
    { NULL, ".example.com", NULL, "first" },
    { NULL, "", NULL, "first" },
    { NULL, "nobody.example.org", "192.0.2.1", "address" },
    { NULL, NULL, "192.0.2.1", "address" },
    { NULL, NULL, "::ffff:192.0.2.1", "address" },
    { NULL, NULL, "2001:db8::1", "address" },
    { NULL, NULL, "192.0.2.9", "first" },
    { NULL, "relay.example.com", "192.0.2.1", "relay" },
    { NULL, "other.example.com", "192.0.2.1", "wild" },
    { "second", NULL, NULL, "relay" },
    { "cert/second", NULL, NULL, "relay" },
    { "second", NULL, "192.0.2.1", "relay" },
    { "missing", "relay.example.com", NULL, "" },
  };

  publish (store, "cert/first", "first", "first.example.org");
  publish (store, "cert/second", "relay", "relay.example.com");
  publish (store, "cert/third", "wild", "*.example.com");
  publish (store, "cert/fourth", "address", "192.0.2.1 2001:db8:0:0::1");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *label = find (store, cases[i].instance, cases[i].sni, cases[i].local);

      g_test_message ("%s %s %s", cases[i].instance, cases[i].sni, cases[i].local);
      g_assert_cmpstr (label, ==, cases[i].label);
    }
}

static void
replaced_and_taken_back (void)
{
  g_autoptr (DetourCertStore) store = detour_cert_store_new ();
  guint64 generation = detour_cert_store_generation (store);
  g_autofree char *label = NULL;
  g_autofree char *after = NULL;
  g_autofree char *nothing = NULL;

  publish (store, "cert/a", "old", "a");
  publish (store, "cert/b", "b", "b");
  publish (store, "cert/a", "new", "a");
  g_assert_cmpuint (detour_cert_store_generation (store), ==, generation + 3);
  label = find (store, NULL, NULL, NULL);
  g_assert_cmpstr (label, ==, "new"); /* and keeps its place */

  detour_cert_store_publish (store, "cert/a", NULL, 0);
  after = find (store, NULL, NULL, NULL);
  g_assert_cmpstr (after, ==, "b");
  detour_cert_store_publish (store, "cert/b", NULL, 0);
  nothing = find (store, NULL, NULL, NULL);
  g_assert_cmpstr (nothing, ==, "");
}

static void
outlives_the_store (void)
{
  DetourCertStore *store = detour_cert_store_new ();
  g_autoptr (DetourCert) cert = NULL;
  g_autofree char *pin = NULL;
  gsize n;
  const char *key;

  publish (store, "cert/a", "abc", "a");
  cert = detour_cert_store_find (store, NULL, "a", NULL);
  detour_cert_store_free (store);

  key = g_bytes_get_data (detour_cert_private_key (cert), &n);
  g_assert_cmpmem (key, n, "secret", 6);
  g_assert_cmpint (detour_cert_not_before (cert), ==, 100);
  g_assert_cmpint (detour_cert_not_after (cert), ==, 200);
  g_assert_false (detour_cert_self_signed (cert));
  pin = detour_cert_pin (cert);
  g_assert_cmpstr (pin, ==,
                   "sha256-raw:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void
lists_everything (void)
{
  g_autoptr (DetourCertStore) store = detour_cert_store_new ();
  g_autoptr (GPtrArray) certs = NULL;
  g_auto (GStrv) instances = NULL;
  DetourCert *pair[2] = { make ("x", "x"), make ("y", "y") };

  detour_cert_store_publish (store, "cert/two", pair, 2);
  publish (store, "cert/one", "z", "z");
  certs = detour_cert_store_list (store, &instances);
  g_assert_cmpuint (certs->len, ==, 3);
  g_assert_cmpstr (instances[0], ==, "cert/two");
  g_assert_cmpstr (instances[1], ==, "cert/two");
  g_assert_cmpstr (instances[2], ==, "cert/one");
  detour_cert_unref (pair[0]);
  detour_cert_unref (pair[1]);
}

/* Who has nothing yet, but will have. */
static void
expected (void)
{
  g_autoptr (DetourCertStore) store = detour_cert_store_new ();

  g_assert_false (detour_cert_store_is_expected (store, NULL));
  g_assert_true (detour_cert_store_expect (store, "cert/a", TRUE));
  g_assert_false (detour_cert_store_expect (store, "cert/a", TRUE));
  g_assert_true (detour_cert_store_is_expected (store, NULL));
  g_assert_true (detour_cert_store_is_expected (store, "a"));
  g_assert_true (detour_cert_store_is_expected (store, "cert/a"));
  g_assert_false (detour_cert_store_is_expected (store, "b"));
  g_assert_true (detour_cert_store_expect (store, "cert/a", FALSE));
  g_assert_false (detour_cert_store_expect (store, "cert/a", FALSE));
  g_assert_false (detour_cert_store_is_expected (store, NULL));
}

/* Readers on one thread while another publishes. */
static gpointer
read_all_the_time (gpointer data)
{
  DetourCertStore *store = data;

  for (guint i = 0; i < 2000; i++)
    {
      DetourCert *cert = detour_cert_store_find (store, NULL, "a", NULL);

      g_assert_nonnull (cert);
      detour_cert_unref (cert);
    }
  return NULL;
}

static void
readers_never_wait_for_nothing (void)
{
  g_autoptr (DetourCertStore) store = detour_cert_store_new ();
  GThread *thread;

  publish (store, "cert/a", "0", "a");
  thread = g_thread_new ("reader", read_all_the_time, store);
  for (guint i = 0; i < 200; i++)
    publish (store, "cert/a", "1", "a");
  g_thread_join (thread);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cert-store/expected", expected);
  g_test_add_func ("/cert-store/name-then-address-then-first", choice);
  g_test_add_func ("/cert-store/replaced-and-taken-back", replaced_and_taken_back);
  g_test_add_func ("/cert-store/certificate-outlives-store", outlives_the_store);
  g_test_add_func ("/cert-store/lists-everything", lists_everything);
  g_test_add_func ("/cert-store/read-while-published", readers_never_wait_for_nothing);
  return g_test_run ();
}
