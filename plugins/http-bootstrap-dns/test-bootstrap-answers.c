/* test-bootstrap-answers.c: names as they are written, and who is answered what.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bootstrap-answers.h"

#include <arpa/inet.h>
#include <string.h>

#include "test-program.h"

static const struct {
  const char *name, *text;
  gboolean published, unpublished; /* whether it is one */
} texts[] = {
  { "plain", "login.example.com", TRUE, TRUE },
  { "capitals", "Login.Example.COM", TRUE, TRUE },
  { "with-txt", "login.example.com/percent.example.com", FALSE, TRUE },
  { "empty", "", FALSE, FALSE },
  { "no-txt", "login.example.com/", FALSE, FALSE },
  { "two-txts", "a/b/c", FALSE, FALSE },
  { "quote", "a\"b", FALSE, FALSE },
  { "blank", "a b", FALSE, FALSE },
  { "letters",
    "b\xc3\xbc"
    "cher.example",
    FALSE, FALSE },
};

static void
test_text (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);

  for (guint is_unpublished = 0; is_unpublished < 2; is_unpublished++)
    {
      g_autofree char *problem = NULL;
      g_autoptr (BootstrapName)
          name = bootstrap_name_new (texts[i].text, is_unpublished != 0, &problem);

      g_assert_true ((name != NULL)
                     == (is_unpublished ? texts[i].unpublished : texts[i].published));
      g_assert_true ((problem == NULL) == (name != NULL));
      if (name == NULL)
        continue;
      g_assert_cmpstr (name->name, ==, "login.example.com");
      g_assert_cmpuint (name->percent, ==, name->txt_name != NULL ? 0 : 100);
      g_assert_cmpstr (name->txt_name, ==,
                       strchr (texts[i].text, '/') != NULL ? "percent.example.com" : NULL);
    }
}

