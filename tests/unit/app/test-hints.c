/* test-hints.c: tests of what somebody is told to look at.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-hints.h"

#define BUS "io.github.detourd.Detour1."
#define DAY (G_GINT64_CONSTANT (86400) * G_USEC_PER_SEC)
#define NOW (20000 * DAY)

#define FINE_LISTENER \
  "objectpath '/x/listener/a': {'" BUS "Listener': {'Derp': <true>, 'Secure': <false>}}"
#define TLS_LISTENER \
  "objectpath '/x/listener/a': {'" BUS "Listener': {'Derp': <true>, 'Secure': <true>}}"
#define WELL "'Hostname': <'a'>"
#define PLUGIN(state, kind, error, trouble)                                            \
  "objectpath '/x/plugin/a': {'" BUS "Plugin': {'Id': <'" kind "/a'>, 'Kind': <'" kind \
  "'>, 'State': <'" state "'>, 'Error': <'" error "'>, 'Trouble': <'" trouble "'>}}"

typedef struct {
  const char *name, *manager, *objects;
  const char *codes; /* in order, separated by blanks */
} Case;

static const Case cases[] = {
  { "/hints/all-is-well", WELL, FINE_LISTENER "," PLUGIN ("running", "http", "", ""), "" },
  { "/hints/plugin-failed", WELL, FINE_LISTENER "," PLUGIN ("failed", "http", "no file", ""),
    "plugin_failed" },
  { "/hints/plugin-in-trouble", WELL, FINE_LISTENER "," PLUGIN ("running", "http", "", "slow"),
    "plugin_trouble" },
  { "/hints/disabled-is-no-fault", WELL, FINE_LISTENER "," PLUGIN ("disabled", "http", "", ""),
    "" },
  { "/hints/stopped-by-hand", WELL, FINE_LISTENER "," PLUGIN ("stopped", "http", "", ""),
    "plugin_stopped" },
  { "/hints/open-to-everyone", "'AdmissionSummary': <{'open': <true>}>", FINE_LISTENER,
    "admission_open" },
  { "/hints/forgotten-log-level", WELL ", 'LogLevel': <'debug'>", FINE_LISTENER, "log_level" },
  { "/hints/log-level-of-the-configuration", WELL ", 'LogLevel': <''>", FINE_LISTENER, "" },
  { "/hints/nobody-to-ask", "'AdmissionSummary': <{'open': <false>}>",
    FINE_LISTENER "," PLUGIN ("stopped", "auth", "", ""), "plugin_stopped admission_stopped" },
  { "/hints/somebody-to-ask", "'AdmissionSummary': <{'open': <false>}>",
    FINE_LISTENER "," PLUGIN ("running", "auth", "", ""), "" },
  { "/hints/dry-run", "'AdmissionSummary': <{'open': <false>, 'dry_run': <true>}>",
    FINE_LISTENER "," PLUGIN ("running", "auth", "", ""), "admission_dry_run" },
  { "/hints/no-listener", WELL, PLUGIN ("running", "http", "", ""), "no_listener" },
  { "/hints/draining-has-no-listener", WELL ", 'Draining': <true>",
    PLUGIN ("running", "http", "", ""), "draining" },
  { "/hints/address-that-is-not-there", WELL,
    "objectpath '/x/listener/a': {'" BUS
    "Listener': {'Derp': <true>, 'AbsentAddresses': <['192.0.2.1:80', '[2001:db8::1]:80']>}}",
    "address_absent address_absent" },
  { "/hints/tls-without-certificate", WELL, TLS_LISTENER, "no_certificate" },
  { "/hints/slow-readers",
    WELL ", 'Recent': <{'packets_received': <@t 10000>, 'packets_dropped_slow': <@t 300>}>",
    FINE_LISTENER, "slow_readers" },
  { "/hints/a-few-drops-are-normal",
    WELL ", 'Recent': <{'packets_received': <@t 10000>, 'packets_dropped_slow': <@t 200>}>",
    FINE_LISTENER, "" },
};

static char *
codes_of (const char *manager_text, const char *objects_text)
{
  g_autofree char *manager_source = g_strconcat ("{", manager_text, "}", NULL);
  g_autofree char *objects_source = g_strconcat ("{", objects_text, "}", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      manager = g_variant_parse (G_VARIANT_TYPE_VARDICT, manager_source, NULL, NULL, &error);
  g_autoptr (GVariant) objects = NULL;
  g_autoptr (GPtrArray) hints = NULL;
  GString *codes = g_string_new (NULL);

  g_assert_no_error (error);
  objects = g_variant_parse (G_VARIANT_TYPE ("a{oa{sa{sv}}}"), objects_source, NULL, NULL, &error);
  g_assert_no_error (error);
  hints = detourctl_hints (manager, objects, NOW);
  for (guint i = 0; i < hints->len; i++)
    {
      const DetourctlHint *hint = hints->pdata[i];

      g_assert_cmpstr (hint->text, !=, "");
      g_string_append_printf (codes, "%s%s", i > 0 ? " " : "", hint->code);
    }
  return g_string_free (codes, FALSE);
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *codes = codes_of (c->manager, c->objects);

  g_assert_cmpstr (codes, ==, c->codes);
}

/* What is left of a certificate counts by its whole life. */
static void
test_certificates (void)
{
  static const struct {
    gint64 begin_days, end_days;
    const char *codes;
  } lives[] = {
    { -10, 80, "" },
    { -73, 17, "certificate_expires" },
    { -100, 0, "certificate_expired" },
    { -100, -1, "certificate_expired" },
    { -4, 2, "" },
    { -6, 1, "certificate_expires" },
    { -3000, 1000, "" },
    { -7000, 31, "" },
    { -7000, 29, "certificate_expires" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (lives); i++)
    {
      g_autofree char *objects = g_strdup_printf (
          TLS_LISTENER ", objectpath '/x/certificate/a': {'" BUS
                       "Certificate': {'Names': <['a']>, 'NotBefore': <@t %" G_GINT64_FORMAT
                       ">, 'NotAfter': <@t %" G_GINT64_FORMAT ">}}",
          NOW + lives[i].begin_days * DAY, NOW + lives[i].end_days * DAY);
      g_autofree char *codes = codes_of (WELL, objects);

      g_assert_cmpstr (codes, ==, lives[i].codes);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].name, &cases[i], test_case);
  g_test_add_func ("/hints/certificates", test_certificates);
  return g_test_run ();
}
