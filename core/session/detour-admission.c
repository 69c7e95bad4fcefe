/* detour-admission.c: who may use the relay: the chain of auth instances and what core adds to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-admission.h"

#include "detour-auth-chain.h"
#include "detour-mailbox.h"
#include "detour-schema.h"

/* Those who decide about clients of one tenant, or of none. */
typedef struct {
  DetourAdmission *admission;
  GPtrArray *instances; /* of DetourAuthInstance, in the order of the chain */
  DetourAuthChain *chain;
} Panel;

struct _DetourAdmission {
  const DetourAuthPort *port;
  gpointer user;
  gboolean is_open; /* atomic */

  DetourMailbox *inbox; /* of Inbound */

  /* Main thread, all that follows. */
  GPtrArray *instances; /* of DetourAuthInstance: of all panels */
  Panel *common;        /* of clients without tenant, and of tenants without a chain */
  GHashTable *panels;   /* name of a tenant to its Panel, or NULL for `common` */
  gboolean is_applied;  /* there are settings */
  gboolean lets_all_in; /* every chain is open */
  gboolean dry_run;
  gint64 recheck_us;
  GStrv disallowed_app_names;
  gint64 kept_us;            /* how long what outlasts a restart counts; 0: nothing does */
  DetourVerdictStore *store; /* NULL: none */
  DetourBans *bans;          /* NULL: none */
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

/* NULL: there is no such tenant. */
static Panel *
admission_find_panel (const DetourAdmission *self, const char *tenant)
{
  gpointer own = NULL;

  if (tenant == NULL)
    return self->common;
  if (!g_hash_table_lookup_extended (self->panels, tenant, NULL, &own))
    return NULL;
  return own != NULL ? own : self->common;
}

/* For the chain -------------------------------------------------------------------------------- */

/* The operator's own word: it holds in a dry run, too. */
#define BANS "bans"

/* NULL: no ban concerns it. */
static DetourVerdict *
admission_refuse_banned (const DetourAdmission *self, const DetourAuthRequest *request)
{
  const DetourBan *ban = self->bans != NULL ? detour_bans_refuse (self->bans, request) : NULL;
  g_autofree char *reason = ban != NULL ? detour_ban_describe (ban) : NULL;
  const DetourVerdict fields = { .result = DETOUR_AUTH_DENY, .instance = BANS, .reason = reason };

  return ban != NULL ? detour_verdict_new (&fields) : NULL;
}

static DetourVerdict *
admission_precheck (gpointer user, const DetourAuthRequest *request)
{
  static const DetourVerdict moved = { .result = DETOUR_AUTH_UNAVAILABLE,
                                       .instance = "admission",
                                       .reason = "its tenant has another chain now" };
  static const DetourVerdict not_allowed = { .result = DETOUR_AUTH_DENY,
                                             .instance = "admission",
                                             .reason = "its application name is not allowed" };
  const Panel *panel = user;
  const DetourAdmission *self = panel->admission;
  DetourVerdict *banned = admission_refuse_banned (self, request);

  if (banned != NULL)
    return banned;
  if (admission_find_panel (self, request->tenant) != panel)
    return detour_verdict_new (&moved);
  return g_strv_contains ((const char *const *) self->disallowed_app_names, request->app_name)
           ? detour_verdict_new (&not_allowed)
           : NULL;
}

static DetourVerdict *
admission_conclude (gpointer user, const DetourAuthRequest *request, DetourVerdict *verdict,
                    guint n)
{
  DetourAdmission *self = ((const Panel *) user)->admission;
  gboolean dry_run = self->dry_run && strcmp (verdict->instance, BANS) != 0;

  return detour_verdict_stats_note (self->stats, request, verdict, n, dry_run,
                                    admission_now_us (self));
}

static const DetourAuthChainFuncs chain_funcs = { admission_precheck, admission_conclude };

/* Panels --------------------------------------------------------------------------------------- */

static GPtrArray *
admission_instances_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) detour_auth_instance_unref);
}

static Panel *
admission_panel_new (DetourAdmission *self)
{
  Panel *panel = g_new (Panel, 1);

  panel->admission = self;
  panel->instances = admission_instances_new ();
  panel->chain = detour_auth_chain_new (self->port, self->user, &chain_funcs, panel);
  return panel;
}

static void
admission_panel_free (gpointer data)
{
  Panel *panel = data;

  if (panel == NULL)
    return;
  detour_auth_chain_free (panel->chain);
  g_ptr_array_unref (panel->instances);
  g_free (panel);
}

static void
admission_each_chain (DetourAdmission *self, void (*func) (DetourAuthChain *chain))
{
  GHashTableIter iter;
  gpointer panel;

  func (self->common->chain);
  g_hash_table_iter_init (&iter, self->panels);
  while (g_hash_table_iter_next (&iter, NULL, &panel))
    if (panel != NULL)
      func (((Panel *) panel)->chain);
}

