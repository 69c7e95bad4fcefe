/* test-log-format.c: log records as text and JSON, and what privacy hides.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-log.h"
#include "detour-plugin.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define KEY "nodekey:0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
#define OLD "nodekey:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

/* 2026-01-02T03:04:05.000678Z */
#define WHEN (G_GINT64_CONSTANT (1767323045) * G_USEC_PER_SEC + 678)

static char *
format (const DetourLogStyle *style, GLogLevelFlags level, const char *message,
        const GLogField *fields, gsize n_fields)
{
  DetourLogRecord record = { level, "detour", message, WHEN, fields, n_fields };
  GString *line = detour_log_format (style, &record);

  g_assert_cmpuint (strlen (line->str), ==, line->len);
  g_assert_cmpint (line->str[line->len - 1], ==, '\n');
  g_assert_null (memchr (line->str, '\n', line->len - 1));
  g_assert_true (g_utf8_validate (line->str, -1, NULL));
  return g_string_free (line, FALSE);
}

static void
test_text (void)
{
  const GLogField fields[] = {
    { "MESSAGE", "hello", -1 },      { "PRIORITY", "6", -1 },
    { "GLIB_DOMAIN", "detour", -1 }, { "CODE_FILE", "x.c", -1 },
    { DETOUR_LOG_CONN, "17", -1 },   { DETOUR_LOG_REASON, "no \"such\" key", -1 },
    { "MESSAGE_ID", "abcdefgh", 3 }, { "lower", "not a field", -1 },
    { DETOUR_LOG_INSTANCE, "", -1 },
  };
  DetourLogStyle style;
  g_autofree char *line = NULL;

  detour_log_style_init (&style, "message", "full", "text");
  line = format (&style, G_LOG_LEVEL_INFO, "hello", fields, G_N_ELEMENTS (fields));
  g_assert_cmpstr (line, ==,
                   "2026-01-02T03:04:05Z info detour: hello conn=17 reason=\"no \\\"such\\\" key\" "
                   "message_id=abc "
                   "instance=\"\"\n");
}

static void
test_terminal (void)
{
  DetourLogStyle style;
  g_autofree char *line = NULL;
  g_auto (GStrv) words = NULL;

  detour_log_style_init (&style, "message", "full", "text");
  style.terminal = TRUE;
  line = format (&style, G_LOG_LEVEL_WARNING, "hello", NULL, 0);
  words = g_strsplit (line, " ", 2);
  g_assert_cmpuint (strlen (words[0]), ==, strlen ("hh:mm:ss"));
  g_assert_cmpstr (words[1], ==, "warning detour: hello\n");
}

static void
test_json (void)
{
  const GLogField fields[] = {
    { DETOUR_LOG_CONN, "17", -1 },
    { DETOUR_LOG_REASON, "a \"quote\", a \\ and a\nnew line\x01", -1 },
    { "DETOUR_LEVEL", "a name that is taken", -1 },
    { DETOUR_LOG_LISTENER, "bad \xff utf-8", -1 },
  };
  static const struct {
    const char *name, *value;
  } expected[] = {
    { "time", "2026-01-02T03:04:05.000678Z" },
    { "level", "critical" },
    { "domain", "detour" },
    { "message", "say \"hello\"\x7f" },
    { "conn", "17" },
    { "reason", "a \"quote\", a \\ and a\nnew line\x01" },
    { "level_", "a name that is taken" },
    { "listener", "bad \xef\xbf\xbd utf-8" },
  };
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *line = NULL;
  DetourLogStyle style;
  JsonObject *object;

  detour_log_style_init (&style, "debug", "full", "json");
  line = format (&style, G_LOG_LEVEL_ERROR, "say \"hello\"\x7f", fields, G_N_ELEMENTS (fields));
  json_parser_load_from_data (parser, line, -1, &error);
  g_assert_no_error (error);
  object = json_node_get_object (json_parser_get_root (parser));
  g_assert_cmpuint (json_object_get_size (object), ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmpstr (json_object_get_string_member (object, expected[i].name), ==,
                     expected[i].value);
}

static void
test_hostile_text (void)
{
  const GLogField fields[] = { { DETOUR_LOG_REASON, "\x1b[2J\r\nfake line\xc2\x9b\u202e", -1 } };
  static const char *const kinds[] = { "text", "json" };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      DetourLogStyle style;
      g_autofree char *line = NULL;

      detour_log_style_init (&style, "debug", "none", kinds[i]);
      line = format (&style, G_LOG_LEVEL_INFO, "\x1b]0;title\a\n", fields, 1);
      for (const char *p = line; p[1] != '\0'; p = g_utf8_next_char (p))
        g_assert_false (g_unichar_iscntrl (g_utf8_get_char (p)));
      g_assert_nonnull (strstr (line, "\\u001b[2J\\u000d\\nfake line\\u009b\\u202e"));
    }
}

