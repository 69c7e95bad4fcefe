/* detour-client-list.c: lists of clients for callers, page by page.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-list.h"

#include <glib/gi18n-lib.h>
#include <stdlib.h>

#include "detour-client-sort.h"
#include "detour-control-error.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MAX     1000u

/* Lists that are kept for their next page. When there are more, the list that was used longest ago
 * is dropped. */
#define KEPT_MAX 4u
#define KEEP_US  (60 * G_USEC_PER_SEC)
/* Calls that wait for the workers. */
#define ASKING_MAX 16u

#define DIGITS_MIN 4u

/* A sorted list of which a caller has read some pages. */
typedef struct {
  guint64 number;
  gint64 used_us;
  DetourScan *scan;
} Kept;

struct _DetourClientList {
  DetourServer *server;
  GQueue kept; /* of Kept; the list that was used last is the first */
  guint64 next_number;
  guint n_asking;
  guint timer;
  gboolean is_stopping;
};

typedef struct _Request Request;

/* A call that waits for the workers. */
struct _Request {
  DetourClientList *list;
  GDBusMethodInvocation *call;
  DetourScanFilter filter;
  DetourClientSort sort;
  gboolean reverse;
  guint limit;
  void (*answer) (const Request *request,
                  GPtrArray *rows); /* for a request about one client; @rows is not empty */
};

/* Rows ----------------------------------------------------------------------------------------- */

static void
client_list_add_address (GVariantBuilder *row, const DetourPresence *presence)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = g_htons (presence->port) };
  char text[DETOUR_ADDRESS_TEXT_MAX] = "";

  memcpy (&address.sin6_addr, presence->ip, sizeof presence->ip);
  if (presence->port != 0 || !IN6_IS_ADDR_UNSPECIFIED (&address.sin6_addr))
    detour_address_format ((const struct sockaddr *) &address, text);
  g_variant_builder_add (row, "{sv}", "address", g_variant_new_string (text));
}

/* For text that comes from a client or a plugin and may not be UTF-8. */
static void
client_list_add_text (GVariantBuilder *row, const char *name, const char *text, gsize len)
{
  g_autofree char *valid = g_utf8_make_valid (text, (gssize) len);

  g_variant_builder_add (row, "{sv}", name, g_variant_new_string (valid));
}

static GVariant *
client_list_make_row (const DetourScanRow *row)
{
  g_autofree char *key = detour_key_to_text (&row->key);
  gint64 since_us = g_get_real_time () - (g_get_monotonic_time () - row->login_us);
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&out, "{sv}", "key", g_variant_new_string (key));
  client_list_add_address (&out, &row->presence);
  if (row->label != NULL)
    client_list_add_text (&out, "label", row->label, strlen (row->label));
  if (row->class_ != NULL)
    client_list_add_text (&out, "class", row->class_, strlen (row->class_));
  if (row->presence.name_len > 0)
    client_list_add_text (&out, "app", row->presence.name, row->presence.name_len);
  g_variant_builder_add (&out, "{sv}", "since", g_variant_new_uint64 ((guint64) since_us));
  g_variant_builder_add (&out, "{sv}", "home", g_variant_new_boolean (row->is_home));
  g_variant_builder_add (&out, "{sv}", "mesh", g_variant_new_boolean (row->is_mesh));
  g_variant_builder_add (&out, "{sv}", "watcher", g_variant_new_boolean (row->is_watcher));
  g_variant_builder_add (&out, "{sv}", "prober", g_variant_new_boolean (row->is_prober));
  g_variant_builder_add (&out, "{sv}", "blocked", g_variant_new_boolean (row->is_blocked));
  g_variant_builder_add (&out, "{sv}", "listener", g_variant_new_string (row->listener));
  g_variant_builder_add (&out, "{sv}", "connection", g_variant_new_uint64 (row->number));
  g_variant_builder_add (&out, "{sv}", "worker",
                         g_variant_new_uint32 (DETOUR_HANDLE_WORKER (row->handle)));
  g_variant_builder_add (&out, "{sv}", "packets_received", g_variant_new_uint64 (row->rx_packets));
  g_variant_builder_add (&out, "{sv}", "bytes_received", g_variant_new_uint64 (row->rx_bytes));
  g_variant_builder_add (&out, "{sv}", "packets_sent", g_variant_new_uint64 (row->tx_packets));
  g_variant_builder_add (&out, "{sv}", "bytes_sent", g_variant_new_uint64 (row->tx_bytes));
  g_variant_builder_add (&out, "{sv}", "packets_dropped",
                         g_variant_new_uint64 (row->dropped_packets));
  g_variant_builder_add (&out, "{sv}", "waiting_bytes", g_variant_new_uint64 (row->waiting_bytes));
  return g_variant_builder_end (&out);
}

