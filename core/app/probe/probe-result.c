/* probe-result.c: what a check found: one row of the table.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "probe.h"

const char *
probe_check_name (ProbeCheck check)
{
  static const char *const names[] = {
    [PROBE_STUN4] = "stun4",         [PROBE_STUN6] = "stun6",     [PROBE_TLS4] = "tls4",
    [PROBE_TLS6] = "tls6",           [PROBE_LATENCY] = "latency", [PROBE_CAPTIVE] = "captive",
    [PROBE_LOGIN] = "login",         [PROBE_PACKET] = "packet",   [PROBE_WEBSOCKET] = "websocket",
    [PROBE_BANDWIDTH] = "bandwidth",
  };

  return names[check];
}

const char *
probe_status_name (ProbeStatus status)
{
  static const char *const names[] = {
    [PROBE_GOOD] = "good",
    [PROBE_WARNING] = "warning",
    [PROBE_FAILED] = "failed",
    [PROBE_SKIPPED] = "skipped",
  };

  return names[status];
}

ProbeResult *
probe_note (GPtrArray *results, ProbeCheck check, const ProbeNode *node, ProbeStatus status,
            const char *code, char *text)
{
  ProbeResult *result = g_new0 (ProbeResult, 1);

  result->check = check;
  result->node = node;
  result->status = status;
  result->code = code;
  result->text = text;
  result->took_us = -1;
  result->left_s = G_MININT64;
  g_ptr_array_add (results, result);
  return result;
}

void
probe_note_error (GPtrArray *results, ProbeCheck check, const ProbeNode *node, const char *place,
                  const GError *error)
{
  ProbeStatus status = PROBE_FAILED;
  const char *code = "error";

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE)
      || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE))
    {
      /* It says nothing of the relay when this host has no such network. */
      status = PROBE_SKIPPED;
      code = "unreachable_from_here";
    }
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    code = "nobody_listens";
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    code = "no_answer";
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED)
           || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED))
    code = "closed";
  probe_note (results, check, node, status, code,
              g_strdup_printf ("%s: %s", place, error->message));
}

void
probe_result_free (gpointer data)
{
  ProbeResult *result = data;

  g_free (result->text);
  g_free (result);
}

const ProbeResult *
probe_node_result (const ProbeNode *node, ProbeCheck check)
{
  for (guint i = 0; i < node->results->len; i++)
    {
      const ProbeResult *result = node->results->pdata[i];

      if (result->check == check)
        return result;
    }
  return NULL;
}
