/* detour-client-list.c: lists of clients for callers, page by page.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-list.h"

#include <glib/gi18n-lib.h>
#include <stdlib.h>

#include "detour-client-options.h"
#include "detour-client-rates.h"
#include "detour-client-row.h"
#include "detour-client-search.h"
#include "detour-control-error.h"
#include "detour-events.h"

/* Lists that are kept for their next page. When there are more, the list that was used longest ago
 * is dropped. */
#define KEPT_MAX 4u
#define KEEP_US  (60 * G_USEC_PER_SEC)
/* Calls that wait for the workers. */
#define ASKING_MAX 16u

/* A sorted list of which a caller has read some pages. */
typedef struct {
  guint64 number;
  gint64 used_us;
  DetourScan *scan;
  gboolean has_rates;
} Kept;

struct _DetourClientList {
  DetourServer *server;
  GQueue kept; /* of Kept; the list that was used last is the first */
  guint64 next_number;
  guint n_asking;
  DetourClientRates *rates;
  GQueue waiting; /* of Request: for the time of the next look at rates */
  guint timer;
  gboolean is_stopping;
};

typedef struct _Request Request;

/* A call that waits for the workers. */
struct _Request {
  DetourClientList *list;
  GDBusMethodInvocation *call;
  DetourScanFilter filter;
  DetourClientOptions options; /* of a request for a list */
  DetourScanDone done;
  guint timer; /* of one that waits */
  void (*answer) (const Request *request,
                  GPtrArray *rows); /* for a request about one client; @rows is not empty */
  DetourClientKeyFunc func;         /* for one that wants its key only */
  gpointer user;                    /* of that */
};

/* Rows ----------------------------------------------------------------------------------------- */

static GVariant *
client_list_make_rows (GPtrArray *rows, guint first, guint n, gboolean with_rates)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = first; i < first + n; i++)
    g_variant_builder_add_value (&out, detour_client_row_new (rows->pdata[i], with_rates));
  return g_variant_builder_end (&out);
}

/* Lists that are kept -------------------------------------------------------------------------- */

static void
client_list_kept_free (Kept *kept)
{
  detour_scan_free (kept->scan);
  g_free (kept);
}

