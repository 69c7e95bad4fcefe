/* detour-handshake-hello.c: the phase in which the name that a client asks for decides whose the
 * connection is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-phase.h"

#include "detour-hello-name.h"

DetourHandshakeVerdict
detour_handshake_hello_read (const guint8 *data, gsize len, const DetourForwardTable *table,
                             guint8 *room)
{
  DetourHandshakeVerdict verdict = { .next = DETOUR_HANDSHAKE_HELLO };
  char name[DETOUR_HELLO_NAME_SIZE];

  switch (detour_hello_name_find (data, len, room, name))
    {
    case DETOUR_HELLO_NAME_MORE:
      break;
    case DETOUR_HELLO_NAME_NONE:
      /* The record layer says what is wrong with it, if anything is. */
      verdict.next = DETOUR_HANDSHAKE_RECORD;
      break;
    case DETOUR_HELLO_NAME_FOUND:
      verdict.target = detour_forward_table_find (table, name);
      verdict.next = verdict.target != NULL ? DETOUR_HANDSHAKE_CLOSED : DETOUR_HANDSHAKE_RECORD;
      break;
    }
  return verdict;
}
