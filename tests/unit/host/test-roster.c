/* test-roster.c: the life of instances: started in order, stopped, changed by a reload.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-roster.h"

#include <string.h>

#include "detour-config-load.h"
#include "test-program.h"

/* ---- a plugin of each kind that writes down what happens to it ------------------------------- */

static GString *story; /* "+auth/a -auth/a …" */

typedef struct {
  DetourHost *host;
  DetourCounter *runs;
} Actor;

static const DetourConfigKey actor_config[] = {
  { "fail", DETOUR_CONFIG_BOOL, "false", .summary = "start() fails" },
  { "word", DETOUR_CONFIG_STRING, .summary = "-" },
  { "deep", DETOUR_CONFIG_STRING, .summary = "-", .flags = DETOUR_CONFIG_RESTART },
  { "listen", DETOUR_CONFIG_ADDRESS, .summary = "-", .flags = DETOUR_CONFIG_LIST },
  { NULL },
};

static void
tell (char sign, DetourHost *host)
{
  g_string_append_printf (story, "%s%c%s", story->len > 0 ? " " : "", sign,
                          detour_host_instance (host));
}

static gpointer
actor_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  Actor *self;

  if (detour_settings_list (settings, "listen")[0] != NULL)
    {
      const DetourListenerSpec spec = { .addresses = detour_settings_list (settings, "listen"),
                                        .protocol = "test" };

      if (!detour_host_listen (host, settings, &spec, error))
        return NULL;
    }
  if (detour_settings_bool (settings, "fail"))
    {
      tell ('!', host);
      detour_settings_error (settings, "fail", error, "told to");
      return NULL;
    }
  tell ('+', host);
  if (detour_settings_has (settings, "word"))
    g_string_append_printf (story, "=%s", detour_settings_string (settings, "word"));
  self = g_new0 (Actor, 1);
  self->host = host;
  self->runs = detour_host_counter (host, "runs", "times it was started");
  detour_counter_add (self->runs, 1);
  detour_host_set_summary (host, "run\n%d", 1);
  detour_host_set_trouble (host, "just begun");
  detour_host_set_trouble (host, NULL);
  return self;
}

static void
actor_stop (gpointer data)
{
  Actor *self = data;

  tell ('-', self->host);
  g_free (self);
}

static void
actor_reload (gpointer data)
{
  tell ('~', ((Actor *) data)->host);
}

static GBytes *
actor_freeze (gpointer data)
{
  return g_bytes_new_static ("state", 5);
}

/* Damaged items have other bytes. */
static void
actor_thaw (gpointer data, const guint8 *frozen, gsize len)
{
  if (len == 5 && memcmp (frozen, "state", len) == 0)
    tell ('*', ((Actor *) data)->host);
}

static void
verify (gpointer self, const DetourAuthRequest *request, DetourAuthCall *call)
{
  const DetourAuthVerdict allow = { .result = DETOUR_AUTH_ALLOW };

  detour_auth_answer (call, &allow);
}

static void
write_record (gpointer self, const DetourLogRecord *record)
{
}

static const DetourAuthFuncs auth_funcs = { verify };
static const DetourLogFuncs log_funcs = { write_record };
static const DetourHttpRoute routes[] = { { NULL } };
static const DetourHttpFuncs http_funcs = { routes };

#define ACTOR(NAME, KIND, ...)                                                                   \
  {                                                                                              \
    .abi = DETOUR_PLUGIN_ABI, .size = sizeof (DetourPlugin), .name = NAME, .kind = KIND,         \
    .summary = "an actor", .config = actor_config, .start = actor_start, .reload = actor_reload, \
    .freeze = actor_freeze, .thaw = actor_thaw, .stop = actor_stop, __VA_ARGS__                  \
  }

