/* detourctl-fleet-key.c: a key of which the first digits are known, on all relays of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-fleet-key.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-ban.h"

#define ERROR DETOUR_BUS_NAME ".Error."

typedef struct {
  const char *text;
  gboolean of_bans;
} Search;

/* What one relay knows. */
typedef struct {
  GPtrArray *keys; /* of char *: those that begin so */
  char *refusal;   /* there are several; NULL: there are not */
} Found;

static void
ctl_fleet_key_free (gpointer data)
{
  Found *found = data;

  g_ptr_array_unref (found->keys);
  g_free (found->refusal);
  g_free (found);
}

/* Adds what bans there are on keys that begin so. FALSE with @error. */
static gboolean
ctl_fleet_key_add_bans (FleetLink *link, const char *text, GPtrArray *keys, GError **error)
{
  const char *about[] = { text, NULL };
  g_autoptr (GVariant) reply = fleet_link_call (
      link, "", "Manager", "ListBans", detourctl_ban_about_wishes (about), "(aa{sv}s)", error);
  g_autoptr (GVariant) rows = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;

  for (gsize i = 0; rows != NULL && i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      const char *target = detourctl_text (row, "target");

      if (g_str_has_prefix (target, "nodekey:"))
        g_ptr_array_add (keys, g_strdup (target));
    }
  return rows != NULL;
}

static gpointer
ctl_fleet_key_ask (FleetLink *link, gpointer user, GError **error)
{
  const Search *search = user;
  g_autoptr (GError) fault = NULL;
  g_autoptr (GVariant) reply = fleet_link_call (link, "", "Manager", "FindKey",
                                                g_variant_new ("(s)", search->text), "(s)", &fault);
  Found *found = g_new0 (Found, 1);
  char *key = NULL;

  found->keys = g_ptr_array_new_with_free_func (g_free);
  if (reply != NULL)
    {
      g_variant_get (reply, "(s)", &key);
      g_ptr_array_add (found->keys, key);
      return found;
    }
  if (g_strcmp0 (fleet_link_fault (link), ERROR "Ambiguous") == 0)
    {
      found->refusal = g_strdup (fault->message);
      return found;
    }
  if (g_strcmp0 (fleet_link_fault (link), ERROR "NoSuchClient") != 0)
    g_propagate_error (error, g_steal_pointer (&fault));
  else if (!search->of_bans || ctl_fleet_key_add_bans (link, search->text, found->keys, error))
    return found;
  ctl_fleet_key_free (found);
  return NULL;
}

/* FALSE after a message: several keys begin so. */
static gboolean
ctl_fleet_key_take (const char *text, const FleetAnswer *answer, char **found)
{
  const Found *own = answer->result;
  const GPtrArray *keys = own != NULL ? own->keys : NULL;

  if (own != NULL && own->refusal != NULL)
    {
      detourctl_complain ("%s: %s", answer->relay->name, own->refusal);
      return FALSE;
    }
  for (guint i = 0; keys != NULL && i < keys->len; i++)
    {
      const char *key = keys->pdata[i];

      if (*found != NULL && strcmp (*found, key) != 0)
        {
          detourctl_complain (_ ("\"%s\" begins several keys: %s, %s; write more of it"), text,
                              *found, key);
          return FALSE;
        }
      g_free (*found);
      *found = g_strdup (key);
    }
  return TRUE;
}

char *
detourctl_fleet_find_key (const Detourctl *ctl, const Fleet *fleet, const FleetState *state,
                          const char *text, gboolean of_bans, DetourctlExit *exit)
{
  Search search = { text, of_bans };
  g_autoptr (GPtrArray) answers = fleet_ask (fleet, NULL, ctl->timeout_ms, ctl_fleet_key_ask,
                                             &search, ctl_fleet_key_free);
  g_autofree char *found = NULL;

  *exit = DETOURCTL_FAILED;
  for (guint i = 0; i < answers->len; i++)
    if (!ctl_fleet_key_take (text, answers->pdata[i], &found))
      return NULL;
  if (found == NULL)
    {
      detourctl_fleet_name_silent (answers, state, DETOURCTL_FAILED);
      detourctl_complain (
          _ ("no relay knows a client whose key begins with \"%s\"; write the whole key"), text);
    }
  return g_steal_pointer (&found);
}
