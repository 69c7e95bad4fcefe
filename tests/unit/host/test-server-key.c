/* test-server-key.c: the file of the server's key, ours and derper's.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-key.h"

#include <glib/gstdio.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX  "77076d0a7318a57d3c16c17251b26645df4c7d4e8ba44a6a1d3e4a7a5a9b2c2a"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"

static void
parse (void)
{
  static const struct {
    const char *text;
    const char *error; /* NULL: good */
  } cases[] = {
    { "{\n\t\"PrivateKey\": \"privkey:" HEX "\"\n}", NULL },
    { "{\"PrivateKey\":\"privkey:" HEX "\"}\n", NULL },
    { "{\"privatekey\":\"privkey:"
      "77076D0A7318A57D3C16C17251B26645DF4C7D4E8BA44A6A1D3E4A7A5A9B2C2A\",\"x\":[1]}",
      NULL },
    { "", "this is no JSON (" },
    { "privkey:" HEX, "this is no JSON (" },
    { "{\"PrivateKey\":\"privkey:" HEX "\"", "this is no JSON (" },
    { "[[[[[[[[[[]]]]]]]]]]", "this is no JSON (" },
    { "[]", "it has no text \"PrivateKey\"" },
    { "{}", "it has no text \"PrivateKey\"" },
    { "{\"PrivateKey\":1}", "it has no text \"PrivateKey\"" },
    { "{\"PublicKey\":\"privkey:" HEX "\"}", "it has no text \"PrivateKey\"" },
    { "{\"PrivateKey\":\"nodekey:" HEX "\"}", "\"PrivateKey\" must be" },
    { "{\"PrivateKey\":\"" HEX "\"}", "\"PrivateKey\" must be" },
    { "{\"PrivateKey\":\"privkey:" HEX "0\"}", "\"PrivateKey\" must be" },
    { "{\"PrivateKey\":\"privkey:77\"}", "\"PrivateKey\" must be" },
    { "{\"PrivateKey\":\"privkey:" ZERO "\"}", "\"PrivateKey\" must be" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      DetourServerKey *key;

      g_test_message ("%s", cases[i].text);
      key = detour_server_key_parse (cases[i].text, strlen (cases[i].text), &error);
      if (cases[i].error == NULL)
        {
          char hex[2 * DETOUR_KEY_SIZE + 1];
          guint8 public_key[DETOUR_KEY_SIZE];

          g_assert_no_error (error);
          sodium_bin2hex (hex, sizeof hex, detour_server_key_private (key), DETOUR_KEY_SIZE);
          g_assert_cmpstr (hex, ==, HEX);
          crypto_scalarmult_base (public_key, detour_server_key_private (key));
          g_assert_cmpmem (detour_server_key_public (key)->bytes, DETOUR_KEY_SIZE, public_key,
                           DETOUR_KEY_SIZE);
          detour_server_key_free (key);
        }
      else
        {
          g_assert_null (key);
          g_assert_error (error, DETOUR_SERVER_KEY_ERROR, DETOUR_SERVER_KEY_ERROR_FORM);
          g_assert_true (g_str_has_prefix (error->message, cases[i].error));
        }
    }
}

static void
created_once (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *state = g_build_filename (dir, "state", NULL);
  g_autofree char *path = g_build_filename (state, "server.key", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourServerKey) first = NULL;
  g_autoptr (DetourServerKey) second = NULL;
  g_autoptr (GDir) listing = NULL;
  gboolean created;
  struct stat st;

  first = detour_server_key_load_or_create (path, &created, &error);
  g_assert_no_error (error);
  g_assert_true (created);
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);
  g_assert_cmpint (stat (state, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);

  second = detour_server_key_load_or_create (path, &created, &error);
  g_assert_no_error (error);
  g_assert_false (created);
  g_assert_cmpmem (detour_server_key_private (first), DETOUR_KEY_SIZE,
                   detour_server_key_private (second), DETOUR_KEY_SIZE);

  /* What exists is never replaced, and nothing is left beside it. */
  g_assert_false (detour_server_key_save (first, path, &error));
  g_assert_error (error, DETOUR_SERVER_KEY_ERROR, DETOUR_SERVER_KEY_ERROR_EXISTS);
  listing = g_dir_open (state, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (listing), ==, "server.key");
  g_assert_null (g_dir_read_name (listing));

  g_remove (path);
  g_rmdir (state);
  g_rmdir (dir);
}

