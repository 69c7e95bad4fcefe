/* detour-guest.c: one connection from its acceptance to the moment it is registered, answered or refused.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-pool-private.h"

#include "detour-address.h"
#include "detour-http-upgrade.h"
#include "detour-login.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What may arrive in each state, and the time limit that runs. */
typedef enum {
  GUEST_HANDSHAKE, /* bytes of the record layer's handshake; handshake-timeout from the acceptance */
  GUEST_HEAD,      /* an HTTP head; the same limit goes on, or starts anew for a further request */
  GUEST_ANSWERING, /* nothing: the response is being written; handshake-timeout */
  GUEST_LINGERING, /* anything, thrown away, so that the peer still reads the response; LINGER_US */
  GUEST_LOGIN,     /* the ClientInfo frame; login-timeout */
  GUEST_ASKING,    /* nothing is read; the admission has its own limit */
  GUEST_HELD,      /* nothing is read: refused; refuse-hold */
  GUEST_CLOSED,    /* its memory waits for the end of the round */
  GUEST_N_STATES,
} GuestState;

#define TO(state) (1u << GUEST_##state)

static const guint16 next_states[GUEST_N_STATES] = {
  [GUEST_HANDSHAKE] = TO (HEAD) | TO (CLOSED),
  [GUEST_HEAD] = TO (ANSWERING) | TO (LOGIN) | TO (CLOSED),
  [GUEST_ANSWERING] = TO (HEAD) | TO (LINGERING) | TO (CLOSED),
  [GUEST_LINGERING] = TO (CLOSED),
  [GUEST_LOGIN] = TO (ASKING) | TO (CLOSED),
  [GUEST_ASKING] = TO (HELD) | TO (CLOSED),
  [GUEST_HELD] = TO (ASKING) | TO (CLOSED),
};

#define LINGER_US (2 * G_USEC_PER_SEC)

/* A question outlives the guest that asked it. */
typedef struct {
  gatomicrefcount refs;
  GMutex lock;
  DetourWorker *worker; /* under the lock; NULL: the guest is gone */
  DetourGuest *guest;   /* the thread of the pool only */
  DetourAuthResult result;
  char *label;
  char *source;
  char *reason;
} Ticket;

struct _DetourGuest {
  DetourIo io;
  DetourTimer timer;
  DetourPoolThread *thread;
  DetourListener *listener;
  DetourChannel channel;
  GuestState state;
  gboolean is_half_open; /* counted as such */
  guint64 number;
  struct sockaddr_storage peer;
  DetourSource half_open, source;
  GList link;      /* of all */
  GList held_link; /* of those that are held */
  GByteArray *plain; /* opened, not used yet */
  GByteArray *out;   /* sealed, not sent yet */
  gboolean close_after;
  gboolean not_ideal;
  DetourHttpHead head;
  DetourLogin login;
  Ticket *ticket; /* the question that is out; NULL: none */
};

static void process (DetourGuest *self);

static void
set_state (DetourGuest *self, GuestState next)
{
  g_assert (next_states[self->state] & (1u << next));
  self->state = next;
}

static void
set_limit (DetourGuest *self, gint64 after_us)
{
  DetourWheel *wheel = detour_worker_wheel (self->thread->worker);

  if (after_us > 0)
    detour_wheel_set (wheel, &self->timer, detour_worker_now_us (self->thread->worker) + after_us);
  else
    detour_wheel_clear (wheel, &self->timer);
}

static gboolean
reads (const DetourGuest *self)
{
  return self->state == GUEST_HANDSHAKE || self->state == GUEST_HEAD || self->state == GUEST_LOGIN
         || self->state == GUEST_LINGERING;
}

static void
set_events (DetourGuest *self)
{
  guint32 events = EPOLLRDHUP;

  if (reads (self))
    events = EPOLLIN;
  if (self->out->len > 0)
    events |= EPOLLOUT;
  detour_worker_modify (self->thread->worker, &self->io, events);
}

