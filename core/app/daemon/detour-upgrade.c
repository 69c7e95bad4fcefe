/* detour-upgrade.c: another program comes in the place of this one, with all its clients: at once
 * in this process or in another one, or later in one that the service manager starts.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-upgrade.h"

#include "detour-handing.h"
#include "detour-installed.h"
#include "detour-log.h"
#include "detour-notify.h"
#include "detour-rehearsal.h"

#include <gio/gio.h>
#include <unistd.h>

/* Those who are about to log in have so long to do it. */
#define SETTLE_US   (1 * G_USEC_PER_SEC)
#define SETTLE_STEP 5u /* milliseconds */

/* That the caller hears of it before its connection ends. */
#define ANSWER_US (50 * 1000)
/* The same when the process ends with it, and in a container all others. */
#define LAST_ANSWER_US (200 * 1000)

struct _DetourUpgrade {
  DetourUpgradeParts parts;

  /* Under way. */
  char *path;    /* of the program, or of its socket; NULL: nothing is under way */
  char *version; /* what it said; NULL: nothing yet */
  gboolean check;
  DetourControlUpgradeDone done; /* NULL: nobody waits, or it was told */
  gpointer done_data;
  DetourRehearsal *rehearsal; /* NULL: it is over */
  DetourHanding *handing;     /* NULL: the other program comes in this process */
  DetourServerPause counts;   /* as far as is known beforehand */
  guint timer;                /* no connections are taken; 0: not yet */
  gint64 settle_from_us, settle_until_us;
  gboolean is_settled, is_over;
  int leave_to;                         /* -1: the other program comes in this process */
  void (*leave_failed) (gpointer data); /* for one that comes in another process */
  gpointer leave_data;

  /* Of the last one. */
  guint64 n_attempts;
  char *from, *to, *problem;
  guint64 last_kept, last_links, last_lost;
  gint64 paused_us, real_us;

  DetourInstalled installed;
};

DetourUpgrade *
detour_upgrade_new (const DetourUpgradeParts *parts)
{
  DetourUpgrade *self = g_new0 (DetourUpgrade, 1);

  self->parts = *parts;
  self->leave_to = -1;
  return self;
}

/* Nobody is told twice. @problem: (nullable) */
static void
upgrade_answer (DetourUpgrade *self, const char *version, const char *problem)
{
  DetourControlUpgradeDone done = g_steal_pointer (&self->done);

  if (done != NULL)
    done (&(DetourControlUpgrade) { .from = DETOUR_VERSION,
                                    .to = version,
                                    .n_kept = self->counts.n_kept,
                                    .n_links = self->counts.n_links,
                                    .n_lost = self->counts.n_lost,
                                    .problem = problem },
          self->done_data);
}

void
detour_upgrade_free (DetourUpgrade *self)
{
  upgrade_answer (self, NULL, "the daemon stops");
  g_clear_pointer (&self->rehearsal, detour_rehearsal_free);
  g_clear_pointer (&self->handing, detour_handing_free);
  if (self->timer != 0)
    {
      g_source_remove (self->timer);
      detour_program_let_signals_in ();
      detour_server_accept_again (self->parts.server);
    }
  g_free (self->path);
  g_free (self->version);
  g_free (self->from);
  g_free (self->to);
  g_free (self->problem);
  detour_installed_clear (&self->installed);
  g_free (self);
}

/* All goes on as before. */
static void
upgrade_give_up (DetourUpgrade *self, const GError *error)
{
  if (!self->check)
    {
      detour_log_event (G_LOG_LEVEL_WARNING, "upgrade-failed",
                        "not upgraded, all goes on as before: %s", error->message);
      self->n_attempts++;
      g_free (self->problem);
      self->problem = g_strdup (error->message);
      self->real_us = g_get_real_time ();
    }
  g_clear_pointer (&self->path, g_free);
  upgrade_answer (self, NULL, error->message);
  g_clear_pointer (&self->handing, detour_handing_free); /* may be whose error it is */
}

