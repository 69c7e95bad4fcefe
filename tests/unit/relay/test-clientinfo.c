/* test-clientinfo.c: tests which ClientInfo is taken, and what is read from it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-clientinfo.h"

#define HEX32 "0123456789abcdefABCDEF0123456789"
#define HEX64 HEX32 HEX32
#define X32   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* What it says, in one line: version, flags, mesh key, names in snake_case, name. */
static const struct {
  const char *text, *said;
} good[] = {
  { "{}", "0 --- []" },
  { "null", "0 --- []" },
  { " { } ", "0 --- []" },
  { "{\"version\":2,\"CanAckPings\":true}", "2 p-- []" },
  { "{\"meshKey\":\"" HEX64
    "\",\"version\":2,\"CanAckPings\":false,\"IsProber\":true,\"AppName\":\"x\"}",
    "2 -bm [x]" },
  /* Letter case of names, and the last of several. */
  { "{\"VERSION\":3,\"canackpings\":true,\"ISPROBER\":true,\"appname\":\"n\"}", "3 pb- [n]" },
  { "{\"version\":3,\"Version\":4,\"CanAckPings\":true,\"canAckPings\":false}", "4 --- []" },
  { "{\"\\u0076ersion\":5}", "5 --- []" },
  /* Unknown ones, and those that only look alike. */
  { "{\"a\":[1,{\"version\":\"x\"}],\"ersion\":\"x\",\"versions\":{},\"version\":1,"
    "\"AppName2AppName2AppName2\":1}",
    "1 --- []" },
  /* What tailscale-rs sends: nothing of it counts but the version, least of all its mesh key. */
  { "{\"can_ack_pings\":false,\"is_prober\":false,\"mesh_key\":\"none\",\"version\":2}",
    "2 --- snake []" },
  { "{\"can_ack_pings\":true}", "0 --- snake []" },
  { "{\"is_prober\":\"maybe\"}", "0 --- snake []" },
  { "{\"mesh_key\":\"" HEX64 "\"}", "0 --- snake []" },
  { "{\"mesh_keys\":1,\"app_name\":2,\"Mesh_Key\":3}", "0 --- []" },
  /* null says nothing. */
  { "{\"version\":null,\"CanAckPings\":null,\"IsProber\":null,\"AppName\":null}", "0 --- []" },
  { "{\"version\":2,\"version\":null,\"AppName\":\"a\",\"AppName\":null,\"IsProber\":true,"
    "\"IsProber\":null}",
    "2 -b- [a]" },
  { "{\"version\":-7}", "-7 --- []" },
  { "{\"version\":9223372036854775807}", "9223372036854775807 --- []" },
  { "{\"AppName\":\"" X32 "\"}", "0 --- [" X32 "]" },
  { "{\"AppName\":\"\"}", "0 --- []" },
  { "{\"AppName\":\" ~\\u0041\\\"\"}", "0 --- [ ~A\"]" },
  /* Only the last name counts. */
  { "{\"AppName\":\"" X32 "x\",\"AppName\":\"ok\"}", "0 --- [ok]" },
  { "{\"meshKey\":\"0000000000000000000000000000000000000000000000000000000000000000\"}",
    "0 --m []" },
};

static const struct {
  const char *text, *reason;
} bad[] = {
  { "", "expected a value" },
  { "[]", "ClientInfo is not a JSON object" },
  { "2", "ClientInfo is not a JSON object" },
  { "\"x\"", "ClientInfo is not a JSON object" },
  { "true", "ClientInfo is not a JSON object" },
  { "{} x", "text behind the value" },
  { "{\"version\":2", "expected a comma or }" },
  { "{\"version\":\"2\"}", "version is not an integer" },
  { "{\"version\":2.5}", "version is not an integer" },
  { "{\"version\":1e1}", "version is not an integer" },
  { "{\"version\":true}", "version is not an integer" },
  { "{\"version\":9223372036854775808}", "version is not an integer" },
  { "{\"version\":\"2\",\"version\":2}", "version is not an integer" },
  { "{\"CanAckPings\":1}", "CanAckPings is not true or false" },
  { "{\"CanAckPings\":\"true\"}", "CanAckPings is not true or false" },
  { "{\"IsProber\":[]}", "IsProber is not true or false" },
  { "{\"AppName\":7}", "AppName is not a string" },
  { "{\"AppName\":\"" X32 "x\"}", "AppName is longer than 32 bytes" },
  { "{\"AppName\":\"" X32 "x\",\"AppName\":null}", "AppName is longer than 32 bytes" },
  { "{\"AppName\":\"a\\u0001\"}", "AppName is not printable ASCII" },
  { "{\"AppName\":\"\\u007f\"}", "AppName is not printable ASCII" },
  { "{\"AppName\":\"\xc3\xbc\"}", "AppName is not printable ASCII" },
  { "{\"AppName\":\"\\u00fc\"}", "AppName is not printable ASCII" },
  { "{\"meshKey\":\"\"}", "meshKey is not 64 hex digits" },
  { "{\"meshKey\":null}", "meshKey is not 64 hex digits" },
  { "{\"meshKey\":1}", "meshKey is not 64 hex digits" },
  { "{\"meshKey\":\"" HEX32 "\"}", "meshKey is not 64 hex digits" },
  { "{\"meshKey\":\"" HEX64 "0\"}", "meshKey is not 64 hex digits" },
  { "{\"meshKey\":\"g123456789abcdefABCDEF0123456789" HEX32 "\"}", "meshKey is not 64 hex digits" },
  { "{\"meshKey\":\"mkey:" HEX64 "\"}", "meshKey is not 64 hex digits" },
  { "{\"meshKey\":\"\",\"meshKey\":\"" HEX64 "\"}", "meshKey is not 64 hex digits" },
  { "{\"MESHKEY\":\"\"}", "meshKey is not 64 hex digits" },
  { "{\"x\":\"\xff\"}", "not valid UTF-8" },
};

