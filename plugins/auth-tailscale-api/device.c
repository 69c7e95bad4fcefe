/* device.c: one device of a tailnet, and whether it may use a relay.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "device.h"

#include <string.h>

#define KEY_PREFIX "nodekey:"
#define TAG_PREFIX "tag:"

gboolean
device_has_tag (const Device *self, const char *tag)
{
  const char *at = self->tags;
  gsize len;

  if (g_str_has_prefix (tag, TAG_PREFIX))
    tag += strlen (TAG_PREFIX);
  len = strlen (tag);
  while (*at != '\0')
    {
      gsize n = strcspn (at, ",");
      const char *name = at;

      if (n >= strlen (TAG_PREFIX) && memcmp (name, TAG_PREFIX, strlen (TAG_PREFIX)) == 0)
        name += strlen (TAG_PREFIX);
      if ((gsize) (at + n - name) == len && memcmp (name, tag, len) == 0)
        return TRUE;
      at += n;
      at += *at == ',';
    }
  return FALSE;
}

DeviceStanding
device_standing (const Device *self, const char *const *tags, gint64 now)
{
  if (!self->authorized)
    return DEVICE_WAITS_FOR_APPROVAL;
  if (self->expires != 0 && self->expires <= now)
    return DEVICE_EXPIRED;
  if (*tags == NULL)
    return DEVICE_WELCOME;
  for (; *tags != NULL; tags++)
    if (device_has_tag (self, *tags))
      return DEVICE_WELCOME;
  return DEVICE_HAS_NO_WANTED_TAG;
}

const char *
device_standing_reason (DeviceStanding standing)
{
  switch (standing)
    {
    case DEVICE_WAITS_FOR_APPROVAL:
      return "the device waits for approval by an administrator of the tailnet";
    case DEVICE_EXPIRED:
      return "the device's key has expired; it has to log in to its tailnet again";
    case DEVICE_HAS_NO_WANTED_TAG:
      return "the device has none of the tags that are wanted";
    case DEVICE_WELCOME:
    default:
      return "the device is welcome";
    }
}

char *
device_label (const Device *self)
{
  g_autoptr (GString) label = g_string_new (self->name);
  const char *behind = *self->tags != '\0' ? self->tags : self->owner;

  if (*behind == '\0')
    return g_string_free (g_steal_pointer (&label), FALSE);
  if (label->len > 0)
    g_string_append (label, " (");
  for (const char *at = behind; *at != '\0'; at++)
    if (*at == ',' && behind == self->tags)
      g_string_append (label, ", ");
    else
      g_string_append_c (label, *at);
  if (*self->name != '\0')
    g_string_append_c (label, ')');
  return g_string_free (g_steal_pointer (&label), FALSE);
}

gboolean
device_parse_key (const char *text, guint8 key[DETOUR_KEY_SIZE])
{
  const char *digits = text + strlen (KEY_PREFIX);
  guint8 any = 0;

  if (!g_str_has_prefix (text, KEY_PREFIX) || strlen (digits) != 2 * DETOUR_KEY_SIZE)
    return FALSE;
  for (gsize i = 0; i < DETOUR_KEY_SIZE; i++)
    {
      int high = g_ascii_xdigit_value (digits[2 * i]);
      int low = g_ascii_xdigit_value (digits[2 * i + 1]);

      if (high < 0 || low < 0)
        return FALSE;
      key[i] = (guint8) (high << 4 | low);
      any |= key[i];
    }
  return any != 0;
}
