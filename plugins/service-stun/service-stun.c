/* service-stun.c: tells clients the address they are seen from, over STUN.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "stun-batch.h"
#include "stun-map.h"
#include "stun-message.h"
#include "stun-socket.h"

/* Batches taken from one socket before the next socket is served. */
#define BATCHES_A_TURN 16
/* Pause after a read error, as in derper; the socket may work again later. */
#define READ_ERROR_PAUSE_MS 1000
/* One warning is logged for this many read errors. */
#define READ_ERRORS_A_WARNING 600
/* Interval of checks whether missing addresses have appeared. */
#define ABSENT_LOOK_US (5 * G_USEC_PER_SEC)

/* Owned by the STUN thread while it runs, else by the main thread in start() and stop(). */
typedef struct {
  DetourHost *host;
  gboolean any;    /* compat=any */
  gboolean always; /* when-not-ready=answer */

  GArray *polls; /* struct pollfd: the sockets, and last the descriptor that ends the thread */
  GThread *thread;
  StunBatch *batch;
  StunMap *map;
  guint n_read_errors;

  DetourCounter *success;
  DetourCounter *not_stun;
  DetourCounter *verdicts[STUN_N_VERDICTS]; /* that of STUN_OK is NULL */
  DetourCounter *not_ready;
  DetourCounter *read_error;
  DetourCounter *write_error;
  DetourCounter *ipv4;
  DetourCounter *ipv6;
  DetourCounter *no_local_addr;
  DetourCounter *mapped;
} ServiceStun;

static const DetourConfigKey service_stun_config[] = {
  { "listen", DETOUR_CONFIG_ADDRESS, "[::]:3478", 0, 0, "UDP addresses to answer on",
    DETOUR_CONFIG_LIST | DETOUR_CONFIG_LISTEN_UDP },
  { "compat", DETOUR_CONFIG_ENUM, "tailscale", 0, 0,
    "answer Tailscale's clients only, or every Binding request", 0, "tailscale|any" },
  { "map", DETOUR_CONFIG_STRING, NULL, 0, 0,
    "NETWORK/BITS=ADDRESS: clients of that network are told ADDRESS as their own",
    DETOUR_CONFIG_LIST },
  { "when-not-ready", DETOUR_CONFIG_ENUM, "silent", 0, 0,
    "what to do with requests while the relay takes no clients", 0, "silent|answer" },
  { NULL },
};

static void
service_stun_drop (ServiceStun *self, StunVerdict verdict)
{
  detour_counter_add (self->not_stun, 1);
  detour_counter_add (self->verdicts[verdict], 1);
}

/* IPv4-mapped addresses count as IPv4. */
static gboolean
service_stun_is_ipv4 (const struct sockaddr *source)
{
  return source->sa_family == AF_INET
      || IN6_IS_ADDR_V4MAPPED (&((const struct sockaddr_in6 *) (gconstpointer) source)->sin6_addr);
}

static void
service_stun_answer_one (ServiceStun *self, guint i)
{
  guint8 response[STUN_RESPONSE_MAX];
  gsize len, response_len;
  const guint8 *data = stun_batch_data (self->batch, i, &len);
  const struct sockaddr *source = stun_batch_source (self->batch, i);
  StunVerdict verdict = stun_request_parse (data, len, self->any);
  struct sockaddr_storage told;

  if (verdict != STUN_OK)
    {
      service_stun_drop (self, verdict);
      return;
    }
  if (stun_map_apply (self->map, source, &told))
    detour_counter_add (self->mapped, 1);
  response_len = stun_response_build (data, (const struct sockaddr *) &told, response);
  g_assert (response_len > 0); /* a UDP socket has only these two families */
  detour_counter_add (service_stun_is_ipv4 (source) ? self->ipv4 : self->ipv6, 1);
  if (!stun_batch_knows_local (self->batch, i))
    detour_counter_add (self->no_local_addr, 1);
  stun_batch_answer (self->batch, i, response, response_len);
}