static void
form_of_derper (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (dir, "derper.key", NULL);
  static const char text[] = "{\n\t\"PrivateKey\": \"privkey:" HEX "\"\n}";
  g_autoptr (DetourServerKey) key = detour_server_key_parse (text, strlen (text), NULL);
  g_autofree char *found = NULL;

  g_assert_true (detour_server_key_save (key, path, NULL));
  g_assert_true (g_file_get_contents (path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, text);
  g_remove (path);
  g_rmdir (dir);
}

static void
open_to_everyone (void)
{
  static const struct {
    int mode;
    gboolean good;
  } cases[] = { { 0600, TRUE },  { 0400, TRUE },  { 0640, TRUE },  { 0660, FALSE },
                { 0620, FALSE }, { 0644, FALSE }, { 0604, FALSE }, { 0602, FALSE } };
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (dir, "key", NULL);
  g_autoptr (DetourServerKey) key = detour_server_key_new ();

  g_assert_true (detour_server_key_save (key, path, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DetourServerKey) again = NULL;

      g_assert_cmpint (chmod (path, (mode_t) cases[i].mode), ==, 0);
      again = detour_server_key_load (path, &error);
      g_assert_cmpint (again != NULL, ==, cases[i].good);
      if (!cases[i].good)
        {
          g_assert_error (error, DETOUR_SERVER_KEY_ERROR, DETOUR_SERVER_KEY_ERROR_OPEN);
          g_assert_nonnull (strstr (error->message, "; run: chmod "));
        }
    }
  g_remove (path);
  g_rmdir (dir);
}

static void
of_somebody_else (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (dir, "key", NULL);
  g_autoptr (DetourServerKey) key = detour_server_key_new ();
  g_autoptr (DetourServerKey) again = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (detour_server_key_save (key, path, NULL));
  if (chown (path, 12345, (gid_t) -1) == 0)
    {
      again = detour_server_key_load (path, &error);
      g_assert_error (error, DETOUR_SERVER_KEY_ERROR, DETOUR_SERVER_KEY_ERROR_OPEN);
      g_assert_nonnull (strstr (error->message, "it belongs to user 12345, who can change it"));
    }
  else
    g_test_skip ("only root can give a file away");
  g_remove (path);
  g_rmdir (dir);
}

static void
no_file (void)
{
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (detour_server_key_load (dir, &error));
  g_assert_error (error, DETOUR_SERVER_KEY_ERROR, DETOUR_SERVER_KEY_ERROR_FILE);
  g_clear_error (&error);
  g_assert_null (detour_server_key_load (missing, &error));
  g_assert_error (error, DETOUR_SERVER_KEY_ERROR, DETOUR_SERVER_KEY_ERROR_FILE);
  g_clear_error (&error);
  g_assert_cmpint (mkfifo (missing, 0600), ==, 0);
  g_assert_null (detour_server_key_load (missing, &error));
  g_assert_error (error, DETOUR_SERVER_KEY_ERROR, DETOUR_SERVER_KEY_ERROR_FILE);
  g_remove (missing);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (sodium_init (), >=, 0);
  g_test_add_func ("/server-key/what-a-file-may-hold", parse);
  g_test_add_func ("/server-key/made-once-and-private", created_once);
  g_test_add_func ("/server-key/written-as-derper-does", form_of_derper);
  g_test_add_func ("/server-key/open-to-everyone-is-refused", open_to_everyone);
  g_test_add_func ("/server-key/of-somebody-else-is-refused", of_somebody_else);
  g_test_add_func ("/server-key/no-file", no_file);
  return g_test_run ();
}
