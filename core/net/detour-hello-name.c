/* detour-hello-name.c: the name that a TLS client asks for, before anybody has answered it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-hello-name.h"

#include <string.h>

/* RFC 8446: a record has a type, a version, a length and so many bytes; a message of the handshake
 * has a type and a length of three bytes. */
#define RECORD_HEAD      5u
#define RECORD_HANDSHAKE 22u
#define RECORD_MAX       16384u
#define MESSAGE_HEAD     4u
#define CLIENT_HELLO     1u
#define VERSION_RANDOM   34u /* bytes in front of the session's identity */
#define SERVER_NAME      0u  /* type of the extension, and in it of a host name */

/* RFC 1035: a name without the dot at its end. */
#define PATTERN_MAX 253u

/* Bytes that are still to be read. */
typedef struct {
  const guint8 *data;
  gsize len;
} Rest;

/* A number of @n bytes. FALSE: there are fewer. */
static gboolean
hello_name_take_number (Rest *rest, guint n, gsize *number)
{
  *number = 0;
  if (rest->len < n)
    return FALSE;
  for (guint i = 0; i < n; i++)
    *number = *number << 8 | rest->data[i];
  rest->data += n;
  rest->len -= n;
  return TRUE;
}

/* A list whose length stands before it, in @n bytes. */
static gboolean
hello_name_take_list (Rest *rest, guint n, Rest *list)
{
  gsize len;

  if (!hello_name_take_number (rest, n, &len) || rest->len < len)
    return FALSE;
  *list = (Rest) { rest->data, len };
  rest->data += len;
  rest->len -= len;
  return TRUE;
}

/* Only what DNS could have: others are not compared with anything. */
static gboolean
hello_name_copy (const Rest *found, char *name)
{
  if (found->len == 0 || found->len >= DETOUR_HELLO_NAME_SIZE)
    return FALSE;
  for (gsize i = 0; i < found->len; i++)
    {
      char c = g_ascii_tolower ((char) found->data[i]);

      if (!g_ascii_isalnum (c) && c != '-' && c != '.' && c != '_')
        return FALSE;
      name[i] = c;
    }
  name[found->len] = '\0';
  return TRUE;
}

/* The extension: a list of names with types. */
static gboolean
hello_name_read_extension (Rest extension, char *name)
{
  Rest names, found;
  gsize type;

  if (!hello_name_take_list (&extension, 2, &names))
    return FALSE;
  while (names.len > 0)
    {
      if (!hello_name_take_number (&names, 1, &type) || !hello_name_take_list (&names, 2, &found))
        return FALSE;
      if (type == SERVER_NAME)
        return hello_name_copy (&found, name);
    }
  return FALSE;
}

static gboolean
hello_name_read_message (Rest message, char *name)
{
  Rest skipped, extensions, extension;
  gsize type;

  if (message.len < VERSION_RANDOM)
    return FALSE;
  message.data += VERSION_RANDOM;
  message.len -= VERSION_RANDOM;
  if (!hello_name_take_list (&message, 1, &skipped) || !hello_name_take_list (&message, 2, &skipped)
      || !hello_name_take_list (&message, 1, &skipped)
      || !hello_name_take_list (&message, 2, &extensions))
    return FALSE;
  while (extensions.len > 0)
    {
      if (!hello_name_take_number (&extensions, 2, &type)
          || !hello_name_take_list (&extensions, 2, &extension))
        return FALSE;
      if (type == SERVER_NAME)
        return hello_name_read_extension (extension, name);
    }
  return FALSE;
}

/* Puts bytes of records together until the message is whole. @n_message: (out): with FOUND, its
 * length */
static DetourHelloNameResult
hello_name_join_records (const guint8 *data, gsize len, guint8 *room, gsize *n_message)
{
  gsize wanted = MESSAGE_HEAD;
  gsize n = 0;

  for (gsize at = 0; n < wanted;)
    {
      gsize record, whole;

      /* As soon as it shows, since nobody waits for the rest of what is no ClientHello. */
      if (len > at && data[at] != RECORD_HANDSHAKE)
        return DETOUR_HELLO_NAME_NONE;
      if (len > at + 1 && data[at + 1] != 3)
        return DETOUR_HELLO_NAME_NONE;
      if (len - at < RECORD_HEAD)
        return DETOUR_HELLO_NAME_MORE;
      record = (gsize) data[at + 3] << 8 | data[at + 4];
      if (record == 0 || record > RECORD_MAX)
        return DETOUR_HELLO_NAME_NONE;
      at += RECORD_HEAD;
      whole = MIN (record, len - at);
      if (n + whole > DETOUR_HELLO_NAME_MESSAGE_MAX)
        whole = DETOUR_HELLO_NAME_MESSAGE_MAX - n;
      memcpy (room + n, data + at, whole);
      n += whole;
      if (n > 0 && room[0] != CLIENT_HELLO)
        return DETOUR_HELLO_NAME_NONE;
      if (n >= MESSAGE_HEAD)
        wanted = MESSAGE_HEAD + ((gsize) room[1] << 16 | (gsize) room[2] << 8 | room[3]);
      if (wanted > DETOUR_HELLO_NAME_MESSAGE_MAX)
        return DETOUR_HELLO_NAME_NONE;
      if (n < wanted && len - at < record)
        return DETOUR_HELLO_NAME_MORE;
      at += record;
    }
  *n_message = wanted;
  return DETOUR_HELLO_NAME_FOUND;
}

DetourHelloNameResult
detour_hello_name_find (const guint8 *data, gsize len, guint8 *room, char *name)
{
  DetourHelloNameResult result;
  gsize n = 0;

  name[0] = '\0';
  result = hello_name_join_records (data, MIN (len, DETOUR_HELLO_NAME_BYTES_MAX), room, &n);
  if (result == DETOUR_HELLO_NAME_MORE && len >= DETOUR_HELLO_NAME_BYTES_MAX)
    return DETOUR_HELLO_NAME_NONE;
  if (result != DETOUR_HELLO_NAME_FOUND)
    return result;
  if (hello_name_read_message ((Rest) { room + MESSAGE_HEAD, n - MESSAGE_HEAD }, name))
    return DETOUR_HELLO_NAME_FOUND;
  name[0] = '\0';
  return DETOUR_HELLO_NAME_NONE;
}

gboolean
detour_hello_name_is_pattern (const char *name)
{
  const char *p = g_str_has_prefix (name, "*.") ? name + 2 : name;

  if (*p == '\0' || strlen (name) > PATTERN_MAX)
    return FALSE;
  for (; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && *p != '-' && *p != '_'
        && (*p != '.' || p == name || p[-1] == '.' || p[1] == '\0'))
      return FALSE;
  return TRUE;
}
