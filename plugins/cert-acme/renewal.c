/* renewal.c: the certificate of one instance: published, ordered, kept and renewed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-private.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "renewal-files.h"

#define PROGRAM "detour-acme"

/* Until the daemon is ready, and while another instance orders. */
#define SOON_US  (250 * G_TIME_SPAN_MILLISECOND)
#define QUEUE_US (1 * G_USEC_PER_SEC)
/* The clock may be set at any time, and what could not be written is tried again. */
#define LOOK_MOST_US (60 * G_USEC_PER_SEC)
/* A relay that cannot remember its tries makes none right after its start, so that one that is
 * started again and again does not spend the limits of the authority. */
#define UNKEPT_WAIT_US (10 * G_USEC_PER_SEC)

static gboolean renewal_on_timer (gpointer data);

static void
renewal_arm (Renewal *self, gint64 after_us)
{
  if (self->timer != 0)
    detour_host_remove_timer (self->host, self->timer);
  self->timer = detour_host_add_timer (
      self->host, CLAMP (after_us, G_TIME_SPAN_MILLISECOND, LOOK_MOST_US), renewal_on_timer, self);
}

/* Orders of all instances, and of all daemons with this state directory, go one after the other:
 * one name has only one answer to a tls-alpn-01 challenge. ------------------------------------- */

/* FALSE: another one has it. Where there is no such file, nobody can wait for it. */
static gboolean
renewal_lock (Renewal *self)
{
  g_autofree char *path = renewal_files_lock_path (self->host);

  /* Before the first order there is no folder for it. */
  renewal_files_make_folder (self->host, NULL);
  self->lock = open (path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (self->lock < 0 || flock (self->lock, LOCK_EX | LOCK_NB) == 0)
    return TRUE;
  close (self->lock);
  self->lock = -1;
  return FALSE;
}

static void
renewal_unlock (Renewal *self)
{
  if (self->lock >= 0)
    close (self->lock);
  self->lock = -1;
}

/* @requests: of operators, who hear what became of them. @why: (nullable). */
static void
renewal_answer_all (GPtrArray *requests, const char *why)
{
  g_autoptr (GError) error = why != NULL ? g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, why)
                                         : NULL;

  while (requests->len > 0)
    detour_cert_renewal_answer (g_ptr_array_steal_index (requests, 0), error);
}

/* An operator who asked for a new certificate hears of it. */
static void
renewal_answer_operator (Renewal *self, const char *why)
{
  self->is_forced = FALSE;
  renewal_answer_all (self->requests, why);
}

/* The outcome -------------------------------------------------------------------------------------
 */

/* For people: which name it was about, and what the authority said. */
static char *
renewal_fault_text (const RenewalFault *fault)
{
  return g_strdup_printf ("%s%s%s%s%s", fault->name != NULL ? fault->name : "",
                          fault->name != NULL && fault->challenge != NULL ? ", " : "",
                          fault->challenge != NULL ? fault->challenge : "",
                          fault->name != NULL || fault->challenge != NULL ? ": " : "",
                          fault->detail);
}

static void
renewal_order_failed (Renewal *self, const RenewalFault *fault)
{
  gint64 now = renewal_now ();
  g_autofree char *text = renewal_fault_text (fault);

  renewal_schedule_try_failed (&self->state.schedule, fault->retry_after_s, now);
  renewal_state_set_error (&self->state, text, fault->remedy, now);
  if (strcmp (fault->step, "challenge") == 0 || strcmp (fault->step, "authorization") == 0)
    self->state.rotation++;
  detour_counter_add (self->n_failed, 1);
  renewal_report_failed (self, fault);
  renewal_answer_operator (self, text);
}

static void
renewal_order_succeeded (Renewal *self)
{
  renewal_schedule_try_succeeded (&self->state.schedule, renewal_now ());
  renewal_state_set_error (&self->state, NULL, NULL, 0);
  detour_counter_add (self->n_issued, 1);
  self->warned_us = 0;
  renewal_report_issued (self);
  renewal_answer_operator (self, NULL);
}

/* Whoever wanted a look while the program ran would get an answer that was given before. */
static void
renewal_want_look (Renewal *self)
{
  if (self->is_look_wanted)
    self->state.schedule.look = 0;
  self->is_look_wanted = FALSE;
}

void
renewal_order_over (Renewal *self, const RenewalFault *fault)
{
  const RenewalFault nothing = {
    .step = (char *) "download",
    .type = (char *) "helper",
    .detail = (char *) "the program that talks to the authority brought no certificate",
  };

  renewal_unlock (self);
  /* A certificate that is served is one, whatever came behind it. */
  if (self->is_issued)
    renewal_order_succeeded (self);
  else
    renewal_order_failed (self, fault != NULL ? fault : &nothing);
  renewal_want_look (self);
  renewal_keep_state (self);
  renewal_report (self);
  renewal_arm (self, SOON_US);
}

