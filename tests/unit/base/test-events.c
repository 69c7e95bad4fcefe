/* test-events.c: events of several threads in one bounded memory, repeated verdicts as one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-events.h"

static DetourKey
key_of (guint number)
{
  DetourKey key = { { 0 } };

  memcpy (key.bytes, &number, sizeof number);
  return key;
}

static void
refuse (guint key, const char *address, const char *text, gint64 now_us)
{
  DetourKey k = key_of (key);

  detour_events_add (&(DetourEvent) { .kind = DETOUR_EVENT_REFUSED,
                                      .key = &k,
                                      .address = address,
                                      .source = "auth/x",
                                      .text = text,
                                      .result = DETOUR_AUTH_DENY,
                                      .first_us = now_us,
                                      .last_us = now_us });
}

static void
expect (guint64 after, const DetourKey *key, const char *text)
{
  g_autoptr (GPtrArray) events = detour_events_read (after, key);
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; i < events->len; i++)
    {
      const DetourEvent *event = events->pdata[i];

      g_string_append_printf (out, "%s %s %s %ux %d-%d;", detour_event_kind_name (event->kind),
                              event->address != NULL ? event->address : "-",
                              event->text != NULL ? event->text : "-", event->count,
                              (int) event->first_us, (int) event->last_us);
    }
  g_assert_cmpstr (out->str, ==, text);
}

static void
test_repeats (void)
{
  DetourKey one = key_of (1), two = key_of (2);
  guint64 after;

  detour_events_init (64 * 1024);
  expect (0, &one, "");
  refuse (1, "a", "no", 10);
  refuse (1, "a", "no", 20);
  refuse (2, "a", "no", 25);
  after = detour_events_last ();
  refuse (1, "a", "no", 30);
  g_assert_cmpuint (detour_events_last (), ==, after);
  refuse (1, "b", "no", 40);
  refuse (1, "b", "never", 50);
  expect (0, &one, "refused a no 3x 10-30;refused b no 1x 40-40;refused b never 1x 50-50;");
  expect (0, &two, "refused a no 1x 25-25;");
  expect (after, NULL, "refused b no 1x 40-40;refused b never 1x 50-50;");
  /* The fourth time is told again. */
  refuse (1, "b", "never", 60);
  refuse (1, "b", "never", 70);
  after = detour_events_last ();
  refuse (1, "b", "never", 80);
  expect (after, NULL, "refused b never 4x 50-80;");
}

/* A client that is asked about again and may stay is no event, and no verdict of its own. */
static void
test_quiet (void)
{
  DetourKey one = key_of (1), two = key_of (2);
  DetourEvent event = { .kind = DETOUR_EVENT_ADMITTED,
                        .key = &one,
                        .address = "a",
                        .source = "auth/x",
                        .first_us = 10,
                        .last_us = 10 };
  guint64 after;

  detour_events_init (64 * 1024);
  detour_events_add (&event);
  after = detour_events_last ();
  event.is_quiet = TRUE;
  event.flags = 4;
  event.last_us = 20;
  detour_events_add (&event);
  event.key = &two;
  detour_events_add (&event);
  g_assert_cmpuint (detour_events_last (), ==, after);
  expect (0, NULL, "admitted a - 2x 10-20;");
  event.key = &one;
  event.source = "auth/y";
  detour_events_add (&event);
  expect (0, NULL, "admitted a - 2x 10-20;");
  /* Another class is news, once. */
  event.class_ = "fast";
  event.last_us = 30;
  detour_events_add (&event);
  event.last_us = 40;
  detour_events_add (&event);
  expect (0, NULL, "admitted a - 2x 10-20;admitted a - 2x 10-40;");
}

/* Strangers with ever new keys do not push out what happened to clients. */
static void
test_strangers (void)
{
  DetourKey friend_key = key_of (1);

  detour_events_init (64 * 1024);
  detour_events_note (DETOUR_EVENT_KICK, &friend_key, NULL, NULL, "by %s", "hand");
  for (guint i = 2; i < 5000; i++)
    {
      g_autofree char *address = g_strdup_printf ("198.18.%u.%u:80", i / 256, i % 256);

      refuse (i, address, "no", i);
    }
  {
    g_autoptr (GPtrArray) of_friend = detour_events_read (0, &friend_key);
    g_autoptr (GPtrArray) all = detour_events_read (0, NULL);

    g_assert_cmpuint (of_friend->len, ==, 1);
    g_assert_cmpstr (((DetourEvent *) of_friend->pdata[0])->text, ==, "by hand");
    g_assert_cmpuint (all->len, >, 50);
    g_assert_cmpuint (all->len, <, 500);
  }
}

/* One stranger, with ever new keys, does not push out who was refused from elsewhere. Connections
 * have a port, and requests to the admission have none. */
