/* detour-bucket.h: token buckets for rates and limits.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a bucket holds at most; a larger @burst counts as this. */
#define DETOUR_BUCKET_BURST_MAX (G_GINT64_CONSTANT (1) << 42)

/**
 * DetourBucket:
 *
 * Rate and size are not kept, as many buckets share them; they may change between calls. Tokens are
 * counted in millionths, so that a microsecond at one token a second is a whole number and no call
 * rounds.
 *
 * Thread: one owner.
 */
typedef struct {
  gint64 at_us; /* when `millionths` was right */
  gint64 millionths;
} DetourBucket;

/* Full. */
static inline void
detour_bucket_init (DetourBucket *self, guint64 burst, gint64 now_us)
{
  self->at_us = now_us;
  self->millionths = (gint64) MIN (burst, DETOUR_BUCKET_BURST_MAX) * 1000000;
}

static inline void
detour_bucket_refill (DetourBucket *self, guint64 rate, guint64 burst, gint64 now_us)
{
  gint64 full = (gint64) MIN (burst, DETOUR_BUCKET_BURST_MAX) * 1000000;
  gint64 elapsed_us = now_us - self->at_us;

  if (elapsed_us <= 0)
    return;
  self->at_us = now_us;
  if (self->millionths >= full || (guint64) elapsed_us > (guint64) (full - self->millionths) / rate)
    self->millionths = full;
  else
    self->millionths += elapsed_us * (gint64) rate;
}

/**
 * detour_bucket_take:
 * @rate: tokens a second; 0: no limit
 * @burst: tokens a full bucket holds
 *
 * Returns: TRUE when @cost tokens were there and are taken now; else FALSE, and nothing is taken.
 */
static inline gboolean
detour_bucket_take (DetourBucket *self, guint64 rate, guint64 burst, guint32 cost, gint64 now_us)
{
  if (rate == 0)
    return TRUE;
  detour_bucket_refill (self, rate, burst, now_us);
  if (self->millionths < (gint64) cost * 1000000)
    return FALSE;
  self->millionths -= (gint64) cost * 1000000;
  return TRUE;
}

/* Whole tokens that are there: for an owner who spends many times at one moment. @rate: not 0 */
static inline guint64
detour_bucket_tokens (DetourBucket *self, guint64 rate, guint64 burst, gint64 now_us)
{
  detour_bucket_refill (self, rate, burst, now_us);
  return (guint64) (self->millionths / 1000000);
}

/* Takes @cost of the tokens that detour_bucket_tokens() found. */
static inline void
detour_bucket_spend (DetourBucket *self, guint64 cost)
{
  self->millionths -= (gint64) cost * 1000000;
}

/* Microseconds after which detour_bucket_take() of @cost, which just failed, finds its tokens. */
static inline gint64
detour_bucket_wait_us (const DetourBucket *self, guint64 rate, guint32 cost)
{
  guint64 missing = (guint64) ((gint64) cost * 1000000 - self->millionths);

  return (gint64) ((missing + rate - 1) / rate);
}

G_END_DECLS
