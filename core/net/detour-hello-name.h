/* detour-hello-name.h: the name that a TLS client asks for, before anybody has answered it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pure function over the first bytes of a connection: no socket, no clock, no allocation. It
 * reads no more of the ClientHello than where its name is; whoever gets the connection judges the
 * rest. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Longest handshake message that is read, and bytes of the records that carry it. What is longer
 * has no name here. */
#define DETOUR_HELLO_NAME_MESSAGE_MAX (16384u + 4u)
#define DETOUR_HELLO_NAME_BYTES_MAX   32768u

/* A DNS name and its end. */
#define DETOUR_HELLO_NAME_SIZE 256u

typedef enum {
  DETOUR_HELLO_NAME_FOUND,
  DETOUR_HELLO_NAME_MORE, /* the message has not come whole */
  DETOUR_HELLO_NAME_NONE, /* no ClientHello, or one without a name that could be one */
} DetourHelloNameResult;

/**
 * detour_hello_name_find:
 * @data: (array length=len): everything since the first byte
 * @room: DETOUR_HELLO_NAME_MESSAGE_MAX bytes in which records are put together
 * @name: (out): DETOUR_HELLO_NAME_SIZE bytes: with FOUND, the name in lower case
 *
 * The message may lie in any number of records. More bytes change nothing but MORE.
 */
DetourHelloNameResult detour_hello_name_find (const guint8 *data, gsize len, guint8 *room,
                                              char *name) G_GNUC_WARN_UNUSED_RESULT;

/* Whether names that are asked for can be like @name: labels of letters, digits, `-` and `_`, the
 * first of which may be `*`. Some addresses have that form, too. */
gboolean detour_hello_name_is_pattern (const char *name);

G_END_DECLS
