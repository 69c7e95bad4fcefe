/* static-plugins.h: a few plugins that are linked into tests of the configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugins.h"

/* auth-keys, auth-tailscaled, auth-url, log-file, log-stderr, service-stun, transport-tls; each
 * starts and does nothing. */
DetourPlugins *static_plugins_new (void);
