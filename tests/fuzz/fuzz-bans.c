/* fuzz-bans.c: whatever a file of bans has in it, what is read of it is kept the same way.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "detour-ban.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
take (DetourBan *ban, gpointer data)
{
  g_ptr_array_add (data, ban);
}

static GString *
write_all (const GPtrArray *bans)
{
  GString *text = g_string_new (DETOUR_BAN_FILE_HEAD);

  for (guint i = 0; i < bans->len; i++)
    detour_ban_write (bans->pdata[i], text);
  return text;
}

static void
check (const DetourBan *ban)
{
  char text[DETOUR_BAN_TARGET_MAX];
  DetourBanTarget target;

  g_assert_cmpstr (detour_ban_target_format (&ban->target, text), ==, ban->text);
  g_assert_true (detour_ban_target_parse (ban->text, &target, NULL));
  g_assert_true (detour_ban_reason_check (ban->reason, NULL));
  g_assert_cmpuint (strlen (ban->reason), <=, DETOUR_BAN_REASON_MAX);
  g_assert_cmpuint (ban->refused, ==, 0);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GPtrArray) bans = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_ban_free);
  g_autoptr (GPtrArray) again = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_ban_free);
  g_autoptr (GString) text = NULL;
  g_autoptr (GString) copy = NULL;

  detour_ban_read ((const char *) data, size, take, bans);
  for (guint i = 0; i < bans->len; i++)
    check (bans->pdata[i]);
  /* What was written is read whole, and written the same way. */
  text = write_all (bans);
  g_assert_cmpuint (detour_ban_read (text->str, text->len, take, again), ==, 0);
  copy = write_all (again);
  g_assert_cmpstr (copy->str, ==, text->str);
  return 0;
}