/* The process ends without having handed anything over. */
static void
upgrade_stay (DetourUpgrade *self, const GError *error)
{
  g_warning ("clients cannot be kept over the restart: %s", error->message);
  self->leave_to = -1;
  self->leave_failed (self->leave_data);
}

/* Going over ----------------------------------------------------------------------------------- */

static gboolean
upgrade_write (DetourUpgrade *self, DetourServerPause *pause, DetourHandoverDraft *draft,
               GError **error)
{
  DetourHandoverAbout about = *self->parts.about;

  if (!detour_server_write_down (self->parts.server, pause, draft, error))
    return FALSE;
  self->parts.write_rest (self->parts.user, detour_handover_draft_record (draft));
  about.paused_us = pause->since_us;
  about.n_kept = pause->n_kept;
  about.n_lost = pause->n_lost;
  about.n_unfinished = pause->n_unfinished;
  about.n_upgrades++;
  about.n_attempts = self->n_attempts + 1;
  about.n_connections = detour_handshake_pool_n_accepted (detour_server_pool (self->parts.server));
  detour_handover_draft_about (draft, &about);
  return detour_handover_draft_seal (draft, error);
}

/* All that needs no pause. */
static DetourHandoverDraft *
upgrade_write_memories (DetourUpgrade *self, GError **error)
{
  g_autoptr (DetourHandoverDraft) draft = detour_handover_draft_new (error);

  if (draft == NULL)
    return NULL;
  detour_log_flush ();
  self->parts.write_down (self->parts.user, detour_handover_draft_record (draft));
  return detour_handover_draft_commit (draft, error) ? g_steal_pointer (&draft) : NULL;
}

/* Returns only when there is no other program. */
static void
upgrade_exec (DetourUpgrade *self, DetourHandoverDraft *draft, GError **error)
{
  detour_handover_draft_pass (draft, TRUE);
  detour_program_exec (self->parts.program, self->path, detour_handover_draft_fd (draft), error);
  detour_handover_draft_pass (draft, FALSE);
}

/* Once the record is out of this process, no byte more may leave it: what would be said to clients
 * at the end of a program is for the next one to say. Returns only when nothing was sent. */
static void
upgrade_exit (DetourUpgrade *self, const DetourHandoverDraft *draft, GError **error)
{
  if (detour_handover_draft_send (draft, self->leave_to, error))
    _exit (0);
}

/* A drain stays with the program that does it. */
static gboolean
upgrade_may_hand_over (DetourUpgrade *self, GError **error)
{
  if (detour_server_draining (self->parts.server) == NULL)
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "the relay is being drained");
  return FALSE;
}

/* The same of a program that waits for it, and is at work when this one knows. */
static void
upgrade_hand_over (DetourUpgrade *self, const DetourServerPause *pause,
                   const DetourHandoverDraft *draft, GError **error)
{
  gboolean has_given;

  if (!upgrade_may_hand_over (self, error))
    return;
  self->parts.wait (self->parts.user, DETOUR_HANDING_GIVE_US);
  has_given = detour_handing_give (self->handing, draft, error);
  self->parts.wait (self->parts.user, 0);
  if (!has_given)
    return;
  self->counts = *pause;
  detour_notify_stopping ();
  detour_log_event (G_LOG_LEVEL_MESSAGE, "stopping",
                    "stopping: the program that waited at %s goes on with %u clients", self->path,
                    pause->n_kept);
  detour_log_flush ();
  upgrade_answer (self, self->version, NULL);
  g_usleep (LAST_ANSWER_US);
  _exit (0);
}

