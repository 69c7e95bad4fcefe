/* detourctl-fleet-clients.c: the commands about one client, or about quotas, over all relays of a
 * fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-client-list.h"
#include "detourctl-ban.h"
#include "detourctl-budgets.h"
#include "detourctl-fleet-key.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-table.h"

static const GOptionEntry options[] = { DETOURCTL_FLEET_OPTION, { NULL } };

static const GOptionEntry ban_options[] = { DETOURCTL_FLEET_OPTION,
                                            DETOURCTL_BAN_OPTIONS,
                                            { NULL } };

static const char *const row_times[] = { "since", "until", "first", "last", NULL };

/* Asking ----------------------------------------------------------------------------------------
 */

/* Who is asked. */
typedef struct {
  const Detourctl *ctl;
  Fleet *fleet;
  FleetState *state; /* NULL: it was said why there is nobody to ask */
} Scope;

static void
ctl_fleet_clients_close (Scope *self)
{
  g_clear_pointer (&self->fleet, fleet_inventory_free);
  g_clear_pointer (&self->state, fleet_state_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Scope, ctl_fleet_clients_close)

static Scope
ctl_fleet_clients_open (const Detourctl *ctl, DetourctlExit *exit)
{
  Scope self = { ctl, detourctl_fleet_load (NULL, exit), NULL };

  if (self.fleet != NULL)
    self.state = detourctl_fleet_load_state (self.fleet, exit);
  return self;
}

typedef struct {
  const char *method;
  GVariant *arguments; /* owned, not floating */
  const char *reply;
} Call;

/* The first value of the answer; for a client that is not there an empty tuple. */
static gpointer
ctl_fleet_clients_ask (FleetLink *link, gpointer user, GError **error)
{
  const Call *call = user;
  g_autoptr (GVariant) reply = fleet_link_call (link, "", "Manager", call->method, call->arguments,
                                                call->reply, error);

  if (reply == NULL
      && g_strcmp0 (fleet_link_fault (link), DETOUR_BUS_NAME ".Error.NoSuchClient") == 0)
    {
      g_clear_error (error);
      return g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
    }
  if (reply == NULL)
    return NULL;
  return g_variant_n_children (reply) > 0 ? g_variant_get_child_value (reply, 0)
                                          : g_variant_ref (reply);
}

static gboolean
ctl_fleet_clients_is_nothing (GVariant *result)
{
  return g_variant_is_of_type (result, G_VARIANT_TYPE_UNIT);
}

/* All relays; those that are silent are not named yet. */
static GPtrArray *
ctl_fleet_clients_ask_all (const Scope *self, FleetAskFunc ask, gpointer user)
{
  return fleet_ask (self->fleet, NULL, self->ctl->timeout_ms, ask, user,
                    (GDestroyNotify) g_variant_unref);
}

/* Takes @arguments. */
static GPtrArray *
ctl_fleet_clients_call (const Scope *self, const char *method, GVariant *arguments,
                        const char *reply)
{
  g_autoptr (GVariant) held = g_variant_ref_sink (arguments);
  Call call = { method, held, reply };

  return ctl_fleet_clients_ask_all (self, ctl_fleet_clients_ask, &call);
}

static char *
ctl_fleet_clients_find_key (gpointer user, const char *text, DetourctlExit *exit)
{
  const Scope *self = user;

  return detourctl_fleet_find_key (self->ctl, self->fleet, self->state, text, FALSE, exit);
}

/* NULL after a message. */
static char *
ctl_fleet_clients_key (Scope *self, const char *text, DetourctlExit *exit)
{
  return self->state != NULL
           ? detourctl_ban_whole_key (text, ctl_fleet_clients_find_key, self, exit)
           : NULL;
}

/* For programs: an array with an object for each relay, whose member @name has what it said. */
static DetourctlExit
ctl_fleet_clients_write (const Scope *self, const GPtrArray *answers, const char *name,
                         DetourctlExit exit)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_begin_array (json, "relays");
  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "relay", answer->relay->name);
      detourctl_json_text (
          json, "stage",
          fleet_state_stage_name (fleet_state_stage (self->state, answer->relay->name)));
      detourctl_json_text (json, "problem", answer->problem);
      if (answer->result == NULL || ctl_fleet_clients_is_nothing (answer->result))
        detourctl_json_text (json, name, NULL);
      else
        detourctl_json_variant (json, name, answer->result, row_times);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

