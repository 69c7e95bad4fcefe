/* detour-account.h: what a class or a tenant has in use: connections, and bytes that its clients
 * sent.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Workers add to it now and then, what their connections have counted since, never for each
 * packet. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Reference-counted, any thread. */
typedef struct {
  gatomicrefcount refs;
  const char *kind; /* "class", "tenant"; interned */
  const char *name; /* interned */
  guint64 bytes;    /* since it was made; atomic */
  guint n_conns;    /* those on their way to a worker included; atomic */
} DetourAccount;

DetourAccount *detour_account_new (const char *kind, const char *name);
DetourAccount *detour_account_ref (DetourAccount *self);
void detour_account_unref (DetourAccount *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourAccount, detour_account_unref)

void detour_account_add (DetourAccount *self, guint64 bytes);
guint64 detour_account_bytes (const DetourAccount *self);

/* One connection more. @limit: 0: none. FALSE: the limit is reached, and nothing was counted. */
gboolean detour_account_enter (DetourAccount *self, guint limit) G_GNUC_WARN_UNUSED_RESULT;
void detour_account_leave (DetourAccount *self);
guint detour_account_n_conns (const DetourAccount *self);

G_END_DECLS