/* Returns only when nobody took over. The record is closed before anything is sealed here again. */
static void
upgrade_go (DetourUpgrade *self, GError **error)
{
  DetourHandoverDraft *draft = upgrade_write_memories (self, error);
  gboolean leaves = self->leave_to >= 0;
  DetourServerPause pause = { .same_process = !leaves && self->handing == NULL };

  if (draft == NULL)
    return;
  detour_notify_watchdog ();
  if (leaves)
    detour_notify_stopping ();
  else
    detour_notify_reloading ();
  detour_admission_close_store (detour_server_admission (self->parts.server));
  detour_server_pause (self->parts.server, &pause);
  /* What clients sent up to now is in the accounts, and will be nowhere else. A daemon that is to
   * stop does so in any case. */
  if ((detour_server_flush (self->parts.server, leaves ? NULL : error) || leaves)
      && upgrade_write (self, &pause, draft, error))
    {
      if (leaves)
        upgrade_exit (self, draft, error);
      else if (self->handing != NULL)
        upgrade_hand_over (self, &pause, draft, error);
      else
        upgrade_exec (self, draft, error);
    }
  detour_handover_draft_free (draft);
  detour_server_resume (self->parts.server, &pause);
  detour_server_open_verdicts (self->parts.server, self->parts.state, self->parts.key);
  if (!leaves)
    detour_notify_ready ();
}

static gboolean
upgrade_on_settle (gpointer data)
{
  DetourUpgrade *self = data;
  DetourHandshakePool *pool = detour_server_pool (self->parts.server);
  gint64 now_us = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;

  if (self->is_over || now_us < self->settle_from_us
      || (now_us < self->settle_until_us && detour_handshake_pool_n_half_open (pool) > 0))
    return G_SOURCE_CONTINUE;
  detour_program_hold_signals ();
  /* Those that came before are heard first. */
  if (!self->is_settled)
    {
      self->is_settled = TRUE;
      return G_SOURCE_CONTINUE;
    }
  self->timer = 0;
  upgrade_go (self, &error);
  detour_program_let_signals_in ();
  detour_server_accept_again (self->parts.server);
  if (self->leave_to >= 0)
    upgrade_stay (self, error);
  else
    upgrade_give_up (self, error);
  return G_SOURCE_REMOVE;
}

static void
upgrade_settle (DetourUpgrade *self)
{
  detour_server_hold_off (self->parts.server);
  self->settle_from_us = g_get_monotonic_time () + ANSWER_US;
  self->settle_until_us = self->settle_from_us + SETTLE_US;
  self->is_settled = FALSE;
  self->timer = g_timeout_add (SETTLE_STEP, upgrade_on_settle, self);
}

void
detour_upgrade_leave (DetourUpgrade *self, int socket, void (*failed) (gpointer data),
                      gpointer data)
{
  upgrade_answer (self, NULL, "the daemon stops");
  g_clear_pointer (&self->rehearsal, detour_rehearsal_free);
  g_clear_pointer (&self->handing, detour_handing_free);
  self->leave_to = socket;
  self->leave_failed = failed;
  self->leave_data = data;
  detour_log_event (G_LOG_LEVEL_MESSAGE, "stopping",
                    "stopping: clients are kept for a program that starts in place of this one");
  if (self->timer == 0)
    upgrade_settle (self);
}

void
detour_upgrade_end (DetourUpgrade *self)
{
  self->is_over = TRUE;
}

/* Before --------------------------------------------------------------------------------------- */

static void
upgrade_judge (DetourUpgrade *self, const char *version, const GError *problem)
{
  if (problem != NULL)
    {
      upgrade_give_up (self, problem);
      return;
    }
  if (self->check || self->handing == NULL)
    upgrade_answer (self, version, NULL);
  if (self->check)
    {
      g_clear_pointer (&self->path, g_free);
      g_clear_pointer (&self->handing, detour_handing_free);
      return;
    }
  g_free (self->version);
  self->version = g_strdup (version);
  detour_log_event (G_LOG_LEVEL_MESSAGE, "upgrading", "upgrading from %s to %s, which %s %s",
                    DETOUR_VERSION, version, self->handing != NULL ? "waits at" : "is", self->path);
  upgrade_settle (self);
}

