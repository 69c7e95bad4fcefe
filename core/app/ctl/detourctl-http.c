/* detourctl-http.c: a question over HTTP/1.1 on a stream, and the head of its answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-http.h"

#include <glib/gi18n.h>
#include <string.h>

#define HEAD_MAX 16384u

gboolean
detourctl_stream_ask_http (DetourctlStream *self, const char *host, const char *path,
                           const char *headers, DetourctlHttpAnswer *answer, GError **error)
{
  g_autofree char *request = g_strdup_printf (
      "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: detourctl\r\n%s\r\n", path, host, headers);
  gssize len;

  *answer = (DetourctlHttpAnswer) { 0 };
  if (!detourctl_stream_write (self, request, strlen (request), error)
      || (len = detourctl_stream_read_to (self, "\r\n\r\n", HEAD_MAX, self->limit_us, error)) < 0)
    return FALSE;
  answer->head = g_strndup ((const char *) self->in->data, (gsize) len + 2);
  detourctl_stream_take (self, (gsize) len + 4);
  if (!g_str_has_prefix (answer->head, "HTTP/1.") || strlen (answer->head) < 12)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   _ ("what came is no answer of HTTP"));
      return FALSE;
    }
  answer->status = (guint) g_ascii_strtoull (answer->head + strlen ("HTTP/1.1 "), NULL, 10);
  return TRUE;
}

char *
detourctl_http_host (const char *name, guint16 port, guint16 usual)
{
  gboolean is_ipv6 = strchr (name, ':') != NULL;

  if (port == usual)
    return g_strdup_printf (is_ipv6 ? "[%s]" : "%s", name);
  return g_strdup_printf (is_ipv6 ? "[%s]:%u" : "%s:%u", name, port);
}

char *
detourctl_http_answer_header (const DetourctlHttpAnswer *self, const char *name)
{
  g_auto (GStrv) lines = g_strsplit (self->head, "\r\n", -1);
  gsize len = strlen (name);

  for (guint i = 1; lines[0] != NULL && lines[i] != NULL; i++)
    if (g_ascii_strncasecmp (lines[i], name, len) == 0 && lines[i][len] == ':')
      return g_strstrip (g_strdup (lines[i] + len + 1));
  return NULL;
}

void
detourctl_http_answer_clear (DetourctlHttpAnswer *self)
{
  g_clear_pointer (&self->head, g_free);
}
