/* http-home.c: the home page, and /robots.txt to keep search engines away from it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-plugin.h"
#include "home-page.h"

#define HTML "text/html; charset=utf-8"

typedef struct {
  DetourHost *host;
  HomePage *page;
  GMutex lock;  /* protects `html`, which a reload replaces while handlers run */
  GBytes *html; /* content of the file; NULL for other pages */
} Home;

static const char page_front
    [] = "<!doctype html>\n"
         "<html lang=\"en\">\n"
         "<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n"
         "<title>DERP relay</title>\n"
         "<h1>DERP relay</h1>\n"
         "<p>This server passes packets between devices of a Tailscale network that cannot\n"
         "reach each other directly. The packets are encrypted from end to end: the relay\n"
         "sees which devices talk, not what they say.</p>\n";
static const char page_end
    [] = "<p>There is nothing else here for a browser.\n"
         "<a href=\"https://tailscale.com/kb/1232/derp-servers\">What is a DERP relay?</a></p>\n";
static const char page_off[] = "<p><strong>Relaying is disabled at this address.</strong></p>\n";

static void
http_home_serve_default (const DetourHttpRequest *request, DetourHttpResponse *response)
{
  g_autofree char *html = g_strconcat (
      page_front, detour_http_request_derp (request) ? "" : page_off, page_end, NULL);

  detour_http_response_set_body (response, HTML, html, -1);
}

static void
http_home_serve_file (Home *self, DetourHttpResponse *response)
{
  g_autoptr (GBytes) html = NULL;
  gsize len;
  const char *data;

  g_mutex_lock (&self->lock);
  html = g_bytes_ref (self->html);
  g_mutex_unlock (&self->lock);
  data = g_bytes_get_data (html, &len);
  detour_http_response_set_body (response, HTML, data, (gssize) len);
}

static void
http_home_handle (gpointer data, const DetourHttpRequest *request, DetourHttpResponse *response)
{
  Home *self = data;

  detour_http_response_add_browser_headers (response);
  switch (self->page->sort)
    {
    case HOME_PAGE_BLANK:
      detour_http_response_set_body (response, HTML, "", 0);
      break;
    case HOME_PAGE_DEFAULT:
      http_home_serve_default (request, response);
      break;
    case HOME_PAGE_NOT_FOUND:
      detour_http_response_set_status (response, 404);
      detour_http_response_set_body (response, "text/plain; charset=utf-8",
                                     "There is no such page\n", -1);
      break;
    case HOME_PAGE_REDIRECT:
      detour_http_response_set_status (response, 302);
      detour_http_response_add_header (response, "Location", self->page->argument);
      break;
    case HOME_PAGE_FILE:
      http_home_serve_file (self, response);
      break;
    }
}

static void
http_home_handle_robots (gpointer self, const DetourHttpRequest *request,
                         DetourHttpResponse *response)
{
  detour_http_response_add_browser_headers (response);
  detour_http_response_set_body (response, "text/plain; charset=utf-8",
                                 "User-agent: *\nDisallow: /\n", -1);
}

/* The page of @settings, with the content of its file in *@html. */
static HomePage *
http_home_load_page (const DetourSettings *settings, GBytes **html, GError **error)
{
  g_autofree char *problem = NULL;
  g_autoptr (HomePage) page = home_page_new (detour_settings_string (settings, "page"), &problem);

  if (page != NULL && page->sort == HOME_PAGE_FILE)
    *html = home_page_read (page->argument, &problem);
  if (problem != NULL)
    {
      detour_settings_error (settings, "page", error, "%s", problem);
      return NULL;
    }
  return g_steal_pointer (&page);
}

static gboolean
http_home_check (const DetourSettings *settings, GError **error)
{
  g_autoptr (GBytes) html = NULL;
  g_autoptr (HomePage) page = http_home_load_page (settings, &html, error);

  return page != NULL;
}

static gpointer
http_home_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  GBytes *html = NULL;
  HomePage *page = http_home_load_page (settings, &html, error);
  Home *self;

  if (page == NULL)
    return NULL;
  self = g_new0 (Home, 1);
  self->host = host;
  self->page = page;
  self->html = html;
  g_mutex_init (&self->lock);
  return self;
}

static void
http_home_reload (gpointer data)
{
  Home *self = data;
  g_autofree char *problem = NULL;
  g_autoptr (GBytes) html = NULL;
  GBytes *old;

  if (self->page->sort != HOME_PAGE_FILE)
    return;
  html = home_page_read (self->page->argument, &problem);
  if (html == NULL)
    {
      g_warning ("The home page stays as it was: %s", problem);
      detour_host_set_trouble (self->host, "serves an old home page: %s", problem);
      return;
    }
  g_mutex_lock (&self->lock);
  old = self->html;
  self->html = g_steal_pointer (&html);
  g_mutex_unlock (&self->lock);
  g_bytes_unref (old);
  detour_host_set_trouble (self->host, NULL);
}

static void
http_home_stop (gpointer data)
{
  Home *self = data;

  home_page_free (self->page);
  g_clear_pointer (&self->html, g_bytes_unref);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static const DetourConfigKey home_config[] = {
  { .key = "page",
    .type = DETOUR_CONFIG_STRING,
    .fallback = "blank",
    .summary = "what `/` shows: blank, default, not-found, redirect:URL or file:PATH" },
  { NULL },
};

static const DetourHttpRoute home_routes[] = {
  { "/", DETOUR_HTTP_ANY, 0, http_home_handle },
  /* derper shows its page at every unknown path; below /derp/ this relay does the same. */
  { "/derp/", DETOUR_HTTP_ANY, 0, http_home_handle, DETOUR_HTTP_BELOW },
  { "/robots.txt", DETOUR_HTTP_ANY, 0, http_home_handle_robots },
  { NULL },
};

static const DetourHttpFuncs home_funcs = { .routes = home_routes };

DETOUR_PLUGIN_DEFINE (.name = "http-home", .kind = DETOUR_KIND_HTTP,
                      .summary = "shows a home page to browsers", .config = home_config,
                      .check = http_home_check, .start = http_home_start,
                      .reload = http_home_reload, .stop = http_home_stop,
                      .funcs.http = &home_funcs);
