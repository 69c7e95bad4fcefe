/* fuzz-hello-name.c: the name in a ClientHello is the same however the bytes are cut.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "detour-hello-name.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree guint8 *room = g_malloc (DETOUR_HELLO_NAME_MESSAGE_MAX);
  char whole[DETOUR_HELLO_NAME_SIZE], cut[DETOUR_HELLO_NAME_SIZE];
  DetourHelloNameResult all = detour_hello_name_find (data, size, room, whole);
  DetourHelloNameResult result = DETOUR_HELLO_NAME_MORE;

  g_assert_true ((all == DETOUR_HELLO_NAME_FOUND) == (whole[0] != '\0'));
  g_assert_true (all != DETOUR_HELLO_NAME_MORE || size < DETOUR_HELLO_NAME_BYTES_MAX);
  for (const char *p = whole; *p != '\0'; p++)
    g_assert_true (g_ascii_isalnum (*p) || strchr ("-._", *p) != NULL);

  cut[0] = '\0';
  for (gsize n = 0; n <= size && result == DETOUR_HELLO_NAME_MORE; n++)
    result = detour_hello_name_find (data, n, room, cut);
  g_assert_cmpint (result, ==, all);
  g_assert_cmpstr (cut, ==, whole);
  return 0;
}