static void
upgrade_on_rehearsed (const char *version, const GError *problem, gpointer user)
{
  DetourUpgrade *self = user;
  DetourRehearsal *rehearsal = g_steal_pointer (&self->rehearsal); /* has the texts */

  upgrade_judge (self, version, problem);
  detour_rehearsal_free (rehearsal);
}

/* The other one waits on. */
static void
upgrade_on_answered (const char *version, const GError *problem, gpointer user)
{
  upgrade_judge (user, version, problem);
}

static void
upgrade_write_instances (const DetourUpgrade *self, DetourRecord *out)
{
  for (guint i = 0; i < detour_roster_count (self->parts.roster); i++)
    {
      const DetourInstance *instance = detour_roster_nth (self->parts.roster, i);

      if (detour_instance_state (instance) == DETOUR_INSTANCE_RUNNING)
        detour_record_put_text (out, DETOUR_HANDOVER_INSTANCE, detour_instance_id (instance));
    }
}

/* NULL with @error. */
static DetourHandoverDraft *
upgrade_write_samples (DetourUpgrade *self, GError **error)
{
  g_autoptr (DetourHandoverDraft) draft = detour_handover_draft_new (error);

  if (draft == NULL)
    return NULL;
  upgrade_write_instances (self, detour_handover_draft_record (draft));
  detour_server_write_samples (self->parts.server, draft, &self->counts);
  detour_handover_draft_about (draft, self->parts.about);
  return detour_handover_draft_seal (draft, error) ? g_steal_pointer (&draft) : NULL;
}

void
detour_upgrade_begin (DetourUpgrade *self, const char *binary, const char *socket, gboolean check,
                      DetourControlUpgradeDone done, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourHandoverDraft) samples = NULL;

  if (self->path != NULL || self->leave_to >= 0)
    {
      if (done != NULL)
        done (&(DetourControlUpgrade) { .problem = self->leave_to >= 0
                                                     ? "the daemon is about to stop"
                                                     : "an upgrade is under way already" },
              data);
      return;
    }
  if (socket != NULL)
    self->path = g_strdup (socket);
  else
    self->path = g_strdup (binary != NULL && *binary != '\0' ? binary : self->parts.program->path);
  self->check = check;
  self->done = done;
  self->done_data = data;
  if (self->parts.program->is_passing)
    error = g_error_new (G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                         "a relay that was started with --dev is never upgraded; start one "
                         "with a configuration file");
  else if (detour_server_flush (self->parts.server, &error)
           && (socket == NULL || upgrade_may_hand_over (self, &error)))
    samples = upgrade_write_samples (self, &error);
  if (samples == NULL)
    upgrade_give_up (self, error);
  else if (socket != NULL)
    self->handing = detour_handing_new (socket, samples, detour_server_key_public (self->parts.key),
                                        upgrade_on_answered, self);
  else
    self->rehearsal = detour_rehearsal_new (self->parts.program, self->path, samples,
                                            upgrade_on_rehearsed, self);
}

/* The last one --------------------------------------------------------------------------------- */

void
detour_upgrade_read_last (DetourUpgrade *self, DetourControlUpgrade *out)
{
  *out = (DetourControlUpgrade) {
    .n_attempts = self->n_attempts,
    .from = self->from,
    .to = self->to,
    .n_kept = self->last_kept,
    .n_links = self->last_links,
    .n_lost = self->last_lost,
    .paused_us = self->paused_us,
    .real_us = self->real_us,
    .problem = self->problem,
    .installed = detour_installed_version (&self->installed, self->parts.program->path),
  };
}

void
detour_upgrade_note_takeover (DetourUpgrade *self, const DetourHandoverAbout *before,
                              const DetourTakeover *result)
{
  self->n_attempts = before->n_attempts;
  self->from = g_strdup (before->version);
  self->to = g_strdup (DETOUR_VERSION);
  self->last_kept = result->n_kept;
  self->last_links = result->n_links;
  self->last_lost = result->n_lost;
  self->paused_us = result->paused_us;
  self->real_us = g_get_real_time ();
}
