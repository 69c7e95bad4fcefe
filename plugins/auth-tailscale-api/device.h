/* device.h: one device of a tailnet, and whether it may use a relay.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions, any thread. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Texts come from the API: valid UTF-8, never NULL, "" where the API says nothing. */
typedef struct {
  guint8 key[DETOUR_KEY_SIZE]; /* of the node, as a client shows it to the relay */
  gint64 expires;              /* when the key ends, Unix time in seconds; 0: never */
  const char *id;              /* stays the same when the key changes */
  const char *name;            /* without the domain */
  const char *owner;           /* login name of the user */
  const char *tags;            /* "tag:one,tag:two" */
  gboolean authorized;         /* FALSE: waits for an administrator's approval */
} Device;

typedef enum {
  DEVICE_WELCOME,
  DEVICE_WAITS_FOR_APPROVAL,
  DEVICE_EXPIRED,
  DEVICE_HAS_NO_WANTED_TAG,
} DeviceStanding;

/**
 * device_standing:
 * @tags: (array zero-terminated=1): as in the list of a configuration; the device must have one of
 *   them; empty: it need not
 * @now: Unix time in seconds
 */
DeviceStanding device_standing (const Device *self, const char *const *tags, gint64 now);
/* Why a device with that standing is not admitted; static. */
const char *device_standing_reason (DeviceStanding standing);

/* Whether it has @tag, written with or without "tag:". */
gboolean device_has_tag (const Device *self, const char *tag);

/* "laptop (anna@example.com)", "server (tag:web, tag:prod)"; free with g_free(). */
char *device_label (const Device *self);

/* "nodekey:" and 64 hex digits. FALSE: @text has another form, or is a key of zeros, which is
 * nobody's. */
gboolean device_parse_key (const char *text, guint8 key[DETOUR_KEY_SIZE]) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
