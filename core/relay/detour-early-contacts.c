/* detour-early-contacts.c: who received packets over the mesh from senders that are not known yet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-early-contacts.h"

#define N_PLACES (1u << DETOUR_EARLY_CONTACTS_BITS)

static guint
early_contacts_place (const DetourKey *sender, DetourHandle receiver)
{
  guint64 part;

  memcpy (&part, sender->bytes, sizeof part);
  return (guint) (((part ^ receiver) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15))
                  >> (64 - DETOUR_EARLY_CONTACTS_BITS));
}

void
detour_early_contacts_clear (DetourEarlyContacts *self)
{
  g_clear_pointer (&self->places, g_free);
  self->n = 0;
}

void
detour_early_contacts_note (DetourEarlyContacts *self, const DetourKey *sender,
                            DetourHandle receiver)
{
  DetourEarlyContact *place;

  if (self->places == NULL)
    self->places = g_new0 (DetourEarlyContact, N_PLACES);
  place = &self->places[early_contacts_place (sender, receiver)];
  if (place->receiver == DETOUR_HANDLE_NONE)
    self->n++;
  place->sender = *sender;
  place->receiver = receiver;
}

void
detour_early_contacts_take (DetourEarlyContacts *self, const DetourKey *sender,
                            DetourEarlyContactsFunc func, gpointer user)
{
  for (guint i = 0; self->n > 0 && i < N_PLACES; i++)
    {
      DetourEarlyContact *place = &self->places[i];
      DetourHandle receiver = place->receiver;

      if (receiver == DETOUR_HANDLE_NONE || !detour_key_equal (&place->sender, sender))
        continue;
      place->receiver = DETOUR_HANDLE_NONE;
      self->n--;
      func (receiver, user);
    }
}
