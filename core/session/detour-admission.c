/* detour-admission.c: who may use the relay: the chain of auth instances and what core adds to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-admission.h"

#include "detour-inquiry.h"
#include "detour-mailbox.h"
#include "detour-schema.h"

/* Inquiries at a time; what comes beyond is not asked about. */
#define INQUIRIES_MAX 8192u
/* How exactly time limits are kept. */
#define TICK_MS         50
#define PATIENCE_MAX_US G_USEC_PER_SEC

struct _DetourAdmission {
  const DetourAuthPort *port;
  gpointer user;
  gboolean is_open; /* atomic */

  DetourMailbox *inbox; /* of Request */

  /* Main thread, all that follows. */
  GPtrArray *chain; /* of DetourAuthSource; none: open */
  gboolean match_all;
  gboolean dry_run;
  gint64 timeout_us, grace_us, recheck_us;
  GStrv disallowed_app_names;

  GHashTable *inquiries; /* Flight: itself */
  guint ticker;          /* 0: nobody waits */
  DetourTally *tally;
};

/* Somebody who waits for a verdict. */
typedef struct {
  DetourAdmission *admission;
  DetourQuestion question;
  gboolean is_recheck;
  DetourAdmissionDone done;
  gpointer data;
} Request;

/* An inquiry and all who wait for it. */
typedef struct {
  DetourQuestion question; /* first: the table hashes its key here */
  gboolean is_recheck;
  DetourAdmission *admission;
  DetourInquiry *inquiry;
  gint64 deadline_us;
  gboolean let_in; /* by a first word */
  char *label;     /* of that word */
  char *source;
  GQueue requests;
} Flight;

static const DetourAdmissionVerdict stopping_verdict = {
  .result = DETOUR_AUTH_UNAVAILABLE,
  .source = "admission",
  .reason = "the daemon stops",
};

static gint64
admission_now_us (const DetourAdmission *self)
{
  return self->port->now_us != NULL ? self->port->now_us (self->user) : g_get_monotonic_time ();
}

static void
admission_request_free (Request *request)
{
  detour_question_clear (&request->question);
  g_free (request);
}

/* Verdicts ------------------------------------------------------------------------------------- */

static void
admission_conclude (DetourAdmission *self, const DetourQuestion *question,
                    DetourAdmissionVerdict *verdict, guint n)
{
  detour_tally_verdict (self->tally, question, verdict, n, self->dry_run, admission_now_us (self));
}

/* Without an inquiry. */
static void
admission_answer (DetourAdmission *self, Request *request, DetourAdmissionVerdict verdict)
{
  verdict.flags |= request->is_recheck ? DETOUR_VERDICT_RECHECK : 0;
  admission_conclude (self, &request->question, &verdict, 1);
  request->done (&verdict, request->data);
  admission_request_free (request);
}

/* What is clear without asking a source; FALSE: nothing. */
static gboolean
admission_judge_alone (const DetourAdmission *self, const DetourQuestion *question,
                       DetourAdmissionVerdict *verdict)
{
  if (g_strv_contains ((const char *const *) self->disallowed_app_names, question->app_name))
    *verdict = (DetourAdmissionVerdict) { DETOUR_AUTH_DENY, .source = "admission",
                                          .reason = "its application name is not allowed" };
  else if (self->chain->len == 0)
    *verdict = (DetourAdmissionVerdict) { DETOUR_AUTH_ALLOW, .source = "open" };
  else
    return FALSE;
  return TRUE;
}

/* Inquiries ------------------------------------------------------------------------------------ */

static guint
admission_flight_hash (gconstpointer flight)
{
  return detour_question_hash_key (&((const Flight *) flight)->question.key);
}

static gboolean
admission_flight_equal (gconstpointer a, gconstpointer b)
{
  const Flight *one = a, *other = b;

  return one->is_recheck == other->is_recheck
      && detour_question_equal (&one->question, &other->question);
}

static void
admission_flight_free (gpointer data)
{
  Flight *flight = data;

  g_clear_pointer (&flight->inquiry, detour_inquiry_free);
  g_assert (flight->requests.length == 0);
  g_free (flight->label);
  g_free (flight->source);
  detour_question_clear (&flight->question);
  g_free (flight);
}

