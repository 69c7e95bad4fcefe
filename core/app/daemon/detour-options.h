/* detour-options.h: the command line of detourd.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *config;    /* NULL: the usual place */
  char *take_over; /* a socket; NULL: nobody is waited for */
  gboolean no_vendor;
  gboolean check_config;
  gboolean try_takeover; /* of the program before: only to say whether that could be done */
  gboolean dump_config;
  gboolean list_plugins;
  char *generate_key;
  gboolean dev;
  gboolean version;
} DetourOptions;

/* FALSE with @error when the command line is wrong; --help prints and ends the program. */
gboolean detour_options_parse (DetourOptions *self, int *argc, char ***argv, GError **error);
void detour_options_clear (DetourOptions *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourOptions, detour_options_clear)

G_END_DECLS
