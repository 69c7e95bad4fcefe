/* detour-verdict-draft.h: what is to be written of verdicts, as the main thread collects it and
 * another one makes the file of it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-verdict-file.h"
#include "detour-verdict-store.h"

G_BEGIN_DECLS

/* @seal: outlives the draft. @now_us: monotonic, @real_us: wall clock; verdicts that are older than
 * @grace_us are left out */
DetourVerdictDraft *detour_verdict_draft_new (const DetourVerdictSeal *seal, gint64 now_us,
                                              gint64 real_us, gint64 grace_us);
void detour_verdict_draft_free (gpointer self);
/* The following entries are of @instance. */
void detour_verdict_draft_begin (DetourVerdictDraft *self, const char *instance,
                                 const char *source);
/* @row: referenced; of the instance that was begun last. @holds: or only the key is kept */
void detour_verdict_draft_add_row (DetourVerdictDraft *self, DetourVerdictRow *row, gboolean holds);
/* Any thread, when everything is in it. */
GBytes *detour_verdict_draft_make (gpointer self);

/* When the file says that it was written. */
void detour_verdict_draft_set_written (DetourVerdictDraft *self, gint64 written_s);

G_END_DECLS
