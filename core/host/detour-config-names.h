/* detour-config-names.h: names of groups that other groups name.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"

G_BEGIN_DECLS

/* Names of the instances of @kind, in the order of the files; borrowed. */
GPtrArray *detour_config_names_of_kind (const DetourConfig *config, DetourKind kind);

/* Says that there is no [@kind @name], and which one may be meant or which ones there are. Goes
 * where detour_config_set_errors() has said.
 * @kind: "class", or a word of detour_kind_names
 * @names: what @key could name; a NULL is put behind them */
void detour_config_refuse_name (const DetourSettings *settings, const char *key, const char *kind,
                                const char *name, GPtrArray *names);

G_END_DECLS
