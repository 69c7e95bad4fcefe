/* detour-channel-table.c: channels by the name of their class, written down and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-channel-table.h"

#include <string.h>

#include "detour-channel-stack.h"

#define NAME_MAX_LEN 64u

typedef struct {
  const DetourChannelClass *cls;
  guint n; /* so many put it here */
} TableEntry;

struct _DetourChannelTable {
  GHashTable *by_name; /* name of the class (borrowed) -> TableEntry */
};

DetourChannelTable *
detour_channel_table_new (void)
{
  DetourChannelTable *self = g_new0 (DetourChannelTable, 1);

  self->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  detour_channel_table_add (self, &detour_channel_plain);
  return self;
}

void
detour_channel_table_free (DetourChannelTable *self)
{
  g_hash_table_unref (self->by_name);
  g_free (self);
}

gboolean
detour_channel_table_add (DetourChannelTable *self, const DetourChannelClass *cls)
{
  TableEntry *entry = g_hash_table_lookup (self->by_name, cls->name);

  g_assert (strlen (cls->name) <= NAME_MAX_LEN);
  if (strcmp (cls->name, detour_channel_stack.name) == 0 || (entry != NULL && entry->cls != cls))
    return FALSE;
  if (entry == NULL)
    {
      entry = g_new0 (TableEntry, 1);
      entry->cls = cls;
      g_hash_table_insert (self->by_name, (gpointer) cls->name, entry);
    }
  entry->n++;
  return TRUE;
}

void
detour_channel_table_remove (DetourChannelTable *self, const DetourChannelClass *cls)
{
  TableEntry *entry = g_hash_table_lookup (self->by_name, cls->name);

  g_assert (entry != NULL && entry->cls == cls);
  if (--entry->n == 0)
    g_hash_table_remove (self->by_name, cls->name);
}

const DetourChannelClass *
detour_channel_table_find (const DetourChannelTable *self, const char *name)
{
  const TableEntry *entry = g_hash_table_lookup (self->by_name, name);

  return entry != NULL ? entry->cls : NULL;
}

/* ---- writing down ---------------------------------------------------------------------------- */

/* The parts of a stack, the uppermost first: for each a byte with the length of its name, the name,
 * four bytes with the length of what its class wrote, and that. */
typedef struct {
  const DetourChannel *channels[DETOUR_CHANNEL_STACK_MAX + 1];
  GBytes *saved[DETOUR_CHANNEL_STACK_MAX + 1];
  guint n;
  gsize size;
} Parts;

#define PART_HEAD(name_len) (1u + (name_len) + 4u)

static void
channel_table_clear_parts (Parts *parts)
{
  for (guint i = 0; i < parts->n; i++)
    g_clear_pointer (&parts->saved[i], g_bytes_unref);
}

/* FALSE: this one cannot be carried over. */
static gboolean
channel_table_add_part (Parts *parts, const DetourChannel *channel)
{
  GBytes *saved = channel->cls->save != NULL ? channel->cls->save (channel->self) : NULL;

  g_assert (parts->n < G_N_ELEMENTS (parts->channels));
  if (saved == NULL)
    return FALSE;
  parts->channels[parts->n] = channel;
  parts->saved[parts->n++] = saved;
  parts->size += PART_HEAD (strlen (channel->cls->name)) + g_bytes_get_size (saved);
  return TRUE;
}

static gboolean
channel_table_collect (Parts *parts, const DetourChannel *channel)
{
  while (channel->cls == &detour_channel_stack)
    {
      if (!channel_table_add_part (parts, detour_channel_stack_upper (channel)))
        return FALSE;
      channel = detour_channel_stack_lower (channel);
    }
  return channel_table_add_part (parts, channel);
}

typedef struct {
  gsize size;
  guint8 bytes[];
} Secret;

static void
channel_table_free_secret (gpointer data)
{
  Secret *secret = data;

  explicit_bzero (secret->bytes, secret->size);
  g_free (secret);
}

