/* list-trust.h: which list of devices counts, and for how long.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A list counts until it is older than `grace`. One that has lost most devices is doubted: the one
 * before counts as well, until it was said three times. No clock is read here. */
#pragma once

#include "device-table.h"

G_BEGIN_DECLS

/* So often the API has to say that most devices are gone. */
#define LIST_TRUST_TIMES 3u

/* Main thread. Members are read by the owner; written here. */
typedef struct {
  gint64 refresh_us, grace_us;
  const char *const *tags; /* as of device_standing() */

  DeviceTable *table; /* in force; NULL: there is none */
  gint64 listed_us;   /* when it was fetched, monotonic */
  gint64 next_expiry; /* of a key in it, Unix time in seconds */
  gboolean is_proven; /* it came from the API since the start */

  DeviceTable *doubtful; /* NULL: none */
  guint n_doubtful;      /* times that the API has said so */
  gint64 doubtful_us;    /* when that was counted last */
  gboolean believes_all; /* the next list, however short */
} ListTrust;

void list_trust_init (ListTrust *self, gint64 refresh_us, gint64 grace_us, const char *const *tags);
void list_trust_clear (ListTrust *self);

/* A list that was kept. @now: Unix time in seconds, here and below */
void list_trust_recall (ListTrust *self, DeviceTable *table, gint64 listed_us, gint64 now);

/**
 * list_trust_take:
 * @table: of the API
 * @change: against the one in force; anything when there is none
 * @asked_us: when the API was asked
 *
 * Returns: FALSE: the list is doubted.
 */
gboolean list_trust_take (ListTrust *self, DeviceTable *table, const DeviceChange *change,
                          gint64 asked_us, gint64 now_us, gint64 now);

/* Whether there is a list that is not too old. */
gboolean list_trust_holds (const ListTrust *self, gint64 now_us);
/* (nullable): the device with @key, the one that is welcome if two lists have it. There is a list.
 */
const Device *list_trust_find (const ListTrust *self, const guint8 *key, gint64 now);
/* Whether a key that is not on a list that holds is nobody's. */
gboolean list_trust_is_sure (const ListTrust *self);
/* Whether keys have expired since this was asked last. */
gboolean list_trust_has_expired (ListTrust *self, gint64 now);

G_END_DECLS
