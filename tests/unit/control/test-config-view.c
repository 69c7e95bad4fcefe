/* test-config-view.c: a configuration as operators and programs see it, key by key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-view.h"

#include <string.h>

#include "detour-control-error.h"
#include "static-plugins.h"

#define FIRST                                             \
  "[core]\nhostname=relay.example.com\nworkers=2\n"       \
  "[admission]\nchain=friends\n"                          \
  "[auth friends]\nplugin=keys\nfile=/k\npassword=hush\n" \
  "[service stun]\nlisten=127.0.0.1:1\n"                  \
  "[limits]\nwrite-timeout=3s\n"

typedef struct {
  DetourPlugins *plugins;
  DetourRoster *roster;
} Stage;

static DetourConfig *
load (DetourPlugins *plugins, const char *text)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  DetourConfig *config = detour_config_load_text ("f", text, strlen (text), plugins, errors);

  g_assert_nonnull (config);
  return config;
}

static void
stage_init (Stage *self)
{
  static const guint8 key[DETOUR_KEY_SIZE];
  g_autoptr (DetourConfig) config = NULL;

  self->plugins = static_plugins_new ();
  config = load (self->plugins, FIRST);
  self->roster = detour_roster_new (config, "/nonexistent", key, NULL, NULL);
}

static void
stage_clear (Stage *self)
{
  detour_roster_free (self->roster);
  detour_plugins_free (self->plugins);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Stage, stage_clear)

/* As a reload does. */
static void
stage_apply (Stage *self, const char *text)
{
  g_autoptr (DetourConfig) config = load (self->plugins, text);

  detour_roster_apply (self->roster, config);
}

static GVariant *
explain (Stage *self, const char *name)
{
  g_autoptr (GError) error = NULL;
  GVariant *facts = detour_config_view_explain (detour_roster_config (self->roster), self->roster,
                                                name, &error);

  g_assert_no_error (error);
  return g_variant_ref_sink (facts);
}

/* NULL: there must be none. */
static void
expect (GVariant *facts, const char *name, const char *value)
{
  const char *found = NULL;

  g_variant_lookup (facts, name, "&s", &found);
  g_assert_cmpstr (found, ==, value);
}

static void
facts_of_a_key (void)
{
  g_auto (Stage) stage = { NULL };
  g_autoptr (GVariant) facts = NULL;

  stage_init (&stage);
  facts = explain (&stage, "limits.write-timeout");
  expect (facts, "group", "limits");
  expect (facts, "key", "write-timeout");
  expect (facts, "type", "duration");
  expect (facts, "value", "3s");
  expect (facts, "fallback", "2s");
  expect (facts, "origin", "f:13");
  expect (facts, "minimum", "100ms");
  expect (facts, "maximum", "1h");
  expect (facts, "waiting", NULL);
}

static void
keys_of_instances (void)
{
  g_auto (Stage) stage = { NULL };
  g_autoptr (GVariant) listen = NULL;
  g_autoptr (GVariant) enabled = NULL;
  g_autoptr (GVariant) compat = NULL;
  g_autofree const char **words = NULL;

  stage_init (&stage);
  listen = explain (&stage, "service/stun.listen");
  expect (listen, "type", "list of address");
  expect (listen, "value", "127.0.0.1:1");
  enabled = explain (&stage, "service stun.enabled");
  expect (enabled, "value", "true");
  compat = explain (&stage, "service/stun.compat");
  expect (compat, "value", "tailscale");
  expect (compat, "origin", NULL);
  g_assert_true (g_variant_lookup (compat, "words", "^a&s", &words));
  g_assert_cmpstr (words[1], ==, "any");
}

/* The value that DescribeConfig() gives of a key; NULL: it has no such key. */
static char *
described (GVariant *rows, const char *wanted_group, const char *wanted_key)
{
  const char *group, *key, *value;
  GVariantIter iter;

  g_variant_iter_init (&iter, rows);
  while (g_variant_iter_next (&iter, "(&s&s&s&s&s&s)", &group, &key, NULL, &value, NULL, NULL))
    if (strcmp (group, wanted_group) == 0 && strcmp (key, wanted_key) == 0)
      return g_strdup (value);
  return NULL;
}

static void
a_key_that_is_not_set_has_its_fallback (void)
{
  static const struct {
    const char *group, *key, *value;
  } cases[] = {
    { "limits", "write-timeout", "3s" },       /* set */
    { "service stun", "compat", "tailscale" }, /* a fallback */
    { "service stun", "enabled", "true" },     /* that of every instance */
    { "core", "dbus", "auto" },                /* in a fixed group */
    { "derpmap", "name", "" },                 /* neither */
    { "auth friends", "password", "********" },
  };
  g_auto (Stage) stage = { NULL };
  g_autoptr (GVariant) rows = NULL;

  stage_init (&stage);
  rows = g_variant_ref_sink (
      detour_config_view_describe (detour_roster_config (stage.roster), stage.roster));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *value = described (rows, cases[i].group, cases[i].key);

      g_assert_cmpstr (value, ==, cases[i].value);
    }
}

