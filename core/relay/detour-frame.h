/* detour-frame.h: the frames of DERP: their layout, their limits and their senders.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <string.h>

#include "detour-key.h"

G_BEGIN_DECLS

#define DETOUR_FRAME_HEADER_SIZE 5u
/* "DERP" and the key emoji, at the start of ServerKey. */
#define DETOUR_FRAME_MAGIC            "\x44\x45\x52\x50\xf0\x9f\x94\x91"
#define DETOUR_FRAME_MAGIC_SIZE       8u
#define DETOUR_FRAME_PROTOCOL_VERSION 2

/* The longest packet, without keys; the longest payload of the frames that carry one, and of any
 * frame a client may send after login. */
#define DETOUR_FRAME_PACKET_MAX 65536u
/* The longest packet whose frame has no payload above 64 KiB, key included: some clients take no
 * longer one. */
#define DETOUR_FRAME_PACKET_STRICT_MAX (DETOUR_FRAME_PACKET_MAX - DETOUR_KEY_SIZE)
#define DETOUR_FRAME_SEND_MAX          (DETOUR_KEY_SIZE + DETOUR_FRAME_PACKET_MAX)
#define DETOUR_FRAME_FORWARD_MAX       (2 * DETOUR_KEY_SIZE + DETOUR_FRAME_PACKET_MAX)
#define DETOUR_FRAME_UNKNOWN_MAX       65568u
#define DETOUR_FRAME_PAYLOAD_MAX       DETOUR_FRAME_FORWARD_MAX
/* Clients break the connection on a longer payload. */
#define DETOUR_FRAME_CLIENT_MAX 1048576u

#define DETOUR_FRAME_PING_SIZE    8u
#define DETOUR_FRAME_APP_NAME_MAX 32u

/* Whole frames, header included. */
#define DETOUR_FRAME_SERVER_KEY_SIZE \
  (DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_MAGIC_SIZE + DETOUR_KEY_SIZE)
#define DETOUR_FRAME_RECV_HEAD_SIZE    (DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE)
#define DETOUR_FRAME_FORWARD_HEAD_SIZE (DETOUR_FRAME_HEADER_SIZE + 2 * DETOUR_KEY_SIZE)
#define DETOUR_FRAME_KEEP_ALIVE_SIZE   DETOUR_FRAME_HEADER_SIZE
#define DETOUR_FRAME_PEER_GONE_SIZE    (DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE + 1u)
#define DETOUR_FRAME_PEER_PRESENT_SIZE(name_len) \
  (DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE + 20u + (name_len))
#define DETOUR_FRAME_PEER_PRESENT_MAX DETOUR_FRAME_PEER_PRESENT_SIZE (DETOUR_FRAME_APP_NAME_MAX)
#define DETOUR_FRAME_PONG_SIZE        (DETOUR_FRAME_HEADER_SIZE + DETOUR_FRAME_PING_SIZE)

typedef enum {
  DETOUR_FRAME_SERVER_KEY = 0x01,
  DETOUR_FRAME_CLIENT_INFO = 0x02,
  DETOUR_FRAME_SERVER_INFO = 0x03,
  DETOUR_FRAME_SEND_PACKET = 0x04,
  DETOUR_FRAME_RECV_PACKET = 0x05,
  DETOUR_FRAME_KEEP_ALIVE = 0x06,
  DETOUR_FRAME_NOTE_PREFERRED = 0x07,
  DETOUR_FRAME_PEER_GONE = 0x08,
  DETOUR_FRAME_PEER_PRESENT = 0x09,
  DETOUR_FRAME_FORWARD_PACKET = 0x0a,
  DETOUR_FRAME_WATCH_CONNS = 0x10,
  DETOUR_FRAME_CLOSE_PEER = 0x11,
  DETOUR_FRAME_PING = 0x12,
  DETOUR_FRAME_PONG = 0x13,
  DETOUR_FRAME_HEALTH = 0x14,
  DETOUR_FRAME_RESTARTING = 0x15,
} DetourFrameType;

