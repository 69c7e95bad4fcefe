/* detour-session-record.c: a session written down for another program, and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-session-record.h"

#include "detour-link-record.h"

#include <string.h>

/* Numbers of tags are never used for another thing. */
enum {
  TAG_FD = 1 | DETOUR_RECORD_MUST,
  TAG_CHANNEL = 2 | DETOUR_RECORD_MUST,
  TAG_SEALED = 3 | DETOUR_RECORD_MUST, /* goes out as it is */
  TAG_INPUT = 4 | DETOUR_RECORD_MUST,
  TAG_FLAGS = 5,
  TAG_KEY = 6 | DETOUR_RECORD_MUST,
  TAG_IP = 7,
  TAG_PORT = 8,
  TAG_PRESENT = 9,
  TAG_APP_NAME = 10,
  TAG_KIND = 11,
  TAG_NUMBER = 12,
  TAG_LISTENER = 13,
  TAG_ADDRESS = 14,
  TAG_KEEP_ALIVE = 15,
  TAG_VERDICT = 16,
  TAG_TENANT = 17 | DETOUR_RECORD_MUST,
  TAG_OUTPUT = 18 | DETOUR_RECORD_MUST,
  TAG_PACKET = 19,
  TAG_NOTICE = 20,
  TAG_CONTACTS = 21,
  TAG_LOGIN = 22,
  TAG_RX_PACKETS = 23,
  TAG_RX_BYTES = 24,
  TAG_TX_PACKETS = 25,
  TAG_TX_BYTES = 26,
  TAG_DROPPED = 27,
  TAG_DROPPED_LONG = 28,
  TAG_HEALTH = 29,
  TAG_RATE_AT = 30,
  TAG_RATE_LEFT = 31,
  TAG_LINK = 32 | DETOUR_RECORD_MUST, /* this relay is the client */
  TAG_WINDOW = 33,
  TAG_WATCHED_BY = 34,
  TAG_WATCHED_EVENTS = 35,
};

/* Each of these that has DETOUR_RECORD_MUST. */
static const guint16 session_record_must[] = { TAG_FD,  TAG_CHANNEL, TAG_SEALED, TAG_INPUT,
                                               TAG_KEY, TAG_TENANT,  TAG_OUTPUT, TAG_LINK };

/* Of a verdict. */
enum {
  TAG_V_RESULT = 1,
  TAG_V_FLAGS = 2,
  TAG_V_INSTANCE = 3,
  TAG_V_LABEL = 4,
  TAG_V_CLASS = 5,
  TAG_V_REASON = 6,
  TAG_V_UNTIL = 7,
};

/* Bits of TAG_FLAGS. */
enum {
  FLAG_OWES_REPLY = 1 << 0,
  FLAG_WAS_SLOWED = 1 << 1,
  FLAG_MESH = 1 << 2,
  FLAG_TAKES_EXTRA = 1 << 3,
  FLAG_ENDS_ON_LONG = 1 << 4,
  FLAG_ACTIVE = 1 << 5,
  FLAG_PREFERRED = 1 << 6,
  FLAG_WATCHER = 1 << 7,
  FLAG_WAS_TOLD = 1 << 8,
  FLAG_HUSHED = 1 << 9,
};

#define TEXT_MAX 4096u

void
detour_session_record_clear (DetourSessionRecord *self)
{
  g_clear_pointer (&self->session, detour_session_free);
  g_clear_pointer (&self->tenant, g_free);
}

/* Writing -------------------------------------------------------------------------------------- */

static void
session_record_put_array (DetourRecord *out, guint16 tag, const GByteArray *bytes)
{
  if (bytes != NULL && bytes->len > 0)
    detour_record_put (out, tag, bytes->data, bytes->len);
}

static void
session_record_put_verdict (DetourRecord *out, const DetourVerdict *verdict)
{
  gsize mark;

  if (verdict == NULL)
    return;
  mark = detour_record_begin (out, TAG_VERDICT);
  detour_record_put_number (out, TAG_V_RESULT, verdict->result);
  detour_record_put_number (out, TAG_V_FLAGS, verdict->flags);
  detour_record_put_text (out, TAG_V_INSTANCE, verdict->instance);
  detour_record_put_text (out, TAG_V_LABEL, verdict->label);
  detour_record_put_text (out, TAG_V_CLASS, verdict->class_);
  detour_record_put_text (out, TAG_V_REASON, verdict->reason);
  detour_record_put_number (out, TAG_V_UNTIL, (guint64) verdict->until_us);
  detour_record_end (out, mark);
}

