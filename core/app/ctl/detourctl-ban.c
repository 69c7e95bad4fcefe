/* detourctl-ban.c: keeps keys and networks out, lets them in again, and lists them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-ban.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-ban.h"
#include "detour-client-list.h"
#include "detour-config-value.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-page.h"
#include "detourctl-table.h"
#include "detourctl.h"

/* Rows asked for at a time. */
#define PAGE 1000u

static const char *const row_times[] = { "since", "until", NULL };

char *detourctl_ban_duration, *detourctl_ban_reason;
gboolean detourctl_ban_force;

static int limit = DETOURCTL_PAGE_NO_LIMIT;

static const GOptionEntry ban_options[] = { DETOURCTL_BAN_OPTIONS, { NULL } };

static const GOptionEntry list_options[] = {
  DETOURCTL_PAGE_OPTION (&limit),
  { NULL },
};

/* Targets -------------------------------------------------------------------------------------- */

/* Digits without anything else are the first ones of a key. */
static gboolean
ctl_ban_is_key (const char *text)
{
  return g_str_has_prefix (text, "nodekey:") || strpbrk (text, ".:/") == NULL;
}

/* FALSE after a message: it is no network, or a larger one than may be banned without --force. */
static gboolean
ctl_ban_check_network (const char *text)
{
  g_autoptr (GError) error = NULL;
  DetourBanTarget target;

  if (detour_ban_target_parse (text, &target, &error)
      && (detourctl_ban_force || detour_ban_target_is_narrow (&target, &error)))
    return TRUE;
  detourctl_complain ("%s", error->message);
  return FALSE;
}

char *
detourctl_ban_whole_key (const char *text, DetourctlKeyFunc find, gpointer user,
                         DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;
  DetourScanFilter filter;

  if (!detour_client_key_parse (text, &filter, &error))
    {
      detourctl_complain ("%s", error->message);
      *exit = DETOURCTL_USAGE;
      return NULL;
    }
  if (filter.n_digits == DETOUR_KEY_HEX_SIZE)
    return detour_key_to_text (&filter.key);
  return find (user, text, exit);
}

GPtrArray *
detourctl_ban_targets (char **arguments, DetourctlKeyFunc key, gpointer user, DetourctlExit *exit)
{
  g_autoptr (GPtrArray) targets = g_ptr_array_new_with_free_func (g_free);

  for (; *arguments != NULL; arguments++)
    {
      g_autofree char *bare = g_strstrip (g_strdup (*arguments));
      char *target = NULL;

      *exit = DETOURCTL_USAGE;
      if (ctl_ban_is_key (bare))
        target = detourctl_ban_whole_key (bare, key, user, exit);
      else if (ctl_ban_check_network (bare))
        target = g_steal_pointer (&bare);
      if (target == NULL)
        return NULL;
      g_ptr_array_add (targets, target);
    }
  return g_steal_pointer (&targets);
}

static char *
ctl_ban_find_key (gpointer user, const char *text, DetourctlExit *exit)
{
  g_autoptr (GVariant) reply = detourctl_call (user, "", "Manager", "FindKey",
                                               g_variant_new ("(s)", text), "(s)", exit);
  char *key = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(s)", &key);
  return key;
}

/* Commands ------------------------------------------------------------------------------------- */

GVariant *
detourctl_ban_wishes (guint64 *for_us)
{
  static const DetourConfigKey key = {
    "for", DETOUR_CONFIG_DURATION, NULL, 1000, (guint64) 100 * 366 * 86400 * 1000, NULL
  };
  g_autoptr (GError) error = NULL;
  DetourConfigValue value = { 0 };
  GVariantBuilder wishes;

  if (detourctl_ban_duration != NULL
      && !detour_config_value_parse (&key, detourctl_ban_duration, &value, &error))
    {
      detourctl_complain ("--for: %s", error->message);
      return NULL;
    }
  *for_us = value.number * 1000;
  detour_config_value_clear (&value);
  if (detourctl_ban_reason != NULL && !detour_ban_reason_check (detourctl_ban_reason, &error))
    {
      detourctl_complain ("--reason: %s", error->message);
      return NULL;
    }
  g_variant_builder_init (&wishes, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&wishes, "{sv}", "duration", g_variant_new_uint64 (*for_us));
  if (detourctl_ban_reason != NULL)
    g_variant_builder_add (&wishes, "{sv}", "reason", g_variant_new_string (detourctl_ban_reason));
  g_variant_builder_add (&wishes, "{sv}", "force", g_variant_new_boolean (detourctl_ban_force));
  return g_variant_ref_sink (g_variant_builder_end (&wishes));
}

