/* detour-account.c: what a class or a tenant has in use: connections, and bytes that its clients
 * sent.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-account.h"

DetourAccount *
detour_account_new (const char *kind, const char *name)
{
  DetourAccount *self = g_new0 (DetourAccount, 1);

  g_atomic_ref_count_init (&self->refs);
  self->kind = g_intern_string (kind);
  self->name = g_intern_string (name);
  return self;
}

DetourAccount *
detour_account_ref (DetourAccount *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_account_unref (DetourAccount *self)
{
  if (g_atomic_ref_count_dec (&self->refs))
    g_free (self);
}

void
detour_account_add (DetourAccount *self, guint64 bytes)
{
  __atomic_fetch_add (&self->bytes, bytes, __ATOMIC_RELAXED);
}

guint64
detour_account_bytes (const DetourAccount *self)
{
  return __atomic_load_n (&self->bytes, __ATOMIC_RELAXED);
}

gboolean
detour_account_enter (DetourAccount *self, guint limit)
{
  guint before = __atomic_fetch_add (&self->n_conns, 1, __ATOMIC_RELAXED);

  if (limit == 0 || before < limit)
    return TRUE;
  detour_account_leave (self);
  return FALSE;
}

void
detour_account_leave (DetourAccount *self)
{
  guint before = __atomic_fetch_sub (&self->n_conns, 1, __ATOMIC_RELAXED);

  g_assert (before > 0);
}

guint
detour_account_n_conns (const DetourAccount *self)
{
  return __atomic_load_n (&self->n_conns, __ATOMIC_RELAXED);
}
