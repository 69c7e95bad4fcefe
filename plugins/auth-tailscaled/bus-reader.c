/* bus-reader.c: finds in what tailscaled tells of itself which nodes have changed or gone.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus-reader.h"

#include <string.h>

#define KEY_PREFIX "nodekey:"

/* The member of the outermost object that is being read. */
typedef enum {
  TOP_OTHER,
  TOP_CHANGED,
  TOP_REMOVED,
  TOP_MAP,
  TOP_STATE,
} Top;

/* The member of a node that is being read. */
typedef enum {
  FIELD_OTHER,
  FIELD_ID,
  FIELD_STABLE,
  FIELD_KEY,
  FIELD_EXPIRED,
} Field;

typedef enum {
  IN_NOTHING,
  IN_STRING,
  IN_ESCAPE, /* in a string, behind a backslash */
  IN_WORD,   /* a number, true, false, null */
} In;

struct _BusReader {
  BusReaderFuncs funcs;
  gpointer user;

  In in;
  gboolean is_broken;
  gboolean awaits_name; /* the next string names a member */
  guint depth;
  guint64 objects; /* a bit for each depth: it is an object, and no array */
  char token[BUS_READER_TOKEN_MAX + 1];
  guint token_len;
  gboolean token_is_odd; /* too long, or with an escape: none that is looked for */

  Top top;
  gboolean is_peers; /* of TOP_MAP: in its list of nodes */
  gboolean is_map;   /* its beginning was told */
  Field field;
  BusNode node;
};

static gboolean
bus_reader_is_object (const BusReader *self)
{
  return self->depth > 0 && (self->objects >> (self->depth - 1) & 1) != 0;
}

/* How deep members of a node lie; 0: there are none here. */
static guint
bus_reader_node_depth (const BusReader *self)
{
  switch (self->top)
    {
    case TOP_CHANGED:
      return 3;
    case TOP_MAP:
      return self->is_peers ? 4 : 0;
    case TOP_OTHER:
    case TOP_REMOVED:
    case TOP_STATE:
      break;
    }
  return 0;
}

static gboolean
bus_reader_token_is (const BusReader *self, const char *what)
{
  return !self->token_is_odd && strcmp (self->token, what) == 0;
}

static void
bus_reader_take_name (BusReader *self)
{
  if (self->depth == 1)
    {
      self->top = bus_reader_token_is (self, "PeersChanged") ? TOP_CHANGED
                : bus_reader_token_is (self, "PeersRemoved") ? TOP_REMOVED
                : bus_reader_token_is (self, "NetMap")       ? TOP_MAP
                : bus_reader_token_is (self, "State")        ? TOP_STATE
                                                             : TOP_OTHER;
      self->is_peers = FALSE;
    }
  else if (self->depth == 2 && self->top == TOP_MAP)
    self->is_peers = bus_reader_token_is (self, "Peers");
  else if (self->depth == bus_reader_node_depth (self))
    self->field = bus_reader_token_is (self, "ID")       ? FIELD_ID
                : bus_reader_token_is (self, "StableID") ? FIELD_STABLE
                : bus_reader_token_is (self, "Key")      ? FIELD_KEY
                : bus_reader_token_is (self, "Expired")  ? FIELD_EXPIRED
                                                         : FIELD_OTHER;
}

gboolean
bus_node_read_key (const char *digits, guint8 *key)
{
  if (strlen (digits) != 2 * (gsize) DETOUR_KEY_SIZE)
    return FALSE;
  for (gsize i = 0; i < DETOUR_KEY_SIZE; i++)
    {
      int high = g_ascii_xdigit_value (digits[2 * i]);
      int low = g_ascii_xdigit_value (digits[2 * i + 1]);

      if (high < 0 || low < 0)
        return FALSE;
      key[i] = (guint8) (high << 4 | low);
    }
  return TRUE;
}

/* What tailscaled makes of the key of an expired node is none. */
static gboolean
bus_reader_parse_key (const char *text, guint8 *key)
{
  return g_str_has_prefix (text, KEY_PREFIX) && bus_node_read_key (text + strlen (KEY_PREFIX), key);
}

static void
bus_reader_take_field (BusReader *self, gboolean is_string)
{
  switch (self->field)
    {
    case FIELD_ID:
      if (is_string
          || !g_ascii_string_to_signed (self->token, 10, 1, G_MAXINT64, &self->node.id, NULL))
        self->node.id = 0;
      break;
    case FIELD_STABLE:
      if (is_string)
        memcpy (self->node.stable, self->token, sizeof self->node.stable);
      break;
    case FIELD_KEY:
      self->node.has_key = is_string && bus_reader_parse_key (self->token, self->node.key);
      break;
    case FIELD_EXPIRED:
      self->node.is_expired = !is_string && strcmp (self->token, "true") == 0;
      break;
    case FIELD_OTHER:
      break;
    }
}