static GVariant *
client_list_make_rows (GPtrArray *rows, guint first, guint n)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = first; i < first + n; i++)
    g_variant_builder_add_value (&out, client_list_make_row (rows->pdata[i]));
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
client_list_keep (DetourClientList *self, DetourScan *scan)
{
  Kept *kept = g_new0 (Kept, 1);

  if (self->kept.length >= KEPT_MAX)
    client_list_kept_free (g_queue_pop_tail (&self->kept));
  kept->number = ++self->next_number;
  kept->scan = scan;
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
      call, g_variant_new ("(@aa{sv}s)", client_list_make_rows (rows, first, n),
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
  detour_scan_free (scan);
  g_free (request);
  return FALSE;
}

static void
client_list_ask (DetourClientList *self, const Request *model, GDBusMethodInvocation *call,
                 DetourScanDone done)
{
  Request *request;

  if (self->is_stopping)
    {
      g_dbus_method_invocation_return_error (
          call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_AVAILABLE, "the daemon stops");
      return;
    }
  if (self->n_asking >= ASKING_MAX)
    {
      g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BUSY,
                                             "too many lists are being made; try again");
      return;
    }
  request = g_memdup2 (model, sizeof *model);
  request->list = self;
  request->call = call;
  self->n_asking++;
  detour_scan_all (self->server, &request->filter, done, request);
}

static void
client_list_on_listed (DetourScan *scan, gpointer user)
{
  g_autofree Request *request = NULL;
  GPtrArray *rows;

  if (!client_list_may_answer (user, scan))
    return;
  request = user;
  rows = detour_scan_rows (scan);
  detour_client_sort (rows, request->sort, request->reverse);
  client_list_answer_page (request->list, client_list_keep (request->list, scan), 0, request->limit,
                           request->call);
}

static gboolean
client_list_read_option (Request *request, char **after, const char *name, GVariant *value,
                         GError **error)
{
  if (g_str_equal (name, "limit") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    {
      request->limit = g_variant_get_uint32 (value);
      if (request->limit >= 1 && request->limit <= LIMIT_MAX)
        return TRUE;
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                   "limit: %u is not from 1 to %u", request->limit, LIMIT_MAX);
      return FALSE;
    }
  if (g_str_equal (name, "sort") && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return detour_client_sort_from_name (g_variant_get_string (value, NULL), &request->sort, error);
  if (g_str_equal (name, "reverse") && g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    request->reverse = g_variant_get_boolean (value);
  else if (g_str_equal (name, "after") && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    {
      g_free (*after);
      *after = g_variant_dup_string (value, NULL);
    }
  else
    {
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                   "%s of type %s: there are limit (u), after (s), sort (s) and reverse (b)", name,
                   g_variant_get_type_string (value));
      return FALSE;
    }
  return TRUE;
}

void
detour_client_list_page (DetourClientList *self, GVariant *options, GDBusMethodInvocation *call)
{
  Request request = { .sort = DETOUR_CLIENT_SORT_CONNECTION, .limit = LIMIT_DEFAULT };
  g_autofree char *after = g_strdup ("");
  gsize n = g_variant_n_children (options);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *name = NULL;

      g_variant_get_child (options, i, "{sv}", &name, &value);
      if (!client_list_read_option (&request, &after, name, value, &error))
        {
          g_dbus_method_invocation_return_gerror (call, error);
          return;
        }
    }
  if (after[0] != '\0')
    client_list_answer_next_page (self, after, request.limit, call);
  else
    client_list_ask (self, &request, call, client_list_on_listed);
}

/* One client ----------------------------------------------------------------------------------- */

gboolean
detour_client_list_parse_key (const char *text, DetourScanFilter *filter, GError **error)
{
  const char *digits = g_str_has_prefix (text, "nodekey:") ? text + strlen ("nodekey:") : text;
  gsize n = strlen (digits);

  memset (filter, 0, sizeof *filter);
  if (n >= DIGITS_MIN && n <= DETOUR_KEY_HEX_SIZE)
    {
      gsize i = 0;

      for (; g_ascii_isxdigit (digits[i]); i++)
        filter->key.bytes[i / 2] |= (guint8) (g_ascii_xdigit_value (digits[i])
                                              << (i % 2 == 0 ? 4 : 0));
      if (i == n)
        {
          filter->n_digits = (guint) n;
          return TRUE;
        }
    }
  g_set_error (
      error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
      _ ("\"%s\" is not a key: write nodekey: and 64 hex digits, or the first %u of them or more"),
      text, DIGITS_MIN);
  return FALSE;
}

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

  if (!client_list_may_answer (user, scan))
    return;
  mine = scan;
  request = user;
  rows = detour_scan_rows (scan);
  detour_client_sort (rows, DETOUR_CLIENT_SORT_CONNECTION, FALSE);
  if (client_list_is_one_client (request, rows))
    request->answer (request, rows);
}

