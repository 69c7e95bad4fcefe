/* test-http-bootstrap-dns.c: refreshes with a resolver of the test's own, whose answers change,
 * fail or never come.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <string.h>

#include "detour-plugin.h"
#include "plugin-bench.h"
#include "test-http-ask.h"
#include "test-program.h"

extern const DetourPlugin detour_plugin;

/* ---- the resolver ---------------------------------------------------------------------------- */

/* NULL: the question fails. */
static const char *address_of_a, *address_of_b, *percent_of_b;
/* Questions are kept without an answer. */
static gboolean is_silent;
static GPtrArray *kept;
static guint n_questions;

typedef GResolver TestResolver;
typedef GResolverClass TestResolverClass;

static GType test_resolver_get_type (void);
G_DEFINE_TYPE (TestResolver, test_resolver, G_TYPE_RESOLVER)

static void
free_addresses (gpointer data)
{
  g_list_free_full (data, g_object_unref);
}

static void
free_records (gpointer data)
{
  g_list_free_full (data, (GDestroyNotify) g_variant_unref);
}

static void
answer (GTask *task)
{
  const char *text = g_task_get_task_data (task);
  gboolean is_record = g_task_get_source_tag (task) != NULL;

  if (text == NULL)
    g_task_return_new_error (task, G_RESOLVER_ERROR, G_RESOLVER_ERROR_TEMPORARY_FAILURE, "no");
  else if (is_record)
    {
      const char *const strings[] = { text, NULL };

      g_task_return_pointer (
          task, g_list_append (NULL, g_variant_ref_sink (g_variant_new ("(^as)", strings))),
          free_records);
    }
  else
    g_task_return_pointer (task, g_list_append (NULL, g_inet_address_new_from_string (text)),
                           free_addresses);
  g_object_unref (task);
}

static void
ask (GResolver *resolver, const char *text, gboolean is_record, GCancellable *cancellable,
     GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (resolver, cancellable, callback, data);

  n_questions++;
  g_task_set_source_tag (task, is_record ? (gpointer) answer : NULL);
  g_task_set_task_data (task, g_strdup (text), g_free);
  if (is_silent)
    g_ptr_array_add (kept, task);
  else
    answer (task);
}

static void
test_resolver_by_name (GResolver *resolver, const char *name, GCancellable *cancellable,
                       GAsyncReadyCallback callback, gpointer data)
{
  g_assert_true (strcmp (name, "a.example") == 0 || strcmp (name, "b.example") == 0);
  ask (resolver, name[0] == 'a' ? address_of_a : address_of_b, FALSE, cancellable, callback, data);
}

static void
test_resolver_records (GResolver *resolver, const char *name, GResolverRecordType type,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_assert_cmpstr (name, ==, "percent.example");
  g_assert_cmpint (type, ==, G_RESOLVER_RECORD_TXT);
  ask (resolver, percent_of_b, TRUE, cancellable, callback, data);
}