/* FALSE: the socket cannot be read now. */
static gboolean
service_stun_serve_socket (ServiceStun *self, int fd)
{
  for (guint turn = 0; turn < BATCHES_A_TURN; turn++)
    {
      int n = stun_batch_receive (self->batch, fd);
      guint n_answers = 0, n_sent;
      guint64 before;

      if (n < 0)
        return FALSE;
      if (!self->always && !detour_host_is_ready (self->host))
        detour_counter_add (self->not_ready, (guint) n);
      else
        {
          before = detour_counter_get (self->not_stun);
          for (guint i = 0; i < (guint) n; i++)
            service_stun_answer_one (self, i);
          n_answers = (guint) n - (guint) (detour_counter_get (self->not_stun) - before);
          n_sent = stun_batch_send (self->batch, fd);
          detour_counter_add (self->success, n_sent);
          detour_counter_add (self->write_error, n_answers - n_sent);
        }
      if (n < (int) STUN_BATCH_SIZE)
        break;
    }
  return TRUE;
}

static void
service_stun_read_failed (ServiceStun *self, int fd)
{
  int error = errno;
  g_autofree char *name = stun_socket_name (fd);

  detour_counter_add (self->read_error, 1);
  if (self->n_read_errors++ % READ_ERRORS_A_WARNING == 0)
    g_log_structured (
        G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "listening", DETOUR_LOG_EVENT,
        "instance-trouble", DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
        "cannot read from %s, trying again every second: %s", name, g_strerror (error));
}

static gpointer
service_stun_run (gpointer data)
{
  ServiceStun *self = data;
  struct pollfd *polls = (struct pollfd *) (gpointer) self->polls->data;
  struct pollfd *stop = &polls[self->polls->len - 1];

  for (;;)
    {
      gboolean failed = FALSE;

      if (poll (polls, self->polls->len, -1) < 0)
        continue;
      if (stop->revents != 0)
        return NULL;
      for (struct pollfd *p = polls; p < stop; p++)
        if (p->revents != 0 && !service_stun_serve_socket (self, p->fd))
          {
            service_stun_read_failed (self, p->fd);
            failed = TRUE;
          }
      if (failed)
        poll (stop, 1, READ_ERROR_PAUSE_MS);
    }
}

static guint
service_stun_port_of (const struct sockaddr_storage *address)
{
  return ntohs (address->ss_family == AF_INET ? ((const struct sockaddr_in *) address)->sin_port
                                              : ((const struct sockaddr_in6 *) address)->sin6_port);
}

/* Whether an entry asks for IPv4 on @port. The kernel would refuse a dual-stack socket beside it.
 */
static gboolean
service_stun_has_ipv4 (const char *const *list, guint port)
{
  for (guint i = 0; list[i] != NULL; i++)
    {
      struct sockaddr_storage address;

      if (stun_socket_parse (list[i], &address) && address.ss_family == AF_INET
          && service_stun_port_of (&address) == port && port != 0)
        return TRUE;
    }
  return FALSE;
}

/* Opens all sockets or none. */
static gboolean
service_stun_open_sockets (ServiceStun *self, const DetourSettings *settings, GError **error)
{
  const char *const *list = detour_settings_list (settings, "listen");

  for (guint i = 0; list[i] != NULL; i++)
    {
      struct pollfd entry = { .fd = -1, .events = POLLIN };
      struct sockaddr_storage address;
      gboolean parsed = stun_socket_parse (list[i], &address);

      g_assert (parsed); /* service_stun_check() saw to it */
      entry.fd = stun_socket_open (&address,
                                   service_stun_has_ipv4 (list, service_stun_port_of (&address)));
      if (entry.fd < 0)
        {
          detour_settings_error (settings, "listen", error, "cannot bind UDP %s: %s%s", list[i],
                                 g_strerror (errno),
                                 errno == EADDRINUSE ? "; see who has it: ss -ulnp" : "");
          return FALSE;
        }
      g_array_append_val (self->polls, entry);
    }
  return TRUE;
}

