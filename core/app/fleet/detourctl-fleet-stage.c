/* detourctl-fleet-stage.c: the commands that take a relay of a fleet into service, and out of it,
 * in stages.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The stage is written down before what belongs to it is done, so that the command can be run again
 * after whatever happened. */
#include "config.h"

#include <glib/gi18n.h>
#include <stdio.h>

#include "detour-config-value.h"
#include "detourctl-drain.h"
#include "detourctl-fleet-probe.h"
#include "detourctl-fleet-publish.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "fleet-drain.h"
#include "fleet-homes.h"
#include "fleet-links.h"

/* How often is looked, and said where no terminal is. */
#define LOOK_US (G_USEC_PER_SEC)
#define SAY_US  (10 * G_USEC_PER_SEC)

static char *duration;
static gboolean is_certain, is_forced, is_gone;

#define COMMON_OPTIONS                                                                       \
  DETOURCTL_FLEET_OPTION,                                                                    \
      { "for",                                                                               \
        0,                                                                                   \
        0,                                                                                   \
        G_OPTION_ARG_STRING,                                                                 \
        &duration,                                                                           \
        N_ ("Give up a wait after TIME, as in 30s or 10m; otherwise it lasts as long as it " \
            "takes"),                                                                        \
        N_ ("TIME") },                                                                       \
  {                                                                                          \
    "yes", 0, 0, G_OPTION_ARG_NONE, &is_certain, N_ ("Ask nobody"), NULL                     \
  }

static const GOptionEntry enter_options[] = {
  COMMON_OPTIONS,
  DETOURCTL_FLEET_PROBE_OPTIONS,
  { "force", 0, 0, G_OPTION_ARG_NONE, &is_forced,
    N_ ("Open it although it is not linked with those that serve its region"), NULL },
  { NULL },
};

static const GOptionEntry leave_options[] = {
  COMMON_OPTIONS,
  { "gone", 0, 0, G_OPTION_ARG_NONE, &is_gone,
    N_ ("It does not answer any more: take it off the map at once"), NULL },
  { NULL },
};

typedef struct {
  const Detourctl *ctl;
  const char *name;
  Fleet *fleet;            /* as it was last read; NULL: it could not be */
  const FleetRelay *relay; /* in it */
  FleetState *state;
  FleetStage stage; /* that this command has seen or written last */
  gint64 limit_us;  /* of each wait; 0: none */
  gint64 said_us;
  char *said; /* the last line of progress */
} Stage;

static void
ctl_fleet_stage_say (const Stage *self, const char *text)
{
  g_autofree char *safe = detourctl_format_safe (text);

  if (!self->ctl->json)
    g_print ("%s: %s\n", self->name, safe);
}

/* What is waited for: each change at a terminal, else now and then. */
static void
ctl_fleet_stage_say_wait (Stage *self, const char *text)
{
  gint64 now_us = g_get_monotonic_time ();
  gboolean is_first = self->said == NULL;

  if (self->ctl->json || g_strcmp0 (self->said, text) == 0
      || (!is_first && self->ctl->width == 0 && now_us - self->said_us < SAY_US))
    return;
  self->said_us = now_us;
  g_free (self->said);
  self->said = g_strdup (text);
  ctl_fleet_stage_say (self, text);
  fflush (stdout);
}

/* Waits are long: what others write to the inventory meanwhile holds, and an older one must not be
 * published. FALSE after a message, with @exit. */
static gboolean
ctl_fleet_stage_read (Stage *self, DetourctlExit *exit)
{
  char *names[] = { (char *) self->name, NULL };
  Fleet *fleet = detourctl_fleet_load (names, exit);

  if (fleet == NULL)
    return FALSE;
  fleet_inventory_free (self->fleet);
  self->fleet = fleet;
  self->relay = fleet_inventory_relay (fleet, self->name);
  return TRUE;
}

/* FALSE with @error: somebody else has changed the stage. */
static gboolean
ctl_fleet_stage_is_ours (const Stage *self, const FleetState *state, GError **error)
{
  FleetStage now = fleet_state_stage (state, self->name);

  if (now == self->stage)
    return TRUE;
  /* TRANSLATORS: a relay; "leaving". */
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY,
               _ ("%s: another command has made it \"%s\" meanwhile; this one stops"), self->name,
               fleet_state_stage_name (now));
  return FALSE;
}

