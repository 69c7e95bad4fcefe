/* detour-verdict.c: what was decided about a client, by whom and why.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict.h"

#include <string.h>

typedef struct {
  DetourVerdict verdict; /* first: all others see only this */
  gatomicrefcount refs;
  char texts[];
} Owned;

/* Copies @text to *@at, which is moved behind it. */
static const char *
verdict_put_text (char **at, const char *text)
{
  char *copy = *at;
  gsize size;

  if (text == NULL)
    return NULL;
  size = strlen (text) + 1;
  memcpy (copy, text, size);
  *at += size;
  return copy;
}

DetourVerdict *
detour_verdict_new (const DetourVerdict *fields)
{
  const char *const texts[] = { fields->instance, fields->label, fields->class_, fields->reason };
  gsize size = 0;
  Owned *self;
  char *at;

  g_assert (fields->instance != NULL);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    size += texts[i] != NULL ? strlen (texts[i]) + 1 : 0;
  self = g_malloc (sizeof *self + size);
  at = self->texts;
  g_atomic_ref_count_init (&self->refs);
  self->verdict = *fields;
  self->verdict.instance = verdict_put_text (&at, fields->instance);
  self->verdict.label = verdict_put_text (&at, fields->label);
  self->verdict.class_ = verdict_put_text (&at, fields->class_);
  self->verdict.reason = verdict_put_text (&at, fields->reason);
  return &self->verdict;
}

DetourVerdict *
detour_verdict_ref (DetourVerdict *self)
{
  g_atomic_ref_count_inc (&((Owned *) self)->refs);
  return self;
}

void
detour_verdict_unref (DetourVerdict *self)
{
  Owned *owned = (Owned *) self;

  if (g_atomic_ref_count_dec (&owned->refs))
    g_free (owned);
}

DetourVerdict *
detour_verdict_add_flags (DetourVerdict *self, DetourVerdictFlags flags)
{
  DetourVerdict fields = *self;

  if ((self->flags & flags) == flags)
    return detour_verdict_ref (self);
  fields.flags |= flags;
  return detour_verdict_new (&fields);
}

gboolean
detour_verdict_equal (const DetourVerdict *a, const DetourVerdict *b)
{
  return a == b
      || (a->result == b->result && a->flags == b->flags && strcmp (a->instance, b->instance) == 0
          && g_strcmp0 (a->label, b->label) == 0 && g_strcmp0 (a->class_, b->class_) == 0
          && g_strcmp0 (a->reason, b->reason) == 0);
}

const char *
detour_verdict_reason (const DetourVerdict *self)
{
  return self->reason != NULL ? self->reason : "no reason given";
}
