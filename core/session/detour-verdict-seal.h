/* detour-verdict-seal.h: hides keys and names in what is kept of verdicts on disk.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything is made with secrets that come from the relay's private key. Whoever has the file
 * alone learns how many keys there are and when they were allowed. Whoever has the private key as
 * well can ask about a key that he knows already, and read the label of that one. */
#pragma once

#include <glib.h>

#include "detour-auth-request.h"

G_BEGIN_DECLS

#define DETOUR_VERDICT_SEAL_NAME  16 /* bytes, of what stands for a key or for a source */
#define DETOUR_VERDICT_SEAL_CHECK 8
/* Characters of what stands for a label and a class. */
#define DETOUR_VERDICT_SEAL_BOX_MAX 4096

/* Immutable, any thread. */
typedef struct _DetourVerdictSeal DetourVerdictSeal;

/* @private_key: (array fixed-size=32) */
DetourVerdictSeal *detour_verdict_seal_new (const guint8 *private_key);
void detour_verdict_seal_free (DetourVerdictSeal *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictSeal, detour_verdict_seal_free)

/* DETOUR_VERDICT_SEAL_CHECK bytes that are the same for the same private key. */
const guint8 *detour_verdict_seal_check (const DetourVerdictSeal *self);

/* @out: (array fixed-size=16) */
void detour_verdict_seal_name_key (const DetourVerdictSeal *self, const DetourKey *key,
                                   guint8 *out);
void detour_verdict_seal_name_text (const DetourVerdictSeal *self, const char *text, guint8 *out);
/* Of everything in it; never 0. */
guint64 detour_verdict_seal_hash_request (const DetourVerdictSeal *self,
                                          const DetourAuthRequest *request);

/* Base64 of what can be read with the same @key only, different each time; NULL when there is
 * neither label nor class. */
char *detour_verdict_seal_close (const DetourVerdictSeal *self, const DetourKey *key,
                                 const char *label, const char *class_);
/* FALSE: it was not closed like that. @box: (nullable) */
gboolean detour_verdict_seal_open (const DetourVerdictSeal *self, const DetourKey *key,
                                   const char *box, char **label, char **class_);

G_END_DECLS