static void
service_stun_close_descriptor (gpointer data)
{
  close (((struct pollfd *) data)->fd);
}

static void
service_stun_free (ServiceStun *self)
{
  g_clear_pointer (&self->polls, g_array_unref);
  g_clear_pointer (&self->batch, stun_batch_free);
  g_clear_pointer (&self->map, stun_map_free);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ServiceStun, service_stun_free)

static void
service_stun_find_counters (ServiceStun *self, DetourHost *host)
{
  static const struct {
    const char *name, *help;
  } verdicts[STUN_N_VERDICTS] = {
    [STUN_SHORT] = { "not_stun_short", "datagrams shorter than a STUN header" },
    [STUN_COOKIE] = { "not_stun_cookie", "datagrams without the magic cookie" },
    [STUN_TYPE] = { "not_stun_type", "messages that are no Binding request" },
    [STUN_ATTRIBUTES] = { "not_stun_attributes", "requests whose attributes do not parse" },
    [STUN_SOFTWARE] = { "not_stun_software", "requests without the mark of Tailscale's clients" },
    [STUN_FINGERPRINT] = { "not_stun_fingerprint", "requests without a right fingerprint" },
  };

  for (guint i = STUN_OK + 1; i < STUN_N_VERDICTS; i++)
    self->verdicts[i] = detour_host_counter (host, verdicts[i].name, verdicts[i].help);
  self->success = detour_host_counter (host, "requests_success", "requests answered");
  self->not_stun = detour_host_counter (host, "not_stun", "datagrams dropped, for any reason");
  self->not_ready = detour_host_counter (host, "not_ready",
                                         "datagrams dropped because the relay takes no clients");
  self->read_error = detour_host_counter (host, "read_error", "reads that failed");
  self->write_error = detour_host_counter (host, "write_error", "answers that could not be sent");
  self->ipv4 = detour_host_counter (host, "addrfamily_ipv4", "requests accepted over IPv4");
  self->ipv6 = detour_host_counter (host, "addrfamily_ipv6", "requests accepted over IPv6");
  self->no_local_addr = detour_host_counter (
      host, "no_local_addr", "requests accepted whose destination the kernel did not tell");
  self->mapped = detour_host_counter (host, "mapped", "answers with an address of the map");
}

static void
service_stun_tell_addresses (ServiceStun *self, const DetourSettings *settings)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i + 1 < self->polls->len; i++)
    {
      g_autofree char *name = stun_socket_name (g_array_index (self->polls, struct pollfd, i).fd);

      g_string_append_printf (names, "%s%s", i > 0 ? " " : "", name);
    }
  detour_host_set_summary (self->host, "listening on %s", names->str);
  detour_host_note_sockets (self->host, "stun", detour_settings_list (settings, "listen"));
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_EVENT, "listening",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "listening on %s", names->str);
}

/* Bound addresses that this host does not have, as text; empty when it has all. */
static char *
service_stun_absent_names (const ServiceStun *self)
{
  GString *names = g_string_new (NULL);

  for (guint i = 0; i + 1 < self->polls->len; i++)
    {
      int fd = g_array_index (self->polls, struct pollfd, i).fd;
      g_autofree char *name = stun_socket_name (fd);

      if (stun_socket_is_absent (fd))
        g_string_append_printf (names, "%s%s", names->len > 0 ? " " : "", name);
    }
  return g_string_free (names, FALSE);
}

/* An address that appears needs no action; only the trouble is cleared. */
static gboolean
service_stun_look_for_absent (gpointer data)
{
  ServiceStun *self = data;
  g_autofree char *names = service_stun_absent_names (self);

  if (names[0] == '\0')
    {
      detour_host_set_trouble (self->host, NULL);
      return FALSE;
    }
  detour_host_set_trouble (self->host,
                           "this host does not have %s; requests are answered there as soon as it "
                           "has",
                           names);
  return TRUE;
}

