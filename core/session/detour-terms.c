/* detour-terms.c: the terms on which a client uses the relay: what its class and its tenant set.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-terms.h"

DetourTerms *
detour_terms_new (const DetourTerms *fields)
{
  DetourTerms *self = g_memdup2 (fields, sizeof *fields);

  g_atomic_ref_count_init (&self->refs);
  self->class_ = g_intern_string (fields->class_);
  self->tenant = g_intern_string (fields->tenant);
  self->over = g_intern_string (fields->over);
  self->denial = g_strdup (fields->denial);
  for (guint i = 0; i < DETOUR_TERMS_N_SHARES; i++)
    if (self->shares[i].account != NULL)
      detour_account_ref (self->shares[i].account);
  return self;
}

DetourTerms *
detour_terms_ref (DetourTerms *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_terms_unref (DetourTerms *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  for (guint i = 0; i < DETOUR_TERMS_N_SHARES; i++)
    g_clear_pointer (&self->shares[i].account, detour_account_unref);
  g_free ((char *) self->denial);
  g_free (self);
}

void
detour_terms_refusal_clear (DetourTermsRefusal *self)
{
  g_clear_pointer (&self->reason, g_free);
}

static void
terms_refuse (const DetourTermsShare *share, DetourTermsRefusal *refusal)
{
  const DetourAccount *account = share->account;
  g_autofree char *by = g_strconcat (account->kind, "/", account->name, NULL);

  refusal->by = g_intern_string (by);
  refusal->reason = g_strdup_printf ("%s %s has its %u connections", account->kind, account->name,
                                     share->connections);
}

gboolean
detour_terms_enter (DetourTerms *self, DetourTermsRefusal *refusal)
{
  *refusal = (DetourTermsRefusal) { NULL };
  if (self->denial != NULL)
    {
      refusal->by = self->over;
      refusal->reason = g_strdup (self->denial);
      return FALSE;
    }
  for (guint i = 0; i < DETOUR_TERMS_N_SHARES; i++)
    {
      const DetourTermsShare *share = &self->shares[i];

      if (share->account == NULL || detour_account_enter (share->account, share->connections))
        continue;
      while (i-- > 0)
        if (self->shares[i].account != NULL)
          detour_account_leave (self->shares[i].account);
      terms_refuse (share, refusal);
      return FALSE;
    }
  return TRUE;
}

void
detour_terms_move_in (DetourTerms *self)
{
  for (guint i = 0; i < DETOUR_TERMS_N_SHARES; i++)
    if (self->shares[i].account != NULL)
      {
        gboolean is_in = detour_account_enter (self->shares[i].account, 0);

        g_assert (is_in);
      }
}

void
detour_terms_leave (DetourTerms *self)
{
  for (guint i = 0; i < DETOUR_TERMS_N_SHARES; i++)
    if (self->shares[i].account != NULL)
      detour_account_leave (self->shares[i].account);
}

void
detour_terms_charge (DetourTerms *self, guint64 bytes)
{
  for (guint i = 0; i < DETOUR_TERMS_N_SHARES; i++)
    if (self->shares[i].account != NULL)
      detour_account_add (self->shares[i].account, bytes);
}
