/* detour-question.h: what the admission wants to know of one client: who it is, and how it came.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-frame.h"
#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct {
  DetourKey key;
  char source[64];                              /* address without port; "" when unknown */
  char *sni;                                    /* NULL: none */
  char *listener;                               /* "transport/https"; NULL: not known any more */
  char app_name[DETOUR_FRAME_APP_NAME_MAX + 1]; /* "" when none */
  gboolean prober;
} DetourQuestion;

void detour_question_copy (DetourQuestion *self, const DetourQuestion *other);
/* Frees what it points to. */
void detour_question_clear (DetourQuestion *self);
void detour_question_free (DetourQuestion *self); /* allocated with g_new() */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourQuestion, detour_question_free)

/* Everything is the same, the key included. */
gboolean detour_question_equal (const DetourQuestion *a, const DetourQuestion *b);

/* Of everything but the key: clients choose these words, so the hash has a secret of the process.
 */
guint64 detour_question_hash (const DetourQuestion *self);
/* Of a key, for tables; with the same secret. */
guint detour_question_hash_key (gconstpointer key);

/* As plugins get it; borrows. */
void detour_question_to_auth (const DetourQuestion *self, DetourAuthQuestion *out);

G_END_DECLS
