/* print-keys.c: prints a manual page with the keys of all groups and built plugins, taken from
 * their own tables. SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   print-keys PAGE PLUGIN-DIRECTORY
 *
 * Runs while Detour is built. In PAGE, in scdoc's language, the line %groups% becomes the fixed
 * groups, %instance% the keys of each instance and %plugins% a section for each plugin. So the
 * manual cannot disagree with the daemon. */
#include "config.h"

#include <glib.h>
#include <sodium.h>
#include <string.h>

#include "detour-plugins.h"
#include "detour-schema.h"

static const char *const type_words[] = {
  [DETOUR_CONFIG_STRING] = "text",     [DETOUR_CONFIG_BOOL] = "yes or no",
  [DETOUR_CONFIG_UINT] = "number",     [DETOUR_CONFIG_DURATION] = "duration",
  [DETOUR_CONFIG_SIZE] = "size",       [DETOUR_CONFIG_RATE] = "rate",
  [DETOUR_CONFIG_PATH] = "path",       [DETOUR_CONFIG_ENUM] = "word",
  [DETOUR_CONFIG_ADDRESS] = "address", [DETOUR_CONFIG_CIDR] = "network",
};

/* Text that means itself in scdoc. */
static void
append_escaped (GString *page, const char *text)
{
  for (; *text != '\0'; text++)
    {
      if (strchr ("\\*_", *text) != NULL)
        g_string_append_c (page, '\\');
      g_string_append_c (page, *text);
    }
}

/* The largest unit that divides @value. */
static char *
number_text (DetourConfigType type, guint64 value)
{
  static const struct {
    guint64 factor;
    const char *unit;
  } durations[] = { { 86400000, "d" },
                    { 3600000, "h" },
                    { 60000, "m" },
                    { 1000, "s" },
                    { 1, "ms" } },
    sizes[] = { { 1 << 30, "G" }, { 1 << 20, "M" }, { 1 << 10, "K" }, { 1, "" } };

  if (type == DETOUR_CONFIG_DURATION)
    for (guint i = 0; i < G_N_ELEMENTS (durations); i++)
      if (value % durations[i].factor == 0 && (value > 0 || durations[i].factor == 1000))
        return g_strdup_printf ("%" G_GUINT64_FORMAT "%s", value / durations[i].factor,
                                durations[i].unit);
  if (type == DETOUR_CONFIG_SIZE || type == DETOUR_CONFIG_RATE)
    for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
      if (value % sizes[i].factor == 0)
        return g_strdup_printf ("%" G_GUINT64_FORMAT "%s", value / sizes[i].factor, sizes[i].unit);
  return g_strdup_printf ("%" G_GUINT64_FORMAT, value);
}

static void
append_range (GString *page, const DetourConfigKey *key)
{
  g_autofree char *min = number_text (key->type, key->min);
  g_autofree char *max = number_text (key->type, key->max);

  if (key->min == 0 && key->max == 0)
    return;
  g_string_append_printf (page, "; %s to %s", min, max);
}

static void
append_key (GString *page, const DetourConfigKey *key)
{
  g_string_append (page, "*");
  append_escaped (page, key->key);
  g_string_append (page, "* = ");
  if (key->type == DETOUR_CONFIG_ENUM)
    {
      g_auto (GStrv) words = g_strsplit (key->words, "|", -1);
      g_autofree char *joined = g_strjoinv ("*|*", words);

      g_string_append_printf (page, "*%s*", joined);
    }
  else
    g_string_append_printf (page, "_%s_", type_words[key->type]);
  if (key->flags & DETOUR_CONFIG_LIST)
    g_string_append (page, "; ...");
  if (key->fallback != NULL)
    {
      g_string_append (page, " (");
      append_escaped (page, key->fallback);
      g_string_append (page, ")");
    }

  g_string_append (page, "\n\t");
  append_escaped (page, key->summary);
  append_range (page, key);
  if (key->flags & DETOUR_CONFIG_LIMIT)
    g_string_append (page, "; *off* or *0* for none");
  if (key->flags & DETOUR_CONFIG_AUTO)
    g_string_append (page, "; or *auto*");
  if (key->flags & DETOUR_CONFIG_REQUIRED)
    g_string_append (page, "; must be set");
  if (key->flags & DETOUR_CONFIG_SECRET)
    g_string_append (page, "; masked in dumps");
  if (key->flags & DETOUR_CONFIG_RESTART)
    g_string_append (page, "; a change needs a restart");
  g_string_append (page, "\n\n");
}

static void
append_table (GString *page, const DetourConfigKey *table)
{
  for (; table != NULL && table->key != NULL; table++)
    append_key (page, table);
}

static void
append_groups (GString *page)
{
  for (guint i = 0; detour_schema_groups[i].name != NULL; i++)
    {
      g_string_append_printf (page, "## [%s]\n\n", detour_schema_groups[i].name);
      append_table (page, detour_schema_groups[i].table);
    }
  for (guint i = 0; detour_schema_named_groups[i].name != NULL; i++)
    {
      g_string_append_printf (page, "## [%s NAME]\n\n", detour_schema_named_groups[i].name);
      append_table (page, detour_schema_named_groups[i].table);
    }
}

static gboolean
append_plugins (GString *page, DetourPlugins *plugins)
{
  g_auto (GStrv) names = detour_plugins_names (plugins, DETOUR_N_KINDS);

  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      const DetourPlugin *plugin = detour_plugins_load (plugins, names[i], &error);
      const char *kind;

      if (plugin == NULL)
        {
          g_printerr ("print-keys: %s\n", error->message);
          return FALSE;
        }
      kind = detour_kind_names[plugin->kind];
      g_string_append_printf (page, "## [%s NAME] plugin = %s\n\n", kind,
                              plugin->name + strlen (kind) + 1);
      append_escaped (page, plugin->name);
      g_string_append (page, ": ");
      append_escaped (page, plugin->summary);
      g_string_append (page, plugin->config != NULL && plugin->config->key != NULL
                                 ? ".\n\n"
                                 : ". It has no keys of its own.\n\n");
      append_table (page, plugin->config);
    }
  return TRUE;
}

int
main (int argc, char **argv)
{
  const char *directories[] = { argc == 3 ? argv[2] : NULL, NULL };
  g_autoptr (DetourPlugins) plugins = NULL;
  g_autoptr (GString) page = g_string_new (NULL);
  g_autofree char *template = NULL;
  g_auto (GStrv) lines = NULL;
  g_autoptr (GError) error = NULL;

  if (argc != 3 || sodium_init () < 0 || !g_file_get_contents (argv[1], &template, NULL, &error))
    {
      g_printerr ("print-keys: %s\n",
                  error != NULL ? error->message : "usage: print-keys PAGE PLUGIN-DIRECTORY");
      return 1;
    }
  plugins = detour_plugins_new (directories);
  lines = g_strsplit (template, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      if (g_str_equal (lines[i], "%groups%"))
        append_groups (page);
      else if (g_str_equal (lines[i], "%instance%"))
        append_table (page, detour_schema_instance);
      else if (g_str_equal (lines[i], "%plugins%"))
        {
          if (!append_plugins (page, plugins))
            return 1;
        }
      else
        g_string_append_printf (page, "%s%s", lines[i], lines[i + 1] != NULL ? "\n" : "");
    }
  g_print ("%s", page->str);
  return 0;
}
