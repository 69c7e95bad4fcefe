/* detour-control-error.h: errors of calls over D-Bus, with their names there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define DETOUR_CONTROL_ERROR (detour_control_error_quark ())
/* Registers the names io.github.detourd.Detour1.Error.NAME. */
GQuark detour_control_error_quark (void);

/* Described in data/io.github.detourd.Detour1.xml. */
typedef enum {
  DETOUR_CONTROL_ERROR_NO_SUCH_INSTANCE,
  DETOUR_CONTROL_ERROR_NO_SUCH_CLIENT,
  DETOUR_CONTROL_ERROR_NO_SUCH_KEY,
  DETOUR_CONTROL_ERROR_AMBIGUOUS,
  DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
  DETOUR_CONTROL_ERROR_NOT_ALLOWED,
  DETOUR_CONTROL_ERROR_START_FAILED,
  DETOUR_CONTROL_ERROR_NOT_LASTING,
  DETOUR_CONTROL_ERROR_EXPIRED,
  DETOUR_CONTROL_ERROR_BUSY,
  DETOUR_CONTROL_ERROR_NOT_AVAILABLE,
  DETOUR_CONTROL_ERROR_RENEWAL_FAILED,
  DETOUR_CONTROL_ERROR_NO_SUCH_BAN,
  DETOUR_CONTROL_ERROR_UPGRADE_REFUSED,
  DETOUR_N_CONTROL_ERRORS,
} DetourControlError;

G_END_DECLS
