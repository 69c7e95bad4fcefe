/* detour-handshake-state.c: the states of a connection before it is registered, as a table.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-state.h"

#include <sys/epoll.h>

#define TO(state) (1u << DETOUR_HANDSHAKE_##state)

/* What a record layer holds at most: in its handshake, with a ClientHello of 16 KiB; and
 * afterwards, while the TLS library still has the session. tests/attack/memory measures both. */
#define HANDSHAKE_BYTES (32 * 1024)
#define CHANNEL_BYTES   (16 * 1024)

/* EPOLLRDHUP: bytes are left to the kernel, but the end of the connection is noticed. A state with
 * no events ends within a few rounds. */
static const DetourHandshakeRow rows[DETOUR_HANDSHAKE_N_STATES] = {
  [DETOUR_HANDSHAKE_ARRIVED] = {
    .name = "ARRIVED",
    .next = TO (PROXY) | TO (UNHEARD) | TO (HELLO) | TO (RECORD) | TO (CLOSED),
    .reason = DETOUR_CLOSE_LIMIT,
  },
  [DETOUR_HANDSHAKE_PROXY] = {
    .name = "PROXY",
    .next = TO (UNHEARD) | TO (HELLO) | TO (RECORD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_PREFACE,
    .events = EPOLLIN,
    .limit = DETOUR_HANDSHAKE_LIMIT_FIRST_WORD,
    .reason = DETOUR_CLOSE_PROXY,
  },
  [DETOUR_HANDSHAKE_UNHEARD] = {
    .name = "UNHEARD",
    .next = TO (WAITING) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_WAITING,
    .events = EPOLLIN,
    .limit = DETOUR_HANDSHAKE_LIMIT_FIRST_WORD,
    .reason = DETOUR_CLOSE_LIMIT,
  },
  [DETOUR_HANDSHAKE_WAITING] = {
    .name = "WAITING",
    .next = TO (HELLO) | TO (RECORD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_WAITING,
    .stage = DETOUR_HALF_OPEN_WAITING,
    .events = EPOLLRDHUP,
    .limit = DETOUR_HANDSHAKE_LIMIT_HANDSHAKE,
    .reason = DETOUR_CLOSE_LIMIT,
  },
  [DETOUR_HANDSHAKE_HELLO] = {
    .name = "HELLO",
    .next = TO (RECORD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .events = EPOLLIN,
    .limit = DETOUR_HANDSHAKE_LIMIT_HANDSHAKE,
    .reason = DETOUR_CLOSE_HANDSHAKE_TIME,
  },
  [DETOUR_HANDSHAKE_RECORD] = {
    .name = "RECORD",
    .next = TO (AWAITING) | TO (HEAD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .events = EPOLLIN,
    .limit = DETOUR_HANDSHAKE_LIMIT_HANDSHAKE,
    .reason = DETOUR_CLOSE_HANDSHAKE_TIME,
    .channel_bytes = HANDSHAKE_BYTES,
  },
  [DETOUR_HANDSHAKE_AWAITING] = {
    .name = "AWAITING",
    .next = TO (RECORD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_LATER,
    .events = EPOLLRDHUP,
    .limit = DETOUR_HANDSHAKE_LIMIT_SAME,
    .reason = DETOUR_CLOSE_HANDSHAKE_TIME,
    .is_sealed = TRUE, /* its goodbye is the alert */
    .channel_bytes = HANDSHAKE_BYTES,
  },
  [DETOUR_HANDSHAKE_HEAD] = {
    .name = "HEAD",
    .next = TO (PENDING) | TO (ANSWERING) | TO (PARTING) | TO (LOGIN) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .events = EPOLLIN,
    .limit = DETOUR_HANDSHAKE_LIMIT_SAME,
    .reason = DETOUR_CLOSE_HANDSHAKE_TIME,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_PENDING] = {
    .name = "PENDING",
    .next = TO (ANSWERING) | TO (PARTING) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_BUSY,
    .events = EPOLLRDHUP,
    .limit = DETOUR_HANDSHAKE_LIMIT_ANSWER,
    .reason = DETOUR_CLOSE_SERVED,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_ANSWERING] = {
    .name = "ANSWERING",
    .next = TO (IDLE) | TO (NEXT) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_LATER,
    .events = EPOLLRDHUP,
    .limit = DETOUR_HANDSHAKE_LIMIT_HANDSHAKE,
    .reason = DETOUR_CLOSE_WRITE_TIME,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_PARTING] = {
    .name = "PARTING",
    .next = TO (LINGERING) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_LATER,
    .events = EPOLLRDHUP,
    .limit = DETOUR_HANDSHAKE_LIMIT_HANDSHAKE,
    .reason = DETOUR_CLOSE_WRITE_TIME,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_IDLE] = {
    .name = "IDLE",
    .next = TO (HEAD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_ANSWERED,
    .events = EPOLLIN,
    .limit = DETOUR_HANDSHAKE_LIMIT_HANDSHAKE,
    .reason = DETOUR_CLOSE_SERVED,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_NEXT] = {
    .name = "NEXT",
    .next = TO (HEAD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_ANSWERED,
    .events = 0,
    .limit = DETOUR_HANDSHAKE_LIMIT_HANDSHAKE,
    .reason = DETOUR_CLOSE_SERVED,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_LINGERING] = {
    .name = "LINGERING",
    .next = TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_ANSWERED,
    .events = EPOLLIN,
    .limit = DETOUR_HANDSHAKE_LIMIT_LINGER,
    .reason = DETOUR_CLOSE_SERVED, /* or what was wrong with the request */
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_LOGIN] = {
    .name = "LOGIN",
    .next = TO (ASKING) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_LATER,
    .events = EPOLLIN,
    .limit = DETOUR_HANDSHAKE_LIMIT_LOGIN,
    .reason = DETOUR_CLOSE_LOGIN_TIME,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_ASKING] = {
    .name = "ASKING",
    .next = TO (HELD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HALF_OPEN,
    .stage = DETOUR_HALF_OPEN_BUSY,
    .events = EPOLLRDHUP,
    .limit = DETOUR_HANDSHAKE_LIMIT_NONE, /* the admission has its own */
    .reason = DETOUR_CLOSE_LOGIN_TIME,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_HELD] = {
    .name = "HELD",
    .next = TO (ASKING_AGAIN) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HELD,
    .events = EPOLLRDHUP,
    .limit = DETOUR_HANDSHAKE_LIMIT_HOLD,
    .reason = DETOUR_CLOSE_REFUSED,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_ASKING_AGAIN] = {
    .name = "ASKING_AGAIN",
    .next = TO (HELD) | TO (CLOSED),
    .list = DETOUR_HANDSHAKE_LIST_HELD,
    .events = EPOLLRDHUP,
    .limit = DETOUR_HANDSHAKE_LIMIT_NONE, /* the admission has its own */
    .reason = DETOUR_CLOSE_REFUSED,
    .is_sealed = TRUE,
    .channel_bytes = CHANNEL_BYTES,
  },
  [DETOUR_HANDSHAKE_CLOSED] = {
    .name = "CLOSED",
    .limit = DETOUR_HANDSHAKE_LIMIT_NONE,
  },
};

const DetourHandshakeRow *
detour_handshake_row (DetourHandshakeState state)
{
  return &rows[state];
}

gboolean
detour_handshake_may_follow (DetourHandshakeState state, DetourHandshakeState next)
{
  return (rows[state].next & (1u << next)) != 0;
}

gboolean
detour_handshake_reads (DetourHandshakeState state)
{
  return state != DETOUR_HANDSHAKE_UNHEARD && (rows[state].events & EPOLLIN) != 0;
}
