/* detour-verdict-file.h: the text in which verdicts outlast the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   detour-verdicts 1 CHECK WRITTEN
 *   instance auth/NAME SOURCE
 *   KEY ALLOWED UNTIL REQUEST BOX
 *   …
 *   end N
 *
 * KEY, CHECK, SOURCE and BOX are of detour-verdict-seal.h, times are seconds of the Unix clock.
 * UNTIL and REQUEST are `0 -` when the instance has to be asked anew, BOX is `-` when there is
 * none. Pure functions over its bytes. */
#pragma once

#include <glib.h>

#include "detour-verdict-seal.h"

G_BEGIN_DECLS

/* A file that is longer, or has more rows or sections, is refused; none is written. Each section
 * has an equal part of it. */
#define DETOUR_VERDICT_FILE_MAX      ((gsize) 16 << 20)
#define DETOUR_VERDICT_FILE_ROWS     65536u
#define DETOUR_VERDICT_FILE_SECTIONS 256u

/* In the year 9999. */
#define DETOUR_VERDICT_FILE_TIME_MAX G_GINT64_CONSTANT (253402300799)

#define DETOUR_VERDICT_FILE_ERROR (detour_verdict_file_error_quark ())
GQuark detour_verdict_file_error_quark (void);

typedef enum {
  DETOUR_VERDICT_FILE_ERROR_VERSION, /* of another version of Detour */
  DETOUR_VERDICT_FILE_ERROR_FORM,
} DetourVerdictFileError;

/* A key that an instance allowed. Immutable; any thread. */
typedef struct {
  guint8 key[DETOUR_VERDICT_SEAL_NAME];
  gint64 allowed_s;
  gint64 until_s;  /* the same request need not be asked about before; 0: it has to */
  guint64 request; /* 0 when @until_s is */
  char *box;       /* (nullable) */
} DetourVerdictRow;

/* Copies @fields. */
DetourVerdictRow *detour_verdict_row_new (const DetourVerdictRow *fields);
DetourVerdictRow *detour_verdict_row_ref (DetourVerdictRow *self);
void detour_verdict_row_unref (DetourVerdictRow *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictRow, detour_verdict_row_unref)

typedef struct {
  char *instance; /* "auth/friends" */
  guint8 source[DETOUR_VERDICT_SEAL_NAME];
  GPtrArray *rows; /* of DetourVerdictRow */
} DetourVerdictSection;

typedef struct {
  guint8 check[DETOUR_VERDICT_SEAL_CHECK];
  gint64 written_s;
  GPtrArray *sections; /* of DetourVerdictSection */
} DetourVerdictFile;

DetourVerdictFile *detour_verdict_file_new (void);
void detour_verdict_file_free (DetourVerdictFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourVerdictFile, detour_verdict_file_free)
/* Borrowed. @source: (array fixed-size=16): copied */
DetourVerdictSection *detour_verdict_file_add (DetourVerdictFile *self, const char *instance,
                                               const guint8 *source);

DetourVerdictFile *detour_verdict_file_parse (const char *text, gsize len, GError **error);
/* Of each section the first rows that there is room for. */
GBytes *detour_verdict_file_format (const DetourVerdictFile *self);

G_END_DECLS
