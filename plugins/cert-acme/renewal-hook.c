/* renewal-hook.c: the operator's program that puts records into a zone, run for one record after
 * the other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-hook.h"

#include <gio/gio.h>
#include <string.h>

#include "detour-plugin.h"
#include "renewal-process.h"

/* Programs of providers wait for their own servers, some for minutes. */
#define LIMIT_S 300u

typedef struct {
  char *verb, *name, *value;
  gpointer tag;
} HookJob;

struct _RenewalHook {
  const char *program;
  const char *instance;
  RenewalHookDone done;
  gpointer user;
  GQueue jobs; /* HookJob; the first one runs */
  RenewalProcess *process;
  guint failing; /* source that tells of a program that could not be started; 0: none */
  char *fault;   /* why it could not */
};

static void
renewal_hook_free_job (gpointer data)
{
  HookJob *job = data;

  g_free (job->verb);
  g_free (job->name);
  g_free (job->value);
  g_free (job);
}

RenewalHook *
renewal_hook_new (const char *program, const char *instance, RenewalHookDone done, gpointer user)
{
  RenewalHook *self = g_new0 (RenewalHook, 1);

  self->program = program;
  self->instance = instance;
  self->done = done;
  self->user = user;
  g_queue_init (&self->jobs);
  return self;
}

void
renewal_hook_free (RenewalHook *self)
{
  if (self->failing != 0)
    g_source_remove (self->failing);
  g_clear_pointer (&self->process, renewal_process_free);
  g_queue_clear_full (&self->jobs, renewal_hook_free_job);
  g_free (self->fault);
  g_free (self);
}

gboolean
renewal_hook_is_busy (const RenewalHook *self)
{
  return self->jobs.length > 0;
}

static void renewal_hook_next (RenewalHook *self);

/* The job at the front is over. The hook may be gone afterwards. */
static void
renewal_hook_finish (RenewalHook *self, const char *why)
{
  HookJob *job = g_queue_pop_head (&self->jobs);

  renewal_hook_next (self);
  self->done (self->user, job->tag, why);
  renewal_hook_free_job (job);
}

static void
renewal_hook_log_lines (RenewalHook *self, const HookJob *job, const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *line = g_strescape (g_strchomp (lines[i]), NULL);

      if (line[0] != '\0')
        g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_INSTANCE, self->instance,
                          "MESSAGE", "%s: %s %s %s: %s", self->instance, self->program, job->verb,
                          job->name, line);
    }
}

static void
renewal_hook_on_line (gpointer user, const char *line, gsize len)
{
  /* Its output is nobody's. */
}

static void
renewal_hook_on_end (gpointer user, const char *why, const char *complaint)
{
  RenewalHook *self = user;
  const HookJob *job = self->jobs.head->data;
  g_autofree char *text = NULL;

  renewal_hook_log_lines (self, job, complaint);
  if (why != NULL)
    text = g_strdup_printf ("%s %s %s", self->program, job->verb, why);
  g_clear_pointer (&self->process, renewal_process_free);
  renewal_hook_finish (self, text);
}

static const RenewalProcessFuncs renewal_hook_funcs = { renewal_hook_on_line, renewal_hook_on_end };

static gboolean
renewal_hook_on_failed_start (gpointer data)
{
  RenewalHook *self = data;
  g_autofree char *fault = g_steal_pointer (&self->fault);

  self->failing = 0;
  renewal_hook_finish (self, fault);
  return G_SOURCE_REMOVE;
}

static void
renewal_hook_next (RenewalHook *self)
{
  HookJob *job = g_queue_peek_head (&self->jobs);
  g_autoptr (GError) error = NULL;

  if (job == NULL || self->process != NULL || self->failing != 0)
    return;
  self->process = renewal_process_start (
      (const char *const[]) { self->program, job->verb, job->name, job->value, NULL }, LIMIT_S,
      &renewal_hook_funcs, self, &error);
  if (self->process != NULL)
    return;
  self->fault = g_strdup (error->message);
  self->failing = g_idle_add (renewal_hook_on_failed_start, self);
}

void
renewal_hook_run (RenewalHook *self, const char *verb, const char *name, const char *value,
                  gpointer tag)
{
  HookJob *job = g_new0 (HookJob, 1);

  *job = (HookJob) { g_strdup (verb), g_strdup (name), g_strdup (value), tag };
  g_queue_push_tail (&self->jobs, job);
  renewal_hook_next (self);
}

void
renewal_hook_run_detached (const char *program, const char *verb, const char *name,
                           const char *value)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) subprocess = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE
                                                             | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                                                         &error, program, verb, name, value, NULL);

  if (subprocess == NULL)
    g_warning ("%s", error->message);
}