static void
test_good (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      DetourClientInfo info;
      const char *reason;
      g_autofree char *said = NULL;

      g_test_message ("%s", good[i].text);
      g_assert_true (detour_clientinfo_parse (good[i].text, strlen (good[i].text), &info, &reason));
      said = g_strdup_printf ("%" G_GINT64_FORMAT " %c%c%c%s [%s]", info.version,
                              info.can_ack_pings ? 'p' : '-', info.is_prober ? 'b' : '-',
                              info.has_mesh_key ? 'm' : '-', info.has_snake_case ? " snake" : "",
                              info.app_name);
      g_assert_cmpstr (said, ==, good[i].said);
    }
}

static void
test_bad (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      DetourClientInfo info;
      const char *reason = NULL;
      g_autofree char *copy = g_memdup2 (bad[i].text, strlen (bad[i].text));
      g_autofree char *shown = g_strescape (bad[i].text, NULL);

      g_test_message ("%s", shown);
      g_assert_false (detour_clientinfo_parse (copy, strlen (bad[i].text), &info, &reason));
      g_assert_cmpstr (reason, ==, bad[i].reason);
    }
}

static void
test_mesh_key (void)
{
  static const char text[] = "{\"meshKey\":\"" HEX64 "\",\"meshKey\":\"ff" HEX64 "\"}";
  static const guint8 head[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd };
  DetourClientInfo info;
  const char *reason;

  g_assert_true (detour_clientinfo_parse ("{\"meshKey\":\"" HEX64 "\"}", 78, &info, &reason));
  g_assert_cmpmem (info.mesh_key, sizeof head, head, sizeof head);
  g_assert_false (detour_clientinfo_parse (text, strlen (text), &info, &reason));
}

static void
test_limits (void)
{
  g_autofree char *text = g_strnfill (DETOUR_CLIENTINFO_TEXT_MAX + 1, ' ');
  DetourClientInfo info;
  const char *reason;
  g_autoptr (GString) deep = g_string_new ("{\"a\":");

  text[0] = '{';
  text[1] = '}';
  g_assert_true (detour_clientinfo_parse (text, DETOUR_CLIENTINFO_TEXT_MAX, &info, &reason));
  g_assert_false (detour_clientinfo_parse (text, DETOUR_CLIENTINFO_TEXT_MAX + 1, &info, &reason));
  g_assert_cmpstr (reason, ==, "ClientInfo is longer than 16384 bytes");

  for (guint i = 1; i < 32; i++)
    g_string_append_c (deep, '[');
  for (guint i = 1; i < 32; i++)
    g_string_append_c (deep, ']');
  g_string_append_c (deep, '}');
  g_assert_true (detour_clientinfo_parse (deep->str, deep->len, &info, &reason));
  g_string_insert (deep, 5, "[");
  g_string_insert (deep, (gssize) deep->len - 1, "]");
  g_assert_false (detour_clientinfo_parse (deep->str, deep->len, &info, &reason));
  g_assert_cmpstr (reason, ==, "nested too deep");
}

static void
test_prefixes (void)
{
  const char *text = good[4].text;
  DetourClientInfo info;
  const char *reason;

  for (gsize n = 0; n < strlen (text); n++)
    {
      g_autofree char *copy = g_memdup2 (text, n);

      g_assert_false (detour_clientinfo_parse (copy, n, &info, &reason));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/clientinfo/taken", test_good);
  g_test_add_func ("/clientinfo/refused", test_bad);
  g_test_add_func ("/clientinfo/mesh-key-decoded", test_mesh_key);
  g_test_add_func ("/clientinfo/size-and-depth", test_limits);
  g_test_add_func ("/clientinfo/no-prefix-is-enough", test_prefixes);
  return g_test_run ();
}