static const DetourPlugin actors[] = {
  ACTOR ("transport-x", DETOUR_KIND_TRANSPORT, ),
  ACTOR ("cert-x", DETOUR_KIND_CERT, ),
  ACTOR ("auth-x", DETOUR_KIND_AUTH, .funcs.auth = &auth_funcs),
  ACTOR ("service-x", DETOUR_KIND_SERVICE, ),
  ACTOR ("service-y", DETOUR_KIND_SERVICE, ),
  ACTOR ("http-x", DETOUR_KIND_HTTP, .funcs.http = &http_funcs),
  ACTOR ("log-x", DETOUR_KIND_LOG, .funcs.log = &log_funcs),
};

/* ---- the floors above ------------------------------------------------------------------------ */

typedef struct {
  gboolean refuse_routes;
  guint n_limits, n_admissions, n_gone;
} Above;

static void
release_listener (gpointer owner, gpointer thing)
{
  tell ('U', thing);
}

static gboolean
on_listen (gpointer data, DetourInstance *instance, const DetourSettings *settings,
           const DetourListenerSpec *spec, GError **error)
{
  tell ('L', instance);
  detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, release_listener, NULL, instance);
  return TRUE;
}

static gboolean
on_add_routes (gpointer data, DetourInstance *instance, const DetourHttpRoute *table, gpointer self,
               GError **error)
{
  if (!((Above *) data)->refuse_routes)
    return TRUE;
  detour_settings_error (detour_instance_settings (instance), NULL, error, "its path is taken");
  return FALSE;
}

static void
on_limits (gpointer data, DetourSettings *limits)
{
  ((Above *) data)->n_limits++;
}

static void
on_admission (gpointer data, DetourSettings *admission)
{
  ((Above *) data)->n_admissions++;
}

static void
on_changed (gpointer data, DetourInstance *instance, gboolean gone)
{
  ((Above *) data)->n_gone += gone;
}

static const DetourHostHooks hooks = {
  .listen = on_listen,
  .add_routes = on_add_routes,
  .apply_limits = on_limits,
  .apply_admission = on_admission,
  .instance_changed = on_changed,
};

/* ---- the stage ------------------------------------------------------------------------------- */

typedef struct {
  DetourPlugins *plugins;
  DetourRoster *roster;
  Above above;
} Stage;

static DetourConfig *
config_of (Stage *stage, const char *text)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autofree char *whole = g_strconcat ("[admission]\nchain=open\n", text, NULL);
  DetourConfig *config = detour_config_load_text ("f", whole, strlen (whole), stage->plugins,
                                                  errors);

  if (config == NULL)
    {
      g_auto (GStrv) lines = detour_config_errors_lines (errors);

      g_error ("%s", lines[0]);
    }
  return config;
}

static void
stage_init (Stage *stage, const char *text)
{
  static const guint8 key[DETOUR_KEY_SIZE] = { 7 };
  const char *nowhere[] = { TEST_MODULES, NULL };
  g_autoptr (DetourConfig) config = NULL;

  memset (stage, 0, sizeof *stage);
  story = g_string_new (NULL);
  stage->plugins = detour_plugins_new (nowhere);
  for (guint i = 0; i < G_N_ELEMENTS (actors); i++)
    detour_plugins_add_static (stage->plugins, &actors[i]);
  config = config_of (stage, text);
  stage->roster = detour_roster_new (config, "/state", key, &hooks, &stage->above);
}

static void
stage_clear (Stage *stage)
{
  detour_roster_free (stage->roster);
  detour_plugins_free (stage->plugins);
  g_string_free (story, TRUE);
}

static gboolean
apply (Stage *stage, const char *text)
{
  g_autoptr (DetourConfig) config = config_of (stage, text);

  return detour_roster_apply (stage->roster, config);
}

/* The story since the last time. */
static void
assert_story (const char *expected)
{
  g_assert_cmpstr (story->str, ==, expected);
  g_string_truncate (story, 0);
}

/* GLib's expected messages know nothing of structured ones. */
static GPtrArray *logged;

static GLogWriterOutput
keep (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0
        && (level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE)) != 0)
      g_ptr_array_add (logged, g_strdup (fields[i].value));
  return G_LOG_WRITER_HANDLED;
}

