/* detour-control-bans.c: the methods by which the operator keeps keys and networks out.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-control-error.h"
#include "detour-events.h"
#include "detour-log.h"

/* Rows of one answer. */
#define LIMIT_DEFAULT 100u
#define LIMIT_MAX     1000u

/* Texts ---------------------------------------------------------------------------------------- */

static void
control_bans_refuse (GDBusMethodInvocation *call, GError *error)
{
  DetourControlError code = g_error_matches (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_FULL)
                              ? DETOUR_CONTROL_ERROR_BUSY
                              : DETOUR_CONTROL_ERROR_BAD_ARGUMENT;

  g_dbus_method_invocation_return_error_literal (call, DETOUR_CONTROL_ERROR, (int) code,
                                                 error->message);
}

static GVariant *
control_bans_make_row (const DetourBan *ban)
{
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "target", g_variant_new_string (ban->text));
  g_variant_builder_add (&row, "{sv}", "kind",
                         g_variant_new_string (ban->target.is_key ? "key" : "network"));
  g_variant_builder_add (&row, "{sv}", "since", g_variant_new_uint64 ((guint64) ban->since_us));
  if (ban->until_us > 0)
    g_variant_builder_add (&row, "{sv}", "until", g_variant_new_uint64 ((guint64) ban->until_us));
  if (*ban->reason != '\0')
    g_variant_builder_add (&row, "{sv}", "reason", g_variant_new_string (ban->reason));
  g_variant_builder_add (&row, "{sv}", "refused", g_variant_new_uint64 (ban->refused));
  return g_variant_builder_end (&row);
}

/* `detourctl why` and `monitor` show it. */
static void
control_bans_note (DetourEventKind kind, const DetourBanTarget *target, const char *reason)
{
  char text[DETOUR_BAN_TARGET_MAX];

  detour_events_note (kind, target->is_key ? &target->key : NULL,
                      target->is_key ? NULL : detour_ban_target_format (target, text), "operator",
                      "%s", reason);
}

/* Ban ------------------------------------------------------------------------------------------ */

typedef struct {
  gint64 for_us;
  gboolean force;
  const char *reason; /* of the options */
} Terms;

/* FALSE with @error: there is an option that is none. */
static gboolean
control_bans_read_terms (GVariant *options, Terms *terms, GError **error)
{
  GVariantIter iter;
  const char *name;
  GVariant *value;

  *terms = (Terms) { .reason = "" };
  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) owned = value;

      if (g_str_equal (name, "duration") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
        terms->for_us = (gint64) MIN (g_variant_get_uint64 (value), (guint64) G_MAXINT64);
      else if (g_str_equal (name, "reason") && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
        terms->reason = g_variant_get_string (value, NULL);
      else if (g_str_equal (name, "force") && g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
        terms->force = g_variant_get_boolean (value);
      else
        {
          g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                       "%s of type %s: there are duration (t), reason (s) and force (b)", name,
                       g_variant_get_type_string (value));
          return FALSE;
        }
    }
  return detour_ban_reason_check (terms->reason, error);
}

/* (nullable): of DetourBanTarget. NULL: @error is set. */
static GArray *
control_bans_read_targets (const char *const *texts, gboolean force, GError **error)
{
  g_autoptr (GArray) targets = g_array_new (FALSE, FALSE, sizeof (DetourBanTarget));

  for (; *texts != NULL; texts++)
    {
      DetourBanTarget target;

      if (!detour_ban_target_parse (*texts, &target, error)
          || (!force && !detour_ban_target_is_narrow (&target, error)))
        return NULL;
      g_array_append_val (targets, target);
    }
  return g_steal_pointer (&targets);
}

static void
control_bans_log_ban (const GArray *targets, const Terms *terms)
{
  for (guint i = 0; i < targets->len; i++)
    {
      const DetourBanTarget *target = &g_array_index (targets, DetourBanTarget, i);
      char text[DETOUR_BAN_TARGET_MAX];

      detour_ban_target_format (target, text);
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "banned",
                        detour_ban_target_field (target), text, "MESSAGE",
                        "%s is banned by the operator%s%s", text,
                        *terms->reason != '\0' ? ": " : "", terms->reason);
      control_bans_note (DETOUR_EVENT_BAN, target, terms->reason);
    }
}

