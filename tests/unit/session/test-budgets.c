/* test-budgets.c: what is kept of budgets beyond the end of a daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-budgets.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "test-program.h"

typedef struct {
  char *dir;
  char *path;
  DetourConfig *config;
  guint64 relayed;
  guint n_changes;
} Fixture;

static void
collect (gpointer user)
{
}

static guint64
relayed (gpointer user)
{
  return ((Fixture *) user)->relayed;
}

static void
changed (gpointer user)
{
  ((Fixture *) user)->n_changes++;
}

static const DetourBudgetsPort port = { collect, relayed, changed };

static void
add_class (Fixture *f, const char *name)
{
  DetourSettings *settings = detour_settings_new (name, detour_schema_class, "f", 1);

  g_assert_true (detour_settings_set (settings, "quota", "1G", "f", 2, NULL));
  g_ptr_array_add (f->config->classes, detour_class_new (name, settings));
}

static void
setup (Fixture *f, gconstpointer data)
{
  f->dir = g_dir_make_tmp ("test-budgets-XXXXXX", NULL);
  f->path = g_build_filename (f->dir, "budgets", NULL);
  f->config = detour_config_new ();
  f->config->options.limits.quota.day = 1;
  add_class (f, "friends");
}

static void
teardown (Fixture *f, gconstpointer data)
{
  g_autofree char *aside = g_strconcat (f->path, ".broken", NULL);

  g_remove (aside);
  g_remove (f->path);
  g_assert_cmpint (g_rmdir (f->dir), ==, 0);
  detour_config_unref (f->config);
  g_free (f->dir);
  g_free (f->path);
}

static DetourBudgets *
start (Fixture *f)
{
  DetourBudgets *budgets = detour_budgets_new (&port, f);

  f->relayed = 0;
  detour_budgets_open (budgets, f->dir);
  detour_budgets_apply (budgets, f->config);
  return budgets;
}

static guint64
used (const DetourBudgets *budgets, const char *kind, const char *name)
{
  DetourBudgetRow row;

  g_assert_true (detour_budgets_find (budgets, kind, name, &row));
  return row.used;
}

static void
use (Fixture *f, DetourBudgets *budgets, guint64 bytes)
{
  f->relayed += bytes;
  detour_account_add (detour_budgets_account (budgets, "class", "friends"), bytes);
  detour_budgets_pass (budgets, g_get_real_time () / G_USEC_PER_SEC);
}

static void
an_end_keeps_all (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (DetourBudgets) budgets = start (f);

      g_assert_cmpuint (used (budgets, "relay", ""), ==, 100 * i);
      g_assert_cmpuint (used (budgets, "class", "friends"), ==, 100 * i);
      use (f, budgets, 60);
      use (f, budgets, 0);
      /* What comes after the last look counts as well. */
      f->relayed += 40;
      detour_account_add (detour_budgets_account (budgets, "class", "friends"), 40);
    }
}

/* A class that is taken out and comes back goes on. */
static void
a_class_may_come_back (Fixture *f, gconstpointer data)
{
  g_autoptr (DetourConfig) without = detour_config_new ();
  DetourBudgetRow row;

  without->options.limits.quota.day = 1;
  {
    g_autoptr (DetourBudgets) budgets = start (f);

    use (f, budgets, 100);
    detour_budgets_apply (budgets, without);
    g_assert_false (detour_budgets_find (budgets, "class", "friends", &row));
  }
  {
    g_autoptr (DetourBudgets) budgets = detour_budgets_new (&port, f);

    f->relayed = 0;
    detour_budgets_open (budgets, f->dir);
    detour_budgets_apply (budgets, without);
    g_assert_false (detour_budgets_find (budgets, "class", "friends", &row));
    f->relayed = 5;
  }
  {
    g_autoptr (DetourBudgets) budgets = start (f);

    g_assert_cmpuint (used (budgets, "class", "friends"), ==, 100);
    g_assert_cmpuint (used (budgets, "relay", ""), ==, 105);
  }
}

static void
broken (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = { "nonsense", "[budgets]\nversion=77\n", "" };
  g_autofree char *aside = g_strconcat (f->path, ".broken", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *kept = NULL;

      g_assert_true (g_file_set_contents (f->path, texts[i], -1, NULL));
      {
        g_autoptr (DetourBudgets) budgets = start (f);

        g_assert_cmpuint (used (budgets, "class", "friends"), ==, 0);
        use (f, budgets, 7);
      }
      g_assert_true (g_file_get_contents (aside, &kept, NULL, NULL));
      g_assert_cmpstr (kept, ==, texts[i]);
      {
        g_autoptr (DetourBudgets) budgets = start (f);

        g_assert_cmpuint (used (budgets, "class", "friends"), ==, 7);
      }
    }
}

/* The relay goes on, and writes again when it can. */
static void
a_directory_that_is_gone (Fixture *f, gconstpointer data)
{
  g_autoptr (DetourBudgets) budgets = start (f);

  g_assert_cmpint (g_rmdir (f->dir), ==, 0);
  use (f, budgets, G_GUINT64_CONSTANT (2) << 30);
  g_assert_cmpuint (f->n_changes, ==, 1);
  g_assert_cmpint (g_mkdir (f->dir, 0700), ==, 0);
  use (f, budgets, 1);
  g_clear_pointer (&budgets, detour_budgets_free);
  g_assert_true (g_file_test (f->path, G_FILE_TEST_EXISTS));
}

/* Nothing was used: nothing is written, and no timer makes it so. */
static void
nothing_to_write (Fixture *f, gconstpointer data)
{
  {
    g_autoptr (DetourBudgets) budgets = start (f);

    use (f, budgets, 1);
  }
  g_assert_cmpint (g_remove (f->path), ==, 0);
  {
    g_autoptr (DetourBudgets) budgets = start (f);

    use (f, budgets, 1);
  }
  g_assert_true (g_file_test (f->path, G_FILE_TEST_EXISTS));
  g_assert_cmpint (g_chmod (f->path, 0600), ==, 0);
  {
    GStatBuf before, after;

    g_assert_cmpint (g_stat (f->path, &before), ==, 0);
    {
      g_autoptr (DetourBudgets) budgets = start (f);

      use (f, budgets, 0);
    }
    g_assert_cmpint (g_stat (f->path, &after), ==, 0);
    g_assert_cmpuint (before.st_ino, ==, after.st_ino);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (test_log_nothing, NULL, NULL);
  g_test_add ("/budgets/an-end-keeps-all", Fixture, NULL, setup, an_end_keeps_all, teardown);
  g_test_add ("/budgets/a-class-may-come-back", Fixture, NULL, setup, a_class_may_come_back,
              teardown);
  g_test_add ("/budgets/broken-file", Fixture, NULL, setup, broken, teardown);
  g_test_add ("/budgets/a-directory-that-is-gone", Fixture, NULL, setup, a_directory_that_is_gone,
              teardown);
  g_test_add ("/budgets/nothing-to-write", Fixture, NULL, setup, nothing_to_write, teardown);
  return g_test_run ();
}
