/* detour-announcement.h: what an operator may tell the users of all clients.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-health.h"

G_BEGIN_DECLS

/* Whether @text is one line of visible text that is not too long. For the daemon and for detourctl.
 */
gboolean detour_announcement_check (const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
