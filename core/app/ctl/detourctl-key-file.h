/* detourctl-key-file.h: changes a list of node keys line by line, and leaves the rest as it is.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a list may hold is described in the manual of the plugin auth-keys, which reads it. */
#pragma once

#include <glib.h>

#include "detour-key.h"

G_BEGIN_DECLS

typedef struct {
  DetourKey key;
  guint line;   /* from 1 */
  char *class_; /* "" when there is none */
  char *label;  /* likewise */
} DetourctlKeyLine;

typedef struct {
  char *path;
  GString *text;
  GPtrArray *keys; /* of DetourctlKeyLine, as they stand in the file */
  guint wrong;     /* the first line that is neither a key nor a comment; 0: there is none */
  gboolean exists;
} DetourctlKeyFile;

/* Pure. @text: (array length=len): anything */
DetourctlKeyFile *detourctl_key_file_parse (const char *path, const char *text, gsize len);
/* (nullable): a file that is not there is an empty one. NULL: @error is set. */
DetourctlKeyFile *detourctl_key_file_read (const char *path, GError **error);
void detourctl_key_file_free (DetourctlKeyFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourctlKeyFile, detourctl_key_file_free)

/* (nullable): the first line with that key. */
const DetourctlKeyLine *detourctl_key_file_find (const DetourctlKeyFile *self,
                                                 const DetourKey *key);
/* A line at the end. @class_, @label: "" where there is none. */
void detourctl_key_file_add (DetourctlKeyFile *self, const DetourKey *key, const char *class_,
                             const char *label);
/* Strikes out all lines with that key. */
void detourctl_key_file_remove (DetourctlKeyFile *self, const DetourKey *key);

/* Puts the file in the place of the old one, whose mode and owner it keeps. */
gboolean detourctl_key_file_write (const DetourctlKeyFile *self, GError **error);

/**
 * detourctl_key_file_read_key:
 * @text: a node key as people paste it: with blanks, quotes and commas around it, or as the line of
 *   `tailscale status --json` that has it
 *
 * Pure. The message does not repeat the text, since it may be a secret.
 */
gboolean detourctl_key_file_read_key (const char *text, DetourKey *out, GError **error);

/* What is wrong with it as a label, as the name of a class; NULL: nothing. */
const char *detourctl_key_file_check_label (const char *label);
const char *detourctl_key_file_check_class (const char *class_);

G_END_DECLS
