/* detour-rate-config.h: derper's JSON file of receive rates.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOUR_RATE_CONFIG_ERROR (detour_rate_config_error_quark ())
GQuark detour_rate_config_error_quark (void);

typedef enum {
  DETOUR_RATE_CONFIG_ERROR_FORM,
} DetourRateConfigError;

typedef struct {
  guint64 rate;  /* bytes a second from one client; 0: no limit */
  guint64 burst; /* bytes; 0 when there is no limit */
} DetourRateConfig;

/**
 * detour_rate_config_parse:
 * @text: (array length=len): one JSON object; names count without regard to case, unknown ones are
 * skipped
 *
 * Pure. Returns: FALSE with @error set when it is no such object, or a value is no whole number
 * from 0 up.
 */
gboolean detour_rate_config_parse (const char *text, gsize len, DetourRateConfig *config,
                                   GError **error);

/* Reads a file of at most 64 KiB. */
gboolean detour_rate_config_load (const char *path, DetourRateConfig *config, GError **error);

G_END_DECLS
