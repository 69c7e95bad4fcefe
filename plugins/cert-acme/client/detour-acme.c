/* detour-acme.c: the program that talks to a CA: one request on standard input, events on standard
 * output.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-confine.h"
#include "acme-issue.h"
#include "acme-json.h"
#include "acme-renewal.h"

#include <curl/curl.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_SECONDS 30
#define GRACE_SECONDS   20

enum { STATUS_DONE, STATUS_FAILED, STATUS_BAD_REQUEST };

static void
detour_acme_tell (AcmeLines *lines, const AcmeSession *session, const AcmeProblem *problem)
{
  JsonBuilder *builder = acme_lines_begin ("error");
  const char *step = session != NULL ? session->step : "input";
  const char *name = session != NULL && session->name != NULL ? session->name : problem->name;
  const char *challenge = session != NULL ? session->challenge : NULL;
  g_autofree char *remedy = acme_problem_make_remedy (problem, step, challenge, name);

  acme_json_add (builder, "step", step);
  acme_json_add (builder, "name", name);
  acme_json_add (builder, "challenge", challenge);
  acme_json_add (builder, "type", problem->type);
  acme_json_add (builder, "detail", problem->detail);
  acme_json_add_int (builder, "status", problem->status);
  if (problem->retry_after_s > 0)
    acme_json_add_int (builder, "retry_after", problem->retry_after_s);
  acme_json_add (builder, "address", problem->address);
  acme_json_add (builder, "help", problem->help);
  acme_json_add (builder, "remedy", remedy);
  acme_lines_send (lines, builder);
}

static gboolean
detour_acme_roll_over (const AcmeRequest *request, AcmeSession *session, AcmeProblem *problem)
{
  return acme_session_open (session, request->directory, problem)
      && acme_account_open (&request->account, session, problem)
      && acme_account_roll_over (session, request->next_key, problem);
}

static gboolean
detour_acme_revoke (const AcmeRequest *request, AcmeSession *session, AcmeProblem *problem)
{
  g_auto (AcmeChain) chain = { 0 };
  g_auto (AcmeAnswer) answer = { 0 };
  g_autofree char *text = NULL;
  g_autofree char *payload = NULL;

  acme_session_enter (session, "input");
  if (!acme_request_read_chain (request, &chain, problem)
      || !acme_session_open (session, request->directory, problem)
      || !acme_account_open (&request->account, session, problem))
    return FALSE;
  acme_session_enter (session, "revoke");
  if (session->directory.revoke_cert == NULL)
    return acme_problem_set (problem, "unsupported", "the CA does not revoke certificates");
  text = acme_chain_to_base64 (&chain);
  payload = g_strdup_printf ("{\"certificate\":\"%s\",\"reason\":%" G_GINT64_FORMAT "}", text,
                             request->reason);
  if (!acme_session_post (session, session->directory.revoke_cert, payload, &answer, problem))
    return FALSE;
  acme_lines_send (session->lines, acme_lines_begin ("revoked"));
  return TRUE;
}

static gboolean
detour_acme_do (const AcmeRequest *request, AcmeSession *session, AcmeProblem *problem)
{
  static const struct {
    const char *what;
    gboolean (*run) (const AcmeRequest *request, AcmeSession *session, AcmeProblem *problem);
  } kinds[] = { { "order", acme_issue_run },
                { "renewal-info", acme_renewal_run },
                { "rollover", detour_acme_roll_over },
                { "revoke", detour_acme_revoke } };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].what, request->what) == 0)
      return kinds[i].run (request, session, problem);
  g_assert_not_reached ();
}

static int
detour_acme_serve (AcmeLines *lines)
{
  gint64 start_us = g_get_monotonic_time ();
  g_auto (AcmeProblem) problem = { 0 };
  g_auto (AcmeRequest) request = { 0 };
  g_autoptr (JsonObject)
      object = acme_lines_read (lines, start_us + REQUEST_SECONDS * G_USEC_PER_SEC, &problem);
  AcmeSession session;
  gboolean good;

  if (object == NULL || !acme_request_read (&request, object, &problem))
    {
      detour_acme_tell (lines, NULL, &problem);
      return STATUS_BAD_REQUEST;
    }
  acme_confine_end_after (request.time_limit_s + GRACE_SECONDS);
  acme_session_init (&session, lines, request.ca_file,
                     start_us + request.time_limit_s * G_USEC_PER_SEC);
  good = detour_acme_do (&request, &session, &problem);
  if (!good)
    detour_acme_tell (lines, &session, &problem);
  acme_session_clear (&session);
  return good                                ? STATUS_DONE
       : strcmp (problem.type, "input") == 0 ? STATUS_BAD_REQUEST
                                             : STATUS_FAILED;
}

int
main (int argc, char **argv)
{
  AcmeLines lines;
  int status;

  acme_confine_start ();
  if (argc > 1)
    {
      g_printerr ("detour-acme is started by detourd and takes no arguments.\n");
      return STATUS_BAD_REQUEST;
    }
  curl_global_init (CURL_GLOBAL_DEFAULT);
  acme_lines_init (&lines, STDIN_FILENO, STDOUT_FILENO);
  status = detour_acme_serve (&lines);
  acme_lines_clear (&lines);
  curl_global_cleanup ();
  return status;
}