/* Sum of numbers that the relays gave. */
static guint
ctl_fleet_clients_sum (const GPtrArray *answers)
{
  guint sum = 0;

  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];

      if (answer->result != NULL && g_variant_is_of_type (answer->result, G_VARIANT_TYPE_UINT32))
        sum += g_variant_get_uint32 (answer->result);
    }
  return sum;
}

/* kick ------------------------------------------------------------------------------------------
 */

static DetourctlExit
ctl_fleet_clients_run_kick (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_auto (Scope) scope = ctl_fleet_clients_open (self, &exit);
  g_autofree char *key = ctl_fleet_clients_key (&scope, arguments[0], &exit);
  g_autoptr (GPtrArray) answers = NULL;
  guint n;

  if (key == NULL)
    return exit;
  answers = ctl_fleet_clients_call (&scope, "DisconnectClient", g_variant_new ("(s)", key), "(u)");
  exit = detourctl_fleet_name_silent (answers, scope.state, DETOURCTL_GOOD);
  n = ctl_fleet_clients_sum (answers);
  if (n == 0)
    exit = DETOURCTL_FAILED;
  if (self->json)
    return ctl_fleet_clients_write (&scope, answers, "closed", exit);
  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];
      guint closed = answer->result != NULL && !ctl_fleet_clients_is_nothing (answer->result)
                       ? g_variant_get_uint32 (answer->result)
                       : 0;

      if (closed > 0)
        g_print (
            ngettext ("%s: %u connection was closed\n", "%s: %u connections were closed\n", closed),
            answer->relay->name, closed);
    }
  if (n == 0)
    detourctl_complain (_ ("the client is connected to none of them"));
  return exit;
}

/* ban and unban ---------------------------------------------------------------------------------
 */

typedef struct {
  const char *const *targets;
  guint n;
  GVariant *wishes; /* of bans */
} Order;

/* One relay of those that are told. */
typedef struct {
  FleetLink *link;
  GError **error;
} Told;

static GVariant *
ctl_fleet_clients_call_one (gpointer user, const char *method, GVariant *arguments,
                            const char *reply)
{
  const Told *told = user;

  return fleet_link_call (told->link, "", "Manager", method, arguments, reply, told->error);
}

/* Sum of what bans have closed. */
static gpointer
ctl_fleet_clients_ask_to_ban (FleetLink *link, gpointer user, GError **error)
{
  const Order *order = user;
  Told told = { link, error };
  guint closed = 0;

  if (!detourctl_ban_send (order->targets, order->n, order->wishes, ctl_fleet_clients_call_one,
                           &told, &closed))
    return NULL;
  return g_variant_ref_sink (g_variant_new_uint32 (closed));
}

/* Those of @targets whose bans were lifted are added. A relay lifts all of a call or none, so that
 * one that it does not have keeps the others: these are called for one by one then. FALSE with
 * @error. */
static gboolean
ctl_fleet_clients_lift (FleetLink *link, const char *const *targets, guint n, GPtrArray *lifted,
                        GError **error)
{
  g_autoptr (GError) fault = NULL;
  Told told = { link, &fault };
  guint closed = 0;

  if (detourctl_ban_send (targets, n, NULL, ctl_fleet_clients_call_one, &told, &closed))
    {
      for (guint i = 0; i < n; i++)
        g_ptr_array_add (lifted, (gpointer) targets[i]);
      return TRUE;
    }
  if (g_strcmp0 (fleet_link_fault (link), DETOUR_BUS_NAME ".Error.NoSuchBan") != 0)
    {
      g_propagate_error (error, g_steal_pointer (&fault));
      return FALSE;
    }
  for (guint i = 0; n > 1 && i < n; i++)
    if (!ctl_fleet_clients_lift (link, targets + i, 1, lifted, error))
      return FALSE;
  return TRUE;
}

