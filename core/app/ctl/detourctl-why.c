/* detourctl-why.c: the command that says why a client is let in or kept out.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-why.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-ban.h"
#include "detour-client-key.h"
#include "detourctl-ban.h"
#include "detourctl-events.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-table.h"
#include "detourctl.h"

static const char *const row_times[] = { "since", "until", "first", "last", NULL };

/* Verdicts in words ------------------------------------------------------------------------------
 */

const char *
detourctl_why_verdict_word (GVariant *row)
{
  const char *verdict = detourctl_text (row, "verdict");

  if (strcmp (verdict, "allow") == 0)
    return _ ("allowed");
  return strcmp (verdict, "deny") == 0 ? _ ("refused") : _ ("no answer");
}

char *
detourctl_why_verdict_notes (GVariant *row)
{
  static const struct {
    const char *flag, *text;
  } notes[] = {
    { "cached", N_ ("remembered") },
    { "grace", N_ ("admitted because it was allowed lately") },
    { "recheck", N_ ("asked again while it was connected") },
    { "dry_run", N_ ("admitted because of dry-run") },
  };
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();
  g_autofree char *tenant = g_strdup_printf (_ ("tenant %s"), detourctl_text (row, "tenant"));

  if (*detourctl_text (row, "reason") != '\0')
    g_ptr_array_add (texts, (gpointer) detourctl_text (row, "reason"));
  else if (*detourctl_text (row, "label") != '\0')
    g_ptr_array_add (texts, (gpointer) detourctl_text (row, "label"));
  if (*detourctl_text (row, "tenant") != '\0')
    g_ptr_array_add (texts, tenant);
  for (guint i = 0; i < G_N_ELEMENTS (notes); i++)
    if (detourctl_flag (row, notes[i].flag))
      g_ptr_array_add (texts, (gpointer) _ (notes[i].text));
  g_ptr_array_add (texts, NULL);
  return g_strjoinv ("; ", (char **) texts->pdata);
}

/* Bans -------------------------------------------------------------------------------------------
 */

/* Of a key that is not known any more, but banned, the first digits will do, too. NULL: the daemon
 * says what is wrong with @text, or that was said. */
static char *
ctl_why_whole_key (Detourctl *self, const char *text)
{
  const char *about[] = { text, NULL };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) bans = NULL;
  g_autoptr (GVariant) ban = NULL;
  DetourScanFilter filter;
  char *key = NULL;

  if (!detour_client_key_parse (text, &filter, NULL))
    return NULL;
  if (filter.n_digits == DETOUR_KEY_HEX_SIZE)
    return detour_key_to_text (&filter.key);
  reply = detourctl_try (self, "", "Manager", "FindKey", g_variant_new ("(s)", text), "(s)", &error,
                         &exit);
  if (reply != NULL)
    {
      g_variant_get (reply, "(s)", &key);
      return key;
    }
  if (error != NULL)
    bans = detourctl_ban_about (self, about, &exit);
  if (bans == NULL || g_variant_n_children (bans) != 1)
    return NULL;
  ban = g_variant_get_child_value (bans, 0);
  return g_strdup (detourctl_text (ban, "target"));
}

void
detourctl_why_note_addresses (GPtrArray *addresses, GVariant *rows)
{
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      DetourAddress address;

      if (detour_address_parse (detourctl_text (row, "address"), &address, NULL)
          && !g_ptr_array_find_with_equal_func (addresses, address.host, g_str_equal, NULL))
        g_ptr_array_add (addresses, g_strdup (address.host));
    }
}

/* (nullable): the first one of @addresses that lies in the network. Borrowed. */
static const char *
ctl_why_address_in (const GPtrArray *addresses, const DetourCidr *network)
{
  for (guint i = 0; i < addresses->len; i++)
    {
      DetourCidr own;

      if (detour_cidr_parse (addresses->pdata[i], &own, NULL) && detour_cidr_covers (network, &own))
        return addresses->pdata[i];
    }
  return NULL;
}

