/* test-service-stun.c: tests of the service on real sockets: answers, their addresses, counters.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

extern const DetourPlugin detour_plugin;

#define TRANSACTION_OFFSET 8
#define REQUEST_SIZE       40
#define RESPONSE_IPV4_SIZE 32
#define RESPONSE_IPV6_SIZE 44

/* A client's request; the transaction id is 00 01 … 0b. */
static const guint8 request[REQUEST_SIZE] = {
  0x00, 0x01, 0x00, 0x14, 0x21, 0x12, 0xa4, 0x42, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05,
  0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x80, 0x22, 0x00, 0x08, 0x74, 0x61, 0x69, 0x6c,
  0x6e, 0x6f, 0x64, 0x65, 0x80, 0x28, 0x00, 0x04, 0x8a, 0xab, 0xad, 0x90,
};

static PluginBench *
start (const char *keys)
{
  g_autofree char *text = g_strconcat ("[service stun]\n", keys, NULL);
  PluginBench *bench = plugin_bench_new (&detour_plugin);

  plugin_bench_load_good (bench, text);
  plugin_bench_start (bench);
  detour_roster_set_ready (bench->roster, TRUE);
  return bench;
}

/* The port in "listening on ADDRESS:PORT". */
static guint16
port_of (PluginBench *bench)
{
  g_autofree char *summary = detour_instance_dup_summary (bench->instance);

  g_assert_true (g_str_has_prefix (summary, "listening on "));
  return (guint16) g_ascii_strtoull (strrchr (summary, ':') + 1, NULL, 10);
}

typedef union {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
} Address;

static Address
make_address (const char *host, guint16 port)
{
  Address address = { 0 };

  if (inet_pton (AF_INET, host, &address.in.sin_addr) == 1)
    {
      address.in.sin_family = AF_INET;
      address.in.sin_port = htons (port);
    }
  else
    {
      g_assert_cmpint (inet_pton (AF_INET6, host, &address.in6.sin6_addr), ==, 1);
      address.in6.sin6_family = AF_INET6;
      address.in6.sin6_port = htons (port);
    }
  return address;
}

/* A client bound to @host that waits for answers with a limit. */
static int
open_client (const char *host)
{
  Address address = make_address (host, 0);
  struct timeval limit = { .tv_sec = 60 };
  int fd = socket (address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (bind (fd, &address.any, sizeof address), ==, 0);
  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), ==, 0);
  return fd;
}

static void
ask (int fd, const char *host, guint16 port, const guint8 *data, gsize len)
{
  Address address = make_address (host, port);

  g_assert_cmpint (sendto (fd, data, len, 0, &address.any, sizeof address), ==, (gssize) len);
}

/* Receives the answer to @question, which must come from @host:@port and tell this socket's
 * address. */
static void
expect (int fd, const char *host, guint16 port, const guint8 *question, gsize len)
{
  Address expected = make_address (host, port), from = { 0 }, own = { 0 };
  socklen_t from_size = sizeof from, own_size = sizeof own;
  guint8 answer[256];
  gssize n = recvfrom (fd, answer, sizeof answer, 0, &from.any, &from_size);

  if (n < 0)
    g_error ("no answer: %s", g_strerror (errno));
  g_assert_cmpint (n, ==, (gssize) len);
  g_assert_cmpmem (answer + 4, 16, question + 4, 16);
  g_assert_cmpint (getsockname (fd, &own.any, &own_size), ==, 0);
  g_assert_cmpint (from.any.sa_family, ==, expected.any.sa_family);
  if (from.any.sa_family == AF_INET)
    {
      guint32 mask = htonl (0x2112a442), mapped;

      g_assert_cmphex (from.in.sin_addr.s_addr, ==, expected.in.sin_addr.s_addr);
      memcpy (&mapped, answer + 28, 4);
      g_assert_cmphex (mapped ^ mask, ==, own.in.sin_addr.s_addr);
    }
  else
    g_assert_cmpmem (&from.in6.sin6_addr, 16, &expected.in6.sin6_addr, 16);
  /* Both families have their port in the same place. */
  g_assert_cmpuint (from.in.sin_port, ==, expected.in.sin_port);
  g_assert_cmpuint ((guint) (answer[26] << 8 | answer[27]) ^ 0x2112, ==, ntohs (own.in.sin_port));
}