/* The messages since the last time, one pattern each. */
static void
assert_logged (const char *first, ...)
{
  const char *pattern = first;
  guint i = 0;
  va_list args;

  va_start (args, first);
  for (; pattern != NULL; pattern = va_arg (args, const char *))
    {
      g_assert_cmpuint (i, <, logged->len);
      if (!g_pattern_match_simple (pattern, logged->pdata[i]))
        g_assert_cmpstr (logged->pdata[i], ==, pattern);
      i++;
    }
  va_end (args);
  g_assert_cmpuint (i, ==, logged->len);
  g_ptr_array_set_size (logged, 0);
}

static DetourInstanceState
state_of (Stage *stage, const char *id)
{
  return detour_instance_state (detour_roster_find (stage->roster, id));
}

static void
find_runs (const DetourMetric *metric, gpointer data)
{
  g_assert_cmpstr (metric->name, ==, "runs");
  g_assert_cmpstr (metric->plugin, ==, "service-x");
  g_assert_cmpstr (metric->labels[0].value, ==, "service/s");
  *(guint64 *) data = metric->value;
}

/* ---- tests ----------------------------------------------------------------------------------- */

#define ALL "[transport x]\n[service x]\n[http x]\n[auth x]\n[cert x]\n[log x]\n"

static void
order (void)
{
  Stage stage;

  stage_init (&stage, ALL);
  assert_story ("");
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+log/x +cert/x +auth/x +http/x +service/x +transport/x");
  g_assert_cmpuint (stage.above.n_limits, ==, 1);
  g_assert_cmpuint (stage.above.n_admissions, ==, 1);
  detour_roster_stop (stage.roster);
  assert_story ("-transport/x -service/x -http/x -auth/x -cert/x -log/x");
  stage_clear (&stage);
}

static void
host_services (void)
{
  DetourInstance *instance;
  g_autofree char *summary = NULL;
  guint64 runs = 0;
  Stage stage;

  stage_init (&stage, "[core]\nhostname=relay.test\n[transport x]\n[service s]\nplugin=x\n");
  g_assert_true (detour_roster_start (stage.roster));
  instance = detour_roster_find (stage.roster, "s");
  g_assert_true (instance == detour_roster_find (stage.roster, "service/s"));
  g_assert_cmpstr (detour_host_instance (instance), ==, "service/s");
  g_assert_cmpstr (detour_host_hostname (instance), ==, "relay.test");
  g_assert_cmpstr (detour_host_state_directory (instance), ==, "/state");
  g_assert_cmpuint (detour_host_server_key (instance)[0], ==, 7);
  g_assert_false (detour_host_is_ready (instance));
  detour_roster_set_ready (stage.roster, TRUE);
  g_assert_true (detour_host_is_ready (instance));
  detour_roster_set_lacks_cert (stage.roster, TRUE);
  g_assert_false (detour_host_is_ready (instance));
  g_assert_false (detour_roster_is_ready (stage.roster));
  detour_roster_set_lacks_cert (stage.roster, FALSE);
  g_assert_true (detour_roster_is_ready (stage.roster));

  summary = detour_instance_dup_summary (instance);
  g_assert_cmpstr (summary, ==, "run\\x0a1");
  g_assert_null (detour_instance_dup_trouble (instance));
  g_assert_cmpstr (detour_instance_about (instance), ==, "an actor");
  g_assert_cmpstr (detour_instance_plugin_name (instance), ==, "service-x");

  /* Counters go on when the instance starts again. */
  g_assert_true (detour_instance_restart (instance, NULL));
  detour_instance_foreach_metric (instance, find_runs, &runs);
  g_assert_cmpuint (runs, ==, 2);
  g_assert_null (detour_roster_find (stage.roster, "nobody"));
  stage_clear (&stage);
}