static GList *
test_resolver_finish (GResolver *resolver, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
test_resolver_class_init (TestResolverClass *class_)
{
  class_->lookup_by_name_async = test_resolver_by_name;
  class_->lookup_by_name_finish = test_resolver_finish;
  class_->lookup_records_async = test_resolver_records;
  class_->lookup_records_finish = test_resolver_finish;
}

static void
test_resolver_init (TestResolver *self)
{
}

/* ---- the plugin ------------------------------------------------------------------------------ */

#define CONFIG                                                                               \
  "[http bootstrap-dns]\nnames = A.example\nunpublished-names = b.example/percent.example\n" \
  "refresh = 1s\n"

static PluginBench *
bench_start (const char *a, const char *b, const char *percent)
{
  PluginBench *bench = plugin_bench_new (&detour_plugin);

  address_of_a = a;
  address_of_b = b;
  percent_of_b = percent;
  n_questions = 0;
  plugin_bench_load_good (bench, CONFIG);
  plugin_bench_start (bench);
  return bench;
}

/* What stands behind the head of the answer. */
static char *
body (PluginBench *bench, const char *query)
{
  g_autofree char *text = g_strdup_printf ("GET /bootstrap-dns%s HTTP/1.1\r\nHost: h\r\n\r\n",
                                           query);
  g_autofree char *wire = test_http_ask (&bench->routes[0], bench->routes_user, text, 0);

  g_assert_true (g_str_has_prefix (wire, "HTTP/1.1 200 OK\r\n"));
  g_assert_nonnull (strstr (wire, "\r\nContent-Type: application/json\r\n"));
  g_assert_nonnull (strstr (wire, "\r\nConnection: close\r\n"));
  return g_strdup (strstr (wire, "\r\n\r\n") + 4);
}

static void
assert_body (PluginBench *bench, const char *query, const char *expected)
{
  g_autofree char *found = body (bench, query);

  g_assert_cmpstr (found, ==, expected);
}

#define ONLY(name, address) "{\n\t\"" name "\": [\n\t\t\"" address "\"\n\t]\n}"

typedef struct {
  PluginBench *bench;
  const char *query, *expected;
} Wait;

static gboolean
is_answered (gpointer data)
{
  Wait *wait = data;
  g_autofree char *found = body (wait->bench, wait->query);

  return strcmp (found, wait->expected) == 0;
}

static void
wait_for_body (PluginBench *bench, const char *query, const char *expected)
{
  Wait wait = { bench, query, expected };

  plugin_bench_wait (is_answered, &wait);
}

static gboolean
is_asked (gpointer data)
{
  return n_questions >= GPOINTER_TO_UINT (data);
}

static void
test_refresh (void)
{
  g_autoptr (PluginBench) bench = bench_start ("192.0.2.1", "192.0.2.2", "100");

  /* Nothing is known yet. */
  assert_body (bench, "", "{}");
  wait_for_body (bench, "", ONLY ("a.example", "192.0.2.1"));
  assert_body (bench, "?q=a.example", ONLY ("a.example", "192.0.2.1"));
  assert_body (bench, "?q=b%2Eexample", ONLY ("b.example", "192.0.2.2"));
  assert_body (bench, "?q=c.example&q=", ONLY ("a.example", "192.0.2.1"));
  assert_body (bench, "?%%%", ONLY ("a.example", "192.0.2.1"));

  address_of_a = "2001:db8::1";
  percent_of_b = "0";
  wait_for_body (bench, "", ONLY ("a.example", "2001:db8::1"));
  wait_for_body (bench, "?q=b.example", ONLY ("a.example", "2001:db8::1"));
  g_assert_cmpuint (plugin_bench_counter (bench, "published_hits"), ==, 1);
  g_assert_cmpuint (plugin_bench_counter (bench, "unpublished_hits"), >=, 1);
  g_assert_cmpuint (plugin_bench_counter (bench, "unpublished_percent_misses"), >=, 1);
  g_assert_cmpuint (plugin_bench_counter (bench, "requests"), >=, 7);
}

/* While the resolver fails, the last good answers stay. */
static void
test_failure (void)
{
  g_autoptr (PluginBench) bench = bench_start ("192.0.2.1", "192.0.2.2", "100");
  guint before;

  wait_for_body (bench, "", ONLY ("a.example", "192.0.2.1"));
  address_of_a = address_of_b = percent_of_b = NULL;
  before = n_questions;
  plugin_bench_wait (is_asked, GUINT_TO_POINTER (before + 6));
  assert_body (bench, "", ONLY ("a.example", "192.0.2.1"));
  assert_body (bench, "?q=b.example", ONLY ("b.example", "192.0.2.2"));
}

/* Answers that come when the instance is gone touch nothing; a refresh that is under way is not
 * begun again. */
static void
test_stop_meanwhile (void)
{
  PluginBench *bench;
  gint64 until_us;

  is_silent = TRUE;
  kept = g_ptr_array_new ();
  bench = bench_start ("192.0.2.1", "192.0.2.2", "100");
  until_us = g_get_monotonic_time () + 2500 * G_TIME_SPAN_MILLISECOND;
  while (g_get_monotonic_time () < until_us)
    {
      g_usleep (10000);
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpuint (n_questions, ==, 3);
  assert_body (bench, "", "{}");
  plugin_bench_free (bench);
  g_assert_cmpuint (kept->len, ==, 3);
  for (guint i = 0; i < kept->len; i++)
    answer (kept->pdata[i]);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_ptr_array_unref (kept);
  is_silent = FALSE;
}

static void
test_bad_names (void)
{
  static const struct {
    const char *line, *problem;
  } rows[] = {
    { "names = a b", "is not a host name" },
    { "names = a.example/percent.example", "is not a host name" },
    { "unpublished-names = good.example;bad/", "is not a host name" },
    { "refresh = 0s", "refresh" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *text = g_strdup_printf ("[http bootstrap-dns]\n%s\n", rows[i].line);
      g_autofree char *errors = plugin_bench_load (bench, text);

      g_assert_nonnull (errors);
      g_assert_nonnull (strstr (errors, rows[i].problem));
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (GResolver) resolver = NULL;

  g_test_init (&argc, &argv, NULL);
  resolver = g_object_new (test_resolver_get_type (), NULL);
  g_resolver_set_default (resolver);
  g_test_add_func ("/http-bootstrap-dns/refresh", test_refresh);
  g_test_add_func ("/http-bootstrap-dns/failure-keeps-the-last-answer", test_failure);
  g_test_add_func ("/http-bootstrap-dns/stop-while-a-refresh-is-under-way", test_stop_meanwhile);
  g_test_add_func ("/http-bootstrap-dns/bad-names", test_bad_names);
  return g_test_run ();
}
