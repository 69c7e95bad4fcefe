/* detour-admission.c: who may use the relay: the chain of auth instances and what core adds to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-admission.h"

#include "detour-auth-chain.h"
#include "detour-mailbox.h"
#include "detour-schema.h"

struct _DetourAdmission {
  const DetourAuthPort *port;
  gpointer user;
  gboolean is_open; /* atomic */

  DetourMailbox *inbox; /* of Inbound */

  /* Main thread, all that follows. */
  GPtrArray *instances; /* of DetourAuthInstance, in the order of the chain */
  DetourAuthChain *chain;
  gboolean dry_run;
  gint64 recheck_us;
  GStrv disallowed_app_names;
  DetourVerdictStats *stats;
};

/* A request on its way to the main thread. */
typedef struct {
  DetourAdmission *admission;
  DetourAuthRequest *request;
  gboolean is_recheck;
  DetourVerdictFunc done;
  gpointer data;
} Inbound;

static gint64
admission_now_us (const DetourAdmission *self)
{
  return self->port->now_us != NULL ? self->port->now_us (self->user) : g_get_monotonic_time ();
}

static void
admission_inbound_free (Inbound *inbound)
{
  detour_auth_request_unref (inbound->request);
  g_free (inbound);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Inbound, admission_inbound_free)

/* For the chain -------------------------------------------------------------------------------- */

static DetourVerdict *
admission_precheck (gpointer user, const DetourAuthRequest *request)
{
  static const DetourVerdict not_allowed = { .result = DETOUR_AUTH_DENY,
                                             .instance = "admission",
                                             .reason = "its application name is not allowed" };
  const DetourAdmission *self = user;

  return g_strv_contains ((const char *const *) self->disallowed_app_names, request->app_name)
           ? detour_verdict_new (&not_allowed)
           : NULL;
}

static DetourVerdict *
admission_conclude (gpointer user, const DetourAuthRequest *request, DetourVerdict *verdict,
                    guint n)
{
  DetourAdmission *self = user;

  return detour_verdict_stats_note (self->stats, request, verdict, n, self->dry_run,
                                    admission_now_us (self));
}

static const DetourAuthChainFuncs chain_funcs = { admission_precheck, admission_conclude };

/* Requests ------------------------------------------------------------------------------------- */

static void
admission_on_request (gpointer data)
{
  g_autoptr (Inbound) inbound = data;
  DetourAdmission *self = inbound->admission;
  gboolean is_shared;

  if (!inbound->is_recheck)
    detour_verdict_stats_ask (self->stats);
  is_shared = detour_auth_chain_ask (self->chain, inbound->request, inbound->is_recheck,
                                     inbound->done, inbound->data);
  if (is_shared && !inbound->is_recheck)
    detour_verdict_stats_share (self->stats);
}

static void
admission_drop_request (gpointer data)
{
  static const DetourVerdict fields = { .result = DETOUR_AUTH_UNAVAILABLE,
                                        .instance = "admission",
                                        .reason = "the daemon stops" };
  g_autoptr (Inbound) inbound = data;
  g_autoptr (DetourVerdict) stopping = detour_verdict_new (&fields);

  inbound->done (stopping, inbound->data);
}

static void
admission_put (DetourAdmission *self, DetourAuthRequest *request, gboolean is_recheck,
               DetourVerdictFunc done, gpointer data)
{
  Inbound *inbound = g_new (Inbound, 1);

  *inbound = (Inbound) { self, detour_auth_request_ref (request), is_recheck, done, data };
  detour_mailbox_post (self->inbox, admission_on_request, inbound, admission_drop_request);
}

void
detour_admission_ask (DetourAdmission *self, DetourAuthRequest *request, DetourVerdictFunc done,
                      gpointer data)
{
  admission_put (self, request, FALSE, done, data);
}

void
detour_admission_recheck (DetourAdmission *self, DetourAuthRequest *request, DetourVerdictFunc done,
                          gpointer data)
{
  admission_put (self, request, TRUE, done, data);
}

void
detour_admission_tick (DetourAdmission *self)
{
  detour_auth_chain_tick (self->chain);
}

/* Life ----------------------------------------------------------------------------------------- */

static GPtrArray *
admission_instances_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) detour_auth_instance_unref);
}

/* Those of @instances that are not in @others. */
static void
admission_close_instances (GPtrArray *instances, GPtrArray *others)
{
  for (guint i = 0; i < instances->len; i++)
    if (others == NULL || !g_ptr_array_find (others, instances->pdata[i], NULL))
      detour_auth_instance_close (instances->pdata[i]);
}

DetourAdmission *
detour_admission_new (const DetourAuthPort *port, gpointer user)
{
  DetourAdmission *self = g_new0 (DetourAdmission, 1);

  self->port = port;
  self->user = user;
  self->inbox = detour_mailbox_new ();
  self->instances = admission_instances_new ();
  self->chain = detour_auth_chain_new (port, user, &chain_funcs, self);
  self->disallowed_app_names = g_new0 (char *, 1);
  self->stats = detour_verdict_stats_new (admission_now_us (self));
  return self;
}

