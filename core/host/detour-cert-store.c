/* detour-cert-store.c: all certificates there are at a time, and which one is for whom.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-cert-store.h"

#include <arpa/inet.h>
#include <string.h>

#include "detour-address.h"

typedef struct {
  char *instance; /* "cert/main" */
  GPtrArray *certs;
} Shelf;

/* Publishing replaces the array as a whole, so a reader works on what it took without the lock. */
struct _DetourCertStore {
  GMutex lock;
  GPtrArray *shelves; /* Shelf, never changed once it is here */
  guint64 generation;
  gboolean has_protocols; /* some certificate has a protocol of its own; atomic */
};

static void
cert_store_shelf_free (gpointer data)
{
  Shelf *shelf = data;

  g_free (shelf->instance);
  g_ptr_array_unref (shelf->certs);
  g_free (shelf);
}

static Shelf *
cert_store_shelf_new (const char *instance, DetourCert *const *certs, guint n)
{
  Shelf *shelf = g_new0 (Shelf, 1);

  shelf->instance = g_strdup (instance);
  shelf->certs = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_cert_unref);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (shelf->certs, detour_cert_ref (certs[i]));
  return shelf;
}

static Shelf *
cert_store_shelf_copy (const Shelf *shelf)
{
  return cert_store_shelf_new (shelf->instance, (DetourCert *const *) shelf->certs->pdata,
                               shelf->certs->len);
}

DetourCertStore *
detour_cert_store_new (void)
{
  DetourCertStore *self = g_new0 (DetourCertStore, 1);

  g_mutex_init (&self->lock);
  self->shelves = g_ptr_array_new_with_free_func (cert_store_shelf_free);
  self->generation = 1;
  return self;
}

void
detour_cert_store_free (DetourCertStore *self)
{
  g_ptr_array_unref (self->shelves);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static guint
cert_store_count_protocols (const GPtrArray *shelves)
{
  guint n = 0;

  for (guint i = 0; i < shelves->len; i++)
    {
      const Shelf *shelf = shelves->pdata[i];

      for (guint j = 0; j < shelf->certs->len; j++)
        n += detour_cert_alpn (shelf->certs->pdata[j]) != NULL;
    }
  return n;
}

static GPtrArray *
cert_store_take (DetourCertStore *self)
{
  GPtrArray *shelves;

  g_mutex_lock (&self->lock);
  shelves = g_ptr_array_ref (self->shelves);
  g_mutex_unlock (&self->lock);
  return shelves;
}

void
detour_cert_store_publish (DetourCertStore *self, const char *instance, DetourCert *const *certs,
                           guint n)
{
  GPtrArray *shelves = g_ptr_array_new_with_free_func (cert_store_shelf_free);
  g_autoptr (GPtrArray) before = NULL;
  gboolean placed = n == 0;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->shelves->len; i++)
    {
      const Shelf *shelf = self->shelves->pdata[i];

      if (strcmp (shelf->instance, instance) != 0)
        g_ptr_array_add (shelves, cert_store_shelf_copy (shelf));
      else if (!placed)
        {
          g_ptr_array_add (shelves, cert_store_shelf_new (instance, certs, n));
          placed = TRUE;
        }
    }
  if (!placed)
    g_ptr_array_add (shelves, cert_store_shelf_new (instance, certs, n));
  before = self->shelves;
  self->shelves = shelves;
  __atomic_store_n (&self->has_protocols, cert_store_count_protocols (shelves) > 0,
                    __ATOMIC_RELAXED);
  __atomic_store_n (&self->generation, self->generation + 1, __ATOMIC_RELAXED);
  g_mutex_unlock (&self->lock);
}

guint64
detour_cert_store_generation (const DetourCertStore *self)
{
  return __atomic_load_n (&self->generation, __ATOMIC_RELAXED);
}

/* How well a certificate fits; the best wins, the first among equals. */
typedef enum {
  FIT_NOT,
  FIT_ANY,
  FIT_ADDRESS,
  FIT_WILDCARD,
  FIT_NAME,
  FIT_PROTOCOL, /* and name */
} Fit;

static gboolean
cert_store_same_address (const char *name, const guint8 local[16])
{
  DetourCidr cidr;

  return strchr (name, '/') == NULL && detour_cidr_parse (name, &cidr, NULL)
      && memcmp (cidr.bytes, local, 16) == 0;
}