static gboolean
client_list_on_forget (gpointer data)
{
  DetourClientList *self = data;
  gint64 now_us = g_get_monotonic_time ();

  while (!g_queue_is_empty (&self->kept)
         && now_us - ((Kept *) g_queue_peek_tail (&self->kept))->used_us >= KEEP_US)
    client_list_kept_free (g_queue_pop_tail (&self->kept));
  if (!g_queue_is_empty (&self->kept))
    return G_SOURCE_CONTINUE;
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

static Kept *
client_list_keep (DetourClientList *self, DetourScan *scan, gboolean has_rates)
{
  Kept *kept = g_new0 (Kept, 1);

  if (self->kept.length >= KEPT_MAX)
    client_list_kept_free (g_queue_pop_tail (&self->kept));
  kept->number = ++self->next_number;
  kept->scan = scan;
  kept->has_rates = has_rates;
  g_queue_push_head (&self->kept, kept);
  if (self->timer == 0)
    self->timer = g_timeout_add_seconds (10, client_list_on_forget, self);
  return kept;
}

static Kept *
client_list_find_kept (DetourClientList *self, guint64 number)
{
  for (GList *link = self->kept.head; link != NULL; link = link->next)
    if (((Kept *) link->data)->number == number)
      {
        g_queue_unlink (&self->kept, link);
        g_queue_push_head_link (&self->kept, link);
        return link->data;
      }
  return NULL;
}

/* Answers with rows from @first on; forgets a list that was given to its end. */
static void
client_list_answer_page (DetourClientList *self, Kept *kept, guint first, guint limit,
                         GDBusMethodInvocation *call)
{
  GPtrArray *rows = detour_scan_rows (kept->scan);
  guint n = MIN (limit, rows->len - MIN (first, rows->len));
  g_autofree char *next = NULL;

  if (first + n < rows->len)
    next = g_strdup_printf ("%" G_GUINT64_FORMAT ":%u", kept->number, first + n);
  g_dbus_method_invocation_return_value (
      call, g_variant_new ("(@aa{sv}s)", client_list_make_rows (rows, first, n, kept->has_rates),
                           next != NULL ? next : ""));
  kept->used_us = g_get_monotonic_time ();
  if (next == NULL)
    {
      g_queue_remove (&self->kept, kept);
      client_list_kept_free (kept);
    }
}

static void
client_list_answer_next_page (DetourClientList *self, const char *after, guint limit,
                              GDBusMethodInvocation *call)
{
  g_auto (GStrv) parts = g_strsplit (after, ":", 2);
  guint64 number, first;
  Kept *kept = NULL;

  if (!g_ascii_string_to_unsigned (parts[0], 10, 1, G_MAXUINT64, &number, NULL) || parts[1] == NULL
      || !g_ascii_string_to_unsigned (parts[1], 10, 1, G_MAXUINT, &first, NULL))
    {
      g_dbus_method_invocation_return_error (
          call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
          "after: \"%s\" is not what ListClients gave as next", after);
      return;
    }
  kept = client_list_find_kept (self, number);
  if (kept == NULL)
    g_dbus_method_invocation_return_error (
        call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_EXPIRED,
        "that list is not kept any more; begin again without after");
  else
    client_list_answer_page (self, kept, (guint) first, limit, call);
}

/* Asking the workers --------------------------------------------------------------------------- */

/* FALSE when @request was answered with an error, and freed. */
static gboolean
client_list_may_answer (Request *request, DetourScan *scan)
{
  request->list->n_asking--;
  if (!request->list->is_stopping)
    return TRUE;
  g_dbus_method_invocation_return_error (request->call, DETOUR_CONTROL_ERROR,
                                         DETOUR_CONTROL_ERROR_NOT_AVAILABLE, "the daemon stops");
  g_clear_pointer (&scan, detour_scan_free);
  g_free (request);
  return FALSE;
}

/* Rates are known from the second look on. */
static void client_list_look (Request *request);

static void
client_list_on_looked (DetourScan *scan, gpointer user)
{
  Request *request = user;

  if (request->list->is_stopping
      || detour_client_rates_fill (request->list->rates, detour_scan_rows (scan),
                                   g_get_monotonic_time ()))
    request->done (scan, request);
  else
    {
      detour_scan_free (scan);
      client_list_look (request);
    }
}

static gboolean
client_list_on_time (gpointer data)
{
  Request *request = data;

  g_queue_remove (&request->list->waiting, request);
  client_list_look (request);
  return G_SOURCE_REMOVE;
}

/* Asks the workers, at once or when that gives rates. */
static void
client_list_look (Request *request)
{
  gint64 wait_us = detour_client_rates_wait_us (request->list->rates, g_get_monotonic_time ());

  if (wait_us == 0)
    detour_scan_all (request->list->server, &request->filter, client_list_on_looked, request);
  else
    {
      g_queue_push_tail (&request->list->waiting, request);
      request->timer = g_timeout_add ((guint) (wait_us / 1000 + 1), client_list_on_time, request);
    }
}

static void
client_list_end_waiting (DetourClientList *self)
{
  for (Request *request; (request = g_queue_pop_head (&self->waiting)) != NULL;)
    {
      g_source_remove (request->timer);
      detour_client_options_clear (&request->options);
      client_list_may_answer (request, NULL);
    }
}

/* FALSE: @call was answered with an error. */
static gboolean
client_list_ask (DetourClientList *self, const Request *model, GDBusMethodInvocation *call,
                 DetourScanDone done)
{
  Request *request;

  if (self->is_stopping)
    {
      g_dbus_method_invocation_return_error (
          call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_AVAILABLE, "the daemon stops");
      return FALSE;
    }
  if (self->n_asking >= ASKING_MAX)
    {
      g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BUSY,
                                             "too many lists are being made; try again");
      return FALSE;
    }
  request = g_memdup2 (model, sizeof *model);
  request->list = self;
  request->call = call;
  request->done = done;
  request->filter.wants_idle = request->options.rates;
  self->n_asking++;
  if (request->options.rates)
    client_list_look (request);
  else
    detour_scan_all (self->server, &request->filter, done, request);
  return TRUE;
}

