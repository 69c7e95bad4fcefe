/* detourctl-screen.h: the whole terminal, for a command that draws on it and takes keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The terminal gets back what it showed before, and the way it took keys, however the program ends,
 * SIGKILL excepted. There is one screen at a time. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Of bytes that are no letters. */
#define DETOURCTL_SCREEN_INTERRUPT '\003'
#define DETOURCTL_SCREEN_END       '\004' /* there will be no more keys */

typedef struct {
  void (*on_key) (gpointer user, char key);
  void (*on_resize) (gpointer user); /* or what was drawn is gone for another reason */
} DetourctlScreenFuncs;

typedef struct _DetourctlScreen DetourctlScreen;

/* Standard input and output are a terminal that can be drawn on. */
gboolean detourctl_screen_is_possible (void);

/* Calls @funcs from the main loop. NULL when the terminal does not let it, with errno set. */
DetourctlScreen *detourctl_screen_new (const DetourctlScreenFuncs *funcs, gpointer user);
void detourctl_screen_free (DetourctlScreen *self);

guint detourctl_screen_width (const DetourctlScreen *self);
guint detourctl_screen_height (const DetourctlScreen *self);

/* @lines: (array length=n): no wider than the screen; may have control sequences for colour. What
 * is left of the screen is empty. */
void detourctl_screen_draw (DetourctlScreen *self, const char *const *lines, guint n);

G_END_DECLS