gboolean
detourctl_ban_send (const char *const *targets, guint n, GVariant *wishes, DetourctlBanCall call,
                    gpointer user, guint *closed)
{
  for (guint i = 0; i < n; i += DETOURCTL_BAN_TARGETS)
    {
      GVariant *part = g_variant_new_strv (targets + i, MIN (n - i, DETOURCTL_BAN_TARGETS));
      g_autoptr (GVariant)
          reply = wishes != NULL
                    ? call (user, "Ban", g_variant_new ("(@as@a{sv})", part, wishes), "(u)")
                    : call (user, "Unban", g_variant_new ("(@as)", part), "()");
      guint32 count = 0;

      if (reply == NULL)
        return FALSE;
      if (wishes != NULL)
        g_variant_get (reply, "(u)", &count);
      *closed += count;
    }
  return TRUE;
}

/* Of the one daemon. */
typedef struct {
  Detourctl *ctl;
  DetourctlExit exit; /* of the call that failed */
} Order;

static GVariant *
ctl_ban_call (gpointer user, const char *method, GVariant *arguments, const char *reply)
{
  Order *order = user;

  return detourctl_call (order->ctl, "", "Manager", method, arguments, reply, &order->exit);
}

static void
ctl_ban_print_done (const GPtrArray *targets, guint64 for_us, guint closed)
{
  g_autofree char *what = targets->len == 1
                            ? g_strdup (targets->pdata[0])
                            : g_strdup_printf (ngettext ("%u target", "%u targets", targets->len),
                                               targets->len);

  if (for_us > 0)
    {
      g_autofree char *until = detourctl_format_time ((guint64) g_get_real_time () + for_us);

      /* TRANSLATORS: a time, and a key or a network. */
      g_print (_ ("Banned until %s: %s"), until, what);
    }
  else
    g_print (_ ("Banned until it is lifted: %s"), what);
  g_print (ngettext ("; %u connection was closed\n", "; %u connections were closed\n", closed),
           closed);
}

/* The address that was dialled last is the one that the other server most likely comes from. */
static void
ctl_ban_look_at_peer (const char *path, GVariant *peer, gpointer user)
{
  const GPtrArray *targets = user;
  DetourAddress address;
  DetourCidr own;

  if (!detour_address_parse (detourctl_text (peer, "Address"), &address, NULL)
      || !detour_cidr_parse (address.host, &own, NULL))
    return;
  for (guint i = 0; i < targets->len; i++)
    {
      DetourBanTarget target;

      if (!detour_ban_target_parse (targets->pdata[i], &target, NULL) || target.is_key
          || !detour_cidr_covers (&target.network, &own))
        continue;
      /* TRANSLATORS: name of another server of the region, its address, what is banned. */
      g_print (_ ("! [peer %s] at %s is in %s: nothing that it sends comes here while that is "
                  "banned\n"),
               detourctl_text (peer, "Name"), address.host, (const char *) targets->pdata[i]);
      return;
    }
}

static void
ctl_ban_warn_of_peers (Detourctl *self, GPtrArray *targets)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) objects = NULL;
  gboolean has_network = FALSE;

  for (guint i = 0; i < targets->len; i++)
    has_network = has_network || !ctl_ban_is_key (targets->pdata[i]);
  if (has_network)
    objects = detourctl_objects (self, &exit);
  if (objects != NULL)
    detourctl_each_object (objects, "Peer", ctl_ban_look_at_peer, targets);
}

static DetourctlExit
ctl_ban_run_ban (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  guint64 for_us = 0;
  g_autoptr (GVariant) wishes = detourctl_ban_wishes (&for_us);
  g_autoptr (GPtrArray) targets = NULL;
  Order order = { self, DETOURCTL_GOOD };
  guint closed = 0;

  if (wishes == NULL)
    return DETOURCTL_USAGE;
  targets = detourctl_ban_targets (arguments, ctl_ban_find_key, self, &exit);
  if (targets == NULL)
    return exit;
  if (!detourctl_ban_send ((const char *const *) targets->pdata, targets->len, wishes, ctl_ban_call,
                           &order, &closed))
    return order.exit;
  if (self->json)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_uint32 (closed));

      return detourctl_json_print_variant ("closed", value, NULL);
    }
  ctl_ban_print_done (targets, for_us, closed);
  ctl_ban_warn_of_peers (self, targets);
  return DETOURCTL_GOOD;
}

static DetourctlExit
ctl_ban_run_unban (Detourctl *self, char **arguments)
{
  Order order = { self, DETOURCTL_GOOD };
  guint n = g_strv_length (arguments), closed = 0;

  if (!detourctl_ban_send ((const char *const *) arguments, n, NULL, ctl_ban_call, &order, &closed))
    return order.exit;
  if (self->json)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_uint32 (n));

      return detourctl_json_print_variant ("lifted", value, NULL);
    }
  g_print (ngettext ("%u ban was lifted\n", "%u bans were lifted\n", n), n);
  return DETOURCTL_GOOD;
}

/* The list ------------------------------------------------------------------------------------- */