static void
client_list_on_listed (DetourScan *scan, gpointer user)
{
  g_autofree Request *request = NULL;
  Kept *kept;

  if (!client_list_may_answer (user, scan))
    return;
  request = user;
  detour_client_sort (detour_scan_rows (scan), request->options.sort, request->options.reverse);
  kept = client_list_keep (request->list, scan, request->options.rates);
  client_list_answer_page (request->list, kept, 0, request->options.limit, request->call);
}

/* @call has its error when this is FALSE. */
static gboolean
client_list_read_options (Request *request, GVariant *options, gboolean finds,
                          GDBusMethodInvocation *call)
{
  g_autoptr (GError) error = NULL;

  if (detour_client_options_read (&request->options, options, finds, &error))
    return TRUE;
  detour_client_options_clear (&request->options);
  g_dbus_method_invocation_return_gerror (call, error);
  return FALSE;
}

void
detour_client_list_page (DetourClientList *self, GVariant *options, GDBusMethodInvocation *call)
{
  Request request = { 0 };
  g_autofree char *after = NULL;

  if (!client_list_read_options (&request, options, FALSE, call))
    return;
  after = g_steal_pointer (&request.options.after);
  if (after != NULL && after[0] != '\0')
    client_list_answer_next_page (self, after, request.options.limit, call);
  else
    client_list_ask (self, &request, call, client_list_on_listed);
}

/* Pages without a memory ----------------------------------------------------------------------- */

static void
client_list_on_searched (DetourScan *scan, gpointer user)
{
  g_autoptr (DetourScan) mine = NULL;
  g_autofree Request *request = NULL;
  g_auto (DetourClientOptions) options = ((Request *) user)->options;
  GPtrArray *rows;
  guint first, n;

  if (!client_list_may_answer (user, scan))
    return;
  mine = scan;
  request = user;
  rows = detour_scan_rows (scan);
  if (options.search != NULL)
    detour_client_search (rows, options.search);
  detour_client_sort (rows, options.sort, options.reverse);
  first = MIN (options.first, rows->len);
  n = MIN (options.limit, rows->len - first);
  g_dbus_method_invocation_return_value (
      request->call,
      g_variant_new ("(@aa{sv}t)", client_list_make_rows (rows, first, n, options.rates),
                     (guint64) rows->len));
}

void
detour_client_list_find (DetourClientList *self, GVariant *options, GDBusMethodInvocation *call)
{
  Request request = { 0 };

  if (client_list_read_options (&request, options, TRUE, call)
      && !client_list_ask (self, &request, call, client_list_on_searched))
    detour_client_options_clear (&request.options);
}

/* One client ----------------------------------------------------------------------------------- */

/* TRUE when all rows belong to one client; otherwise the caller has its error. */
static gboolean
client_list_is_one_client (const Request *request, GPtrArray *rows)
{
  const DetourScanRow *first = rows->len > 0 ? rows->pdata[0] : NULL;

  if (first == NULL)
    {
      g_dbus_method_invocation_return_error (
          request->call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NO_SUCH_CLIENT,
          request->filter.n_digits < DETOUR_KEY_HEX_SIZE
              ? N_ ("no client with a key that begins so is connected")
              : N_ ("the client is not connected"));
      return FALSE;
    }
  for (guint i = 1; i < rows->len; i++)
    {
      const DetourScanRow *row = rows->pdata[i];

      if (!detour_key_equal (&row->key, &first->key))
        {
          g_autofree char *one = detour_key_to_text (&first->key);
          g_autofree char *other = detour_key_to_text (&row->key);

          g_dbus_method_invocation_return_error (
              request->call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_AMBIGUOUS,
              "several keys begin so, %s and %s among them; write more digits", one, other);
          return FALSE;
        }
    }
  return TRUE;
}