static void
names_that_several_have (void)
{
  Stage stage;

  stage_init (&stage, ALL);
  g_assert_null (detour_roster_find (stage.roster, "x"));
  g_assert_nonnull (detour_roster_find (stage.roster, "auth/x"));
  g_assert_cmpuint (detour_roster_count (stage.roster), ==, 6);
  stage_clear (&stage);
}

static void
one_that_fails (void)
{
  DetourInstance *instance;
  Stage stage;

  stage_init (&stage,
              "[transport x]\n[service x]\nfail=yes\n[service off]\nplugin=x\nenabled=no\n");
  g_assert_false (detour_roster_start (stage.roster));
  assert_logged ("service/x did not start: f:5: [service x] fail: told to", NULL);
  assert_story ("!service/x +transport/x");
  instance = detour_roster_find (stage.roster, "service/x");
  g_assert_cmpstr (detour_instance_state_name (instance), ==, "failed");
  g_assert_cmpstr (detour_instance_error (instance), ==, "f:5: [service x] fail: told to");
  g_assert_false (detour_instance_module_is_broken (instance));
  g_assert_cmpstr (detour_instance_state_name (detour_roster_find (stage.roster, "service/off")),
                   ==, "disabled");
  stage_clear (&stage);
}

static void
listener_of_a_failed_start_is_closed (void)
{
  Stage stage;

  stage_init (&stage, "[transport x]\nlisten=:1\nfail=yes\n");
  g_assert_false (detour_roster_start (stage.roster));
  assert_logged ("transport/x did not start: *", "no transport runs*", NULL);
  assert_story ("Ltransport/x !transport/x Utransport/x");
  stage_clear (&stage);
}

static void
broken_module_costs_only_its_instance (void)
{
  DetourInstance *instance;
  Stage stage;

  stage_init (&stage, "[transport x]\n[auth old]\nplugin=other-abi\nanything=goes\n");
  g_assert_true (detour_roster_start (stage.roster));
  assert_logged ("auth/old did not start: *auth-other-abi.so: made for plugin interface*", NULL);
  instance = detour_roster_find (stage.roster, "old");
  g_assert_cmpint (detour_instance_state (instance), ==, DETOUR_INSTANCE_FAILED);
  g_assert_true (detour_instance_module_is_broken (instance));
  stage_clear (&stage);
}

static void
routes_that_are_refused (void)
{
  Stage stage;

  stage_init (&stage, "[transport x]\n[http x]\n");
  stage.above.refuse_routes = TRUE;
  g_assert_false (detour_roster_start (stage.roster));
  assert_logged ("http/x did not start: f:4: [http x]: its path is taken", NULL);
  assert_story ("+http/x -http/x +transport/x");
  stage_clear (&stage);
}

static void
by_hand (void)
{
  DetourInstance *instance;
  Stage stage;

  stage_init (&stage, "[transport x]\n[service x]\n");
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+service/x +transport/x");
  instance = detour_roster_find (stage.roster, "service/x");

  detour_instance_stop (instance);
  detour_instance_stop (instance);
  assert_story ("-service/x");
  g_assert_cmpint (detour_instance_state (instance), ==, DETOUR_INSTANCE_STOPPED);

  /* A reload leaves it so. */
  g_assert_true (apply (&stage, "[transport x]\n[service x]\n"));
  assert_story ("~transport/x");
  g_assert_cmpint (detour_instance_state (instance), ==, DETOUR_INSTANCE_STOPPED);

  g_assert_true (detour_instance_start (instance, NULL));
  g_assert_true (detour_instance_start (instance, NULL));
  assert_story ("+service/x");
  stage_clear (&stage);
}