/* Before each look. FALSE after a message, with @exit. */
static gboolean
ctl_fleet_stage_go_on (Stage *self, DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;

  if (!ctl_fleet_stage_read (self, exit))
    return FALSE;
  if (fleet_state_refresh (self->state, &error)
      && ctl_fleet_stage_is_ours (self, self->state, &error))
    return TRUE;
  detourctl_complain ("%s", error->message);
  *exit = DETOURCTL_FAILED;
  return FALSE;
}

/* What is waited for, free with g_free(); NULL: that is over, or with a bad @exit after a message
 * will not come. */
typedef char *(*StageLook) (Stage *self, DetourctlExit *exit);

static DetourctlExit
ctl_fleet_stage_wait (Stage *self, StageLook look)
{
  gint64 end_us = self->limit_us > 0 ? g_get_monotonic_time () + self->limit_us : G_MAXINT64;
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autofree char *text = NULL;

  while (ctl_fleet_stage_go_on (self, &exit) && (text = look (self, &exit)) != NULL)
    {
      if (g_get_monotonic_time () >= end_us)
        {
          detourctl_complain (_ ("%s: gave up: %s. Run this again to go on"), self->name, text);
          return DETOURCTL_FAILED;
        }
      ctl_fleet_stage_say_wait (self, text);
      g_clear_pointer (&text, g_free);
      g_usleep (LOOK_US);
    }
  g_clear_pointer (&self->said, g_free);
  return exit;
}

/* Steps -----------------------------------------------------------------------------------------
 */

static DetourctlExit
ctl_fleet_stage_publish (Stage *self)
{
  g_auto (DetourctlPublication) publication = { .is_certain = is_certain };
  DetourctlExit exit = DETOURCTL_GOOD;

  if (!ctl_fleet_stage_read (self, &exit))
    return exit;
  if (!detourctl_fleet_has_place (self->fleet))
    {
      g_autofree char *command = detourctl_fleet_command ("map");
      g_autofree char *text = g_strdup_printf (
          _ ("the map has changed; bring it to your clients: %s"), command);

      ctl_fleet_stage_say (self, text);
      return DETOURCTL_GOOD;
    }
  return detourctl_fleet_publish (self->ctl, &publication);
}

/* Whether another relay is open, which clients can go to. @of_region: one of the same region */
static gboolean
ctl_fleet_stage_is_other_open (const Stage *self, const FleetState *state, gboolean of_region)
{
  for (guint i = 0; i < self->fleet->relays->len; i++)
    {
      const FleetRelay *relay = g_ptr_array_index (self->fleet->relays, i);

      if (relay != self->relay && (!of_region || relay->region == self->relay->region)
          && fleet_state_stage (state, relay->name) == FLEET_OPEN)
        return TRUE;
    }
  return FALSE;
}

static gboolean
ctl_fleet_stage_may_enter (const FleetState *state, gpointer user, GError **error)
{
  return ctl_fleet_stage_is_ours (user, state, error);
}

/* Two that leave at once see each other here. */
static gboolean
ctl_fleet_stage_may_leave (const FleetState *state, gpointer user, GError **error)
{
  const Stage *self = user;

  if (!ctl_fleet_stage_is_ours (self, state, error))
    return FALSE;
  if (self->stage == FLEET_OUT || ctl_fleet_stage_is_other_open (self, state, FALSE))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
               _ ("%s: no other relay is open, and without one there is no map. What "
                  "takes it out of service all the same, on its host: detourctl "
                  "drain"),
               self->name);
  return FALSE;
}

/* Writes the stage down. FALSE after a message. */
static gboolean
ctl_fleet_stage_write (Stage *self, FleetStage stage, FleetStateJudge judge, const char *text)
{
  g_autoptr (GError) error = NULL;

  if (!fleet_state_set_stage (self->state, self->name, stage, judge, self, &error))
    {
      detourctl_complain ("%s", error->message);
      return FALSE;
    }
  self->stage = stage;
  ctl_fleet_stage_say (self, text);
  return TRUE;
}

/* The same, and brings the map that goes with it to clients. */
static DetourctlExit
ctl_fleet_stage_go (Stage *self, FleetStage stage, FleetStateJudge judge, const char *text)
{
  return ctl_fleet_stage_write (self, stage, judge, text) ? ctl_fleet_stage_publish (self)
                                                          : DETOURCTL_FAILED;
}

