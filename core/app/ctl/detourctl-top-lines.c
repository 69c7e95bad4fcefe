/* detourctl-top-lines.c: what `detourctl top` shows, as lines of a screen.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-top.h"

/* Lines above the rows, and the one below. */
#define N_AROUND 4u

const DetourctlTopOrder detourctl_top_orders[] = {
  { 'r', "rate", N_ ("rate") },       { 'p', "packets", N_ ("packets") },
  { 'i', "idle", N_ ("idle time") },  { 't', "traffic", N_ ("traffic in all") },
  { 'd', "dropped", N_ ("drops") },   { 'w', "waiting", N_ ("bytes that wait") },
  { 's', "since", N_ ("time here") }, { 0 },
};

/* In this order; those that do not fit are left out, from the last one on. */
enum { KEY, IN, OUT, PACKETS, IDLE, KIND, TLS, DROPS, ADDRESS, LABEL, N_COLUMNS };

typedef struct {
  const char *title;
  guint width; /* of what is usual; longer texts make it wider */
  gboolean is_number;
} Column;

static const Column columns[N_COLUMNS] = {
  [KEY] = { N_ ("KEY"), 8, FALSE },          [IN] = { N_ ("IN"), 10, TRUE },
  [OUT] = { N_ ("OUT"), 10, TRUE },          [PACKETS] = { N_ ("PACKETS/S"), 9, TRUE },
  [IDLE] = { N_ ("IDLE"), 7, TRUE },         [KIND] = { N_ ("KIND"), 7, FALSE },
  [TLS] = { N_ ("TLS"), 6, FALSE },          [DROPS] = { N_ ("DROPS"), 6, TRUE },
  [ADDRESS] = { N_ ("ADDRESS"), 21, FALSE }, [LABEL] = { N_ ("LABEL"), 8, FALSE },
};

guint
detourctl_top_n_rows (guint height)
{
  return height > N_AROUND ? height - N_AROUND : 1;
}

/* Text ----------------------------------------------------------------------------------------- */

/* Appends as much of @text as fits, and returns how many columns that takes. */
static guint
ctl_top_lines_append (GString *out, const char *text, guint width)
{
  guint used = 0;

  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      gunichar c = g_utf8_get_char (text);
      guint n = g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;

      if (used + n > width)
        break;
      g_string_append_unichar (out, c);
      used += n;
    }
  return used;
}

static char *
ctl_top_lines_cut (const char *text, guint width)
{
  GString *out = g_string_new (NULL);

  ctl_top_lines_append (out, text, width);
  return g_string_free (out, FALSE);
}

/* Cells ---------------------------------------------------------------------------------------- */

static char *
ctl_top_lines_tls (GVariant *row)
{
  const char *tls = detourctl_text (row, "tls");
  gboolean is_websocket = strcmp (detourctl_text (row, "way"), "websocket") == 0;

  return g_strconcat (*tls != '\0' ? tls : _ ("none"), is_websocket ? " ws" : "", NULL);
}

static char *
ctl_top_lines_idle (GVariant *row)
{
  guint64 idle_us;

  return g_variant_lookup (row, "idle", "t", &idle_us) ? detourctl_format_age (idle_us)
                                                       : g_strdup ("-");
}

static char *
ctl_top_lines_cell (GVariant *row, guint column)
{
  const char *key = detourctl_text (row, "key");

  switch (column)
    {
    case KEY:
      return g_strndup (g_str_has_prefix (key, "nodekey:") ? key + strlen ("nodekey:") : key, 8);
    case IN:
      return detourctl_format_rate (detourctl_number (row, "rate_received"), G_USEC_PER_SEC);
    case OUT:
      return detourctl_format_rate (detourctl_number (row, "rate_sent"), G_USEC_PER_SEC);
    case PACKETS:
      return detourctl_format_count (detourctl_number (row, "packet_rate_received")
                                     + detourctl_number (row, "packet_rate_sent"));
    case IDLE:
      return ctl_top_lines_idle (row);
    case KIND:
      return g_strdup (detourctl_flag (row, "mesh") ? _ ("mesh") : detourctl_text (row, "kind"));
    case TLS:
      return ctl_top_lines_tls (row);
    case DROPS:
      return detourctl_format_count (detourctl_number (row, "packets_dropped"));
    case ADDRESS:
      return g_strdup (detourctl_text (row, "address"));
    default:
      return detourctl_format_safe (detourctl_text (row, "label"));
    }
}

/* The table ------------------------------------------------------------------------------------ */

static char *
ctl_top_lines_line (char **cells, const guint *widths, guint width)
{
  GString *out = g_string_new (NULL);
  guint left = width;

  for (guint i = 0; i < N_COLUMNS; i++)
    {
      guint n = detourctl_format_width (cells[i]);
      guint pad = widths[i] - MIN (n, widths[i]);
      guint gap = i > 0 ? 2 : 0;

      /* The last column takes what is left; another one is whole, or it is not there. */
      if (left < gap + 1 || (i < LABEL && left < gap + widths[i]))
        break;
      left -= gap;
      g_string_append_printf (out, "%*s", (int) (gap + (columns[i].is_number ? pad : 0)), "");
      left -= columns[i].is_number ? pad : 0;
      left -= ctl_top_lines_append (out, cells[i], left);
      if (columns[i].is_number || i == LABEL)
        continue;
      g_string_append_printf (out, "%*s", (int) pad, "");
      left -= pad;
    }
  return g_strchomp (g_string_free (out, FALSE));
}