static void
reload_touches_what_changed (void)
{
  Stage stage;

  stage_init (
      &stage,
      "[transport x]\n[service a]\nplugin=x\nword=1\n[service b]\nplugin=x\n[auth c]\nplugin=x\n");
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+auth/c +service/a=1 +service/b +transport/x");

  g_assert_true (apply (
      &stage,
      "[transport x]\n[service a]\nplugin=x\nword=1\n[service b]\nplugin=x\n[auth c]\nplugin=x\n"));
  assert_story ("~auth/c ~service/a ~service/b ~transport/x");

  g_assert_true (apply (
      &stage,
      "[transport x]\n[service d]\nplugin=x\n[service a]\nplugin=x\nword=2\n[auth c]\nplugin=x\n"
      "enabled=no\n"));
  assert_logged ("service/a runs with its new settings", NULL);
  assert_story ("-service/b -service/a -auth/c +service/d +service/a=2 ~transport/x");
  g_assert_cmpuint (stage.above.n_gone, ==, 1);
  g_assert_cmpuint (stage.above.n_limits, ==, 3);
  g_assert_cmpint (state_of (&stage, "auth/c"), ==, DETOUR_INSTANCE_DISABLED);
  g_assert_null (detour_roster_find (stage.roster, "service/b"));

  g_assert_true (
      apply (&stage, "[transport x]\n[service a]\nplugin=x\nword=2\n[auth c]\nplugin=x\n"));
  assert_story ("-service/d +auth/c ~service/a ~transport/x");
  stage_clear (&stage);
}

static void
new_settings_that_fail_are_taken_back (void)
{
  Stage stage;

  stage_init (&stage, "[transport x]\n[service x]\nword=1\n");
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+service/x=1 +transport/x");

  g_assert_false (apply (&stage, "[transport x]\n[service x]\nword=2\nfail=yes\n"));
  assert_logged ("service/x goes on with its old settings: f:6: [service x] fail: told to", NULL);
  assert_story ("-service/x !service/x +service/x=1 ~transport/x");
  g_assert_cmpint (state_of (&stage, "service/x"), ==, DETOUR_INSTANCE_RUNNING);

  /* Once more, and it is the old settings that it goes back to, not those that failed before. */
  g_assert_false (apply (&stage, "[transport x]\n[service x]\nword=3\nfail=yes\n"));
  assert_logged ("service/x goes on with its old settings: f:6: [service x] fail: told to", NULL);
  assert_story ("-service/x !service/x +service/x=1 ~transport/x");

  g_assert_true (apply (&stage, "[transport x]\n[service x]\nword=3\n"));
  assert_logged ("service/x runs with its new settings", NULL);
  assert_story ("-service/x +service/x=3 ~transport/x");
  stage_clear (&stage);
}

static void
keys_that_need_a_restart_are_named (void)
{
  Stage stage;

  stage_init (&stage, "[transport x]\n[service x]\ndeep=1\n");
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+service/x +transport/x");

  g_assert_true (apply (&stage, "[transport x]\n[service x]\ndeep=2\n[core]\nworkers=3\n"));
  assert_logged (
      "[core] workers: changed to 3, which counts after a restart of the daemon; auto is "
      "in force",
      "[service x] deep: changed to 2, which counts after a restart of the daemon; 1 is in "
      "force",
      NULL);
  assert_story ("~service/x ~transport/x");
  stage_clear (&stage);
}

static void
failed_one_is_tried_again (void)
{
  Stage stage;

  stage_init (&stage, "[transport x]\n[service x]\nfail=yes\n");
  g_assert_false (detour_roster_start (stage.roster));
  assert_story ("!service/x +transport/x");
  g_assert_false (apply (&stage, "[transport x]\n[service x]\nfail=yes\n"));
  assert_story ("!service/x ~transport/x");
  g_assert_true (apply (&stage, "[transport x]\n[service x]\n"));
  assert_story ("+service/x ~transport/x");
  assert_logged ("service/x did not start: *", "service/x did not start: *", NULL);
  stage_clear (&stage);
}

