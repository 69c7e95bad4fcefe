/* detour-announcement.c: what an operator may tell the users of all clients.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-announcement.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-control-error.h"

/* Marks that turn the direction of writing would garble what stands around the text. */
static gboolean
announcement_is_visible (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_SURROGATE:
      return FALSE;
    default:
      return TRUE;
    }
}

gboolean
detour_announcement_check (const char *text, GError **error)
{
  const char *fault = NULL;
  gboolean is_blank = TRUE;

  if (!g_utf8_validate (text, -1, NULL))
    {
      g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                   _ ("the text is not UTF-8"));
      return FALSE;
    }
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      if (!announcement_is_visible (c))
        fault = _ ("the text has a control character; write one line of visible text");
      is_blank = is_blank && g_unichar_isspace (c);
    }
  if (fault == NULL && is_blank)
    fault = _ ("the text is empty; \"detourctl say --clear\" takes back what was said");
  if (fault != NULL)
    g_set_error_literal (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT, fault);
  else if (strlen (text) > DETOUR_HEALTH_ANNOUNCEMENT_MAX)
    g_set_error (error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
                 _ ("the text has %u bytes; write at most %u"), (guint) strlen (text),
                 DETOUR_HEALTH_ANNOUNCEMENT_MAX);
  else
    return TRUE;
  return FALSE;
}
