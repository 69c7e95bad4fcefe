/* detourctl-import-compose.c: finds how derper is started in a compose file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "detourctl-import-source.h"

/* The value of a member, also through `<<`, which may have one itself. */
static const DetourctlValue *
ctl_import_compose_member (const DetourctlValue *object, const char *name)
{
  const DetourctlValue *value = detourctl_value_member (object, name);
  const DetourctlValue *merged = detourctl_value_member (object, "<<");

  if (value != NULL || merged == NULL)
    return value;
  if (merged->type == DETOURCTL_VALUE_OBJECT)
    return ctl_import_compose_member (merged, name);
  for (guint i = 0; merged->type == DETOURCTL_VALUE_LIST && i < merged->values->len; i++)
    {
      value = ctl_import_compose_member (merged->values->pdata[i], name);
      if (value != NULL)
        return value;
    }
  return NULL;
}

/* Adds the words of `command` or `entrypoint`. */
static gboolean
ctl_import_compose_words (const DetourctlValue *value, GPtrArray *words, GError **error)
{
  if (value == NULL)
    return TRUE;
  if (value->type == DETOURCTL_VALUE_LIST)
    {
      for (guint i = 0; i < value->values->len; i++)
        {
          const DetourctlValue *part = value->values->pdata[i];
          char *word = part->text != NULL ? detourctl_import_interpolate (part->text, error) : NULL;

          if (part->text != NULL && word == NULL)
            return FALSE;
          if (word != NULL)
            g_ptr_array_add (words, word);
        }
      return TRUE;
    }
  if (value->text != NULL)
    {
      g_autofree char *text = detourctl_import_interpolate (value->text, error);
      g_auto (GStrv) parts = NULL;

      if (text == NULL)
        return FALSE;
      parts = detourctl_import_split (text, DETOURCTL_WORDS_QUOTES, NULL, error);
      if (parts == NULL)
        return FALSE;
      for (guint i = 0; parts[i] != NULL; i++)
        g_ptr_array_add (words, g_strdup (parts[i]));
    }
  return TRUE;
}

static gboolean
ctl_import_compose_environment (const DetourctlValue *value, GHashTable *environment,
                                GError **error)
{
  for (guint i = 0; value != NULL && value->values != NULL && i < value->values->len; i++)
    {
      const DetourctlValue *part = value->values->pdata[i];
      g_autofree char *text = NULL;

      if (part->text == NULL)
        continue;
      text = detourctl_import_interpolate (part->text, error);
      if (text == NULL)
        return FALSE;
      if (part->name != NULL)
        g_hash_table_insert (environment, g_strdup (part->name), g_steal_pointer (&text));
      else
        detourctl_import_set (environment, text);
    }
  return TRUE;
}

/* Lists `ports` and `volumes` as the file has them. */
static void
ctl_import_compose_note (DetourctlImportSource *self, const DetourctlValue *list, const char *text)
{
  g_autoptr (GString) all = g_string_new (NULL);

  for (guint i = 0; list != NULL && list->values != NULL && i < list->values->len; i++)
    {
      const DetourctlValue *part = list->values->pdata[i];

      if (part->text != NULL)
        g_string_append_printf (all, "%s%s", all->len > 0 ? ", " : "", part->text);
    }
  if (all->len > 0)
    g_ptr_array_add (self->notes, g_strdup_printf ("%s: %s.", text, all->str));
}

/* NULL without an error: it is a service of another kind. */
static DetourctlImportSource *
ctl_import_compose_service (const DetourctlValue *service, GError **error)
{
  g_autoptr (GHashTable) environment = detourctl_import_environment ();
  g_autoptr (DetourctlImportSource) self = detourctl_import_source_new ("compose file");
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  const DetourctlValue *command = ctl_import_compose_member (service, "command");
  const DetourctlValue *entry = ctl_import_compose_member (service, "entrypoint");
  const DetourctlValue *image = ctl_import_compose_member (service, "image");
  gboolean is_derper = image != NULL && image->text != NULL
                    && detourctl_import_is_derper (image->text);

  if (!ctl_import_compose_environment (ctl_import_compose_member (service, "environment"),
                                       environment, error)
      || !ctl_import_compose_words (entry, words, error)
      || !ctl_import_compose_words (command, words, error))
    return NULL;
  if (words->len == 0 && is_derper)
    {
      g_autofree char *name = g_strescape (service->name, NULL);
      g_autofree char *shown = g_strescape (image->text, NULL);

      g_set_error (error, DETOURCTL_IMPORT_ERROR, 0,
                   _ ("service %s has no command, so its flags are in the image %s; give the "
                      "Dockerfile of that instead, with the variables of the service in the "
                      "environment of this command"),
                   name, shown);
      return NULL;
    }
  if (words->len == 0)
    return NULL;
  g_ptr_array_add (words, NULL);
  self->words = detourctl_import_find_flags ((const char *const *) words->pdata, environment,
                                             /* Another service may have it. */ NULL);
  if (self->words == NULL)
    return NULL;
  ctl_import_compose_note (self, ctl_import_compose_member (service, "ports"),
                           "Published ports, host before container; Detour takes those of "
                           "the host");
  ctl_import_compose_note (self, ctl_import_compose_member (service, "volumes"),
                           "Volumes; the paths below are those of the container");
  return g_steal_pointer (&self);
}

DetourctlImportSource *
detourctl_import_source_from_compose (const DetourctlValue *services, GError **error)
{
  for (guint i = 0; services->type == DETOURCTL_VALUE_OBJECT && i < services->values->len; i++)
    {
      GError *fault = NULL;
      DetourctlImportSource *self = ctl_import_compose_service (services->values->pdata[i], &fault);

      if (fault != NULL)
        {
          g_propagate_error (error, fault);
          return NULL;
        }
      if (self != NULL)
        return self;
    }
  detourctl_import_fail (error, _ ("no service of the compose file runs derper"));
  return NULL;
}
