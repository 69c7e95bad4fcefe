/* detour-handshake-end.c: the end of a connection that is not registered: its goodbye, its socket
 * and its memory.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handshake-private.h"

#include "detour-channel-stack.h"
#include "detour-log.h"
#include "detour-memory.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Memory is given back after a time in which a thread had so many connections at once. */
#define STORM 256u

/* Handshakes leave behind memory that the C library keeps, some 20 KB each, when many went on at a
 * time: what is left of a storm is given back when it is over. */
static void
handshake_end_give_memory_back (DetourHandshakeThread *thread)
{
  guint n_held;

  if (thread->peak < STORM)
    return;
  detour_handshake_pool_lock (thread->pool);
  n_held = thread->pool->held.length;
  detour_handshake_pool_unlock (thread->pool);
  if (thread->handshakes.length > n_held)
    return;
  thread->peak = 0;
  detour_memory_trim ();
}

static void
handshake_end_release (DetourLoop *loop, gpointer data)
{
  DetourHandshake *self = data;
  DetourHandshakeThread *thread = self->thread;

  g_byte_array_unref (self->plain);
  g_byte_array_unref (self->out);
  g_clear_pointer (&self->request, detour_auth_request_unref);
  g_clear_pointer (&self->tenant, detour_tenant_unref);
  detour_listener_unref (self->listener);
  g_free (self->proxy);
  g_free (self);
  handshake_end_give_memory_back (thread);
}

void
detour_handshake_retire (DetourHandshake *self)
{
  detour_handshake_stop_asking (self);
  detour_handshake_drop_exchange (self);
  detour_handshake_enter (self, DETOUR_HANDSHAKE_CLOSED);
  g_queue_unlink (&self->thread->handshakes, &self->link);
  detour_login_clear (&self->login);
  detour_loop_defer (self->thread->loop, handshake_end_release, self);
}

gboolean
detour_handshake_say_goodbye (DetourHandshake *self)
{
  DetourBuffer *out = &self->thread->out;

  if (!detour_handshake_row (self->state)->is_sealed || self->out->len > 0)
    return TRUE;
  out->len = 0;
  detour_channel_close (&self->channel, out);
  return out->len == 0 || send (self->io.fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

const char *
detour_handshake_format_addresses (const DetourHandshake *self, char *out)
{
  char client[DETOUR_ADDRESS_TEXT_MAX], proxy[DETOUR_ADDRESS_TEXT_MAX];

  detour_address_format ((const struct sockaddr *) &self->peer, client);
  if (self->proxy != NULL)
    detour_address_format ((const struct sockaddr *) self->proxy, proxy);
  g_snprintf (out, DETOUR_HANDSHAKE_ADDRESSES_MAX, "%s%s%s", client,
              self->proxy != NULL ? " through " : "", self->proxy != NULL ? proxy : "");
  return out;
}

static void
handshake_end_log (const DetourHandshake *self, DetourClose reason)
{
  GLogLevelFlags level = detour_close_is_noise (reason) ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_INFO;
  char address[DETOUR_ADDRESS_TEXT_MAX], addresses[DETOUR_HANDSHAKE_ADDRESSES_MAX];

  if (!detour_log_wants (level))
    return;
  detour_address_format ((const struct sockaddr *) &self->peer, address);
  g_log_structured (
      G_LOG_DOMAIN, level, DETOUR_LOG_EVENT, "handshake-end", DETOUR_LOG_ADDRESS, address,
      DETOUR_LOG_LISTENER, self->listener->instance, DETOUR_LOG_REASON, detour_close_name (reason),
      "MESSAGE", "%s: connection closed before it was registered, %s",
      detour_handshake_format_addresses (self, addresses), detour_close_text (reason));
}

/* It was in @state: the peer has had a last word of us, if only an alert, and nobody needs its
 * place at once. */
static gboolean
handshake_end_parts (const DetourHandshake *self, DetourClose reason, DetourHandshakeState state)
{
  gboolean was_told = detour_handshake_row (state)->is_sealed
                   || (state == DETOUR_HANDSHAKE_RECORD && reason == DETOUR_CLOSE_HANDSHAKE);

  return was_told && self->out->len == 0 && reason != DETOUR_CLOSE_LIMIT
      && reason != DETOUR_CLOSE_WRITE && reason != DETOUR_CLOSE_RESET;
}

/* One that must go before anything was agreed with it is reset: the kernel would otherwise keep
 * each of them for a minute, and the timers of tens of thousands hold up the packets of others. */
static void
handshake_end_close_socket (const DetourHandshake *self, DetourClose reason,
                            DetourHandshakeState state)
{
  const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

  if (handshake_end_parts (self, reason, state))
    {
      /* A channel is put over another one when the login begins, and asked what it is then. */
      gboolean answers = state >= DETOUR_HANDSHAKE_LOGIN
                      && detour_channel_stack_is_upper (&self->channel);

      detour_partings_add (&self->thread->partings, self->thread->loop, self->io.fd, answers);
      return;
    }
  if (!detour_handshake_row (state)->is_sealed
      && (reason == DETOUR_CLOSE_LIMIT || reason == DETOUR_CLOSE_HANDSHAKE_TIME))
    setsockopt (self->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close (self->io.fd);
}

void
detour_handshake_close (DetourHandshake *self, DetourClose reason)
{
  DetourHandshakeState state = self->state;

  detour_counter_add (&self->thread->counters.closed[reason], 1);
  handshake_end_log (self, reason);
  if (!detour_handshake_say_goodbye (self))
    g_debug ("no goodbye: %s", g_strerror (errno));
  detour_handshake_retire (self);
  handshake_end_close_socket (self, reason, state);
  detour_channel_clear (&self->channel);
  detour_address_counts_leave (self->thread->pool->parts.addresses, &self->counted);
}
