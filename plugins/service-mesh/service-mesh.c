/* service-mesh.c: the mesh of a region: the key by which its servers know each other, and links to
 * them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

#include "mesh-peer.h"

/* A key has 64 digits; the rest is white space around it. */
#define FILE_MAX_BYTES 4096

typedef struct {
  Mesh mesh;
  DetourSettings *settings;
  char *key_trouble; /* NULL: the key is good */
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

/* What is to be seen ----------------------------------------------------------------------------
 */

/* The peers without a link, why, and what helps: "b (Connection refused): check that …". NULL:
 * there is none. */
static char *
service_mesh_missing (const GArray *reports)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const char *remedy = NULL;
  gboolean is_same = TRUE; /* the remedy for all of them */

  for (guint i = 0; i < reports->len; i++)
    {
      const DetourMeshReport *report = &g_array_index (reports, DetourMeshReport, i);

      if (report->state == DETOUR_MESH_UP || report->error == NULL)
        continue;
      is_same = is_same && (text->len == 0 || g_strcmp0 (remedy, report->remedy) == 0);
      remedy = report->remedy;
      g_string_append_printf (text, "%s%s (%s)", text->len > 0 ? ", " : "", report->name,
                              report->error);
    }
  if (!is_same)
    g_string_append (text, ": what helps is in \"detourctl peers\"");
  else if (remedy != NULL)
    g_string_append_printf (text, ": %s", remedy);
  return text->len > 0 ? g_strdup (text->str) : NULL;
}

static void
service_mesh_tell_trouble (ServiceMesh *self, const GArray *reports)
{
  g_autofree char *missing = service_mesh_missing (reports);

  if (self->key_trouble != NULL)
    detour_host_set_trouble (self->mesh.host, "%s", self->key_trouble);
  else if (missing != NULL)
    detour_host_set_trouble (self->mesh.host, "no link to %s", missing);
  else
    detour_host_set_trouble (self->mesh.host, NULL);
}

static void
service_mesh_tell_summary (ServiceMesh *self, const GArray *reports)
{
  const char *path = detour_settings_string (self->settings, "key-file");
  guint n_up = 0, n_others = 0;

  for (guint i = 0; i < reports->len; i++)
    {
      DetourMeshState state = g_array_index (reports, DetourMeshReport, i).state;

      n_up += state == DETOUR_MESH_UP;
      n_others += state != DETOUR_MESH_ITSELF;
    }
  if (n_others > 0)
    detour_host_set_summary (self->mesh.host,
                             "%u of %u peers linked; accepting servers with the key in %s", n_up,
                             n_others, path);
  else
    detour_host_set_summary (self->mesh.host, "accepting servers with the key in %s", path);
}

static void
service_mesh_tell (gpointer data)
{
  ServiceMesh *self = data;
  g_autoptr (GArray) reports = g_array_new (FALSE, FALSE, sizeof (DetourMeshReport));

  for (guint i = 0; i < self->mesh.peers->len; i++)
    {
      const DetourMeshReport report = mesh_peer_report (self->mesh.peers->pdata[i]);

      g_array_append_val (reports, report);
    }
  detour_host_report_mesh (self->mesh.host, (const DetourMeshReport *) (gpointer) reports->data,
                           reports->len);
  service_mesh_tell_trouble (self, reports);
  service_mesh_tell_summary (self, reports);
}

/* The key ---------------------------------------------------------------------------------------
 */

static void
service_mesh_set_key_trouble (ServiceMesh *self, const char *text)
{
  g_free (self->key_trouble);
  self->key_trouble = g_strdup (text);
}

/* Gives @key to core and wipes it. */
static void
service_mesh_use_key (ServiceMesh *self, guint8 *key)
{
  static const guint8 zero[DETOUR_KEY_SIZE];

  detour_host_set_mesh_key (self->mesh.host, key);
  memcpy (self->mesh.key, key, DETOUR_KEY_SIZE);
  service_mesh_set_key_trouble (self, memcmp (key, zero, DETOUR_KEY_SIZE) == 0
                                          ? "the mesh key is all zeros, so no server is in the mesh"
                                          : NULL);
  explicit_bzero (key, DETOUR_KEY_SIZE);
}

