/* tailscaled.c: one tailscaled as its LocalAPI shows it: which keys it knows, and its status.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tailscaled.h"

#include <errno.h>
#include <string.h>

#include "answering.h"
#include "local-transfer.h"

#define LOOK_EVERY_US            (30 * G_TIME_SPAN_SECOND)
#define LOOK_EVERY_IN_TROUBLE_US (2 * G_TIME_SPAN_SECOND)
/* A request that waits for so long is accompanied by a look: if the answer is "not known", it is
 * clear by then whether that means anything, and both together take no longer than one of them. */
#define LOOK_BESIDE_US (G_TIME_SPAN_SECOND / 2)

typedef struct {
  Tailscaled *daemon;
  TailscaledAsk *ask; /* NULL: about itself */
  CURL *easy;
  GByteArray *body;
  gboolean too_long;
  gboolean is_length_broken;
  char *length; /* as Content-Length has it; NULL: not there */
  gint64 start_us;
} Request;

struct _Tailscaled {
  CURLM *multi;
  char *socket;
  const char *const *alternatives;
  guint timeout_ms;
  void (*recovered) (gpointer user);
  gpointer user;

  Request *look; /* at itself; NULL: none is out */
  gint64 next_look_us;
  gint64 look_us;      /* when the last one began; 0: never */
  gint64 connected_us; /* since when each look saw it connected; 0: the last one did not */
  gint64 seen_us;      /* when the last of these looks began */
  GQueue asked;        /* of TailscaledAsk: first requests that are out, the oldest first */
  GPtrArray *waiting; /* of TailscaledAsk: not known, and it is not sure that this means anything */
  char *look_trouble; /* it is not there, or not connected: until it says otherwise */
  char *whois_trouble;     /* it did not answer about a key as it should: until it answers one */
  gint64 trouble_since_us; /* Unix time */
  guint8 probe_key[DETOUR_KEY_SIZE]; /* the key that it did not answer about */
  TailscaledAsk *probe;              /* about that key, by the plugin itself; NULL: none is out */
  gint64 latency_us;
};

struct _TailscaledAsk {
  Tailscaled *daemon;
  Request *request; /* NULL: waits for a look */
  guint8 key[DETOUR_KEY_SIZE];
  gint64 asked_us;
  gboolean is_second; /* asked again after it was seen that it is connected */
  TailscaledAnswer done;
  gpointer data;
  GList link; /* among those that are out */
};

static void tailscaled_on_look (Tailscaled *self, Request *request, CURLcode code);
static void tailscaled_on_whois (TailscaledAsk *ask, Request *request, CURLcode code);

/* Requests ------------------------------------------------------------------------------------- */

static size_t
tailscaled_write_body (char *data, size_t size, size_t n, void *user)
{
  Request *request = user;

  if (n > WHOIS_ANSWER_MAX - request->body->len)
    {
      request->too_long = TRUE;
      return 0;
    }
  g_byte_array_append (request->body, (const guint8 *) data, (guint) n);
  return n;
}

/* The value of the header @name in @line, without blanks; NULL: it is another one. Free with
 * g_free(). */
static char *
tailscaled_header_value (const char *line, gsize len, const char *name)
{
  gsize name_len = strlen (name);

  if (len <= name_len || line[name_len] != ':' || g_ascii_strncasecmp (line, name, name_len) != 0)
    return NULL;
  return g_strstrip (g_strndup (line + name_len + 1, len - name_len - 1));
}

/* curl takes the digits at the start of a length for the whole of it. An answer with such a length
 * is no answer, whatever its status. */
static size_t
tailscaled_write_header (char *line, size_t size, size_t n, void *user)
{
  Request *request = user;
  g_autofree char *value = tailscaled_header_value (line, n, "Content-Length");

  if (value == NULL)
    return n;
  if (*value == '\0' || value[strspn (value, "0123456789")] != '\0'
      || (request->length != NULL && !g_str_equal (request->length, value)))
    {
      request->is_length_broken = TRUE;
      return 0;
    }
  g_free (request->length);
  request->length = g_steal_pointer (&value);
  return n;
}

const char *
tailscaled_socket (const Tailscaled *self)
{
  if (self->alternatives == NULL || g_file_test (self->socket, G_FILE_TEST_EXISTS))
    return self->socket;
  for (guint i = 0; self->alternatives[i] != NULL; i++)
    if (g_file_test (self->alternatives[i], G_FILE_TEST_EXISTS))
      return self->alternatives[i];
  return self->socket;
}

