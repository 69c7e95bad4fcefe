/* test-import.c: tests of how derper's command lines are found, split and read.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-import.h"

#include <string.h>

typedef struct {
  const char *name, *text;
  const char *words; /* separated by `|`; NULL: refused */
} Case;

/* Split as a shell does. */
static const Case shells[] = {
  { "/import/shell/plain", " a  b\tc\n", "a|b|c" },
  { "/import/shell/quotes", "'a b' \"c \\\" d\" e' f'g ''", "a b|c \" d|e fg|" },
  { "/import/shell/backslash", "a\\ b \\\n c \"x\\y\" 'x\\y'", "a b|c|x\\y|x\\y" },
  { "/import/shell/comment", "a b#c # d", "a|b#c" },
  { "/import/shell/variables", "$ONE ${ONE} '$ONE' \"$TWO\" x$TWO ${NONE:-n o} $ a$",
    "1|1|$ONE|t w|xt|w|n|o|$|a$" },
  { "/import/shell/unknown-variable", "$DETOUR_TEST_NONE", NULL },
  { "/import/shell/quote-without-end", "'a", NULL },
  { "/import/shell/brace-without-end", "${ONE", NULL },
};

static const Case units[] = {
  { "/import/systemd/escapes", "\"a\\x41\\sb\" $$c %%d 'e f'", "aA b|$c|%d|e f" },
  { "/import/systemd/variables", "$TWO ${TWO} '${ONE}'", "t|w|t w|1" },
};

/* Whole files or command lines. */
static const Case sources[] = {
  { "/import/source/line", "sudo -u derp /opt/derper -a :443 > log", "-a|:443" },
  { "/import/source/flags-alone", "-a :443", "-a|:443" },
  { "/import/source/container", "docker run -p 443:443 -e A=b me/derper:latest -stun=false",
    "-stun=false" },
  { "/import/source/shell-in-it", "env A=b sh -c 'exec derper -hostname \"x y\"'",
    "-hostname|x y" },
  { "/import/source/no-derper", "caddy run", NULL },
};

static const Case files[] = {
  { "/import/file/unit",
    "[Unit]\nDescription=derper\n[Service]\nEnvironment=HOST=r.example.com \"MORE=-stun=false "
    "-ace\"\n"
    "ExecStart=/usr/bin/false\nExecStart=\n# ExecStart=nothing\nExecStart=-/usr/bin/derper \\\n"
    "  -hostname ${HOST} \\\n  $MORE -home '' -c \"/a b\"\n",
    "-hostname|r.example.com|-stun=false|-ace|-home||-c|/a b" },
  { "/import/file/unit-with-a-dollar-in-a-variable",
    "[Service]\nEnvironment=A=a$NONE$$ \"B=\\x62 %%\"\nExecStart=derper -home $A -c ${B}\n",
    "-home|a$NONE$$|-c|b %" },
  { "/import/file/unit-without-command", "[Service]\nExecStart=\n", NULL },
  { "/import/file/dockerfile-lists",
    "FROM golang AS build\nCMD [\"x\"]\nFROM alpine\nENTRYPOINT [\"/bin/derper\", \"-c\", \"/k\"]\n"
    "CMD [\"-a\", \":443\"]\n",
    "-c|/k|-a|:443" },
  { "/import/file/dockerfile-shell",
    "FROM alpine\nENV HOST=r.example.com PORT=80\nENV HOME /x y\nCMD /app/derper --hostname=$HOST "
    "\\\n"
    "  --http-port=${PORT} -c \"$HOME\"\n",
    "--hostname=r.example.com|--http-port=80|-c|/x y" },
  { "/import/file/dockerfile-of-stages",
    "FROM golang\nENTRYPOINT make\nFROM alpine\nCMD [\"derper\", \"-a\", \":443\"]\n", "-a|:443" },
  { "/import/file/dockerfile-of-nothing", "FROM alpine\n", NULL },
  { "/import/file/compose",
    "x-base: &base\n  image: me/derper\nservices:\n  web:\n    image: caddy\n    command: run\n"
    "  derp:\n    <<: *base\n    environment:\n      HOST: r.example.com\n    ports: "
    "[\"8443:443\"]\n"
    "    command: sh -c 'derper -hostname $$HOST -certmode \"${MODE:-manual}\"'\n",
    "-hostname|r.example.com|-certmode|manual" },
  { "/import/file/compose-lists",
    "services:\n  derp:\n    image: me/relay\n    entrypoint: [/bin/derper, -a]\n"
    "    command:\n      - \":443\"\n      - -stun=false\n",
    "-a|:443|-stun=false" },
  { "/import/file/compose-without-command", "services:\n  a:\n    image: me/derper:1\n", NULL },
  { "/import/file/compose-of-others", "services:\n  a:\n    image: caddy\n    command: run\n",
    NULL },
  { "/import/file/compose-merged-twice",
    "x-a: &a\n  command: derper -a :80\nx-b: &b\n  <<: *a\n  image: me/derper\nservices:\n  d:\n"
    "    <<: [*b]\n",
    "-a|:80" },
  { "/import/file/compose-of-a-list", "services:\n  - image: me/derper\n", NULL },
  { "/import/file/script", "#!/bin/sh\n# derper -x\nset -e\nexec derper -a :443 \\\n  -ace &\n",
    "-a|:443|-ace" },
  { "/import/file/other", "hello\n", NULL },
};