/* As somebody had switched them in the program before, and no otherwise after that. */
static void
switched_before_the_start (void)
{
  Stage stage;

  stage_init (&stage, "[transport x]\n[service x]\n[http x]\nenabled=no\n");
  detour_roster_switch (stage.roster, "service/x", FALSE);
  detour_roster_switch (stage.roster, "http/x", TRUE);
  detour_roster_switch (stage.roster, "auth/nobody", TRUE);
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+http/x +transport/x");
  g_assert_cmpint (detour_instance_state (detour_roster_find (stage.roster, "service/x")), ==,
                   DETOUR_INSTANCE_STOPPED);
  g_assert_true (apply (&stage, "[transport x]\n[service x]\n[http x]\nenabled=no\n"));
  assert_story ("~http/x ~transport/x");
  stage_clear (&stage);
}

static void
write_all (const Stage *stage, DetourRecord *record)
{
  detour_roster_write_memories (stage->roster, record, 9);
  detour_roster_write_counters (stage->roster, record, 9);
}

static void
read_all (Stage *stage, const DetourRecord *record)
{
  DetourRecordReader reader = { record->data, record->len };
  DetourRecordItem item;

  while (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    g_assert_true (detour_roster_read (stage->roster, &item));
}

/* Counters go on, and a plugin gets what it froze: once, and not what another one froze under that
 * name. */
static void
instances_go_on (void)
{
  g_auto (DetourRecord) record = { NULL };
  DetourInstance *instance;
  guint64 runs = 0;
  Stage stage;

  stage_init (&stage, "[transport x]\n[service s]\nplugin=x\n[service t]\nplugin=x\n");
  g_assert_true (detour_roster_start (stage.roster));
  g_assert_true (detour_instance_restart (detour_roster_find (stage.roster, "service/s"), NULL));
  write_all (&stage, &record);
  stage_clear (&stage);

  stage_init (&stage, "[transport x]\n[service s]\nplugin=x\n");
  read_all (&stage, &record);
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+service/s *service/s +transport/x *transport/x");
  instance = detour_roster_find (stage.roster, "service/s");
  detour_instance_foreach_metric (instance, find_runs, &runs);
  g_assert_cmpuint (runs, ==, 3);
  g_assert_true (detour_instance_restart (instance, NULL));
  assert_story ("-service/s +service/s");
  stage_clear (&stage);
}

/* An instance that somebody had stopped keeps what it was through a second upgrade, until it is
 * another plugin's. */
static void
instances_go_on_that_have_not_started (void)
{
  static const char config[] = "[transport x]\n[service s]\nplugin=x\n";
  g_auto (DetourRecord) first = { NULL };
  g_auto (DetourRecord) second = { NULL };
  guint64 runs = 0;
  Stage stage;

  stage_init (&stage, config);
  g_assert_true (detour_roster_start (stage.roster));
  write_all (&stage, &first);
  stage_clear (&stage);

  stage_init (&stage, config);
  read_all (&stage, &first);
  detour_roster_switch (stage.roster, "service/s", FALSE);
  g_assert_true (detour_roster_start (stage.roster));
  write_all (&stage, &second);
  stage_clear (&stage);

  stage_init (&stage, config);
  read_all (&stage, &second);
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+service/s *service/s +transport/x *transport/x");
  detour_instance_foreach_metric (detour_roster_find (stage.roster, "service/s"), find_runs, &runs);
  g_assert_cmpuint (runs, ==, 2);
  stage_clear (&stage);

  stage_init (&stage, config);
  read_all (&stage, &second);
  detour_roster_switch (stage.roster, "service/s", FALSE);
  g_assert_true (detour_roster_start (stage.roster));
  assert_story ("+transport/x *transport/x");
  g_assert_true (apply (&stage, "[transport x]\n[service s]\nplugin=y\n"));
  g_assert_true (detour_instance_start (detour_roster_find (stage.roster, "service/s"), NULL));
  assert_story ("~transport/x +service/s");
  stage_clear (&stage);
}

/* Cut or changed anywhere: nothing, or another number. */
static void
damaged_items_are_left_out (void)
{
  g_auto (DetourRecord) record = { NULL };
  DetourRecordReader reader;
  DetourRecordItem item;
  Stage stage;

  stage_init (&stage, "[transport x]\n");
  g_assert_true (detour_roster_start (stage.roster));
  write_all (&stage, &record);
  stage_clear (&stage);
  reader = (DetourRecordReader) { record.data, record.len };
  g_assert_cmpint (detour_record_next (&reader, &item), ==, DETOUR_RECORD_ITEM);
  for (gsize i = 0; i < item.len * 9; i += 5)
    {
      gsize len = i < item.len ? i : item.len;
      g_autofree guint8 *copy = g_memdup2 (item.data, len);

      if (i >= item.len)
        copy[(i - item.len) / 8] ^= (guint8) (1u << (i - item.len) % 8);
      stage_init (&stage, "[transport x]\n");
      detour_roster_read (stage.roster, &(DetourRecordItem) { 9, copy, len });
      g_assert_true (detour_roster_start (stage.roster));
      stage_clear (&stage);
    }
}

static void
certs_stay_through_a_restart (void)
{
  g_autoptr (GBytes) der = g_bytes_new_static ("der", 3);
  const char *names[] = { "relay.test", NULL };
  g_autoptr (DetourCert) cert = NULL;
  DetourCertStore *store;
  DetourInstance *instance;
  Stage stage;

  stage_init (&stage, "[transport x]\n[cert x]\n");
  g_assert_true (detour_roster_start (stage.roster));
  store = detour_roster_certs (stage.roster);
  instance = detour_roster_find (stage.roster, "cert/x");
  cert = detour_cert_new (&der, 1, (const guint8 *) "key", 3, names, 0, 0);
  detour_host_publish_certs (instance, &cert, 1);

  g_assert_true (detour_instance_restart (instance, NULL));
  {
    g_autoptr (DetourCert) found = detour_host_find_cert (instance, NULL, "relay.test", NULL);

    g_assert_true (found == cert);
  }
  detour_instance_stop (instance);
  g_assert_null (detour_cert_store_find (store, NULL, "relay.test", NULL));
  stage_clear (&stage);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  test_log_reaches_writer ();
  logged = g_ptr_array_new_with_free_func (g_free);
  g_log_set_always_fatal (G_LOG_FATAL_MASK); /* warnings are looked at instead */
  g_log_set_writer_func (keep, NULL, NULL);
  g_test_add_func ("/roster/started-in-order-and-stopped-in-reverse", order);
  g_test_add_func ("/roster/services-for-plugins", host_services);
  g_test_add_func ("/roster/names-that-several-have", names_that_several_have);
  g_test_add_func ("/roster/one-that-fails-lets-others-start", one_that_fails);
  g_test_add_func ("/roster/listener-of-a-failed-start-is-closed",
                   listener_of_a_failed_start_is_closed);
  g_test_add_func ("/roster/broken-module-costs-only-its-instance",
                   broken_module_costs_only_its_instance);
  g_test_add_func ("/roster/routes-that-are-refused", routes_that_are_refused);
  g_test_add_func ("/roster/stopped-and-started-by-hand", by_hand);
  g_test_add_func ("/roster/reload-touches-only-what-changed", reload_touches_what_changed);
  g_test_add_func ("/roster/new-settings-that-fail-are-taken-back",
                   new_settings_that_fail_are_taken_back);
  g_test_add_func ("/roster/keys-that-need-a-restart-are-named",
                   keys_that_need_a_restart_are_named);
  g_test_add_func ("/roster/failed-one-is-tried-again", failed_one_is_tried_again);
  g_test_add_func ("/roster/certificates-stay-through-a-restart", certs_stay_through_a_restart);
  g_test_add_func ("/roster/instances-go-on", instances_go_on);
  g_test_add_func ("/roster/instances-go-on-that-have-not-started",
                   instances_go_on_that_have_not_started);
  g_test_add_func ("/roster/damaged-items-are-left-out", damaged_items_are_left_out);
  g_test_add_func ("/roster/switched-before-the-start", switched_before_the_start);
  status = g_test_run ();
  g_ptr_array_unref (logged);
  return status;
}