/* A string or a word is whole. */
static void
bus_reader_take_value (BusReader *self, gboolean is_string)
{
  gint64 id;

  if (self->token_is_odd)
    return;
  if (self->top == TOP_REMOVED && self->depth == 2 && !is_string)
    {
      if (g_ascii_string_to_signed (self->token, 10, 1, G_MAXINT64, &id, NULL))
        self->funcs.removed (self->user, id);
    }
  else if (self->top == TOP_STATE && self->depth == 1 && !is_string)
    {
      if (g_ascii_isdigit (self->token[0]))
        self->funcs.state (self->user);
    }
  else if (self->depth > 0 && self->depth == bus_reader_node_depth (self)
           && bus_reader_is_object (self))
    bus_reader_take_field (self, is_string);
}

static void
bus_reader_end_token (BusReader *self)
{
  gboolean is_string = self->in == IN_STRING;

  self->in = IN_NOTHING;
  self->token[self->token_len] = '\0';
  if (is_string && self->awaits_name)
    {
      self->awaits_name = FALSE;
      bus_reader_take_name (self);
    }
  else
    bus_reader_take_value (self, is_string);
}

static void
bus_reader_begin_token (BusReader *self, In in)
{
  self->in = in;
  self->token_len = 0;
  self->token_is_odd = FALSE;
}

static void
bus_reader_add (BusReader *self, char c)
{
  if (self->token_len < BUS_READER_TOKEN_MAX)
    self->token[self->token_len++] = c;
  else
    self->token_is_odd = TRUE;
}

static void
bus_reader_open (BusReader *self, gboolean is_object)
{
  guint64 bit;

  if (self->depth == BUS_READER_DEPTH_MAX || (self->depth == 0 && !is_object))
    {
      self->is_broken = TRUE;
      return;
    }
  bit = G_GUINT64_CONSTANT (1) << self->depth++;
  self->objects = is_object ? self->objects | bit : self->objects & ~bit;
  self->awaits_name = is_object;
  if (self->depth == 1)
    self->top = TOP_OTHER;
  if (self->depth == 3 && self->is_peers && !is_object && !self->is_map)
    {
      self->is_map = TRUE;
      self->funcs.map (self->user, TRUE);
    }
  if (is_object && self->depth == bus_reader_node_depth (self))
    {
      self->node = (BusNode) { 0 };
      self->field = FIELD_OTHER;
    }
}

static void
bus_reader_close (BusReader *self, gboolean is_object)
{
  if (self->depth == 0 || bus_reader_is_object (self) != is_object)
    {
      self->is_broken = TRUE;
      return;
    }
  if (is_object && self->depth == bus_reader_node_depth (self))
    self->funcs.node (self->user, &self->node);
  self->depth--;
  self->awaits_name = FALSE;
  if (self->depth == 2 && self->is_map)
    {
      self->is_map = FALSE;
      self->is_peers = FALSE;
      self->funcs.map (self->user, FALSE);
    }
}

static void
bus_reader_take (BusReader *self, char c)
{
  switch (c)
    {
    case '"':
      bus_reader_begin_token (self, IN_STRING);
      break;
    case '{':
    case '[':
      bus_reader_open (self, c == '{');
      break;
    case '}':
    case ']':
      bus_reader_close (self, c == '}');
      break;
    case ',':
      self->awaits_name = bus_reader_is_object (self);
      if (self->depth == bus_reader_node_depth (self))
        self->field = FIELD_OTHER;
      break;
    case ':':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
      break;
    default:
      /* Every word stands inside of an object. */
      if (self->depth == 0)
        {
          self->is_broken = TRUE;
          break;
        }
      bus_reader_begin_token (self, IN_WORD);
      bus_reader_add (self, c);
      break;
    }
}

gboolean
bus_reader_feed (BusReader *self, const char *data, gsize len)
{
  for (gsize i = 0; i < len && !self->is_broken; i++)
    {
      char c = data[i];

      switch (self->in)
        {
        case IN_STRING:
          if (c == '"')
            bus_reader_end_token (self);
          else if (c == '\\')
            {
              self->in = IN_ESCAPE;
              self->token_is_odd = TRUE;
            }
          else
            bus_reader_add (self, c);
          break;
        case IN_ESCAPE:
          self->in = IN_STRING;
          break;
        case IN_WORD:
          if (g_ascii_isalnum (c) || c == '-' || c == '+' || c == '.')
            {
              bus_reader_add (self, c);
              break;
            }
          bus_reader_end_token (self);
          bus_reader_take (self, c);
          break;
        case IN_NOTHING:
          bus_reader_take (self, c);
          break;
        }
    }
  return !self->is_broken;
}

void
bus_reader_reset (BusReader *self)
{
  BusReaderFuncs funcs = self->funcs;
  gpointer user = self->user;

  *self = (BusReader) { .funcs = funcs, .user = user };
}

BusReader *
bus_reader_new (const BusReaderFuncs *funcs, gpointer user)
{
  BusReader *self = g_new0 (BusReader, 1);

  self->funcs = *funcs;
  self->user = user;
  return self;
}

void
bus_reader_free (BusReader *self)
{
  g_free (self);
}