gboolean
detourctl_why_is_kept_out (GVariant *ban, const char *key, const GPtrArray *addresses)
{
  const char *target = detourctl_text (ban, "target");
  DetourBanTarget parsed;

  if (!detour_ban_target_parse (target, &parsed, NULL))
    return FALSE;
  return parsed.is_key ? strcmp (target, key) == 0
                       : ctl_why_address_in (addresses, &parsed.network) != NULL;
}

char *
detourctl_why_describe_ban (GVariant *ban, const GPtrArray *addresses)
{
  const char *reason = detourctl_text (ban, "reason");
  const char *colon = *reason != '\0' ? ": " : "";
  guint64 until_us = detourctl_number (ban, "until");
  g_autofree char *safe = detourctl_format_safe (reason);
  g_autofree char *target = detourctl_format_word (detourctl_text (ban, "target"));
  g_autofree char *since = detourctl_format_time (detourctl_number (ban, "since"));
  g_autofree char *until = until_us > 0 ? detourctl_format_time (until_us)
                                        : g_strdup (_ ("it is lifted"));
  DetourBanTarget parsed;

  if (!detour_ban_target_parse (detourctl_text (ban, "target"), &parsed, NULL) || parsed.is_key)
    /* TRANSLATORS: two times, the second may be "it is lifted"; then ": " and the reason, or
     * nothing. */
    return g_strdup_printf (_ ("This key is banned by the operator since %s, until %s%s%s"), since,
                            until, colon, safe);
  /* TRANSLATORS: an address, a network; the rest as with a key. */
  return g_strdup_printf (_ ("%s, where it came from, is in %s, which is banned by the operator "
                             "since %s, until %s%s%s"),
                          ctl_why_address_in (addresses, &parsed.network), target, since, until,
                          colon, safe);
}

static void
ctl_why_print_ban (GVariant *ban, const GPtrArray *addresses)
{
  g_autofree char *text = detourctl_why_describe_ban (ban, addresses);
  g_autofree char *target = detourctl_format_word (detourctl_text (ban, "target"));
  g_autofree char *command = g_strconcat ("detourctl unban ", target, NULL);

  g_print ("%s\n", text);
  /* TRANSLATORS: a command. */
  g_print (_ ("To lift the ban: %s\n"), command);
}

/* The command ------------------------------------------------------------------------------------
 */

/* What there is to say. */
typedef struct {
  GVariant *rows;       /* verdicts, aa{sv} */
  GPtrArray *addresses; /* of the client, without ports */
  GPtrArray *held;      /* of GVariant: bans, a{sv}, that keep the client out */
} Answer;

static void
ctl_why_answer_clear (Answer *self)
{
  g_clear_pointer (&self->held, g_ptr_array_unref);
  g_clear_pointer (&self->addresses, g_ptr_array_unref);
  g_clear_pointer (&self->rows, g_variant_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, ctl_why_answer_clear)

/* Those of @bans, aa{sv}, that keep the client out. */
static void
ctl_why_find_bans (Answer *self, GVariant *bans, const char *key)
{
  for (gsize i = 0; i < g_variant_n_children (bans); i++)
    {
      g_autoptr (GVariant) ban = g_variant_get_child_value (bans, i);

      if (detourctl_why_is_kept_out (ban, key, self->addresses))
        g_ptr_array_add (self->held, g_steal_pointer (&ban));
    }
}

/* FALSE after a message. */
static gboolean
ctl_why_ask_for_bans (Detourctl *self, const char *key, Answer *answer, DetourctlExit *exit)
{
  g_autoptr (GPtrArray) about = g_ptr_array_new ();
  g_autoptr (GVariant) events = detourctl_events_ask (self, key, 0, g_get_real_time (), exit);
  g_autoptr (GVariant) bans = NULL;

  if (events == NULL)
    return FALSE;
  detourctl_why_note_addresses (answer->addresses, answer->rows);
  detourctl_why_note_addresses (answer->addresses, events);
  g_ptr_array_add (about, (gpointer) key);
  for (guint i = 0; i < answer->addresses->len; i++)
    g_ptr_array_add (about, answer->addresses->pdata[i]);
  g_ptr_array_add (about, NULL);
  bans = detourctl_ban_about (self, (const char *const *) about->pdata, exit);
  if (bans == NULL)
    return FALSE;
  ctl_why_find_bans (answer, bans, key);
  return TRUE;
}

/* FALSE after a message. */
static gboolean
ctl_why_ask (Detourctl *self, const char *text, Answer *answer, DetourctlExit *exit)
{
  g_autofree char *key = ctl_why_whole_key (self, text);
  g_autoptr (GVariant)
      reply = detourctl_call (self, "", "Manager", "Why",
                              g_variant_new ("(s)", key != NULL ? key : text), "(aa{sv})", exit);

  if (reply == NULL)
    return FALSE;
  answer->rows = g_variant_get_child_value (reply, 0);
  answer->addresses = g_ptr_array_new_with_free_func (g_free);
  answer->held = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  return key == NULL || ctl_why_ask_for_bans (self, key, answer, exit);
}

static DetourctlExit
ctl_why_write (const Answer *answer)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_variant (json, "verdicts", answer->rows, row_times);
  detourctl_json_begin_array (json, "bans");
  for (guint i = 0; i < answer->held->len; i++)
    detourctl_json_variant (json, NULL, answer->held->pdata[i], row_times);
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, DETOURCTL_GOOD);
}