/* Those whose bans were lifted: as. */
static gpointer
ctl_fleet_clients_ask_to_lift (FleetLink *link, gpointer user, GError **error)
{
  const Order *order = user;
  g_autoptr (GPtrArray) lifted = g_ptr_array_new ();

  for (guint i = 0; i < order->n; i += DETOURCTL_BAN_TARGETS)
    if (!ctl_fleet_clients_lift (link, order->targets + i,
                                 MIN (order->n - i, DETOURCTL_BAN_TARGETS), lifted, error))
      return NULL;
  return g_variant_ref_sink (
      g_variant_new_strv ((const char *const *) lifted->pdata, (gssize) lifted->len));
}

/* Whether a relay has lifted the ban. */
static gboolean
ctl_fleet_clients_is_lifted (const GPtrArray *answers, const char *target)
{
  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];
      g_autofree const char **lifted = answer->result != NULL
                                         ? g_variant_get_strv (answer->result, NULL)
                                         : NULL;

      if (lifted != NULL && g_strv_contains (lifted, target))
        return TRUE;
    }
  return FALSE;
}

/* Relays that have lifted one. */
static guint
ctl_fleet_clients_count_lifted (const GPtrArray *answers)
{
  guint n = 0;

  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];

      n += answer->result != NULL && g_variant_n_children (answer->result) > 0;
    }
  return n;
}

/* A relay without a ban that others had is as it should be; what none has had was written wrong. */
static DetourctlExit
ctl_fleet_clients_name_unknown (const GPtrArray *answers, char **targets, DetourctlExit exit)
{
  for (guint i = 0; targets[i] != NULL; i++)
    if (!ctl_fleet_clients_is_lifted (answers, targets[i]))
      {
        /* TRANSLATORS: a key or a network. */
        detourctl_complain (_ ("%s: no relay that answers has banned it; \"detourctl fleet bans\" "
                               "lists what is"),
                            targets[i]);
        exit = DETOURCTL_FAILED;
      }
  return exit;
}

/* A relay that is out of service serves nobody, and may be away. What it missed is said. */
static void
ctl_fleet_clients_name_away (const Scope *self, const GPtrArray *answers, gboolean is_ban)
{
  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];
      const char *name = answer->relay->name;
      g_autofree char *words = g_strconcat ("enter ", name, NULL);
      g_autofree char *enter = detourctl_fleet_command (words);

      if (answer->result != NULL || fleet_state_stage (self->state, name) != FLEET_OUT)
        continue;
      if (is_ban)
        /* TRANSLATORS: a relay, and a command. */
        detourctl_complain (
            _ ("%s: it did not get the ban. When it is back, run this again before: "
               "%s"),
            name, enter);
      else
        /* TRANSLATORS: a relay, and a command. */
        detourctl_complain (_ ("%s: a ban stays there. When it is back, run this again before: %s"),
                            name, enter);
    }
}

static DetourctlExit
ctl_fleet_clients_run_ban (Detourctl *self, char **arguments)
{
  guint64 for_us = 0;
  g_autoptr (GVariant) wishes = detourctl_ban_wishes (&for_us);
  DetourctlExit exit = DETOURCTL_USAGE;
  g_auto (Scope) scope = { NULL };
  g_autoptr (GPtrArray) targets = NULL;
  g_autoptr (GPtrArray) answers = NULL;
  Order order;
  guint n, n_banned;

  if (wishes != NULL)
    scope = ctl_fleet_clients_open (self, &exit);
  if (scope.state != NULL)
    targets = detourctl_ban_targets (arguments, ctl_fleet_clients_find_key, &scope, &exit);
  if (targets == NULL)
    return exit;
  order = (Order) { (const char *const *) targets->pdata, targets->len, wishes };
  answers = ctl_fleet_clients_ask_all (&scope, ctl_fleet_clients_ask_to_ban, &order);
  exit = detourctl_fleet_name_silent (answers, scope.state, DETOURCTL_GOOD);
  ctl_fleet_clients_name_away (&scope, answers, TRUE);
  if (self->json)
    return ctl_fleet_clients_write (&scope, answers, "closed", exit);
  n = ctl_fleet_clients_sum (answers);
  n_banned = answers->len - fleet_ask_count_silent (answers);
  g_print (ngettext ("Banned on %u relay", "Banned on %u relays", n_banned), n_banned);
  g_print (ngettext ("; %u connection was closed\n", "; %u connections were closed\n", n), n);
  return exit;
}