static void
check_words (const Case *c, char **words, const GError *error)
{
  g_autofree char *joined = words != NULL ? g_strjoinv ("|", words) : NULL;

  g_assert_true ((words == NULL) == (error != NULL));
  g_assert_cmpstr (joined, ==, c->words);
}

static GHashTable *
environment (void)
{
  GHashTable *table = g_hash_table_new (g_str_hash, g_str_equal);

  g_hash_table_insert (table, (gpointer) "ONE", (gpointer) "1");
  g_hash_table_insert (table, (gpointer) "TWO", (gpointer) "t w");
  return table;
}

static void
test_shell (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GHashTable) table = environment ();
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) words = detourctl_import_split (c->text, DETOURCTL_WORDS_SHELL, table, &error);

  check_words (c, words, error);
}

static void
test_systemd (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GHashTable) table = environment ();
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) words = detourctl_import_split (c->text, DETOURCTL_WORDS_SYSTEMD, table, &error);

  check_words (c, words, error);
}

static void
test_source (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlImportSource) source = detourctl_import_source_from_line (c->text, &error);

  check_words (c, source != NULL ? source->words : NULL, error);
}

static void
test_file (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlImportSource) source = detourctl_import_source_from_file (c->text, &error);

  check_words (c, source != NULL ? source->words : NULL, error);
}

/* Each variable is twice the one before it. */
static void
test_long_variables (void)
{
  g_autoptr (GString) docker = g_string_new ("FROM x\nENV A0=0123456789abcdef\n");
  g_autoptr (GString) unit = g_string_new ("[Service]\nEnvironment=A=");
  g_autofree char *word = g_strnfill (100000, 'x');
  g_autoptr (GError) error = NULL;

  for (guint i = 1; i < 40; i++)
    g_string_append_printf (docker, "ENV A%u=$A%u$A%u\n", i, i - 1, i - 1);
  g_string_append (docker, "CMD derper -hostname $A39\n");
  g_assert_null (detourctl_import_source_from_file (docker->str, &error));
  g_assert_error (error, DETOURCTL_IMPORT_ERROR, 0);
  g_clear_error (&error);
  g_string_append_printf (unit, "%s\nExecStart=derper", word);
  for (guint i = 0; i < 20; i++)
    g_string_append (unit, " $A");
  g_assert_null (detourctl_import_source_from_file (unit->str, &error));
  g_assert_error (error, DETOURCTL_IMPORT_ERROR, 0);
}

static DetourctlDerperFlags *
read_flags (const char *text, guint n_faults)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  DetourctlDerperFlags *flags = detourctl_derper_flags_read ((const char *const *) words, faults);

  if (faults->len != n_faults)
    g_error ("%s: %u faults", text, faults->len);
  return flags;
}

static void
test_flags (void)
{
  g_autoptr (DetourctlDerperFlags) flags = read_flags (
      "-a :1 --c=/k -stun=F -derp=0 -ace -http-port -1 -accept-connection-limit 1.5 "
      "-tcp-user-timeout 1m30.5s -home= rest -ace=x",
      0);
  const DetourctlDerperValue *values = flags->values;

  g_assert_cmpstr (values[DERPER_A].text, ==, ":1");
  g_assert_cmpstr (values[DERPER_C].text, ==, "/k");
  g_assert_false (values[DERPER_STUN].flag);
  g_assert_false (values[DERPER_DERP].flag);
  g_assert_true (values[DERPER_ACE].flag);
  g_assert_cmpint (values[DERPER_HTTP_PORT].number, ==, -1);
  g_assert_cmpfloat (values[DERPER_ACCEPT_CONNECTION_LIMIT].real, ==, 1.5);
  g_assert_cmpint (values[DERPER_TCP_USER_TIMEOUT].length_us, ==, 90500000);
  g_assert_cmpuint (flags->rest->len, ==, 2);
  /* Those that were not given. */
  g_assert_cmpint (values[DERPER_TCP_KEEPALIVE_TIME].length_us, ==, 600000000);
  g_assert_cmpint (values[DERPER_ACCEPT_CONNECTION_BURST].number, ==, G_MAXINT64);
  g_assert_true (values[DERPER_VERIFY_CLIENT_URL_FAIL_OPEN].flag);
}

static void
test_bad_flags (void)
{
  static const char *const bad[] = { "-x",
                                     "---a",
                                     "-=x",
                                     "-a",
                                     "-stun=yes",
                                     "-stun-port x",
                                     "-stun-port 1.5",
                                     "-tcp-user-timeout 5",
                                     "-tcp-user-timeout 5x",
                                     "-accept-connection-limit many" };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    detourctl_derper_flags_free (read_flags (bad[i], 1));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (shells); i++)
    g_test_add_data_func (shells[i].name, &shells[i], test_shell);
  for (guint i = 0; i < G_N_ELEMENTS (units); i++)
    g_test_add_data_func (units[i].name, &units[i], test_systemd);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_test_add_data_func (sources[i].name, &sources[i], test_source);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    g_test_add_data_func (files[i].name, &files[i], test_file);
  g_test_add_func ("/import/long-variables", test_long_variables);
  g_test_add_func ("/import/flags", test_flags);
  g_test_add_func ("/import/flags-that-derper-refuses", test_bad_flags);
  return g_test_run ();
}
