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
  GPtrArray *expected; /* of char *: instances that will publish */
  guint n_expected;    /* of them; atomic */
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
  self->expected = g_ptr_array_new_with_free_func (g_free);
  self->generation = 1;
  return self;
}

void
detour_cert_store_free (DetourCertStore *self)
{
  g_ptr_array_unref (self->shelves);
  g_ptr_array_unref (self->expected);
  g_mutex_clear (&self->lock);
  g_free (self);
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

static gboolean
cert_store_is_named (const char *id, const char *instance)
{
  return instance == NULL || strcmp (id, instance) == 0
      || (g_str_has_prefix (id, "cert/") && strcmp (id + strlen ("cert/"), instance) == 0);
}

gboolean
detour_cert_store_expect (DetourCertStore *self, const char *instance, gboolean expected)
{
  guint i;
  gboolean was_expected, changed;

  g_mutex_lock (&self->lock);
  was_expected = g_ptr_array_find_with_equal_func (self->expected, instance, g_str_equal, &i);
  changed = was_expected != expected;
  if (changed && expected)
    g_ptr_array_add (self->expected, g_strdup (instance));
  else if (changed)
    g_ptr_array_remove_index (self->expected, i);
  __atomic_store_n (&self->n_expected, self->expected->len, __ATOMIC_RELAXED);
  g_mutex_unlock (&self->lock);
  return changed;
}

gboolean
detour_cert_store_is_expected (DetourCertStore *self, const char *instance)
{
  gboolean found = FALSE;

  if (__atomic_load_n (&self->n_expected, __ATOMIC_RELAXED) == 0)
    return FALSE;
  g_mutex_lock (&self->lock);
  for (guint i = 0; !found && i < self->expected->len; i++)
    found = cert_store_is_named (self->expected->pdata[i], instance);
  g_mutex_unlock (&self->lock);
  return found;
}

DetourCert *
detour_cert_store_find (DetourCertStore *self, const char *instance, const char *sni,
                        const struct sockaddr *local)
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

      for (guint j = 0; cert_store_is_named (shelf->instance, instance) && j < shelf->certs->len;
           j++)
        {
          DetourCert *cert = shelf->certs->pdata[j];
          Fit fit = cert_store_fit_of (cert, name, has_local ? bytes : NULL);

          if (fit > best_fit)
            {
              best = cert;
              best_fit = fit;
            }
        }
    }
  return best != NULL ? detour_cert_ref (best) : NULL;
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
          g_ptr_array_add (certs, detour_cert_ref (shelf->certs->pdata[j]));
          g_ptr_array_add (names, g_strdup (shelf->instance));
        }
    }
  g_ptr_array_add (names, NULL);
  *instances = (GStrv) g_ptr_array_free (names, FALSE);
  return certs;
}