static void
leave_half_open (DetourGuest *self)
{
  if (!self->is_half_open)
    return;
  self->is_half_open = FALSE;
  detour_pool_adjust (&self->thread->pool->n_half_open, -1);
  detour_sources_leave (self->thread->pool->half_open_sources, &self->half_open);
}

static void
leave_held (DetourGuest *self)
{
  g_queue_unlink (&self->thread->held, &self->held_link);
  detour_pool_adjust (&self->thread->pool->n_held, -1);
}

/* The end ----------------------------------------------------------------------------------------------------- */

static void
ticket_unref (gpointer data)
{
  Ticket *ticket = data;

  if (!g_atomic_ref_count_dec (&ticket->refs))
    return;
  g_mutex_clear (&ticket->lock);
  g_free (ticket->label);
  g_free (ticket->source);
  g_free (ticket->reason);
  g_free (ticket);
}

static void
drop_ticket (DetourGuest *self)
{
  Ticket *ticket = g_steal_pointer (&self->ticket);

  if (ticket == NULL)
    return;
  g_mutex_lock (&ticket->lock);
  ticket->worker = NULL;
  g_mutex_unlock (&ticket->lock);
  ticket->guest = NULL;
  ticket_unref (ticket);
}

static void
release_guest (DetourWorker *worker, gpointer data)
{
  DetourGuest *self = data;

  g_byte_array_unref (self->plain);
  g_byte_array_unref (self->out);
  detour_listener_unref (self->listener);
  g_free (self);
}

/* Takes the guest off the thread; descriptor, channel and source are the caller's business. */
static void
retire (DetourGuest *self)
{
  if (self->state == GUEST_HELD)
    leave_held (self);
  leave_half_open (self);
  drop_ticket (self);
  set_state (self, GUEST_CLOSED);
  detour_wheel_clear (detour_worker_wheel (self->thread->worker), &self->timer);
  detour_worker_remove (self->thread->worker, &self->io);
  g_queue_unlink (&self->thread->guests, &self->link);
  detour_login_clear (&self->login);
  detour_worker_defer (self->thread->worker, release_guest, self);
}

void
detour_guest_close (DetourGuest *self, DetourClose reason)
{
  char address[DETOUR_ADDRESS_TEXT_MAX];

  detour_counter_add (&self->thread->counters.closed[reason], 1);
  detour_address_format ((struct sockaddr *) &self->peer, address);
  g_log_structured (G_LOG_DOMAIN, detour_close_is_noise (reason) ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_INFO,
                    DETOUR_LOG_ADDRESS, address, DETOUR_LOG_LISTENER, self->listener->instance, DETOUR_LOG_REASON,
                    detour_close_name (reason), "MESSAGE", "%s: connection closed before it was registered, %s", address,
                    detour_close_text (reason));

  retire (self);
  close (self->io.fd);
  detour_channel_clear (&self->channel);
  detour_sources_leave (self->thread->pool->parts.sources, &self->source);
}

/* Output ------------------------------------------------------------------------------------------------------ */

/* FALSE: closed. */
static gboolean
flush_out (DetourGuest *self)
{
  while (self->out->len > 0)
    {
      gssize n = send (self->io.fd, self->out->data, self->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno != EAGAIN)
        {
          detour_guest_close (self, DETOUR_CLOSE_WRITE);
          return FALSE;
        }
      if (n < 0)
        break;
      g_byte_array_remove_range (self->out, 0, (guint) n);
    }
  set_events (self);
  return TRUE;
}

/* Seals and sends; FALSE: closed. */
static gboolean
put (DetourGuest *self, const guint8 *data, gsize len)
{
  DetourBuffer *out = &self->thread->out;

  do
    {
      struct iovec span = { (void *) data, MIN (len, DETOUR_CHANNEL_RECORD_MAX) };

      out->len = 0;
      if (!detour_channel_seal (&self->channel, &span, span.iov_len > 0 ? 1 : 0, out))
        {
          detour_guest_close (self, DETOUR_CLOSE_RECORD);
          return FALSE;
        }
      g_byte_array_append (self->out, out->data, (guint) out->len);
      data += span.iov_len;
      len -= span.iov_len;
    }
  while (len > 0);
  return flush_out (self);
}