/* Requests ------------------------------------------------------------------------------------- */

static void
admission_on_request (gpointer data)
{
  static const DetourVerdict departed = { .result = DETOUR_AUTH_UNAVAILABLE,
                                          .instance = "admission",
                                          .reason = "its tenant is not there any more" };
  g_autoptr (Inbound) inbound = data;
  DetourAdmission *self = inbound->admission;
  const Panel *panel = admission_find_panel (self, inbound->request->tenant);
  gboolean is_shared;

  /* Whoever asked chooses the tenant anew. */
  if (panel == NULL)
    {
      g_autoptr (DetourVerdict) verdict = detour_verdict_new (&departed);

      inbound->done (verdict, inbound->data);
      return;
    }

  if (!inbound->is_recheck)
    detour_verdict_stats_ask (self->stats);
  is_shared = detour_auth_chain_ask (panel->chain, inbound->request, inbound->is_recheck,
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
  admission_each_chain (self, detour_auth_chain_tick);
}

/* Life ----------------------------------------------------------------------------------------- */

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
  self->common = admission_panel_new (self);
  self->panels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, admission_panel_free);
  self->disallowed_app_names = g_new0 (char *, 1);
  self->stats = detour_verdict_stats_new (admission_now_us (self));
  return self;
}

void
detour_admission_free (DetourAdmission *self)
{
  detour_mailbox_free (self->inbox);
  g_hash_table_unref (self->panels);
  admission_panel_free (self->common);
  admission_close_instances (self->instances, NULL);
  g_ptr_array_unref (self->instances);
  g_strfreev (self->disallowed_app_names);
  detour_verdict_stats_free (self->stats);
  g_free (self);
}

/* Settings ------------------------------------------------------------------------------------- */

static DetourAuthInstance *
admission_find_instance (GPtrArray *instances, const char *id)
{
  for (guint i = 0; i < instances->len; i++)
    if (g_str_equal (detour_auth_instance_id (instances->pdata[i]), id))
      return instances->pdata[i];
  return NULL;
}

/* The same one for all panels; one that was there before keeps what it knows. Borrowed.
 * @before: all of them until now */
static DetourAuthInstance *
admission_take_instance (DetourAdmission *self, GPtrArray *before, const char *id,
                         gint64 negative_ttl_us)
{
  DetourAuthInstance *instance = admission_find_instance (self->instances, id);

  if (instance != NULL)
    return instance;
  instance = admission_find_instance (before, id);
  if (instance != NULL)
    detour_auth_instance_ref (instance);
  else
    {
      instance = detour_auth_instance_new (id, self->port, self->user);
      detour_auth_instance_set_store (instance, self->store);
    }
  detour_auth_instance_set_negative_ttl (instance, negative_ttl_us);
  g_ptr_array_add (self->instances, instance);
  return instance;
}

static GPtrArray *
admission_make_instances (DetourAdmission *self, GPtrArray *before, const char *const *names,
                          gint64 negative_ttl_us)
{
  GPtrArray *instances = admission_instances_new ();

  for (; *names != NULL; names++)
    {
      g_autofree char *id = g_strconcat ("auth/", *names, NULL);

      if (g_str_equal (*names, "open"))
        continue;
      g_ptr_array_add (instances, detour_auth_instance_ref (
                                      admission_take_instance (self, before, id, negative_ttl_us)));
    }
  return instances;
}

/* The instances are set in a second step, when all panels have theirs: a walk that begins anew may
 * end, and call anyone. */
typedef struct {
  Panel *panel;
  DetourAuthChainTerms terms;
} Start;

static void
admission_prepare_panel (DetourAdmission *self, Panel *panel, GPtrArray *before,
                         const char *const *names, const DetourAdmissionOptions *options,
                         guint match, GArray *starts)
{
  Start start = { panel,
                  { match == DETOUR_ADMISSION_ALL, options->timeout_us, options->grace_us } };

  g_clear_pointer (&panel->instances, g_ptr_array_unref);
  panel->instances = admission_make_instances (self, before, names, options->negative_ttl_us);
  g_array_append_val (starts, start);
}

/* Panels of tenants that stay keep their chains, with those who wait. */
static void
admission_prepare_tenants (DetourAdmission *self, const GPtrArray *tenants, GPtrArray *before,
                           const DetourAdmissionOptions *options, GArray *starts)
{
  g_autoptr (GHashTable) old = g_steal_pointer (&self->panels);

  self->panels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, admission_panel_free);
  for (guint i = 0; tenants != NULL && i < tenants->len; i++)
    {
      const DetourTenantGroup *group = tenants->pdata[i];
      gboolean has_match = detour_settings_is_written (group->settings, "match");
      gpointer name = NULL, panel = NULL;

      if (group->options.chain[0] != NULL || has_match)
        {
          if (g_hash_table_steal_extended (old, group->name, &name, &panel))
            g_free (name);
          if (panel == NULL)
            panel = admission_panel_new (self);
          admission_prepare_panel (
              self, panel, before,
              group->options.chain[0] != NULL ? group->options.chain : options->chain, options,
              has_match ? group->options.match : options->match, starts);
        }
      g_hash_table_insert (self->panels, g_strdup (group->name), panel);
    }
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

