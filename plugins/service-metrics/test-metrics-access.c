/* test-metrics-access.c: whose requests for metrics are answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "detour-http-message.h"
#include "metrics-access.h"
#include "test-program.h"

static const struct {
  const char *name;
  const char *allow; /* separated by blanks */
  const char *peer;  /* NULL: over a Unix socket */
  const char *query; /* "" or with its question mark */
  const char *header;
  gboolean allowed;
} cases[] = {
  { "loopback", "127.0.0.0/8 ::1", "127.0.0.1", "", "", TRUE },
  { "loopback-v6", "127.0.0.0/8 ::1", "::1", "", "", TRUE },
  { "loopback-mapped", "127.0.0.0/8 ::1", "::ffff:127.0.0.9", "", "", TRUE },
  { "stranger", "127.0.0.0/8 ::1", "192.0.2.1", "", "", FALSE },
  { "stranger-v6", "127.0.0.0/8 ::1", "2001:db8::1", "", "", FALSE },
  { "nobody", "", "127.0.0.1", "", "", FALSE },
  { "unix", "", NULL, "", "", TRUE },
  { "one-address", "192.0.2.7", "192.0.2.7", "", "", TRUE },
  { "the-next-address", "192.0.2.7", "192.0.2.8", "", "", FALSE },
  { "odd-bits", "192.0.2.64/26", "192.0.2.127", "", "", TRUE },
  { "beyond-odd-bits", "192.0.2.64/26", "192.0.2.128", "", "", FALSE },
  { "v6-network", "2001:db8::/33", "2001:db8:7fff::1", "", "", TRUE },
  { "beyond-v6-network", "2001:db8::/33", "2001:db8:8000::1", "", "", FALSE },
  { "everyone", "0.0.0.0/0 ::/0", "192.0.2.1", "", "", TRUE },
  { "all-of-v4-is-not-v6", "0.0.0.0/0", "2001:db8::1", "", "", FALSE },
  { "forwarded", "127.0.0.0/8", "127.0.0.1", "", "X-Forwarded-For: 192.0.2.1\r\n", FALSE },
  { "forwarded-empty", "127.0.0.0/8", "127.0.0.1", "", "X-Forwarded-For:\r\n", TRUE },
  { "forwarded-unix", "", NULL, "", "X-Forwarded-For: 192.0.2.1\r\n", FALSE },
  { "key", "", "192.0.2.1", "?debugkey=open%2Fsesame", "", TRUE },
  { "key-behind-others", "", "192.0.2.1", "?a=b&debugkey=open/sesame&c", "", TRUE },
  { "key-although-forwarded", "", "192.0.2.1", "?debugkey=open/sesame",
    "X-Forwarded-For: 192.0.2.1\r\n", TRUE },
  { "key-in-header", "", "192.0.2.1", "", "Authorization: bearer open/sesame\r\n", TRUE },
  { "wrong-key", "", "192.0.2.1", "?debugkey=open/sesamf", "", FALSE },
  { "half-key", "", "192.0.2.1", "?debugkey=open", "", FALSE },
  { "empty-key", "", "192.0.2.1", "?debugkey=", "", FALSE },
  { "not-the-name", "", "192.0.2.1", "?xdebugkey=open/sesame", "", FALSE },
  { "bad-escape", "", "192.0.2.1", "?debugkey=%zz", "", FALSE },
  { "wrong-key-in-header", "", "192.0.2.1", "", "Authorization: Bearer x\r\n", FALSE },
  { "other-scheme", "", "192.0.2.1", "", "Authorization: Basic open/sesame\r\n", FALSE },
  { "wrong-key-from-loopback", "127.0.0.0/8", "127.0.0.1", "?debugkey=x", "", TRUE },
};

static void
set_peer (struct sockaddr_storage *peer, const char *text)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *) peer;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) peer;

  *peer = (struct sockaddr_storage) { .ss_family = AF_UNIX };
  if (text == NULL)
    return;
  peer->ss_family = AF_INET;
  if (inet_pton (AF_INET, text, &v4->sin_addr) == 1)
    return;
  peer->ss_family = AF_INET6;
  g_assert_cmpint (inet_pton (AF_INET6, text, &v6->sin6_addr), ==, 1);
}

static gboolean
is_allowed (MetricsAccess *access, gsize i)
{
  g_autofree char *text = g_strdup_printf ("GET /metrics%s HTTP/1.1\r\nHost: h\r\n%s\r\n",
                                           cases[i].query, cases[i].header);
  g_autoptr (DetourHttpRequest) request = NULL;
  struct sockaddr_storage peer;
  DetourHttpHead head;

  set_peer (&peer, cases[i].peer);
  detour_http_head_init (&head);
  g_assert_cmpint (detour_http_head_parse (&head, (const guint8 *) text, strlen (text)), ==,
                   DETOUR_HTTP_HEAD_OK);
  request = detour_http_request_new (&head, &peer, DETOUR_LISTENER_ADMIN);
  return metrics_access_allows (access, request);
}

static void
test_case (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_auto (GStrv) networks = g_strsplit (cases[i].allow, " ", -1);
  static const char *const none[] = { NULL };
  g_autoptr (MetricsAccess) access = metrics_access_new (
      cases[i].allow[0] != '\0' ? (const char *const *) networks : none);
  gboolean needs_key = strstr (cases[i].name, "key") != NULL;

  metrics_access_set_key (access, "open/sesame");
  g_assert_cmpint (is_allowed (access, i), ==, cases[i].allowed);
  metrics_access_set_key (access, NULL);
  if (needs_key && cases[i].allow[0] == '\0')
    g_assert_false (is_allowed (access, i));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/metrics-access/", cases, test_case);
  return g_test_run ();
}