static void
secrets_are_masked (void)
{
  g_auto (Stage) stage = { NULL };
  g_autoptr (GVariant) facts = NULL;
  g_autoptr (GVariant) rows = NULL;
  g_autofree char *all = NULL;

  stage_init (&stage);
  facts = explain (&stage, "auth/friends.password");
  expect (facts, "value", "********");
  rows = g_variant_ref_sink (
      detour_config_view_describe (detour_roster_config (stage.roster), stage.roster));
  all = g_variant_print (rows, FALSE);
  g_assert_nonnull (strstr (all, "'password'"));
  g_assert_null (strstr (all, "hush"));
}

static void
unknown_keys_are_refused (void)
{
  static const struct {
    const char *name, *text;
  } cases[] = {
    { "limits.write-timout",
      "there is no key \"limits.write-timout\"; did you mean \"limits.write-timeout\"?" },
    { "nonsense", "there is no key \"nonsense\"; write GROUP.KEY, as in limits.write-timeout or "
                  "service/stun.listen" },
    { "service/stun.compta",
      "there is no key \"service/stun.compta\"; did you mean \"service/stun.compat\"?" },
  };
  g_auto (Stage) stage = { NULL };

  stage_init (&stage);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (detour_config_view_explain (detour_roster_config (stage.roster), stage.roster,
                                                 cases[i].name, &error));
      g_assert_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NO_SUCH_KEY);
      g_assert_cmpstr (error->message, ==, cases[i].text);
    }
}

static void
expect_waiting (Stage *self, const char *text)
{
  g_autoptr (GVariant) rows = g_variant_ref_sink (
      detour_config_view_waiting (detour_roster_config (self->roster), self->roster));
  g_autofree char *found = g_variant_print (rows, FALSE);

  g_assert_cmpstr (found, ==, text);
}

static void
what_waits_for_a_restart_is_told_from_what_is_in_force (void)
{
  g_auto (Stage) stage = { NULL };
  g_autoptr (GVariant) workers = NULL;
  g_autoptr (GVariant) hostname = NULL;
  g_autoptr (GVariant) timeout = NULL;

  stage_init (&stage);
  expect_waiting (&stage, "[]");
  stage_apply (&stage, "[admission]\nchain=open\n[core]\nworkers=3\n[limits]\nwrite-timeout=4s\n");
  expect_waiting (&stage,
                  "[('core.hostname', 'relay.example.com', ''), ('core.workers', '2', '3')]");
  workers = explain (&stage, "core.workers");
  expect (workers, "value", "2");
  expect (workers, "origin", "f:3");
  expect (workers, "waiting", "3");
  expect (workers, "waiting_origin", "f:4");
  hostname = explain (&stage, "core.hostname");
  expect (hostname, "value", "relay.example.com");
  expect (hostname, "waiting", "");
  expect (hostname, "waiting_origin", NULL);
  /* This one counts at once. */
  timeout = explain (&stage, "limits.write-timeout");
  expect (timeout, "value", "4s");
  expect (timeout, "waiting", NULL);
}

/* What is compared is the start and not the reload before. */
static void
a_change_that_is_taken_back_waits_no_longer (void)
{
  g_auto (Stage) stage = { NULL };

  stage_init (&stage);
  stage_apply (&stage, "[admission]\nchain=open\n[core]\nhostname=relay.example.com\nworkers=3\n");
  stage_apply (&stage, "[admission]\nchain=open\n[core]\nhostname=relay.example.com\nworkers=4\n");
  expect_waiting (&stage, "[('core.workers', '2', '4')]");
  stage_apply (&stage, FIRST);
  expect_waiting (&stage, "[]");
}

static void
a_configuration_that_nobody_runs (void)
{
  g_autoptr (DetourPlugins) plugins = static_plugins_new ();
  g_autoptr (DetourConfig) config = load (plugins, FIRST);
  g_autoptr (GVariant) facts = NULL;
  g_autoptr (GVariant) rows = g_variant_ref_sink (detour_config_view_waiting (config, NULL));

  facts = g_variant_ref_sink (detour_config_view_explain (config, NULL, "core.workers", NULL));
  expect (facts, "value", "2");
  expect (facts, "waiting", NULL);
  g_assert_cmpuint (g_variant_n_children (rows), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* The reload of a key that needs a restart is a warning. */
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  g_test_add_func ("/config-view/facts-of-a-key", facts_of_a_key);
  g_test_add_func ("/config-view/keys-of-instances", keys_of_instances);
  g_test_add_func ("/config-view/a-key-that-is-not-set-has-its-fallback",
                   a_key_that_is_not_set_has_its_fallback);
  g_test_add_func ("/config-view/secrets-are-masked", secrets_are_masked);
  g_test_add_func ("/config-view/unknown-keys-are-refused", unknown_keys_are_refused);
  g_test_add_func ("/config-view/what-waits-for-a-restart-is-told-from-what-is-in-force",
                   what_waits_for_a_restart_is_told_from_what_is_in_force);
  g_test_add_func ("/config-view/a-change-that-is-taken-back-waits-no-longer",
                   a_change_that_is_taken_back_waits_no_longer);
  g_test_add_func ("/config-view/a-configuration-that-nobody-runs",
                   a_configuration_that_nobody_runs);
  return g_test_run ();
}