static void
check_one_stranger (gboolean with_port)
{
  DetourKey other = key_of (1), neighbour = key_of (2);

  detour_events_init (64 * 1024);
  refuse (1, "198.51.100.7:1", "no", 1);
  refuse (2, "[2001:db8:0:1::2]:5", "no", 1);
  for (guint i = 10; i < 5000; i++)
    {
      g_autofree char *four = with_port ? g_strdup_printf ("192.0.2.1:%u", i)
                                        : g_strdup ("192.0.2.1");
      g_autofree char *six = g_strdup_printf (with_port ? "[2001:db8::%x]:1" : "2001:db8::%x", i);

      refuse (i, four, "no", i);
      refuse (10000 + i, six, "no", i);
    }
  {
    g_autoptr (GPtrArray) all = detour_events_read (0, NULL);
    guint64 n_rest = 0, n_listed = 0;

    expect (0, &other, "refused 198.51.100.7:1 no 1x 1-1;");
    expect (0, &neighbour, "refused [2001:db8:0:1::2]:5 no 1x 1-1;");
    for (guint i = 0; i < all->len; i++)
      if (((DetourEvent *) all->pdata[i])->key == NULL)
        n_rest += ((DetourEvent *) all->pdata[i])->count;
      else
        n_listed++;
    g_assert_cmpuint (n_rest + n_listed, ==, 2 + 2 * 4990);
    g_assert_cmpuint (n_listed, >, 40);
  }
}

static void
test_one_stranger (void)
{
  check_one_stranger (TRUE);
  check_one_stranger (FALSE);
}

static void
test_long_text (void)
{
  g_autofree char *text = g_strnfill (1000, 'x');
  g_autoptr (GPtrArray) events = NULL;
  const DetourEvent *event;

  detour_events_init (64 * 1024);
  for (guint i = 0; i < 1000; i += 2)
    memcpy (text + i, "ü", 2);
  for (guint i = 0; i < 2; i++)
    detour_events_add (
        &(DetourEvent) { .kind = DETOUR_EVENT_SAY, .label = text + 2 * i, .text = text });
  /* In one of both there would be half a character at any limit. */
  detour_events_note (DETOUR_EVENT_SAY, NULL, NULL, NULL, "%s", text);
  detour_events_note (DETOUR_EVENT_SAY, NULL, NULL, NULL, "x%s", text);
  events = detour_events_read (0, NULL);
  g_assert_cmpuint (events->len, ==, 4);
  for (guint i = 0; i < events->len; i++)
    g_assert_true (g_utf8_validate (((const DetourEvent *) events->pdata[i])->text, -1, NULL));
  event = events->pdata[0];
  g_assert_cmpuint (strlen (event->text), >, 200);
  g_assert_cmpuint (strlen (event->text), <, 300);
  g_assert_null (event->source);
  g_assert_null (event->key);
}

static void
test_off (void)
{
  g_autoptr (GPtrArray) events = NULL;

  detour_events_init (0);
  detour_events_note (DETOUR_EVENT_RELOAD, NULL, NULL, NULL, "%s", "again");
  events = detour_events_read (0, NULL);
  g_assert_cmpuint (events->len, ==, 0);
}

#define THREADS 4u
#define EACH    20000u

static gpointer
run_writer (gpointer data)
{
  guint base = GPOINTER_TO_UINT (data) << 20;

  for (guint i = 0; i < EACH; i++)
    {
      DetourKey key = key_of (base + i);

      detour_events_note (DETOUR_EVENT_JOIN, &key, "192.0.2.1:1", "transport/https", "%u", i);
    }
  return NULL;
}

/* A reader that follows sees each event at most once, in order, and the last ones of all. */
static void
test_threads (void)
{
  GThread *threads[THREADS];
  guint64 begin, last;
  const gboolean stop = FALSE;

  detour_events_init (64 * 1024);
  begin = last = detour_events_last ();
  for (guint i = 0; i < THREADS; i++)
    threads[i] = g_thread_new ("writer", run_writer, GUINT_TO_POINTER (i));
  while (last < begin + THREADS * EACH)
    {
      g_autoptr (GPtrArray) events = NULL;

      detour_events_wait (last, &stop, 0);
      events = detour_events_read (last, NULL);
      for (guint i = 0; i < events->len; i++)
        {
          const DetourEvent *event = events->pdata[i];

          g_assert_cmpuint (event->number, >, last);
          last = event->number;
        }
    }
  for (guint i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (detour_events_last (), ==, begin + THREADS * EACH);
}

static gpointer
run_waiter (gpointer data)
{
  detour_events_wait (G_MAXUINT64 - 1, data, 0);
  return NULL;
}

static void
test_wake (void)
{
  gboolean stop = FALSE;
  GThread *waiter = g_thread_new ("waiter", run_waiter, &stop);

  detour_events_wake (&stop);
  g_thread_join (waiter);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/events/repeated-verdicts-are-counted", test_repeats);
  g_test_add_func ("/events/confirmations-are-quiet", test_quiet);
  g_test_add_func ("/events/one-stranger-has-a-share", test_one_stranger);
  g_test_add_func ("/events/strangers-do-not-push-out-clients", test_strangers);
  g_test_add_func ("/events/long-texts-are-cut-between-characters", test_long_text);
  g_test_add_func ("/events/none-where-there-is-no-memory", test_off);
  g_test_add_func ("/events/many-threads-and-one-that-follows", test_threads);
  g_test_add_func ("/events/a-waiter-is-woken", test_wake);
  return g_test_run ();
}