static void
test_percent (void)
{
  static const struct {
    const char *records[4];
    guint percent;
  } rows[] = {
    { { NULL }, 0 },       { { "0" }, 0 },        { { "100" }, 100 },      { { "101" }, 0 },
    { { "-1" }, 0 },       { { "30", "x" }, 30 }, { { "30", "40" }, 40 },  { { "5 0" }, 0 },
    { { "v=1", "7" }, 7 }, { { "" }, 0 },         { { "12", "101" }, 12 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *problem = NULL;
      g_autoptr (BootstrapName) name = bootstrap_name_new ("a/b", TRUE, &problem);
      GList *records = NULL;

      for (guint k = 0; k < 4 && rows[i].records[k] != NULL; k++)
        {
          const char *const strings[] = { rows[i].records[k], NULL };

          records = g_list_append (records, g_variant_ref_sink (g_variant_new ("(^as)", strings)));
        }
      name->percent = 50;
      bootstrap_name_set_percent (name, records);
      g_assert_cmpuint (name->percent, ==, rows[i].percent);
      g_list_free_full (records, (GDestroyNotify) g_variant_unref);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static BootstrapName *
name_with (const char *text, gboolean is_unpublished, guint percent, const char *const *addresses)
{
  g_autofree char *problem = NULL;
  BootstrapName *name = bootstrap_name_new (text, is_unpublished, &problem);

  name->percent = percent;
  for (guint i = 0; addresses[i] != NULL; i++)
    g_ptr_array_add (name->addresses, g_strdup (addresses[i]));
  return name;
}

static BootstrapAnswers *
some_answers (guint percent)
{
  static const char *const none[] = { NULL };
  static const char *const two[] = { "192.0.2.7", "2001:db8::7", NULL };
  static const char *const one[] = { "192.0.2.8", NULL };
  g_autoptr (GPtrArray)
      published = g_ptr_array_new_with_free_func ((GDestroyNotify) bootstrap_name_free);
  g_autoptr (GPtrArray)
      unpublished = g_ptr_array_new_with_free_func ((GDestroyNotify) bootstrap_name_free);

  g_ptr_array_add (published, name_with ("b.example", FALSE, 100, one));
  g_ptr_array_add (published, name_with ("lost.example", FALSE, 100, none));
  g_ptr_array_add (published, name_with ("a.example", FALSE, 100, two));
  g_ptr_array_add (unpublished, name_with ("secret.example", TRUE, percent, one));
  g_ptr_array_add (unpublished, name_with ("lost.secret.example", TRUE, 100, none));
  g_ptr_array_add (unpublished, name_with ("a.example", TRUE, percent, one));
  return bootstrap_answers_new (published, unpublished);
}

#define PUBLISHED                                                                            \
  "{\n\t\"a.example\": [\n\t\t\"192.0.2.7\",\n\t\t\"2001:db8::7\"\n\t],\n\t\"b.example\": [" \
  "\n\t\t\"192.0.2.8\"\n\t]\n}"
#define SECRET "{\n\t\"secret.example\": [\n\t\t\"192.0.2.8\"\n\t]\n}"

static const struct {
  const char *name, *wish;
  guint percent;
  const char *json;
  guint outcome;
} wishes[] = {
  { "none", NULL, 100, PUBLISHED, 0 },
  { "empty", "", 100, PUBLISHED, 0 },
  { "published", "b.example", 100, PUBLISHED, BOOTSTRAP_PUBLISHED_HIT },
  { "published-without-address", "lost.example", 100, PUBLISHED, BOOTSTRAP_PUBLISHED_MISS },
  { "unknown", "other.example", 100, PUBLISHED, BOOTSTRAP_UNPUBLISHED_MISS },
  { "other-case", "B.example", 100, PUBLISHED, BOOTSTRAP_UNPUBLISHED_MISS },
  { "unpublished", "secret.example", 100, SECRET, BOOTSTRAP_UNPUBLISHED_HIT },
  { "unpublished-for-nobody", "secret.example", 0, PUBLISHED,
    BOOTSTRAP_UNPUBLISHED_PERCENT_MISS | BOOTSTRAP_UNPUBLISHED_MISS },
  { "unpublished-without-address", "lost.secret.example", 100, PUBLISHED,
    BOOTSTRAP_UNPUBLISHED_MISS },
  { "both-for-nobody", "a.example", 0, PUBLISHED,
    BOOTSTRAP_UNPUBLISHED_PERCENT_MISS | BOOTSTRAP_PUBLISHED_HIT },
};

static void
test_wish (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (BootstrapAnswers) answers = some_answers (wishes[i].percent);
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (0xc0000201) };
  guint outcome = ~0u;

  g_assert_cmpstr (
      bootstrap_answers_choose (answers, wishes[i].wish, (const struct sockaddr *) &peer, &outcome),
      ==, wishes[i].json);
  g_assert_cmpuint (outcome, ==, wishes[i].outcome);
}

/* About so many of all clients, always the same ones, and the more the higher the percentage. */
static void
test_share (void)
{
  g_autoptr (BootstrapAnswers) some = some_answers (30);
  g_autoptr (BootstrapAnswers) more = some_answers (60);
  guint n_some = 0, n_more = 0;

  for (guint32 i = 0; i < 10000; i++)
    {
      struct sockaddr_in peer = { .sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (0xc6120000 + i) };
      struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
      const struct sockaddr *address = (const struct sockaddr *) &peer;
      guint outcome, again, larger;

      mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
      memcpy (mapped.sin6_addr.s6_addr + 12, &peer.sin_addr, 4);
      bootstrap_answers_choose (some, "secret.example", address, &outcome);
      bootstrap_answers_choose (some, "secret.example", (const struct sockaddr *) &mapped, &again);
      bootstrap_answers_choose (more, "secret.example", address, &larger);
      g_assert_cmpuint (outcome, ==, again);
      g_assert_true (outcome != BOOTSTRAP_UNPUBLISHED_HIT || larger == BOOTSTRAP_UNPUBLISHED_HIT);
      n_some += outcome == BOOTSTRAP_UNPUBLISHED_HIT;
      n_more += larger == BOOTSTRAP_UNPUBLISHED_HIT;
    }
  g_assert_cmpuint (n_some, >, 2700);
  g_assert_cmpuint (n_some, <, 3300);
  g_assert_cmpuint (n_more, >, 5700);
  g_assert_cmpuint (n_more, <, 6300);
}

static void
test_loopback (void)
{
  g_autoptr (BootstrapAnswers) answers = some_answers (50);
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  guint n = 0;

  for (guint i = 0; i < 200; i++)
    {
      guint outcome;

      bootstrap_answers_choose (answers, "secret.example", (const struct sockaddr *) &peer,
                                &outcome);
      n += outcome == BOOTSTRAP_UNPUBLISHED_HIT;
    }
  g_assert_cmpuint (n, >, 0);
  g_assert_cmpuint (n, <, 200);
}

static void
test_nothing (void)
{
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  g_autoptr (BootstrapAnswers) answers = bootstrap_answers_new (none, none);
  struct sockaddr_in peer = { .sin_family = AF_INET };
  guint outcome;

  g_assert_cmpstr (
      bootstrap_answers_choose (answers, "x", (const struct sockaddr *) &peer, &outcome), ==, "{}");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/bootstrap-name/", texts, test_text);
  g_test_add_func ("/bootstrap-name/percent", test_percent);
  TEST_ADD_ROWS ("/bootstrap-answers/", wishes, test_wish);
  g_test_add_func ("/bootstrap-answers/share-of-clients", test_share);
  g_test_add_func ("/bootstrap-answers/loopback-is-any-client", test_loopback);
  g_test_add_func ("/bootstrap-answers/nothing-is-known", test_nothing);
  return g_test_run ();
}