void
detour_admission_free (DetourAdmission *self)
{
  detour_mailbox_free (self->inbox);
  detour_auth_chain_free (self->chain);
  admission_close_instances (self->instances, NULL);
  g_ptr_array_unref (self->instances);
  g_strfreev (self->disallowed_app_names);
  detour_verdict_stats_free (self->stats);
  g_free (self);
}

/* Settings ------------------------------------------------------------------------------------- */

static DetourAuthInstance *
admission_find_instance (const DetourAdmission *self, const char *id)
{
  for (guint i = 0; i < self->instances->len; i++)
    if (g_str_equal (detour_auth_instance_id (self->instances->pdata[i]), id))
      return self->instances->pdata[i];
  return NULL;
}

/* Instances that stay keep what they know. */
static GPtrArray *
admission_make_instances (const DetourAdmission *self, const DetourAdmissionOptions *options)
{
  const char *const *names = options->chain;
  GPtrArray *instances = admission_instances_new ();

  for (; *names != NULL; names++)
    {
      g_autofree char *id = g_strconcat ("auth/", *names, NULL);
      DetourAuthInstance *instance;

      if (g_str_equal (*names, "open"))
        continue;
      instance = admission_find_instance (self, id);
      instance = instance != NULL ? detour_auth_instance_ref (instance)
                                  : detour_auth_instance_new (id, self->port, self->user);
      detour_auth_instance_set_negative_ttl (instance, options->negative_ttl_us);
      g_ptr_array_add (instances, instance);
    }
  return instances;
}

static GStrv
admission_read_app_names (const DetourAdmissionOptions *options)
{
  const char *const *names = options->disallow_app_names;
  g_autoptr (GPtrArray) kept = g_ptr_array_new ();
  gboolean has_empty = FALSE;

  for (; *names != NULL; names++)
    if (**names == '\0')
      has_empty = TRUE;
    else
      g_ptr_array_add (kept, g_strdup (*names));
  if (has_empty)
    g_warning ("[admission] disallow-app-names: an empty name is left out; it would mean every "
               "client without one");
  g_ptr_array_add (kept, NULL);
  return (GStrv) g_ptr_array_steal (kept, NULL);
}

void
detour_admission_apply (DetourAdmission *self, DetourSettings *settings)
{
  g_autoptr (GPtrArray) before = self->instances;
  DetourAdmissionOptions options;
  DetourAuthChainTerms terms;

  detour_settings_fill (settings, &options);
  terms = (DetourAuthChainTerms) { options.match == DETOUR_ADMISSION_ALL, options.timeout_us,
                                   options.grace_us };
  self->instances = admission_make_instances (self, &options);
  g_strfreev (self->disallowed_app_names);
  self->disallowed_app_names = admission_read_app_names (&options);
  self->dry_run = options.dry_run;
  self->recheck_us = options.recheck_us;
  detour_auth_chain_set (self->chain, self->instances, &terms);
  admission_close_instances (before, self->instances);
  /* A list of names to keep out needs a look at every client. */
  g_atomic_int_set (&self->is_open,
                    self->instances->len == 0 && self->disallowed_app_names[0] == NULL);
}

gboolean
detour_admission_is_open (const DetourAdmission *self)
{
  return g_atomic_int_get (&self->is_open);
}

gint64
detour_admission_recheck_us (const DetourAdmission *self)
{
  return self->recheck_us;
}

static void
admission_log_parts (gpointer data)
{
  const DetourAdmission *self = data;
  guint n = 0;

  for (guint i = 0; i < self->instances->len; i++)
    n += detour_auth_instance_takes_part (self->instances->pdata[i]) ? 1 : 0;
  for (guint i = 0; i < self->instances->len; i++)
    detour_auth_instance_log_part (self->instances->pdata[i], n);
}

static void
admission_ignore (gpointer data)
{
}

void
detour_admission_forget (DetourAdmission *self, const char *id)
{
  DetourAuthInstance *instance = admission_find_instance (self, id);

  if (instance == NULL)
    return;
  detour_auth_instance_forget (instance);
  detour_auth_chain_restart (self->chain);
  /* From the main loop, where an instance that only starts again is back. */
  detour_mailbox_post (self->inbox, admission_log_parts, self, admission_ignore);
}

/* Status --------------------------------------------------------------------------------------- */

const DetourAdmissionStats *
detour_admission_stats (const DetourAdmission *self)
{
  return detour_verdict_stats_counts (self->stats);
}

void
detour_admission_foreach_instance (DetourAdmission *self, DetourAuthInstanceFunc func,
                                   gpointer data)
{
  for (guint i = 0; i < self->instances->len; i++)
    {
      DetourAuthInstanceInfo info;

      detour_auth_instance_info (self->instances->pdata[i], &info);
      func (&info, data);
    }
}

guint
detour_admission_why (DetourAdmission *self, const DetourKey *key, DetourVerdictRecordFunc func,
                      gpointer data)
{
  return detour_verdict_stats_why (self->stats, key, func, data);
}
