/* acme-dns.c: waits until a record that was written is seen by the world.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-dns.h"

#include "acme-dns-question.h"

#include <string.h>

#define ALIASES_MAX 8
/* Rounds in which no server answers at all. */
#define SILENT_MAX 2
/* What has to be left of the run for the CA to look. */
#define LEFT_US (30 * G_USEC_PER_SEC)

typedef enum { ACME_DNS_SILENT, ACME_DNS_MISSING, ACME_DNS_SEEN } AcmeDnsView;

static GPtrArray *
acme_dns_list (const char *name, const char *const *texts)
{
  GPtrArray *servers;

  if (texts[0] == NULL)
    return acme_dns_question_find_servers (name, NULL);
  servers = g_ptr_array_new_with_free_func ((GDestroyNotify) acme_dns_server_free);
  for (guint i = 0; texts[i] != NULL; i++)
    {
      AcmeDnsServer *server = acme_dns_server_new (texts[i]);

      if (server != NULL)
        g_ptr_array_add (servers, server);
    }
  return servers;
}

/* @alias: where the record really is, when it is an alias and the value is not in the answer. */
static AcmeDnsView
acme_dns_look (const AcmeDnsServer *server, const char *name, const char *value, char **alias)
{
  g_auto (AcmeDnsReply) reply = { 0 };

  if (!acme_dns_question_ask (server, name, &reply))
    return ACME_DNS_SILENT;
  if (acme_dns_reply_has_text (&reply, value))
    return ACME_DNS_SEEN;
  if (reply.alias != NULL && *alias == NULL)
    *alias = g_steal_pointer (&reply.alias);
  return ACME_DNS_MISSING;
}

/* One round over all servers. @server: the text of one that lacks the record. */
static AcmeDnsView
acme_dns_look_around (const char *record, const char *value, const char *const *texts,
                      char **server)
{
  g_autofree char *name = g_strdup (record);

  for (guint n = 0; n < ALIASES_MAX; n++)
    {
      g_autoptr (GPtrArray) servers = acme_dns_list (name, texts);
      g_autofree char *alias = NULL;
      AcmeDnsView view = ACME_DNS_SILENT;

      for (guint i = 0; i < servers->len && view != ACME_DNS_MISSING; i++)
        {
          const AcmeDnsServer *one = servers->pdata[i];
          AcmeDnsView own = acme_dns_look (one, name, value, &alias);

          if (own == ACME_DNS_MISSING)
            {
              g_free (*server);
              *server = g_strdup (one->text);
            }
          if (own != ACME_DNS_SILENT)
            view = own;
        }
      if (alias == NULL || acme_dns_reply_same_name (alias, name))
        return view;
      g_free (name);
      name = g_steal_pointer (&alias);
    }
  return ACME_DNS_MISSING;
}

static gboolean
acme_dns_fail (const char *record, const char *server, AcmeProblem *problem)
{
  acme_problem_set (problem, "dns", "the TXT record %s is not seen by the name server %s", record,
                    server);
  problem->address = g_strdup (server);
  problem->remedy = g_strdup_printf (
      "The CA was not asked yet. See whether dns-hook wrote %s into the right "
      "zone, and whether the name server %s gets what the others have.",
      record, server);
  return FALSE;
}

gboolean
acme_dns_wait (AcmeSession *session, const char *record, const char *value,
               const char *const *servers, AcmeProblem *problem)
{
  gint64 now_us = g_get_monotonic_time ();
  gint64 left_us = session->deadline_us - now_us;
  gint64 until_us = session->deadline_us - MIN (LEFT_US, left_us / 3);
  g_autofree char *server = NULL;
  guint n_silent = 0;

  for (guint n = 0;; n++)
    {
      AcmeDnsView view = acme_dns_look_around (record, value, servers, &server);
      gint64 wait_ms = acme_session_poll_ms (n, 0);

      if (view == ACME_DNS_SEEN)
        return TRUE;
      if (view == ACME_DNS_SILENT && ++n_silent >= SILENT_MAX)
        {
          acme_lines_note (session->lines,
                           "no name server of %s could be asked; the CA will find out itself",
                           record);
          return TRUE;
        }
      if (g_get_monotonic_time () + wait_ms * 1000 >= until_us)
        return acme_dns_fail (record, server != NULL ? server : "of the zone", problem);
      if (!acme_session_wait (session, wait_ms, problem))
        return FALSE;
    }
}
