/* test-tls-host.c: a host with just the services that transport-tls asks for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-tls-host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct _DetourCert {
  gatomicrefcount refs;
  GPtrArray *chain;
  GBytes *key;
  char **names;
  gint64 not_before, not_after;
};

struct _DetourHost {
  GPtrArray *certs;
  guint64 generation;
  guint8 key[DETOUR_KEY_SIZE];
  char *trouble;
  GHashTable *counters;
};

DetourHost *
test_host_new (void)
{
  DetourHost *self = g_new0 (DetourHost, 1);

  self->certs = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_cert_unref);
  self->counters = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    self->key[i] = (guint8) (0xa0 + i);
  return self;
}

void
test_host_free (DetourHost *self)
{
  g_ptr_array_unref (self->certs);
  g_hash_table_unref (self->counters);
  g_free (self->trouble);
  g_free (self);
}

void
test_host_publish (DetourHost *self, DetourCert *const *certs, guint n)
{
  g_ptr_array_set_size (self->certs, 0);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (self->certs, detour_cert_ref (certs[i]));
  self->generation++;
}

const char *
test_host_trouble (DetourHost *self)
{
  return self->trouble;
}

guint64
test_host_counter (DetourHost *self, const char *name)
{
  return detour_counter_get (detour_host_counter (self, name, ""));
}

DetourCert *
detour_cert_new (GBytes *const *chain, guint n_chain, GBytes *private_key, const char *const *names,
                 gint64 not_before, gint64 not_after)
{
  DetourCert *self = g_new0 (DetourCert, 1);

  g_atomic_ref_count_init (&self->refs);
  self->chain = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  for (guint i = 0; i < n_chain; i++)
    g_ptr_array_add (self->chain, g_bytes_ref (chain[i]));
  self->key = g_bytes_ref (private_key);
  self->names = g_strdupv ((char **) names);
  self->not_before = not_before;
  self->not_after = not_after;
  return self;
}

DetourCert *
detour_cert_ref (DetourCert *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_cert_unref (DetourCert *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_ptr_array_unref (self->chain);
  g_bytes_unref (self->key);
  g_strfreev (self->names);
  g_free (self);
}

guint
detour_cert_chain (const DetourCert *self, GBytes *const **chain)
{
  *chain = (GBytes *const *) self->chain->pdata;
  return self->chain->len;
}

GBytes *
detour_cert_private_key (const DetourCert *self)
{
  return self->key;
}

const char *const *
detour_cert_names (const DetourCert *self)
{
  return (const char *const *) self->names;
}

const guint8 *
detour_host_server_key (DetourHost *host)
{
  return host->key;
}

guint64
detour_host_cert_generation (DetourHost *host)
{
  return host->generation;
}

DetourCert *
detour_host_find_cert (DetourHost *host, const char *instance, const char *sni, const struct sockaddr *local)
{
  char address[INET_ADDRSTRLEN] = "";

  if (local != NULL && local->sa_family == AF_INET)
    inet_ntop (AF_INET, &((const struct sockaddr_in *) (const void *) local)->sin_addr, address, sizeof address);
  for (guint i = 0; sni != NULL && i < host->certs->len; i++)
    if (g_strv_contains (detour_cert_names (host->certs->pdata[i]), sni))
      return detour_cert_ref (host->certs->pdata[i]);
  for (guint i = 0; i < host->certs->len; i++)
    if (g_strv_contains (detour_cert_names (host->certs->pdata[i]), address))
      return detour_cert_ref (host->certs->pdata[i]);
  return host->certs->len > 0 ? detour_cert_ref (host->certs->pdata[0]) : NULL;
}

DetourCounter *
detour_host_counter (DetourHost *host, const char *name, const char *help)
{
  DetourCounter *counter = g_hash_table_lookup (host->counters, name);

  if (counter == NULL)
    {
      counter = g_new0 (DetourCounter, 1);
      g_hash_table_insert (host->counters, (gpointer) name, counter);
    }
  return counter;
}

void
detour_host_set_trouble (DetourHost *host, const char *format, ...)
{
  va_list args;

  g_clear_pointer (&host->trouble, g_free);
  if (format == NULL)
    return;
  va_start (args, format);
  host->trouble = g_strdup_vprintf (format, args);
  va_end (args);
}

/* What the descriptor of the plugin names, and these tests do not call. */
gboolean
detour_host_listen (DetourHost *host, const DetourSettings *settings, const DetourListenerSpec *spec, GError **error)
{
  g_assert_not_reached ();
}

const char *
detour_settings_string (const DetourSettings *self, const char *key)
{
  g_assert_not_reached ();
}

gboolean
detour_settings_has (const DetourSettings *self, const char *key)
{
  g_assert_not_reached ();
}

const char *const *
detour_settings_list (const DetourSettings *self, const char *key)
{
  g_assert_not_reached ();
}

void
detour_settings_error (const DetourSettings *self, const char *key, GError **error, const char *format, ...)
{
  g_assert_not_reached ();
}
