/* detour-address-counts.h: how many connections come from each client address.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any thread; never used for packets. */
#pragma once

#include "detour-address-key.h"

G_BEGIN_DECLS

typedef struct _DetourAddressCounts DetourAddressCounts;

DetourAddressCounts *detour_address_counts_new (void);
void detour_address_counts_free (DetourAddressCounts *self);

/**
 * detour_address_counts_enter:
 * @limit: connections that one address may have; 0: it is not counted
 * @key: (out): for detour_address_counts_leave()
 *
 * Returns: FALSE when the address has @limit connections already; nothing was counted then.
 */
gboolean detour_address_counts_enter (DetourAddressCounts *self, const struct sockaddr *peer,
                                      guint limit, DetourAddressKey *key) G_GNUC_WARN_UNUSED_RESULT;

/* Counts another one under a key of before, whatever the limit. */
void detour_address_counts_restore (DetourAddressCounts *self, const DetourAddressKey *key);

/* Once for each enter() that returned TRUE, and each restore(); @key is cleared. */
void detour_address_counts_leave (DetourAddressCounts *self, DetourAddressKey *key);

/* Addresses with a connection. */
guint detour_address_counts_size (DetourAddressCounts *self);

G_END_DECLS