void
renewal_window_over (Renewal *self, const RenewalFault *fault)
{
  RenewalSchedule *schedule = &self->state.schedule;

  if (fault != NULL)
    {
      gboolean passes = strcmp (fault->type, "timeout") == 0 || fault->status >= 500;

      g_info ("%s: the authority does not say when to renew: %s", detour_host_instance (self->host),
              fault->detail);
      renewal_schedule_window_failed (schedule, !passes, renewal_now ());
    }
  else if (schedule->look <= renewal_now ())
    renewal_schedule_window_failed (schedule, TRUE, renewal_now ());
  renewal_want_look (self);
  renewal_keep_state (self);
  renewal_report (self);
  renewal_arm (self, SOON_US);
}

/* The authority will not have it; a limit of its rate is no refusal. */
static gboolean
renewal_is_refusal (const RenewalFault *fault)
{
  return fault != NULL && fault->status >= 400 && fault->status < 500 && fault->status != 429;
}

/* The key that was offered stays known until it is certain that the account has the old one, which
 * an answer of the authority says. */
void
renewal_rollover_over (Renewal *self, const RenewalFault *fault)
{
  g_autofree char *text = fault != NULL ? renewal_fault_text (fault) : NULL;
  g_autoptr (GError) error = NULL;

  renewal_unlock (self);
  if (renewal_is_refusal (fault) && self->account.next_key != NULL
      && !renewal_account_set_next (&self->account, self->host, &self->options, NULL, &error))
    g_info ("%s: %s", detour_host_instance (self->host), error->message);
  self->roll_again = renewal_now () + LOOK_MOST_US / G_USEC_PER_SEC;
  renewal_report_rollover (self, text);
  renewal_answer_all (self->rollovers, text);
  renewal_report (self);
  renewal_arm (self, SOON_US);
}

/* What is due -------------------------------------------------------------------------------------
 */

/* Nothing was asked of the authority yet, so this is no try, and is looked at again soon. */
static void
renewal_cannot_order (Renewal *self, const char *why)
{
  self->look_again = renewal_now () + LOOK_MOST_US / 4 / G_USEC_PER_SEC;
  if (g_strcmp0 (self->state.error, why) != 0)
    {
      renewal_state_set_error (&self->state, why, NULL, renewal_now ());
      renewal_report_hindered (self);
    }
  renewal_answer_operator (self, why);
  renewal_report (self);
  renewal_arm (self, LOOK_MOST_US / 4);
}

static void
renewal_begin_order (Renewal *self)
{
  RenewalSchedule before = self->state.schedule;
  g_autofree char *why = NULL;
  g_autoptr (GPtrArray) challenges = renewal_ask_challenges (self, &why);
  g_autoptr (GError) error = NULL;

  if (challenges == NULL)
    {
      renewal_cannot_order (self, why);
      return;
    }
  if (!renewal_lock (self))
    {
      renewal_arm (self, QUEUE_US);
      return;
    }
  self->look_again = 0;
  renewal_schedule_begin_try (&self->state.schedule, renewal_now (), g_random_int ());
  if (!renewal_keep_state (self) && !self->is_forced
      && g_get_monotonic_time () - self->started_us < UNKEPT_WAIT_US)
    {
      self->state.schedule = before;
      renewal_unlock (self);
      renewal_report (self);
      renewal_arm (self, QUEUE_US);
      return;
    }
  if (!renewal_ask_order (self, challenges, &error))
    {
      self->state.schedule = before;
      renewal_unlock (self);
      renewal_cannot_order (self, error->message);
      return;
    }
  renewal_report (self);
  renewal_arm (self, LOOK_MOST_US);
}

static void
renewal_begin_rollover (Renewal *self)
{
  g_autoptr (GError) error = NULL;

  if (!renewal_lock (self))
    {
      renewal_arm (self, QUEUE_US);
      return;
    }
  if (renewal_ask_rollover (self, &error))
    {
      renewal_arm (self, LOOK_MOST_US);
      return;
    }
  renewal_unlock (self);
  self->roll_again = renewal_now () + LOOK_MOST_US / G_USEC_PER_SEC;
  renewal_answer_all (self->rollovers, error->message);
  renewal_arm (self, SOON_US);
}

static void
renewal_begin_look (Renewal *self)
{
  g_autoptr (GError) error = NULL;

  if (!renewal_ask_window (self, &error))
    {
      g_info ("%s: %s", detour_host_instance (self->host), error->message);
      renewal_schedule_window_failed (&self->state.schedule, TRUE, renewal_now ());
    }
  renewal_arm (self, LOOK_MOST_US);
}

