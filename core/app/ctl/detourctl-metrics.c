/* detourctl-metrics.c: the numbers of the relay in Prometheus' form, on standard output or in a
 * file for node_exporter.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "detour-address.h"
#include "detour-file-write.h"

#define ANSWER_MAX (16u * 1024u * 1024u)
#define TEXT_MODE  0644u

static char *textfile;

static const GOptionEntry options[] = {
  { "textfile", 0, 0, G_OPTION_ARG_FILENAME, &textfile,
    N_ ("Write them to this file, for node_exporter"), N_ ("PATH") },
  { NULL },
};

/* ---- asking ---------------------------------------------------------------------------------- */

/* The first address of a listener for metrics. */
static void
ctl_metrics_note_listener (const char *path, GVariant *properties, gpointer user)
{
  char **found = user;
  g_autofree const char **addresses = NULL;

  if (*found == NULL && strcmp (detourctl_text (properties, "Protocol"), "metrics") == 0
      && g_variant_lookup (properties, "Addresses", "^a&s", &addresses) && addresses[0] != NULL)
    *found = g_strdup (addresses[0]);
}

static GSocketConnectable *
ctl_metrics_reach (const char *text, GError **error)
{
  DetourAddress address;

  if (!detour_address_parse (text, &address, error))
    return NULL;
  if (address.path[0] != '\0')
    return G_SOCKET_CONNECTABLE (g_unix_socket_address_new (address.path));
  if (address.host[0] == '\0' || strcmp (address.host, "0.0.0.0") == 0)
    return g_network_address_new_loopback (address.port);
  return g_network_address_new (address.host, address.port);
}

/* All that comes until the other side closes; free with g_free(). */
static char *
ctl_metrics_exchange (GSocketConnection *connection, const char *request, GError **error)
{
  GInputStream *in = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  g_autoptr (GString) answer = g_string_new (NULL);
  char buffer[16384];
  gssize n;

  if (!g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), request,
                                  strlen (request), NULL, NULL, error))
    return NULL;
  while ((n = g_input_stream_read (in, buffer, sizeof buffer, NULL, error)) > 0)
    {
      if (answer->len + (gsize) n > ANSWER_MAX)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _ ("the answer has no end"));
          return NULL;
        }
      g_string_append_len (answer, buffer, n);
    }
  return n < 0 ? NULL : g_string_free (g_steal_pointer (&answer), FALSE);
}

/* The body of a good answer, copied; free with g_free(). */
static char *
ctl_metrics_take_body (const char *answer, GError **error)
{
  const char *body = strstr (answer, "\r\n\r\n");
  guint status = 0;

  if (body == NULL || sscanf (answer, "HTTP/1.%*1[01] %u", &status) != 1)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _ ("it speaks no HTTP"));
  else if (status == 403)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                 _ ("this host may not ask; add its address to \"allow\" of the instance"));
  else if (status != 200)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("the answer has the status %u"), status);
  else
    return g_strdup (body + 4);
  return NULL;
}

static char *
ctl_metrics_ask (const Detourctl *self, const char *address, GError **error)
{
  g_autofree char *request = g_strdup_printf (
      "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      self->json ? "/debug/vars" : "/metrics");
  g_autoptr (GSocketConnectable) place = ctl_metrics_reach (address, error);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = NULL;
  g_autofree char *answer = NULL;

  if (place == NULL)
    return NULL;
  g_socket_client_set_timeout (client, (guint) ((self->timeout_ms + 999) / 1000));
  g_socket_client_set_enable_proxy (client, FALSE);
  connection = g_socket_client_connect (client, place, NULL, error);
  if (connection == NULL)
    return NULL;
  answer = ctl_metrics_exchange (connection, request, error);
  return answer != NULL ? ctl_metrics_take_body (answer, error) : NULL;
}

/* ---- telling --------------------------------------------------------------------------------- */

/* Without what node_exporter tells of itself under the same names. */
static char *
ctl_metrics_only_ours (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GString *out = g_string_sized_new (strlen (text));

  for (guint i = 0; lines[i] != NULL; i++)
    {
      const char *name = lines[i];

      if (g_str_has_prefix (name, "# HELP ") || g_str_has_prefix (name, "# TYPE "))
        name += strlen ("# HELP ");
      if (g_str_has_prefix (name, "detour_"))
        g_string_append_printf (out, "%s\n", lines[i]);
    }
  return g_string_free (out, FALSE);
}

static DetourctlExit
ctl_metrics_write (const char *text)
{
  g_autofree char *path = g_canonicalize_filename (textfile, NULL);
  g_autofree char *ours = ctl_metrics_only_ours (text);
  g_autoptr (GError) error = NULL;

  if (detour_file_write (path, ours, strlen (ours), TEXT_MODE, &error))
    return DETOURCTL_GOOD;
  detourctl_complain ("%s", error->message);
  return DETOURCTL_FAILED;
}

static DetourctlExit
ctl_metrics_print (const char *text)
{
  if (fputs (text, stdout) >= 0 && fflush (stdout) == 0)
    return DETOURCTL_GOOD;
  detourctl_complain (_ ("cannot write: %s"), g_strerror (errno));
  return DETOURCTL_FAILED;
}

static DetourctlExit
ctl_metrics_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) objects = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *address = NULL, *text = NULL;

  if (self->json && textfile != NULL)
    {
      detourctl_complain (_ ("--textfile is not for JSON; leave one of the two out"));
      return DETOURCTL_USAGE;
    }
  objects = detourctl_objects (self, &exit);
  if (objects == NULL)
    return exit;
  detourctl_each_object (objects, "Listener", ctl_metrics_note_listener, &address);
  if (address == NULL)
    {
      detourctl_complain (_ ("the daemon serves no metrics; write a group [service metrics] into "
                             "its configuration, then: detourctl reload"));
      return DETOURCTL_FAILED;
    }
  text = ctl_metrics_ask (self, address, &error);
  if (text == NULL)
    {
      detourctl_complain (_ ("cannot get metrics from %s: %s"), address, error->message);
      return DETOURCTL_FAILED;
    }
  return textfile != NULL ? ctl_metrics_write (text) : ctl_metrics_print (text);
}

const DetourctlCommand detourctl_metrics_commands[] = {
  { .name = "metrics",
    .arguments = "",
    .summary = N_ ("Print the numbers of the relay in Prometheus' form, or write them to a file"),
    .details = N_ (
        "Asks the first listener of [service metrics]. With --textfile the file is replaced as a "
        "whole, so that node_exporter, whose --collector.textfile.directory it is in, never reads "
        "half of it; numbers of the process are left out there. With --json, the numbers are "
        "printed as derper's /debug/vars has them."),
    .options = options,
    .run = ctl_metrics_run },
  { NULL },
};
