/* detour-http-upgrade.h: how a request for /derp goes on: as DERP, as WebSocket, or not at all.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-client-kind.h"
#include "detour-http-head.h"
#include "detour-key.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

/* Where DERP is, byte by byte; no plugin can have it. */
#define DETOUR_HTTP_UPGRADE_PATH "/derp"

typedef enum {
  DETOUR_HTTP_UPGRADE_NONE, /* answered 426; the connection stays usable */
  DETOUR_HTTP_UPGRADE_DERP,
  DETOUR_HTTP_UPGRADE_WEBSOCKET,
} DetourHttpUpgradeProtocol;

typedef struct {
  DetourHttpUpgradeProtocol protocol;
  gboolean fast_start; /* DERP only: write no response, the peer does not wait for one */
  gboolean
      not_ideal; /* DERP only: the peer would rather be connected to another node of the region */
  DetourClientKind kind; /* which program asks, as far as the request shows */
} DetourHttpUpgrade;

/**
 * detour_http_upgrade_of:
 * @head: parsed OK
 *
 * Looks at headers only: method, version and the Connection header do not matter to clients in the
 * field.
 */
DetourHttpUpgrade detour_http_upgrade_of (const DetourHttpHead *head);

/* Exact length of what detour_http_upgrade_answer() appends. */
#define DETOUR_HTTP_UPGRADE_ANSWER_SIZE 172u

/**
 * detour_http_upgrade_answer:
 * @out: with DETOUR_HTTP_UPGRADE_ANSWER_SIZE bytes of room
 *
 * Appends the 101 of DERP without fast start.
 */
void detour_http_upgrade_answer (const DetourKey *server_key, DetourBuffer *out);

G_END_DECLS
