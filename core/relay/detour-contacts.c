/* detour-contacts.c: which clients of a worker received packets from which peers.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A relation is a node in two rings: that of its sender and that of its receiver. The ring's head
 * is a node too, of a sender and no receiver or the other way round, and is found in the same hash
 * table by its key. Nodes lie in one array and are named by their index, which is half as long as
 * a pointer. */
#include "config.h"

#include "detour-contacts.h"

/* A node's key is its sender and its slot; heads have one that no relation has. */
#define SLOT_BITS           24
#define NO_SLOT             G_GUINT64_CONSTANT (0xffffff)
#define KEY(sender, slot)   ((guint64) (sender) << SLOT_BITS | (slot))
#define KEY_SLOT(key)       ((guint32) ((key) &NO_SLOT))
#define SENDER_HEAD(sender) KEY (sender, NO_SLOT)
#define RECEIVER_HEAD(slot) KEY (0, slot) /* ids of peers begin at 1 */

#define NONE      0u /* the index of no node */
#define NODES_MIN 64u
#define TABLE_MIN 128u

typedef struct {
  guint32 next, prev;
} Link;

enum { BY_SENDER, BY_RECEIVER };

typedef struct {
  guint64 key;
  Link link[2]; /* of a head only the one of its ring is used; of a free node link[0].next is the
                   next one */
} Node;

struct _DetourContacts {
  guint32 *table; /* hash table of node indices, probed one after the other; NONE is empty */
  guint32 mask;
  guint32 shift;              /* 64 - log2 of the table's size */
  Node *nodes;                /* nodes[0] is not used */
  guint32 n_nodes, cap_nodes; /* touched so far; room */
  guint32 free_node;
  guint32 n_used; /* heads included */
  guint n_relations;
};

/* Fibonacci hashing: the high bits of the product depend on all bits below. Strangers choose
 * neither ids nor slots. */
static inline guint32
contacts_place (const DetourContacts *self, guint64 key)
{
  return (guint32) ((key * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)) >> self->shift);
}

static inline guint32
contacts_find (const DetourContacts *self, guint64 key, guint32 *place)
{
  guint32 i = contacts_place (self, key);

  while (self->table[i] != NONE && self->nodes[self->table[i]].key != key)
    i = (i + 1) & self->mask;
  *place = i;
  return self->table[i];
}

static void
contacts_set_table (DetourContacts *self, guint32 capacity)
{
  g_free (self->table);
  self->table = g_new0 (guint32, capacity);
  self->mask = capacity - 1;
  self->shift = 65 - (guint32) g_bit_storage (capacity);
}

static void
contacts_enter (DetourContacts *self, guint32 index)
{
  guint32 i = contacts_place (self, self->nodes[index].key);

  while (self->table[i] != NONE)
    i = (i + 1) & self->mask;
  self->table[i] = index;
}

static void
contacts_resize_table (DetourContacts *self, guint32 capacity)
{
  guint32 *old = g_steal_pointer (&self->table);
  guint32 n = self->mask + 1;

  contacts_set_table (self, capacity);
  for (guint32 i = 0; i < n; i++)
    if (old[i] != NONE)
      contacts_enter (self, old[i]);
  g_free (old);
}

/* A fresh node with @key, entered in the hash table. */
static guint32
contacts_new_node (DetourContacts *self, guint64 key)
{
  guint32 index = self->free_node;

  if (index != NONE)
    {
      self->free_node = self->nodes[index].link[0].next;
    }
  else
    {
      if (self->n_nodes == self->cap_nodes)
        {
          self->cap_nodes += self->cap_nodes / 4;
          self->nodes = g_renew (Node, self->nodes, self->cap_nodes);
        }
      index = self->n_nodes++;
    }
  /* Three quarters full at most. */
  if (++self->n_used > (self->mask + 1) / 4 * 3)
    contacts_resize_table (self, 2 * (self->mask + 1));
  self->nodes[index].key = key;
  contacts_enter (self, index);
  return index;
}

/* Takes a node out of the hash table, closing the gap, and frees it. */
static void
contacts_drop_node (DetourContacts *self, guint32 index)
{
  guint32 gap, i;

  contacts_find (self, self->nodes[index].key, &gap);
  for (i = (gap + 1) & self->mask; self->table[i] != NONE; i = (i + 1) & self->mask)
    {
      guint32 wanted = contacts_place (self, self->nodes[self->table[i]].key);

      /* It may move to the gap if that is not before the place it wants. */
      if (((i - wanted) & self->mask) >= ((i - gap) & self->mask))
        {
          self->table[gap] = self->table[i];
          gap = i;
        }
    }
  self->table[gap] = NONE;
  self->nodes[index].link[0].next = self->free_node;
  self->free_node = index;
  self->n_used--;
}

