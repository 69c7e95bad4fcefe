/* detour-close.c: why a connection ends: one list gives the counter, the text of the log and the
 * goodbye.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-close.h"

static const struct {
  const char *name, *text;
  gboolean noise;
} closes[DETOUR_N_CLOSES] = {
  [DETOUR_CLOSE_PEER] = { "peer", "the peer closed it", TRUE },
  [DETOUR_CLOSE_RESET] = { "reset", "it was reset or the network lost it", TRUE },
  [DETOUR_CLOSE_RECORD] = { "record", "the peer broke the rules of the record layer", TRUE },
  [DETOUR_CLOSE_PROXY] = { "proxy", "no acceptable PROXY header came from a trusted proxy", TRUE },
  [DETOUR_CLOSE_HANDSHAKE] = { "handshake", "the handshake failed", TRUE },
  [DETOUR_CLOSE_HANDSHAKE_TIME] = { "handshake_timeout", "handshake and request took too long",
                                    TRUE },
  [DETOUR_CLOSE_LIMIT] = { "limit", "there are too many that are not logged in", TRUE },
  [DETOUR_CLOSE_HEAD] = { "head", "no acceptable HTTP request came", TRUE },
  [DETOUR_CLOSE_SERVED] = { "served", "the request was answered", TRUE },
  [DETOUR_CLOSE_LOGIN] = { "login", "the login was not acceptable", FALSE },
  [DETOUR_CLOSE_LOGIN_TIME] = { "login_timeout", "the login took too long", TRUE },
  [DETOUR_CLOSE_REFUSED] = { "refused", "not admitted", FALSE },
  [DETOUR_CLOSE_FRAME] = { "frame", "a frame had a wrong length", FALSE },
  [DETOUR_CLOSE_FORBIDDEN] = { "forbidden", "a frame came that needs the mesh key", FALSE },
  [DETOUR_CLOSE_WRITE_TIME] = { "write_timeout", "it took nothing for the write timeout", FALSE },
  [DETOUR_CLOSE_BLACK_HOLE] = { "black_hole", "what it was sent disappeared", FALSE },
  [DETOUR_CLOSE_SILENT] = { "silent", "the other relay said nothing for two minutes", FALSE },
  [DETOUR_CLOSE_WRITE] = { "write", "writing failed", TRUE },
  [DETOUR_CLOSE_BACKLOG] = { "backlog", "too many control frames waited", FALSE },
  [DETOUR_CLOSE_KICKED] = { "kicked", "it was told to go", FALSE },
  [DETOUR_CLOSE_REVOKED] = { "revoked", "it is not admitted any more", FALSE },
  [DETOUR_CLOSE_MESH_KEY] = { "mesh_key", "the mesh key that it showed is not in force any more",
                              FALSE },
  [DETOUR_CLOSE_QUOTA] = { "quota", "a quota is used up", FALSE },
  [DETOUR_CLOSE_DRAINING] = { "draining", "the relay is taken out of service", FALSE },
  [DETOUR_CLOSE_STOPPING] = { "stopping", "the daemon stops", TRUE },
};

const char *
detour_close_name (DetourClose self)
{
  return closes[self].name;
}

const char *
detour_close_text (DetourClose self)
{
  return closes[self].text;
}

gboolean
detour_close_is_noise (DetourClose self)
{
  return closes[self].noise;
}
