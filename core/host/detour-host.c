/* detour-host.c: what the host does for an instance: the detour_host_ calls of detour-plugin.h.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-instance-private.h"

#include <string.h>

#include "detour-log.h"

const char *
detour_host_instance (DetourHost *host)
{
  return host->id;
}

const char *
detour_host_hostname (DetourHost *host)
{
  return host->context->hostname;
}

const char *
detour_host_state_directory (DetourHost *host)
{
  return host->context->state_directory;
}

const guint8 *
detour_host_server_key (DetourHost *host)
{
  return host->context->server_key;
}

gboolean
detour_host_is_ready (DetourHost *host)
{
  return g_atomic_int_get (&host->context->ready);
}

static gboolean
host_tell_trouble (gpointer data)
{
  DetourHost *host = data;

  g_mutex_lock (&host->lock);
  g_clear_pointer (&host->trouble_told, g_source_unref);
  g_mutex_unlock (&host->lock);
  detour_instance_changed (host, FALSE);
  return G_SOURCE_REMOVE;
}

/* Replaces *@words by a text of one line, or by nothing. */
static void
host_set_words (DetourHost *host, char **words, char *text)
{
  char *line = text != NULL ? detour_log_escape (text, -1) : NULL;

  g_mutex_lock (&host->lock);
  if (words == &host->trouble && host->trouble_told == NULL && g_strcmp0 (*words, line) != 0)
    {
      host->trouble_told = g_idle_source_new ();
      g_source_set_callback (host->trouble_told, host_tell_trouble, host, NULL);
      g_source_attach (host->trouble_told, NULL);
    }
  g_free (*words);
  *words = line;
  g_mutex_unlock (&host->lock);
  g_free (text);
}

void
detour_host_set_summary (DetourHost *host, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  host_set_words (host, &host->summary, g_strdup_vprintf (format, args));
  va_end (args);
}

void
detour_host_set_trouble (DetourHost *host, const char *format, ...)
{
  va_list args;

  if (format == NULL)
    {
      host_set_words (host, &host->trouble, NULL);
      return;
    }
  va_start (args, format);
  host_set_words (host, &host->trouble, g_strdup_vprintf (format, args));
  va_end (args);
}

DetourCounter *
detour_host_counter (DetourHost *host, const char *name, const char *help)
{
  DetourInstanceCounter *entry = NULL;

  g_mutex_lock (&host->lock);
  for (guint i = 0; entry == NULL && i < host->counters->len; i++)
    if (strcmp (((DetourInstanceCounter *) host->counters->pdata[i])->name, name) == 0)
      entry = host->counters->pdata[i];
  if (entry == NULL)
    {
      entry = g_new0 (DetourInstanceCounter, 1);
      entry->name = name;
      entry->help = help;
      g_ptr_array_add (host->counters, entry);
    }
  g_mutex_unlock (&host->lock);
  return &entry->counter;
}

gboolean
detour_host_listen (DetourHost *host, const DetourSettings *settings,
                    const DetourListenerSpec *spec, GError **error)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->listen == NULL)
    {
      detour_settings_error (settings, NULL, error, "there is nothing here that could listen");
      return FALSE;
    }
  return hooks->listen (host->context->hooks_data, host, settings, spec, error);
}

void
detour_host_publish_certs (DetourHost *host, DetourCert *const *certs, guint n)
{
  detour_cert_store_publish (host->context->certs, host->id, certs, certs != NULL ? n : 0);
  detour_instance_changed (host, FALSE);
}

guint64
detour_host_cert_generation (DetourHost *host)
{
  return detour_cert_store_generation (host->context->certs);
}

DetourCert *
detour_host_find_cert (DetourHost *host, const char *instance, const char *sni,
                       const struct sockaddr *local)
{
  return detour_cert_store_find (host->context->certs, instance, sni, local);
}

void
detour_host_auth_changed (DetourHost *host)
{
  const DetourHostHooks *hooks = host->context->hooks;

  if (hooks->auth_changed != NULL)
    hooks->auth_changed (host->context->hooks_data, host);
}

void
detour_host_set_mesh_key (DetourHost *host, const guint8 *key)
{
  const DetourHostHooks *hooks = host->context->hooks;

  host->has_mesh_key = key != NULL;
  if (hooks->set_mesh_key != NULL)
    hooks->set_mesh_key (host->context->hooks_data, key);
}