static DetourctlExit
ctl_fleet_clients_run_unban (Detourctl *self, char **arguments)
{
  Order order = { (const char *const *) arguments, g_strv_length (arguments), NULL };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_auto (Scope) scope = ctl_fleet_clients_open (self, &exit);
  g_autoptr (GPtrArray) answers = NULL;
  guint n;

  if (scope.state == NULL)
    return exit;
  answers = ctl_fleet_clients_ask_all (&scope, ctl_fleet_clients_ask_to_lift, &order);
  exit = detourctl_fleet_name_silent (answers, scope.state, DETOURCTL_GOOD);
  ctl_fleet_clients_name_away (&scope, answers, FALSE);
  exit = ctl_fleet_clients_name_unknown (answers, arguments, exit);
  if (self->json)
    return ctl_fleet_clients_write (&scope, answers, "lifted", exit);
  n = ctl_fleet_clients_count_lifted (answers);
  g_print (ngettext ("Lifted on %u relay\n", "Lifted on %u relays\n", n), n);
  return exit;
}

/* budgets ---------------------------------------------------------------------------------------
 */

static DetourctlExit
ctl_fleet_clients_run_budgets (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("RELAY"), DETOURCTL_COLUMN_LEFT },
    { _ ("BUDGET"), DETOURCTL_COLUMN_LEFT },
    { _ ("QUOTA"), DETOURCTL_COLUMN_RIGHT },
    { _ ("USED"), DETOURCTL_COLUMN_RIGHT },
    { _ ("SHARE"), DETOURCTL_COLUMN_RIGHT },
    { _ ("LEFT"), DETOURCTL_COLUMN_RIGHT },
    { _ ("UNTIL"), DETOURCTL_COLUMN_LEFT },
    { _ ("STATE"), DETOURCTL_COLUMN_LEFT },
    { NULL },
  };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_auto (Scope) scope = ctl_fleet_clients_open (self, &exit);
  g_autoptr (GPtrArray) answers = NULL;
  g_autoptr (DetourctlTable) table = NULL;

  if (scope.state == NULL)
    return exit;
  answers = ctl_fleet_clients_call (
      &scope, "ListBudgets",
      g_variant_new ("(@a{sv})", g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)),
      "(aa{sv})");
  exit = detourctl_fleet_name_silent (answers, scope.state, DETOURCTL_GOOD);
  if (self->json)
    return ctl_fleet_clients_write (&scope, answers, "budgets", exit);
  table = detourctl_table_new (columns);
  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];

      for (gsize k = 0; answer->result != NULL && k < g_variant_n_children (answer->result); k++)
        {
          g_autoptr (GVariant) row = g_variant_get_child_value (answer->result, k);

          detourctl_budgets_add_row (table, answer->relay->name, row);
        }
    }
  detourctl_print_table (self, table);
  return exit;
}

const DetourctlCommand detourctl_fleet_clients_commands[] = {
  { .name = "fleet kick",
    .arguments = N_ ("KEY"),
    .summary = N_ ("Close a client's connections to all relays of a fleet"),
    .details = N_ ("The client may connect again at once; only admission keeps it away."),
    .options = options,
    .run = ctl_fleet_clients_run_kick,
    .n_min = 1,
    .n_max = 1 },
  { .name = "fleet ban",
    .arguments = N_ ("KEY|NETWORK…"),
    .summary = N_ ("Keep a key or a network out of all relays of a fleet"),
    .details = N_ (
        "A relay that does not answer is named, and the exit status is 1, unless it is out of "
        "service: nothing is\nbanned there."),
    .options = ban_options,
    .run = ctl_fleet_clients_run_ban,
    .n_min = 1,
    .n_max = G_MAXUINT },
  { .name = "fleet unban",
    .arguments = N_ ("KEY|NETWORK…"),
    .summary = N_ ("Lift a ban on all relays of a fleet"),
    .details = N_ ("A network is written as it was banned; of a key the first digits will do."),
    .options = options,
    .run = ctl_fleet_clients_run_unban,
    .n_min = 1,
    .n_max = G_MAXUINT },
  { .name = "fleet budgets",
    .arguments = "",
    .summary = N_ ("Show the quotas of all relays of a fleet"),
    .options = options,
    .run = ctl_fleet_clients_run_budgets },
  { NULL },
};