static GVariant *
ctl_ban_get_page (Detourctl *self, guint n, char **after, DetourctlExit *exit)
{
  g_autoptr (GVariant) reply = NULL;
  GVariantBuilder options;

  detourctl_page_begin (&options, n, *after);
  reply = detourctl_call (self, "", "Manager", "ListBans", g_variant_new ("(a{sv})", &options),
                          "(aa{sv}s)", exit);
  return reply != NULL ? detourctl_page_rows (reply, after) : NULL;
}

GVariant *
detourctl_ban_about_wishes (const char *const *about)
{
  GVariantBuilder options;

  detourctl_page_begin (&options, PAGE, "");
  g_variant_builder_add (&options, "{sv}", "about", g_variant_new_strv (about, -1));
  return g_variant_new ("(a{sv})", &options);
}

GVariant *
detourctl_ban_about (Detourctl *self, const char *const *about, DetourctlExit *exit)
{
  g_autoptr (GVariant) reply = detourctl_call (
      self, "", "Manager", "ListBans", detourctl_ban_about_wishes (about), "(aa{sv}s)", exit);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

static void
ctl_ban_add_row (DetourctlTable *table, GVariant *row)
{
  g_autofree char *since = detourctl_format_time (detourctl_number (row, "since"));
  guint64 until_us = detourctl_number (row, "until");
  g_autofree char *until = until_us > 0 ? detourctl_format_time (until_us)
                                        : g_strdup (_ ("lifted"));
  g_autofree char *refused = detourctl_format_count (detourctl_number (row, "refused"));

  detourctl_table_add (table, since, until, refused, detourctl_text (row, "target"),
                       detourctl_text (row, "reason"), NULL);
}

/* All pages, one at a time. */
static DetourctlExit
ctl_ban_print_pages (Detourctl *self, DetourctlTable *table, DetourctlJson *json)
{
  g_autofree char *after = g_strdup ("");
  guint left = limit > 0 ? (guint) limit : G_MAXUINT;
  DetourctlExit exit = DETOURCTL_GOOD;
  gboolean is_first = TRUE;

  do
    {
      g_autoptr (GVariant) rows = ctl_ban_get_page (self, MIN (left, PAGE), &after, &exit);

      if (rows == NULL)
        return exit;
      if (is_first && json == NULL && g_variant_n_children (rows) == 0)
        g_print (_ ("Nothing is banned.\n"));
      is_first = FALSE;
      left -= MIN (left, (guint) g_variant_n_children (rows));
      for (gsize i = 0; i < g_variant_n_children (rows); i++)
        {
          g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

          if (json != NULL)
            detourctl_json_variant (json, NULL, row, row_times);
          else
            ctl_ban_add_row (table, row);
        }
      if (json == NULL)
        detourctl_print_table (self, table);
    }
  while (left > 0 && *after != '\0');
  return DETOURCTL_GOOD;
}

static DetourctlExit
ctl_ban_run_bans (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("SINCE"), DETOURCTL_COLUMN_LEFT },    { _ ("UNTIL"), DETOURCTL_COLUMN_LEFT },
    { _ ("REFUSED"), DETOURCTL_COLUMN_RIGHT }, { _ ("TARGET"), DETOURCTL_COLUMN_LEFT },
    { _ ("REASON"), DETOURCTL_COLUMN_LEFT },   { NULL },
  };
  g_autoptr (DetourctlTable) table = NULL;
  DetourctlJson *json;
  DetourctlExit exit;

  if (!detourctl_page_check_limit (limit))
    return DETOURCTL_USAGE;
  if (!self->json)
    {
      table = detourctl_table_new (columns);
      return ctl_ban_print_pages (self, table, NULL);
    }
  json = detourctl_json_begin_document ();
  detourctl_json_begin_array (json, "bans");
  exit = ctl_ban_print_pages (self, NULL, json);
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

const DetourctlCommand detourctl_ban_commands[] = {
  { .name = "ban",
    .arguments = N_ ("KEY|NETWORK…"),
    .summary = N_ ("Keep a key or a network out"),
    .details = N_ (
        "KEY is nodekey: and 64 hex digits, or the first digits of a client that is connected or "
        "was\nrefused lately. NETWORK is an address or ADDRESS/BITS. Bans come before all "
        "admission, close\nconnections that are there, and last beyond a restart."),
    .options = ban_options,
    .run = ctl_ban_run_ban,
    .n_min = 1,
    .n_max = G_MAXUINT },
  { .name = "unban",
    .arguments = N_ ("KEY|NETWORK…"),
    .summary = N_ ("Lift a ban"),
    .details = N_ ("A network is written as it was banned; of a key the first digits will do."),
    .run = ctl_ban_run_unban,
    .n_min = 1,
    .n_max = G_MAXUINT },
  { .name = "bans",
    .arguments = "",
    .summary = N_ ("List what is banned, since when, until when and why"),
    .details = N_ ("REFUSED counts clients that were turned away at their login. Connections from "
                   "a network are\nmostly closed before that; the counter connections_banned has "
                   "them."),
    .options = list_options,
    .run = ctl_ban_run_bans },
  { NULL },
};
