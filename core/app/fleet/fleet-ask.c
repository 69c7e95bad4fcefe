/* fleet-ask.c: asks relays of a fleet the same, several at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-ask.h"

typedef struct {
  FleetAnswer answer; /* first: what callers see */
  GDestroyNotify free_result;
} Slot;

typedef struct {
  gint64 limit_ms;
  FleetAskFunc ask;
  gpointer user;
} Question;

static void
fleet_ask_one (gpointer data, gpointer user)
{
  FleetAnswer *answer = data;
  const Question *question = user;
  g_autoptr (GError) error = NULL;
  g_autoptr (FleetLink) link = fleet_link_open (answer->relay, question->limit_ms, &error);

  if (link != NULL)
    answer->result = question->ask (link, question->user, &error);
  if (answer->result == NULL)
    answer->problem = g_strdup (error != NULL ? error->message : "");
}

static void
fleet_ask_free_slot (gpointer data)
{
  Slot *slot = data;

  if (slot->answer.result != NULL)
    slot->free_result (slot->answer.result);
  g_free (slot->answer.problem);
  g_free (slot);
}

GPtrArray *
fleet_ask (const Fleet *fleet, char **names, gint64 limit_ms, FleetAskFunc ask, gpointer user,
           GDestroyNotify free_result)
{
  GPtrArray *answers = g_ptr_array_new_with_free_func (fleet_ask_free_slot);
  const Question question = { limit_ms, ask, user };
  GThreadPool *pool;

  for (guint i = 0; i < fleet->relays->len; i++)
    {
      const FleetRelay *relay = fleet->relays->pdata[i];
      Slot *slot;

      if (names != NULL && names[0] != NULL
          && !g_strv_contains ((const char *const *) names, relay->name))
        continue;
      slot = g_new0 (Slot, 1);
      slot->answer.relay = relay;
      slot->free_result = free_result;
      g_ptr_array_add (answers, slot);
    }
  pool = g_thread_pool_new (fleet_ask_one, (gpointer) &question, (int) fleet->parallel, FALSE,
                            NULL);
  for (guint i = 0; i < answers->len; i++)
    g_thread_pool_push (pool, answers->pdata[i], NULL);
  g_thread_pool_free (pool, FALSE, TRUE);
  return answers;
}

guint
fleet_ask_count_silent (const GPtrArray *answers)
{
  guint n = 0;

  for (guint i = 0; i < answers->len; i++)
    n += ((const FleetAnswer *) answers->pdata[i])->result == NULL;
  return n;
}
