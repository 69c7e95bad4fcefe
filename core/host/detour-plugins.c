/* detour-plugins.c: finds plugins, loads them and looks them over before anything calls them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugins.h"

#include <glib/gi18n-lib.h>
#include <gmodule.h>
#include <string.h>

#include "detour-config-errors.h"
#include "detour-config-value.h"
#include "detour-package.h"
#include "detour-schema.h"

struct _DetourPlugins {
  GStrv first_directories;
  GStrv directories;
  GHashTable *known; /* name → const DetourPlugin, checked */
};

G_DEFINE_QUARK (detour_plugins_error_quark, detour_plugins_error)

DetourPlugins *
detour_plugins_new (const char *const *directories)
{
  DetourPlugins *self = g_new0 (DetourPlugins, 1);

  self->first_directories = g_strdupv ((GStrv) directories);
  self->directories = g_strdupv ((GStrv) directories);
  self->known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

DetourPlugins *
detour_plugins_fork (const DetourPlugins *self)
{
  DetourPlugins *fork = detour_plugins_new ((const char *const *) self->first_directories);
  GHashTableIter iter;
  gpointer name, plugin;

  detour_plugins_set_directories (fork, (const char *const *) self->directories);
  g_hash_table_iter_init (&iter, self->known);
  while (g_hash_table_iter_next (&iter, &name, &plugin))
    g_hash_table_insert (fork->known, g_strdup (name), plugin);
  return fork;
}

void
detour_plugins_adopt (DetourPlugins *self, const DetourPlugins *fork)
{
  GHashTableIter iter;
  gpointer name, plugin;

  detour_plugins_set_directories (self, (const char *const *) fork->directories);
  g_hash_table_iter_init (&iter, fork->known);
  while (g_hash_table_iter_next (&iter, &name, &plugin))
    g_hash_table_insert (self->known, g_strdup (name), plugin);
}

void
detour_plugins_free (DetourPlugins *self)
{
  g_strfreev (self->first_directories);
  g_strfreev (self->directories);
  g_hash_table_unref (self->known);
  g_free (self);
}

void
detour_plugins_set_directories (DetourPlugins *self, const char *const *directories)
{
  g_strfreev (self->directories);
  self->directories = g_strdupv (directories != NULL ? (GStrv) directories
                                                     : self->first_directories);
}

const char *const *
detour_plugins_directories (const DetourPlugins *self)
{
  return (const char *const *) self->directories;
}

void
detour_plugins_add_static (DetourPlugins *self, const DetourPlugin *plugin)
{
  g_hash_table_insert (self->known, g_strdup (plugin->name), (gpointer) plugin);
}

static gboolean plugins_broken (GError **error, const char *where, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static gboolean
plugins_broken (GError **error, const char *where, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_BROKEN, "%s: %s", where, text);
  return FALSE;
}

static gboolean
plugins_check_key (const DetourConfigKey *key, const char *where, GError **error)
{
  DetourConfigValue value;
  g_autoptr (GError) local = NULL;

  if (detour_config_type_name (key->type) == NULL)
    return plugins_broken (error, where, "its key \"%s\" has the unknown type %d", key->key,
                           (int) key->type);
  for (guint i = 0; detour_schema_instance[i].key != NULL; i++)
    if (strcmp (detour_schema_instance[i].key, key->key) == 0)
      return plugins_broken (error, where, "its key \"%s\" belongs to core", key->key);
  if (key->summary == NULL)
    return plugins_broken (error, where, "its key \"%s\" has no summary", key->key);
  if (key->type == DETOUR_CONFIG_ENUM && key->words == NULL)
    return plugins_broken (error, where, "its key \"%s\" has no words to choose from", key->key);
  if ((key->flags & DETOUR_CONFIG_CERT) != 0
      && (key->type != DETOUR_CONFIG_STRING || (key->flags & DETOUR_CONFIG_LIST) != 0))
    return plugins_broken (error, where, "its key \"%s\" names a certificate, but is not one text",
                           key->key);
  if (key->min > key->max)
    return plugins_broken (error, where, "its key \"%s\" has a minimum above its maximum",
                           key->key);
  if (key->fallback == NULL)
    return TRUE;
  if (!detour_config_value_parse (key, key->fallback, &value, &local))
    return plugins_broken (error, where, "its key \"%s\" has a bad fallback: %s", key->key,
                           local->message);
  detour_config_value_clear (&value);
  return TRUE;
}

static gboolean
plugins_check_table (const DetourConfigKey *table, const char *where, GError **error)
{
  for (guint i = 0; table != NULL && table[i].key != NULL; i++)
    {
      if (!plugins_check_key (&table[i], where, error))
        return FALSE;
      for (guint j = 0; j < i; j++)
        if (strcmp (table[i].key, table[j].key) == 0)
          return plugins_broken (error, where, "its key \"%s\" is there twice", table[i].key);
    }
  return TRUE;
}

gboolean
detour_plugins_check (const DetourPlugin *plugin, const char *name, const char *where,
                      GError **error)
{
  const char *dash = strchr (name, '-');
  g_autofree char *kind = dash != NULL ? g_strndup (name, (gsize) (dash - name)) : NULL;
  DetourKind expected;

  /* A different number may mean a different struct: nothing else is read before these two. */
  if (plugin->abi != DETOUR_PLUGIN_ABI)
    return plugins_broken (error, where, "made for plugin interface %u, this is %u", plugin->abi,
                           DETOUR_PLUGIN_ABI);
  if (plugin->size != sizeof (DetourPlugin))
    return plugins_broken (error, where, "its descriptor has %u bytes, this interface has %u",
                           plugin->size, (guint) sizeof (DetourPlugin));

  if (plugin->name == NULL || strcmp (plugin->name, name) != 0)
    return plugins_broken (error, where, "it calls itself \"%s\", its file says \"%s\"",
                           plugin->name != NULL ? plugin->name : "", name);
  if (kind == NULL || !detour_kind_from_name (kind, &expected) || plugin->kind != expected)
    return plugins_broken (error, where, "its kind is \"%s\", its name says \"%s\"",
                           (guint) plugin->kind < DETOUR_N_KINDS ? detour_kind_names[plugin->kind]
                                                                 : "unknown",
                           kind != NULL ? kind : "");
  if (plugin->summary == NULL)
    return plugins_broken (error, where, "it has no summary");
  if (plugin->start == NULL || plugin->stop == NULL)
    return plugins_broken (error, where, "it has no %s()",
                           plugin->start == NULL ? "start" : "stop");
  if (plugin->kind == DETOUR_KIND_AUTH
      && (plugin->funcs.auth == NULL || plugin->funcs.auth->verify == NULL))
    return plugins_broken (error, where, "it has no verify()");
  if (plugin->kind == DETOUR_KIND_HTTP
      && (plugin->funcs.http == NULL || plugin->funcs.http->routes == NULL))
    return plugins_broken (error, where, "it has no routes");
  if (plugin->kind == DETOUR_KIND_LOG
      && (plugin->funcs.log == NULL || plugin->funcs.log->write == NULL))
    return plugins_broken (error, where, "it has no write()");
  return plugins_check_table (plugin->config, where, error);
}

static const DetourPlugin *
plugins_open_module (const char *path, const char *name, GError **error)
{
  GModule *module;
  gpointer symbol = NULL;

  /* Not lazy: a symbol that is missing must fail here and not under the first client. */
  module = g_module_open (path, G_MODULE_BIND_LOCAL);
  if (module == NULL)
    {
      const char *why = g_module_error ();
      gsize n_path = strlen (path);

      /* The linker begins with the path as well. */
      if (why != NULL && strncmp (why, path, n_path) == 0 && g_str_has_prefix (why + n_path, ": "))
        why += n_path + 2;
      plugins_broken (error, path, "%s", why != NULL ? why : "cannot be loaded");
      return NULL;
    }
  if (!g_module_symbol (module, DETOUR_PLUGIN_SYMBOL, &symbol) || symbol == NULL)
    plugins_broken (error, path, "it does not export \"%s\"; is this a plugin of Detour?",
                    DETOUR_PLUGIN_SYMBOL);
  else if (detour_plugins_check (symbol, name, path, error))
    {
      g_module_make_resident (module);
      return symbol;
    }
  g_module_close (module);
  return NULL;
}

static const DetourPlugin *
plugins_find_and_open (DetourPlugins *self, const char *name, GError **error)
{
  g_autofree char *file = g_strconcat (name, "." G_MODULE_SUFFIX, NULL);
  g_autofree char *where = NULL;

  if (strchr (name, '/') == NULL)
    for (guint i = 0; self->directories[i] != NULL; i++)
      {
        g_autofree char *path = g_build_filename (self->directories[i], file, NULL);

        if (g_file_test (path, G_FILE_TEST_EXISTS))
          return plugins_open_module (path, name, error);
      }
  where = g_strjoinv (", ", self->directories);
  g_set_error (error, DETOUR_PLUGINS_ERROR, DETOUR_PLUGINS_ERROR_MISSING, "no plugin \"%s\" in %s",
               name, where);
  return NULL;
}

const DetourPlugin *
detour_plugins_load (DetourPlugins *self, const char *name, GError **error)
{
  const DetourPlugin *plugin = g_hash_table_lookup (self->known, name);

  if (plugin == NULL)
    {
      plugin = plugins_find_and_open (self, name, error);
      if (plugin != NULL)
        g_hash_table_insert (self->known, g_strdup (name), (gpointer) plugin);
    }
  return plugin;
}

static gboolean
plugins_is_of_kind (const char *name, DetourKind kind)
{
  for (guint i = 0; i < DETOUR_N_KINDS; i++)
    {
      gsize n = strlen (detour_kind_names[i]);

      if ((kind == DETOUR_N_KINDS || kind == i) && strncmp (name, detour_kind_names[i], n) == 0
          && name[n] == '-')
        return TRUE;
    }
  return FALSE;
}

static int
plugins_compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GStrv
detour_plugins_names (DetourPlugins *self, DetourKind kind)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GPtrArray *names = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, self->known);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    if (plugins_is_of_kind (name, kind))
      g_hash_table_add (seen, g_strdup (name));

  for (guint i = 0; self->directories[i] != NULL; i++)
    {
      g_autoptr (GDir) dir = g_dir_open (self->directories[i], 0, NULL);
      const char *file;

      while (dir != NULL && (file = g_dir_read_name (dir)) != NULL)
        if (g_str_has_suffix (file, "." G_MODULE_SUFFIX) && plugins_is_of_kind (file, kind))
          g_hash_table_add (seen, g_strndup (file, strlen (file) - strlen ("." G_MODULE_SUFFIX)));
    }

  g_hash_table_iter_init (&iter, seen);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, plugins_compare_names);
  g_ptr_array_add (names, NULL);
  return (GStrv) g_ptr_array_free (names, FALSE);
}

