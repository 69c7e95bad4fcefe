/* fleet-facts.c: what a relay of a fleet says of itself.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-facts.h"

#include <string.h>

/* Takes what [derpmap] sets out of the list of all keys. */
static void
fleet_facts_take_key (FleetFacts *self, GVariant *entry)
{
  const char *group, *key, *value;
  char **place;

  g_variant_get (entry, "(&s&s&s&s&s&s)", &group, &key, NULL, &value, NULL, NULL);
  if (strcmp (group, "derpmap") != 0 || *value == '\0')
    return;
  place = strcmp (key, "region") == 0 ? &self->region
        : strcmp (key, "code") == 0   ? &self->code
        : strcmp (key, "name") == 0   ? &self->name
        : strcmp (key, "ipv4") == 0   ? &self->ipv4
        : strcmp (key, "ipv6") == 0   ? &self->ipv6
                                      : NULL;
  if (place != NULL && *place == NULL)
    *place = g_strdup (value);
}

static gboolean
fleet_facts_ask_config (FleetFacts *self, FleetLink *link, GError **error)
{
  g_autoptr (GVariant)
      reply = fleet_link_call (link, "", "Manager", "DescribeConfig", NULL, "(a(ssssss))", error);
  g_autoptr (GVariant) keys = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;

  for (gsize i = 0; keys != NULL && i < g_variant_n_children (keys); i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (keys, i);

      fleet_facts_take_key (self, entry);
    }
  return keys != NULL;
}

/* A region that is nothing but the fallback says nothing. */
static gboolean
fleet_facts_judge_region (FleetFacts *self, FleetLink *link, GError **error)
{
  g_autoptr (GVariant) reply = fleet_link_call (
      link, "", "Manager", "ExplainKey", g_variant_new ("(s)", "derpmap.region"), "(a{sv})", error);
  g_autoptr (GVariant) facts = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;

  if (facts != NULL && *detourctl_text (facts, "origin") == '\0')
    g_clear_pointer (&self->region, g_free);
  return facts != NULL;
}

gpointer
fleet_facts_ask (FleetLink *link, gpointer user, GError **error)
{
  FleetFacts *self = g_new0 (FleetFacts, 1);

  self->manager = fleet_link_manager (link, error);
  self->objects = self->manager != NULL ? fleet_link_objects (link, error) : NULL;
  if (self->objects != NULL && fleet_facts_ask_config (self, link, error)
      && fleet_facts_judge_region (self, link, error))
    return self;
  fleet_facts_free (self);
  return NULL;
}

void
fleet_facts_free (gpointer facts)
{
  FleetFacts *self = facts;

  g_clear_pointer (&self->manager, g_variant_unref);
  g_clear_pointer (&self->objects, g_variant_unref);
  g_free (self->region);
  g_free (self->code);
  g_free (self->name);
  g_free (self->ipv4);
  g_free (self->ipv6);
  g_free (self);
}
