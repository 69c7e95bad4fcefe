/* test-bus-framing.c: tests of where D-Bus messages begin and end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-bus-framing.h"

#include <gio/gio.h>
#include <string.h>

static void
test_append_message (GByteArray *out, const char *path, GVariant *body, GDBusMessageByteOrder order)
{
  g_autoptr (GDBusMessage) message = g_dbus_message_new_method_call (NULL, path, "a.b", "Method");
  g_autofree guint8 *blob = NULL;
  gsize size;

  g_dbus_message_set_serial (message, 7);
  g_dbus_message_set_byte_order (message, order);
  if (body != NULL)
    g_dbus_message_set_body (message, body);
  blob = g_dbus_message_to_blob (message, &size, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
  g_byte_array_append (out, blob, (guint) size);
}

/* Messages as GLib writes them, in both byte orders, with heads and bodies of many lengths. */
static void
test_any_pieces (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  GArray *ends = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *path = g_strnfill (i % 20 + 2, 'p');
      g_autofree char *text = g_strnfill (i, 't');

      path[0] = '/';
      test_append_message (bytes, path, i % 3 > 0 ? g_variant_new ("(s)", text) : NULL,
                           i % 2 > 0 ? G_DBUS_MESSAGE_BYTE_ORDER_LITTLE_ENDIAN
                                     : G_DBUS_MESSAGE_BYTE_ORDER_BIG_ENDIAN);
      g_array_append_val (ends, bytes->len);
    }

  for (guint piece = 1; piece < 300; piece++)
    {
      DetourBusFraming framing = { 0 };
      guint64 size = 0;
      guint n_heads = 0, n_ends = 0, at = 0;

      while (at < bytes->len)
        {
          guint limit = MIN (at + piece, bytes->len);
          DetourBusEvent event;

          while (at < limit)
            {
              at += (guint) detour_bus_framing_take (&framing, bytes->data + at, limit - at,
                                                     &event);
              g_assert_cmpint (event, !=, DETOUR_BUS_BAD);
              if (event == DETOUR_BUS_HEAD)
                {
                  size = detour_bus_framing_size (&framing);
                  g_assert_cmpuint (framing.head[DETOUR_BUS_AT_TYPE], ==, DETOUR_BUS_CALL);
                  n_heads++;
                }
              if (event == DETOUR_BUS_END)
                {
                  guint begin = n_ends > 0 ? g_array_index (ends, guint, n_ends - 1) : 0;

                  g_assert_cmpuint (at, ==, g_array_index (ends, guint, n_ends));
                  g_assert_cmpuint (size, ==, at - begin);
                  n_ends++;
                }
            }
        }
      g_assert_cmpuint (n_heads, ==, ends->len);
      g_assert_cmpuint (n_ends, ==, ends->len);
    }
  g_array_unref (ends);
}

static DetourBusEvent
test_head (char order, guint32 fields, guint32 body, guint64 *size)
{
  DetourBusFraming framing = { 0 };
  guint8 head[DETOUR_BUS_HEAD_SIZE] = { (guint8) order, DETOUR_BUS_CALL, 0, 1 };
  guint32 numbers[] = { GUINT32_TO_LE (body), GUINT32_TO_LE (1), GUINT32_TO_LE (fields) };
  DetourBusEvent event;

  memcpy (head + 4, numbers, sizeof numbers);
  g_assert_cmpuint (detour_bus_framing_wants (&framing), ==, sizeof head);
  g_assert_cmpuint (detour_bus_framing_take (&framing, head, sizeof head, &event), ==, sizeof head);
  if (event == DETOUR_BUS_HEAD)
    *size = detour_bus_framing_size (&framing);
  return event;
}

static void
test_sizes (void)
{
  guint64 size;

  g_assert_cmpint (test_head ('l', 1, 0, &size), ==, DETOUR_BUS_HEAD);
  g_assert_cmpuint (size, ==, 24);
  g_assert_cmpint (test_head ('l', 8, 3, &size), ==, DETOUR_BUS_HEAD);
  g_assert_cmpuint (size, ==, 27);
  /* The sum of the largest numbers does not wrap. */
  g_assert_cmpint (test_head ('l', G_MAXUINT32, G_MAXUINT32, &size), ==, DETOUR_BUS_HEAD);
  g_assert_cmpuint (size, ==, 16 + (G_GUINT64_CONSTANT (1) << 32) + G_MAXUINT32);
}

static void
test_bad_heads (void)
{
  guint64 size;

  g_assert_cmpint (test_head ('x', 8, 0, &size), ==, DETOUR_BUS_BAD);
  g_assert_cmpint (test_head ('\0', 8, 0, &size), ==, DETOUR_BUS_BAD);
  g_assert_cmpint (test_head ('l', 0, 0, &size), ==, DETOUR_BUS_BAD);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bus-framing/any-pieces", test_any_pieces);
  g_test_add_func ("/bus-framing/sizes", test_sizes);
  g_test_add_func ("/bus-framing/bad-heads", test_bad_heads);
  return g_test_run ();
}
