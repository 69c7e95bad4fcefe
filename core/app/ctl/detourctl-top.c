/* detourctl-top.c: who moves how much now, again and again until somebody ends it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-top.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <string.h>

#include "detour-config-value.h"
#include "detourctl-json.h"
#include "detourctl-page.h"
#include "detourctl-screen.h"
#include "detourctl-watch.h"

#define ROOT "/io/github/detourd/Detour1"

/* Rates are of the time since the look before, which the daemon forgets after a while. */
#define INTERVAL_MIN_MS 1000u
#define INTERVAL_MAX_MS 10000u
#define ROWS_MAX        1000u
/* Clients that are shown when there is no screen whose height says how many. */
#define ROWS_DEFAULT 20u

static char *sort;
static char *interval;
static int limit = DETOURCTL_PAGE_NO_LIMIT;
static gboolean reverse;
static gboolean once;

static const GOptionEntry options[] = {
  { "sort", 0, 0, G_OPTION_ARG_STRING, &sort,
    N_ ("Order: rate, packets, idle, traffic, dropped, waiting or since"), N_ ("ORDER") },
  { "reverse", 0, 0, G_OPTION_ARG_NONE, &reverse, N_ ("Turn the order round"), NULL },
  { "interval", 0, 0, G_OPTION_ARG_STRING, &interval,
    N_ ("Look again after so long: 1s to 10s; 1s when not given"), N_ ("TIME") },
  DETOURCTL_PAGE_OPTION (&limit),
  { "once", 0, 0, G_OPTION_ARG_NONE, &once, N_ ("Print one table and end"), NULL },
  { NULL },
};

typedef struct {
  Detourctl *ctl;
  DetourctlTopView view;
  guint interval_ms;

  DetourctlScreen *screen;
  GMainLoop *loop;
  guint timer;       /* of the next look; 0: it is under way */
  gint64 asked_us;   /* when the look that is under way began; 0: none is */
  gint64 counted_us; /* when the totals of the view were read */
  GCancellable *cancel;
  gboolean again; /* something else is wanted than was asked for */
  char *error;    /* why it cannot go on; told when the screen is gone */
} Top;

static void ctl_top_look (Top *self);

/* Asking --------------------------------------------------------------------------------------- */

static GVariant *
ctl_top_wishes (const DetourctlTopOrder *order, gboolean turned, guint n)
{
  GVariantBuilder wishes;

  g_variant_builder_init (&wishes, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&wishes, "{sv}", "limit", g_variant_new_uint32 (n));
  g_variant_builder_add (&wishes, "{sv}", "sort", g_variant_new_string (order->order));
  g_variant_builder_add (&wishes, "{sv}", "reverse", g_variant_new_boolean (turned));
  g_variant_builder_add (&wishes, "{sv}", "rates", g_variant_new_boolean (TRUE));
  return g_variant_new ("(a{sv})", &wishes);
}

/* A question to the manager, whose answer does not hold up the keys. */
static void
ctl_top_ask (Top *self, const char *interface, const char *method, GVariant *arguments,
             const char *type, GAsyncReadyCallback done)
{
  g_dbus_connection_call (
      self->ctl->connection, self->ctl->bus != NULL ? DETOUR_BUS_NAME : NULL, ROOT, interface,
      method, arguments, G_VARIANT_TYPE (type), G_DBUS_CALL_FLAGS_NO_AUTO_START,
      self->ctl->timeout_ms > 0 ? (int) self->ctl->timeout_ms : G_MAXINT, self->cancel, done, self);
}

static void
ctl_top_draw (Top *self)
{
  g_auto (GStrv) lines = NULL;

  if (self->view.rows == NULL)
    return;
  lines = detourctl_top_lines (self->ctl, &self->view, detourctl_screen_width (self->screen),
                               detourctl_screen_height (self->screen));
  detourctl_screen_draw (self->screen, (const char *const *) lines, g_strv_length (lines));
}

static gboolean
ctl_top_on_time (gpointer data)
{
  Top *self = data;

  self->timer = 0;
  ctl_top_look (self);
  return G_SOURCE_REMOVE;
}

/* Sets the time of the next look. */
static void
ctl_top_wait (Top *self)
{
  gint64 past_ms = (g_get_monotonic_time () - self->asked_us) / 1000;
  gint64 left_ms = self->again ? 0 : (gint64) self->interval_ms - past_ms;

  self->asked_us = 0;
  self->again = FALSE;
  self->timer = g_timeout_add ((guint) MAX (left_ms, 0), ctl_top_on_time, self);
}

