/* detourctl-drain.h: how far a relay is that is taken out of service, in words.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* "312 of 1,284 connections left, 4m to go": @progress as the property DrainProgress of a relay
 * that drains. */
char *detourctl_drain_describe (GVariant *progress, gint64 now_us);

G_END_DECLS