static char *
ctl_fleet_stage_look_at_homes (Stage *self, DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;
  guint n = 0;

  if (!fleet_homes_count (self->relay, self->ctl->timeout_ms, &n, &error))
    {
      detourctl_complain ("%s: %s", self->name, error->message);
      *exit = DETOURCTL_FAILED;
    }
  if (error != NULL || n == 0)
    return NULL;
  return g_strdup_printf (ngettext ("waiting until %u client has another home",
                                    "waiting until %u clients have another home", n),
                          n);
}

/* What two commands want of a relay comes to it in the order of the stages: these are called while
 * nobody can write another one. */
static gboolean
ctl_fleet_stage_begin_drain (const FleetState *state, gpointer user, GError **error)
{
  const Stage *self = user;

  return ctl_fleet_stage_is_ours (self, state, error)
      && fleet_drain_begin (self->relay, self->ctl->timeout_ms, error);
}

static gboolean
ctl_fleet_stage_cancel_drain (const FleetState *state, gpointer user, GError **error)
{
  const Stage *self = user;

  return ctl_fleet_stage_is_ours (self, state, error)
      && fleet_drain_cancel (self->relay, self->ctl->timeout_ms, error);
}

/* FALSE after a message: it was not done, or the stage is not ours any more. */
static gboolean
ctl_fleet_stage_order (Stage *self, FleetStateJudge order)
{
  g_autoptr (GError) error = NULL;

  if (fleet_state_hold (self->state, order, self, &error))
    return TRUE;
  detourctl_complain ("%s", error->message);
  return FALSE;
}

/* NULL after a message. */
static GVariant *
ctl_fleet_stage_drain_progress (const Stage *self)
{
  g_autoptr (GError) error = NULL;
  GVariant *progress = fleet_drain_progress (self->relay, self->ctl->timeout_ms, &error);

  if (progress == NULL)
    detourctl_complain ("%s", error->message);
  return progress;
}

static char *
ctl_fleet_stage_look_at_drain (Stage *self, DetourctlExit *exit)
{
  g_autoptr (GVariant) progress = ctl_fleet_stage_drain_progress (self);

  if (progress == NULL)
    {
      *exit = DETOURCTL_FAILED;
      return NULL;
    }
  if (g_variant_n_children (progress) == 0)
    {
      detourctl_complain (_ ("somebody has taken the relay back into service"));
      *exit = DETOURCTL_FAILED;
      return NULL;
    }
  return detourctl_flag (progress, "done")
           ? NULL
           : detourctl_drain_describe (progress, g_get_real_time ());
}

static DetourctlExit
ctl_fleet_stage_drain (Stage *self)
{
  g_autoptr (GVariant) before = ctl_fleet_stage_drain_progress (self);

  if (before == NULL)
    return DETOURCTL_FAILED;
  /* One that drains already goes on. */
  if (g_variant_n_children (before) == 0
      && !ctl_fleet_stage_order (self, ctl_fleet_stage_begin_drain))
    return DETOURCTL_FAILED;
  return ctl_fleet_stage_wait (self, ctl_fleet_stage_look_at_drain);
}

static char *
ctl_fleet_stage_look_at_probe (Stage *self, DetourctlExit *exit)
{
  g_autofree char *problem = detourctl_fleet_probe_one (self->ctl, self->fleet, self->relay);

  return problem != NULL ? g_strdup_printf (_ ("waiting until it serves clients: %s"), problem)
                         : NULL;
}

/* Clients of one do not reach those of another one that it is not linked with. */
static char *
ctl_fleet_stage_look_at_links (Stage *self, DetourctlExit *exit)
{
  g_autofree char *problem = fleet_links_look (self->fleet, self->relay, self->state,
                                               self->ctl->timeout_ms);

  /* TRANSLATORS: what is wrong, and perhaps what helps. */
  return problem != NULL ? g_strdup_printf (_ ("waiting for its links: %s"), problem) : NULL;
}

/* Commands --------------------------------------------------------------------------------------
 */

