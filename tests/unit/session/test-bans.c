/* test-bans.c: bans of keys and networks, their texts, their end, their file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-bans.h"
#include "test-program.h"

#include <glib/gstdio.h>

#define KEY_A "nodekey:3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
#define KEY_B "nodekey:00000000000000000000000000000000000000000000000000000000000000ff"

static gint64 now_us = 1700000000 * G_TIME_SPAN_SECOND;
static guint n_changes;

static void
on_changed (gpointer user)
{
  n_changes++;
}

static gint64
get_now_us (gpointer user)
{
  return now_us;
}

static const DetourBansPort port = { on_changed, get_now_us };

static DetourBanTarget
target_of (const char *text)
{
  DetourBanTarget target;
  g_autoptr (GError) error = NULL;

  detour_ban_target_parse (text, &target, &error);
  g_assert_no_error (error);
  return target;
}

static void
ban (DetourBans *bans, const char *text, gint64 for_us, const char *reason)
{
  DetourBanTarget target = target_of (text);

  g_assert_true (detour_bans_add (bans, &target, 1, for_us, reason, NULL, NULL, NULL));
}

static const char *
match (DetourBans *bans, const char *key_text, const char *address)
{
  DetourKey key;
  const DetourBan *found;

  g_assert_true (detour_key_parse (&key, key_text, "nodekey:"));
  found = detour_bans_match (bans, &key, address);
  return found != NULL ? found->text : "";
}

static void
test_targets (void)
{
  static const struct {
    const char *written, *text; /* NULL: it is none */
  } rows[] = {
    { KEY_A, KEY_A },
    { "nodekey:3B6A27BCCEB6A42D62A3A8D02A6F0D73653215771DE243A63AC048A18B59DA29", KEY_A },
    { "192.0.2.0/24", "192.0.2.0/24" },
    { "192.0.2.7", "192.0.2.7" },
    { "192.0.2.7/32", "192.0.2.7" },
    { "::ffff:192.0.2.0/120", "192.0.2.0/24" },
    { "2001:DB8::0/32", "2001:db8::/32" },
    { "::1", "::1" },
    { "::/0", "::/0" },
    { "0.0.0.0/0", "0.0.0.0/0" },
    { "", NULL },
    { "3b6a27bc", NULL },
    { "nodekey:", NULL },
    { "nodekey:3b6a", NULL },
    { KEY_A "0", NULL },
    { KEY_A " ", NULL },
    { "192.0.2.1/24", NULL },
    { "192.0.2.0/33", NULL },
    { "192.0.2.0/", NULL },
    { "192.0.2", NULL },
    { "[::1]", NULL },
    { "fe80::1%eth0", NULL },
    { "relay.example.com", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      DetourBanTarget target;
      char text[DETOUR_BAN_TARGET_MAX];
      g_autoptr (GError) error = NULL;

      if (detour_ban_target_parse (rows[i].written, &target, &error))
        g_assert_cmpstr (detour_ban_target_format (&target, text), ==, rows[i].text);
      else
        {
          g_assert_error (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_TARGET);
          g_assert_null (rows[i].text);
        }
    }
}

static void
test_wide (void)
{
  static const struct {
    const char *text;
    gboolean is_narrow;
  } rows[] = {
    { KEY_A, TRUE },        { "10.0.0.0/8", TRUE },     { "10.0.0.0/7", FALSE },
    { "0.0.0.0/0", FALSE }, { "::/0", FALSE },          { "2001::/16", TRUE },
    { "2000::/15", FALSE }, { "::/64", FALSE },         { "::ffff:0:0/96", FALSE },
    { "::/97", TRUE },      { "::fffe:0:0/95", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      DetourBanTarget target = target_of (rows[i].text);

      if (detour_ban_target_is_narrow (&target, NULL) != rows[i].is_narrow)
        g_error ("%s", rows[i].text);
    }
}

static void
test_match (void)
{
  g_autoptr (DetourBans) bans = detour_bans_new (&port, NULL);

  g_assert_cmpstr (match (bans, KEY_A, "192.0.2.1"), ==, "");
  ban (bans, KEY_A, 0, "");
  ban (bans, "192.0.0.0/16", 0, "");
  ban (bans, "192.0.2.0/24", 3600 * G_TIME_SPAN_SECOND, "closer");
  ban (bans, "2001:db8::/32", 0, "");
  g_assert_cmpstr (match (bans, KEY_A, "198.51.100.1"), ==, KEY_A);
  g_assert_cmpstr (match (bans, KEY_B, "192.0.2.1"), ==, "192.0.2.0/24");
  g_assert_cmpstr (match (bans, KEY_B, "192.0.3.1"), ==, "192.0.0.0/16");
  g_assert_cmpstr (match (bans, KEY_B, "2001:db8:1::2"), ==, "2001:db8::/32");
  g_assert_cmpstr (match (bans, KEY_B, "198.51.100.1"), ==, "");
  g_assert_cmpstr (match (bans, KEY_B, ""), ==, "");
  g_assert_nonnull (detour_bans_networks (bans));
  /* The wider one still holds. */
  now_us += 3601 * G_TIME_SPAN_SECOND;
  g_assert_cmpstr (match (bans, KEY_B, "192.0.2.1"), ==, "192.0.0.0/16");
  n_changes = 0;
  detour_bans_tick (bans);
  g_assert_cmpuint (n_changes, ==, 1);
  g_assert_cmpuint (detour_bans_count (bans), ==, 3);
  detour_bans_tick (bans);
  g_assert_cmpuint (n_changes, ==, 1);
}

static void
test_again (void)
{
  g_autoptr (DetourBans) bans = detour_bans_new (&port, NULL);
  const char *both[] = { KEY_A, KEY_B, NULL };
  g_autofree char *text = NULL;

  ban (bans, KEY_A, 3600 * G_TIME_SPAN_SECOND, "first");
  ban (bans, KEY_A, 0, "second");
  g_assert_cmpuint (detour_bans_count (bans), ==, 1);
  text = detour_ban_describe (detour_bans_find (bans, KEY_A));
  g_assert_cmpstr (text, ==, "banned by the operator: second");
  g_assert_cmpuint (detour_bans_remove (bans, both, NULL, NULL), ==, 1);
  g_assert_cmpstr (match (bans, KEY_A, ""), ==, "");
  g_assert_null (detour_bans_networks (bans));
}

static void
test_limit (void)
{
  g_autoptr (DetourBans) bans = detour_bans_new (&port, NULL);
  g_autofree DetourBanTarget *targets = g_new0 (DetourBanTarget, DETOUR_BANS_MAX);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < DETOUR_BANS_MAX; i++)
    {
      targets[i].is_key = TRUE;
      memcpy (targets[i].key.bytes, &i, sizeof i);
    }
  g_assert_true (detour_bans_add (bans, targets, DETOUR_BANS_MAX, 0, "", NULL, NULL, NULL));
  g_assert_false (detour_bans_add (bans, targets, 1, 0, "", NULL, NULL, &error));
  g_assert_error (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_FULL);
  g_assert_cmpuint (detour_bans_count (bans), ==, DETOUR_BANS_MAX);
}