/* Bans and a list of names to keep out need a look at every client. */
static void
admission_settle_open (DetourAdmission *self)
{
  g_atomic_int_set (&self->is_open,
                    self->is_applied && self->lets_all_in && self->disallowed_app_names[0] == NULL
                        && (self->bans == NULL || detour_bans_count (self->bans) == 0));
}

/* Store ---------------------------------------------------------------------------------------- */

static void
admission_collect (gpointer user, DetourVerdictDraft *draft)
{
  const DetourAdmission *self = user;

  for (guint i = 0; i < self->instances->len; i++)
    detour_auth_instance_collect (self->instances->pdata[i], draft);
}

static gint64
admission_store_now_us (gpointer user)
{
  return admission_now_us (user);
}

static gint64
admission_store_real_us (gpointer user)
{
  const DetourAdmission *self = user;

  return self->port->real_us != NULL ? self->port->real_us (self->user) : g_get_real_time ();
}

static const DetourVerdictStorePort store_port = { admission_collect, admission_store_now_us,
                                                   admission_store_real_us };

/* Without an instance there is nobody who could be unable to say. */
static gint64
admission_kept_us (const DetourAdmission *self)
{
  return self->instances->len > 0 ? self->kept_us : 0;
}

static void
admission_settle_store (DetourAdmission *self)
{
  if (self->store != NULL)
    detour_verdict_store_set_grace (self->store, admission_kept_us (self));
}

static void
admission_hand_store (DetourAdmission *self, DetourVerdictStore *store)
{
  for (guint i = 0; i < self->instances->len; i++)
    detour_auth_instance_set_store (self->instances->pdata[i], store);
}

void
detour_admission_open_store (DetourAdmission *self, const char *path, const guint8 *private_key)
{
  g_assert (self->is_applied && self->store == NULL);
  self->store = detour_verdict_store_new (path, private_key, admission_kept_us (self), &store_port,
                                          self);
  admission_hand_store (self, self->store);
  detour_verdict_store_settle (self->store);
}

void
detour_admission_close_store (DetourAdmission *self)
{
  g_clear_pointer (&self->store, detour_verdict_store_free);
  admission_hand_store (self, NULL);
}

/* ---------------------------------------------------------------------------------------------- */

void
detour_admission_apply (DetourAdmission *self, DetourSettings *settings, const GPtrArray *tenants)
{
  g_autoptr (GPtrArray) before = self->instances;
  g_autoptr (GArray) starts = g_array_new (FALSE, FALSE, sizeof (Start));
  DetourAdmissionOptions options;
  gboolean is_open = TRUE;

  detour_settings_fill (settings, &options);
  self->instances = admission_instances_new ();
  admission_prepare_panel (self, self->common, before, options.chain, &options, options.match,
                           starts);
  g_strfreev (self->disallowed_app_names);
  self->disallowed_app_names = admission_read_app_names (&options);
  self->dry_run = options.dry_run;
  self->is_applied = TRUE;
  self->recheck_us = options.recheck_us;
  self->kept_us = options.keep_grace ? options.grace_us : 0;
  admission_prepare_tenants (self, tenants, before, &options, starts);
  for (guint i = 0; i < starts->len; i++)
    {
      const Start *start = &g_array_index (starts, Start, i);

      is_open &= start->panel->instances->len == 0;
      detour_auth_chain_set (start->panel->chain, start->panel->instances, &start->terms);
    }
  admission_close_instances (before, self->instances);
  self->lets_all_in = is_open;
  admission_settle_open (self);
  admission_settle_store (self);
}

void
detour_admission_set_bans (DetourAdmission *self, DetourBans *bans)
{
  self->bans = bans;
}

void
detour_admission_bans_changed (DetourAdmission *self)
{
  admission_settle_open (self);
  admission_each_chain (self, detour_auth_chain_restart);
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

void
detour_admission_forget (DetourAdmission *self, const char *id)
{
  DetourAuthInstance *instance = admission_find_instance (self->instances, id);

  if (instance == NULL)
    return;
  detour_auth_instance_forget (instance);
  admission_each_chain (self, detour_auth_chain_restart);
  /* From the main loop, where an instance that only starts again is back. */
  detour_mailbox_post (self->inbox, admission_log_parts, self, NULL);
}

void
detour_admission_revoke (DetourAdmission *self, const char *id, const DetourKey *key)
{
  for (guint i = 0; i < self->instances->len; i++)
    if (id == NULL || g_str_equal (detour_auth_instance_id (self->instances->pdata[i]), id))
      detour_auth_instance_revoke (self->instances->pdata[i], key);
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