static void
ctl_top_fail (Top *self, GError *error)
{
  g_dbus_error_strip_remote_error (error);
  g_free (self->error);
  self->error = g_strdup (error->message);
  g_main_loop_quit (self->loop);
}

/* TRUE when the answer is one; otherwise the look is over. */
static gboolean
ctl_top_has_answer (Top *self, GVariant *reply, GError *error)
{
  if (reply != NULL)
    return TRUE;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return FALSE;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    {
      self->view.trouble = _ ("the daemon does not answer   q: quit");
      ctl_top_draw (self);
      ctl_top_wait (self);
    }
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    ctl_top_fail (self, error);
  return FALSE;
}

static void
ctl_top_on_clients (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  Top *self = data;

  if (!ctl_top_has_answer (self, reply, error))
    return;
  g_clear_pointer (&self->view.rows, g_variant_unref);
  self->view.rows = g_variant_get_child_value (reply, 0);
  self->view.trouble = NULL;
  ctl_top_draw (self);
  ctl_top_wait (self);
}

static void
ctl_top_keep_manager (Top *self, GVariant *manager)
{
  gint64 now_us = g_get_monotonic_time ();

  if (self->view.manager != NULL)
    {
      self->view.bytes_in = detourctl_number (self->view.manager, "BytesReceived");
      self->view.bytes_out = detourctl_number (self->view.manager, "BytesSent");
      self->view.packets = detourctl_number (self->view.manager, "PacketsReceived");
      self->view.dropped = detourctl_number (self->view.manager, "PacketsDropped");
      self->view.span_us = (guint64) MAX (now_us - self->counted_us, 1);
      g_variant_unref (self->view.manager);
    }
  self->view.manager = manager;
  self->counted_us = now_us;
}

static void
ctl_top_on_manager (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  Top *self = data;
  guint n;

  if (!ctl_top_has_answer (self, reply, error))
    return;
  ctl_top_keep_manager (self, g_variant_get_child_value (reply, 0));
  n = limit > 0 ? (guint) limit : detourctl_top_n_rows (detourctl_screen_height (self->screen));
  ctl_top_ask (self, DETOUR_BUS_NAME ".Manager", "ListClients",
               ctl_top_wishes (self->view.order, self->view.reverse, MIN (n, ROWS_MAX)),
               "(aa{sv}s)", ctl_top_on_clients);
}

static void
ctl_top_look (Top *self)
{
  self->asked_us = g_get_monotonic_time ();
  ctl_top_ask (self, "org.freedesktop.DBus.Properties", "GetAll",
               g_variant_new ("(s)", DETOUR_BUS_NAME ".Manager"), "(a{sv})", ctl_top_on_manager);
}

/* At once, or when the look that is under way is over. */
static void
ctl_top_look_now (Top *self)
{
  if (self->asked_us != 0)
    {
      self->again = TRUE;
      return;
    }
  g_clear_handle_id (&self->timer, g_source_remove);
  ctl_top_look (self);
}

/* Keys ----------------------------------------------------------------------------------------- */

static void
ctl_top_on_key (gpointer user, char key)
{
  Top *self = user;

  if (key == 'q' || key == 'Q' || key == DETOURCTL_SCREEN_INTERRUPT || key == DETOURCTL_SCREEN_END)
    {
      g_main_loop_quit (self->loop);
      return;
    }
  if (key == 'h' || key == '?')
    self->view.shows_help = !self->view.shows_help;
  else if (key == '+')
    self->interval_ms = MAX (self->interval_ms / 2, INTERVAL_MIN_MS);
  else if (key == '-')
    self->interval_ms = MIN (self->interval_ms * 2, INTERVAL_MAX_MS);
  else if (key == 'R')
    self->view.reverse = !self->view.reverse;
  for (const DetourctlTopOrder *order = detourctl_top_orders; order->key != 0; order++)
    if (order->key == key)
      self->view.order = order;
  ctl_top_draw (self);
  if (key != 'h' && key != '?')
    ctl_top_look_now (self);
}

static void
ctl_top_on_resize (gpointer user)
{
  ctl_top_draw (user);
  ctl_top_look_now (user);
}

static gboolean
ctl_top_on_interrupt (gpointer data)
{
  g_main_loop_quit (((Top *) data)->loop);
  return G_SOURCE_CONTINUE;
}

/* ---------------------------------------------------------------------------------------------- */

