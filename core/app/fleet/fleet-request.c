/* fleet-request.c: one request over HTTP with headers and a body, made by a helper program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-request.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

#include "detour-paths.h"
#include "detourctl-hujson.h"
#include "detourctl-place.h"
#include "fleet-input.h"

/* Of what an API says is wrong. */
#define COMPLAINT_MAX 400

void
fleet_request_clear (FleetReply *self)
{
  g_clear_pointer (&self->headers, g_free);
  if (self->body != NULL)
    explicit_bzero (self->body, self->body_len);
  g_clear_pointer (&self->body, g_free);
}

/* Takes what the program wrote apart. */
static gboolean
fleet_request_take (GBytes *out, FleetReply *reply)
{
  gsize len = 0;
  const char *text = g_bytes_get_data (out, &len);
  const char *line = text != NULL ? memchr (text, '\n', len) : NULL;
  const char *end = line != NULL ? g_strstr_len (line, (gssize) len - (line - text), "\n\n") : NULL;
  gsize head;

  if (end == NULL)
    return FALSE;
  head = (gsize) (end + 2 - text);
  reply->status = (guint) g_ascii_strtoull (text, NULL, 10);
  reply->headers = g_strndup (line, (gsize) (end - line));
  reply->body_len = len - head;
  reply->body = g_strndup (text + head, reply->body_len);
  return TRUE;
}

gboolean
fleet_request (const char *method, const char *url, const char *headers, const char *body,
               const char *ca_file, gint64 limit_ms, FleetReply *reply, GError **error)
{
  g_autofree char *program = detour_paths_fetch ();
  g_autofree char *max = g_strdup_printf ("%u", FLEET_REQUEST_MAX);
  g_autofree char *limit = g_strdup_printf ("%" G_GINT64_FORMAT, limit_ms);
  char *question = g_strdup_printf ("%s %s\n%s\n%s", method, url, headers, body);
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  int in = fleet_input_open (question, error);
  g_autoptr (GBytes) out = NULL;
  g_autoptr (GBytes) err = NULL;
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) fault = NULL;

  *reply = (FleetReply) { 0 };
  explicit_bzero (question, strlen (question));
  g_free (question);
  if (in < 0)
    return FALSE;
  g_subprocess_launcher_take_stdin_fd (launcher, in);
  process = g_subprocess_launcher_spawn (launcher, &fault, program, "--request", max, limit,
                                         ca_file, NULL);
  if (process == NULL)
    {
      detourctl_place_set_missing (url, fault, error);
      return FALSE;
    }
  if (!g_subprocess_communicate (process, NULL, NULL, &out, &err, error))
    return FALSE;
  if (!g_subprocess_get_successful (process) || !fleet_request_take (out, reply))
    {
      gsize len = 0;
      const char *said = g_bytes_get_data (err, &len);
      g_autofree char *text = g_utf8_make_valid (said != NULL ? said : "", (gssize) len);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", url, g_strchomp (text));
      return FALSE;
    }
  return TRUE;
}

char *
fleet_request_header (const FleetReply *reply, const char *name)
{
  g_auto (GStrv) lines = g_strsplit (reply->headers, "\n", -1);
  gsize len = strlen (name);

  for (guint i = 0; lines[i] != NULL; i++)
    if (g_ascii_strncasecmp (lines[i], name, len) == 0 && lines[i][len] == ':')
      return g_strstrip (g_strdup (lines[i] + len + 1));
  return NULL;
}

char *
fleet_request_complaint (const FleetReply *reply)
{
  static const char *const members[] = { "message", "error_description", "error" };

  for (guint i = 0; i < G_N_ELEMENTS (members); i++)
    {
      const char *const path[] = { members[i], NULL };
      g_autofree char *text = detourctl_hujson_get_text (reply->body, reply->body_len, path);

      if (text != NULL && *text != '\0')
        return g_utf8_make_valid (text, (gssize) MIN (strlen (text), COMPLAINT_MAX));
    }
  return g_strdup_printf (_ ("it answers with status %u"), reply->status);
}