static void
client_list_on_found (DetourScan *scan, gpointer user)
{
  g_autoptr (DetourScan) mine = NULL;
  g_autofree Request *request = NULL;
  GPtrArray *rows;
  DetourKey refused;

  if (!client_list_may_answer (user, scan))
    return;
  mine = scan;
  request = user;
  rows = detour_scan_rows (scan);
  detour_client_sort (rows, DETOUR_CLIENT_SORT_CONNECTION, FALSE);
  if (rows->len == 0 && request->func != NULL
      && detour_client_key_find_refused (&request->filter, &refused) == 1)
    request->func (request->user, &refused, request->call);
  else if (client_list_is_one_client (request, rows))
    request->answer (request, rows);
}

/* @key: a whole key, or the first digits of the key of a connected client. */
static void
client_list_ask_for_one (DetourClientList *self, const char *key, GDBusMethodInvocation *call,
                         void (*answer) (const Request *request, GPtrArray *rows))
{
  Request request = { .answer = answer };
  g_autoptr (GError) error = NULL;

  if (detour_client_key_parse (key, &request.filter, &error))
    client_list_ask (self, &request, call, client_list_on_found);
  else
    g_dbus_method_invocation_return_gerror (call, error);
}

static void
client_list_pass_key (const Request *request, GPtrArray *rows)
{
  request->func (request->user, &((const DetourScanRow *) rows->pdata[0])->key, request->call);
}

void
detour_client_list_with_key (DetourClientList *self, const char *key, GDBusMethodInvocation *call,
                             DetourClientKeyFunc func, gpointer user)
{
  Request request = { .answer = client_list_pass_key, .func = func, .user = user };
  g_autoptr (GError) error = NULL;

  if (!detour_client_key_parse (key, &request.filter, &error))
    g_dbus_method_invocation_return_gerror (call, error);
  else if (request.filter.n_digits == DETOUR_KEY_HEX_SIZE)
    func (user, &request.filter.key, call);
  else
    client_list_ask (self, &request, call, client_list_on_found);
}

static void
client_list_answer_rows (const Request *request, GPtrArray *rows)
{
  g_dbus_method_invocation_return_value (
      request->call,
      g_variant_new ("(@aa{sv})", client_list_make_rows (rows, 0, rows->len, FALSE)));
}

void
detour_client_list_get (DetourClientList *self, const char *key, GDBusMethodInvocation *call)
{
  client_list_ask_for_one (self, key, call, client_list_answer_rows);
}

/* Why ------------------------------------------------------------------------------------------ */

/* So many of the last verdicts are shown. */
#define WHY_MAX 16u

static gboolean
client_list_is_verdict (const DetourEvent *event)
{
  return event->kind == DETOUR_EVENT_ADMITTED || event->kind == DETOUR_EVENT_REFUSED;
}

static void
client_list_add_event_text (GVariantBuilder *row, const char *name, const char *text)
{
  if (text != NULL)
    detour_client_row_add_text (row, name, text, strlen (text));
}

