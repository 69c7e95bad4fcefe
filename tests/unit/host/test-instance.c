/* test-instance.c: what an instance is given ends with its run, in reverse order, whatever ended
 * the run.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-load.h"
#include "detour-roster.h"

#include <string.h>

/* ---- a plugin that takes everything there is to have ----------------------------------------- */

static GString *story; /* words in the order of what happened */
static gboolean fails; /* start() does, at its end */
static guint n_ticks, n_posted, n_dropped;

static void
tell (const char *word)
{
  g_string_append_printf (story, "%s%s", story->len > 0 ? " " : "", word);
}

static void
handle (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response)
{
}

static const DetourHttpRoute routes[] = {
  { "/greedy", DETOUR_HTTP_GET, 0, handle },
  { NULL },
};

static gboolean
tick (gpointer data)
{
  return ++n_ticks < 3;
}

static gboolean
never (gpointer data)
{
  g_assert_not_reached ();
}

static void
posted (gpointer data)
{
  n_posted++;
}

static void
dropped (gpointer data)
{
  n_dropped++;
}

static void
publish (DetourHost *host)
{
  g_autoptr (GBytes) der = g_bytes_new_static ("der", 3);
  const char *names[] = { "relay.test", NULL };
  g_autoptr (DetourCert) cert = detour_cert_new (&der, 1, (const guint8 *) "key", 3, names, 0, 0);

  detour_host_publish_certs (host, &cert, 1);
}

static gpointer
greedy_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  const DetourListenerSpec spec = { .protocol = "test" };
  const guint8 key[DETOUR_KEY_SIZE] = { 9 };

  const DetourMetric metric = { .name = "appetite",
                                .unit = "bytes",
                                .help = "what it wants",
                                .n_labels = 1,
                                .labels = { { "of", "bread" } } };

  tell ("start");
  detour_counter_add (detour_host_counter_with (host, &metric), 1);
  detour_gauge_set (
      detour_host_gauge_with (host, &(DetourMetric) { .name = "weight", .help = "-" }), 70);
  publish (host);
  detour_host_add_timer (host, 1000, tick, host);
  g_assert_cmpuint (detour_host_add_timer (host, G_TIME_SPAN_HOUR, never, host), >, 0);
  if (!detour_host_add_routes (host, routes, host, error)
      || !detour_host_listen (host, settings, &spec, error))
    return NULL;
  detour_host_set_mesh_key (host, key);
  detour_host_post (host, posted, host, dropped);
  if (!fails)
    return host;
  detour_settings_error (settings, NULL, error, "told to");
  return NULL;
}

static void
greedy_stop (gpointer self)
{
  tell ("stop");
  detour_host_set_mesh_key (self, NULL); /* was taken back before */
  detour_host_post (self, posted, self, dropped);
}

static const DetourPlugin greedy = {
  .abi = DETOUR_PLUGIN_ABI,
  .size = sizeof (DetourPlugin),
  .name = "service-greedy",
  .kind = DETOUR_KIND_SERVICE,
  .summary = "takes everything",
  .start = greedy_start,
  .stop = greedy_stop,
};

/* ---- the floors above ------------------------------------------------------------------------ */

static void
release (gpointer owner, gpointer thing)
{
  tell (thing);
}

static gboolean
on_listen (gpointer data, DetourInstance *instance, const DetourSettings *settings,
           const DetourListenerSpec *spec, GError **error)
{
  tell ("+listener");
  detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, release, NULL, (gpointer) "-listener");
  return TRUE;
}

static gboolean
on_add_routes (gpointer data, DetourInstance *instance, const DetourHttpRoute *table, gpointer user,
               GError **error)
{
  g_assert_true (table == routes);
  tell ("+routes");
  detour_instance_hold (instance, DETOUR_HOLD_FOR_RUN, release, NULL, (gpointer) "-routes");
  return TRUE;
}

static void
on_mesh_key (gpointer data, const guint8 *key)
{
  tell (key != NULL ? "+key" : "-key");
}

static const DetourHostHooks hooks = {
  .listen = on_listen,
  .add_routes = on_add_routes,
  .set_mesh_key = on_mesh_key,
};

/* ---- tests ----------------------------------------------------------------------------------- */

typedef struct {
  DetourPlugins *plugins;
  DetourRoster *roster;
  DetourInstance *instance;
} Stage;

static void
stage_init (Stage *self)
{
  static const char text[] = "[admission]\nchain=open\n[service greedy]\n";
  static const char *const nowhere[] = { NULL };
  static const guint8 key[DETOUR_KEY_SIZE] = { 7 };
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (DetourConfig) config = NULL;

  story = g_string_new (NULL);
  fails = FALSE;
  n_ticks = n_posted = n_dropped = 0;
  self->plugins = detour_plugins_new (nowhere);
  detour_plugins_add_static (self->plugins, &greedy);
  config = detour_config_load_text ("f", text, strlen (text), self->plugins, errors);
  g_assert_nonnull (config);
  self->roster = detour_roster_new (config, "/state", key, &hooks, NULL);
  self->instance = detour_roster_find (self->roster, "service/greedy");
}

static void
stage_clear (Stage *self)
{
  detour_roster_free (self->roster);
  detour_plugins_free (self->plugins);
  g_string_free (story, TRUE);
}

static void
assert_story (const char *expected)
{
  g_assert_cmpstr (story->str, ==, expected);
  g_string_truncate (story, 0);
}

static gboolean
has_cert (Stage *self)
{
  g_autoptr (DetourCert) cert = detour_host_find_cert (self->instance, NULL, "relay.test", NULL);

  return cert != NULL;
}

static void
run_loop (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    {
    }
}

#define STARTED "start +routes +listener +key"
#define ENDED   "-key -listener -routes"