/* The instance ----------------------------------------------------------------------------------
 */

static gpointer
service_mesh_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  guint8 key[DETOUR_KEY_SIZE];
  ServiceMesh *self;

  if (!service_mesh_load_key (settings, key, error))
    return NULL;
  self = g_new0 (ServiceMesh, 1);
  self->mesh.host = host;
  self->mesh.peers = g_ptr_array_new_with_free_func (mesh_peer_free);
  self->mesh.changed = service_mesh_tell;
  self->mesh.owner = self;
  self->settings = detour_settings_ref (settings);
  service_mesh_use_key (self, key);
  service_mesh_tell (self);
  return self;
}

/* Links that are up stay up here: whether their key is good is for the others to say. */
static void
service_mesh_reload (gpointer data)
{
  ServiceMesh *self = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  guint8 key[DETOUR_KEY_SIZE];

  if (service_mesh_load_key (self->settings, key, &error))
    {
      service_mesh_use_key (self, key);
      service_mesh_tell (self);
      return;
    }
  text = g_strdup_printf ("still using the key of before: %s", error->message);
  service_mesh_set_key_trouble (self, text);
  service_mesh_tell (self);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "instance-trouble",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->mesh.host), "MESSAGE", "%s",
                    text);
}

/* The one that is there for @configured already, out of @before; NULL: none is. */
static MeshPeer *
service_mesh_take_same (GPtrArray *before, const DetourMeshPeer *configured)
{
  for (guint i = 0; i < before->len; i++)
    if (mesh_peer_is (before->pdata[i], configured))
      return g_ptr_array_steal_index (before, i);
  return NULL;
}

static void
service_mesh_take_peers (gpointer data, const DetourMeshPeer *const *peers, guint n)
{
  ServiceMesh *self = data;
  GPtrArray *before = self->mesh.peers;

  self->mesh.peers = g_ptr_array_new_with_free_func (mesh_peer_free);
  for (guint i = 0; i < n; i++)
    {
      MeshPeer *same = service_mesh_take_same (before, peers[i]);

      g_ptr_array_add (self->mesh.peers,
                       same != NULL ? same : mesh_peer_new (&self->mesh, peers[i]));
      if (same != NULL)
        mesh_peer_try_now (same);
    }
  /* Those that were changed are gone before their successors dial, which is from the loop. */
  g_ptr_array_unref (before);
  g_clear_pointer (&self->mesh.frozen, g_strfreev);
  service_mesh_tell (self);
}

/* Links go along by themselves; what is known of them goes with this. */
static GBytes *
service_mesh_freeze (gpointer data)
{
  ServiceMesh *self = data;
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < self->mesh.peers->len; i++)
    {
      g_autofree char *line = mesh_peer_freeze (self->mesh.peers->pdata[i]);

      g_string_append_printf (text, "%s\n", line);
    }
  if (text->len == 0)
    {
      g_string_free (text, TRUE);
      return NULL;
    }
  return g_string_free_to_bytes (text);
}

static void
service_mesh_thaw (gpointer data, const guint8 *frozen, gsize len)
{
  ServiceMesh *self = data;
  g_autofree char *text = g_strndup ((const char *) frozen, len);

  self->mesh.frozen = g_strsplit (text, "\n", -1);
}

static void
service_mesh_stop (gpointer data)
{
  ServiceMesh *self = data;

  g_ptr_array_unref (self->mesh.peers);
  g_strfreev (self->mesh.frozen);
  detour_settings_unref (self->settings);
  explicit_bzero (self->mesh.key, DETOUR_KEY_SIZE);
  g_free (self->key_trouble);
  g_free (self);
}

DETOUR_PLUGIN_DEFINE (.name = "service-mesh", .kind = DETOUR_KIND_SERVICE,
                      .summary = "links this relay with the other servers of its region",
                      .config = service_mesh_config, .check = service_mesh_check,
                      .start = service_mesh_start, .reload = service_mesh_reload,
                      .peers = service_mesh_take_peers, .freeze = service_mesh_freeze,
                      .thaw = service_mesh_thaw, .stop = service_mesh_stop);
