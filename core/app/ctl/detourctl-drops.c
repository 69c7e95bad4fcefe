/* detourctl-drops.c: why packets were not relayed, out of the daemon's counters.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-drops.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"

/* For each reason of the counter packets_dropped, which packets it means. */
static const struct {
  const char *reason, *text;
} texts[] = {
  { "unknown_dest", N_ ("to keys that are not connected") },
  { "unknown_dest_on_forward", N_ ("from the mesh to keys that are not connected") },
  { "gone", N_ ("to clients that left") },
  { "queue_head", N_ ("to slow readers") },
  { "queue_tail", N_ ("to slow readers with a full queue") },
  { "write_error", N_ ("to connections that broke") },
  { "dup_client", N_ ("to keys that several clients claim") },
  { "too_long", N_ ("longer than their receivers take") },
};

static void
ctl_drops_drop_free (gpointer data)
{
  DetourctlDrop *drop = data;

  g_free (drop->reason);
  g_free (drop);
}

static DetourctlDrop *
ctl_drops_find (GPtrArray *drops, const char *reason)
{
  DetourctlDrop *drop;

  for (guint i = 0; i < drops->len; i++)
    if (strcmp (((DetourctlDrop *) drops->pdata[i])->reason, reason) == 0)
      return drops->pdata[i];
  drop = g_new0 (DetourctlDrop, 1);
  drop->reason = g_strdup (reason);
  g_ptr_array_add (drops, drop);
  return drop;
}

static int
ctl_drops_compare (gconstpointer a, gconstpointer b)
{
  const DetourctlDrop *first = *(DetourctlDrop *const *) a;
  const DetourctlDrop *second = *(DetourctlDrop *const *) b;

  if (first->n_packets != second->n_packets)
    return first->n_packets > second->n_packets ? -1 : 1;
  return strcmp (first->reason, second->reason);
}

GPtrArray *
detourctl_drops (GVariant *counters)
{
  GPtrArray *drops = g_ptr_array_new_with_free_func (ctl_drops_drop_free);
  GVariantIter iter;
  const char *name, *help;
  GVariant *labels;
  guint64 value;

  g_variant_iter_init (&iter, counters);
  while (g_variant_iter_loop (&iter, "(&s@a{ss}t&s)", &name, &labels, &value, &help))
    {
      const char *reason;

      if (strcmp (name, "packets_dropped") == 0 && value > 0
          && g_variant_lookup (labels, "reason", "&s", &reason))
        ctl_drops_find (drops, reason)->n_packets += value;
    }
  g_ptr_array_sort (drops, ctl_drops_compare);
  return drops;
}

/* A daemon of another version may have reasons that are not in the table. */
static const char *
ctl_drops_text (const char *reason)
{
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (strcmp (texts[i].reason, reason) == 0)
      return _ (texts[i].text);
  return reason;
}

char *
detourctl_drops_describe (const GPtrArray *drops)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < drops->len; i++)
    {
      const DetourctlDrop *drop = drops->pdata[i];
      g_autofree char *count = detourctl_format_count (drop->n_packets);

      g_string_append_printf (text, "%s%s %s", i > 0 ? ", " : "", count,
                              ctl_drops_text (drop->reason));
    }
  return g_string_free (text, FALSE);
}