/* NULL when there is none. */
static char *
plugins_choose_log (DetourPlugins *self)
{
  g_auto (GStrv) names = detour_plugins_names (self, DETOUR_KIND_LOG);
  const char *best = NULL;
  guint highest = 0;

  for (guint i = 0; names[i] != NULL; i++)
    {
      const DetourPlugin *plugin = detour_plugins_load (self, names[i], NULL);
      guint suits = plugin != NULL && plugin->funcs.log->suits != NULL ? plugin->funcs.log->suits ()
                                                                       : 0;

      if (suits > highest)
        {
          highest = suits;
          best = names[i];
        }
    }
  return g_strdup (best);
}

char *
detour_plugins_resolve (DetourPlugins *self, DetourKind kind, const char *written)
{
  const char *kind_name = detour_kind_names[kind];

  if (kind == DETOUR_KIND_LOG && strcmp (written, "auto") == 0)
    {
      char *chosen = plugins_choose_log (self);

      if (chosen != NULL)
        return chosen;
    }
  if (g_str_has_prefix (written, kind_name) && written[strlen (kind_name)] == '-')
    return g_strdup (written);
  return g_strconcat (kind_name, "-", written, NULL);
}

char *
detour_plugins_explain_missing (DetourPlugins *self, DetourKind kind, const char *written)
{
  g_auto (GStrv) all = detour_plugins_names (self, kind);
  g_autofree char *prefix = g_strconcat (detour_kind_names[kind], "-", NULL);
  gsize skip = g_str_has_prefix (written, prefix) ? 0 : strlen (prefix);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autofree char *quoted = detour_config_quote (written);
  g_autofree char *full = detour_plugins_resolve (self, kind, written);
  g_autofree char *package = detour_package_of (DETOUR_PACKAGES, full);
  g_autofree char *there = NULL;

  if (package != NULL)
    return g_strdup_printf (_ ("the plugin \"%s\" is not installed; install the package %s"),
                            quoted, package);
  for (guint i = 0; all[i] != NULL; i++)
    g_ptr_array_add (names, all[i] + skip);
  g_ptr_array_add (names, NULL);
  there = all[0] != NULL ? g_strjoinv (", ", (char **) names->pdata)
                         : g_strdup (_ ("none of this kind"));
  return g_strdup_printf (_ ("no plugin \"%s\"; there are %s"), quoted, there);
}
