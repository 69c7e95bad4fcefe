/* detour-dev.h: `detourd --dev`: a relay for trying things out, which removes its state at the end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-roster.h"

G_BEGIN_DECLS

typedef struct _DetourDev DetourDev;

/* Makes a private directory for the state. @plugins: groups of plugins that are not there are left
 * out. */
DetourDev *detour_dev_new (DetourPlugins *plugins, GError **error);
/* Removes the directory with all that is in it. */
void detour_dev_free (DetourDev *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourDev, detour_dev_free)

/* The settings, as text of a configuration file. */
const char *detour_dev_settings (const DetourDev *self);

/* Prints the DERP map entry and commands to try; once everything runs. @control: (nullable): path
 * of the socket. */
void detour_dev_print (DetourRoster *roster, const char *control);

G_END_DECLS
