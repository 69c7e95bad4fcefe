/* test-template.c: loads the finished module as the daemon does, and asks it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The few services that the plugin uses are played here, so that the test needs no daemon. */
#include "detour-plugin.h"

#include <gmodule.h>
#include <string.h>

/* ---- services of the daemon ------------------------------------------------------------------ */

struct _DetourHost {
  char *summary;
  DetourCounter counters[8];
  const char *counter_names[8];
};

struct _DetourSettings {
  int ref_count;
  const char *const *names;
};

DetourSettings *
detour_settings_ref (DetourSettings *self)
{
  self->ref_count++;
  return self;
}

void
detour_settings_unref (DetourSettings *self)
{
  self->ref_count--;
}

const char *const *
detour_settings_list (const DetourSettings *self, const char *key)
{
  g_assert_cmpstr (key, ==, "names");
  return self->names;
}

void
detour_settings_error (const DetourSettings *self, const char *key, GError **error,
                       const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_propagate_error (error,
                     g_error_new_valist (g_quark_from_static_string ("test"), 0, format, args));
  va_end (args);
}

DetourCounter *
detour_host_counter (DetourHost *host, const char *name, const char *help)
{
  for (guint i = 0; i < G_N_ELEMENTS (host->counters); i++)
    if (host->counter_names[i] == NULL || g_str_equal (host->counter_names[i], name))
      {
        host->counter_names[i] = name;
        return &host->counters[i];
      }
  g_assert_not_reached ();
}

void
detour_host_set_summary (DetourHost *host, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_free (host->summary);
  host->summary = g_strdup_vprintf (format, args);
  va_end (args);
}

/* ---- tests of every kind --------------------------------------------------------------------- */

static const char *module_path;

static const DetourPlugin *
load (void)
{
  /* As the daemon does: a symbol that is missing fails here and not when it is needed. */
  GModule *module = g_module_open (module_path, G_MODULE_BIND_LOCAL);
  gpointer symbol = NULL;

  if (module == NULL || !g_module_symbol (module, DETOUR_PLUGIN_SYMBOL, &symbol))
    g_error ("%s: %s", module_path, g_module_error ());
  g_module_make_resident (module);
  return symbol;
}

static void
test_descriptor (void)
{
  const DetourPlugin *plugin = load ();
  g_autofree char *file = g_path_get_basename (module_path);
  g_autofree char *expected = g_strconcat (plugin->name, "." G_MODULE_SUFFIX, NULL);

  g_assert_cmpuint (plugin->abi, ==, DETOUR_PLUGIN_ABI);
  g_assert_cmpuint (plugin->size, ==, sizeof (DetourPlugin));
  g_assert_cmpint (plugin->kind, ==, DETOUR_KIND_AUTH);
  g_assert_true (g_str_has_prefix (plugin->name, "auth-"));
  g_assert_cmpstr (file, ==, expected);
}

static void
test_start (void)
{
  static const char *const names[] = { "derpprobe", "backup", NULL };
  const DetourPlugin *plugin = load ();
  DetourSettings settings = { 1, names };
  DetourHost host = { 0 };
  g_autoptr (GError) error = NULL;
  gpointer instance;

  g_assert_true (plugin->check (&settings, &error));
  instance = plugin->start (&host, &settings, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (host.summary, ==, "2 names");
  plugin->stop (instance);
  g_assert_cmpint (settings.ref_count, ==, 1);
  g_free (host.summary);
}

static void
test_empty_name (void)
{
  static const char *const names[] = { "derpprobe", "", NULL };
  DetourSettings settings = { 1, names };
  g_autoptr (GError) error = NULL;

  g_assert_false (load ()->check (&settings, &error));
  g_assert_nonnull (error);
}

/* ---- auth: what core asks -------------------------------------------------------------------- */

struct _DetourAuthCall {
  guint n_answers;
  DetourAuthResult result;
  char *label;
  char *reason;
};

void
detour_auth_answer (DetourAuthCall *call, const DetourAuthVerdict *verdict)
{
  call->n_answers++;
  call->result = verdict->result;
  call->label = g_strdup (verdict->label);
  call->reason = g_strdup (verdict->reason);
}

static void
test_auth_verdicts (void)
{
  static const char *const names[] = { "derpprobe", "backup", NULL };
  static const struct {
    const char *app_name;
    DetourAuthResult result;
  } cases[] = {
    { "derpprobe", DETOUR_AUTH_ALLOW },
    { "backup", DETOUR_AUTH_ALLOW },
    { "backup2", DETOUR_AUTH_DENY },
    { "", DETOUR_AUTH_DENY },
  };
  const DetourPlugin *plugin = load ();
  DetourSettings settings = { 1, names };
  DetourHost host = { 0 };
  gpointer instance = plugin->start (&host, &settings, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      DetourAuthRequest request = { .address = "192.0.2.1", .app_name = cases[i].app_name };
      DetourAuthCall call = { 0 };

      plugin->funcs.auth->verify (instance, &request, &call);
      g_assert_cmpuint (call.n_answers, ==, 1);
      g_assert_cmpint (call.result, ==, cases[i].result);
      g_assert_true ((call.label != NULL) == (call.result == DETOUR_AUTH_ALLOW));
      g_free (call.label);
      g_free (call.reason);
    }
  plugin->stop (instance);
  g_free (host.summary);
}

/* ---- all of them ----------------------------------------------------------------------------- */

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  module_path = argv[1];
  g_test_add_func ("/module/descriptor", test_descriptor);
  g_test_add_func ("/module/start-and-stop", test_start);
  g_test_add_func ("/module/empty-name-is-refused", test_empty_name);
  g_test_add_func ("/module/verdicts", test_auth_verdicts);
  return g_test_run ();
}