/* Gives memory back when a crowd has left: only then are all nodes that remain moved together. */
static void
contacts_shrink (DetourContacts *self)
{
  Node *old = self->nodes;
  guint32 *moved, n = 1, capacity = TABLE_MIN;

  if (self->mask + 1 <= TABLE_MIN || self->n_used >= (self->mask + 1) / 8)
    return;
  while (capacity / 8 * 3 < self->n_used)
    capacity *= 2;
  moved = g_new0 (guint32, self->n_nodes);
  for (guint32 i = 0; i <= self->mask; i++)
    if (self->table[i] != NONE)
      moved[self->table[i]] = n++;
  self->cap_nodes = MAX (self->n_used + self->n_used / 4 + 1, NODES_MIN);
  self->nodes = g_new (Node, self->cap_nodes);
  for (guint32 i = 1; i < self->n_nodes; i++)
    {
      Node *node = &self->nodes[moved[i]];

      if (moved[i] == NONE)
        continue;
      node->key = old[i].key;
      for (guint ring = 0; ring < 2; ring++)
        {
          /* The ring that a head is not in was never written. */
          gboolean is_in = KEY_SLOT (node->key) == NO_SLOT ? ring == BY_SENDER
                         : node->key < (1 << SLOT_BITS)    ? ring == BY_RECEIVER
                                                           : TRUE;

          node->link[ring].next = is_in ? moved[old[i].link[ring].next] : NONE;
          node->link[ring].prev = is_in ? moved[old[i].link[ring].prev] : NONE;
        }
    }
  self->n_nodes = n;
  self->free_node = NONE;
  contacts_set_table (self, capacity);
  for (guint32 i = 1; i < n; i++)
    contacts_enter (self, i);
  g_free (moved);
  g_free (old);
}

/* Puts @index into the ring whose head has @head_key, making the ring if need be. */
static void
contacts_link (DetourContacts *self, guint ring, guint64 head_key, guint32 index)
{
  guint32 place, head = contacts_find (self, head_key, &place);
  Link *link;

  if (head == NONE)
    {
      head = contacts_new_node (self, head_key);
      self->nodes[head].link[ring] = (Link) { head, head };
    }
  link = &self->nodes[head].link[ring];
  self->nodes[index].link[ring] = (Link) { .next = link->next, .prev = head };
  self->nodes[link->next].link[ring].prev = index;
  link->next = index;
}

/* Takes @index out of its ring, and drops the head when it was the last. */
static void
contacts_unlink (DetourContacts *self, guint ring, guint32 index)
{
  Link link = self->nodes[index].link[ring];

  self->nodes[link.prev].link[ring].next = link.next;
  self->nodes[link.next].link[ring].prev = link.prev;
  if (link.prev == link.next && self->nodes[link.prev].link[ring].next == link.prev)
    contacts_drop_node (self, link.prev);
}

static void
contacts_drop_relation (DetourContacts *self, guint32 index)
{
  contacts_unlink (self, BY_SENDER, index);
  contacts_unlink (self, BY_RECEIVER, index);
  contacts_drop_node (self, index);
  self->n_relations--;
}

DetourContacts *
detour_contacts_new (void)
{
  DetourContacts *self = g_new0 (DetourContacts, 1);

  self->cap_nodes = NODES_MIN;
  self->nodes = g_new (Node, self->cap_nodes);
  self->n_nodes = 1;
  contacts_set_table (self, TABLE_MIN);
  return self;
}

void
detour_contacts_free (DetourContacts *self)
{
  g_free (self->table);
  g_free (self->nodes);
  g_free (self);
}

gboolean
detour_contacts_add (DetourContacts *self, guint64 sender, guint32 slot)
{
  guint32 place, index;

  if (G_LIKELY (contacts_find (self, KEY (sender, slot), &place) != NONE))
    return FALSE;
  g_assert (sender > 0 && sender <= DETOUR_CONTACTS_SENDER_MAX && slot <= DETOUR_CONTACTS_SLOT_MAX);
  index = contacts_new_node (self, KEY (sender, slot));
  contacts_link (self, BY_SENDER, SENDER_HEAD (sender), index);
  contacts_link (self, BY_RECEIVER, RECEIVER_HEAD (slot), index);
  self->n_relations++;
  return TRUE;
}

gboolean
detour_contacts_remove (DetourContacts *self, guint64 sender, guint32 slot)
{
  guint32 place, index = contacts_find (self, KEY (sender, slot), &place);

  if (index == NONE)
    return FALSE;
  contacts_drop_relation (self, index);
  contacts_shrink (self);
  return TRUE;
}

void
detour_contacts_sender_gone (DetourContacts *self, guint64 sender, DetourContactsFunc func,
                             gpointer user)
{
  guint32 place, head, next;

  for (head = contacts_find (self, SENDER_HEAD (sender), &place); head != NONE;
       head = next == head ? NONE : head)
    {
      guint32 index = self->nodes[head].link[BY_SENDER].next;

      next = self->nodes[index].link[BY_SENDER].next;
      func (KEY_SLOT (self->nodes[index].key), user);
      contacts_drop_relation (self, index);
    }
  contacts_shrink (self);
}

void
detour_contacts_each_sender (const DetourContacts *self, guint32 slot,
                             DetourContactsSenderFunc func, gpointer user)
{
  guint32 place, head = contacts_find (self, RECEIVER_HEAD (slot), &place);

  if (head == NONE)
    return;
  for (guint32 i = self->nodes[head].link[BY_RECEIVER].next; i != head;
       i = self->nodes[i].link[BY_RECEIVER].next)
    func (self->nodes[i].key >> SLOT_BITS, user);
}

void
detour_contacts_receiver_left (DetourContacts *self, guint32 slot)
{
  guint32 place, head, next;

  for (head = contacts_find (self, RECEIVER_HEAD (slot), &place); head != NONE;
       head = next == head ? NONE : head)
    {
      guint32 index = self->nodes[head].link[BY_RECEIVER].next;

      next = self->nodes[index].link[BY_RECEIVER].next;
      contacts_drop_relation (self, index);
    }
  contacts_shrink (self);
}

guint
detour_contacts_size (const DetourContacts *self)
{
  return self->n_relations;
}

gsize
detour_contacts_memory (const DetourContacts *self)
{
  return sizeof *self + self->cap_nodes * sizeof (Node) + (self->mask + 1) * sizeof (guint32);
}