/* Everyone who waits now is told; what their callbacks do may be anything but the end of the
 * flight. */
static void
admission_tell (Flight *flight, const DetourAdmissionVerdict *verdict)
{
  GQueue requests = flight->requests;

  g_queue_init (&flight->requests);
  while (requests.length > 0)
    {
      Request *request = g_queue_pop_head (&requests);

      request->done (verdict, request->data);
      admission_request_free (request);
    }
}

/* The flight is over. */
static void
admission_land (Flight *flight, DetourAdmissionVerdict verdict)
{
  DetourAdmission *self = flight->admission;

  verdict.flags |= flight->is_recheck ? DETOUR_VERDICT_RECHECK : 0;
  g_hash_table_steal (self->inquiries, flight);
  if (!flight->let_in)
    admission_conclude (self, &flight->question, &verdict, flight->requests.length);
  else if (verdict.result == DETOUR_AUTH_DENY)
    {
      admission_conclude (self, &flight->question, &verdict, 1);
      /* Unless a dry run made ALLOW of it. */
      if (verdict.result == DETOUR_AUTH_DENY)
        self->port->revoke (self->user, &flight->question.key);
    }
  admission_tell (flight, &verdict);
  admission_flight_free (flight);
}

static void
admission_on_word (const DetourInquiryWord *word, gboolean is_last, gpointer data)
{
  Flight *flight = data;
  DetourAdmissionVerdict verdict = { word->result, word->flags, word->label, word->source,
                                     word->reason };

  if (is_last)
    admission_land (flight, verdict);
  else if (!flight->is_recheck && !flight->let_in)
    {
      flight->let_in = TRUE;
      flight->label = g_strdup (word->label);
      flight->source = g_strdup (word->source);
      admission_conclude (flight->admission, &flight->question, &verdict, flight->requests.length);
      admission_tell (flight, &verdict);
    }
}

/* (Re)starts; may end the flight. */
static void
admission_launch (Flight *flight)
{
  DetourAdmission *self = flight->admission;
  g_autoptr (GPtrArray) sources = g_ptr_array_new ();
  DetourInquiryTerms terms = {
    .match_all = self->match_all,
    .asks_anew = flight->is_recheck,
    .grace_us = self->grace_us,
    .deadline_us = flight->deadline_us,
  };
  DetourAdmissionVerdict verdict;

  g_clear_pointer (&flight->inquiry, detour_inquiry_free);
  if (admission_judge_alone (self, &flight->question, &verdict))
    {
      admission_land (flight, verdict);
      return;
    }
  for (guint i = 0; i < self->chain->len; i++)
    if (detour_auth_source_takes_part (self->chain->pdata[i]))
      g_ptr_array_add (sources, self->chain->pdata[i]);
  /* A chain out of which everyone was taken is not an open one. */
  terms.is_stopped = sources->len == 0;
  for (guint i = 0; terms.is_stopped && i < self->chain->len; i++)
    g_ptr_array_add (sources, self->chain->pdata[i]);
  terms.patience_us = MIN (self->timeout_us / (sources->len + 1), PATIENCE_MAX_US);

  flight->inquiry = detour_inquiry_new (&flight->question,
                                        (DetourAuthSource *const *) sources->pdata, sources->len,
                                        &terms, admission_on_word, flight);
  detour_inquiry_start (flight->inquiry, admission_now_us (self));
}

static gboolean
admission_on_tick (gpointer data)
{
  DetourAdmission *self = data;

  detour_admission_tick (self);
  if (g_hash_table_size (self->inquiries) > 0)
    return G_SOURCE_CONTINUE;
  self->ticker = 0;
  return G_SOURCE_REMOVE;
}

void
detour_admission_tick (DetourAdmission *self)
{
  guint n = 0;
  g_autofree gpointer *flights = g_hash_table_get_keys_as_array (self->inquiries, &n);
  gint64 now = admission_now_us (self);

  /* A tick ends no flight but its own. */
  for (guint i = 0; i < n; i++)
    detour_inquiry_tick (((Flight *) flights[i])->inquiry, now);
}