static void
renewal_step (Renewal *self)
{
  RenewalSchedule *schedule = &self->state.schedule;
  gint64 now = renewal_now ();
  gint64 due, look;

  renewal_schedule_follow_clock (schedule, now);
  renewal_keep_again (self);
  self->was_ready = self->was_ready || detour_host_is_ready (self->host);
  if (!self->was_ready || self->activity != RENEWAL_IDLE)
    {
      renewal_report (self);
      renewal_arm (self, self->was_ready ? LOOK_MOST_US : SOON_US);
      return;
    }
  if (self->rollovers->len > 0 || (self->account.next_key != NULL && self->roll_again <= now))
    {
      renewal_begin_rollover (self);
      return;
    }
  due = self->is_forced ? now : renewal_schedule_due (schedule, now, NULL);
  look = renewal_ask_knows (self) ? schedule->look : G_MAXINT64;
  if (due <= now)
    renewal_begin_order (self);
  else if (look <= now)
    renewal_begin_look (self);
  else
    {
      renewal_report (self);
      renewal_arm (self,
                   (MIN (MIN (due, look) - now, LOOK_MOST_US / G_USEC_PER_SEC)) * G_USEC_PER_SEC);
    }
}

static gboolean
renewal_on_timer (gpointer data)
{
  Renewal *self = data;

  self->timer = 0;
  renewal_step (self);
  return G_SOURCE_REMOVE;
}

/* Beginning and end -------------------------------------------------------------------------------
 */

/* The program lies where it does from this module: in a build tree beside it, else where it was
 * installed. */
static char *
renewal_find_program (const RenewalOptions *options)
{
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  Dl_info info;

  if (options->program != NULL)
    return g_strdup (options->program);
  if (dladdr ((gconstpointer) renewal_new, &info) == 0 || info.dli_fname == NULL)
    return g_strdup (PROGRAM);
  folder = g_path_get_dirname (info.dli_fname);
  path = g_build_filename (folder, "cert-acme", "client", PROGRAM, NULL);
  if (!g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    {
      g_free (path);
      path = g_build_filename (folder, DETOUR_LIBEXEC_FROM_PLUGINDIR, PROGRAM, NULL);
    }
  return g_canonicalize_filename (path, NULL);
}

Renewal *
renewal_new (DetourHost *host, DetourSettings *settings, GError **error)
{
  Renewal *self = g_new0 (Renewal, 1);

  self->host = host;
  self->lock = -1;
  self->requests = g_ptr_array_new ();
  self->rollovers = g_ptr_array_new ();
  if (!renewal_options_init (&self->options, settings, detour_host_hostname (host), error))
    {
      renewal_free (self);
      return NULL;
    }
  self->program = renewal_find_program (&self->options);
  self->started_us = g_get_monotonic_time ();
  self->n_issued = detour_host_counter (host, "issued", "certificates that were issued");
  self->n_failed = detour_host_counter (host, "failed", "orders that failed");
  renewal_keep_load (self);
  /* What is wrong with it is said when it is needed. */
  renewal_account_load (&self->account, self->host, &self->options, NULL);
  if (self->cert == NULL)
    detour_host_expect_certs (host);
  renewal_report (self);
  renewal_arm (self, G_TIME_SPAN_MILLISECOND);
  return self;
}

void
renewal_free (Renewal *self)
{
  g_clear_pointer (&self->order, renewal_order_free);
  renewal_unlock (self);
  renewal_answer_operator (self, "the instance stops");
  renewal_answer_all (self->rollovers, "the instance stops");
  g_ptr_array_unref (self->requests);
  g_ptr_array_unref (self->rollovers);
  g_clear_pointer (&self->pair, renewal_pair_free);
  g_clear_pointer (&self->cert, detour_cert_unref);
  renewal_fault_clear (&self->refused);
  renewal_account_clear (&self->account);
  renewal_state_clear (&self->state);
  renewal_options_clear (&self->options);
  g_free (self->program);
  g_free (self->unkept);
  g_free (self);
}

void
renewal_look_again (Renewal *self)
{
  self->state.schedule.look = 0;
  self->is_look_wanted = self->activity != RENEWAL_IDLE;
  if (self->activity == RENEWAL_IDLE)
    renewal_arm (self, G_TIME_SPAN_MILLISECOND);
}

void
renewal_request (Renewal *self, DetourCertRenewal *request)
{
  g_ptr_array_add (self->requests, request);
  self->is_forced = TRUE;
  if (self->activity == RENEWAL_IDLE)
    renewal_arm (self, G_TIME_SPAN_MILLISECOND);
}

void
renewal_request_rollover (Renewal *self, DetourCertRenewal *request)
{
  g_ptr_array_add (self->rollovers, request);
  if (self->activity == RENEWAL_IDLE)
    renewal_arm (self, G_TIME_SPAN_MILLISECOND);
}
