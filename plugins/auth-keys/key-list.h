/* key-list.h: node keys with labels, read from text files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Length in bytes of a raw node key. */
#define KEY_LIST_KEY_SIZE 32
/* A longer file is not read. */
#define KEY_LIST_FILE_MAX (64u * 1024u * 1024u)

/* Fill it, ask for errors, then only look up; one thread. */
typedef struct _KeyList KeyList;

/* @max_entries: more keys than that are an error. */
KeyList *key_list_new (guint max_entries);
void key_list_free (KeyList *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KeyList, key_list_free)

/**
 * key_list_add_text:
 * @file: where @text is from, for messages
 * @text: (array length=len): anything; lines of `nodekey:` and 64 hex digits, behind them `class=`
 * and a word if there is a class, and words of a label; blank lines; comments that begin with `#`
 *
 * Pure. Errors are kept. A key that comes twice is an error, because striking out one of its lines
 * would not take it off the list.
 */
void key_list_add_text (KeyList *self, const char *file, const char *text, gsize len);

/* Adds a file. */
void key_list_add_file (KeyList *self, const char *path);

/* Adds all files of a directory whose names end with `.keys` and do not begin with a dot. */
void key_list_add_directory (KeyList *self, const char *path);

guint key_list_size (const KeyList *self);

/**
 * key_list_errors:
 * @separator: put between two errors
 * @shown: errors that are given in full; of the rest the number is given
 *
 * Returns: (nullable): the errors so far; NULL when there are none. Free with g_free().
 */
char *key_list_errors (const KeyList *self, const char *separator, guint shown);

/* @label, @class_: (out) (nullable): borrowed; NULL when the line has none */
gboolean key_list_find (const KeyList *self, const guint8 *key, const char **label,
                        const char **class_);

/* @key: (array fixed-size=32) */
typedef void (*KeyListFunc) (const guint8 *key, gpointer user);

/* Keys of @self that are not in @newer. */
void key_list_each_gone (const KeyList *self, const KeyList *newer, KeyListFunc func,
                         gpointer user);

/* Both hold the same keys with the same labels and classes. */
gboolean key_list_equal (const KeyList *a, const KeyList *b);

G_END_DECLS