/* HTTP -------------------------------------------------------------------------------------------------------- */

/* The response was written: another request, or the end. FALSE: closed. */
static gboolean
after_answer (DetourGuest *self)
{
  DetourBuffer *out = &self->thread->out;

  if (!self->close_after)
    {
      set_state (self, GUEST_HEAD);
      detour_http_head_init (&self->head);
      set_limit (self, self->thread->limits.handshake_timeout_us);
      return TRUE;
    }

  out->len = 0;
  detour_channel_close (&self->channel, out);
  if (out->len > 0 && send (self->io.fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    {
      detour_guest_close (self, DETOUR_CLOSE_WRITE);
      return FALSE;
    }
  set_state (self, GUEST_LINGERING);
  set_limit (self, LINGER_US);
  shutdown (self->io.fd, SHUT_WR);
  return TRUE;
}

/* FALSE: closed, or the response is not out yet. */
static gboolean
answer (DetourGuest *self, DetourHttpResponse *response, const DetourHttpRequest *request)
{
  g_autoptr (GByteArray) bytes
      = detour_http_response_to_bytes (response, request, FALSE, g_get_real_time ());

  self->close_after = !detour_http_response_keeps_alive (response, request);
  set_state (self, GUEST_ANSWERING);
  if (!put (self, bytes->data, bytes->len) || self->out->len > 0)
    return FALSE;
  if (!after_answer (self))
    return FALSE;
  set_events (self);
  return TRUE;
}

static gboolean
begin_derp (DetourGuest *self, gboolean fast_start)
{
  const DetourPoolParts *parts = &self->thread->pool->parts;
  guint8 frame[DETOUR_FRAME_SERVER_KEY_SIZE];

  detour_counter_add (&self->thread->counters.derp, 1);
  set_state (self, GUEST_LOGIN);
  set_limit (self, self->thread->limits.login_timeout_us);
  if (!fast_start)
    {
      guint8 bytes[DETOUR_HTTP_UPGRADE_ANSWER_SIZE];
      DetourBuffer head = { bytes, 0, sizeof bytes };

      detour_http_upgrade_answer (parts->server_key.bytes, &head);
      if (!put (self, bytes, head.len))
        return FALSE;
    }
  detour_frame_put_server_key (frame, &parts->server_key);
  return put (self, frame, sizeof frame);
}

/* FALSE: closed, or waits for something. */
static gboolean
on_head (DetourGuest *self)
{
  DetourHttpHeadResult result = detour_http_head_parse (&self->head, self->plain->data, self->plain->len);
  g_autoptr (DetourHttpResponse) response = NULL;
  g_autoptr (DetourHttpRequest) request = NULL;
  gboolean on_derp_path;
  DetourHttpUpgrade upgrade;
  guint16 head_len = self->head.len;

  if (result == DETOUR_HTTP_HEAD_MORE)
    return FALSE;

  detour_counter_add (&self->thread->counters.requests, 1);
  response = detour_http_response_new ();
  if (result == DETOUR_HTTP_HEAD_BAD)
    {
      detour_http_response_set_error (response, self->head.status, self->head.reason);
      answer (self, response, NULL);
      return FALSE;
    }

  on_derp_path = self->listener->flags & DETOUR_LISTENER_DERP && detour_http_head_is (&self->head, self->head.path, "/derp");
  if (on_derp_path)
    {
      upgrade = detour_http_upgrade_of (&self->head);
      if (upgrade.protocol == DETOUR_HTTP_UPGRADE_DERP)
        {
          self->not_ideal = upgrade.not_ideal;
          g_byte_array_remove_range (self->plain, 0, head_len);
          return begin_derp (self, upgrade.fast_start);
        }
      detour_http_response_set_error (response, 426, "DERP requires connection upgrade");
    }

  request = detour_http_request_new (&self->head, &self->peer, self->listener->instance, self->listener->flags);
  if (!on_derp_path)
    detour_http_routes_answer (self->thread->pool->parts.routes, request, response);
  g_byte_array_remove_range (self->plain, 0, head_len);
  return answer (self, response, request);
}

/* Login ------------------------------------------------------------------------------------------------------- */

static guint8
present_flags (const DetourGuest *self)
{
  guint8 flags = 0;

  if (self->login.is_mesh)
    flags |= DETOUR_FRAME_PRESENT_MESH;
  if (self->login.is_prober)
    flags |= DETOUR_FRAME_PRESENT_PROBER;
  if (self->not_ideal)
    flags |= DETOUR_FRAME_PRESENT_NOT_IDEAL;
  return flags != 0 ? flags : DETOUR_FRAME_PRESENT_REGULAR;
}

static void
fill_presence (const DetourGuest *self, DetourPresence *presence)
{
  if (detour_address_bytes ((const struct sockaddr *) &self->peer, presence->ip))
    presence->port = self->peer.ss_family == AF_INET6
                         ? g_ntohs (((const struct sockaddr_in6 *) &self->peer)->sin6_port)
                         : g_ntohs (((const struct sockaddr_in *) &self->peer)->sin_port);
  presence->flags = present_flags (self);
  presence->name_len = (guint8) strlen (self->login.app_name);
  memcpy (presence->name, self->login.app_name, presence->name_len);
}

/* The carrier with the fewest connections. */
static DetourCarrier *
choose_carrier (const DetourPool *pool)
{
  DetourCarrier *best = pool->parts.carriers[0];

  for (guint i = 1; i < pool->parts.n_carriers; i++)
    if (detour_carrier_n_conns (pool->parts.carriers[i]) < detour_carrier_n_conns (best))
      best = pool->parts.carriers[i];
  return best;
}

static void
log_login (const DetourGuest *self, const char *label)
{
  g_autofree char *key = detour_key_to_text (&self->login.key);
  char short_key[9], address[DETOUR_ADDRESS_TEXT_MAX];

  detour_key_to_short (&self->login.key, short_key);
  detour_address_format ((const struct sockaddr *) &self->peer, address);
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_DEBUG, DETOUR_LOG_KEY, key, DETOUR_LOG_ADDRESS, address,
                    DETOUR_LOG_LISTENER, self->listener->instance, "MESSAGE", "client %s%s%s: connected from %s",
                    short_key, label != NULL ? " " : "", label != NULL ? label : "", address);
}

static void
admit (DetourGuest *self, const char *label)
{
  DetourPool *pool = self->thread->pool;
  DetourSession *session = g_new0 (DetourSession, 1);
  guint8 info[DETOUR_LOGIN_SERVER_INFO_SIZE];

  log_login (self, label);
  detour_login_server_info (&self->login, NULL, info);
  session->fd = self->io.fd;
  session->channel = self->channel;
  session->number = self->number;
  session->key = self->login.key;
  session->is_mesh = self->login.is_mesh;
  session->label = g_strdup (label);
  session->listener = g_strdup (self->listener->instance);
  session->source = self->source;
  fill_presence (self, &session->presence);
  session->output = g_byte_array_append (g_byte_array_new (), info, sizeof info);
  if (self->out->len > 0)
    session->sealed = g_byte_array_ref (self->out);
  if (self->plain->len > 0)
    session->input = g_byte_array_ref (self->plain);

  retire (self);
  detour_carrier_adopt (choose_carrier (pool), session);
}

/* Everyone can produce keys without end, so the log takes only some of them. */
static void
log_refusal (DetourGuest *self, const Ticket *ticket)
{
  DetourPoolThread *thread = self->thread;
  g_autofree char *key = detour_key_to_text (&self->login.key);
  char address[DETOUR_ADDRESS_TEXT_MAX];
  gboolean show = detour_bucket_take (&thread->refusals, 1, 5, 1, detour_worker_now_us (thread->worker));

  if (!show)
    thread->n_unlogged++;
  detour_address_format ((struct sockaddr *) &self->peer, address);
  g_log_structured (G_LOG_DOMAIN, show ? G_LOG_LEVEL_MESSAGE : G_LOG_LEVEL_DEBUG, DETOUR_LOG_KEY, key,
                    DETOUR_LOG_ADDRESS, address, DETOUR_LOG_LISTENER, self->listener->instance, DETOUR_LOG_INSTANCE,
                    ticket->source, "MESSAGE", "refused %s from %s: %s (%s)", key, address,
                    ticket->reason != NULL ? ticket->reason : "no reason given", ticket->source);
  if (show && thread->n_unlogged > 0)
    {
      g_message ("%u more refusals were not logged", thread->n_unlogged);
      thread->n_unlogged = 0;
    }
}

static void
refuse (DetourGuest *self, const Ticket *ticket)
{
  DetourPoolThread *thread = self->thread;

  detour_counter_add (&thread->counters.refused, 1);
  log_refusal (self, ticket);
  if (thread->refuse_hold_us == 0)
    {
      detour_guest_close (self, DETOUR_CLOSE_REFUSED);
      return;
    }

  set_state (self, GUEST_HELD);
  leave_half_open (self);
  g_queue_push_tail_link (&thread->held, &self->held_link);
  detour_pool_adjust (&thread->pool->n_held, 1);
  set_limit (self, thread->refuse_hold_us);
  set_events (self);
  if (detour_pool_n_held (thread->pool) > DETOUR_POOL_HELD_MAX)
    detour_guest_close (thread->held.head->data, DETOUR_CLOSE_REFUSED);
}

/* A thread of the pool has the verdict. */
static void
on_verdict (DetourWorker *worker, gpointer data)
{
  Ticket *ticket = data;
  DetourGuest *self = ticket->guest;

  if (self != NULL)
    {
      self->ticket = NULL;
      if (ticket->result == DETOUR_AUTH_ALLOW)
        admit (self, ticket->label);
      else
        refuse (self, ticket);
      ticket_unref (ticket);
    }
  ticket_unref (ticket);
}

/* Main thread. */
static void
on_admission (const DetourAdmissionVerdict *verdict, gpointer data)
{
  Ticket *ticket = data;

  ticket->result = verdict->result;
  ticket->label = g_strdup (verdict->label);
  ticket->source = g_strdup (verdict->source);
  ticket->reason = g_strdup (verdict->reason);

  g_mutex_lock (&ticket->lock);
  if (ticket->worker != NULL)
    {
      g_atomic_ref_count_inc (&ticket->refs);
      detour_worker_post (ticket->worker, on_verdict, ticket);
    }
  g_mutex_unlock (&ticket->lock);
  ticket_unref (ticket);
}

static void
ask (DetourGuest *self)
{
  DetourAdmissionQuestion question = { .key = self->login.key, .prober = self->login.is_prober };
  char source[DETOUR_ADDRESS_TEXT_MAX];
  DetourChannelInfo info;

  self->ticket = g_new0 (Ticket, 1);
  g_atomic_ref_count_init (&self->ticket->refs);
  g_atomic_ref_count_inc (&self->ticket->refs);
  g_mutex_init (&self->ticket->lock);
  self->ticket->worker = self->thread->worker;
  self->ticket->guest = self;

  detour_channel_info (&self->channel, &info);
  detour_address_format_host ((struct sockaddr *) &self->peer, source);
  g_strlcpy (question.source, source, sizeof question.source);
  question.sni = (char *) info.sni;
  question.listener = self->listener->instance;
  g_strlcpy (question.app_name, self->login.app_name, sizeof question.app_name);
  detour_admission_ask (self->thread->pool->parts.admission, &question, on_admission, self->ticket);
}

void
detour_guest_ask_again (DetourGuest *self)
{
  leave_held (self);
  set_state (self, GUEST_ASKING);
  set_limit (self, 0);
  ask (self);
}

/* FALSE: closed, or waits for something. */
static gboolean
on_login (DetourGuest *self)
{
  DetourPoolThread *thread = self->thread;
  const DetourPoolParts *parts = &thread->pool->parts;
  const char *reason = NULL;
  DetourFrame frame;
  DetourFrameVerdict verdict = detour_login_parse (self->plain->data, self->plain->len, &frame);

  if (verdict == DETOUR_FRAME_MORE)
    return FALSE;
  if (verdict != DETOUR_FRAME_OK
      || !detour_login_open (frame.payload, frame.len, parts->server_secret,
                             thread->has_mesh_key ? thread->mesh_key : NULL, &self->login, &reason))
    {
      g_debug ("login refused: %s", reason != NULL ? reason : "not a ClientInfo frame of an acceptable length");
      detour_guest_close (self, DETOUR_CLOSE_LOGIN);
      return FALSE;
    }

  detour_counter_add (&thread->counters.logins, 1);
  g_byte_array_remove_range (self->plain, 0, DETOUR_FRAME_HEADER_SIZE + frame.len);
  set_state (self, GUEST_ASKING);
  set_limit (self, 0);
  if (self->login.is_mesh || detour_admission_is_open (parts->admission))
    admit (self, NULL);
  else
    {
      set_events (self);
      ask (self);
    }
  return FALSE;
}

/* Input ------------------------------------------------------------------------------------------------------- */

static void
process (DetourGuest *self)
{
  gboolean goes_on = TRUE;

  while (goes_on)
    {
      if (self->state == GUEST_HEAD)
        goes_on = on_head (self);
      else if (self->state == GUEST_LOGIN)
        goes_on = on_login (self);
      else
        goes_on = FALSE;
    }
}

/* Opens what came into guest->plain; FALSE: closed. */
static gboolean
open_bytes (DetourGuest *self, const guint8 *data, gsize len)
{
  DetourBuffer *plain = &self->thread->plain;
  gboolean reply = FALSE;
  DetourChannelResult result;

  if (len == 0)
    return TRUE;
  plain->len = 0;
  result = detour_channel_feed (&self->channel, data, len, plain, &reply);
  g_byte_array_append (self->plain, plain->data, (guint) plain->len);
  if (reply && !put (self, NULL, 0))
    return FALSE;
  if (result != DETOUR_CHANNEL_OK)
    {
      detour_guest_close (self, result == DETOUR_CHANNEL_CLOSED ? DETOUR_CLOSE_PEER : DETOUR_CLOSE_RECORD);
      return FALSE;
    }
  return TRUE;
}

/* FALSE: closed, or the handshake wants more. */
static gboolean
handshake (DetourGuest *self, const guint8 *data, gsize len)
{
  DetourPoolThread *thread = self->thread;
  DetourBuffer *out = &thread->out;
  DetourChannelResult result;
  const char *reason = NULL;
  gsize used = 0;
  gint64 start_us = g_get_monotonic_time ();

  do
    {
      gsize n = 0;

      out->len = 0;
      result = self->channel.cls->handshake (self->channel.self, data + used, len - used, &n, out, &reason);
      used += n;
      g_byte_array_append (self->out, out->data, (guint) out->len);
    }
  while (result == DETOUR_CHANNEL_MORE && used < len);
  detour_counter_add (&thread->counters.handshake_us, (guint64) (g_get_monotonic_time () - start_us));

  if (!flush_out (self))
    return FALSE;
  if (result == DETOUR_CHANNEL_MORE)
    return FALSE;
  if (result != DETOUR_CHANNEL_OK)
    {
      g_debug ("handshake: %s", reason != NULL ? reason : "failed");
      detour_guest_close (self, DETOUR_CLOSE_HANDSHAKE);
      return FALSE;
    }

  if (self->channel.cls->settle != NULL)
    self->channel.self = self->channel.cls->settle (self->channel.self, &self->channel.cls);
  set_state (self, GUEST_HEAD);
  return open_bytes (self, data + used, len - used);
}

static void
read_some (DetourGuest *self)
{
  DetourBuffer *in = &self->thread->in;
  gssize n = recv (self->io.fd, in->data, in->cap, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    {
      detour_guest_close (self, n < 0 ? DETOUR_CLOSE_RESET
                                      : self->state == GUEST_LINGERING ? DETOUR_CLOSE_SERVED : DETOUR_CLOSE_PEER);
      return;
    }
  if (self->state == GUEST_LINGERING)
    return;
  if (self->state == GUEST_HANDSHAKE ? handshake (self, in->data, (gsize) n) : open_bytes (self, in->data, (gsize) n))
    process (self);
}

static void
on_ready (DetourWorker *worker, DetourIo *io, guint32 events)
{
  DetourGuest *self = (DetourGuest *) io;

  if (events & EPOLLOUT)
    {
      if (!flush_out (self))
        return;
      if (self->state == GUEST_ANSWERING && self->out->len == 0)
        {
          if (!after_answer (self))
            return;
          set_events (self);
          process (self);
          if (self->state == GUEST_CLOSED)
            return;
        }
    }
  if (reads (self) && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    read_some (self);
  else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
    detour_guest_close (self, DETOUR_CLOSE_PEER);
}

void
detour_guest_timer (DetourPoolThread *thread, DetourTimer *timer)
{
  static const DetourClose reasons[GUEST_N_STATES] = {
    [GUEST_HANDSHAKE] = DETOUR_CLOSE_HANDSHAKE_TIME, [GUEST_HEAD] = DETOUR_CLOSE_HANDSHAKE_TIME,
    [GUEST_ANSWERING] = DETOUR_CLOSE_WRITE_TIME,     [GUEST_LINGERING] = DETOUR_CLOSE_SERVED,
    [GUEST_LOGIN] = DETOUR_CLOSE_LOGIN_TIME,         [GUEST_HELD] = DETOUR_CLOSE_REFUSED,
  };
  DetourGuest *self = (DetourGuest *) (gpointer) ((guint8 *) timer - G_STRUCT_OFFSET (DetourGuest, timer));

  detour_guest_close (self, reasons[self->state]);
}

/* FALSE: the transport would not have it. */
static gboolean
make_channel (DetourGuest *self)
{
  DetourAccepted accepted = { .peer = self->peer, .listener = self->listener->instance };
  socklen_t len = sizeof accepted.local;

  self->channel.cls = &detour_channel_plain;
  if (self->listener->channel == NULL)
    return TRUE;
  if (getsockname (self->io.fd, (struct sockaddr *) &accepted.local, &len) < 0)
    return FALSE;
  self->channel.self = self->listener->accept (self->listener->user, &accepted);
  if (self->channel.self == NULL)
    return FALSE;
  self->channel.cls = self->listener->channel;
  return TRUE;
}

void
detour_guest_new (DetourPoolThread *thread, DetourListener *listener, int fd, const struct sockaddr_storage *peer,
                  DetourSource half_open, DetourSource source)
{
  DetourGuest *self = g_new0 (DetourGuest, 1);

  self->io = (DetourIo) { on_ready, fd, EPOLLIN };
  self->thread = thread;
  self->listener = detour_listener_ref (listener);
  self->state = GUEST_HANDSHAKE;
  self->peer = *peer;
  self->half_open = half_open;
  self->source = source;
  self->is_half_open = TRUE;
  self->number = __atomic_add_fetch (&thread->pool->n_connections, 1, __ATOMIC_RELAXED);
  self->link.data = self;
  self->held_link.data = self;
  self->plain = g_byte_array_new ();
  self->out = g_byte_array_new ();
  detour_http_head_init (&self->head);
  detour_pool_adjust (&thread->pool->n_half_open, 1);
  g_queue_push_tail_link (&thread->guests, &self->link);

  if (!detour_worker_add (thread->worker, &self->io) || !make_channel (self))
    {
      detour_guest_close (self, DETOUR_CLOSE_HANDSHAKE);
      return;
    }
  set_limit (self, thread->limits.handshake_timeout_us);

  /* Some channels need nothing of the peer, or speak first. */
  if (handshake (self, NULL, 0))
    process (self);
}