/* @key: a whole key, or the first digits of the key of a connected client. */
static void
client_list_ask_for_one (DetourClientList *self, const char *key, GDBusMethodInvocation *call,
                         void (*answer) (const Request *request, GPtrArray *rows))
{
  Request request = { .answer = answer };
  g_autoptr (GError) error = NULL;

  if (detour_client_list_parse_key (key, &request.filter, &error))
    client_list_ask (self, &request, call, client_list_on_found);
  else
    g_dbus_method_invocation_return_gerror (call, error);
}

static void
client_list_answer_rows (const Request *request, GPtrArray *rows)
{
  g_dbus_method_invocation_return_value (
      request->call, g_variant_new ("(@aa{sv})", client_list_make_rows (rows, 0, rows->len)));
}

void
detour_client_list_get (DetourClientList *self, const char *key, GDBusMethodInvocation *call)
{
  client_list_ask_for_one (self, key, call, client_list_answer_rows);
}

/* Why ------------------------------------------------------------------------------------------ */

static void
client_list_add_verdict (const DetourVerdictRecord *record, gpointer data)
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
  const DetourVerdict *verdict = record->verdict;
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "verdict", g_variant_new_string (results[verdict->result]));
  client_list_add_text (&row, "source", verdict->instance, strlen (verdict->instance));
  if (verdict->label != NULL)
    client_list_add_text (&row, "label", verdict->label, strlen (verdict->label));
  if (verdict->class_ != NULL)
    client_list_add_text (&row, "class", verdict->class_, strlen (verdict->class_));
  if (verdict->reason != NULL)
    client_list_add_text (&row, "reason", verdict->reason, strlen (verdict->reason));
  client_list_add_text (&row, "address", record->address, strlen (record->address));
  g_variant_builder_add (&row, "{sv}", "first", g_variant_new_uint64 ((guint64) record->first_us));
  g_variant_builder_add (&row, "{sv}", "last", g_variant_new_uint64 ((guint64) record->last_us));
  g_variant_builder_add (&row, "{sv}", "count", g_variant_new_uint64 (record->count));
  for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
    g_variant_builder_add (&row, "{sv}", flags[i].name,
                           g_variant_new_boolean ((verdict->flags & flags[i].flag) != 0));
  g_variant_builder_add_value (data, g_variant_builder_end (&row));
}

static void
client_list_answer_why (DetourClientList *self, const DetourKey *key, GDBusMethodInvocation *call)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  detour_admission_why (detour_server_admission (self->server), key, client_list_add_verdict, &out);
  g_dbus_method_invocation_return_value (call, g_variant_new ("(aa{sv})", &out));
}

static void
client_list_answer_why_found (const Request *request, GPtrArray *rows)
{
  client_list_answer_why (request->list, &((const DetourScanRow *) rows->pdata[0])->key,
                          request->call);
}

void
detour_client_list_why (DetourClientList *self, const char *key, GDBusMethodInvocation *call)
{
  DetourScanFilter filter;

  /* Verdicts on a whole key are known without a connected client. */
  if (detour_client_list_parse_key (key, &filter, NULL) && filter.n_digits == DETOUR_KEY_HEX_SIZE)
    client_list_answer_why (self, &filter.key, call);
  else
    client_list_ask_for_one (self, key, call, client_list_answer_why_found);
}

/* Disconnecting -------------------------------------------------------------------------------- */

static void
client_list_tell_disconnected (const DetourKey *key, guint n)
{
  g_autofree char *text = detour_key_to_text (key);
  char short_key[9];

  detour_key_to_short (key, short_key);
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
  g_queue_init (&self->kept);
  return self;
}

void
detour_client_list_free (DetourClientList *self)
{
  self->is_stopping = TRUE;
  while (self->n_asking > 0)
    g_main_context_iteration (NULL, TRUE);
  if (self->timer != 0)
    g_source_remove (self->timer);
  g_queue_clear_full (&self->kept, (GDestroyNotify) client_list_kept_free);
  g_free (self);
}
