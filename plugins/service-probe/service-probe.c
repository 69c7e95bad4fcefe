/* service-probe.c: looks at relays as clients do, again and again.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The looking is done by `detourctl probe`, a program of its own, so that nothing here waits for a
 * network, and so that people see the same by hand. */
#include "config.h"

#include "detour-plugin.h"

#include <dlfcn.h>
#include <gio/gio.h>

#include "prober-page.h"
#include "prober-paths.h"
#include "prober-process.h"
#include "prober-report.h"
#include "prober-series.h"

#define PROGRAM "detourctl"
/* A look that takes longer has lost its way: each of its steps has a limit of seconds. */
#define LOOK_LIMIT_US (5 * 60 * G_USEC_PER_SEC)
/* How often it is seen whether the relay takes clients already. */
#define READY_LOOK_US G_USEC_PER_SEC
/* Lines that one look may add to the log for checks that failed, and for those that are good again.
 */
#define LINES_MAX 10u

typedef struct {
  const char *map, *mesh_key_file, *ca_file, *region, *program;
  gint64 interval_us;
  guint64 bandwidth;
  gboolean closed, between_nodes;
} Options;

typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  Options options;
  char *program;
  ProberProcess *process; /* NULL: nothing is being looked at */
  ProberSeries *series;
  ProberPage *page;
  GHashTable *failed; /* of prober_check_id(): those that had failed at the last look */
  gint64 next_us;     /* monotonic: when to look */
  gboolean is_broken; /* the last look told nothing */
} ServiceProbe;

static const DetourConfigKey service_probe_config[] = {
  { "map", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "the DERP map: a file, a URL of http or https, or `tailscaled:`; without it, this relay's own "
    "entry",
    DETOUR_CONFIG_FIELD (Options, map) },
  { "interval", DETOUR_CONFIG_DURATION, "1m", 1000, 86400000, "from one look to the next",
    DETOUR_CONFIG_FIELD (Options, interval_us) },
  { "mesh-key-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "log in with this mesh key, where unknown keys are not admitted",
    DETOUR_CONFIG_FIELD (Options, mesh_key_file) },
  { "closed", DETOUR_CONFIG_BOOL, "false", 0, 0,
    "the relays admit known keys alone: that an unknown one is refused is as it should be",
    DETOUR_CONFIG_FIELD (Options, closed) },
  { "region", DETOUR_CONFIG_STRING, NULL, 0, 0, "only this region of the map, by number or code",
    DETOUR_CONFIG_FIELD (Options, region) },
  { "between-nodes", DETOUR_CONFIG_BOOL, "true", 0, 0,
    "send packets from each node of a region to each other one",
    DETOUR_CONFIG_FIELD (Options, between_nodes) },
  { "bandwidth", DETOUR_CONFIG_SIZE, "off", 0, 1ull << 34,
    "carry so much through each node and say how fast", DETOUR_CONFIG_LIMIT,
    DETOUR_CONFIG_FIELD (Options, bandwidth) },
  { "ca-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "authorities in PEM to trust instead of the system's", DETOUR_CONFIG_FIELD (Options, ca_file) },
  { "program", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "program that looks, instead of the `detourctl` that comes with Detour",
    DETOUR_CONFIG_FIELD (Options, program) },
  { NULL },
};

/* ---- what changed ---------------------------------------------------------------------------- */

static void
service_probe_tell_failed (ServiceProbe *self, const ProberCheck *check)
{
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "probe-failed",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), DETOUR_LOG_REASON,
                    check->code, "MESSAGE", "%s: node %s of region %s: %s failed: %s",
                    detour_host_instance (self->host), check->node, check->region, check->check,
                    check->text);
}

/* @id: see prober_check_id() */
static void
service_probe_tell_good (ServiceProbe *self, const char *id)
{
  g_auto (GStrv) parts = g_strsplit (id, "\n", 3);

  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "probe-good",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "%s: node %s of region %s: %s is good again", detour_host_instance (self->host),
                    parts[1], parts[0], parts[2]);
}

static void
service_probe_tell_more (ServiceProbe *self, const char *event, guint n)
{
  if (n > LINES_MAX)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, event,
                      DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                      "%s: %u more like this", detour_host_instance (self->host), n - LINES_MAX);
}

