/* fuzz-verdict-file.c: a file of verdicts that can be read is written again byte by byte.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <sodium.h>
#include <string.h>

#include "detour-verdict-file.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* A file of one instance is that short before its part of the room could be used up. */
#define WHOLE_MAX 8192u

/* Boxes hold anything, and are opened when somebody asks for their key. */
static void
open_boxes (const DetourVerdictFile *file)
{
  static const guint8 private_key[DETOUR_KEY_SIZE] = { 1 };
  g_autoptr (DetourVerdictSeal) seal = NULL;

  g_assert_cmpint (sodium_init (), >=, 0);
  seal = detour_verdict_seal_new (private_key);
  for (guint i = 0; i < file->sections->len; i++)
    {
      const DetourVerdictSection *section = file->sections->pdata[i];

      for (guint k = 0; k < section->rows->len; k++)
        {
          const DetourVerdictRow *row = section->rows->pdata[k];
          const DetourKey key = { { 2 } };
          g_autofree char *label = NULL, *class_ = NULL;

          g_assert_true (detour_verdict_seal_open (seal, &key, row->box, &label, &class_)
                         == (row->box == NULL));
        }
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourVerdictFile)
      file = detour_verdict_file_parse ((const char *) data, size, &error);
  g_autoptr (GBytes) again = NULL;

  g_assert_true ((file == NULL) == (error != NULL));
  if (file == NULL)
    return 0;
  again = detour_verdict_file_format (file);
  g_assert_cmpuint (g_bytes_get_size (again), <=, DETOUR_VERDICT_FILE_MAX);
  if (size <= WHOLE_MAX)
    g_assert_true (g_bytes_get_size (again) == size
                   && memcmp (g_bytes_get_data (again, NULL), data, size) == 0);
  open_boxes (file);
  return 0;
}
