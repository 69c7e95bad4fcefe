/* http-bootstrap-dns.c: /bootstrap-dns, addresses of a few names for clients whose resolver is
 * broken.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bootstrap-answers.h"
#include "bootstrap-lookup.h"

#include "detour-plugin.h"

/* All questions of a refresh together. */
#define LOOKUP_MOST_US (60 * G_TIME_SPAN_SECOND)

static const struct {
  guint bit; /* of BootstrapOutcome; 0: every request */
  const char *name, *help;
} counters[] = {
  { 0, "requests", "requests for /bootstrap-dns" },
  { BOOTSTRAP_UNPUBLISHED_HIT, "unpublished_hits", "answers with an unpublished name" },
  { BOOTSTRAP_UNPUBLISHED_PERCENT_MISS, "unpublished_percent_misses",
    "requests for an unpublished name of clients that are not chosen" },
  { BOOTSTRAP_PUBLISHED_HIT, "published_hits", "requests for a published name" },
  { BOOTSTRAP_PUBLISHED_MISS, "published_misses",
    "requests for a published name whose addresses are not known" },
  { BOOTSTRAP_UNPUBLISHED_MISS, "unpublished_misses", "requests for names that are not published" },
};

typedef struct {
  DetourHost *host;
  GPtrArray *published, *unpublished; /* of BootstrapName */
  GPtrArray *all;                     /* both, borrowed */
  BootstrapLookup *lookup;            /* that is under way; NULL: none */
  guint time_is_up;                   /* timer, 0: none */
  GMutex lock;                        /* of what follows: handlers run on several threads */
  BootstrapAnswers *answers;
  DetourCounter *counters[G_N_ELEMENTS (counters)];
} Bootstrap;

/* ---- names ----------------------------------------------------------------------------------- */

static GPtrArray *
http_bootstrap_names_of (const DetourSettings *settings, const char *key, GError **error)
{
  g_autoptr (GPtrArray)
      names = g_ptr_array_new_with_free_func ((GDestroyNotify) bootstrap_name_free);
  const char *const *texts = detour_settings_list (settings, key);
  gboolean is_unpublished = key[0] == 'u';

  for (guint i = 0; texts[i] != NULL; i++)
    {
      g_autofree char *problem = NULL;
      BootstrapName *name = bootstrap_name_new (texts[i], is_unpublished, &problem);

      if (name == NULL)
        {
          detour_settings_error (settings, key, error, "%s", problem);
          return NULL;
        }
      g_ptr_array_add (names, name);
    }
  return g_steal_pointer (&names);
}

static gboolean
http_bootstrap_check (const DetourSettings *settings, GError **error)
{
  g_autoptr (GPtrArray) published = http_bootstrap_names_of (settings, "names", error);
  g_autoptr (GPtrArray)
      unpublished = published != NULL
                      ? http_bootstrap_names_of (settings, "unpublished-names", error)
                      : NULL;

  return unpublished != NULL;
}

/* ---- refresh --------------------------------------------------------------------------------- */

static void
http_bootstrap_publish (Bootstrap *self)
{
  BootstrapAnswers *answers = bootstrap_answers_new (self->published, self->unpublished);
  BootstrapAnswers *old;

  g_mutex_lock (&self->lock);
  old = self->answers;
  self->answers = answers;
  g_mutex_unlock (&self->lock);
  if (old != NULL)
    bootstrap_answers_unref (old);
}

static void
http_bootstrap_report (Bootstrap *self)
{
  g_autoptr (GString) unknown = g_string_new (NULL);

  for (guint i = 0; i < self->all->len; i++)
    {
      const BootstrapName *name = self->all->pdata[i];

      if (name->addresses->len == 0)
        g_string_append_printf (unknown, "%s%s", unknown->len > 0 ? ", " : "", name->name);
    }
  detour_host_set_summary (self->host, "%u name%s for clients without DNS", self->all->len,
                           self->all->len == 1 ? "" : "s");
  if (unknown->len > 0)
    detour_host_set_trouble (self->host, "no address was found for %s", unknown->str);
  else
    detour_host_set_trouble (self->host, NULL);
}

static void
http_bootstrap_on_done (gpointer data)
{
  Bootstrap *self = data;

  self->lookup = NULL;
  detour_host_remove_timer (self->host, self->time_is_up);
  self->time_is_up = 0;
  http_bootstrap_publish (self);
  http_bootstrap_report (self);
}

static gboolean
http_bootstrap_on_time_is_up (gpointer data)
{
  Bootstrap *self = data;

  self->time_is_up = 0;
  if (self->lookup != NULL)
    bootstrap_lookup_give_up (self->lookup);
  return FALSE;
}