static void
control_bans_on_banned (guint n, const GError *problem, gpointer data)
{
  GDBusMethodInvocation *call = data;

  if (problem == NULL)
    g_dbus_method_invocation_return_value (call, g_variant_new ("(u)", n));
  else
    g_dbus_method_invocation_return_error (
        call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_LASTING,
        "it holds until the daemon ends, but could not be written down: %s", problem->message);
}

void
detour_control_ban (DetourControl *self, GVariant *arguments, GDBusMethodInvocation *call)
{
  g_autofree const char **texts = NULL;
  g_autoptr (GVariant) options = NULL;
  g_autoptr (GArray) targets = NULL;
  g_autoptr (GError) error = NULL;
  Terms terms;

  g_variant_get (arguments, "(^a&s@a{sv})", &texts, &options);
  if (control_bans_read_terms (options, &terms, &error))
    targets = control_bans_read_targets (texts, terms.force, &error);
  if (targets == NULL
      || !detour_server_ban (self->parts.server, (const DetourBanTarget *) (gpointer) targets->data,
                             targets->len, terms.for_us, terms.reason, control_bans_on_banned, call,
                             &error))
    {
      control_bans_refuse (call, error);
      return;
    }
  control_bans_log_ban (targets, &terms);
}

/* Unban ---------------------------------------------------------------------------------------- */

/* The bans on keys that begin with @filter. */
static GPtrArray *
control_bans_find_keys (DetourBans *bans, const DetourScanFilter *filter)
{
  GPtrArray *found = g_ptr_array_new ();
  const GPtrArray *list = detour_bans_list (bans);

  for (guint i = 0; i < list->len; i++)
    {
      const DetourBan *ban = list->pdata[i];

      if (ban->target.is_key && detour_scan_key_fits (&ban->target.key, filter))
        g_ptr_array_add (found, (gpointer) ban->text);
    }
  return found;
}

/* (nullable): the text of the ban that @text names: a target, or the first digits of a key. NULL:
 * @error is set. */
static const char *
control_bans_find (DetourBans *bans, const char *text, GError **error)
{
  g_autoptr (GPtrArray) found = NULL;
  DetourScanFilter filter;
  DetourBanTarget target;
  char exact[DETOUR_BAN_TARGET_MAX];
  const DetourBan *ban;

  if (strpbrk (text, ".:/") == NULL || g_str_has_prefix (text, "nodekey:"))
    {
      if (!detour_client_key_parse (text, &filter, error))
        return NULL;
      found = control_bans_find_keys (bans, &filter);
      if (found->len == 1)
        return found->pdata[0];
      if (found->len > 1)
        g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_AMBIGUOUS,
                     "several banned keys begin so, %s and %s among them; write more digits",
                     (const char *) found->pdata[0], (const char *) found->pdata[1]);
      else
        g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NO_SUCH_BAN,
                     "%s: no such key is banned; \"detourctl bans\" lists what is", text);
      return NULL;
    }
  if (!detour_ban_target_parse (text, &target, error))
    return NULL;
  ban = detour_bans_find (bans, detour_ban_target_format (&target, exact));
  if (ban != NULL)
    return ban->text;
  g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NO_SUCH_BAN,
               "%s is not banned; \"detourctl bans\" lists what is", exact);
  return NULL;
}

static void
control_bans_on_unbanned (const GError *problem, gpointer data)
{
  GDBusMethodInvocation *call = data;

  if (problem == NULL)
    g_dbus_method_invocation_return_value (call, NULL);
  else
    g_dbus_method_invocation_return_error (
        call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_LASTING,
        "it holds until the daemon ends, but could not be written down: %s", problem->message);
}

void
detour_control_unban (DetourControl *self, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourBans *bans = detour_server_bans (self->parts.server);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  g_autofree const char **texts = NULL;

  g_variant_get (arguments, "(^a&s)", &texts);
  for (guint i = 0; texts[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      const char *text = control_bans_find (bans, texts[i], &error);

      if (text == NULL && error->domain == DETOUR_BAN_ERROR)
        control_bans_refuse (call, error);
      else if (text == NULL)
        g_dbus_method_invocation_return_gerror (call, error);
      if (text == NULL)
        return;
      g_ptr_array_add (found, g_strdup (text));
    }
  for (guint i = 0; i < found->len; i++)
    {
      const DetourBan *ban = detour_bans_find (bans, found->pdata[i]);

      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "unbanned",
                        detour_ban_target_field (&ban->target), ban->text, "MESSAGE",
                        "the operator lifts the ban on %s", ban->text);
      control_bans_note (DETOUR_EVENT_UNBAN, &ban->target, "");
    }
  g_ptr_array_add (found, NULL);
  detour_bans_remove (bans, (const char *const *) found->pdata, control_bans_on_unbanned, call);
}