static void
admission_begin (DetourAdmission *self, Request *request)
{
  Flight probe = { .question = request->question, .is_recheck = request->is_recheck };
  DetourAdmissionVerdict verdict;
  Flight *flight;

  if (!request->is_recheck)
    detour_tally_ask (self->tally);
  if (admission_judge_alone (self, &request->question, &verdict))
    {
      admission_answer (self, request, verdict);
      return;
    }
  flight = g_hash_table_lookup (self->inquiries, &probe);
  if (flight != NULL && !flight->let_in)
    {
      if (!request->is_recheck)
        detour_tally_share (self->tally);
      g_queue_push_tail (&flight->requests, request);
      return;
    }
  if (flight != NULL)
    {
      /* The last word is on its way, and revokes if need be. */
      admission_answer (self, request,
                        (DetourAdmissionVerdict) { DETOUR_AUTH_ALLOW, DETOUR_VERDICT_GRACE,
                                                   flight->label, flight->source,
                                                   "allowed before, and now: no answer yet" });
      return;
    }
  if (g_hash_table_size (self->inquiries) >= INQUIRIES_MAX)
    {
      admission_answer (self, request,
                        (DetourAdmissionVerdict) { DETOUR_AUTH_UNAVAILABLE, .source = "admission",
                                                   .reason = "too many questions wait" });
      return;
    }

  flight = g_new0 (Flight, 1);
  detour_question_copy (&flight->question, &request->question);
  flight->is_recheck = request->is_recheck;
  flight->admission = self;
  flight->deadline_us = admission_now_us (self) + self->timeout_us;
  g_queue_init (&flight->requests);
  g_queue_push_tail (&flight->requests, request);
  g_hash_table_add (self->inquiries, flight);
  if (self->ticker == 0)
    self->ticker = g_timeout_add (TICK_MS, admission_on_tick, self);
  admission_launch (flight);
}

/* Questions ------------------------------------------------------------------------------------ */

static Request *
admission_request_new (const DetourQuestion *question, gboolean is_recheck,
                       DetourAdmissionDone done, gpointer data)
{
  Request *request = g_new (Request, 1);

  detour_question_copy (&request->question, question);
  request->is_recheck = is_recheck;
  request->done = done;
  request->data = data;
  return request;
}

static void
admission_on_request (gpointer data)
{
  Request *request = data;

  admission_begin (request->admission, request);
}

static void
admission_drop_request (gpointer data)
{
  Request *request = data;

  request->done (&stopping_verdict, request->data);
  admission_request_free (request);
}

static void
admission_put (DetourAdmission *self, Request *request)
{
  request->admission = self;
  detour_mailbox_post (self->inbox, admission_on_request, request, admission_drop_request);
}

void
detour_admission_ask (DetourAdmission *self, const DetourQuestion *question,
                      DetourAdmissionDone done, gpointer data)
{
  admission_put (self, admission_request_new (question, FALSE, done, data));
}

void
detour_admission_recheck (DetourAdmission *self, const DetourQuestion *question,
                          DetourAdmissionDone done, gpointer data)
{
  admission_put (self, admission_request_new (question, TRUE, done, data));
}

/* Life ----------------------------------------------------------------------------------------- */

static GPtrArray *
admission_chain_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) detour_auth_source_unref);
}

/* Those of @chain that are not in @others. */
static void
admission_close_sources (GPtrArray *chain, GPtrArray *others)
{
  for (guint i = 0; i < chain->len; i++)
    if (others == NULL || !g_ptr_array_find (others, chain->pdata[i], NULL))
      detour_auth_source_close (chain->pdata[i]);
}

DetourAdmission *
detour_admission_new (const DetourAuthPort *port, gpointer user)
{
  DetourAdmission *self = g_new0 (DetourAdmission, 1);

  self->port = port;
  self->user = user;
  self->inbox = detour_mailbox_new ();
  self->chain = admission_chain_new ();
  self->disallowed_app_names = g_new0 (char *, 1);
  self->inquiries = g_hash_table_new_full (admission_flight_hash, admission_flight_equal,
                                           admission_flight_free, NULL);
  self->tally = detour_tally_new (admission_now_us (self));
  return self;
}