static void
stop (void)
{
  Stage stage;

  stage_init (&stage);
  g_assert_true (detour_instance_start (stage.instance, NULL));
  assert_story (STARTED);
  g_assert_true (has_cert (&stage));
  run_loop ();
  g_assert_cmpuint (n_posted, ==, 1);

  detour_instance_stop (stage.instance);
  assert_story (ENDED " stop");
  g_assert_false (has_cert (&stage));
  /* What stop() still posts has nobody to come to. */
  g_assert_cmpuint (n_dropped, ==, 1);
  run_loop ();
  g_assert_cmpuint (n_posted, ==, 1);
  stage_clear (&stage);
}

static void
failed_start (void)
{
  Stage stage;

  stage_init (&stage);
  fails = TRUE;
  g_assert_false (detour_instance_start (stage.instance, NULL));
  assert_story (STARTED " " ENDED);
  g_assert_false (has_cert (&stage));
  g_assert_cmpuint (n_dropped, ==, 1);
  run_loop ();
  g_assert_cmpuint (n_posted, ==, 0);

  /* Nothing is left that could be in the way of the next start. */
  fails = FALSE;
  g_assert_true (detour_instance_start (stage.instance, NULL));
  assert_story (STARTED);
  stage_clear (&stage);
}

static void
restart (void)
{
  Stage stage;

  stage_init (&stage);
  g_assert_true (detour_instance_start (stage.instance, NULL));
  assert_story (STARTED);
  g_assert_true (detour_instance_restart (stage.instance, NULL));
  assert_story (ENDED " stop " STARTED);
  g_assert_true (has_cert (&stage));
  /* One of the first run that had not come yet, and the one of its stop(). */
  g_assert_cmpuint (n_dropped, ==, 2);

  /* A restart that fails leaves no certificate of the run before. */
  fails = TRUE;
  g_assert_false (detour_instance_restart (stage.instance, NULL));
  assert_story (ENDED " stop " STARTED " " ENDED);
  g_assert_false (has_cert (&stage));
  stage_clear (&stage);
}

static void
timers (void)
{
  Stage stage;

  stage_init (&stage);
  g_assert_true (detour_instance_start (stage.instance, NULL));
  while (n_ticks < 3)
    g_main_context_iteration (NULL, TRUE);
  /* It ended by itself, and stopping does not end it again. */
  detour_instance_stop (stage.instance);
  run_loop ();
  g_assert_cmpuint (n_ticks, ==, 3);
  stage_clear (&stage);
}

static gboolean
stop_instance (gpointer data)
{
  detour_instance_stop (data);
  return TRUE;
}

static void
timer_that_stops_its_instance (void)
{
  Stage stage;
  guint id;

  stage_init (&stage);
  g_assert_true (detour_instance_start (stage.instance, NULL));
  id = detour_host_add_timer (stage.instance, 1000, never, NULL);
  detour_host_remove_timer (stage.instance, id);
  detour_host_remove_timer (stage.instance, id);
  detour_host_add_timer (stage.instance, 1000, stop_instance, stage.instance);
  while (detour_instance_state (stage.instance) == DETOUR_INSTANCE_RUNNING)
    g_main_context_iteration (NULL, TRUE);
  run_loop ();
  stage_clear (&stage);
}

static void
certs_taken_back_early (void)
{
  Stage stage;

  stage_init (&stage);
  g_assert_true (detour_instance_start (stage.instance, NULL));
  detour_host_publish_certs (stage.instance, NULL, 0);
  g_assert_false (has_cert (&stage));
  publish (stage.instance);
  g_assert_true (has_cert (&stage));
  stage_clear (&stage);
}

static void
note_metric (const DetourMetric *metric, gpointer user)
{
  g_string_append_printf (user, "%s(%s %s %s):%" G_GUINT64_FORMAT " ", metric->name,
                          metric->type == DETOUR_METRIC_GAUGE ? "gauge" : "counter",
                          metric->unit != NULL ? metric->unit : "-",
                          metric->labels[metric->n_labels - 1].value, metric->value);
}

static char *
list_metrics (Stage *self)
{
  GString *text = g_string_new (NULL);

  detour_instance_foreach_metric (self->instance, note_metric, text);
  return g_string_free (text, FALSE);
}

static void
metrics (void)
{
  g_autofree char *running = NULL;
  g_autofree char *stopped = NULL;
  g_autofree char *again = NULL;
  Stage stage;

  stage_init (&stage);
  g_assert_true (detour_instance_start (stage.instance, NULL));
  running = list_metrics (&stage);
  g_assert_cmpstr (running, ==,
                   "appetite(counter bytes service/greedy):1 weight(gauge - service/greedy):70 ");
  /* Counters stay, so that totals go on; a gauge of what does not run says nothing. */
  detour_instance_stop (stage.instance);
  stopped = list_metrics (&stage);
  g_assert_cmpstr (stopped, ==, "appetite(counter bytes service/greedy):1 ");
  g_assert_true (detour_instance_start (stage.instance, NULL));
  again = list_metrics (&stage);
  g_assert_cmpstr (again, ==,
                   "appetite(counter bytes service/greedy):2 weight(gauge - service/greedy):70 ");
  stage_clear (&stage);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/instance/stop-takes-all-back", stop);
  g_test_add_func ("/instance/failed-start-takes-all-back", failed_start);
  g_test_add_func ("/instance/restart", restart);
  g_test_add_func ("/instance/timers", timers);
  g_test_add_func ("/instance/timer-that-stops-its-instance", timer_that_stops_its_instance);
  g_test_add_func ("/instance/certificates-taken-back-early", certs_taken_back_early);
  g_test_add_func ("/instance/metrics", metrics);
  return g_test_run ();
}
