/* detour-clientinfo.c: what a client says of itself when it logs in.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-clientinfo.h"

#include "detour-json.h"

#include <sodium.h>

#define DEPTH_MAX 32

typedef struct {
  DetourClientInfo *info;
  const char *reason;      /* a member of the wrong type */
  const char *name_reason; /* of the last application name: only that one counts */
} Parse;

static gboolean
clientinfo_parse_flag (Parse *parse, const DetourJsonValue *value, gboolean *flag,
                       const char *reason)
{
  if (value->type == DETOUR_JSON_NULL)
    return TRUE;
  if (value->type != DETOUR_JSON_TRUE && value->type != DETOUR_JSON_FALSE)
    {
      parse->reason = reason;
      return FALSE;
    }
  *flag = value->type == DETOUR_JSON_TRUE;
  return TRUE;
}

static gboolean
clientinfo_parse_version (Parse *parse, const DetourJsonValue *value)
{
  if (value->type == DETOUR_JSON_NULL)
    return TRUE;
  if (value->type == DETOUR_JSON_NUMBER && detour_json_get_integer (value, &parse->info->version))
    return TRUE;
  parse->reason = "version is not an integer";
  return FALSE;
}

/* The one member that may not be null, and not be wrong even where nobody has a mesh key. */
static gboolean
clientinfo_parse_mesh_key (Parse *parse, const DetourJsonValue *value)
{
  char text[DETOUR_KEY_HEX_SIZE + 1];
  DetourKey key;
  gboolean is_good = value->type == DETOUR_JSON_STRING
                  && detour_json_get_string (value, text, sizeof text)
                  && detour_key_parse (&key, text, "");

  if (is_good)
    {
      memcpy (parse->info->mesh_key, key.bytes, sizeof key.bytes);
      parse->info->has_mesh_key = TRUE;
    }
  else
    {
      parse->reason = "meshKey is not 64 hex digits";
    }
  sodium_memzero (text, sizeof text);
  sodium_memzero (&key, sizeof key);
  return is_good;
}

static gboolean
clientinfo_parse_app_name (Parse *parse, const DetourJsonValue *value)
{
  char *name = parse->info->app_name;

  if (value->type == DETOUR_JSON_NULL)
    return TRUE;
  if (value->type != DETOUR_JSON_STRING)
    {
      parse->reason = "AppName is not a string";
      return FALSE;
    }
  parse->name_reason = NULL;
  if (!detour_json_get_string (value, name, DETOUR_FRAME_APP_NAME_MAX + 1))
    {
      parse->name_reason = "AppName is longer than 32 bytes";
      return TRUE;
    }
  for (; *name != '\0'; name++)
    if (*name < 0x20 || *name > 0x7e)
      parse->name_reason = "AppName is not printable ASCII";
  return TRUE;
}

/* Members under the names that tailscale-rs gives them. They are unknown ones, like any other: a
 * mesh_key, which is always "none", is no mesh key. */
static gboolean
clientinfo_is_snake_case (const char *name)
{
  return strcmp (name, "can_ack_pings") == 0 || strcmp (name, "is_prober") == 0
      || strcmp (name, "mesh_key") == 0;
}

static gboolean
clientinfo_parse_member (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  Parse *parse = user;
  char text[16];

  if (!detour_json_get_string (name, text, sizeof text))
    return TRUE;
  if (g_ascii_strcasecmp (text, "meshKey") == 0)
    return clientinfo_parse_mesh_key (parse, value);
  if (g_ascii_strcasecmp (text, "version") == 0)
    return clientinfo_parse_version (parse, value);
  if (g_ascii_strcasecmp (text, "CanAckPings") == 0)
    return clientinfo_parse_flag (parse, value, &parse->info->can_ack_pings,
                                  "CanAckPings is not true or false");
  if (g_ascii_strcasecmp (text, "IsProber") == 0)
    return clientinfo_parse_flag (parse, value, &parse->info->is_prober,
                                  "IsProber is not true or false");
  if (g_ascii_strcasecmp (text, "AppName") == 0)
    return clientinfo_parse_app_name (parse, value);
  if (clientinfo_is_snake_case (text))
    parse->info->has_snake_case = TRUE;
  return TRUE;
}

gboolean
detour_clientinfo_parse (const char *text, gsize len, DetourClientInfo *info, const char **reason)
{
  Parse parse = { .info = info };
  DetourJsonValue root;
  gboolean is_good;

  *info = (DetourClientInfo) { 0 };
  *reason = "ClientInfo is longer than 16384 bytes";
  if (len > DETOUR_CLIENTINFO_TEXT_MAX)
    return FALSE;
  is_good = detour_json_scan (text, len, DEPTH_MAX, &root, clientinfo_parse_member, &parse, reason,
                              NULL);
  if (is_good && root.type != DETOUR_JSON_OBJECT && root.type != DETOUR_JSON_NULL)
    parse.reason = "ClientInfo is not a JSON object";
  if (is_good && parse.reason == NULL && parse.name_reason != NULL)
    parse.reason = parse.name_reason;
  if (parse.reason != NULL)
    *reason = parse.reason;
  return is_good && parse.reason == NULL;
}
