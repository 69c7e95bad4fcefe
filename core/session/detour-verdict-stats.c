/* detour-verdict-stats.c: numbers of the verdicts on clients; each is an event.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-stats.h"

#include "detour-events.h"
#include "detour-log-limit.h"

struct _DetourVerdictStats {
  DetourAdmissionStats stats;
  DetourLogLimit dry_runs;
};

DetourVerdictStats *
detour_verdict_stats_new (gint64 now_us)
{
  DetourVerdictStats *self = g_new0 (DetourVerdictStats, 1);

  detour_log_limit_init (&self->dry_runs, now_us);
  return self;
}

void
detour_verdict_stats_free (DetourVerdictStats *self)
{
  g_free (self);
}

void
detour_verdict_stats_ask (DetourVerdictStats *self)
{
  self->stats.asked++;
}

void
detour_verdict_stats_share (DetourVerdictStats *self)
{
  self->stats.shared++;
}

/* Everyone can produce keys without end, so the log takes only some of them. */
static void
verdict_stats_log_dry_run (DetourVerdictStats *self, const DetourKey *key,
                           const DetourVerdict *verdict, gint64 now_us)
{
  g_autofree char *text = detour_key_to_text (key);
  GLogLevelFlags level = detour_log_limit_level (&self->dry_runs, now_us);

  g_log_structured (G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "dry-run", DETOUR_LOG_KEY, text,
                    DETOUR_LOG_INSTANCE, verdict->instance, "MESSAGE",
                    "would %s %s: %s (%s); let be because of dry-run",
                    verdict->flags & DETOUR_VERDICT_RECHECK ? "close" : "refuse", text,
                    detour_verdict_reason (verdict), verdict->instance);
}

static void
verdict_stats_count (DetourVerdictStats *self, const DetourVerdict *verdict, guint n)
{
  DetourAdmissionStats *stats = &self->stats;

  if (verdict->flags & DETOUR_VERDICT_RECHECK)
    {
      stats->rechecked += n;
      stats->revoked += verdict->result == DETOUR_AUTH_DENY ? n : 0;
      return;
    }
  stats->by_grace += verdict->flags & DETOUR_VERDICT_GRACE ? n : 0;
  stats->cached += verdict->flags & DETOUR_VERDICT_CACHED ? n : 0;
  if (verdict->result == DETOUR_AUTH_ALLOW)
    stats->allowed += n;
  else if (verdict->result == DETOUR_AUTH_DENY)
    stats->denied += n;
  else
    stats->unavailable += n;
}

/* A client that is connected is not closed because nobody can say. */
static gboolean
verdict_stats_turns_away (const DetourVerdict *verdict)
{
  return verdict->result == DETOUR_AUTH_DENY
      || (verdict->result == DETOUR_AUTH_UNAVAILABLE
          && (verdict->flags & DETOUR_VERDICT_RECHECK) == 0);
}

/* (transfer full): the refusal that is not carried out. */
static DetourVerdict *
verdict_stats_let_in (DetourVerdictStats *self, const DetourAuthRequest *request,
                      DetourVerdict *verdict, guint n, gint64 now_us)
{
  DetourVerdict fields = *verdict;

  verdict_stats_log_dry_run (self, detour_auth_request_key (request), verdict, now_us);
  self->stats.let_in += n;
  fields.result = DETOUR_AUTH_ALLOW;
  return detour_verdict_new (&fields);
}

/* That a client may stay is nothing new, and all are asked about again and again. */
static gboolean
verdict_stats_only_confirms (const DetourVerdict *verdict)
{
  return verdict->result == DETOUR_AUTH_ALLOW && verdict->flags == DETOUR_VERDICT_RECHECK;
}

static void
verdict_stats_note_event (const DetourAuthRequest *request, const DetourVerdict *verdict)
{
  gboolean allows = verdict->result == DETOUR_AUTH_ALLOW;

  detour_events_add (&(DetourEvent) {
      .kind = allows ? DETOUR_EVENT_ADMITTED : DETOUR_EVENT_REFUSED,
      .key = detour_auth_request_key (request),
      .address = request->address,
      .source = verdict->instance,
      .label = verdict->label,
      .class_ = verdict->class_,
      .tenant = request->tenant,
      .text = verdict->reason,
      .result = (guint8) verdict->result,
      .flags = (guint8) verdict->flags,
      .minor = DETOUR_VERDICT_CACHED,
      .is_quiet = verdict_stats_only_confirms (verdict),
  });
}

DetourVerdict *
detour_verdict_stats_note (DetourVerdictStats *self, const DetourAuthRequest *request,
                           DetourVerdict *verdict, guint n, gboolean dry_run, gint64 now_us)
{
  gboolean lets_in = dry_run && verdict_stats_turns_away (verdict);
  g_autoptr (DetourVerdict)
      noted = detour_verdict_add_flags (verdict, lets_in ? DETOUR_VERDICT_DRY_RUN : 0);
  DetourVerdict *done;

  verdict_stats_note_event (request, noted);
  done = lets_in ? verdict_stats_let_in (self, request, noted, n, now_us)
                 : detour_verdict_ref (noted);
  verdict_stats_count (self, done, n);
  return done;
}

const DetourAdmissionStats *
detour_verdict_stats_counts (const DetourVerdictStats *self)
{
  return &self->stats;
}