/* Says which checks have failed that had not before. */
static GHashTable *
service_probe_find_failed (ServiceProbe *self, const ProberReport *report)
{
  GHashTable *failed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint n = 0;

  for (guint i = 0; i < report->checks->len; i++)
    {
      const ProberCheck *check = report->checks->pdata[i];
      char *id;

      if (check->status != PROBER_FAILED)
        continue;
      id = prober_check_id (check);
      if (!g_hash_table_contains (self->failed, id) && n++ < LINES_MAX)
        service_probe_tell_failed (self, check);
      g_hash_table_add (failed, id);
    }
  service_probe_tell_more (self, "probe-failed", n);
  return failed;
}

/* Those that are good now; one that is not tried any more is not. */
static void
service_probe_find_good (ServiceProbe *self, const ProberReport *report)
{
  guint n = 0;

  for (guint i = 0; i < report->checks->len; i++)
    {
      const ProberCheck *check = report->checks->pdata[i];
      g_autofree char *id = prober_check_id (check);

      if ((check->status == PROBER_GOOD || check->status == PROBER_WARNING)
          && g_hash_table_contains (self->failed, id) && n++ < LINES_MAX)
        service_probe_tell_good (self, id);
    }
  service_probe_tell_more (self, "probe-good", n);
}

static void
service_probe_show (ServiceProbe *self, const ProberReport *report)
{
  const ProberCheck *first = prober_report_first_failed (report);
  g_autofree char *name = first != NULL ? prober_check_name (first) : NULL;
  guint n = report->n[PROBER_FAILED];

  detour_host_set_summary (self->host, "%u check%s good, %u warning%s, %u failed, %u skipped. %s",
                           report->n[PROBER_GOOD], report->n[PROBER_GOOD] == 1 ? "" : "s",
                           report->n[PROBER_WARNING], report->n[PROBER_WARNING] == 1 ? "" : "s", n,
                           report->n[PROBER_SKIPPED], report->home != NULL ? report->home : "");
  if (first == NULL && report->n_map_errors > 0)
    detour_host_set_trouble (self->host, "the map has %u errors; see: detourctl derpmap check %s",
                             report->n_map_errors, self->options.map);
  else if (first == NULL)
    detour_host_set_trouble (self->host, NULL);
  else if (n == 1)
    detour_host_set_trouble (self->host, "%s failed: %s", name, first->text);
  else
    detour_host_set_trouble (self->host, "%s failed, and %u more: %s", name, n - 1, first->text);
}

/* ---- a look ---------------------------------------------------------------------------------- */

static void
service_probe_break (ServiceProbe *self, const char *why)
{
  prober_series_note_broken (self->series);
  detour_host_set_trouble (self->host, "the relays could not be looked at: %s", why);
  if (!self->is_broken)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "probe-broken",
                      DETOUR_LOG_INSTANCE, detour_host_instance (self->host), DETOUR_LOG_REASON,
                      why, "MESSAGE", "%s: the relays could not be looked at: %s",
                      detour_host_instance (self->host), why);
  self->is_broken = TRUE;
}

static void
service_probe_on_done (gpointer user, const char *output, gsize len, const char *why)
{
  ServiceProbe *self = user;
  g_autoptr (GError) error = NULL;
  g_autoptr (ProberReport) report = NULL;
  GHashTable *failed;

  self->process = NULL;
  if (output != NULL)
    report = prober_report_parse (output, len, &error);
  if (report == NULL)
    {
      service_probe_break (self, output != NULL ? error->message : why);
      return;
    }
  self->is_broken = FALSE;
  service_probe_find_good (self, report);
  failed = service_probe_find_failed (self, report);
  g_hash_table_unref (self->failed);
  self->failed = failed;
  prober_series_update (self->series, report);
  service_probe_show (self, report);
  prober_page_update (self->page, g_steal_pointer (&report), output, len);
}

static GPtrArray *
service_probe_arguments (const ServiceProbe *self)
{
  const Options *options = &self->options;
  GPtrArray *arguments = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (arguments, g_strdup (self->program));
  g_ptr_array_add (arguments, g_strdup ("probe"));
  g_ptr_array_add (arguments, g_strdup ("--json"));
  if (options->region != NULL)
    g_ptr_array_add (arguments, g_strconcat ("--region=", options->region, NULL));
  if (options->mesh_key_file != NULL)
    g_ptr_array_add (arguments, g_strconcat ("--mesh-key=", options->mesh_key_file, NULL));
  if (options->ca_file != NULL)
    g_ptr_array_add (arguments, g_strconcat ("--ca=", options->ca_file, NULL));
  if (options->closed)
    g_ptr_array_add (arguments, g_strdup ("--closed"));
  if (!options->between_nodes)
    g_ptr_array_add (arguments, g_strdup ("--no-mesh"));
  if (options->bandwidth > 0)
    g_ptr_array_add (arguments, g_strdup_printf ("--bandwidth=%" G_GUINT64_FORMAT "K",
                                                 MAX (options->bandwidth / 1024, 1)));
  if (options->map != NULL)
    g_ptr_array_add (arguments, g_strdup (options->map));
  g_ptr_array_add (arguments, NULL);
  return arguments;
}

