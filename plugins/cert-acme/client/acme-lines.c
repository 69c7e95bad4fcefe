/* acme-lines.c: requests and events, JSON objects on pipes, one a line.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-lines.h"

#include "acme-json.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void
acme_lines_init (AcmeLines *self, int in, int out)
{
  self->in = in;
  self->out = out;
  self->held = g_string_new (NULL);
}

void
acme_lines_clear (AcmeLines *self)
{
  gnutls_memset (self->held->str, 0, self->held->len);
  g_string_free (self->held, TRUE);
}

/* What poll() said about the input, 0 when the time is over. */
static short
acme_lines_poll (AcmeLines *self, short events, gint64 until_us)
{
  struct pollfd fd = { .fd = self->in, .events = events };

  for (;;)
    {
      gint64 left_us = until_us - g_get_monotonic_time ();
      int n;

      if (left_us <= 0)
        return 0;
      n = poll (&fd, 1, (int) MIN (left_us / 1000 + 1, G_MAXINT));
      if (n > 0)
        return fd.revents;
      if (n < 0 && errno != EINTR)
        return POLLERR;
    }
}

static gboolean
acme_lines_set_closed (AcmeProblem *problem)
{
  return acme_problem_set (problem, "input", "the other end of standard input was closed");
}

gboolean
acme_lines_wait (AcmeLines *self, gint64 until_us, AcmeProblem *problem)
{
  return acme_lines_poll (self, 0, until_us) == 0 || acme_lines_set_closed (problem);
}

/* NULL: there is no whole line yet. */
static char *
acme_lines_take (AcmeLines *self)
{
  char *end = memchr (self->held->str, '\n', self->held->len);
  char *line;
  gsize len;

  if (end == NULL)
    return NULL;
  len = (gsize) (end - self->held->str);
  line = g_strndup (self->held->str, len);
  g_string_erase (self->held, 0, (gssize) len + 1);
  return line;
}

JsonObject *
acme_lines_read (AcmeLines *self, gint64 deadline_us, AcmeProblem *problem)
{
  char buffer[16384];
  g_autofree char *line = NULL;
  g_autoptr (GError) error = NULL;
  JsonObject *object;
  gsize len;

  while ((line = acme_lines_take (self)) == NULL)
    {
      gssize n;

      if (self->held->len > ACME_LINES_MAX)
        {
          acme_problem_set (problem, "input", "a line is longer than %d bytes", ACME_LINES_MAX);
          return NULL;
        }
      if (acme_lines_poll (self, POLLIN, deadline_us) == 0)
        {
          acme_problem_set (problem, "timeout", "nothing came on standard input in time");
          return NULL;
        }
      n = read (self->in, buffer, sizeof buffer);
      if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        {
          acme_lines_set_closed (problem);
          return NULL;
        }
      if (n > 0)
        g_string_append_len (self->held, buffer, n);
    }
  len = strlen (line);
  object = acme_json_parse (line, len, ACME_LINES_MAX, &error);
  if (object == NULL)
    acme_problem_set (problem, "input", "a line is not a JSON object: %s", error->message);
  gnutls_memset (line, 0, len);
  return object;
}

JsonBuilder *
acme_lines_begin (const char *event)
{
  JsonBuilder *builder = acme_json_begin ();

  acme_json_add (builder, "event", event);
  return builder;
}

void
acme_lines_send (AcmeLines *self, JsonBuilder *builder)
{
  char *text = acme_json_end (builder);
  gsize len = strlen (text), sent = 0;

  text[len++] = '\n'; /* in the place of the NUL */
  while (sent < len)
    {
      gssize n = write (self->out, text + sent, len - sent);

      if (n < 0 && errno != EINTR)
        break;
      sent += n > 0 ? (gsize) n : 0;
    }
  gnutls_memset (text, 0, len);
  g_free (text);
}

void
acme_lines_note (AcmeLines *self, const char *format, ...)
{
  JsonBuilder *builder = acme_lines_begin ("note");
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  acme_json_add (builder, "text", text);
  acme_lines_send (self, builder);
}