void
detour_admission_free (DetourAdmission *self)
{
  guint n = 0;
  g_autofree gpointer *flights = g_hash_table_get_keys_as_array (self->inquiries, &n);

  detour_mailbox_free (self->inbox);
  for (guint i = 0; i < n; i++)
    admission_tell (flights[i], &stopping_verdict);
  g_clear_handle_id (&self->ticker, g_source_remove);
  g_hash_table_unref (self->inquiries);
  admission_close_sources (self->chain, NULL);
  g_ptr_array_unref (self->chain);
  g_strfreev (self->disallowed_app_names);
  detour_tally_free (self->tally);
  g_free (self);
}

/* Settings ------------------------------------------------------------------------------------- */

static DetourAuthSource *
admission_find_source (const DetourAdmission *self, const char *instance)
{
  for (guint i = 0; i < self->chain->len; i++)
    if (g_str_equal (detour_auth_source_instance (self->chain->pdata[i]), instance))
      return self->chain->pdata[i];
  return NULL;
}

/* Sources that stay keep what they know. */
static GPtrArray *
admission_make_chain (const DetourAdmission *self, const DetourAdmissionOptions *options)
{
  const char *const *names = options->chain;
  GPtrArray *chain = admission_chain_new ();

  for (; *names != NULL; names++)
    {
      g_autofree char *instance = g_strconcat ("auth/", *names, NULL);
      DetourAuthSource *source;

      if (g_str_equal (*names, "open"))
        continue;
      source = admission_find_source (self, instance);
      source = source != NULL ? detour_auth_source_ref (source)
                              : detour_auth_source_new (instance, self->port, self->user);
      detour_auth_source_set_negative_ttl (source, options->negative_ttl_us);
      g_ptr_array_add (chain, source);
    }
  return chain;
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

static void
admission_launch_all (DetourAdmission *self)
{
  guint n = 0;
  g_autofree gpointer *flights = g_hash_table_get_keys_as_array (self->inquiries, &n);

  for (guint i = 0; i < n; i++)
    admission_launch (flights[i]);
}

void
detour_admission_apply (DetourAdmission *self, DetourSettings *settings)
{
  g_autoptr (GPtrArray) before = self->chain;
  g_autoptr (GPtrArray) chain = NULL;
  DetourAdmissionOptions options;

  detour_settings_fill (settings, &options);
  chain = admission_make_chain (self, &options);
  g_strfreev (self->disallowed_app_names);
  self->disallowed_app_names = admission_read_app_names (&options);
  self->match_all = options.match == DETOUR_ADMISSION_ALL;
  self->dry_run = options.dry_run;
  self->timeout_us = options.timeout_us;
  self->grace_us = options.grace_us;
  self->recheck_us = options.recheck_us;

  self->chain = g_steal_pointer (&chain);
  admission_launch_all (self);
  admission_close_sources (before, self->chain);
  /* A list of names to keep out needs a look at every client. */
  g_atomic_int_set (&self->is_open, self->chain->len == 0 && self->disallowed_app_names[0] == NULL);
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

void
detour_admission_forget (DetourAdmission *self, const char *instance)
{
  DetourAuthSource *source = admission_find_source (self, instance);

  if (source == NULL)
    return;
  detour_auth_source_forget (source);
  admission_launch_all (self);
}

/* Status --------------------------------------------------------------------------------------- */

const DetourAdmissionStats *
detour_admission_stats (const DetourAdmission *self)
{
  return detour_tally_stats (self->tally);
}

void
detour_admission_foreach_source (DetourAdmission *self, DetourAuthSourceFunc func, gpointer data)
{
  for (guint i = 0; i < self->chain->len; i++)
    {
      DetourAuthSourceInfo info;

      detour_auth_source_info (self->chain->pdata[i], &info);
      func (&info, data);
    }
}

guint
detour_admission_why (DetourAdmission *self, const DetourKey *key, DetourVerdictNoteFunc func,
                      gpointer data)
{
  return detour_tally_why (self->tally, key, func, data);
}