/* FALSE after a message, with @exit. */
static gboolean
ctl_fleet_stage_open (Stage *self, const char *name, DetourctlExit *exit)
{
  static const DetourConfigKey key = { "for", DETOUR_CONFIG_DURATION,      NULL,
                                       0,     (guint64) 30 * 86400 * 1000, NULL };
  g_autoptr (GError) error = NULL;
  DetourConfigValue value = { 0 };

  if (duration != NULL && !detour_config_value_parse (&key, duration, &value, &error))
    {
      detourctl_complain ("--for: %s", error->message);
      *exit = DETOURCTL_USAGE;
      return FALSE;
    }
  self->limit_us = (gint64) value.number * 1000;
  detour_config_value_clear (&value);
  self->name = name;
  if (!ctl_fleet_stage_read (self, exit))
    return FALSE;
  self->state = detourctl_fleet_load_state (self->fleet, exit);
  if (self->state == NULL)
    return FALSE;
  self->stage = fleet_state_stage (self->state, name);
  return TRUE;
}

static DetourctlExit
ctl_fleet_stage_close (Stage *self, DetourctlExit exit)
{
  DetourctlJson *json;

  if (self->ctl->json && self->state != NULL)
    {
      json = detourctl_json_begin_document ();
      detourctl_json_text (json, "relay", self->name);
      detourctl_json_text (json, "stage",
                           fleet_state_stage_name (fleet_state_stage (self->state, self->name)));
      detourctl_json_flag (json, "done", exit == DETOURCTL_GOOD);
      exit = detourctl_json_end_document (json, exit);
    }
  fleet_state_free (self->state);
  fleet_inventory_free (self->fleet);
  g_free (self->said);
  return exit;
}

/* Whether clients are served by it already. FALSE may come after a message, with @exit. */
static gboolean
ctl_fleet_stage_is_in_service (const Stage *self, DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;
  guint n = 0;

  if (self->stage != FLEET_OPEN)
    return FALSE;
  if (fleet_state_knows (self->state, self->name))
    return TRUE;
  if (fleet_homes_count (self->relay, self->ctl->timeout_ms, &n, &error))
    return n > 0;
  detourctl_complain ("%s: %s", self->name, error->message);
  *exit = DETOURCTL_FAILED;
  return FALSE;
}

/* Where that is done already it costs nothing; a command that was interrupted may have left it. */
static DetourctlExit
ctl_fleet_stage_stay (Stage *self)
{
  ctl_fleet_stage_say (self, _ ("it is in service already"));
  return detourctl_fleet_has_place (self->fleet) ? ctl_fleet_stage_publish (self) : DETOURCTL_GOOD;
}

static DetourctlExit
ctl_fleet_stage_enter (Stage *self)
{
  g_autoptr (GVariant) draining = ctl_fleet_stage_drain_progress (self);
  DetourctlExit exit = DETOURCTL_GOOD;

  if (draining == NULL)
    return DETOURCTL_FAILED;
  if (g_variant_n_children (draining) == 0 && ctl_fleet_stage_is_in_service (self, &exit))
    return ctl_fleet_stage_stay (self);
  if (exit != DETOURCTL_GOOD)
    return exit;
  if (!ctl_fleet_stage_write (
          self, FLEET_ENTERING, ctl_fleet_stage_may_enter,
          ctl_fleet_stage_is_other_open (self, self->state, TRUE)
              ? _ ("entering: not in the map until it is well, because others serve its region")
              : _ ("entering: in the map, but nobody makes it their home yet")))
    return DETOURCTL_FAILED;
  if (g_variant_n_children (draining) > 0
      && !ctl_fleet_stage_order (self, ctl_fleet_stage_cancel_drain))
    return DETOURCTL_FAILED;
  exit = ctl_fleet_stage_publish (self);
  if (exit == DETOURCTL_GOOD)
    exit = ctl_fleet_stage_wait (self, ctl_fleet_stage_look_at_probe);
  if (exit == DETOURCTL_GOOD && !is_forced)
    exit = ctl_fleet_stage_wait (self, ctl_fleet_stage_look_at_links);
  if (exit == DETOURCTL_GOOD)
    exit = ctl_fleet_stage_go (self, FLEET_OPEN, ctl_fleet_stage_may_enter,
                               _ ("open: clients may make it their home"));
  return exit;
}