static gboolean
http_bootstrap_refresh (gpointer data)
{
  Bootstrap *self = data;

  if (self->lookup != NULL)
    return TRUE;
  self->lookup = bootstrap_lookup_new (self->all, http_bootstrap_on_done, self);
  self->time_is_up = detour_host_add_timer (self->host, LOOKUP_MOST_US,
                                            http_bootstrap_on_time_is_up, self);
  return TRUE;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void
http_bootstrap_count (Bootstrap *self, guint outcome)
{
  g_mutex_lock (&self->lock);
  for (gsize i = 0; i < G_N_ELEMENTS (counters); i++)
    if (counters[i].bit == 0 || (outcome & counters[i].bit) != 0)
      detour_counter_add (self->counters[i], 1);
  g_mutex_unlock (&self->lock);
}

static void
http_bootstrap_handle (gpointer data, const DetourHttpRequest *request,
                       DetourHttpResponse *response)
{
  Bootstrap *self = data;
  g_autoptr (GHashTable) query = g_uri_parse_params (detour_http_request_query (request), -1, "&",
                                                     G_URI_PARAMS_WWW_FORM, NULL);
  const char *wish = query != NULL ? g_hash_table_lookup (query, "q") : NULL;
  g_autoptr (BootstrapAnswers) answers = NULL;
  guint outcome;
  const char *json;

  g_mutex_lock (&self->lock);
  answers = bootstrap_answers_ref (self->answers);
  g_mutex_unlock (&self->lock);
  json = bootstrap_answers_choose (answers, wish, detour_http_request_peer (request), &outcome);
  detour_http_response_add_browser_headers (response);
  detour_http_response_add_header (response, "Connection", "close");
  detour_http_response_set_body (response, "application/json", json, -1);
  http_bootstrap_count (self, outcome);
}

/* ---------------------------------------------------------------------------------------------- */

static void
http_bootstrap_stop (gpointer data)
{
  Bootstrap *self = data;

  if (self->lookup != NULL)
    bootstrap_lookup_abandon (self->lookup);
  g_clear_pointer (&self->answers, bootstrap_answers_unref);
  g_ptr_array_unref (self->all);
  g_ptr_array_unref (self->published);
  g_ptr_array_unref (self->unpublished);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gpointer
http_bootstrap_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  g_autoptr (GPtrArray) published = http_bootstrap_names_of (settings, "names", error);
  g_autoptr (GPtrArray)
      unpublished = published != NULL
                      ? http_bootstrap_names_of (settings, "unpublished-names", error)
                      : NULL;
  Bootstrap *self;

  if (unpublished == NULL)
    return NULL;
  self = g_new0 (Bootstrap, 1);
  self->host = host;
  self->all = g_ptr_array_new ();
  for (guint i = 0; i < published->len; i++)
    g_ptr_array_add (self->all, published->pdata[i]);
  for (guint i = 0; i < unpublished->len; i++)
    g_ptr_array_add (self->all, unpublished->pdata[i]);
  self->published = g_steal_pointer (&published);
  self->unpublished = g_steal_pointer (&unpublished);
  g_mutex_init (&self->lock);
  for (gsize i = 0; i < G_N_ELEMENTS (counters); i++)
    self->counters[i] = detour_host_counter (host, counters[i].name, counters[i].help);
  http_bootstrap_publish (self);
  if (self->all->len > 0)
    {
      http_bootstrap_refresh (self);
      detour_host_add_timer (host, detour_settings_duration_us (settings, "refresh"),
                             http_bootstrap_refresh, self);
    }
  return self;
}

static const DetourConfigKey bootstrap_config[] = {
  { "names", DETOUR_CONFIG_STRING, .summary = "names whose addresses everyone is told",
    .flags = DETOUR_CONFIG_LIST },
  { "unpublished-names", DETOUR_CONFIG_STRING,
    .summary = "names whose addresses only those are told who ask for them, NAME or NAME/TXT-NAME",
    .flags = DETOUR_CONFIG_LIST },
  { "refresh", DETOUR_CONFIG_DURATION, "10m", 1000, 24 * 3600 * 1000,
    .summary = "how often the addresses are looked up" },
  { NULL },
};

static const DetourHttpRoute bootstrap_routes[] = {
  { "/bootstrap-dns", DETOUR_HTTP_ANY, 0, http_bootstrap_handle },
  { NULL },
};

static const DetourHttpFuncs bootstrap_funcs = { .routes = bootstrap_routes };

DETOUR_PLUGIN_DEFINE (.name = "http-bootstrap-dns", .kind = DETOUR_KIND_HTTP,
                      .summary = "tells addresses of a few names to clients without DNS",
                      .config = bootstrap_config, .check = http_bootstrap_check,
                      .start = http_bootstrap_start, .stop = http_bootstrap_stop,
                      .funcs.http = &bootstrap_funcs);