static void
service_stun_watch_absent (ServiceStun *self)
{
  g_autofree char *names = service_stun_absent_names (self);

  if (names[0] == '\0')
    return;
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "address-absent",
                    DETOUR_LOG_INSTANCE, detour_host_instance (self->host), "MESSAGE",
                    "this host does not have %s; requests are answered there as soon as it has",
                    names);
  detour_host_add_timer (self->host, ABSENT_LOOK_US, service_stun_look_for_absent, self);
  service_stun_look_for_absent (self);
}

static StunMap *
service_stun_read_map (const DetourSettings *settings, GError **error)
{
  const char *const *list = detour_settings_list (settings, "map");
  g_autoptr (StunMap) map = stun_map_new ();

  for (guint i = 0; list[i] != NULL; i++)
    {
      const char *problem = stun_map_add (map, list[i]);

      if (problem != NULL)
        {
          detour_settings_error (settings, "map", error, "\"%s\": %s", list[i], problem);
          return NULL;
        }
    }
  return g_steal_pointer (&map);
}

static gboolean
service_stun_check (const DetourSettings *settings, GError **error)
{
  const char *const *list = detour_settings_list (settings, "listen");
  g_autoptr (StunMap) map = NULL;

  for (guint i = 0; list[i] != NULL; i++)
    {
      struct sockaddr_storage address;

      if (!stun_socket_parse (list[i], &address))
        {
          detour_settings_error (settings, "listen", error,
                                 "\"%s\" is not an address for UDP; write 192.0.2.1:3478, "
                                 "[2001:db8::1]:3478 or :3478",
                                 list[i]);
          return FALSE;
        }
    }
  if (list[0] == NULL)
    {
      detour_settings_error (settings, "listen", error,
                             "no address; write [::]:3478, or enabled=false for no STUN");
      return FALSE;
    }
  map = service_stun_read_map (settings, error);
  return map != NULL;
}

static gpointer
service_stun_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  g_autoptr (ServiceStun) self = NULL;
  struct pollfd stop = { .events = POLLIN };

  if (!service_stun_check (settings, error))
    return NULL;
  self = g_new0 (ServiceStun, 1);
  self->host = host;
  self->any = g_str_equal (detour_settings_string (settings, "compat"), "any");
  self->always = g_str_equal (detour_settings_string (settings, "when-not-ready"), "answer");
  self->polls = g_array_new (FALSE, FALSE, sizeof (struct pollfd));
  g_array_set_clear_func (self->polls, service_stun_close_descriptor);
  if (!service_stun_open_sockets (self, settings, error))
    return NULL;
  stop.fd = eventfd (0, EFD_CLOEXEC);
  if (stop.fd < 0)
    {
      detour_settings_error (settings, NULL, error, "no descriptor is left: %s",
                             g_strerror (errno));
      return NULL;
    }
  g_array_append_val (self->polls, stop);
  self->batch = stun_batch_new ();
  self->map = service_stun_read_map (settings, NULL); /* service_stun_check() saw to it */
  service_stun_find_counters (self, host);
  service_stun_tell_addresses (self, settings);
  self->thread = g_thread_try_new ("stun", service_stun_run, self, error);
  if (self->thread == NULL)
    return NULL;
  service_stun_watch_absent (self);
  return g_steal_pointer (&self);
}

static void
service_stun_stop (gpointer data)
{
  g_autoptr (ServiceStun) self = data;
  const guint64 one = 1;
  int fd = g_array_index (self->polls, struct pollfd, self->polls->len - 1).fd;
  gssize written = write (fd, &one, sizeof one);

  g_assert (written == sizeof one);
  g_thread_join (self->thread);
}

DETOUR_PLUGIN_DEFINE (.name = "service-stun", .kind = DETOUR_KIND_SERVICE,
                      .summary = "tells clients the address they are seen from",
                      .config = service_stun_config, .check = service_stun_check,
                      .start = service_stun_start, .stop = service_stun_stop);