static GVariant *
client_list_make_verdict (const DetourEvent *event)
{
  static const char *const results[] = {
    [DETOUR_AUTH_ALLOW] = "allow",
    [DETOUR_AUTH_DENY] = "deny",
    [DETOUR_AUTH_UNAVAILABLE] = "unavailable",
  };
  static const struct {
    const char *name;
    DetourVerdictFlags flag;
  } flags[] = {
    { "cached", DETOUR_VERDICT_CACHED },
    { "grace", DETOUR_VERDICT_GRACE },
    { "recheck", DETOUR_VERDICT_RECHECK },
    { "dry_run", DETOUR_VERDICT_DRY_RUN },
  };
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "verdict", g_variant_new_string (results[event->result]));
  client_list_add_event_text (&row, "source", event->source);
  client_list_add_event_text (&row, "label", event->label);
  client_list_add_event_text (&row, "class", event->class_);
  client_list_add_event_text (&row, "tenant", event->tenant);
  client_list_add_event_text (&row, "reason", event->text);
  client_list_add_event_text (&row, "address", event->address != NULL ? event->address : "");
  g_variant_builder_add (&row, "{sv}", "first", g_variant_new_uint64 ((guint64) event->first_us));
  g_variant_builder_add (&row, "{sv}", "last", g_variant_new_uint64 ((guint64) event->last_us));
  g_variant_builder_add (&row, "{sv}", "count", g_variant_new_uint64 (event->count));
  for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
    g_variant_builder_add (&row, "{sv}", flags[i].name,
                           g_variant_new_boolean ((event->flags & flags[i].flag) != 0));
  return g_variant_builder_end (&row);
}

static void
client_list_answer_why (gpointer user, const DetourKey *key, GDBusMethodInvocation *call)
{
  g_autoptr (GPtrArray) events = detour_events_read (0, key);
  GVariantBuilder out;
  guint n = 0;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = events->len; i-- > 0 && n < WHY_MAX;)
    if (client_list_is_verdict (events->pdata[i]))
      {
        g_variant_builder_add_value (&out, client_list_make_verdict (events->pdata[i]));
        n++;
      }
  g_dbus_method_invocation_return_value (call, g_variant_new ("(aa{sv})", &out));
}

void
detour_client_list_why (DetourClientList *self, const char *key, GDBusMethodInvocation *call)
{
  detour_client_list_with_key (self, key, call, client_list_answer_why, self);
}

/* Disconnecting -------------------------------------------------------------------------------- */

static void
client_list_tell_disconnected (const DetourKey *key, guint n)
{
  g_autofree char *text = detour_key_to_text (key);
  char short_key[9];

  detour_key_to_short (key, short_key);
  detour_events_note (DETOUR_EVENT_KICK, key, NULL, NULL, "closed by the operator");
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "client-kicked",
                    DETOUR_LOG_KEY, text, "MESSAGE",
                    "client %s: %u connections are closed by the operator", short_key, n);
}

static void
client_list_disconnect (const Request *request, GPtrArray *rows)
{
  client_list_tell_disconnected (&((const DetourScanRow *) rows->pdata[0])->key, rows->len);
  for (guint i = 0; i < rows->len; i++)
    {
      const DetourScanRow *row = rows->pdata[i];

      detour_worker_close (
          detour_server_worker (request->list->server, DETOUR_HANDLE_WORKER (row->handle)),
          row->handle, DETOUR_CLOSE_KICKED);
    }
  g_dbus_method_invocation_return_value (request->call, g_variant_new ("(u)", rows->len));
}

void
detour_client_list_disconnect (DetourClientList *self, const char *key, GDBusMethodInvocation *call)
{
  client_list_ask_for_one (self, key, call, client_list_disconnect);
}

/* ---------------------------------------------------------------------------------------------- */

DetourClientList *
detour_client_list_new (DetourServer *server)
{
  DetourClientList *self = g_new0 (DetourClientList, 1);

  self->server = server;
  self->rates = detour_client_rates_new ();
  g_queue_init (&self->kept);
  g_queue_init (&self->waiting);
  return self;
}

void
detour_client_list_free (DetourClientList *self)
{
  self->is_stopping = TRUE;
  client_list_end_waiting (self);
  while (self->n_asking > 0)
    g_main_context_iteration (NULL, TRUE);
  if (self->timer != 0)
    g_source_remove (self->timer);
  detour_client_rates_free (self->rates);
  g_queue_clear_full (&self->kept, (GDestroyNotify) client_list_kept_free);
  g_free (self);
}
