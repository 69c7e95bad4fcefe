/* detourctl-derp.h: a client of DERP with a key that is thrown away: login, packets.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Blocking; any thread. */
#pragma once

#include "detour-dial-login.h"
#include "detourctl-dial.h"

G_BEGIN_DECLS

typedef struct {
  DetourctlStream stream;
  DetourKey key, server;
  guint8 secret[DETOUR_KEY_SIZE];
} DetourctlDerp;

/* Makes a fresh key. */
void detourctl_derp_init (DetourctlDerp *self);

/* `stream` is connected: asks for DERP, and reads the greeting into `server`. */
gboolean detourctl_derp_upgrade (DetourctlDerp *self, const char *host, GError **error);

/**
 * detourctl_derp_login:
 * @mesh_key: (nullable): 32 bytes
 *
 * Logs in, and waits for the relay's word on it. A relay that refuses closes or says nothing:
 * G_IO_ERROR_CLOSED or G_IO_ERROR_TIMED_OUT.
 */
gboolean detourctl_derp_login (DetourctlDerp *self, const guint8 *mesh_key, GError **error);
/* Whether that is how a login fails which the relay refuses. Pure. */
gboolean detourctl_derp_is_refusal (const GError *error);

gboolean detourctl_derp_send (DetourctlDerp *self, const DetourKey *to, gconstpointer data,
                              gsize len, GError **error);
/* Waits for exactly that packet, and skips other frames. */
gboolean detourctl_derp_expect (DetourctlDerp *self, const DetourKey *from, gconstpointer data,
                                gsize len, GError **error);

/* Whether it came that the relay does not know @peer; reads what is there, and waits for a moment
 * only. */
gboolean detourctl_derp_was_told_gone (DetourctlDerp *self, const DetourKey *peer);

/* Closes and wipes. */
void detourctl_derp_clear (DetourctlDerp *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourctlDerp, detourctl_derp_clear)

G_END_DECLS