typedef enum {
  DETOUR_FRAME_GONE_DISCONNECTED = 0x00,
  DETOUR_FRAME_GONE_NOT_HERE = 0x01,
} DetourFrameGone;

typedef enum {
  DETOUR_FRAME_PRESENT_REGULAR = 1 << 0, /* only alone */
  DETOUR_FRAME_PRESENT_MESH = 1 << 1,
  DETOUR_FRAME_PRESENT_PROBER = 1 << 2,
  DETOUR_FRAME_PRESENT_NOT_IDEAL = 1 << 3,
} DetourFramePresent;

typedef enum {
  DETOUR_FRAME_OK,
  DETOUR_FRAME_MORE,      /* detour_frame_parse() only: the rest has not come yet */
  DETOUR_FRAME_BAD,       /* too short or too long for its type: close */
  DETOUR_FRAME_FORBIDDEN, /* for mesh connections only: close */
} DetourFrameVerdict;

typedef struct {
  guint8 type;
  guint32 len;     /* of the payload */
  guint8 *payload; /* borrowed from the input; NULL unless the verdict is OK */
} DetourFrame;

/* A connection, as mesh peers are told of it. */
typedef struct {
  guint8 ip[16]; /* IPv6, or IPv4 mapped; zero when unknown */
  guint16 port;  /* host order; 0 when unknown */
  guint8 flags;  /* DetourFramePresent, never 0 */
  guint8 name_len;
  char name[DETOUR_FRAME_APP_NAME_MAX]; /* not terminated */
} DetourPresence;

/**
 * detour_frame_check:
 * @type: of a frame that a client sent after login
 * @len: payload length in its header
 * @is_mesh: the client showed the mesh key
 *
 * Judges a header before a byte of the payload has come. OK for types a server does not handle, up
 * to DETOUR_FRAME_UNKNOWN_MAX: they are skipped.
 *
 * Returns: OK, BAD or FORBIDDEN.
 */
DetourFrameVerdict detour_frame_check (guint8 type, guint32 len, gboolean is_mesh)
    G_GNUC_WARN_UNUSED_RESULT;

/**
 * detour_frame_parse:
 * @data: what a client sent after login, from the first byte of a frame
 * @frame: where to put the frame. `type` and `len` are set as soon as the header is there, on MORE
 * too (else `type` is 0 and `len` is 0), so that the caller can make room
 *
 * Takes no notice of bytes behind the frame. A frame is DETOUR_FRAME_HEADER_SIZE + len bytes. A
 * header that is refused is refused at once, its payload is not waited for.
 */
DetourFrameVerdict detour_frame_parse (guint8 *data, gsize len, gboolean is_mesh,
                                       DetourFrame *frame) G_GNUC_WARN_UNUSED_RESULT;

/* The same for what a server sent after the login; BAD: a payload above DETOUR_LINK_FRAME_MAX. */
DetourFrameVerdict detour_frame_parse_served (guint8 *data, gsize len, DetourFrame *frame)
    G_GNUC_WARN_UNUSED_RESULT;

/* Builders write a whole frame, or its head, to @out, which has room for it, and return its length.
 */

static inline guint32
detour_frame_get_u32 (const guint8 *in)
{
  guint32 value;

  memcpy (&value, in, 4);
  return GUINT32_FROM_BE (value);
}

/* The same as detour_frame_parse() for what clients send most: a whole SendPacket whose length is
 * right. FALSE: it is anything else, and @frame is not set. */
