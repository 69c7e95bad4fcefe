/* answering.c: how those answer that a plugin asks, in words, and when to tell it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "answering.h"

void
answering_clear (Answering *self)
{
  g_free (self->summary);
  g_free (self->trouble);
  *self = (Answering) { NULL };
}

gboolean
answering_take (Answering *self, gint64 latency_us, const char *trouble, gint64 now_us)
{
  g_autofree char *summary = latency_us > 0
                               ? g_strdup_printf ("answering in %" G_GINT64_FORMAT ".%d ms",
                                                  latency_us / 1000,
                                                  (int) (latency_us % 1000 / 100))
                               : g_strdup ("no answer yet");
  gboolean has_turned = self->summary == NULL || (latency_us > 0) != self->has_latency
                     || g_strcmp0 (self->trouble, *trouble != '\0' ? trouble : NULL) != 0;

  if (!has_turned
      && (g_str_equal (self->summary, summary) || now_us - self->told_us < G_USEC_PER_SEC))
    return FALSE;
  answering_clear (self);
  *self = (Answering) { .summary = g_steal_pointer (&summary),
                        .trouble = *trouble != '\0' ? g_strdup (trouble) : NULL,
                        .has_latency = latency_us > 0,
                        .told_us = now_us };
  return TRUE;
}

char *
answering_since (const char *trouble, gint64 since_us)
{
  g_autoptr (GDateTime) since = g_date_time_new_from_unix_local (since_us / G_USEC_PER_SEC);
  g_autofree char *text = g_date_time_format (since, "%F %T");

  return g_strdup_printf ("%s; since %s", trouble, text);
}
