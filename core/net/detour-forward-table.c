/* detour-forward-table.c: which names are forwarded where.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-forward-table.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-hello-name.h"

struct _DetourForwardTable {
  gatomicrefcount refs;
  GHashTable *targets; /* name → DetourForwardTarget; without an address: it stays here */
};

G_DEFINE_QUARK (detour_forward_error_quark, detour_forward_error)

static gboolean
forward_table_refuse (GError **error, const char *entry, const char *why)
{
  g_set_error (error, DETOUR_FORWARD_ERROR, DETOUR_FORWARD_ERROR_SYNTAX, "\"%s\" %s", entry, why);
  return FALSE;
}

static void
forward_table_free_target (gpointer data)
{
  DetourForwardTarget *target = data;

  g_free (target->text);
  g_free (target);
}

static gboolean
forward_table_set_address (DetourForwardTarget *target, const char *entry, const char *name,
                           GError **error)
{
  g_autoptr (GError) problem = NULL;
  DetourAddress address;

  if (strcmp (target->text, "own") == 0)
    return TRUE;
  if (target->text[0] == '\0')
    return forward_table_refuse (error, entry,
                                 _ ("has no address behind the =; write one with a port, as in "
                                    "www.example.com=127.0.0.1:8443, or unix:/path"));
  if (!detour_address_parse (target->text, &address, &problem))
    {
      /* That begins with the address in quotes. */
      g_set_error (error, DETOUR_FORWARD_ERROR, DETOUR_FORWARD_ERROR_SYNTAX, "%s=…: %s", name,
                   problem->message);
      return FALSE;
    }
  if (!detour_address_to_sockaddr (&address, &target->address, &target->len)
      || (address.path[0] == '\0' && (address.host[0] == '\0' || address.port == 0)))
    return forward_table_refuse (error, entry,
                                 _ ("leads nowhere: write an address with a port, as in "
                                    "www.example.com=127.0.0.1:8443, or unix:/path; names are not "
                                    "looked up"));
  return TRUE;
}

/* What TLS hellos can ask for. */
static gboolean
forward_table_check_name (const char *name, const char *entry, GError **error)
{
  g_autofree char *bare = g_str_has_prefix (name, "[") && g_str_has_suffix (name, "]")
                            ? g_strndup (name + 1, strlen (name) - 2)
                            : g_strdup (name);
  g_autofree char *ascii = NULL;

  if (g_hostname_is_ip_address (bare))
    return forward_table_refuse (error, entry,
                                 _ ("has an address in front, and clients ask for names only; "
                                    "write www.example.com=… or *.example.com=…"));
  if (!g_str_is_ascii (name) && g_utf8_validate (name, -1, NULL))
    ascii = g_hostname_to_ascii (name);
  if (ascii != NULL && detour_hello_name_is_pattern (ascii))
    {
      g_set_error (error, DETOUR_FORWARD_ERROR, DETOUR_FORWARD_ERROR_SYNTAX,
                   _ ("\"%s\" has letters that clients do not send; write %s=…"), entry, ascii);
      return FALSE;
    }
  if (!detour_hello_name_is_pattern (name))
    return forward_table_refuse (error, entry,
                                 _ ("has no name in front; write www.example.com=… or "
                                    "*.example.com=…"));
  return TRUE;
}

static gboolean
forward_table_add (DetourForwardTable *self, const char *entry, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (entry, "=", 2);
  g_autofree char *name = NULL;
  DetourForwardTarget *target;

  if (g_strv_length (parts) != 2)
    return forward_table_refuse (error, entry,
                                 _ ("is not NAME=ADDRESS, as in www.example.com=127.0.0.1:8443"));
  name = g_ascii_strdown (g_strstrip (parts[0]), -1);
  if (!forward_table_check_name (name, entry, error))
    return FALSE;
  if (g_hash_table_contains (self->targets, name))
    return forward_table_refuse (error, entry, _ ("names what another entry names already"));
  target = g_new0 (DetourForwardTarget, 1);
  target->text = g_strdup (g_strstrip (parts[1]));
  if (!forward_table_set_address (target, entry, name, error))
    {
      forward_table_free_target (target);
      return FALSE;
    }
  g_hash_table_insert (self->targets, g_steal_pointer (&name), target);
  return TRUE;
}

DetourForwardTable *
detour_forward_table_new (const char *const *entries, const char *own_name, GError **error)
{
  g_autoptr (DetourForwardTable) self = g_new0 (DetourForwardTable, 1);

  g_atomic_ref_count_init (&self->refs);
  self->targets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                         forward_table_free_target);
  for (; *entries != NULL; entries++)
    if (!forward_table_add (self, *entries, error))
      return NULL;
  if (own_name != NULL)
    {
      g_autofree char *name = g_ascii_strdown (own_name, -1);
      g_autofree char *entry = g_strdup_printf ("%s=own", name);
      const DetourForwardTarget *there = g_hash_table_lookup (self->targets, name);

      if (there != NULL && there->len > 0)
        {
          forward_table_refuse (error, own_name,
                                _ ("is the name of this relay ([core] hostname), whose connections "
                                   "have to stay here"));
          return NULL;
        }
      /* A host name that is no name, such as an IPv6 address, fits no name with `*.`. */
      if (there == NULL && detour_hello_name_is_pattern (name) && !g_hostname_is_ip_address (name)
          && !forward_table_add (self, entry, error))
        return NULL;
    }
  return g_steal_pointer (&self);
}

DetourForwardTable *
detour_forward_table_ref (DetourForwardTable *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_forward_table_unref (DetourForwardTable *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_hash_table_unref (self->targets);
  g_free (self);
}

const DetourForwardTarget *
detour_forward_table_find (const DetourForwardTable *self, const char *name)
{
  const DetourForwardTarget *found = g_hash_table_lookup (self->targets, name);

  if (found == NULL && strchr (name, '.') != NULL)
    {
      char wild[256];

      g_snprintf (wild, sizeof wild, "*%s", strchr (name, '.'));
      found = g_hash_table_lookup (self->targets, wild);
    }
  return found != NULL && found->len > 0 ? found : NULL;
}