static Request *
tailscaled_request_new (Tailscaled *self, TailscaledAsk *ask, const char *url)
{
  Request *request = g_new0 (Request, 1);
  CURL *easy = local_transfer_new (tailscaled_socket (self), url);

  request->daemon = self;
  request->ask = ask;
  request->easy = easy;
  request->body = g_byte_array_new ();
  request->start_us = g_get_monotonic_time ();
  curl_easy_setopt (easy, CURLOPT_PRIVATE, request);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, tailscaled_write_body);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, request);
  curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, tailscaled_write_header);
  curl_easy_setopt (easy, CURLOPT_HEADERDATA, request);
  curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, (long) self->timeout_ms);
  curl_multi_add_handle (self->multi, easy);
  return request;
}

static void
tailscaled_request_free (Request *request)
{
  curl_multi_remove_handle (request->daemon->multi, request->easy);
  curl_easy_cleanup (request->easy);
  g_byte_array_unref (request->body);
  g_free (request->length);
  g_free (request);
}

/* Why there is no answer; free with g_free(). */
static char *
tailscaled_explain (const Request *request, CURLcode code)
{
  const char *path = tailscaled_socket (request->daemon);
  long number = 0;

  switch (code)
    {
    case CURLE_COULDNT_CONNECT:
      curl_easy_getinfo (request->easy, CURLINFO_OS_ERRNO, &number);
      return number != 0
               ? g_strdup_printf ("cannot connect to %s: %s", path, g_strerror ((int) number))
               : g_strdup_printf ("cannot connect to %s", path);
    case CURLE_OPERATION_TIMEDOUT:
      return g_strdup_printf ("no answer from %s within %u ms", path, request->daemon->timeout_ms);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
      return g_strdup_printf ("%s closed the connection before it had answered", path);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return g_strdup_printf ("what answers at %s does not speak HTTP", path);
    default:
      if (request->too_long)
        return g_strdup_printf ("an answer from %s is longer than %u KiB", path,
                                WHOIS_ANSWER_MAX / 1024);
      if (request->is_length_broken)
        return g_strdup_printf ("an answer from %s has a Content-Length that is no number", path);
      return g_strdup_printf ("%s: %s", path, curl_easy_strerror (code));
    }
}