static Fit
cert_store_fit_of (const DetourCert *cert, const char *sni, const guint8 *local)
{
  const char *const *names = detour_cert_names (cert);
  const char *rest = sni != NULL ? strchr (sni, '.') : NULL;
  Fit best = FIT_ANY;

  for (guint i = 0; names[i] != NULL; i++)
    {
      Fit fit = FIT_ANY;

      if (sni != NULL && g_ascii_strcasecmp (names[i], sni) == 0)
        fit = FIT_NAME;
      else if (rest != NULL && rest != sni && g_str_has_prefix (names[i], "*.")
               && g_ascii_strcasecmp (names[i] + 1, rest) == 0)
        fit = FIT_WILDCARD;
      else if (local != NULL && cert_store_same_address (names[i], local))
        fit = FIT_ADDRESS;
      best = MAX (best, fit);
    }
  return best;
}

/* A certificate with a protocol is the answer to one question, and to nothing else. */
static Fit
cert_store_fit_offered (const DetourCert *cert, const char *sni, const guint8 *local,
                        const char *const *alpn)
{
  const char *protocol = detour_cert_alpn (cert);

  if (protocol == NULL)
    return cert_store_fit_of (cert, sni, local);
  if (sni == NULL || alpn == NULL || !g_strv_contains (alpn, protocol)
      || cert_store_fit_of (cert, sni, NULL) != FIT_NAME)
    return FIT_NOT;
  return FIT_PROTOCOL;
}

static gboolean
cert_store_is_instance (const Shelf *shelf, const char *instance)
{
  return instance == NULL || strcmp (shelf->instance, instance) == 0
      || (g_str_has_prefix (shelf->instance, "cert/")
          && strcmp (shelf->instance + strlen ("cert/"), instance) == 0);
}

DetourCert *
detour_cert_store_find_offered (DetourCertStore *self, const char *instance, const char *sni,
                                const struct sockaddr *local, const char *const *alpn)
{
  g_autoptr (GPtrArray) shelves = cert_store_take (self);
  g_autofree char *name = g_strdup (sni);
  guint8 bytes[16];
  gboolean has_local = local != NULL && detour_address_bytes (local, bytes);
  DetourCert *best = NULL;
  Fit best_fit = FIT_NOT;

  if (name != NULL && g_str_has_suffix (name, "."))
    name[strlen (name) - 1] = '\0';
  for (guint i = 0; i < shelves->len; i++)
    {
      const Shelf *shelf = shelves->pdata[i];

      for (guint j = 0; cert_store_is_instance (shelf, instance) && j < shelf->certs->len; j++)
        {
          DetourCert *cert = shelf->certs->pdata[j];
          Fit fit = cert_store_fit_offered (cert, name, has_local ? bytes : NULL, alpn);

          if (fit > best_fit)
            {
              best = cert;
              best_fit = fit;
            }
        }
    }
  return best != NULL ? detour_cert_ref (best) : NULL;
}

DetourCert *
detour_cert_store_find (DetourCertStore *self, const char *instance, const char *sni,
                        const struct sockaddr *local)
{
  return detour_cert_store_find_offered (self, instance, sni, local, NULL);
}

char **
detour_cert_store_protocols (DetourCertStore *self)
{
  g_autoptr (GPtrArray) shelves = NULL;
  g_autoptr (GStrvBuilder) protocols = NULL;

  if (!__atomic_load_n (&self->has_protocols, __ATOMIC_RELAXED))
    return NULL;
  shelves = cert_store_take (self);
  protocols = g_strv_builder_new ();
  for (guint i = 0; i < shelves->len; i++)
    {
      const Shelf *shelf = shelves->pdata[i];

      for (guint j = 0; j < shelf->certs->len; j++)
        if (detour_cert_alpn (shelf->certs->pdata[j]) != NULL)
          g_strv_builder_add (protocols, detour_cert_alpn (shelf->certs->pdata[j]));
    }
  return g_strv_builder_end (protocols);
}

GPtrArray *
detour_cert_store_list (DetourCertStore *self, GStrv *instances)
{
  g_autoptr (GPtrArray) shelves = cert_store_take (self);
  GPtrArray *certs = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_cert_unref);
  GPtrArray *names = g_ptr_array_new ();

  for (guint i = 0; i < shelves->len; i++)
    {
      const Shelf *shelf = shelves->pdata[i];

      for (guint j = 0; j < shelf->certs->len; j++)
        {
          if (detour_cert_alpn (shelf->certs->pdata[j]) != NULL)
            continue;
          g_ptr_array_add (certs, detour_cert_ref (shelf->certs->pdata[j]));
          g_ptr_array_add (names, g_strdup (shelf->instance));
        }
    }
  g_ptr_array_add (names, NULL);
  *instances = (GStrv) g_ptr_array_free (names, FALSE);
  return certs;
}