static DetourctlExit
ctl_top_run_screen (Top *self)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
  static const DetourctlScreenFuncs funcs = { ctl_top_on_key, ctl_top_on_resize };
  guint ids[G_N_ELEMENTS (signals)];
  DetourctlWatch *watch;
  DetourctlExit exit;

  self->screen = detourctl_screen_new (&funcs, self);
  if (self->screen == NULL)
    {
      detourctl_complain (_ ("the terminal cannot be drawn on: %s"), g_strerror (errno));
      return DETOURCTL_FAILED;
    }
  self->loop = g_main_loop_new (NULL, FALSE);
  self->cancel = g_cancellable_new ();
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    ids[i] = g_unix_signal_add (signals[i], ctl_top_on_interrupt, self);
  watch = detourctl_watch_new (self->ctl, self->loop);
  ctl_top_look (self);
  g_main_loop_run (self->loop);

  g_cancellable_cancel (self->cancel);
  g_clear_handle_id (&self->timer, g_source_remove);
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_source_remove (ids[i]);
  detourctl_screen_free (self->screen);
  g_object_unref (self->cancel);
  /* What is said now stays on the terminal. */
  exit = detourctl_watch_end (watch, DETOURCTL_GOOD);
  g_main_loop_unref (self->loop);
  if (exit != DETOURCTL_GOOD || self->error == NULL)
    return exit;
  detourctl_complain ("%s", self->error);
  return DETOURCTL_FAILED;
}

static DetourctlExit
ctl_top_run_once (Top *self)
{
  guint n = limit > 0 ? (guint) limit : ROWS_DEFAULT;
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) reply = detourctl_call (
      self->ctl, "", "Manager", "ListClients",
      ctl_top_wishes (self->view.order, self->view.reverse, MIN (n, ROWS_MAX)), "(aa{sv}s)", &exit);
  g_auto (GStrv) lines = NULL;

  if (reply == NULL)
    return exit;
  self->view.rows = g_variant_get_child_value (reply, 0);
  if (self->ctl->json)
    {
      static const char *const times[] = { "since", NULL };

      return detourctl_json_print_variant ("clients", self->view.rows, times);
    }
  lines = detourctl_top_table (self->ctl, self->view.rows,
                               self->ctl->width > 0 ? self->ctl->width : G_MAXUINT);
  for (guint i = 0; lines[i] != NULL; i++)
    g_print ("%s\n", lines[i]);
  return DETOURCTL_GOOD;
}

/* Options -------------------------------------------------------------------------------------- */

static gboolean
ctl_top_read_order (Top *self)
{
  const DetourctlTopOrder *order = detourctl_top_orders;

  while (sort != NULL && order->key != 0 && strcmp (order->order, sort) != 0)
    order++;
  self->view.order = order;
  if (order->key != 0)
    return TRUE;
  detourctl_complain (_ ("--sort: write rate, packets, idle, traffic, dropped, waiting or since"));
  return FALSE;
}

static gboolean
ctl_top_read_interval (Top *self)
{
  static const DetourConfigKey key = { "interval", DETOUR_CONFIG_DURATION, NULL, INTERVAL_MIN_MS,
                                       INTERVAL_MAX_MS };
  g_autoptr (GError) error = NULL;
  DetourConfigValue value;

  self->interval_ms = INTERVAL_MIN_MS;
  if (interval == NULL)
    return TRUE;
  if (!detour_config_value_parse (&key, interval, &value, &error))
    {
      detourctl_complain ("--interval: %s", error->message);
      return FALSE;
    }
  self->interval_ms = (guint) value.number;
  detour_config_value_clear (&value);
  return TRUE;
}

static DetourctlExit
ctl_top_run (Detourctl *ctl, char **arguments)
{
  Top top = { .ctl = ctl, .view.reverse = reverse };
  DetourctlExit exit = DETOURCTL_GOOD;

  if (!ctl_top_read_order (&top) || !ctl_top_read_interval (&top))
    return DETOURCTL_USAGE;
  if (!detourctl_page_check_limit (limit))
    return DETOURCTL_USAGE;
  if (once || ctl->json || !detourctl_screen_is_possible ())
    exit = ctl_top_run_once (&top);
  else
    {
      g_autoptr (GVariant) manager = detourctl_manager (ctl, &exit);

      if (manager != NULL)
        exit = ctl_top_run_screen (&top);
    }
  g_clear_pointer (&top.view.manager, g_variant_unref);
  g_clear_pointer (&top.view.rows, g_variant_unref);
  g_free (top.error);
  return exit;
}

const DetourctlCommand detourctl_top_commands[] = {
  { .name = "top",
    .arguments = "",
    .summary = N_ ("Show who moves how much now, until you press q"),
    .details = N_ (
        "Keys: r, p, i, t, d, w and s choose the order, R turns it round, + and - look more or "
        "less often, h shows this, q ends. IDLE is the time since the client sent anything. With "
        "--once, --json or without a terminal there is one table, after a second."),
    .options = options,
    .run = ctl_top_run },
  { NULL },
};