static void
ctl_top_lines_add_table (const Detourctl *self, GPtrArray *lines, GVariant *rows, guint width,
                         guint n_max)
{
  gsize n = MIN (g_variant_n_children (rows), n_max);
  g_autoptr (GPtrArray) table = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  g_autofree char *heading = NULL;
  guint widths[N_COLUMNS];

  for (gsize i = 0; i <= n; i++)
    {
      g_autoptr (GVariant) row = i > 0 ? g_variant_get_child_value (rows, i - 1) : NULL;
      char **cells = g_new0 (char *, N_COLUMNS + 1);

      for (guint k = 0; k < N_COLUMNS; k++)
        {
          cells[k] = row != NULL ? ctl_top_lines_cell (row, k) : g_strdup (_ (columns[k].title));
          widths[k] = MAX (i > 0 ? widths[k] : columns[k].width, detourctl_format_width (cells[k]));
        }
      g_ptr_array_add (table, cells);
    }
  heading = ctl_top_lines_line (table->pdata[0], widths, width);
  g_ptr_array_add (lines, g_strconcat (detourctl_style (self, DETOURCTL_BOLD), heading,
                                       detourctl_style (self, DETOURCTL_PLAIN), NULL));
  for (guint i = 1; i < table->len; i++)
    g_ptr_array_add (lines, ctl_top_lines_line (table->pdata[i], widths, width));
}

/* Around it ------------------------------------------------------------------------------------ */

static char *
ctl_top_lines_sum (const DetourctlTopView *view)
{
  guint64 n_clients = detourctl_n_clients (view->manager);
  g_autofree char *clients = detourctl_format_count (n_clients);
  g_autofree char *count = g_strdup_printf (ngettext ("%s client", "%s clients", n_clients),
                                            clients);
  g_autofree char *in = NULL;
  g_autofree char *out = NULL;
  g_autofree char *packets = NULL;
  g_autofree char *dropped = NULL;
  guint64 span_us = view->span_us;

  if (span_us == 0)
    return g_steal_pointer (&count);
  in = detourctl_format_rate (detourctl_number (view->manager, "BytesReceived") - view->bytes_in,
                              span_us);
  out = detourctl_format_rate (detourctl_number (view->manager, "BytesSent") - view->bytes_out,
                               span_us);
  packets = detourctl_format_per_second (
      detourctl_number (view->manager, "PacketsReceived") - view->packets, span_us);
  dropped = detourctl_format_per_second (
      detourctl_number (view->manager, "PacketsDropped") - view->dropped, span_us);
  /* TRANSLATORS: 1,284 clients, 212 Mbit/s in, … */
  return g_strdup_printf (_ ("%s, %s in, %s out, %s packets/s, %s dropped/s"), count, in, out,
                          packets, dropped);
}

static char *
ctl_top_lines_help (const DetourctlTopView *view)
{
  g_autoptr (GString) out = g_string_new (_ ("sort by:"));

  if (view->trouble != NULL)
    return g_strdup (view->trouble);
  if (!view->shows_help)
    return g_strdup_printf (view->reverse ? _ ("by %s, turned round   h: help   q: quit")
                                          : _ ("by %s   h: help   q: quit"),
                            _ (view->order->word));
  for (const DetourctlTopOrder *order = detourctl_top_orders; order->key != 0; order++)
    g_string_append_printf (out, " %c %s,", order->key, _ (order->word));
  g_string_append (out, _ (" R turned round; + and -: more or less often"));
  return g_strdup (out->str);
}

static void
ctl_top_lines_add_cut (GPtrArray *lines, const char *text, guint width)
{
  g_ptr_array_add (lines, ctl_top_lines_cut (text, width));
}

char **
detourctl_top_table (const Detourctl *self, GVariant *rows, guint width)
{
  GPtrArray *lines = g_ptr_array_new ();

  ctl_top_lines_add_table (self, lines, rows, width, G_MAXUINT);
  g_ptr_array_add (lines, NULL);
  return (char **) g_ptr_array_free (lines, FALSE);
}

char **
detourctl_top_lines (const Detourctl *self, const DetourctlTopView *view, guint width, guint height)
{
  GPtrArray *lines = g_ptr_array_new ();
  g_autofree char *name = detourctl_format_safe (detourctl_text (view->manager, "Hostname"));
  g_autofree char *sum = ctl_top_lines_sum (view);
  g_autofree char *help = ctl_top_lines_help (view);
  g_autofree char *first = g_strconcat (name, *name != '\0' ? "   " : "", sum, NULL);

  ctl_top_lines_add_cut (lines, first, width);
  ctl_top_lines_add_cut (lines, "", width);
  ctl_top_lines_add_table (self, lines, view->rows, width, detourctl_top_n_rows (height));
  while (lines->len + 1 < height)
    ctl_top_lines_add_cut (lines, "", width);
  ctl_top_lines_add_cut (lines, help, width);
  g_ptr_array_add (lines, NULL);
  return (char **) g_ptr_array_free (lines, FALSE);
}