static DetourctlExit
ctl_fleet_stage_leave (Stage *self)
{
  DetourctlExit exit = DETOURCTL_GOOD;

  if (self->stage != FLEET_OUT)
    {
      exit = ctl_fleet_stage_go (self, FLEET_LEAVING, ctl_fleet_stage_may_leave,
                                 _ ("leaving: nobody is to make it their home any more"));
      if (exit == DETOURCTL_GOOD)
        exit = ctl_fleet_stage_wait (self, ctl_fleet_stage_look_at_homes);
      if (exit == DETOURCTL_GOOD)
        exit = ctl_fleet_stage_drain (self);
    }
  if (exit == DETOURCTL_GOOD)
    exit = ctl_fleet_stage_go (self, FLEET_OUT, ctl_fleet_stage_may_enter,
                               _ ("out of service, and of the map"));
  return exit;
}

/* The same of one that is not there to be asked. */
static DetourctlExit
ctl_fleet_stage_leave_gone (Stage *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FleetLink) link = fleet_link_open (self->relay, self->ctl->timeout_ms, &error);
  g_autoptr (GVariant) manager = link != NULL ? fleet_link_manager (link, &error) : NULL;
  g_autofree char *words = g_strconcat ("leave ", self->name, NULL);
  g_autofree char *command = detourctl_fleet_command (words);
  g_autofree char *text = NULL;

  /* A refusal is an answer, too. */
  if (manager != NULL || (link != NULL && fleet_link_fault (link) != NULL))
    {
      /* TRANSLATORS: a relay, and a command. */
      detourctl_complain (_ ("%s: it answers, so it is not gone, and clients may have it as their "
                             "home; let it leave in stages: %s"),
                          self->name, command);
      return DETOURCTL_FAILED;
    }
  text = g_strdup_printf (_ ("it does not answer: %s"), error->message);
  ctl_fleet_stage_say (self, text);
  return ctl_fleet_stage_go (
      self, FLEET_OUT, ctl_fleet_stage_may_leave,
      _ ("out of service, and of the map. Nobody could count the clients that have it as their "
         "home; they go to another one when they get the map"));
}

static DetourctlExit
ctl_fleet_stage_run_enter (Detourctl *self, char **arguments)
{
  Stage stage = { .ctl = self };
  DetourctlExit exit = DETOURCTL_GOOD;

  if (ctl_fleet_stage_open (&stage, arguments[0], &exit))
    exit = ctl_fleet_stage_enter (&stage);
  return ctl_fleet_stage_close (&stage, exit);
}

static DetourctlExit
ctl_fleet_stage_run_leave (Detourctl *self, char **arguments)
{
  Stage stage = { .ctl = self };
  DetourctlExit exit = DETOURCTL_GOOD;

  if (is_gone && duration != NULL)
    {
      detourctl_complain (_ ("--gone and --for exclude each other: nothing is waited for"));
      return DETOURCTL_USAGE;
    }
  if (ctl_fleet_stage_open (&stage, arguments[0], &exit))
    exit = is_gone ? ctl_fleet_stage_leave_gone (&stage) : ctl_fleet_stage_leave (&stage);
  return ctl_fleet_stage_close (&stage, exit);
}

const DetourctlCommand detourctl_fleet_stage_commands[] = {
  { .name = "fleet enter",
    .arguments = N_ ("RELAY"),
    .summary = N_ ("Take a relay into service, in stages"),
    .details = N_ (
        "Into the map as a region that nobody makes their home (NoMeasureNoHome), or kept out of "
        "the region that\nothers serve; then it is looked at until it is well, and linked "
        "with those others; then it is\nopen. Run it again to go on."),
    .options = enter_options,
    .run = ctl_fleet_stage_run_enter,
    .n_min = 1,
    .n_max = 1 },
  { .name = "fleet leave",
    .arguments = N_ ("RELAY"),
    .summary = N_ ("Take a relay out of service, in stages"),
    .details = N_ (
        "Nobody is to make it their home (NoMeasureNoHome), or it goes from the region that others "
        "serve; when\nnobody has it as their home any more it is drained, and goes from the "
        "map. A client in use keeps its home;\n\"detourctl drain\" on the relay's host moves it. "
        "Run it again to go on. One that does not\nanswer any more leaves with --gone."),
    .options = leave_options,
    .run = ctl_fleet_stage_run_leave,
    .n_min = 1,
    .n_max = 1 },
  { NULL },
};
