/* device-list.h: reads the answers in which an API lists devices.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two shapes: `devices` of Tailscale's API, which Headscale has as well from 0.30 on, and `nodes`
 * of Headscale's own one, with tags as they were named until 0.27 and from 0.28 on. Pure functions,
 * any thread. The text is not trusted. */
#pragma once

#include <gio/gio.h>

#include "device-table.h"

G_BEGIN_DECLS

/* A longer answer is not read to its end. A device takes about one kilobyte. */
#define DEVICE_LIST_MAX (64u * 1024 * 1024)

/**
 * device_list_parse:
 * @text: (array length=len): need not be terminated
 * @cancellable: (nullable): looked at before each entry
 * @n_skipped: (out): entries without a readable node key, or with a member of a wrong type
 * @error: what is wrong with the answer as a whole
 *
 * Returns: (transfer full): a sealed table; NULL with @error set when the answer is no list, or
 * only a part of one.
 */
DeviceTable *device_list_parse (const char *text, gsize len, GCancellable *cancellable,
                                guint *n_skipped, GError **error);

G_END_DECLS
