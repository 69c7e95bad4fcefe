/* test-http-home.c: tests of the pages that can be shown, and of page files that cannot be read.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-plugin.h"
#include "detour-settings.h"
#include "home-page.h"
#include "test-http-ask.h"
#include "test-program.h"

extern const DetourPlugin detour_plugin;

/* The part of the host that this plugin needs. */
struct _DetourHost {
  char *trouble;
};

void
detour_host_set_trouble (DetourHost *host, const char *format, ...)
{
  va_list args;

  g_clear_pointer (&host->trouble, g_free);
  if (format == NULL)
    return;
  va_start (args, format);
  host->trouble = g_strdup_vprintf (format, args);
  va_end (args);
}

static DetourSettings *
settings_of (const char *page)
{
  DetourSettings *settings = detour_settings_new ("http home", detour_plugin.config, "test.conf",
                                                  1);
  GError *error = NULL;

  detour_settings_set (settings, "page", page, "test.conf", 2, &error);
  g_assert_no_error (error);
  return settings;
}

static gpointer
start (DetourHost *host, const char *page)
{
  g_autoptr (DetourSettings) settings = settings_of (page);
  GError *error = NULL;
  gpointer self;

  g_assert_true (detour_plugin.check (settings, &error));
  self = detour_plugin.start (host, settings, &error);
  g_assert_no_error (error);
  g_assert_nonnull (self);
  return self;
}

/* What goes on the wire for a GET of @path, without the end of the browser headers, which are the
 * same everywhere. */
