/* service-mesh.c: gives the relay the key by which the servers of one region know each other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

/* A key has 64 digits; the rest is white space around it. */
#define FILE_MAX_BYTES 4096

typedef struct {
  DetourHost *host;
  DetourSettings *settings;
} ServiceMesh;

static const DetourConfigKey service_mesh_config[] = {
  { "key-file", DETOUR_CONFIG_PATH, NULL, 0, 0,
    "file with the mesh key, 64 hex digits, the same on every server of the region",
    DETOUR_CONFIG_REQUIRED },
  { NULL },
};

/* The message must not contain any of @text, which may be a secret even if it is no key. */
static gboolean
service_mesh_parse_key (const char *path, const char *text, guint8 *key, GError **error)
{
  const char *digits = text + strspn (text, " \t\r\n\v\f");
  gsize n = strspn (digits, "0123456789abcdefABCDEF");

  if (n != 2 * DETOUR_KEY_SIZE || digits[n + strspn (digits + n, " \t\r\n\v\f")] != '\0')
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                   "%s does not hold a mesh key; write exactly 64 hex digits, as printed by: "
                   "openssl rand -hex 32",
                   path);
      return FALSE;
    }
  for (gsize i = 0; i < DETOUR_KEY_SIZE; i++)
    key[i] = (guint8) (g_ascii_xdigit_value (digits[2 * i]) << 4
                       | g_ascii_xdigit_value (digits[2 * i + 1]));
  return TRUE;
}

static gboolean
service_mesh_load_key (const DetourSettings *settings, guint8 *key, GError **error)
{
  const char *path = detour_settings_string (settings, "key-file");
  g_autoptr (GError) local_error = NULL;
  g_auto (DetourFile) file = { 0 };
  gboolean loaded = detour_file_read (path, FILE_MAX_BYTES,
                                      DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED
                                          | DETOUR_FILE_OWNED,
                                      &file, &local_error)
                 && service_mesh_parse_key (path, file.data, key, &local_error);

  if (!loaded)
    detour_settings_error (settings, "key-file", error, "%s", local_error->message);
  return loaded;
}

static gboolean
service_mesh_check (const DetourSettings *settings, GError **error)
{
  guint8 key[DETOUR_KEY_SIZE];
  gboolean loaded = service_mesh_load_key (settings, key, error);

  explicit_bzero (key, sizeof key);
  return loaded;
}

/* Gives @key to core and wipes it. */
static void
service_mesh_use_key (ServiceMesh *self, guint8 *key)
{
  static const guint8 zero[DETOUR_KEY_SIZE];

  detour_host_set_mesh_key (self->host, key);
  if (memcmp (key, zero, DETOUR_KEY_SIZE) == 0)
    detour_host_set_trouble (self->host, "the mesh key is all zeros, so no server is in the mesh");
  else
    detour_host_set_trouble (self->host, NULL);
  explicit_bzero (key, DETOUR_KEY_SIZE);
}

static gpointer
service_mesh_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  guint8 key[DETOUR_KEY_SIZE];
  ServiceMesh *self;

  if (!service_mesh_load_key (settings, key, error))
    return NULL;
  self = g_new0 (ServiceMesh, 1);
  self->host = host;
  self->settings = detour_settings_ref (settings);
  service_mesh_use_key (self, key);
  detour_host_set_summary (host, "accepting servers with the key in %s",
                           detour_settings_string (settings, "key-file"));
  return self;
}

static void
service_mesh_reload (gpointer data)
{
  ServiceMesh *self = data;
  g_autoptr (GError) error = NULL;
  guint8 key[DETOUR_KEY_SIZE];

  if (service_mesh_load_key (self->settings, key, &error))
    {
      service_mesh_use_key (self, key);
      return;
    }
  detour_host_set_trouble (self->host, "still using the key of before: %s", error->message);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "instance-trouble",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "still using the key of before: %s", error->message);
}

static void
service_mesh_stop (gpointer data)
{
  ServiceMesh *self = data;

  detour_settings_unref (self->settings);
  g_free (self);
}

DETOUR_PLUGIN_DEFINE (.name = "service-mesh", .kind = DETOUR_KIND_SERVICE,
                      .summary = "accepts the other servers of the region by a shared key",
                      .config = service_mesh_config, .check = service_mesh_check,
                      .start = service_mesh_start, .reload = service_mesh_reload,
                      .stop = service_mesh_stop);
