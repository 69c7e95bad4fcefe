/* metrics-access.h: who may read the numbers of the relay.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct _MetricsAccess MetricsAccess;

/* @networks: (array zero-terminated=1): in the form of DETOUR_CONFIG_CIDR; must outlive it */
MetricsAccess *metrics_access_new (const char *const *networks);
void metrics_access_free (MetricsAccess *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MetricsAccess, metrics_access_free)

/* @key: (nullable): a word by which anyone is allowed; copied. Any thread. */
void metrics_access_set_key (MetricsAccess *self, const char *key);

/* By the key; else not when a proxy hands the request on; else by the address. Whoever may connect
 * to a Unix socket is allowed. Any thread. */
gboolean metrics_access_allows (MetricsAccess *self, const DetourHttpRequest *request);

G_END_DECLS
