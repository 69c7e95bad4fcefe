/* fuzz-clientinfo.c: feeds text to the reader of ClientInfo, and what is good JSON to json-glib
 * too.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "detour-clientinfo.h"
#include "detour-json.h"

#include <json-glib/json-glib.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static gboolean
use_member (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  char text[32];
  gint64 number;

  if (detour_json_get_string (name, text, sizeof text))
    g_assert (g_utf8_validate (text, -1, NULL));
  if (value->type == DETOUR_JSON_STRING && detour_json_get_string (value, text, sizeof text))
    g_assert (g_utf8_validate (text, -1, NULL));
  if (value->type == DETOUR_JSON_NUMBER)
    (void) !detour_json_get_integer (value, &number);
  return TRUE;
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const char *text = (const char *) data;
  DetourClientInfo info;
  DetourJsonValue root;
  const char *reason;
  gsize offset;
  gboolean is_info = detour_clientinfo_parse (text, size, &info, &reason);
  gboolean is_json = detour_json_scan (text, size, 32, &root, use_member, NULL, &reason, &offset);

  g_assert (offset <= size);
  g_assert (is_json || reason != NULL);
  if (is_info)
    {
      g_assert (is_json);
      g_assert (strlen (info.app_name) <= DETOUR_FRAME_APP_NAME_MAX);
    }
  if (is_json)
    {
      g_autoptr (JsonParser) parser = json_parser_new_immutable ();

      g_assert (root.len <= size);
      g_assert (json_parser_load_from_data (parser, text, (gssize) size, NULL));
    }
  return 0;
}