static GBytes *
channel_table_join (const Parts *parts)
{
  Secret *secret = g_malloc (sizeof (Secret) + parts->size);
  guint8 *at = secret->bytes;

  secret->size = parts->size;
  for (guint i = 0; i < parts->n; i++)
    {
      const char *name = parts->channels[i]->cls->name;
      gsize name_len = strlen (name), len;
      gconstpointer data = g_bytes_get_data (parts->saved[i], &len);
      guint32 len_be = GUINT32_TO_BE ((guint32) len);

      *at++ = (guint8) name_len;
      memcpy (at, name, name_len);
      at += name_len;
      memcpy (at, &len_be, sizeof len_be);
      at += sizeof len_be;
      if (len > 0)
        memcpy (at, data, len);
      at += len;
    }
  return g_bytes_new_with_free_func (secret->bytes, secret->size, channel_table_free_secret,
                                     secret);
}

gboolean
detour_channel_is_saved (const DetourChannel *channel)
{
  for (; channel->cls == &detour_channel_stack; channel = detour_channel_stack_lower (channel))
    if (detour_channel_stack_upper (channel)->cls->save == NULL)
      return FALSE;
  return channel->cls->save != NULL;
}

char *
detour_channel_dup_names (const DetourChannel *channel)
{
  GString *names = g_string_new (NULL);

  for (; channel->cls == &detour_channel_stack; channel = detour_channel_stack_lower (channel))
    g_string_append_printf (names, "%s ", detour_channel_stack_upper (channel)->cls->name);
  g_string_append (names, channel->cls->name);
  return g_string_free (names, FALSE);
}

GBytes *
detour_channel_save (const DetourChannel *channel)
{
  Parts parts = { .n = 0 };
  GBytes *joined = NULL;

  if (channel_table_collect (&parts, channel))
    joined = channel_table_join (&parts);
  channel_table_clear_parts (&parts);
  return joined;
}

/* ---- reading back ---------------------------------------------------------------------------- */

typedef struct {
  char name[NAME_MAX_LEN + 1];
  const guint8 *data;
  gsize len;
} Part;

/* Takes the first part off @data. */
static gboolean
channel_table_parse_part (const guint8 **data, gsize *left, Part *part)
{
  gsize name_len;
  guint32 len_be;

  if (*left < 1)
    return FALSE;
  name_len = (*data)[0];
  if (name_len == 0 || name_len > NAME_MAX_LEN || *left < PART_HEAD (name_len))
    return FALSE;
  memcpy (part->name, *data + 1, name_len);
  part->name[name_len] = '\0';
  memcpy (&len_be, *data + 1 + name_len, sizeof len_be);
  part->len = GUINT32_FROM_BE (len_be);
  part->data = *data + PART_HEAD (name_len);
  *left -= PART_HEAD (name_len);
  if (part->len > *left)
    return FALSE;
  *left -= part->len;
  *data = part->data + part->len;
  return TRUE;
}

static gboolean
channel_table_restore_part (const DetourChannelTable *table, const Part *part,
                            DetourChannel *channel, const char **reason)
{
  const DetourChannelClass *cls = detour_channel_table_find (table, part->name);
  gpointer self = NULL;

  if (cls == NULL)
    {
      *reason = "no transport that runs has this channel";
      return FALSE;
    }
  if (cls != &detour_channel_plain)
    {
      self = cls->restore != NULL ? cls->restore (part->data, part->len) : NULL;
      if (self == NULL)
        {
          *reason = "the channel does not take what was written down";
          return FALSE;
        }
    }
  *channel = (DetourChannel) { cls, self };
  return TRUE;
}

gboolean
detour_channel_restore (const DetourChannelTable *table, const guint8 *data, gsize len,
                        DetourChannel *channel, const char **reason)
{
  Part parts[DETOUR_CHANNEL_STACK_MAX + 1];
  guint n = 0;

  memset (channel, 0, sizeof *channel);
  *reason = "what was written down is damaged";
  while (n < G_N_ELEMENTS (parts) && channel_table_parse_part (&data, &len, &parts[n]))
    n++;
  if (n == 0 || len > 0)
    return FALSE;
  if (!channel_table_restore_part (table, &parts[n - 1], channel, reason))
    return FALSE;
  for (guint i = n - 1; i-- > 0;)
    {
      DetourChannel upper;

      if (!channel_table_restore_part (table, &parts[i], &upper, reason))
        {
          detour_channel_clear (channel);
          return FALSE;
        }
      detour_channel_stack_push (channel, upper);
    }
  return TRUE;
}
