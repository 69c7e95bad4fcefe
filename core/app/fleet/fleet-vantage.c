/* fleet-vantage.c: what `detourctl probe` sees of a fleet's map from one place.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-vantage.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include "detour-config-value.h"
#include "fleet-input.h"
#include "fleet-map.h"

typedef struct {
  FleetVantage vantage; /* first: what callers see */
  GStrv words;          /* of the program */
  char *map;            /* JSON */
  gint64 limit_ms;
} Task;

static void
fleet_vantage_free (gpointer data)
{
  Task *task = data;

  detourctl_document_free (task->vantage.document);
  g_free (task->vantage.problem);
  g_strfreev (task->words);
  g_free (task->map);
  g_free (task);
}

/* One program, on a thread and a loop of its own. */
typedef struct {
  GMainContext *context;
  GMainLoop *loop;
  GCancellable *cancellable;
  pid_t group; /* the program and all that it has started */
  GBytes *out, *err;
  GError *error;
  gboolean is_good, is_late;
} Run;

/* Between fork and exec. @user: descriptor that takes the number of the group, which has to be
 * known when the program is gone already */
static void
fleet_vantage_set_up_child (gpointer user)
{
  pid_t group = setsid ();

  prctl (PR_SET_PDEATHSIG, SIGTERM);
  if (write (GPOINTER_TO_INT (user), &group, sizeof group) != sizeof group)
    _exit (EXIT_FAILURE);
}

/* NULL with @error. */
static GSubprocess *
fleet_vantage_start (const Task *task, pid_t *group, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  int in = fleet_input_open (task->map, error);
  GSubprocess *process;
  int ends[2];

  if (in < 0)
    return NULL;
  g_subprocess_launcher_take_stdin_fd (launcher, in);
  if (!g_unix_open_pipe (ends, FD_CLOEXEC, error))
    return NULL;
  g_subprocess_launcher_set_child_setup (launcher, fleet_vantage_set_up_child,
                                         GINT_TO_POINTER (ends[1]), NULL);
  process = g_subprocess_launcher_spawnv (launcher, (const char *const *) task->words, error);
  close (ends[1]);
  if (read (ends[0], group, sizeof *group) != sizeof *group)
    *group = 0;
  close (ends[0]);
  return process;
}

/* What the program has started may keep its output open, when it is gone, and where no signal
 * reaches. */
static gboolean
fleet_vantage_on_time (gpointer data)
{
  Run *run = data;

  run->is_late = TRUE;
  if (run->group > 0)
    kill (-run->group, SIGKILL);
  g_cancellable_cancel (run->cancellable);
  return G_SOURCE_REMOVE;
}

static void
fleet_vantage_on_end (GObject *source, GAsyncResult *result, gpointer data)
{
  Run *run = data;

  run->is_good = g_subprocess_communicate_finish (G_SUBPROCESS (source), result, &run->out,
                                                  &run->err, &run->error);
  g_main_loop_quit (run->loop);
}

static void
fleet_vantage_communicate (const Task *task, GSubprocess *process, Run *run)
{
  g_autoptr (GSource) timer = g_timeout_source_new ((guint) MIN (task->limit_ms, G_MAXINT));

  run->context = g_main_context_new ();
  run->loop = g_main_loop_new (run->context, FALSE);
  run->cancellable = g_cancellable_new ();
  g_main_context_push_thread_default (run->context);
  g_source_set_callback (timer, fleet_vantage_on_time, run, NULL);
  if (task->limit_ms > 0)
    g_source_attach (timer, run->context);
  g_subprocess_communicate_async (process, NULL, run->cancellable, fleet_vantage_on_end, run);
  g_main_loop_run (run->loop);
  g_source_destroy (timer);
  g_main_context_pop_thread_default (run->context);
  g_main_loop_unref (run->loop);
  g_main_context_unref (run->context);
  g_object_unref (run->cancellable);
}

/* What the program said last. */
static char *
fleet_vantage_explain (const Task *task, const Run *run)
{
  gsize len = 0;
  const char *text = run->err != NULL ? g_bytes_get_data (run->err, &len) : NULL;
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", (gssize) len);
  g_autofree char *limit = detour_config_format_duration ((guint64) task->limit_ms);
  char *line = strrchr (g_strchomp (valid), '\n');

  line = line != NULL ? line + 1 : valid;
  if (run->is_late)
    return g_strdup_printf (_ ("no answer within %s"), limit);
  if (run->error != NULL)
    return g_strdup (run->error->message);
  return g_strdup (*line != '\0' ? line : _ ("detourctl probe gave no answer there"));
}