static gboolean
has_ipv6 (void)
{
  Address address = make_address ("::1", 0);
  int fd = socket (AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  gboolean has = fd >= 0 && bind (fd, &address.any, sizeof address) == 0;

  if (fd >= 0)
    close (fd);
  return has;
}

static void
test_answer (void)
{
  g_autoptr (PluginBench) bench = start ("listen = 127.0.0.1:0\n");
  guint16 port = port_of (bench);
  int fd = open_client ("127.0.0.1");

  ask (fd, "127.0.0.1", port, request, sizeof request);
  expect (fd, "127.0.0.1", port, request, RESPONSE_IPV4_SIZE);
  close (fd);
  detour_instance_stop (bench->instance);
  g_assert_cmpuint (plugin_bench_counter (bench, "requests_success"), ==, 1);
  g_assert_cmpuint (plugin_bench_counter (bench, "addrfamily_ipv4"), ==, 1);
  g_assert_cmpuint (plugin_bench_counter (bench, "addrfamily_ipv6"), ==, 0);
  g_assert_cmpuint (plugin_bench_counter (bench, "no_local_addr"), ==, 0);
  g_assert_cmpuint (plugin_bench_counter (bench, "write_error"), ==, 0);
  g_assert_cmpuint (plugin_bench_counter (bench, "read_error"), ==, 0);
}

/* The reply comes from the address that was asked, not from the kernel's preferred one. */
static void
test_asked_address (void)
{
  static const char *const listen[] = { "listen = 0.0.0.0:0\n", "listen = [::]:0\n" };

  for (guint i = 0; i < (has_ipv6 () ? 2 : 1); i++)
    {
      g_autoptr (PluginBench) bench = start (listen[i]);
      guint16 port = port_of (bench);
      int fd = open_client ("127.0.0.1");

      ask (fd, "127.0.0.2", port, request, sizeof request);
      expect (fd, "127.0.0.2", port, request, RESPONSE_IPV4_SIZE);
      ask (fd, "127.0.0.1", port, request, sizeof request);
      expect (fd, "127.0.0.1", port, request, RESPONSE_IPV4_SIZE);
      close (fd);
    }
}

static void
test_ipv6 (void)
{
  g_autoptr (PluginBench) bench = NULL;
  guint16 port;
  int fd;

  if (!has_ipv6 ())
    {
      g_test_skip ("this host has no IPv6");
      return;
    }
  bench = start ("listen = [::]:0\n");
  port = port_of (bench);
  fd = open_client ("::1");
  ask (fd, "::1", port, request, sizeof request);
  expect (fd, "::1", port, request, RESPONSE_IPV6_SIZE);
  close (fd);
  detour_instance_stop (bench->instance);
  g_assert_cmpuint (plugin_bench_counter (bench, "addrfamily_ipv6"), ==, 1);
  g_assert_cmpuint (plugin_bench_counter (bench, "no_local_addr"), ==, 0);
}

/* Two families on one port: the dual-stack socket leaves IPv4 to the other one. */
static void
test_both_wildcards (void)
{
  gboolean started = FALSE;

  if (!has_ipv6 ())
    {
      g_test_skip ("this host has no IPv6");
      return;
    }
  /* A port that was free a moment ago; somebody else may have taken it since. */
  for (guint attempt = 0; attempt < 100 && !started; attempt++)
    {
      g_autoptr (PluginBench) first = start ("listen = [::]:0\n");
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      guint16 port = port_of (first);
      g_autofree char *text = g_strdup_printf ("[service stun]\nlisten = 0.0.0.0:%u; [::]:%u\n",
                                               port, port);

      detour_instance_stop (first->instance);
      plugin_bench_load_good (bench, text);
      started = detour_instance_start (bench->instance, NULL);
    }
  g_assert_true (started);
}

static void
test_any (void)
{
  static const struct {
    const char *compat;
    gboolean answered;
  } cases[] = { { "compat = tailscale\n", FALSE }, { "compat = any\n", TRUE } };
  /* A header and an attribute nobody knows. */
  static const guint8 plain[] = {
    0x00, 0x01, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6,
    7,    8,    9,    10,   11,   12,   0,    3,    0, 4, 0, 0, 0, 0
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *keys = g_strconcat ("listen = 127.0.0.1:0\n", cases[i].compat, NULL);
      g_autoptr (PluginBench) bench = start (keys);
      guint16 port = port_of (bench);
      int fd = open_client ("127.0.0.1");

      ask (fd, "127.0.0.1", port, plain, 20); /* a bare header, as coturn, pion and aioice send */
      ask (fd, "127.0.0.1", port, plain, sizeof plain);
      ask (fd, "127.0.0.1", port, request, sizeof request);
      for (guint n = 0; cases[i].answered && n < 2; n++)
        expect (fd, "127.0.0.1", port, plain, RESPONSE_IPV4_SIZE);
      expect (fd, "127.0.0.1", port, request, RESPONSE_IPV4_SIZE);
      close (fd);
      detour_instance_stop (bench->instance);
      g_assert_cmpuint (plugin_bench_counter (bench, "requests_success"), ==,
                        cases[i].answered ? 3 : 1);
      g_assert_cmpuint (plugin_bench_counter (bench, "not_stun_software"), ==,
                        cases[i].answered ? 0 : 2);
    }
}

static void
test_map (void)
{
  g_autoptr (PluginBench) bench = start ("listen = 127.0.0.1:0\nmap = 127.0.0.2=192.0.2.1\n");
  static const guint8 told[] = { 192 ^ 0x21, 0 ^ 0x12, 2 ^ 0xa4, 1 ^ 0x42 };
  guint16 port = port_of (bench);
  int fd = open_client ("127.0.0.2");
  guint8 answer[RESPONSE_IPV4_SIZE];

  ask (fd, "127.0.0.1", port, request, sizeof request);
  g_assert_cmpint (recv (fd, answer, sizeof answer, 0), ==, RESPONSE_IPV4_SIZE);
  g_assert_cmpmem (answer + 28, 4, told, 4);
  close (fd);
  detour_instance_stop (bench->instance);
  g_assert_cmpuint (plugin_bench_counter (bench, "mapped"), ==, 1);
}

static void
test_not_ready (void)
{
  static const struct {
    const char *keys;
    gboolean answered;
  } cases[] = { { "", FALSE }, { "when-not-ready = answer\n", TRUE } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *keys = g_strconcat ("listen = 127.0.0.1:0\n", cases[i].keys, NULL);
      g_autoptr (PluginBench) bench = start (keys);
      guint16 port = port_of (bench);
      int fd = open_client ("127.0.0.1");
      detour_roster_set_ready (bench->roster, FALSE);
      ask (fd, "127.0.0.1", port, request, sizeof request);
      if (cases[i].answered)
        expect (fd, "127.0.0.1", port, request, RESPONSE_IPV4_SIZE);
      else
        while (plugin_bench_counter (bench, "not_ready") == 0)
          g_thread_yield ();
      detour_roster_set_ready (bench->roster, TRUE);
      ask (fd, "127.0.0.1", port, request, sizeof request);
      expect (fd, "127.0.0.1", port, request, RESPONSE_IPV4_SIZE);
      close (fd);
      detour_instance_stop (bench->instance);
      g_assert_cmpuint (plugin_bench_counter (bench, "requests_success"), ==,
                        cases[i].answered ? 2 : 1);
      g_assert_cmpuint (plugin_bench_counter (bench, "not_stun"), ==, 0);
    }
}

/* Each round ends with a question that is answered, so nothing of it waits in the socket any more.
 */
static void
test_garbage (void)
{
  enum {
    ROUNDS = 1000,
    A_ROUND = 100,
  };
  g_autoptr (PluginBench) bench = start ("listen = 127.0.0.1:0\n");
  guint16 port = port_of (bench);
  int fd = open_client ("127.0.0.1");
  Address address = make_address ("127.0.0.1", port);
  guint8 garbage[256];

  g_assert_cmpint (connect (fd, &address.any, sizeof address), ==, 0);
  for (guint round = 0; round < ROUNDS; round++)
    {
      for (guint i = 0; i < A_ROUND; i++)
        {
          gsize len = (gsize) g_test_rand_int_range (0, sizeof garbage + 1);
          gsize right = (gsize) g_test_rand_int_range (8, 39);

          /* Half of them begin like a request, so that the later checks run, too. */
          for (gsize byte = 0; byte < len; byte++)
            garbage[byte] = (guint8) g_test_rand_int ();
          if (i % 2 == 0)
            memcpy (garbage, request, MIN (len, right));
          g_assert_cmpint (send (fd, garbage, len, 0), ==, (gssize) len);
        }
      g_assert_cmpint (send (fd, request, sizeof request, 0), ==, sizeof request);
      expect (fd, "127.0.0.1", port, request, RESPONSE_IPV4_SIZE);
    }
  close (fd);
  detour_instance_stop (bench->instance);
  g_assert_cmpuint (plugin_bench_counter (bench, "not_stun"), ==, ROUNDS * A_ROUND);
  g_assert_cmpuint (plugin_bench_counter (bench, "requests_success"), ==, ROUNDS);
  g_assert_cmpuint (plugin_bench_counter (bench, "read_error"), ==, 0);
}

static void
test_long_datagrams (void)
{
  g_autoptr (PluginBench) bench = start ("listen = 127.0.0.1:0\n");
  g_autofree guint8 *longest = g_malloc0 (65507);
  guint16 port = port_of (bench);
  int fd = open_client ("127.0.0.1");

  memcpy (longest, request, sizeof request);
  for (guint i = 0; i < 10; i++)
    {
      ask (fd, "127.0.0.1", port, longest, 65507);
      ask (fd, "127.0.0.1", port, request, sizeof request);
      expect (fd, "127.0.0.1", port, request, RESPONSE_IPV4_SIZE);
    }
  close (fd);
  detour_instance_stop (bench->instance);
  g_assert_cmpuint (plugin_bench_counter (bench, "not_stun"), ==, 10);
}

static void
test_taken_port (void)
{
  g_autoptr (PluginBench) first = start ("listen = 127.0.0.1:0\n");
  g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
  g_autofree char *text = g_strdup_printf ("[service stun]\nlisten = 127.0.0.1:0; 127.0.0.1:%u\n",
                                           port_of (first));
  g_autofree char *expected = g_strdup_printf (
      "bench.conf:2: [service stun] listen: cannot bind UDP 127.0.0.1:%u: %s; "
      "see who has it: ss -ulnp",
      port_of (first), g_strerror (EADDRINUSE));
  g_autofree char *error = NULL;

  plugin_bench_load_good (bench, text);
  error = plugin_bench_start_error (bench);
  g_assert_cmpstr (error, ==, expected);
}

static void
test_restart (void)
{
  g_autoptr (PluginBench) bench = start ("listen = 127.0.0.1:0\n");

  for (guint i = 1; i <= 3; i++)
    {
      guint16 port = port_of (bench);
      int fd = open_client ("127.0.0.1");

      ask (fd, "127.0.0.1", port, request, sizeof request);
      expect (fd, "127.0.0.1", port, request, RESPONSE_IPV4_SIZE);
      close (fd);
      detour_instance_stop (bench->instance);
      g_assert_cmpuint (plugin_bench_counter (bench, "requests_success"), ==, i);
      plugin_bench_start (bench);
    }
}

static void
test_bad_settings (void)
{
  static const struct {
    const char *keys, *error;
  } cases[] = {
    { "listen = unix:/run/stun\n",
      "bench.conf:2: [service stun] listen: \"unix:/run/stun\" is not an address for UDP; write "
      "192.0.2.1:3478, [2001:db8::1]:3478 or :3478" },
    { "map = 10.0.0.0/8=192.0.2.1; 10.0.0.0=x\n",
      "bench.conf:2: [service stun] map: \"10.0.0.0=x\": what stands behind the = is not an "
      "address of the same family" },
    { "compat = all\n", "compat" },
    { "when-not-ready = never\n", "when-not-ready" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PluginBench) bench = plugin_bench_new (&detour_plugin);
      g_autofree char *text = g_strconcat ("[service stun]\n", cases[i].keys, NULL);
      g_autofree char *errors = plugin_bench_load (bench, text);

      g_assert_nonnull (errors);
      g_test_message ("%s", errors);
      g_assert_nonnull (strstr (errors, cases[i].error));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/service-stun/answers-a-client", test_answer);
  g_test_add_func ("/service-stun/answers-from-the-asked-address", test_asked_address);
  g_test_add_func ("/service-stun/answers-over-ipv6", test_ipv6);
  g_test_add_func ("/service-stun/both-wildcards-on-one-port", test_both_wildcards);
  g_test_add_func ("/service-stun/compat-any-answers-others-too", test_any);
  g_test_add_func ("/service-stun/map-tells-another-address", test_map);
  g_test_add_func ("/service-stun/silent-until-ready", test_not_ready);
  g_test_add_func ("/service-stun/garbage-changes-nothing", test_garbage);
  g_test_add_func ("/service-stun/long-datagrams-change-nothing", test_long_datagrams);
  g_test_add_func ("/service-stun/taken-port-is-named", test_taken_port);
  g_test_add_func ("/service-stun/restart-counts-on", test_restart);
  g_test_add_func ("/service-stun/bad-settings-are-refused", test_bad_settings);
  return g_test_run ();
}