static void
session_record_put_queued (const DetourQueued *queued, gpointer user)
{
  detour_record_put (user, queued->kind == DETOUR_QUEUE_NOTICE ? TAG_NOTICE : TAG_PACKET,
                     queued->frame, queued->len);
}

static void
session_record_put_client (DetourRecord *out, const DetourClientState *client)
{
  session_record_put_array (out, TAG_OUTPUT, client->output);
  detour_queue_each (client->queue, session_record_put_queued, out);
  if (client->contacts != NULL && client->contacts->len > 0)
    detour_record_put (out, TAG_CONTACTS, client->contacts->data,
                       client->contacts->len * sizeof (DetourKey));
  detour_record_put_number (out, TAG_LOGIN, (guint64) client->login_us);
  detour_record_put_number (out, TAG_RX_PACKETS, client->rx_packets);
  detour_record_put_number (out, TAG_RX_BYTES, client->rx_bytes);
  detour_record_put_number (out, TAG_TX_PACKETS, client->tx_packets);
  detour_record_put_number (out, TAG_TX_BYTES, client->tx_bytes);
  detour_record_put_number (out, TAG_DROPPED, client->dropped_packets);
  detour_record_put_number (out, TAG_DROPPED_LONG, client->dropped_long);
  detour_record_put_number (out, TAG_HEALTH, client->health);
  detour_record_put_number (out, TAG_RATE_AT, (guint64) client->bucket.at_us);
  detour_record_put_number (out, TAG_RATE_LEFT, (guint64) client->bucket.millionths);
}

static guint
session_record_flags (const DetourSession *session)
{
  const DetourClientState *client = &session->client;

  return (session->owes_reply ? FLAG_OWES_REPLY : 0u) | (session->was_slowed ? FLAG_WAS_SLOWED : 0u)
       | (session->is_mesh ? FLAG_MESH : 0u) | (session->traits.takes_extra ? FLAG_TAKES_EXTRA : 0u)
       | (session->traits.ends_on_long ? FLAG_ENDS_ON_LONG : 0u)
       | (client->is_active ? FLAG_ACTIVE : 0u) | (client->is_preferred ? FLAG_PREFERRED : 0u)
       | (client->is_watcher ? FLAG_WATCHER : 0u) | (client->was_told ? FLAG_WAS_TOLD : 0u)
       | (client->is_hushed ? FLAG_HUSHED : 0u);
}

gboolean
detour_session_record_write (DetourRecord *out, guint16 tag, const DetourSession *session,
                             guint32 fd)
{
  const DetourPresence *presence = &session->presence;
  GBytes *channel = detour_channel_save (&session->channel);
  guint64 address[2] = { GUINT64_TO_BE (session->address_key.high),
                         GUINT64_TO_BE (session->address_key.low) };
  gsize mark;

  if (channel == NULL)
    return FALSE;
  mark = detour_record_begin (out, tag);
  detour_record_put_number (out, TAG_FD, fd);
  detour_record_put (out, TAG_CHANNEL, g_bytes_get_data (channel, NULL),
                     g_bytes_get_size (channel));
  g_bytes_unref (channel);
  session_record_put_array (out, TAG_SEALED, session->sealed);
  session_record_put_array (out, TAG_INPUT, session->input);
  detour_record_put_number (out, TAG_FLAGS, session_record_flags (session));
  detour_record_put (out, TAG_KEY, &session->key, sizeof session->key);
  detour_record_put (out, TAG_IP, presence->ip, sizeof presence->ip);
  detour_record_put_number (out, TAG_PORT, presence->port);
  detour_record_put_number (out, TAG_PRESENT, presence->flags);
  detour_record_put (out, TAG_APP_NAME, presence->name, presence->name_len);
  detour_record_put_number (out, TAG_KIND, session->traits.kind);
  detour_record_put_number (out, TAG_NUMBER, session->number);
  detour_record_put_text (out, TAG_LISTENER, session->listener);
  detour_record_put (out, TAG_ADDRESS, address, sizeof address);
  detour_record_put_number (out, TAG_KEEP_ALIVE, (guint64) session->keep_alive_us);
  detour_record_put_number (out, TAG_WINDOW, session->window_kib);
  detour_record_put_number (out, TAG_WATCHED_BY, session->watched_by);
  detour_record_put_number (out, TAG_WATCHED_EVENTS, session->watched_events);
  session_record_put_verdict (out, session->verdict);
  if (session->visit != NULL)
    detour_record_put_text (out, TAG_TENANT, detour_tenant_name (session->visit->tenant));
  if (session->link != NULL)
    detour_link_record_write (out, TAG_LINK, session->link, session->keys, session->preferred);
  session_record_put_client (out, &session->client);
  detour_record_end (out, mark);
  return TRUE;
}