static inline gboolean
detour_frame_parse_send (guint8 *data, gsize len, DetourFrame *frame)
{
  guint32 n;

  if (len < DETOUR_FRAME_HEADER_SIZE || data[0] != DETOUR_FRAME_SEND_PACKET)
    return FALSE;
  n = detour_frame_get_u32 (data + 1);
  if (n < DETOUR_KEY_SIZE || n > DETOUR_FRAME_SEND_MAX || n > len - DETOUR_FRAME_HEADER_SIZE)
    return FALSE;
  *frame = (DetourFrame) { DETOUR_FRAME_SEND_PACKET, n, data + DETOUR_FRAME_HEADER_SIZE };
  return TRUE;
}

static inline void
detour_frame_put_u32 (guint8 *out, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (out, &value, 4);
}

static inline void
detour_frame_put_header (guint8 *out, DetourFrameType type, guint32 len)
{
  out[0] = (guint8) type;
  detour_frame_put_u32 (out + 1, len);
}

/* Header and source key in front of a packet of @packet_len bytes; DETOUR_FRAME_RECV_HEAD_SIZE. A
 * SendPacket has as long a head, so it becomes a RecvPacket where it lies. */
static inline gsize
detour_frame_put_recv_head (guint8 *out, const DetourKey *source, guint32 packet_len)
{
  detour_frame_put_header (out, DETOUR_FRAME_RECV_PACKET, DETOUR_KEY_SIZE + packet_len);
  memcpy (out + DETOUR_FRAME_HEADER_SIZE, source->bytes, DETOUR_KEY_SIZE);
  return DETOUR_FRAME_RECV_HEAD_SIZE;
}

/* Header and source key of a ForwardPacket; what follows is as long as the payload of a SendPacket,
 * and the same: destination and packet. DETOUR_FRAME_RECV_HEAD_SIZE. */
static inline gsize
detour_frame_put_forward_head (guint8 *out, const DetourKey *source, guint32 payload_len)
{
  detour_frame_put_header (out, DETOUR_FRAME_FORWARD_PACKET, DETOUR_KEY_SIZE + payload_len);
  memcpy (out + DETOUR_FRAME_HEADER_SIZE, source->bytes, DETOUR_KEY_SIZE);
  return DETOUR_FRAME_RECV_HEAD_SIZE;
}

static inline gsize
detour_frame_put_pong (guint8 *out, const guint8 ping[DETOUR_FRAME_PING_SIZE])
{
  detour_frame_put_header (out, DETOUR_FRAME_PONG, DETOUR_FRAME_PING_SIZE);
  memcpy (out + DETOUR_FRAME_HEADER_SIZE, ping, DETOUR_FRAME_PING_SIZE);
  return DETOUR_FRAME_PONG_SIZE;
}

static inline gsize
detour_frame_put_keep_alive (guint8 *out)
{
  detour_frame_put_header (out, DETOUR_FRAME_KEEP_ALIVE, 0);
  return DETOUR_FRAME_KEEP_ALIVE_SIZE;
}

static inline gsize
detour_frame_put_peer_gone (guint8 *out, const DetourKey *peer, DetourFrameGone reason)
{
  detour_frame_put_header (out, DETOUR_FRAME_PEER_GONE, DETOUR_KEY_SIZE + 1);
  memcpy (out + DETOUR_FRAME_HEADER_SIZE, peer->bytes, DETOUR_KEY_SIZE);
  out[DETOUR_FRAME_HEADER_SIZE + DETOUR_KEY_SIZE] = (guint8) reason;
  return DETOUR_FRAME_PEER_GONE_SIZE;
}

gsize detour_frame_put_server_key (guint8 *out, const DetourKey *server);
/* At most DETOUR_FRAME_PEER_PRESENT_MAX. */
gsize detour_frame_put_peer_present (guint8 *out, const DetourKey *peer,
                                     const DetourPresence *presence);

/* A packet that finds peers rather than carries their data: it has a queue of its own. */
static inline gboolean
detour_frame_is_disco (const guint8 *packet, gsize len)
{
  return len >= 62 && memcmp (packet, "\x54\x53\xf0\x9f\x92\xac", 6) == 0;
}

G_END_DECLS