static void
fleet_vantage_run (gpointer data, gpointer user)
{
  Task *task = data;
  Run run = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) process = fleet_vantage_start (task, &run.group, &error);
  gsize len = 0;
  const char *text;

  if (process == NULL)
    {
      task->vantage.problem = g_strdup (error->message);
      return;
    }
  fleet_vantage_communicate (task, process, &run);
  text = run.is_good ? g_bytes_get_data (run.out, &len) : NULL;
  /* Its exit status says whether a check has failed, which is an answer. */
  if (len > 0)
    {
      g_autofree char *document = g_strndup (text, len);

      task->vantage.document = detourctl_document_parse (document, len, NULL);
    }
  if (fleet_vantage_checks (&task->vantage) == NULL)
    task->vantage.problem = fleet_vantage_explain (task, &run);
  g_clear_pointer (&run.out, g_bytes_unref);
  g_clear_pointer (&run.err, g_bytes_unref);
  g_clear_error (&run.error);
}

/* @map without the node of @relay. */
static char *
fleet_vantage_map (const Fleet *fleet, const FleetRelay *relay, const DetourctlMap *map)
{
  g_autoptr (DetourctlMap) rest = detourctl_map_new ();
  g_autofree char *own = relay != NULL ? fleet_map_node_name (fleet, relay) : NULL;

  detourctl_map_merge (rest, map);
  for (guint i = rest->regions->len; i-- > 0;)
    {
      DetourctlMapRegion *region = rest->regions->pdata[i];

      for (guint k = region->nodes->len; k-- > 0;)
        if (g_strcmp0 (((const DetourctlMapNode *) region->nodes->pdata[k])->name, own) == 0)
          g_ptr_array_remove_index (region->nodes, k);
      if (region->nodes->len == 0)
        g_ptr_array_remove_index (rest->regions, i);
    }
  return rest->regions->len > 0 ? detourctl_map_format (rest, DETOURCTL_REGION_JSON) : NULL;
}

static void
fleet_vantage_add (GPtrArray *tasks, const Fleet *fleet, const FleetRelay *relay,
                   const DetourctlMap *map, const FleetVantageSetup *setup)
{
  g_autofree char *own = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (GStrvBuilder) words = g_strv_builder_new ();
  char *text = fleet_vantage_map (fleet, relay, map);
  Task *task;

  /* There is nothing but the relay itself. */
  if (text == NULL)
    return;
  if (relay == NULL)
    {
      g_strv_builder_add (words, own != NULL ? own : "detourctl");
    }
  else
    {
      g_auto (GStrv)
          way = fleet_inventory_way (relay, own != NULL ? own : "detourctl", setup->limit_ms);

      g_strv_builder_addv (words, (const char **) way);
    }
  g_strv_builder_add_many (words, "probe", "--json", NULL);
  g_strv_builder_addv (words, (const char **) setup->options);
  if (relay == NULL)
    g_strv_builder_addv (words, (const char **) setup->local_options);
  /* Nodes of a region are looked at as pairs from here. */
  if (relay != NULL)
    g_strv_builder_add (words, "--no-mesh");
  g_strv_builder_add (words, "-");
  task = g_new0 (Task, 1);
  task->vantage.relay = relay;
  task->words = g_strv_builder_end (words);
  task->map = text;
  task->limit_ms = setup->limit_ms;
  g_ptr_array_add (tasks, task);
}

GPtrArray *
fleet_vantage_look (const Fleet *fleet, const GPtrArray *relays, const DetourctlMap *map,
                    const FleetVantageSetup *setup)
{
  GPtrArray *tasks = g_ptr_array_new_with_free_func (fleet_vantage_free);
  GThreadPool *pool;

  fleet_vantage_add (tasks, fleet, NULL, map, setup);
  for (guint i = 0; i < relays->len; i++)
    fleet_vantage_add (tasks, fleet, relays->pdata[i], map, setup);
  pool = g_thread_pool_new (fleet_vantage_run, NULL, (int) fleet->parallel, FALSE, NULL);
  for (guint i = 0; i < tasks->len; i++)
    g_thread_pool_push (pool, tasks->pdata[i], NULL);
  g_thread_pool_free (pool, FALSE, TRUE);
  return tasks;
}

const DetourctlValue *
fleet_vantage_checks (const FleetVantage *self)
{
  const DetourctlValue *checks = self->document != NULL
                                   ? detourctl_value_member (self->document->root, "checks")
                                   : NULL;

  return checks != NULL && checks->type == DETOURCTL_VALUE_LIST ? checks : NULL;
}

const char *
fleet_vantage_text (const DetourctlValue *check, const char *name)
{
  const DetourctlValue *value = detourctl_value_member (check, name);

  return value != NULL && value->text != NULL ? value->text : "";
}
