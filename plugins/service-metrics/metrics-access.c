/* metrics-access.c: who may read the numbers of the relay.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "metrics-access.h"

#include <string.h>

struct _MetricsAccess {
  const char *const *networks;
  GMutex lock; /* of what follows */
  char *key;   /* NULL: there is none */
};

MetricsAccess *
metrics_access_new (const char *const *networks)
{
  MetricsAccess *self = g_new0 (MetricsAccess, 1);

  g_mutex_init (&self->lock);
  self->networks = networks;
  return self;
}

void
metrics_access_free (MetricsAccess *self)
{
  g_free (self->key);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
metrics_access_set_key (MetricsAccess *self, const char *key)
{
  g_mutex_lock (&self->lock);
  g_free (self->key);
  self->key = g_strdup (key);
  g_mutex_unlock (&self->lock);
}

/* ---- by the key ------------------------------------------------------------------------------ */

/* Takes as long wherever they differ. */
static gboolean
metrics_access_is_key (MetricsAccess *self, const char *word)
{
  guint8 difference = 0;
  gboolean is_key;

  g_mutex_lock (&self->lock);
  is_key = self->key != NULL && strlen (word) == strlen (self->key);
  for (gsize i = 0; is_key && self->key[i] != '\0'; i++)
    difference |= (guint8) (word[i] ^ self->key[i]);
  g_mutex_unlock (&self->lock);
  return is_key && difference == 0;
}

/* The word behind `debugkey=` in the query; free with g_free(). NULL: there is none. */
static char *
metrics_access_query_key (const DetourHttpRequest *request)
{
  static const char name[] = "debugkey=";
  g_auto (GStrv) parts = g_strsplit (detour_http_request_query (request), "&", 64);

  for (guint i = 0; parts[i] != NULL; i++)
    if (g_str_has_prefix (parts[i], name))
      {
        g_autofree char *value = g_strdelimit (g_strdup (parts[i] + strlen (name)), "+", ' ');

        return g_uri_unescape_string (value, NULL);
      }
  return NULL;
}

static gboolean
metrics_access_has_key (MetricsAccess *self, const DetourHttpRequest *request)
{
  static const char scheme[] = "Bearer ";
  const char *header = detour_http_request_header (request, "Authorization");
  g_autofree char *word = metrics_access_query_key (request);

  return (word != NULL && metrics_access_is_key (self, word))
      || (header != NULL && g_ascii_strncasecmp (header, scheme, strlen (scheme)) == 0
          && metrics_access_is_key (self, header + strlen (scheme)));
}

/* ---------------------------------------------------------------------------------------------- */

static gboolean
metrics_access_has_address (const MetricsAccess *self, const struct sockaddr *peer)
{
  return peer->sa_family == AF_UNIX || detour_networks_contain (self->networks, peer);
}

gboolean
metrics_access_allows (MetricsAccess *self, const DetourHttpRequest *request)
{
  const char *forwarded = detour_http_request_header (request, "X-Forwarded-For");

  if (metrics_access_has_key (self, request))
    return TRUE;
  return (forwarded == NULL || forwarded[0] == '\0')
      && metrics_access_has_address (self, detour_http_request_peer (request));
}
