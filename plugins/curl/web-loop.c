/* web-loop.c: drives transfers of libcurl from a GMainContext.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "web-loop.h"

#include <glib-unix.h>

struct _WebLoop {
  guint n_refs;
  CURLM *multi;
  GMainContext *context;
  GSource *timer;
  WebLoopDone done;
};

/* One descriptor that libcurl waits for. */
typedef struct {
  WebLoop *loop;
  GSource *source; /* NULL: not watched */
  int watched;     /* CURL_CSELECT_IN, CURL_CSELECT_OUT */
} Watch;

static void
web_loop_read_messages (WebLoop *self)
{
  CURLMsg *message;
  int n_left;

  while ((message = curl_multi_info_read (self->multi, &n_left)) != NULL)
    if (message->msg == CURLMSG_DONE)
      self->done (message->easy_handle, message->data.result);
}

static void
web_loop_act (WebLoop *self, curl_socket_t fd, int events)
{
  int n_running;

  /* The user of the loop may drop it when a transfer is over. */
  web_loop_ref (self);
  curl_multi_socket_action (self->multi, fd, events, &n_running);
  web_loop_read_messages (self);
  web_loop_unref (self);
}

/* Sockets -------------------------------------------------------------------------------------- */

static gboolean
web_loop_on_socket (gint fd, GIOCondition condition, gpointer user)
{
  Watch *watch = user;
  int events = ((condition & G_IO_IN) != 0 ? CURL_CSELECT_IN : 0)
             | ((condition & G_IO_OUT) != 0 ? CURL_CSELECT_OUT : 0);

  /* An end or an error is found by whoever reads or writes. */
  if ((condition & (G_IO_ERR | G_IO_HUP)) != 0)
    events |= watch->watched;
  /* @watch may be gone afterwards. */
  web_loop_act (watch->loop, fd, events);
  return G_SOURCE_CONTINUE;
}

static void
web_loop_unwatch (Watch *watch)
{
  if (watch->source != NULL)
    g_source_destroy (watch->source);
  g_clear_pointer (&watch->source, g_source_unref);
}

static int
web_loop_watch (CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
  WebLoop *self = user;
  Watch *watch = socket_user;
  gboolean in = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
  gboolean out = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;

  if (watch != NULL)
    web_loop_unwatch (watch);
  if (what == CURL_POLL_REMOVE)
    {
      g_free (watch);
      curl_multi_assign (self->multi, fd, NULL);
      return 0;
    }
  if (watch == NULL)
    {
      watch = g_new0 (Watch, 1);
      watch->loop = self;
      curl_multi_assign (self->multi, fd, watch);
    }
  watch->watched = (in ? CURL_CSELECT_IN : 0) | (out ? CURL_CSELECT_OUT : 0);
  watch->source = g_unix_fd_source_new (fd, (in ? G_IO_IN : 0) | (out ? G_IO_OUT : 0));
  g_source_set_callback (watch->source, G_SOURCE_FUNC (web_loop_on_socket), watch, NULL);
  g_source_attach (watch->source, self->context);
  return 0;
}

/* Time ----------------------------------------------------------------------------------------- */

static gboolean
web_loop_on_timer (GSource *source, GSourceFunc func, gpointer user)
{
  g_source_set_ready_time (source, -1);
  return func (user);
}

static gboolean
web_loop_on_time (gpointer user)
{
  web_loop_act (user, CURL_SOCKET_TIMEOUT, 0);
  return G_SOURCE_CONTINUE;
}

static int
web_loop_set_timer (CURLM *multi, long timeout_ms, void *user)
{
  WebLoop *self = user;

  g_source_set_ready_time (
      self->timer,
      timeout_ms < 0 ? -1 : g_get_monotonic_time () + timeout_ms * G_TIME_SPAN_MILLISECOND);
  return 0;
}

/* Life ----------------------------------------------------------------------------------------- */

WebLoop *
web_loop_new (guint connections_max, WebLoopDone done)
{
  static GSourceFuncs timer_funcs = { NULL, NULL, web_loop_on_timer, NULL, NULL, NULL };
  WebLoop *self = g_new0 (WebLoop, 1);

  self->n_refs = 1;
  self->done = done;
  self->context = g_main_context_ref_thread_default ();
  self->timer = g_source_new (&timer_funcs, sizeof (GSource));
  g_source_set_callback (self->timer, web_loop_on_time, self, NULL);
  g_source_attach (self->timer, self->context);
  curl_global_init (CURL_GLOBAL_DEFAULT);
  self->multi = curl_multi_init ();
  g_assert (self->multi != NULL); /* memory; GLib would end the process as well */
  curl_multi_setopt (self->multi, CURLMOPT_SOCKETFUNCTION, web_loop_watch);
  curl_multi_setopt (self->multi, CURLMOPT_SOCKETDATA, self);
  curl_multi_setopt (self->multi, CURLMOPT_TIMERFUNCTION, web_loop_set_timer);
  curl_multi_setopt (self->multi, CURLMOPT_TIMERDATA, self);
  curl_multi_setopt (self->multi, CURLMOPT_PIPELINING, (long) CURLPIPE_NOTHING);
  curl_multi_setopt (self->multi, CURLMOPT_MAXCONNECTS, (long) connections_max);
  return self;
}

WebLoop *
web_loop_ref (WebLoop *self)
{
  self->n_refs++;
  return self;
}

void
web_loop_unref (WebLoop *self)
{
  if (--self->n_refs > 0)
    return;
  curl_multi_cleanup (self->multi);
  g_source_destroy (self->timer);
  g_source_unref (self->timer);
  g_main_context_unref (self->context);
  g_free (self);
}

void
web_loop_add (WebLoop *self, CURL *easy)
{
  CURLMcode code = curl_multi_add_handle (self->multi, easy);

  g_assert (code == CURLM_OK);
}

void
web_loop_remove (WebLoop *self, CURL *easy)
{
  curl_multi_remove_handle (self->multi, easy);
}
