/* test-http-acme.c: what is answered to a certificate authority, and what is not.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-plugin.h"
#include "detour-settings.h"
#include "test-http-ask.h"
#include "test-program.h"

extern const DetourPlugin detour_plugin;

/* The part of the host that this plugin needs. */
struct _DetourHost {
  DetourCounter answered, unknown;
  const char *token, *answer; /* the one that waits */
};

DetourCounter *
detour_host_counter (DetourHost *host, const char *name, const char *help)
{
  return strcmp (name, "answered") == 0 ? &host->answered : &host->unknown;
}

char *
detour_host_find_http_challenge (DetourHost *host, const char *token)
{
  return g_strcmp0 (host->token, token) == 0 ? g_strdup (host->answer) : NULL;
}

#define PLACE ".well-known/acme-challenge"
#define LONG                                                         \
  "0123456789012345678901234567890123456789012345678901234567890123" \
  "0123456789012345678901234567890123456789012345678901234567890123"

typedef struct {
  DetourHost host;
  char *root;
  DetourSettings *settings;
  gpointer self;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *place = NULL;

  f->root = g_dir_make_tmp ("http-acme-XXXXXX", NULL);
  place = g_build_filename (f->root, PLACE, NULL);
  g_assert_cmpint (g_mkdir_with_parents (place, 0755), ==, 0);
  f->settings = detour_settings_new ("http acme", detour_plugin.config, "test.conf", 1);
  if (data != NULL)
    detour_settings_set (f->settings, "web-root", f->root, "test.conf", 2, &error);
  g_assert_no_error (error);
  f->self = detour_plugin.start (&f->host, f->settings, &error);
  g_assert_no_error (error);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  g_autofree char *place = g_build_filename (f->root, PLACE, NULL);
  g_autofree char *above = g_build_filename (f->root, ".well-known", NULL);
  g_autoptr (GDir) dir = g_dir_open (place, 0, NULL);
  const char *name;

  detour_plugin.stop (f->self);
  detour_settings_unref (f->settings);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (place, name, NULL);

      g_remove (path);
    }
  g_rmdir (place);
  g_rmdir (above);
  g_rmdir (f->root);
  g_free (f->root);
}

static char *
path_of (Fixture *f, const char *name)
{
  return g_build_filename (f->root, PLACE, name, NULL);
}

static void
put (Fixture *f, const char *name, const char *text)
{
  g_autofree char *path = path_of (f, name);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

/* The body of a 200, or NULL for a 404. */
static char *
ask (Fixture *f, const char *host, const char *target)
{
  const DetourHttpRoute *route = detour_plugin.funcs.http->routes;
  g_autofree char *text = g_strdup_printf ("GET /" PLACE "/%s HTTP/1.1\r\nHost: %s\r\n\r\n", target,
                                           host);
  g_autofree char *wire = test_http_ask (route, f->self, text, 0);

  g_assert_nonnull (strstr (wire, "Content-Type: text/plain"));
  if (g_str_has_prefix (wire, "HTTP/1.1 404 "))
    return NULL;
  g_assert_true (g_str_has_prefix (wire, "HTTP/1.1 200 OK\r\n"));
  return g_strdup (strstr (wire, "\r\n\r\n") + 4);
}

static void
assert_answer (Fixture *f, const char *target, const char *expected)
{
  g_autofree char *body = ask (f, "relay.example", target);

  g_assert_cmpstr (body, ==, expected);
}

static void
waiting (Fixture *f, gconstpointer data)
{
  static const char *const hosts[] = { "relay.example",       "RELAY.example:80",
                                       "192.0.2.1",           "[2001:db8::5]",
                                       "[2001:db8::5]:80",    "name:443",
                                       "something.else.test", "" };

  f->host.token = "abc-DEF_1";
  f->host.answer = "abc-DEF_1.thumb";
  for (guint i = 0; i < G_N_ELEMENTS (hosts); i++)
    {
      g_autofree char *body = ask (f, hosts[i], "abc-DEF_1");

      g_assert_cmpstr (body, ==, "abc-DEF_1.thumb");
    }
  assert_answer (f, "abc-DEF_1?x=y", "abc-DEF_1.thumb");
  g_assert_cmpuint (detour_counter_get (&f->host.answered), ==, G_N_ELEMENTS (hosts) + 1);
  assert_answer (f, "other", NULL);
  assert_answer (f, "", NULL);
  assert_answer (f, "abc-DEF_1/", NULL);
  g_assert_cmpuint (detour_counter_get (&f->host.unknown), ==, 3);
}

static void
files (Fixture *f, gconstpointer data)
{
  g_autofree char *link = path_of (f, "link");
  g_autofree char *pipe = path_of (f, "pipe");
  g_autofree char *folder = path_of (f, "folder");
  g_autofree char *target = path_of (f, "good");
  g_autofree char *many = g_strnfill (600, 'a');
  g_autofree char *huge = g_strconcat ("huge.", many, NULL);

  put (f, "good", "good.thumb");
  assert_answer (f, "good", "good.thumb");
  put (f, "feed", "feed.thumb\n");
  assert_answer (f, "feed", "feed.thumb");
  put (f, LONG, LONG ".t");
  assert_answer (f, LONG, LONG ".t");

  put (f, "key", "-----BEGIN PRIVATE KEY-----\n");
  assert_answer (f, "key", NULL);
  put (f, "behind", "behind.thumb\nprivate");
  assert_answer (f, "behind", NULL);
  put (f, "other", "good.thumb");
  assert_answer (f, "other", NULL);
  put (f, "huge", huge);
  assert_answer (f, "huge", NULL);
  put (f, "a.b", "a.b.thumb");
  assert_answer (f, "a.b", NULL);
  assert_answer (f, "..", NULL);
  assert_answer (f, "../good", NULL);
  assert_answer (f, "%67ood", NULL);
  assert_answer (f, "none", NULL);
  assert_answer (f, LONG "0", NULL);
  g_assert_cmpint (symlink (target, link), ==, 0);
  assert_answer (f, "link", NULL);
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  assert_answer (f, "pipe", NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  assert_answer (f, "folder", NULL);

  /* What the daemon itself waits for goes first. */
  f->host.token = "good";
  f->host.answer = "good.own";
  assert_answer (f, "good", "good.own");
}

static void
no_web_root (Fixture *f, gconstpointer data)
{
  put (f, "good", "good.thumb");
  assert_answer (f, "good", NULL);
}

static void
route (void)
{
  const DetourHttpRoute *routes = detour_plugin.funcs.http->routes;

  g_assert_cmpstr (routes[0].path, ==, "/" PLACE "/");
  g_assert_cmpint (routes[0].sites, ==, DETOUR_SITE_CLIENTS | DETOUR_SITE_PLAIN);
  g_assert_cmpint (routes[0].flags, ==, DETOUR_HTTP_BELOW);
  g_assert_null (routes[1].path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-acme/route", route);
  g_test_add ("/http-acme/waiting", Fixture, NULL, setup, waiting, teardown);
  g_test_add ("/http-acme/files", Fixture, "root", setup, files, teardown);
  g_test_add ("/http-acme/no-web-root", Fixture, NULL, setup, no_web_root, teardown);
  return g_test_run ();
}
