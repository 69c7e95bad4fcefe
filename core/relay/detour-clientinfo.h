/* detour-clientinfo.h: what a client says of itself when it logs in.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-frame.h"

G_BEGIN_DECLS

/* The longest text; today's clients send 32 bytes. */
#define DETOUR_CLIENTINFO_TEXT_MAX 16384u

typedef struct {
  gint64 version; /* of the protocol; nothing depends on it */
  gboolean can_ack_pings;
  gboolean is_prober;
  gboolean has_snake_case;                      /* members like can_ack_pings, which mean nothing */
  gboolean has_mesh_key;                        /* it came, right or wrong */
  guint8 mesh_key[DETOUR_KEY_SIZE];             /* secret: wipe it */
  char app_name[DETOUR_FRAME_APP_NAME_MAX + 1]; /* printable ASCII; "" when none */
} DetourClientInfo;

/**
 * detour_clientinfo_parse:
 * @text: JSON, not terminated
 * @len: bytes of @text
 * @info: where to put the answers; all of it is written
 *
 * Takes an object or `null`. Names are compared without regard to case, the last of several counts,
 * unknown ones are skipped. Stricter than the reference in that the text must be valid UTF-8
 * without NUL or half surrogates, at most 32 levels deep and DETOUR_CLIENTINFO_TEXT_MAX bytes long.
 *
 * Returns: FALSE, with a static text in *@reason, when the login must be refused.
 */
gboolean detour_clientinfo_parse (const char *text, gsize len, DetourClientInfo *info,
                                  const char **reason) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
