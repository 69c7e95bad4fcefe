/* detour-frame.c: the frames of DERP: their layout, their limits and their senders.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-frame.h"

typedef enum {
  ANYONE,
  MESH_FIRST, /* the sender is judged before the length */
  MESH_LAST,
} Permission;

typedef struct {
  guint32 min, max; /* payload; both inclusive */
  guint8 permission;
  gboolean handled;
} FrameRule;

/* What clients may send after login. Types without a rule are skipped, up to the limit of all. */
static const FrameRule frame_rules[] = {
  [DETOUR_FRAME_SEND_PACKET] = { DETOUR_KEY_SIZE, DETOUR_FRAME_SEND_MAX, ANYONE, TRUE },
  [DETOUR_FRAME_NOTE_PREFERRED] = { 1, 1, ANYONE, TRUE },
  [DETOUR_FRAME_FORWARD_PACKET] = { 2 * DETOUR_KEY_SIZE, DETOUR_FRAME_FORWARD_MAX, MESH_FIRST,
                                    TRUE },
  [DETOUR_FRAME_WATCH_CONNS] = { 0, 0, MESH_LAST, TRUE },
  [DETOUR_FRAME_CLOSE_PEER] = { DETOUR_KEY_SIZE, DETOUR_KEY_SIZE, MESH_LAST, TRUE },
  [DETOUR_FRAME_PING] = { DETOUR_FRAME_PING_SIZE, 1000, ANYONE, TRUE },
};

static const FrameRule frame_unknown = { 0, DETOUR_FRAME_UNKNOWN_MAX, ANYONE, FALSE };

static inline const FrameRule *
frame_rule (guint8 type)
{
  if (type < G_N_ELEMENTS (frame_rules) && frame_rules[type].handled)
    return &frame_rules[type];
  return &frame_unknown;
}

DetourFrameVerdict
detour_frame_check (guint8 type, guint32 len, gboolean is_mesh)
{
  const FrameRule *rule = frame_rule (type);

  if (rule->permission == MESH_FIRST && !is_mesh)
    return DETOUR_FRAME_FORBIDDEN;
  if (len < rule->min || len > rule->max)
    return DETOUR_FRAME_BAD;
  if (rule->permission == MESH_LAST && !is_mesh)
    return DETOUR_FRAME_FORBIDDEN;
  return DETOUR_FRAME_OK;
}

DetourFrameVerdict
detour_frame_parse (guint8 *data, gsize len, gboolean is_mesh, DetourFrame *frame)
{
  DetourFrameVerdict verdict;

  *frame = (DetourFrame) { 0 };
  if (len < DETOUR_FRAME_HEADER_SIZE)
    return DETOUR_FRAME_MORE;
  frame->type = data[0];
  frame->len = detour_frame_get_u32 (data + 1);
  verdict = detour_frame_check (frame->type, frame->len, is_mesh);
  if (verdict != DETOUR_FRAME_OK)
    return verdict;
  if (len - DETOUR_FRAME_HEADER_SIZE < frame->len)
    return DETOUR_FRAME_MORE;
  frame->payload = data + DETOUR_FRAME_HEADER_SIZE;
  return DETOUR_FRAME_OK;
}

DetourFrameVerdict
detour_frame_parse_served (guint8 *data, gsize len, DetourFrame *frame)
{
  *frame = (DetourFrame) { 0, 0, NULL };
  if (len < DETOUR_FRAME_HEADER_SIZE)
    return DETOUR_FRAME_MORE;
  frame->type = data[0];
  frame->len = detour_frame_get_u32 (data + 1);
  if (frame->len > DETOUR_LINK_FRAME_MAX)
    return DETOUR_FRAME_BAD;
  if (len - DETOUR_FRAME_HEADER_SIZE < frame->len)
    return DETOUR_FRAME_MORE;
  frame->payload = data + DETOUR_FRAME_HEADER_SIZE;
  return DETOUR_FRAME_OK;
}

gsize
detour_frame_put_server_key (guint8 *out, const DetourKey *server)
{
  detour_frame_put_header (out, DETOUR_FRAME_SERVER_KEY, DETOUR_FRAME_MAGIC_SIZE + DETOUR_KEY_SIZE);
  memcpy (out + DETOUR_FRAME_HEADER_SIZE, DETOUR_FRAME_MAGIC, DETOUR_FRAME_MAGIC_SIZE);
  memcpy (out + DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_MAGIC_SIZE, server->bytes, DETOUR_KEY_SIZE);
  return DETOUR_FRAME_SERVER_KEY_SIZE;
}

gsize
detour_frame_put_peer_present (guint8 *out, const DetourKey *peer, const DetourPresence *presence)
{
  guint8 *p = out + DETOUR_FRAME_HEADER_SIZE;
  gsize size = DETOUR_FRAME_PEER_PRESENT_SIZE (presence->name_len);

  g_assert (presence->name_len <= DETOUR_FRAME_APP_NAME_MAX);
  detour_frame_put_header (out, DETOUR_FRAME_PEER_PRESENT,
                           (guint32) (size - DETOUR_FRAME_HEADER_SIZE));
  memcpy (p, peer->bytes, DETOUR_KEY_SIZE);
  memcpy (p + 32, presence->ip, 16);
  p[48] = (guint8) (presence->port >> 8);
  p[49] = (guint8) presence->port;
  p[50] = presence->flags;
  p[51] = presence->name_len;
  memcpy (p + 52, presence->name, presence->name_len);
  return size;
}