/* FindKey -------------------------------------------------------------------------------------- */

static void
control_bans_answer_key (gpointer user, const DetourKey *key, GDBusMethodInvocation *call)
{
  g_autofree char *text = detour_key_to_text (key);

  g_dbus_method_invocation_return_value (call, g_variant_new ("(s)", text));
}

void
detour_control_find_key (DetourControl *self, GVariant *arguments, GDBusMethodInvocation *call)
{
  const char *digits;

  g_variant_get (arguments, "(&s)", &digits);
  detour_client_list_with_key (self->clients, digits, call, control_bans_answer_key, NULL);
}

/* ListBans ------------------------------------------------------------------------------------- */

/* Which of them are wanted. */
typedef struct {
  guint limit;
  guint64 after;
  GVariant *about; /* of as, borrowed; NULL: all are */
} Wanted;

static gboolean
control_bans_read_wanted (GVariant *options, Wanted *out, GError **error)
{
  GVariantIter iter;
  const char *name;
  GVariant *value;

  *out = (Wanted) { .limit = LIMIT_DEFAULT };
  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) owned = value;

      if (g_str_equal (name, "limit") && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32)
          && g_variant_get_uint32 (value) >= 1 && g_variant_get_uint32 (value) <= LIMIT_MAX)
        out->limit = g_variant_get_uint32 (value);
      else if (g_str_equal (name, "about") && g_variant_is_of_type (value, G_VARIANT_TYPE ("as")))
        out->about = value;
      else if (!g_str_equal (name, "after") || !g_variant_is_of_type (value, G_VARIANT_TYPE_STRING)
               || !g_ascii_string_to_unsigned (g_variant_get_string (value, NULL), 10, 0, G_MAXUINT,
                                               &out->after, NULL))
        {
          g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                       "%s of type %s: there are limit (u), from 1 to %u, after (s), as it was "
                       "given as next, and about (as)",
                       name, g_variant_get_type_string (value), LIMIT_MAX);
          return FALSE;
        }
    }
  return TRUE;
}

/* Whether the ban is on a key that begins with @text, or on a network with that address. */
static gboolean
control_bans_is_about (const DetourBan *ban, const char *text)
{
  DetourScanFilter filter;
  DetourCidr address;

  if (ban->target.is_key)
    return detour_client_key_parse (text, &filter, NULL)
        && detour_scan_key_fits (&ban->target.key, &filter);
  return detour_cidr_parse (text, &address, NULL)
      && detour_cidr_covers (&ban->target.network, &address);
}

/* Of DetourBan, borrowed. */
static GPtrArray *
control_bans_select (const GPtrArray *list, GVariant *about)
{
  GPtrArray *selected = g_ptr_array_new ();
  g_autofree const char **texts = g_variant_get_strv (about, NULL);

  for (guint i = 0; i < list->len; i++)
    for (guint k = 0; texts[k] != NULL; k++)
      if (control_bans_is_about (list->pdata[i], texts[k]))
        {
          g_ptr_array_add (selected, list->pdata[i]);
          break;
        }
  return selected;
}

void
detour_control_list_bans (DetourControl *self, GVariant *arguments, GDBusMethodInvocation *call)
{
  const GPtrArray *list = detour_bans_list (detour_server_bans (self->parts.server));
  g_autoptr (GVariant) options = g_variant_get_child_value (arguments, 0);
  g_autoptr (GPtrArray) selected = NULL;
  g_autofree char *next = NULL;
  g_autoptr (GError) error = NULL;
  GVariantBuilder rows;
  Wanted wanted;

  if (!control_bans_read_wanted (options, &wanted, &error))
    {
      g_dbus_method_invocation_return_gerror (call, error);
      return;
    }
  if (wanted.about != NULL)
    list = selected = control_bans_select (list, wanted.about);
  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (guint64 i = wanted.after; i < list->len && i < wanted.after + wanted.limit; i++)
    g_variant_builder_add_value (&rows, control_bans_make_row (list->pdata[i]));
  if (wanted.after + wanted.limit < list->len)
    next = g_strdup_printf ("%" G_GUINT64_FORMAT, wanted.after + wanted.limit);
  g_dbus_method_invocation_return_value (
      call, g_variant_new ("(aa{sv}s)", &rows, next != NULL ? next : ""));
}