static void
service_probe_look (ServiceProbe *self)
{
  g_autoptr (GPtrArray) arguments = service_probe_arguments (self);
  g_autoptr (GError) error = NULL;
  int control = -1;

  if (self->options.map == NULL)
    control = detour_host_open_control (self->host, &error);
  if (error == NULL)
    self->process = prober_process_start ((const char *const *) arguments->pdata, control,
                                          LOOK_LIMIT_US, service_probe_on_done, self, &error);
  if (self->process == NULL)
    service_probe_break (self, error->message);
}

/* Ticks a second or faster; a look that takes longer than the interval delays the next one. */
static gboolean
service_probe_on_tick (gpointer data)
{
  ServiceProbe *self = data;
  gint64 now_us = g_get_monotonic_time ();

  /* While the relay takes no clients, none would come. */
  if (self->process != NULL || now_us < self->next_us || !detour_host_is_ready (self->host))
    return TRUE;
  self->next_us = now_us + self->options.interval_us;
  service_probe_look (self);
  return TRUE;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static gboolean
service_probe_is_place (const char *map)
{
  return g_path_is_absolute (map) || g_str_has_prefix (map, "tailscaled:")
      || g_str_has_prefix (map, "http://") || g_str_has_prefix (map, "https://");
}

static gboolean
service_probe_check (const DetourSettings *settings, GError **error)
{
  const char *map = detour_settings_string (settings, "map");

  if (map == NULL || service_probe_is_place (map))
    return TRUE;
  detour_settings_error (settings, "map", error,
                         "\"%s\" is neither an absolute path nor a URL of http or https", map);
  return FALSE;
}

static void
service_probe_advise (const DetourSettings *settings, const char *hostname, GPtrArray *advice)
{
  g_autoptr (GError) error = NULL;

  if (hostname != NULL || detour_settings_string (settings, "map") != NULL)
    return;
  detour_settings_error (settings, NULL, &error,
                         "the relay does not know its own name, so it cannot look at itself; set "
                         "hostname in [core], or map here");
  g_ptr_array_add (advice, g_strdup (error->message));
}

/* The program lies where it does from this module: in a build tree, or where it was installed. */
static char *
service_probe_find_program (const Options *options)
{
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  Dl_info info;

  if (options->program != NULL)
    return g_strdup (options->program);
  if (dladdr ((gconstpointer) service_probe_find_program, &info) == 0 || info.dli_fname == NULL)
    return g_strdup (PROGRAM);
  folder = g_path_get_dirname (info.dli_fname);
  path = g_build_filename (folder, "..", "core", "app", PROGRAM, NULL);
  if (!g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    {
      g_free (path);
      path = g_build_filename (folder, DETOUR_BIN_FROM_PLUGINDIR, PROGRAM, NULL);
    }
  return g_canonicalize_filename (path, NULL);
}

static gpointer
service_probe_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  ServiceProbe *self = g_new0 (ServiceProbe, 1);

  self->host = host;
  self->settings = detour_settings_ref (settings);
  detour_settings_fill (settings, &self->options);
  self->program = service_probe_find_program (&self->options);
  self->series = prober_series_new (host);
  self->page = prober_page_new (host);
  self->failed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  detour_host_set_summary (host, "nothing was looked at yet");
  detour_host_add_timer (host, MIN (READY_LOOK_US, self->options.interval_us),
                         service_probe_on_tick, self);
  return self;
}

static void
service_probe_stop (gpointer data)
{
  ServiceProbe *self = data;

  if (self->process != NULL)
    prober_process_stop (self->process);
  prober_series_free (self->series);
  prober_page_free (self->page);
  g_hash_table_unref (self->failed);
  g_free (self->program);
  detour_settings_unref (self->settings);
  g_free (self);
}

DETOUR_PLUGIN_DEFINE (.name = "service-probe", .kind = DETOUR_KIND_SERVICE,
                      .summary = "looks at relays as clients do, again and again",
                      .config = service_probe_config, .check = service_probe_check,
                      .advise = service_probe_advise, .start = service_probe_start,
                      .stop = service_probe_stop);