static void
test_levels (void)
{
  static const struct {
    const char *level;
    guint n_passing; /* of the six, from the gravest */
  } cases[] = {
    { "critical", 2 }, { "warning", 3 }, { "message", 4 }, { "info", 5 }, { "debug", 6 }
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      DetourLogStyle style;
      guint n = 0;

      detour_log_style_init (&style, cases[i].level, "full", NULL);
      for (guint bit = G_LOG_LEVEL_ERROR; bit <= G_LOG_LEVEL_DEBUG; bit <<= 1)
        {
          DetourLogRecord record = { .level = bit };

          n += detour_log_style_wants (&style, &record) ? 1 : 0;
        }
      g_assert_cmpuint (n, ==, cases[i].n_passing);
    }
}

/* What is left of a peer in text form, for each kind of address. */
static void
test_privacy_prefix (void)
{
  static const struct {
    const char *address, *message, *text;
  } cases[] = {
    { "192.0.2.77:4711", "from 192.0.2.77:4711, host 192.0.2.77",
      "from 192.0.2.0/24, host 192.0.2.0/24 address=192.0.2.0/24" },
    { "192.0.2.77", "from 192.0.2.77", "from 192.0.2.0/24 address=192.0.2.0/24" },
    { "[2001:db8:1:2::3]:4711", "from [2001:db8:1:2::3]:4711 or 2001:db8:1:2::3",
      "from 2001:db8:1::/48 or 2001:db8:1::/48 address=2001:db8:1::/48" },
    { "2001:db8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48 address=2001:db8:1::/48" },
    { "fe80::1%eth0", "fe80::1%eth0", "fe80::/48 address=fe80::/48" },
    { "::ffff:192.0.2.77", "::ffff:192.0.2.77", "192.0.2.0/24 address=192.0.2.0/24" },
    { "192.0.2.77/32", "192.0.2.77/32 is banned", "192.0.2.0/24 is banned address=192.0.2.0/24" },
    { "192.0.0.0/16", "192.0.0.0/16 is banned", "192.0.0.0/16 is banned address=192.0.0.0/16" },
    { "2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1::/48 address=2001:db8:1::/48" },
    { "2001:db8::/32", "2001:db8::/32", "2001:db8::/32 address=2001:db8::/32" },
    { "what/24", "from what/24", "from - address=-" },
    { "what is this", "from what is this", "from - address=-" },
    { "", "from nobody", "from nobody address=\"\"" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const GLogField field = { DETOUR_LOG_ADDRESS, cases[i].address, -1 };
      g_autofree char *line = NULL;
      DetourLogStyle style;

      detour_log_style_init (&style, "debug", "prefix", "text");
      line = format (&style, G_LOG_LEVEL_INFO, cases[i].message, &field, 1);
      g_strchomp (line);
      g_assert_cmpstr (line + strlen ("2026-01-02T03:04:05Z info detour: "), ==, cases[i].text);
    }
}

static void
test_privacy_key (void)
{
  const GLogField fields[] = { { DETOUR_LOG_KEY, KEY, -1 },
                               { DETOUR_LOG_REASON, "asked about " HEX, -1 },
                               { DETOUR_LOG_KEY_BEFORE, OLD, -1 } };
  static const struct {
    const char *privacy, *text;
  } cases[] = {
    { "full", "01234567 is " KEY ", had " OLD " key=" KEY " reason=\"asked about " HEX
              "\" key_before=" OLD "\n" },
    { "prefix", "01234567 is 01234567, had fedcba98 key=01234567 reason=\"asked about 01234567\" "
                "key_before=fedcba98\n" },
    { "none", "- is -, had - reason=\"asked about -\"\n" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *line = NULL;
      DetourLogStyle style;

      detour_log_style_init (&style, "debug", cases[i].privacy, "text");
      line = format (&style, G_LOG_LEVEL_INFO, "01234567 is " KEY ", had " OLD, fields,
                     G_N_ELEMENTS (fields));
      g_assert_cmpstr (line + strlen ("2026-01-02T03:04:05Z info detour: "), ==, cases[i].text);
    }
}

/* The same peer has the same word on any port, another one another, and the word shows nothing of
 * it. */
static void
test_privacy_hash (void)
{
  static const char *const addresses[] = { "192.0.2.77:1", "192.0.2.77:2", "192.0.2.77",
                                           "192.0.2.78:1" };
  g_autofree char *lines[G_N_ELEMENTS (addresses)] = { NULL };
  DetourLogStyle style;

  detour_log_style_init (&style, "debug", "hash", "json");
  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      const GLogField fields[] = { { DETOUR_LOG_ADDRESS, addresses[i], -1 },
                                   { DETOUR_LOG_KEY, KEY, -1 } };
      g_autofree char *message = g_strdup_printf ("%s has 01234567", addresses[i]);

      lines[i] = format (&style, G_LOG_LEVEL_INFO, message, fields, G_N_ELEMENTS (fields));
      g_assert_null (strstr (lines[i], "192.0.2"));
      g_assert_null (strstr (lines[i], "01234567"));
    }
  g_assert_cmpstr (lines[0], ==, lines[1]);
  g_assert_cmpstr (lines[0], ==, lines[2]);
  g_assert_cmpstr (lines[0], !=, lines[3]);
  for (guint i = 1; i < G_N_ELEMENTS (lines); i++)
    g_clear_pointer (&lines[i], g_free);
}

static void
collect (gpointer user, const char *name, const char *value, gsize len)
{
  g_string_append_printf (user, "%s[%" G_GSIZE_FORMAT "] ", name, len);
  g_assert_cmpint (value[len], ==, '\0');
}

static void
test_each_field (void)
{
  const GLogField fields[] = { { "MESSAGE", "raw", -1 },
                               { "BINARY", "a\0b", 3 },
                               { DETOUR_LOG_KEY, KEY, -1 },
                               { "CODE_LINE", "1", -1 } };
  DetourLogRecord record = { G_LOG_LEVEL_INFO,     "detour", "clean", WHEN, fields,
                             G_N_ELEMENTS (fields) };
  g_autoptr (GString) seen = g_string_new (NULL);
  DetourLogStyle style;

  detour_log_style_init (&style, "debug", "none", NULL);
  detour_log_each_field (&style, &record, collect, seen);
  g_assert_cmpstr (seen->str, ==, "MESSAGE[5] BINARY[3] CODE_LINE[1] ");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/log-format/text-is-one-line-with-fields", test_text);
  g_test_add_func ("/log-format/terminal-has-no-date", test_terminal);
  g_test_add_func ("/log-format/json-is-one-object", test_json);
  g_test_add_func ("/log-format/control-characters-are-escaped", test_hostile_text);
  g_test_add_func ("/log-format/level-lets-graver-records-pass", test_levels);
  g_test_add_func ("/log-format/prefix-keeps-the-network", test_privacy_prefix);
  g_test_add_func ("/log-format/key-is-hidden-in-every-text", test_privacy_key);
  g_test_add_func ("/log-format/hash-is-the-same-for-one-peer", test_privacy_hash);
  g_test_add_func ("/log-format/each-field-skips-what-the-record-has", test_each_field);
  return g_test_run ();
}
