/* detour-control-error.c: errors of calls over D-Bus, with their names there.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-error.h"

#include <gio/gio.h>

#define NAME(name) DETOUR_BUS_NAME ".Error." name

static const GDBusErrorEntry entries[] = {
  { DETOUR_CONTROL_ERROR_NO_SUCH_INSTANCE, NAME ("NoSuchInstance") },
  { DETOUR_CONTROL_ERROR_NO_SUCH_CLIENT, NAME ("NoSuchClient") },
  { DETOUR_CONTROL_ERROR_NO_SUCH_KEY, NAME ("NoSuchKey") },
  { DETOUR_CONTROL_ERROR_AMBIGUOUS, NAME ("Ambiguous") },
  { DETOUR_CONTROL_ERROR_BAD_ARGUMENT, NAME ("BadArgument") },
  { DETOUR_CONTROL_ERROR_NOT_ALLOWED, NAME ("NotAllowed") },
  { DETOUR_CONTROL_ERROR_START_FAILED, NAME ("StartFailed") },
  { DETOUR_CONTROL_ERROR_NOT_LASTING, NAME ("NotLasting") },
  { DETOUR_CONTROL_ERROR_EXPIRED, NAME ("Expired") },
  { DETOUR_CONTROL_ERROR_BUSY, NAME ("Busy") },
  { DETOUR_CONTROL_ERROR_NOT_AVAILABLE, NAME ("NotAvailable") },
  { DETOUR_CONTROL_ERROR_RENEWAL_FAILED, NAME ("RenewalFailed") },
  { DETOUR_CONTROL_ERROR_NO_SUCH_BAN, NAME ("NoSuchBan") },
  { DETOUR_CONTROL_ERROR_UPGRADE_REFUSED, NAME ("UpgradeRefused") },
};
G_STATIC_ASSERT (G_N_ELEMENTS (entries) == DETOUR_N_CONTROL_ERRORS);

GQuark
detour_control_error_quark (void)
{
  static gsize quark;

  g_dbus_error_register_error_domain ("detour-control-error", &quark, entries,
                                      G_N_ELEMENTS (entries));
  return (GQuark) quark;
}
