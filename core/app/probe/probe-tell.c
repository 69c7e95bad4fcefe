/* probe-tell.c: shows what the checks found, to people and to programs.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-print.h"
#include "detourctl-table.h"
#include "probe.h"

/* TRANSLATORS: what became of a check, one word. */
static const char *const status_words[] = { N_ ("good"), N_ ("warning"), N_ ("FAILED"),
                                            N_ ("skipped") };

/* ---- for people ------------------------------------------------------------------------------ */

static void
probe_tell_add_row (const ProbeResult *result, gpointer user)
{
  const DetourctlMapRegion *region = result->node->region;
  g_autofree char *number = g_strdup_printf ("%" G_GINT64_FORMAT, region->key);
  g_autofree char *node = result->to != NULL
                            ? g_strdup_printf ("%s>%s", result->node->name, result->to->name)
                            : g_strdup (result->node->name);
  g_autofree char *time = result->took_us >= 0
                            ? detourctl_format_latency ((guint64) result->took_us)
                            : g_strdup ("");

  detourctl_table_add (user, number, node, probe_check_name (result->check),
                       _ (status_words[result->status]), time, result->text, NULL);
}

static void
probe_tell_sum (const Detourctl *ctl, const Probe *probe)
{
  guint failed = probe_count (probe, PROBE_FAILED), warnings = probe_count (probe, PROBE_WARNING);
  guint good = probe_count (probe, PROBE_GOOD), skipped = probe_count (probe, PROBE_SKIPPED);
  const char *style = detourctl_style (ctl, failed > 0     ? DETOURCTL_RED
                                            : warnings > 0 ? DETOURCTL_YELLOW
                                                           : DETOURCTL_GREEN);

  g_autofree char *warned = g_strdup_printf (ngettext ("%u warning", "%u warnings", warnings),
                                             warnings);

  /* TRANSLATORS: the second %s is "1 warning", or how many there are. */
  g_print (_ ("\n%s%u good, %s, %u failed, %u skipped%s\n"), style, good, warned, failed, skipped,
           detourctl_style (ctl, DETOURCTL_PLAIN));
}

void
probe_tell_table (const Detourctl *ctl, const Probe *probe, const GPtrArray *advice)
{
  const DetourctlColumn columns[] = {
    { _ ("REGION"), DETOURCTL_COLUMN_RIGHT },
    { _ ("NODE"), DETOURCTL_COLUMN_LEFT },
    { _ ("CHECK"), DETOURCTL_COLUMN_LEFT },
    { _ ("RESULT"), DETOURCTL_COLUMN_LEFT },
    { _ ("TIME"), DETOURCTL_COLUMN_RIGHT },
    { _ ("DETAIL"), DETOURCTL_COLUMN_LEFT },
    { NULL },
  };
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  probe_foreach (probe, probe_tell_add_row, table);
  detourctl_print_table (ctl, table);
  if (advice->len > 0)
    g_print ("\n");
  for (guint i = 0; i < advice->len; i++)
    {
      const ProbeAdvice *one = advice->pdata[i];
      g_autofree char *safe = detourctl_format_safe (one->text);
      g_autofree char *lines = detourctl_format_wrap (safe, 0, 2, detourctl_print_width (ctl));

      g_print ("%s\n", lines);
    }
  probe_tell_sum (ctl, probe);
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void
probe_tell_write_region (DetourctlJson *json, const DetourctlMapRegion *region)
{
  if (region == NULL)
    return;
  detourctl_json_signed (json, "region", region->key);
  detourctl_json_text (json, "region_code", region->code != NULL ? region->code : "");
}

static void
probe_tell_write_result (const ProbeResult *result, gpointer user)
{
  DetourctlJson *json = user;

  detourctl_json_begin_object (json, NULL);
  probe_tell_write_region (json, result->node->region);
  detourctl_json_text (json, "node", result->node->name);
  if (result->to != NULL)
    detourctl_json_text (json, "to", result->to->name);
  detourctl_json_text (json, "check", probe_check_name (result->check));
  detourctl_json_text (json, "status", probe_status_name (result->status));
  detourctl_json_text (json, "code", result->code);
  detourctl_json_text (json, "text", result->text);
  if (result->took_us >= 0)
    detourctl_json_signed (json, "microseconds", result->took_us);
  if (result->left_s != G_MININT64)
    detourctl_json_signed (json, "certificate_seconds", result->left_s);
  if (result->rate > 0)
    detourctl_json_number (json, "bytes_per_second", result->rate);
  detourctl_json_end_object (json);
}

void
probe_tell_json (const Probe *probe, const char *place, const GPtrArray *advice)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_text (json, "map", place);
  detourctl_json_number (json, "map_errors", detourctl_map_count (probe->map, TRUE));
  detourctl_json_begin_array (json, "checks");
  probe_foreach (probe, probe_tell_write_result, json);
  detourctl_json_end_array (json);
  detourctl_json_begin_array (json, "client");
  for (guint i = 0; i < advice->len; i++)
    {
      const ProbeAdvice *one = advice->pdata[i];

      detourctl_json_begin_object (json, NULL);
      probe_tell_write_region (json, one->region);
      if (one->node != NULL)
        detourctl_json_text (json, "node", one->node->name);
      detourctl_json_text (json, "code", one->code);
      detourctl_json_text (json, "text", one->text);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  for (guint i = 0; i < PROBE_N_STATUS; i++)
    detourctl_json_number (json, probe_status_name ((ProbeStatus) i),
                           probe_count (probe, (ProbeStatus) i));
  detourctl_json_end_document (json, DETOURCTL_GOOD);
}