static char *
ask (gpointer self, const char *path, DetourListenerFlags flags)
{
  static const char browser[] = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Security-Policy: ";
  static const char browser_end[] = "X-Content-Type-Options: nosniff\r\n";
  const DetourHttpRoute *route = detour_plugin.funcs.http->routes;
  g_autofree char *text = g_strdup_printf ("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
  char *wire, *from, *to;

  while (strcmp (route->path, path) != 0)
    route++;
  wire = test_http_ask (route, self, text, flags);
  from = strstr (wire, browser);
  g_assert_nonnull (from);
  to = strstr (from, browser_end);
  g_assert_nonnull (to);
  to += strlen (browser_end);
  memmove (from, to, strlen (to) + 1);
  return wire;
}

#define HTML "Content-Type: text/html; charset=utf-8\r\n"
#define TEXT "Content-Type: text/plain; charset=utf-8\r\n"

static const struct {
  const char *name, *page, *expected;
} cases[] = {
  { "blank", "blank", "HTTP/1.1 200 OK\r\n" HTML "Content-Length: 0\r\n\r\n" },
  { "not-found", "not-found",
    "HTTP/1.1 404 Not Found\r\n" TEXT "Content-Length: 22\r\n\r\nThere is no such page\n" },
  { "redirect", "redirect:https://example.com/a?b=c",
    "HTTP/1.1 302 Found\r\nLocation: https://example.com/a?b=c\r\nContent-Length: 0\r\n\r\n" },
  { "redirect-http", "redirect:HTTP://[2001:db8::1]:81",
    "HTTP/1.1 302 Found\r\nLocation: HTTP://[2001:db8::1]:81\r\nContent-Length: 0\r\n\r\n" },
};

static void
test_page (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  DetourHost host = { NULL };
  gpointer self = start (&host, cases[i].page);
  g_autofree char *wire = ask (self, "/", 0);

  g_assert_cmpstr (wire, ==, cases[i].expected);
  detour_plugin.reload (self);
  g_assert_null (host.trouble);
  detour_plugin.stop (self);
}

static void
test_default (void)
{
  DetourHost host = { NULL };
  gpointer self = start (&host, "default");
  g_autofree char *on = ask (self, "/", DETOUR_LISTENER_DERP);
  g_autofree char *off = ask (self, "/", 0);

  g_assert_true (g_str_has_prefix (on, "HTTP/1.1 200 OK\r\n" HTML));
  g_assert_nonnull (strstr (on, "<h1>DERP relay</h1>"));
  g_assert_null (strstr (on, "disabled"));
  g_assert_nonnull (strstr (off, "disabled"));
  /* The default page must not use anything that its own headers forbid. */
  g_assert_null (strstr (on, "<script"));
  g_assert_null (strstr (on, "style"));
  detour_plugin.stop (self);
}

static void
test_robots (void)
{
  DetourHost host = { NULL };
  gpointer self = start (&host, "not-found");
  g_autofree char *wire = ask (self, "/robots.txt", 0);

  g_assert_cmpstr (wire, ==,
                   "HTTP/1.1 200 OK\r\n" TEXT
                   "Content-Length: 26\r\n\r\nUser-agent: *\nDisallow: /\n");
  detour_plugin.stop (self);
}

static const struct {
  const char *name, *page, *problem;
} bad[] = {
  { "empty", "", "*is no page; write blank,*" },
  { "other-word", "404", "*\"404\" is no page; write blank,*" },
  { "capitals", "Blank", "*is no page*" },
  { "redirect-nowhere", "redirect:", "*whole http or https address*" },
  { "redirect-path", "redirect:/here", "*\"/here\" is not a whole http or https address*" },
  { "redirect-other-scheme", "redirect:ftp://example.com/", "*whole http or https address*" },
  { "redirect-script", "redirect:javascript:alert(1)", "*whole http or https address*" },
  { "redirect-no-host", "redirect:https:///x", "*whole http or https address*" },
  { "redirect-line", "redirect:https://example.com/\r\nX: y", "*whole http or https address*" },
  { "redirect-blank", "redirect:https://example.com/ x", "*whole http or https address*" },
  { "redirect-letters", "redirect:https://example.com/\xc3\xa4", "*whole http or https address*" },
  { "file-relative", "file:home.html", "*\"home.html\" is not an absolute path*" },
  { "file-missing", "file:/nonexistent/home.html",
    "*/nonexistent/home.html: cannot be read: No such file*" },
  { "file-folder", "file:/", "*/: cannot be read: it is a directory; expected a regular file*" },
  { "file-device", "file:/dev/zero",
    "*/dev/zero: cannot be read: it is a device; expected a regular file*" },
};

static void
test_bad_page (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (DetourSettings) settings = settings_of (bad[i].page);
  DetourHost host = { NULL };
  g_autoptr (GError) checked = NULL;
  g_autoptr (GError) started = NULL;

  g_assert_false (detour_plugin.check (settings, &checked));
  g_assert_true (g_pattern_match_simple (bad[i].problem, checked->message));
  g_assert_true (g_str_has_prefix (checked->message, "test.conf:2: [http home] page: "));
  g_assert_null (detour_plugin.start (&host, settings, &started));
  g_assert_cmpstr (started->message, ==, checked->message);
}

typedef struct {
  char *dir, *path, *page;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->dir = g_dir_make_tmp ("http-home-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->dir, "home.html", NULL);
  fixture->page = g_strconcat ("file:", fixture->path, NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_unlink (fixture->path);
  g_rmdir (fixture->dir);
  g_free (fixture->dir);
  g_free (fixture->path);
  g_free (fixture->page);
}

static void
write_page (Fixture *fixture, const char *text, gssize len)
{
  g_assert_true (g_file_set_contents (fixture->path, text, len, NULL));
}

static void
assert_shows (gpointer self, const char *html)
{
  g_autofree char *wire = ask (self, "/", 0);
  g_autofree char *expected = g_strdup_printf (
      "HTTP/1.1 200 OK\r\n" HTML "Content-Length: %zu\r\n\r\n%s", strlen (html), html);

  g_assert_cmpstr (wire, ==, expected);
}

static void
test_file_reload (Fixture *fixture, gconstpointer data)
{
  DetourHost host = { NULL };
  gpointer self;

  write_page (fixture, "<p>one", -1);
  self = start (&host, fixture->page);
  assert_shows (self, "<p>one");

  /* Read at start and on reload, not in between. */
  write_page (fixture, "<p>two", -1);
  assert_shows (self, "<p>one");
  detour_plugin.reload (self);
  assert_shows (self, "<p>two");

  g_unlink (fixture->path);
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*stays as it was*No such file*");
  detour_plugin.reload (self);
  g_test_assert_expected_messages ();
  assert_shows (self, "<p>two");
  g_assert_nonnull (strstr (host.trouble, fixture->path));

  write_page (fixture, "", 0);
  detour_plugin.reload (self);
  assert_shows (self, "");
  g_assert_null (host.trouble);
  detour_plugin.stop (self);
}

static void
test_file_size (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (HOME_PAGE_FILE_MAX + 1, 'x');
  g_autofree char *problem = NULL;
  g_autoptr (GBytes) bytes = NULL;

  write_page (fixture, text, HOME_PAGE_FILE_MAX);
  bytes = home_page_read (fixture->path, &problem);
  g_assert_null (problem);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, HOME_PAGE_FILE_MAX);

  write_page (fixture, text, HOME_PAGE_FILE_MAX + 1);
  g_assert_null (home_page_read (fixture->path, &problem));
  g_assert_nonnull (strstr (problem, "at most 1048576 are read"));
}

static void
test_file_not_text (Fixture *fixture, gconstpointer data)
{
  static const char *const texts[] = { "a\xff", "a\0b" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *problem = NULL;

      write_page (fixture, texts[i], i == 0 ? 2 : 3);
      g_assert_null (home_page_read (fixture->path, &problem));
      g_assert_nonnull (strstr (problem, "not UTF-8"));
    }
}

/* Opening must not wait for someone to write. */
static void
test_file_pipe (Fixture *fixture, gconstpointer data)
{
  g_autofree char *problem = NULL;

  g_assert_cmpint (mkfifo (fixture->path, 0600), ==, 0);
  g_assert_null (home_page_read (fixture->path, &problem));
  g_assert_nonnull (strstr (problem, "it is a named pipe; expected a regular file"));
}

static void
test_routes (void)
{
  const DetourHttpRoute *routes = detour_plugin.funcs.http->routes;

  g_assert_cmpstr (detour_plugin.name, ==, "http-home");
  for (guint i = 0; i < 3; i++)
    {
      g_assert_cmpint (routes[i].methods, ==, DETOUR_HTTP_ANY);
      g_assert_cmpint (routes[i].sites, ==, 0);
      g_assert_cmpint (routes[i].flags, ==,
                       strcmp (routes[i].path, "/derp/") == 0 ? DETOUR_HTTP_BELOW : 0);
    }
  g_assert_null (routes[3].path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-home/routes", test_routes);
  TEST_ADD_ROWS ("/http-home/page/", cases, test_page);
  g_test_add_func ("/http-home/page/default", test_default);
  g_test_add_func ("/http-home/robots", test_robots);
  TEST_ADD_ROWS ("/http-home/bad-page/", bad, test_bad_page);
  g_test_add ("/http-home/file/read-again-on-reload", Fixture, NULL, set_up, test_file_reload,
              tear_down);
  g_test_add ("/http-home/file/longer-than-limit", Fixture, NULL, set_up, test_file_size,
              tear_down);
  g_test_add ("/http-home/file/not-text", Fixture, NULL, set_up, test_file_not_text, tear_down);
  g_test_add ("/http-home/file/pipe", Fixture, NULL, set_up, test_file_pipe, tear_down);
  return g_test_run ();
}