void
detour_session_record_write_tags (DetourRecord *out, guint16 tag)
{
  detour_record_put_tags (out, tag, session_record_must, G_N_ELEMENTS (session_record_must));
}

/* Reading -------------------------------------------------------------------------------------- */

gboolean
detour_session_record_knows_tags (const DetourRecordItem *item)
{
  return detour_record_has_tags (item, session_record_must, G_N_ELEMENTS (session_record_must));
}

static gboolean
session_record_take_array (const DetourRecordItem *item, GByteArray **out)
{
  if (*out != NULL)
    return FALSE;
  *out = g_byte_array_append (g_byte_array_sized_new ((guint) item->len), item->data,
                              (guint) item->len);
  return TRUE;
}

/* What a verdict is made of, until it is. */
typedef struct {
  DetourVerdict fields;
  char *texts[4]; /* from TAG_V_INSTANCE on */
} VerdictDraft;

static gboolean
session_record_take_verdict_item (const DetourRecordItem *item, gpointer user)
{
  VerdictDraft *draft = user;
  char **text;
  guint32 number = 0;

  switch (item->tag)
    {
    case TAG_V_RESULT:
      if (!detour_record_u32 (item, &number) || number > DETOUR_AUTH_UNAVAILABLE)
        return FALSE;
      draft->fields.result = (DetourAuthResult) number;
      return TRUE;
    case TAG_V_FLAGS:
      if (!detour_record_u32 (item, &number))
        return FALSE;
      draft->fields.flags = (DetourVerdictFlags) (number & 0xfu);
      return TRUE;
    case TAG_V_UNTIL:
      return detour_record_time (item, &draft->fields.until_us);
    case TAG_V_INSTANCE:
    case TAG_V_LABEL:
    case TAG_V_CLASS:
    case TAG_V_REASON:
      text = &draft->texts[item->tag - TAG_V_INSTANCE];
      g_free (*text);
      *text = detour_record_dup_text (item, TEXT_MAX);
      return *text != NULL;
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

static gboolean
session_record_take_verdict (const DetourRecordItem *item, DetourSession *session)
{
  VerdictDraft draft = { { 0 } };
  gboolean good = session->verdict == NULL
               && detour_record_take_inside (item, session_record_take_verdict_item, &draft)
               && draft.texts[0] != NULL;

  if (good)
    {
      draft.fields.instance = draft.texts[0];
      draft.fields.label = draft.texts[1];
      draft.fields.class_ = draft.texts[2];
      draft.fields.reason = draft.texts[3];
      session->verdict = detour_verdict_new (&draft.fields);
    }
  for (guint i = 0; i < G_N_ELEMENTS (draft.texts); i++)
    g_free (draft.texts[i]);
  return good;
}

/* A whole frame of that type. */
static gboolean
session_record_is_frame (const DetourRecordItem *item, DetourFrameType type)
{
  return item->len >= DETOUR_FRAME_HEADER_SIZE && item->data[0] == (guint8) type
      && detour_frame_get_u32 (item->data + 1) == item->len - DETOUR_FRAME_HEADER_SIZE;
}

static gboolean
session_record_take_packet (const DetourRecordItem *item, DetourClientState *client)
{
  static const DetourQueueLimits none = { G_MAXUINT, G_MAXSIZE };

  gsize head = DETOUR_FRAME_RECV_HEAD_SIZE;

  if (session_record_is_frame (item, DETOUR_FRAME_FORWARD_PACKET))
    head = DETOUR_FRAME_FORWARD_HEAD_SIZE;
  else if (!session_record_is_frame (item, DETOUR_FRAME_RECV_PACKET))
    return FALSE;
  if (item->len < head || item->len - head > DETOUR_FRAME_PACKET_MAX)
    return FALSE;
  detour_queue_push (&client->queue, NULL, &none,
                     detour_queue_kind_of (item->data + head, item->len - head), item->data,
                     item->len, NULL, NULL);
  return TRUE;
}

static gboolean
session_record_take_notice (const DetourRecordItem *item, DetourClientState *client)
{
  if (item->len != DETOUR_FRAME_PEER_GONE_SIZE
      || !session_record_is_frame (item, DETOUR_FRAME_PEER_GONE))
    return FALSE;
  detour_queue_push_notice (&client->queue, NULL, item->data, item->len);
  return TRUE;
}

static gboolean
session_record_take_contacts (const DetourRecordItem *item, DetourClientState *client)
{
  if (client->contacts != NULL || item->len % sizeof (DetourKey) != 0)
    return FALSE;
  client->contacts = g_array_new (FALSE, FALSE, sizeof (DetourKey));
  g_array_append_vals (client->contacts, item->data, (guint) (item->len / sizeof (DetourKey)));
  return TRUE;
}

static gboolean
session_record_take_client (const DetourRecordItem *item, DetourClientState *client)
{
  guint32 health;

  switch (item->tag)
    {
    case TAG_OUTPUT:
      return session_record_take_array (item, &client->output);
    case TAG_PACKET:
      return session_record_take_packet (item, client);
    case TAG_NOTICE:
      return session_record_take_notice (item, client);
    case TAG_CONTACTS:
      return session_record_take_contacts (item, client);
    case TAG_LOGIN:
      return detour_record_time (item, &client->login_us);
    case TAG_RX_PACKETS:
      return detour_record_number (item, G_MAXUINT64, &client->rx_packets);
    case TAG_RX_BYTES:
      return detour_record_number (item, G_MAXUINT64, &client->rx_bytes);
    case TAG_TX_PACKETS:
      return detour_record_number (item, G_MAXUINT64, &client->tx_packets);
    case TAG_TX_BYTES:
      return detour_record_number (item, G_MAXUINT64, &client->tx_bytes);
    case TAG_DROPPED:
      return detour_record_number (item, G_MAXUINT64, &client->dropped_packets);
    case TAG_DROPPED_LONG:
      return detour_record_u32 (item, &client->dropped_long);
    case TAG_HEALTH:
      if (!detour_record_u32 (item, &health))
        return FALSE;
      /* Whether connections of its key speak in turns is found out anew. */
      client->health = health & 0xfu & ~(guint) DETOUR_HEALTH_DUPLICATE;
      return TRUE;
    case TAG_RATE_AT:
      return detour_record_time (item, &client->bucket.at_us);
    case TAG_RATE_LEFT:
      return detour_record_time (item, &client->bucket.millionths);
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

static gboolean
session_record_take_flags (const DetourRecordItem *item, DetourSession *session)
{
  DetourClientState *client = &session->client;
  guint32 flags;

  if (!detour_record_u32 (item, &flags))
    return FALSE;
  session->owes_reply = (flags & FLAG_OWES_REPLY) != 0;
  session->was_slowed = (flags & FLAG_WAS_SLOWED) != 0;
  session->is_mesh = (flags & FLAG_MESH) != 0;
  session->traits.takes_extra = (flags & FLAG_TAKES_EXTRA) != 0;
  session->traits.ends_on_long = (flags & FLAG_ENDS_ON_LONG) != 0;
  client->is_active = (flags & FLAG_ACTIVE) != 0;
  client->is_preferred = (flags & FLAG_PREFERRED) != 0;
  client->is_watcher = (flags & FLAG_WATCHER) != 0;
  client->was_told = (flags & FLAG_WAS_TOLD) != 0;
  client->is_hushed = (flags & FLAG_HUSHED) != 0;
  return TRUE;
}

static gboolean
session_record_take_presence (const DetourRecordItem *item, DetourPresence *presence)
{
  guint64 number;

  switch (item->tag)
    {
    case TAG_IP:
      return detour_record_copy (item, presence->ip, sizeof presence->ip);
    case TAG_APP_NAME:
      if (item->len > sizeof presence->name)
        return FALSE;
      memcpy (presence->name, item->data, item->len);
      presence->name_len = (guint8) item->len;
      return TRUE;
    case TAG_PORT:
      if (!detour_record_number (item, G_MAXUINT16, &number))
        return FALSE;
      presence->port = (guint16) number;
      return TRUE;
    default:
      if (!detour_record_number (item, G_MAXUINT8, &number))
        return FALSE;
      presence->flags = (guint8) number;
      return TRUE;
    }
}

static gboolean
session_record_take_address (const DetourRecordItem *item, DetourAddressKey *key)
{
  guint64 address[2];

  if (!detour_record_copy (item, address, sizeof address))
    return FALSE;
  *key = (DetourAddressKey) { GUINT64_FROM_BE (address[0]), GUINT64_FROM_BE (address[1]) };
  return TRUE;
}

static gboolean
session_record_take_text (const DetourRecordItem *item, DetourSessionRecord *out)
{
  g_autofree char *text = detour_record_dup_text (item, TEXT_MAX);

  if (text == NULL || (item->tag == TAG_TENANT && out->tenant != NULL))
    return FALSE;
  if (item->tag == TAG_TENANT)
    out->tenant = g_steal_pointer (&text);
  else
    out->session->listener = g_intern_string (text);
  return TRUE;
}

/* @must: bits of those without which there is no session */
static gboolean
session_record_take (const DetourRecordItem *item, const DetourChannelTable *channels,
                     DetourSessionRecord *out, guint *must, const char **reason)
{
  DetourSession *session = out->session;
  guint32 number;

  switch (item->tag)
    {
    case TAG_FD:
      *must |= 1 << 0;
      return detour_record_u32 (item, &out->fd);
    case TAG_CHANNEL:
      *must |= 1 << 1;
      return session->channel.cls == NULL
          && detour_channel_restore (channels, item->data, item->len, &session->channel, reason);
    case TAG_KEY:
      *must |= 1 << 2;
      return detour_record_copy (item, &session->key, sizeof session->key);
    case TAG_SEALED:
      return session_record_take_array (item, &session->sealed);
    case TAG_INPUT:
      return session_record_take_array (item, &session->input);
    case TAG_FLAGS:
      return session_record_take_flags (item, session);
    case TAG_IP:
    case TAG_PORT:
    case TAG_PRESENT:
    case TAG_APP_NAME:
      return session_record_take_presence (item, &session->presence);
    case TAG_KIND:
      if (!detour_record_u32 (item, &number))
        return FALSE;
      session->traits.kind = number < DETOUR_N_CLIENT_KINDS ? (DetourClientKind) number
                                                            : DETOUR_CLIENT_OTHER;
      return TRUE;
    case TAG_NUMBER:
      return detour_record_number (item, G_MAXUINT64, &session->number);
    case TAG_LISTENER:
    case TAG_TENANT:
      return session_record_take_text (item, out);
    case TAG_ADDRESS:
      return session_record_take_address (item, &session->address_key);
    case TAG_KEEP_ALIVE:
      return detour_record_time (item, &session->keep_alive_us);
    case TAG_WINDOW:
      if (!detour_record_u32 (item, &number))
        return FALSE;
      session->window_kib = (guint16) MIN (number, G_MAXUINT16);
      return TRUE;
    case TAG_WATCHED_BY:
      return detour_record_u32 (item, &session->watched_by);
    case TAG_WATCHED_EVENTS:
      return detour_record_u32 (item, &session->watched_events);
    case TAG_VERDICT:
      return session_record_take_verdict (item, session);
    case TAG_LINK:
      if (session->link == NULL)
        session->link = detour_link_record_read (item, &session->keys, &session->preferred);
      return session->link != NULL;
    default:
      return session_record_take_client (item, &session->client);
    }
}

gboolean
detour_session_record_read (const DetourRecordItem *item, const DetourChannelTable *channels,
                            DetourSessionRecord *out, const char **reason)
{
  g_auto (DetourSessionRecord) draft = { g_new0 (DetourSession, 1) };
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner;
  DetourRecordStep step;
  guint must = 0;

  draft.session->fd = -1;
  draft.session->presence.flags = DETOUR_FRAME_PRESENT_REGULAR;
  draft.session->listener = g_intern_static_string ("");
  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    {
      *reason = "the record of a session is damaged, or of a newer program";
      if (!session_record_take (&inner, channels, &draft, &must, reason))
        return FALSE;
    }
  *reason = "the record of a session is damaged";
  if (step != DETOUR_RECORD_END || must != 7 || draft.session->presence.flags == 0)
    return FALSE;
  if (draft.session->link != NULL)
    draft.session->link->relay.peer.key = draft.session->key;
  *out = (DetourSessionRecord) { g_steal_pointer (&draft.session), draft.fd,
                                 g_steal_pointer (&draft.tenant) };
  return TRUE;
}

char *
detour_session_record_peek_link (const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordItem inner;

  while (detour_record_next (&reader, &inner) == DETOUR_RECORD_ITEM)
    if (inner.tag == TAG_LINK)
      return detour_link_record_dup_name (&inner);
  return NULL;
}
