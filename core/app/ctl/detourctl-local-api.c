/* detourctl-local-api.c: asks the tailscaled of this host, over its LocalAPI.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-local-api.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gi18n.h>
#include <string.h>

#define SOCKET     "/var/run/tailscale/tailscaled.sock"
#define HEAD_MAX   16384u
#define READ_SIZE  16384u
#define HEAD_END   "\r\n\r\n"
#define LENGTH_KEY "\r\ncontent-length:"

/* Bytes that the whole answer has, once its head is there; G_MAXSIZE: it goes on until the end. */
static gsize
ctl_local_api_whole (const char *head, gsize head_len)
{
  g_autofree char *lower = g_ascii_strdown (head, (gssize) head_len);
  const char *found = strstr (lower, LENGTH_KEY);
  guint64 length = found != NULL ? g_ascii_strtoull (found + strlen (LENGTH_KEY), NULL, 10) : 0;

  return found == NULL || length > G_MAXINT ? G_MAXSIZE : head_len + (gsize) length;
}

/* All that is said, until it has said what it announced. */
static GString *
ctl_local_api_read (GInputStream *stream, gsize max, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gsize whole = G_MAXSIZE;

  while (text->len < whole)
    {
      char buffer[READ_SIZE];
      const char *end;
      gssize n = g_input_stream_read (stream, buffer, sizeof buffer, NULL, error);

      if (n < 0)
        return NULL;
      if (n == 0)
        break;
      g_string_append_len (text, buffer, n);
      if (text->len > max + HEAD_MAX)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("its answer is too long"));
          return NULL;
        }
      end = whole == G_MAXSIZE ? strstr (text->str, HEAD_END) : NULL;
      if (end != NULL)
        whole = ctl_local_api_whole (text->str, (gsize) (end - text->str) + strlen (HEAD_END));
    }
  if (whole != G_MAXSIZE && text->len < whole)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("the other side has closed"));
      return NULL;
    }
  return g_steal_pointer (&text);
}

static char *
ctl_local_api_body (const GString *text, gsize *len, GError **error)
{
  const char *body = strstr (text->str, HEAD_END);
  guint64 status = 0;

  if (body == NULL || !g_str_has_prefix (text->str, "HTTP/1."))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   _ ("what came is no answer of HTTP"));
      return NULL;
    }
  status = g_ascii_strtoull (text->str + strlen ("HTTP/1.1"), NULL, 10);
  if (status != 200)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("it answers %u"), (guint) status);
      return NULL;
    }
  body += strlen (HEAD_END);
  *len = text->len - (gsize) (body - text->str);
  return g_strndup (body, *len);
}

/* HTTP/1.0, so that the answer comes in one piece. */
static GString *
ctl_local_api_ask (GIOStream *stream, const char *path, gsize max, GError **error)
{
  g_autofree char *request = g_strdup_printf ("GET %s HTTP/1.0\r\nHost: local-tailscaled.sock\r\n"
                                              "\r\n",
                                              path);

  if (!g_output_stream_write_all (g_io_stream_get_output_stream (stream), request, strlen (request),
                                  NULL, NULL, error))
    return NULL;
  return ctl_local_api_read (g_io_stream_get_input_stream (stream), max, error);
}

char *
detourctl_local_api_get (const char *socket, const char *path, gsize max, gint64 limit_ms,
                         gsize *len, GError **error)
{
  const char *place = socket != NULL && *socket != '\0' ? socket : SOCKET;
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (place);
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GString) text = NULL;
  char *body = NULL;

  g_socket_client_set_timeout (client, (guint) ((limit_ms + 999) / 1000));
  connection = g_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, error);
  if (connection != NULL)
    text = ctl_local_api_ask (G_IO_STREAM (connection), path, max, error);
  if (text != NULL)
    body = ctl_local_api_body (text, len, error);
  if (body == NULL)
    /* TRANSLATORS: the path of a socket, and what went wrong there. */
    g_prefix_error (error, _ ("tailscaled at %s: "), place);
  return body;
}