static long
tailscaled_status_of (const Request *request)
{
  long status = 0;

  curl_easy_getinfo (request->easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

void
tailscaled_done (CURL *easy, CURLcode code)
{
  Request *request = NULL;

  curl_easy_getinfo (easy, CURLINFO_PRIVATE, (char **) &request);
  if (request->ask != NULL)
    tailscaled_on_whois (request->ask, request, code);
  else
    tailscaled_on_look (request->daemon, request, code);
}

/* Trouble -------------------------------------------------------------------------------------- */

static gint64
tailscaled_look_interval_us (const Tailscaled *self)
{
  gboolean is_well = self->look_trouble == NULL && self->whois_trouble == NULL;

  return is_well ? LOOK_EVERY_US : LOOK_EVERY_IN_TROUBLE_US;
}

/* @which: look_trouble or whois_trouble; @trouble: taken; NULL: none any more */
static void
tailscaled_set_trouble (Tailscaled *self, char **which, char *trouble)
{
  gboolean was_well = self->look_trouble == NULL && self->whois_trouble == NULL;
  gboolean is_well;

  g_free (*which);
  *which = trouble;
  is_well = self->look_trouble == NULL && self->whois_trouble == NULL;
  if (was_well && !is_well)
    self->trouble_since_us = g_get_real_time ();
  if (trouble != NULL)
    {
      gint64 look_us = g_get_monotonic_time () + tailscaled_look_interval_us (self);

      self->next_look_us = MIN (self->next_look_us, look_us);
    }
  if (is_well && !was_well)
    self->recovered (self->user);
}

static void
tailscaled_note_latency (Tailscaled *self, const Request *request)
{
  gint64 latency_us = g_get_monotonic_time () - request->start_us;

  latency_us = MAX (latency_us, 1);
  self->latency_us = self->latency_us == 0 ? latency_us
                                           : self->latency_us + (latency_us - self->latency_us) / 8;
}

char *
tailscaled_trouble (const Tailscaled *self)
{
  const char *trouble = self->look_trouble != NULL ? self->look_trouble : self->whois_trouble;

  return trouble != NULL ? answering_since (trouble, self->trouble_since_us) : NULL;
}

gint64
tailscaled_latency_us (const Tailscaled *self)
{
  return self->latency_us;
}

/* Asking --------------------------------------------------------------------------------------- */

/* Ends the ask. */
static void
tailscaled_answer (TailscaledAsk *ask, WhoisAnswer *what)
{
  TailscaledAnswer done = ask->done;
  gpointer data = tailscaled_cancel (ask);

  done (what, data);
  whois_answer_clear (what);
}

static void
tailscaled_look (Tailscaled *self)
{
  if (self->look != NULL)
    return;
  self->look = tailscaled_request_new (self, NULL, LOCAL_TRANSFER_BASE "status?peers=false");
  self->look_us = self->look->start_us;
}

static void
tailscaled_send_whois (TailscaledAsk *ask)
{
  char url[sizeof LOCAL_TRANSFER_BASE + 64 + 2 * DETOUR_KEY_SIZE];
  gsize len = g_strlcpy (url, LOCAL_TRANSFER_BASE "whois?addr=nodekey%3A", sizeof url);

  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    len += (gsize) g_snprintf (url + len, sizeof url - len, "%02x", ask->key[i]);
  ask->request = tailscaled_request_new (ask->daemon, ask, url);
  ask->asked_us = ask->request->start_us;
  if (!ask->is_second)
    g_queue_push_tail_link (&ask->daemon->asked, &ask->link);
}

/* What is asked for the first time is no longer out. */
static void
tailscaled_forget_asked (TailscaledAsk *ask)
{
  if (!ask->is_second && ask->request != NULL)
    g_queue_unlink (&ask->daemon->asked, &ask->link);
}

/* It was connected before the request and after it, so that what it does not know is unknown. */
static gboolean
tailscaled_was_connected (const Tailscaled *self, const TailscaledAsk *ask)
{
  return self->connected_us != 0 && ask->asked_us >= self->connected_us
      && ask->asked_us <= self->seen_us;
}

/* Takes @trouble. */
static void
tailscaled_note_failure (const TailscaledAsk *ask, char *trouble)
{
  Tailscaled *self = ask->daemon;

  self->connected_us = 0;
  memcpy (self->probe_key, ask->key, sizeof self->probe_key);
  tailscaled_set_trouble (self, &self->whois_trouble, trouble);
}

static void
tailscaled_on_whois (TailscaledAsk *ask, Request *request, CURLcode code)
{
  Tailscaled *self = ask->daemon;
  WhoisAnswer what = { DETOUR_AUTH_UNAVAILABLE, NULL, NULL };

  if (code != CURLE_OK)
    {
      what.reason = tailscaled_explain (request, code);
      tailscaled_note_failure (ask, g_strdup (what.reason));
      tailscaled_answer (ask, &what);
      return;
    }

  whois_answer_judge (&what, tailscaled_status_of (request), (const char *) request->body->data,
                      request->body->len);
  tailscaled_note_latency (self, request);
  if (what.result == DETOUR_AUTH_UNAVAILABLE)
    tailscaled_note_failure (ask,
                             g_strdup_printf ("%s: %s", tailscaled_socket (self), what.reason));
  else if (tailscaled_status_of (request) == 404 && !ask->is_second
           && !tailscaled_was_connected (self, ask))
    {
      /* Without a map of its network it knows no node: first it must say that it is connected. */
      whois_answer_clear (&what);
      tailscaled_forget_asked (ask);
      tailscaled_request_free (g_steal_pointer (&ask->request));
      g_ptr_array_add (self->waiting, ask);
      tailscaled_look (self);
      return;
    }
  else
    tailscaled_set_trouble (self, &self->whois_trouble, NULL);
  tailscaled_answer (ask, &what);
}

TailscaledAsk *
tailscaled_ask (Tailscaled *self, const guint8 *key, TailscaledAnswer done, gpointer data)
{
  TailscaledAsk *ask = g_new0 (TailscaledAsk, 1);

  ask->daemon = self;
  ask->link.data = ask;
  memcpy (ask->key, key, DETOUR_KEY_SIZE);
  ask->done = done;
  ask->data = data;
  tailscaled_send_whois (ask);
  return ask;
}

gpointer
tailscaled_cancel (TailscaledAsk *ask)
{
  gpointer data = ask->data;

  tailscaled_forget_asked (ask);
  g_clear_pointer (&ask->request, tailscaled_request_free);
  g_ptr_array_remove (ask->daemon->waiting, ask);
  g_free (ask);
  return data;
}

/* Looks at its status -------------------------------------------------------------------------- */

/* All that wait for this look get the same answer. */
static void
tailscaled_settle_waiting (Tailscaled *self, DetourAuthResult result, const char *reason)
{
  g_autoptr (GPtrArray) waiting = g_steal_pointer (&self->waiting);

  self->waiting = g_ptr_array_new ();
  for (guint i = 0; i < waiting->len; i++)
    {
      WhoisAnswer what = { result, g_strdup (reason), NULL };

      tailscaled_answer (waiting->pdata[i], &what);
    }
}

/* A look that began at @look_us saw it connected. What it said in between holds if it was connected
 * before as well; what it said while it may not have been is asked again. */
static void
tailscaled_settle_connected (Tailscaled *self, gint64 look_us)
{
  g_autoptr (GPtrArray) waiting = g_steal_pointer (&self->waiting);

  self->waiting = g_ptr_array_new ();
  self->seen_us = look_us;
  for (guint i = 0; i < waiting->len; i++)
    {
      TailscaledAsk *ask = waiting->pdata[i];

      if (tailscaled_was_connected (self, ask))
        {
          WhoisAnswer what = { DETOUR_AUTH_DENY, g_strdup (WHOIS_ANSWER_UNKNOWN), NULL };

          tailscaled_answer (ask, &what);
        }
      else
        {
          ask->is_second = TRUE;
          tailscaled_send_whois (ask);
        }
    }
  if (self->connected_us == 0)
    self->connected_us = g_get_monotonic_time ();
}

/* tailscaled_on_whois() has noted all that the probe was for. */
static void
tailscaled_on_probe (WhoisAnswer *what, gpointer data)
{
  ((Tailscaled *) data)->probe = NULL;
}

/* It is connected, as far as it says. */
static void
tailscaled_after_look (Tailscaled *self)
{
  tailscaled_set_trouble (self, &self->look_trouble, NULL);
  if (self->whois_trouble != NULL && self->probe == NULL)
    self->probe = tailscaled_ask (self, self->probe_key, tailscaled_on_probe, self);
}

static void
tailscaled_on_look (Tailscaled *self, Request *request, CURLcode code)
{
  g_autofree char *reason = NULL;
  g_autofree char *state = NULL;
  gint64 connected_us = self->connected_us;

  self->look = NULL;
  self->connected_us = 0;
  if (code == CURLE_OK)
    tailscaled_note_latency (self, request);
  if (code != CURLE_OK)
    {
      reason = tailscaled_explain (request, code);
      tailscaled_set_trouble (self, &self->look_trouble, g_strdup (reason));
      tailscaled_settle_waiting (self, DETOUR_AUTH_UNAVAILABLE, reason);
    }
  else if (tailscaled_status_of (request) != 200
           || (state = whois_answer_backend_state ((const char *) request->body->data,
                                                   request->body->len))
                  == NULL)
    {
      /* It does not give its status: what it says of keys has to do. */
      tailscaled_after_look (self);
      tailscaled_settle_waiting (self, DETOUR_AUTH_DENY, WHOIS_ANSWER_UNKNOWN);
    }
  else if (!g_str_equal (state, "Running"))
    {
      reason = g_strdup_printf ("tailscaled is not connected to its network (%.40s)", state);
      tailscaled_set_trouble (self, &self->look_trouble,
                              g_strdup_printf ("%s: %s", tailscaled_socket (self), reason));
      tailscaled_settle_waiting (self, DETOUR_AUTH_UNAVAILABLE, reason);
    }
  else
    {
      self->connected_us = connected_us;
      tailscaled_after_look (self);
      tailscaled_settle_connected (self, request->start_us);
    }
  self->next_look_us = g_get_monotonic_time () + tailscaled_look_interval_us (self);
  tailscaled_request_free (request);
}

/* When a look is due because of a request that waits. */
static gint64
tailscaled_next_beside_us (const Tailscaled *self)
{
  for (const GList *link = self->asked.head; link != NULL; link = link->next)
    {
      const TailscaledAsk *ask = link->data;

      if (ask->asked_us > self->look_us)
        return ask->asked_us + LOOK_BESIDE_US;
    }
  return G_MAXINT64;
}

gint64
tailscaled_look_after (Tailscaled *self, gint64 now_us)
{
  gint64 next_us = MIN (self->next_look_us, tailscaled_next_beside_us (self));

  if (self->look != NULL)
    return G_MAXINT64;
  if (now_us < next_us)
    return next_us;
  tailscaled_look (self);
  return G_MAXINT64;
}

void
tailscaled_look_soon (Tailscaled *self)
{
  self->next_look_us = 0;
}

/* Life ----------------------------------------------------------------------------------------- */

Tailscaled *
tailscaled_new (CURLM *multi, const char *socket, const char *const *alternatives, guint timeout_ms,
                void (*recovered) (gpointer user), gpointer user)
{
  Tailscaled *self = g_new0 (Tailscaled, 1);

  self->multi = multi;
  self->socket = g_strdup (socket);
  self->alternatives = alternatives;
  self->timeout_ms = timeout_ms;
  self->recovered = recovered;
  self->user = user;
  self->waiting = g_ptr_array_new ();
  g_queue_init (&self->asked);
  return self;
}

void
tailscaled_free (Tailscaled *self)
{
  if (self->probe != NULL)
    tailscaled_cancel (self->probe);
  g_assert (self->waiting->len == 0 && self->asked.length == 0);
  g_clear_pointer (&self->look, tailscaled_request_free);
  g_ptr_array_unref (self->waiting);
  g_free (self->look_trouble);
  g_free (self->whois_trouble);
  g_free (self->socket);
  g_free (self);
}
