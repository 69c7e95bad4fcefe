/* test-config-value.c: every type of value, its limits, and what is said of a bad one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-value.h"

#include <string.h>

#include "detour-config-errors.h"
#include "detour-nearest.h"

#define SECOND 1000ull

static const DetourConfigKey keys[] = {
  { "bool", DETOUR_CONFIG_BOOL },
  { "uint", DETOUR_CONFIG_UINT },
  { "uint-ranged", DETOUR_CONFIG_UINT, NULL, 10, 20 },
  { "uint-limit", DETOUR_CONFIG_UINT, NULL, 10, 20, .flags = DETOUR_CONFIG_LIMIT },
  { "duration", DETOUR_CONFIG_DURATION },
  { "duration-ranged", DETOUR_CONFIG_DURATION, NULL, SECOND, 60 * SECOND },
  { "duration-limit", DETOUR_CONFIG_DURATION, NULL, SECOND, 60 * SECOND,
    .flags = DETOUR_CONFIG_LIMIT },
  { "size", DETOUR_CONFIG_SIZE },
  { "size-ranged", DETOUR_CONFIG_SIZE, NULL, 1024, 1048576 },
  { "rate", DETOUR_CONFIG_RATE, NULL, 1024, 1048576, .flags = DETOUR_CONFIG_LIMIT },
  { "enum", DETOUR_CONFIG_ENUM, .words = "blank|default|not-found" },
  { "path", DETOUR_CONFIG_PATH },
  { "paths", DETOUR_CONFIG_PATH, .flags = DETOUR_CONFIG_LIST },
  { "address", DETOUR_CONFIG_ADDRESS },
  { "cidr", DETOUR_CONFIG_CIDR },
  { "string", DETOUR_CONFIG_STRING },
  { "strings", DETOUR_CONFIG_STRING, .flags = DETOUR_CONFIG_LIST },
  { "uints", DETOUR_CONFIG_UINT, NULL, 1, 9, .flags = DETOUR_CONFIG_LIST },
  { "addresses", DETOUR_CONFIG_ADDRESS, .flags = DETOUR_CONFIG_LIST },
};

static const DetourConfigKey *
key_named (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (strcmp (keys[i].key, name) == 0)
      return &keys[i];
  g_assert_not_reached ();
}

static void
numbers (void)
{
  static const struct {
    const char *key, *text;
    guint64 number;
  } cases[] = {
    { "bool", "true", 1 },
    { "bool", "yes", 1 },
    { "bool", "on", 1 },
    { "bool", "false", 0 },
    { "bool", "no", 0 },
    { "bool", "off", 0 },
    { "uint", "0", 0 },
    { "uint", "007", 7 },
    { "uint", "18446744073709551615", G_MAXUINT64 },
    { "uint-ranged", "10", 10 },
    { "uint-ranged", "20", 20 },
    { "uint-limit", "off", 0 },
    { "uint-limit", "0", 0 },
    { "uint-limit", "15", 15 },
    { "duration", "500ms", 500 },
    { "duration", "30s", 30 * SECOND },
    { "duration", "10m", 600 * SECOND },
    { "duration", "24h", 86400 * SECOND },
    { "duration", "7d", 7 * 86400 * SECOND },
    { "duration", "0s", 0 },
    { "duration", "0", 0 },
    { "duration-ranged", "1s", SECOND },
    { "duration-ranged", "1m", 60 * SECOND },
    { "duration-limit", "off", 0 },
    { "duration-limit", "0", 0 },
    { "duration-limit", "0s", 0 },
    { "size", "0", 0 },
    { "size", "4096", 4096 },
    { "size", "64K", 65536 },
    { "size", "2M", 2097152 },
    { "size", "1G", 1073741824 },
    { "size-ranged", "1K", 1024 },
    { "size-ranged", "1M", 1048576 },
    { "rate", "off", 0 },
    { "rate", "512K", 524288 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      DetourConfigValue value;

      g_test_message ("%s = %s", cases[i].key, cases[i].text);
      detour_config_value_parse (key_named (cases[i].key), cases[i].text, &value, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (value.number, ==, cases[i].number);
      detour_config_value_clear (&value);
    }
}

static void
texts (void)
{
  static const struct {
    const char *key, *text, *string;
  } cases[] = {
    { "enum", "not-found", "not-found" },
    { "path", "/etc/detour", "/etc/detour" },
    { "address", "[::]:443", "[::]:443" },
    { "cidr", "192.0.2.0/24", "192.0.2.0/24" },
    { "string", "", "" },
    { "string", "two words; one value \\# all of it", "two words; one value # all of it" },
    { "string", "\\stab\\tline\\nback\\\\semi\\;end\\s", " tab\tline\nback\\semi;end " },
    { "string", "größer", "größer" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      DetourConfigValue value;

      detour_config_value_parse (key_named (cases[i].key), cases[i].text, &value, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (value.string, ==, cases[i].string);
      detour_config_value_clear (&value);
    }
}

static void
lists (void)
{
  static const struct {
    const char *key, *text;
    const char *list[5];
  } cases[] = {
    { "strings", "", { NULL } },
    { "strings", "one", { "one" } },
    { "strings", "one;", { "one" } },
    { "strings", "one;two;three", { "one", "two", "three" } },
    { "strings", " one ;  two words ; ", { "one", "two words" } },
    { "strings", "one;;two", { "one", "", "two" } },
    { "strings", ";", { "" } },
    { "strings", "a\\;b;c\\s;\\sd", { "a;b", "c ", " d" } },
    { "uints", "1;2;9", { "1", "2", "9" } },
    { "addresses", "[::]:443; 127.0.0.1:80;unix:/x", { "[::]:443", "127.0.0.1:80", "unix:/x" } },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      DetourConfigValue value;

      g_test_message ("%s = %s", cases[i].key, cases[i].text);
      detour_config_value_parse (key_named (cases[i].key), cases[i].text, &value, &error);
      g_assert_no_error (error);
      g_assert_true (g_strv_equal ((const char *const *) value.list, cases[i].list));
      detour_config_value_clear (&value);
    }
}

static void
refused (void)
{
  static const struct {
    const char *key, *text, *message;
  } cases[] = {
    { "bool", "True", "\"True\" is neither true nor false; write true, yes, on, false, no or off" },
    { "bool", "1", "\"1\" is neither true nor false; write true, yes, on, false, no or off" },
    { "bool", "", "\"\" is neither true nor false; write true, yes, on, false, no or off" },
    { "uint", "", "\"\" is not a number; write digits only" },
    { "uint", "-1", "\"-1\" is not a number; write digits only" },
    { "uint", "+1", "\"+1\" is not a number; write digits only" },
    { "uint", "1 000", "\"1 000\" is not a number; write digits only" },
    { "uint", "0x10", "\"0x10\" is not a number; write digits only" },
    { "uint", "18446744073709551616",
      "\"18446744073709551616\" is not a number; write digits only" },
    { "uint", "443 # tls",
      "\"443 # tls\" has a comment behind it; a comment needs a line of its own, and \\# stands "
      "for a "
      "# that belongs to the value" },
    { "uint", "443 ; tls",
      "\"443 ; tls\" has a comment behind it; a comment needs a line of its own, and \\# stands "
      "for a "
      "# that belongs to the value" },
    { "uint", "\"443\"", "\"\"443\"\" is in quotes; write the value without them" },
    { "strings", "a, b",
      "\"a, b\" has a comma; the values of a list are separated by \";\", and \\, stands for a "
      "comma "
      "that belongs to one" },
    { "addresses", "\":80\";\":81\"",
      "\"\":80\";\":81\"\" is in quotes; write the value without them" },
    { "uint", "'443'", "\"'443'\" is in quotes; write the value without them" },
    { "uint", "off", "\"off\" is not a number; write digits only" },
    { "uint-ranged", "9", "\"9\" is out of range; it goes from 10 to 20" },
    { "uint-ranged", "21", "\"21\" is out of range; it goes from 10 to 20" },
    { "uint-ranged", "0", "\"0\" is out of range; it goes from 10 to 20" },
    { "uint-limit", "21", "\"21\" is out of range; it goes from 10 to 20, or off" },
    { "uint-limit", "none", "\"none\" is not a number; write digits only, or off" },
    { "duration", "2 secs", "\"2 secs\" is not a duration; write 2s, 500ms, 10m, or 0" },
    { "duration", "2", "\"2\" is not a duration; write 2s, 500ms, 10m, or 0" },
    { "duration", "s", "\"s\" is not a duration; write 2s, 500ms, 10m, or 0" },
    { "duration", "1.5s", "\"1.5s\" is not a duration; write 2s, 500ms, 10m, or 0" },
    { "duration", "1h30m", "\"1h30m\" is not a duration; write 2s, 500ms, 10m, or 0" },
    { "duration", "-1s", "\"-1s\" is not a duration; write 2s, 500ms, 10m, or 0" },
    { "duration", "99999999999999999d",
      "\"99999999999999999d\" is not a duration; write 2s, 500ms, 10m, or 0" },
    { "duration", "9223372036854776s",
      "\"9223372036854776s\" is not a duration; write 2s, 500ms, 10m, or 0" },
    { "duration-ranged", "0", "\"0\" is not a duration; write 2s, 500ms, 10m" },
    { "duration-ranged", "999ms", "\"999ms\" is out of range; it goes from 1s to 1m" },
    { "duration-ranged", "61s", "\"61s\" is out of range; it goes from 1s to 1m" },
    { "duration-limit", "x", "\"x\" is not a duration; write 2s, 500ms, 10m, or off" },
    { "size", "1KB", "\"1KB\" is not a size; write 4096, 64K, 2M, 1G" },
    { "size", "1k", "\"1k\" is not a size; write 4096, 64K, 2M, 1G" },
    { "size", "99999999999999G", "\"99999999999999G\" is not a size; write 4096, 64K, 2M, 1G" },
    { "size-ranged", "1023", "\"1023\" is out of range; it goes from 1K to 1M" },
    { "rate", "1M/s", "\"1M/s\" is not a rate; write bytes a second: 65536, 512K, 2M, or off" },
    { "rate", "2M", "\"2M\" is out of range; it goes from 1K to 1M, or off" },
    { "enum", "blnak",
      "\"blnak\" is not one of blank, default, not-found; did you mean \"blank\"?" },
    { "enum", "zebra", "\"zebra\" is not one of blank, default, not-found" },
    { "path", "etc/detour", "\"etc/detour\" is not an absolute path; it must begin with \"/\"" },
    { "address", "443",
      "\"443\" is not an address: write HOST:PORT, [V6]:PORT, :PORT or unix:/path" },
    { "cidr", "here",
      "\"here\" is not a network: write ADDRESS or ADDRESS/BITS, as in 192.0.2.0/24 or "
      "2001:db8::/32" },
    { "string", "a\\xb",
      "\"a\\xb\" has a \"\\\" that means nothing; there are \\s \\n \\t \\r \\\\ \\; \\, "
      "\\\" \\#" },
    { "string", "a\\",
      "\"a\\\" has a \"\\\" that means nothing; there are \\s \\n \\t \\r \\\\ \\; \\, "
      "\\\" \\#" },
    { "uints", "1;x;3", "\"x\" is not a number; write digits only" },
    { "uints", "1;10", "\"10\" is out of range; it goes from 1 to 9" },
    { "uints", "x;2;10",
      "\"x\" is not a number; write digits only; \"10\" is out of range; it goes from 1 to 9" },
    { "strings", "a;\\",
      "\"a;\\\" has a \"\\\" that means nothing; there are \\s \\n \\t \\r \\\\ \\; \\, "
      "\\\" \\#" },
    { "bool", "a\001b",
      "\"a\\x01b\" is neither true nor false; write true, yes, on, false, no or off" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      DetourConfigValue value;

      g_test_message ("%s = %s", cases[i].key, cases[i].text);
      g_assert_false (
          detour_config_value_parse (key_named (cases[i].key), cases[i].text, &value, &error));
      g_assert_nonnull (error);
      g_assert_cmpstr (error->message, ==, cases[i].message);
      detour_config_value_clear (&value);
    }
}

static void
formats (void)
{
  static const struct {
    guint64 value;
    const char *duration, *size;
  } cases[] = {
    { 0, "0ms", "0" },
    { 500, "500ms", "500" },
    { 1000, "1s", "1000" },
    { 1024, "1024ms", "1K" },
    { 86400000, "1d", "84375K" },
    { 90000, "90s", "90000" },
    { 1073741824, "1073741824ms", "1G" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *duration = detour_config_format_duration (cases[i].value);
      g_autofree char *size = detour_config_format_size (cases[i].value);

      g_assert_cmpstr (duration, ==, cases[i].duration);
      g_assert_cmpstr (size, ==, cases[i].size);
    }
}

static void
nearest (void)
{
  static const char *const candidates[] = { "listen",      "cert",         "alpn",
                                            "min-version", "record-layer", NULL };
  static const struct {
    const char *word, *nearest;
  } cases[] = {
    { "lisen", "listen" },
    { "listne", "listen" },
    { "Listen", "listen" },
    { "certs", "cert" },
    { "crt", "cert" },
    { "minversion", "min-version" },
    { "record_layer", "record-layer" },
    { "zebra", NULL },
    { "", NULL },
    { "x", NULL },
  };
  g_autofree char *endless = g_strnfill (1000, 'l');

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s", cases[i].word);
      g_assert_cmpstr (detour_nearest (cases[i].word, candidates), ==, cases[i].nearest);
    }
  g_assert_null (detour_nearest (endless, candidates));
}

static void
credentials (void)
{
  static const struct {
    const char *folder, *key, *text, *path, *message;
  } cases[] = {
    { "/run/c", "path", "${CREDENTIALS_DIRECTORY}/derp.key", "/run/c/derp.key", NULL },
    { "/run/c", "path", "${CREDENTIALS_DIRECTORY}", "/run/c", NULL },
    { "/run/c", "path", "/etc/${CREDENTIALS_DIRECTORY}", "/etc/${CREDENTIALS_DIRECTORY}", NULL },
    { "/run/c", "paths", "/a; ${CREDENTIALS_DIRECTORY}/b", "/a|/run/c/b", NULL },
    { "/run/c", "string", "${CREDENTIALS_DIRECTORY}/b", "${CREDENTIALS_DIRECTORY}/b", NULL },
    { "/run/c", "path", "${CREDENTIALS_DIRECTORY}b", NULL,
      "\"${CREDENTIALS_DIRECTORY}b\" needs a \"/\" behind ${CREDENTIALS_DIRECTORY}" },
    { "/run/c", "path", "${HOME}/key", NULL,
      "\"${HOME}/key\" begins with a variable; the only one that a path may begin with is "
      "${CREDENTIALS_DIRECTORY}" },
    { "/run/c", "path", "$CREDENTIALS_DIRECTORY/key", NULL,
      "\"$CREDENTIALS_DIRECTORY/key\" begins with a variable; the only one that a path may begin "
      "with is ${CREDENTIALS_DIRECTORY}" },
    { "c", "path", "${CREDENTIALS_DIRECTORY}/key", NULL,
      "\"${CREDENTIALS_DIRECTORY}/key\" needs an absolute path in the variable "
      "CREDENTIALS_DIRECTORY; it is \"c\"" },
    { "", "path", "${CREDENTIALS_DIRECTORY}/key", NULL,
      "\"${CREDENTIALS_DIRECTORY}/key\" needs an absolute path in the variable "
      "CREDENTIALS_DIRECTORY; it is \"\"" },
    { NULL, "path", "${CREDENTIALS_DIRECTORY}/key", NULL,
      "\"${CREDENTIALS_DIRECTORY}/key\" needs the variable CREDENTIALS_DIRECTORY, which is not "
      "set; systemd sets it for a unit with LoadCredential= or SetCredential=" },
    { NULL, "paths", "${CREDENTIALS_DIRECTORY}/key;x", NULL,
      "\"${CREDENTIALS_DIRECTORY}/key\" needs the variable CREDENTIALS_DIRECTORY, which is not "
      "set; systemd sets it for a unit with LoadCredential= or SetCredential=; \"x\" is not an "
      "absolute path; it must begin with \"/\"" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *listed = NULL;
      DetourConfigValue value;

      g_test_message ("%s = %s", cases[i].key, cases[i].text);
      g_unsetenv ("CREDENTIALS_DIRECTORY");
      if (cases[i].folder != NULL)
        g_setenv ("CREDENTIALS_DIRECTORY", cases[i].folder, TRUE);
      if (cases[i].message != NULL)
        {
          g_assert_false (
              detour_config_value_parse (key_named (cases[i].key), cases[i].text, &value, &error));
          g_assert_error (error, DETOUR_CONFIG_ERROR, DETOUR_CONFIG_ERROR_VALUE);
          g_assert_cmpstr (error->message, ==, cases[i].message);
          continue;
        }
      detour_config_value_parse (key_named (cases[i].key), cases[i].text, &value, &error);
      g_assert_no_error (error);
      if (value.list != NULL)
        listed = g_strjoinv ("|", value.list);
      g_assert_cmpstr (listed != NULL ? listed : value.string, ==, cases[i].path);
      detour_config_value_clear (&value);
    }
  g_unsetenv ("CREDENTIALS_DIRECTORY");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config-value/numbers-in-every-unit", numbers);
  g_test_add_func ("/config-value/texts-with-escapes", texts);
  g_test_add_func ("/config-value/lists", lists);
  g_test_add_func ("/config-value/paths-of-credentials", credentials);
  g_test_add_func ("/config-value/bad-values-say-what-is-right", refused);
  g_test_add_func ("/config-value/written-as-people-write", formats);
  g_test_add_func ("/nearest/slips-are-recognised", nearest);
  return g_test_run ();
}