static void
ctl_why_print_verdicts (Detourctl *self, GVariant *rows)
{
  const DetourctlColumn columns[] = {
    { _ ("LAST"), DETOURCTL_COLUMN_LEFT },
    { _ ("TIMES"), DETOURCTL_COLUMN_RIGHT },
    { _ ("VERDICT"), DETOURCTL_COLUMN_LEFT },
    { _ ("BY"), DETOURCTL_COLUMN_LEFT },
    { _ ("ADDRESS"), DETOURCTL_COLUMN_LEFT },
    { _ ("WHY"), DETOURCTL_COLUMN_LEFT },
    { NULL },
  };
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      g_autofree char *last = detourctl_format_time (detourctl_number (row, "last"));
      g_autofree char *count = detourctl_format_count (detourctl_number (row, "count"));
      g_autofree char *notes = detourctl_why_verdict_notes (row);

      detourctl_table_add (table, last, count, detourctl_why_verdict_word (row),
                           detourctl_text (row, "source"), detourctl_text (row, "address"), notes,
                           NULL);
    }
  detourctl_print_table (self, table);
}

static char *why_at;

static const GOptionEntry why_options[] = {
  { "at", 0, 0, G_OPTION_ARG_STRING, &why_at,
    N_ ("What happened to it around that time instead: 03:10, \"yesterday 03:10\", "
        "2026-11-29T03:10:00Z"),
    N_ ("TIME") },
  { NULL },
};

static DetourctlExit
ctl_why_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GError) error = NULL;
  g_auto (Answer) answer = { NULL };
  DetourScanFilter filter;

  if (why_at != NULL)
    return detourctl_events_why (self, arguments[0], why_at);
  /* The daemon would refuse a wrong key as well, but not in the user's language. */
  if (!detour_client_key_parse (arguments[0], &filter, &error))
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_USAGE;
    }
  if (!ctl_why_ask (self, arguments[0], &answer, &exit))
    return exit;
  if (self->json)
    return ctl_why_write (&answer);
  for (guint i = 0; i < answer.held->len; i++)
    ctl_why_print_ban (answer.held->pdata[i], answer.addresses);
  if (g_variant_n_children (answer.rows) > 0)
    ctl_why_print_verdicts (self, answer.rows);
  else
    g_print (_ ("There was no verdict on this key lately.\n"));
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_why_commands[] = {
  { .name = "why",
    .arguments = N_ ("KEY"),
    .summary = N_ ("Show the bans and the last verdicts on a key, and why"),
    .details = N_ ("The full key is needed for a client that is neither connected nor banned, but "
                   "not with --at. Bans of\nnetworks are shown where an address of the client is "
                   "known."),
    .options = why_options,
    .run = ctl_why_run,
    .n_min = 1,
    .n_max = 1 },
  { NULL },
};
