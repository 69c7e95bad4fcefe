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
  { "/hints/other-version", WELL ", 'Version': <'0.1.0'>, 'InstalledVersion': <'0.2.0'>",
    FINE_LISTENER, "other_version" },
  { "/hints/same-version", WELL ", 'Version': <'0.1.0'>, 'InstalledVersion': <'0.1.0'>",
    FINE_LISTENER, "" },
  { "/hints/no-version", WELL ", 'Version': <'0.1.0'>, 'InstalledVersion': <''>", FINE_LISTENER,
    "" },
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
  { "/hints/mesh-without-a-way-back", WELL,
    FINE_LISTENER ", objectpath '/x/peer/a': {'" BUS
                  "Peer': {'Name': <'a'>, 'State': <'up'>, 'Since': <@t 1727999940000000>, "
                  "'LinksBack': <false>}}",
    "peer_not_back" },
  { "/hints/mesh-is-not-there-yet", WELL,
    FINE_LISTENER ", objectpath '/x/peer/a': {'" BUS
                  "Peer': {'Name': <'a'>, 'State': <'up'>, 'Since': <@t 1727999940000001>, "
                  "'LinksBack': <false>}}, objectpath '/x/peer/b': {'" BUS
                  "Peer': {'Name': <'b'>, 'State': <'up'>, 'Since': <@t 1>, "
                  "'LinksBack': <true>}}, objectpath '/x/peer/c': {'" BUS
                  "Peer': {'Name': <'c'>, 'State': <'itself'>, 'LinksBack': <false>}}",
    "" },
  { "/hints/slow-readers",
    WELL ", 'Recent': <{'packets_received': <@t 10000>, 'packets_dropped_slow': <@t 300>}>",
    FINE_LISTENER, "slow_readers" },
  { "/hints/budgets",
    WELL ", 'BudgetsNear': <[{'kind': <'relay'>, 'quota': <@t 1000>, 'used': <@t 900>, 'level': "
         "<'near'>, 'until': <@t 5>}, {'kind': <'class'>, 'name': <'friends'>, 'quota': <@t 1000>, "
         "'used': <@t 2000>, 'level': <'over'>, 'until': <@t 5>}]>",
    FINE_LISTENER, "budget_near budget_over" },
  { "/hints/descriptors-are-low", WELL ", 'DescriptorsLeft': <@t 99>, 'DescriptorLimit': <@t 1000>",
    FINE_LISTENER, "descriptors_low" },
  { "/hints/descriptors-are-left",
    WELL ", 'DescriptorsLeft': <@t 100>, 'DescriptorLimit': <@t 1000>", FINE_LISTENER, "" },
  { "/hints/memory-is-spent",
    WELL ", 'MemoryBudgets': <{'half_open': <@t 900>, 'half_open_limit': <@t 1000>, 'queues': <@t "
         "1000>, 'queues_limit': <@t 1000>}>",
    FINE_LISTENER, "half_open_memory_spent queue_memory_spent" },
  { "/hints/memory-is-left",
    WELL ", 'MemoryBudgets': <{'half_open': <@t 899>, 'half_open_limit': <@t 1000>, 'queues': <@t "
         "9>, 'queues_limit': <@t 0>}>",
    FINE_LISTENER, "" },
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
    { -7000, 91, "" },
    { -7000, 89, "certificate_expires" },
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

/* Of those that Detour renews; times in days from now, 0: there is none. */
static void
test_renewals (void)
{
  static const struct {
    const char *state;
    gint64 begin_days, end_days, renew_days;
    const char *error, *trouble, *codes;
  } rows[] = {
    { "waiting", 0, 0, 0, "", "", "certificate_missing" },
    /* The instance does not say the same again. */
    { "failing", 0, 0, 0, "CAA", "the order failed", "certificate_missing" },
    { "failing", -50, 40, 1, "CAA", "the order failed", "certificate_failing" },
    { "failing", -70, 20, 1, "CAA", "", "certificate_expires" },
    { "failing", -90, -1, 1, "CAA", "", "certificate_expired" },
    { "serving", -59, 31, 0, "", "", "" },
    { "serving", -1, 89, 59, "CAA", "", "" },
    { "serving", -61, 29, 1, "", "", "" },
    { "serving", -61, 29, -1, "", "", "certificate_expires" },
    { "serving", -61, 29, 0, "", "", "certificate_expires" },
    { "serving", -10, 80, 1, "", "the clock is wrong", "plugin_trouble" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *objects = g_strdup_printf (
          TLS_LISTENER
          ", objectpath '/x/plugin/a': {'" BUS
          "Plugin': {'Id': <'cert/a'>, 'Kind': <'cert'>, 'State': <'running'>, 'Trouble': <'%s'>}}"
          ", objectpath '/x/certificate/a': {'" BUS
          "Certificate': {'Instance': <'cert/a'>, 'Names': <['a']>, 'Renewable': <true>, "
          "'State': <'%s'>, 'NotBefore': <@t %" G_GINT64_FORMAT
          ">, 'NotAfter': <@t %" G_GINT64_FORMAT ">, 'RenewTime': <@t %" G_GINT64_FORMAT
          ">, 'Error': <'%s'>}}",
          rows[i].trouble, rows[i].state,
          rows[i].end_days != 0 ? NOW + rows[i].begin_days * DAY : 0,
          rows[i].end_days != 0 ? NOW + rows[i].end_days * DAY : 0,
          rows[i].renew_days != 0 ? NOW + rows[i].renew_days * DAY : 0, rows[i].error);
      g_autofree char *codes = codes_of (WELL, objects);

      g_test_message ("row %u", i);
      g_assert_cmpstr (codes, ==, rows[i].codes);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].name, &cases[i], test_case);
  g_test_add_func ("/hints/certificates", test_certificates);
  g_test_add_func ("/hints/renewals", test_renewals);
  return g_test_run ();
}
