/* detour-turns.c: a queue in which client addresses take turns.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-turns.h"

typedef struct {
  DetourAddressKey key;
  GQueue members; /* of the turns' links */
  GList link;
} TurnsAddress;

struct _DetourTurns {
  GHashTable *addresses; /* DetourAddressKey → TurnsAddress, which holds it */
  GQueue rotation;       /* of TurnsAddress, the one whose turn it is first */
  guint length;
};

DetourTurns *
detour_turns_new (void)
{
  DetourTurns *self = g_new0 (DetourTurns, 1);

  self->addresses = g_hash_table_new_full (detour_address_key_hash, detour_address_key_equal, NULL,
                                           g_free);
  return self;
}

void
detour_turns_free (DetourTurns *self)
{
  g_assert (self->length == 0);
  g_hash_table_unref (self->addresses);
  g_free (self);
}

void
detour_turns_push (DetourTurns *self, DetourTurn *turn, const DetourAddressKey *key,
                   gpointer member)
{
  TurnsAddress *address = g_hash_table_lookup (self->addresses, key);

  g_assert (turn->address == NULL);
  if (address == NULL)
    {
      address = g_new0 (TurnsAddress, 1);
      address->key = *key;
      address->link.data = address;
      g_hash_table_insert (self->addresses, &address->key, address);
      g_queue_push_tail_link (&self->rotation, &address->link);
    }
  turn->address = address;
  turn->link.data = member;
  g_queue_push_tail_link (&address->members, &turn->link);
  self->length++;
}

void
detour_turns_remove (DetourTurns *self, DetourTurn *turn)
{
  TurnsAddress *address = g_steal_pointer (&turn->address);

  if (address == NULL)
    return;
  g_queue_unlink (&address->members, &turn->link);
  self->length--;
  if (address->members.length > 0)
    return;
  g_queue_unlink (&self->rotation, &address->link);
  g_hash_table_remove (self->addresses, &address->key);
}

gpointer
detour_turns_pop (DetourTurns *self)
{
  TurnsAddress *address;
  DetourTurn *turn;

  if (self->rotation.head == NULL)
    return NULL;
  address = self->rotation.head->data;
  turn = (DetourTurn *) (gpointer) address->members.head; /* the link is its first member */
  g_queue_unlink (&self->rotation, &address->link);
  g_queue_push_tail_link (&self->rotation, &address->link);
  detour_turns_remove (self, turn);
  return turn->link.data;
}

guint
detour_turns_length (const DetourTurns *self)
{
  return self->length;
}