static void
take (DetourBan *one, gpointer data)
{
  detour_ban_write (one, data);
  detour_ban_free (one);
}

static void
test_file (void)
{
  static const struct {
    const char *text, *read;
    guint wrong;
  } rows[] = {
    { DETOUR_BAN_FILE_HEAD, "", 0 },
    { DETOUR_BAN_FILE_HEAD "192.0.2.0/24 1 2\n" KEY_A " 3 0 a  reason \n",
      "192.0.2.0/24 1 2\n" KEY_A " 3 0 a  reason \n", 0 },
    { "", "", 1 },
    { "detour-bans 2\n", "", 1 },
    { "192.0.2.0/24 1 2\n", "192.0.2.0/24 1 2\n", 1 },
    { DETOUR_BAN_FILE_HEAD "192.0.2.0/24 1 2", "", 2 },
    { DETOUR_BAN_FILE_HEAD "192.0.2.0/24 1\n" KEY_A " 3 0\n", KEY_A " 3 0\n", 2 },
    { DETOUR_BAN_FILE_HEAD KEY_A " 3 0\n192.0.2.0/24 -1 2\n", KEY_A " 3 0\n", 3 },
    { DETOUR_BAN_FILE_HEAD "192.0.2.0/24 99999999999999999999 2\n", "", 2 },
    { DETOUR_BAN_FILE_HEAD "\n", "", 2 },
    { DETOUR_BAN_FILE_HEAD KEY_A " 3 0 \x1b[31m\n", "", 2 },
    { DETOUR_BAN_FILE_HEAD KEY_A " 3 0 \xff\n", "", 2 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GString) out = g_string_new (NULL);
      gsize len = strlen (rows[i].text);
      /* Of exactly that size, so that reading too far is seen. */
      g_autofree char *exact = g_memdup2 (rows[i].text, len);

      g_assert_cmpuint (detour_ban_read (exact, len, take, out), ==, rows[i].wrong);
      g_assert_cmpstr (out->str, ==, rows[i].read);
    }
}

static void
on_kept (const GError *error, gpointer data)
{
  g_assert_no_error (error);
  *(gboolean *) data = TRUE;
}

static void
test_kept (void)
{
  g_autofree char *folder = g_dir_make_tmp ("detour-test-bans-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "bans", NULL);
  DetourBanTarget targets[] = { target_of (KEY_A), target_of ("192.0.2.0/24") };
  DetourBans *bans = detour_bans_new (&port, NULL);
  gboolean is_kept = FALSE;

  detour_bans_open (bans, path);
  g_assert_true (
      detour_bans_add (bans, targets, 2, 60 * G_TIME_SPAN_SECOND, "why", on_kept, &is_kept, NULL));
  while (!is_kept)
    g_main_context_iteration (NULL, TRUE);
  ban (bans, KEY_B, 0, "");
  detour_bans_free (bans);

  bans = detour_bans_new (&port, NULL);
  n_changes = 0;
  detour_bans_open (bans, path);
  g_assert_cmpuint (n_changes, ==, 1);
  g_assert_cmpuint (detour_bans_count (bans), ==, 3);
  g_assert_cmpstr (detour_bans_find (bans, KEY_A)->reason, ==, "why");
  g_assert_cmpint (detour_bans_find (bans, KEY_A)->until_us, ==, now_us + 60 * G_TIME_SPAN_SECOND);
  detour_bans_free (bans);

  now_us += 61 * G_TIME_SPAN_SECOND;
  bans = detour_bans_new (&port, NULL);
  detour_bans_open (bans, path);
  g_assert_cmpuint (detour_bans_count (bans), ==, 1);
  detour_bans_free (bans);
  g_unlink (path);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  g_test_add_func ("/bans/targets", test_targets);
  g_test_add_func ("/bans/large-networks", test_wide);
  g_test_add_func ("/bans/match", test_match);
  g_test_add_func ("/bans/banned-again", test_again);
  g_test_add_func ("/bans/limit", test_limit);
  g_test_add_func ("/bans/lines", test_file);
  g_test_add_func ("/bans/kept", test_kept);
  return g_test_run ();
}
