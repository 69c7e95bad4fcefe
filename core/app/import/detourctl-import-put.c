/* detourctl-import-put.c: the parts of a configuration that takes the place of derper's flags.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-import-put.h"

#include <string.h>

static const char *const group_names[N_GROUPS] = {
  [GROUP_CORE] = "core",
  [GROUP_ADMISSION] = "admission",
  [GROUP_TAILSCALED] = "auth tailscaled",
  [GROUP_URL] = "auth url",
  [GROUP_HTTPS] = "transport https",
  [GROUP_HTTP] = "transport http",
  [GROUP_CERT] = "cert main",
  [GROUP_STUN] = "service stun",
  [GROUP_HOME] = "http home",
  [GROUP_DNS] = "http bootstrap-dns",
  [GROUP_ACE] = "http ace",
  [GROUP_MESH] = "service mesh",
  [GROUP_LIMITS] = "limits",
};

const DetourctlDerperValue *
detourctl_import_put_value (const DetourctlImportText *self, DetourctlDerperFlag flag)
{
  return &self->flags->values[flag];
}

const char *
detourctl_import_put_of (const DetourctlImportText *self, DetourctlDerperFlag flag)
{
  return self->flags->values[flag].text;
}

gboolean
detourctl_import_put_has (const DetourctlImportText *self, DetourctlDerperFlag flag)
{
  return *self->flags->values[flag].text != '\0';
}

GString *
detourctl_import_put_group (DetourctlImportText *self, DetourctlImportGroup group)
{
  if (self->groups[group] == NULL)
    {
      self->groups[group] = g_string_new (NULL);
      g_string_append_printf (self->groups[group], "\n[%s]\n", group_names[group]);
    }
  return self->groups[group];
}

void
detourctl_import_put_comment_on (GString *out, const char *text)
{
  g_autofree char *safe = g_strdup (text);

  for (char *p = safe; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  g_string_append_printf (out, "# %s\n", safe);
}

void
detourctl_import_put_comment (DetourctlImportText *self, DetourctlImportGroup group,
                              const char *text)
{
  detourctl_import_put_comment_on (detourctl_import_put_group (self, group), text);
}

void
detourctl_import_put_commentf (DetourctlImportText *self, DetourctlImportGroup group,
                               const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  detourctl_import_put_comment (self, group, text);
}

/* A flag without a counterpart, and why. */
void
detourctl_import_put_without (DetourctlImportText *self, DetourctlDerperFlag flag, const char *text)
{
  g_autofree char *line = g_strdup_printf ("-%s %s: %s", detourctl_derper_flag_name (flag),
                                           detourctl_import_put_of (self, flag), text);

  detourctl_import_put_comment_on (self->without, line);
}

void
detourctl_import_put_fault (DetourctlImportText *self, DetourctlDerperFlag flag, const char *format,
                            ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (self->faults,
                   g_strdup_printf ("-%s: %s", detourctl_derper_flag_name (flag), text));
}

/* @text as a value: with a backslash before what would be read as something else. */
static char *
ctl_import_put_quote (const char *text)
{
  GString *out = g_string_new (NULL);
  gsize len = strlen (text);

  for (gsize i = 0; i < len; i++)
    {
      if (text[i] == ' ' && (i == 0 || i + 1 == len))
        {
          g_string_append (out, "\\s");
          continue;
        }
      if (strchr ("#\",;\\", text[i]) != NULL)
        g_string_append_c (out, '\\');
      g_string_append_c (out, g_ascii_iscntrl (text[i]) ? ' ' : text[i]);
    }
  return g_string_free (out, FALSE);
}

void
detourctl_import_put_key (DetourctlImportText *self, DetourctlImportGroup group, const char *key,
                          const char *value)
{
  g_autofree char *quoted = ctl_import_put_quote (value);

  g_string_append_printf (detourctl_import_put_group (self, group), "%s = %s\n", key, quoted);
}

/* The value of a flag as it is, where it was given. */
void
detourctl_import_put_copy (DetourctlImportText *self, DetourctlDerperFlag flag,
                           DetourctlImportGroup group, const char *key)
{
  if (detourctl_import_put_has (self, flag))
    detourctl_import_put_key (self, group, key, detourctl_import_put_of (self, flag));
}

/* A list with commas into one with semicolons. */
void
detourctl_import_put_list (DetourctlImportText *self, DetourctlDerperFlag flag,
                           DetourctlImportGroup group, const char *key)
{
  g_auto (GStrv) parts = g_strsplit (detourctl_import_put_of (self, flag), ",", -1);
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; parts[i] != NULL; i++)
    {
      g_autofree char *quoted = ctl_import_put_quote (parts[i]);

      if (*parts[i] != '\0')
        g_string_append_printf (out, "%s%s", out->len > 0 ? "; " : "", quoted);
    }
  if (out->len > 0)
    g_string_append_printf (detourctl_import_put_group (self, group), "%s = %s\n", key, out->str);
}
