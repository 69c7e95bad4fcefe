/* mesh-peer.c: one other server of the region, and the link to it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mesh-peer.h"

#include <gio/gio.h>
#include <string.h>

#include "mesh-fault.h"
#include "mesh-lookup.h"

/* Everything up to the login. */
#define ATTEMPT_US (10 * G_USEC_PER_SEC)
/* The least that one of several addresses gets of it. */
#define ADDRESS_US (G_USEC_PER_SEC * 5 / 2)
/* A peer that does not take this relay for one of the mesh closes so soon behind the login. */
#define ACCEPTED_US (3 * G_USEC_PER_SEC)
/* Before the first attempt: transports, which dial, start after services. */
#define FIRST_US (50 * G_TIME_SPAN_MILLISECOND)

struct _MeshPeer {
  Mesh *mesh;
  guint64 serial;
  guint64 attempt; /* grows with each link, so that what an older one has to say is known */
  DetourMeshPeer configured;
  guint8 pinned_key[DETOUR_KEY_SIZE];
  char *host; /* with its port */

  DetourMeshState state;
  gint64 since_us;
  guint timer; /* 0: none */
  MeshLookup *lookup;
  GStrv addresses; /* of this attempt */
  guint n_dialled; /* of them */
  gint64 deadline_us;
  DetourLink *link;
  gboolean is_logged_in;
  gboolean was_refused; /* the last link ended right behind its login */
  gint64 up_us;         /* monotonic */
  guint64 n_up;
  guint n_failed; /* in a row */
  char *address;  /* dialled last */
  char *good;     /* that led to a link last; NULL: none did */
  guint8 server_key[DETOUR_KEY_SIZE];
  gboolean has_server_key;
  char *error;
  const char *remedy;
  gint64 error_us, next_try_us;
};

static void mesh_peer_try (MeshPeer *self);

static void
mesh_peer_set_state (MeshPeer *self, DetourMeshState state)
{
  self->state = state;
  self->since_us = g_get_real_time ();
  self->mesh->changed (self->mesh->owner);
}

/* What each record about a peer has. */
#define MESH_PEER_FIELDS(self)                                                        \
  DETOUR_LOG_INSTANCE, detour_host_instance ((self)->mesh->host), DETOUR_LOG_ADDRESS, \
      (self)->address != NULL ? (self)->address : "", DETOUR_LOG_REASON,              \
      (self)->error != NULL ? (self)->error : ""

static void
mesh_peer_hang_up (MeshPeer *self)
{
  if (self->link != NULL)
    detour_host_hang_up (self->mesh->host, g_steal_pointer (&self->link));
  self->is_logged_in = FALSE;
}

/* Whatever was under way is not any more. */
static void
mesh_peer_halt (MeshPeer *self)
{
  if (self->timer != 0)
    detour_host_remove_timer (self->mesh->host, self->timer);
  self->timer = 0;
  self->next_try_us = 0;
  g_clear_pointer (&self->lookup, mesh_lookup_cancel);
  g_clear_pointer (&self->addresses, g_strfreev);
  mesh_peer_hang_up (self);
}

/* Waiting -------------------------------------------------------------------------------------- */

static gboolean
mesh_peer_on_timer (gpointer data)
{
  MeshPeer *self = data;

  self->timer = 0;
  mesh_peer_try (self);
  return G_SOURCE_REMOVE;
}

static void
mesh_peer_wait (MeshPeer *self, gint64 wait_us)
{
  self->next_try_us = g_get_real_time () + wait_us;
  self->timer = detour_host_add_timer (self->mesh->host, wait_us, mesh_peer_on_timer, self);
}

/* Said when it begins and when it becomes another one, and not at each attempt. */
static void
mesh_peer_tell_fault (const MeshPeer *self, MeshFault fault, gboolean is_new)
{
  const char *dot = self->remedy != NULL ? ": " : "";
  const char *remedy = self->remedy != NULL ? self->remedy : "";

  if (fault == MESH_FAULT_LOST)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "mesh-link-down",
                      MESH_PEER_FIELDS (self), "MESSAGE", "[peer %s] the link to %s ended: %s",
                      self->configured.name, self->host, self->error);
  else if (is_new)
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, DETOUR_LOG_EVENT, "mesh-link-failed",
                      MESH_PEER_FIELDS (self), "MESSAGE", "[peer %s] no link to %s: %s%s%s",
                      self->configured.name, self->host, self->error, dot, remedy);
  else
    g_debug ("[peer %s] no link to %s: %s", self->configured.name, self->host, self->error);
}

static void
mesh_peer_fail (MeshPeer *self, MeshFault fault, DetourLinkFault cause, const char *reason)
{
  g_autofree char *text = g_strdup (reason);
  gboolean is_new = g_strcmp0 (self->error, text) != 0;

  mesh_peer_halt (self);
  g_free (self->error);
  self->error = g_steal_pointer (&text);
  self->remedy = mesh_fault_remedy (fault, cause);
  self->error_us = g_get_real_time ();
  self->n_failed++;
  mesh_peer_tell_fault (self, fault, is_new);
  mesh_peer_wait (self, mesh_fault_wait_us (self->n_failed, g_random_double ()));
  mesh_peer_set_state (self, mesh_fault_state (fault, cause));
}

static void
mesh_peer_is_itself (MeshPeer *self)
{
  mesh_peer_halt (self);
  memcpy (self->server_key, detour_host_server_key (self->mesh->host), DETOUR_KEY_SIZE);
  self->has_server_key = TRUE;
  g_clear_pointer (&self->error, g_free);
  self->remedy = NULL;
  self->error_us = 0;
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "mesh-peer-itself",
                    MESH_PEER_FIELDS (self), "MESSAGE",
                    "[peer %s] %s is this relay itself, and is not dialled any more",
                    self->configured.name, self->host);
  mesh_peer_set_state (self, DETOUR_MESH_ITSELF);
}

/* The link ------------------------------------------------------------------------------------- */

/* What a link has to say, on its way to the main thread. */
typedef struct {
  Mesh *mesh;
  guint64 serial, attempt; /* whose */
  char *reason;            /* NULL: it is up */
  DetourLinkFault cause;
  guint8 server_key[DETOUR_KEY_SIZE];
} News;

static void mesh_peer_dial_next (MeshPeer *self, DetourLinkFault cause, const char *reason);

/* The peer takes this relay for one of the mesh. */
static void
mesh_peer_settle (MeshPeer *self)
{
  self->was_refused = FALSE;
  self->n_up++;
  g_clear_pointer (&self->error, g_free);
  self->remedy = NULL;
  self->error_us = 0;
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "mesh-link-up",
                    MESH_PEER_FIELDS (self), "MESSAGE", "[peer %s] the link to %s is up",
                    self->configured.name, self->host);
  mesh_peer_set_state (self, DETOUR_MESH_UP);
}

static gboolean
mesh_peer_on_settled (gpointer data)
{
  MeshPeer *self = data;

  self->timer = 0;
  mesh_peer_settle (self);
  return G_SOURCE_REMOVE;
}

static void
mesh_peer_on_up (MeshPeer *self, const guint8 *server_key)
{
  memcpy (self->server_key, server_key, DETOUR_KEY_SIZE);
  self->has_server_key = TRUE;
  self->is_logged_in = TRUE;
  self->up_us = g_get_monotonic_time ();
  g_free (self->good);
  self->good = g_strdup (self->address);
  /* Whoever refused the last one does so again, until something is seen to be different. */
  if (self->was_refused)
    self->timer = detour_host_add_timer (self->mesh->host, ACCEPTED_US, mesh_peer_on_settled, self);
  else
    mesh_peer_settle (self);
}

static void
mesh_peer_on_down (MeshPeer *self, DetourLinkFault cause, const char *reason)
{
  DetourLinkStats stats;

  detour_host_link_stats (self->mesh->host, self->link, &stats);
  if (cause == DETOUR_LINK_FAULT_SELF)
    mesh_peer_is_itself (self);
  else if (!self->is_logged_in)
    mesh_peer_dial_next (self, cause, reason);
  else if (cause != DETOUR_LINK_FAULT_ENDED_HERE && !stats.is_accepted
           && g_get_monotonic_time () - self->up_us < ACCEPTED_US)
    {
      g_autofree char *text = g_strdup_printf ("it ended the link right behind the login (%s)",
                                               reason);

      self->was_refused = TRUE;
      mesh_peer_fail (self, MESH_FAULT_LOGIN, cause, text);
    }
  else
    {
      self->n_failed = 0;
      mesh_peer_fail (self, MESH_FAULT_LOST, cause, reason);
    }
}

static void
mesh_peer_news_free (gpointer data)
{
  News *news = data;

  g_free (news->reason);
  g_free (news);
}

static MeshPeer *
mesh_peer_find (const Mesh *mesh, guint64 serial)
{
  for (guint i = 0; i < mesh->peers->len; i++)
    if (((MeshPeer *) mesh->peers->pdata[i])->serial == serial)
      return mesh->peers->pdata[i];
  return NULL;
}

static void
mesh_peer_on_news (gpointer data)
{
  News *news = data;
  MeshPeer *self = mesh_peer_find (news->mesh, news->serial);

  /* It may be gone, or dial again already. */
  if (self != NULL && self->attempt == news->attempt && self->link != NULL)
    {
      if (news->reason == NULL)
        mesh_peer_on_up (self, news->server_key);
      else
        mesh_peer_on_down (self, news->cause, news->reason);
    }
  mesh_peer_news_free (news);
}

/* Thread of the link, which nothing of @self changes while it lives. */
static void
mesh_peer_post (const MeshPeer *self, const guint8 *server_key, DetourLinkFault cause,
                const char *reason)
{
  News *news = g_new0 (News, 1);

  news->mesh = self->mesh;
  news->serial = self->serial;
  news->attempt = self->attempt;
  news->cause = cause;
  news->reason = g_strdup (reason);
  if (server_key != NULL)
    memcpy (news->server_key, server_key, DETOUR_KEY_SIZE);
  detour_host_post (self->mesh->host, mesh_peer_on_news, news, mesh_peer_news_free);
}

static void
mesh_peer_up (gpointer user, DetourLink *link, const guint8 *server_key)
{
  mesh_peer_post (user, server_key, DETOUR_LINK_FAULT_OTHER, NULL);
}

static void
mesh_peer_frame (gpointer user, DetourLink *link, guint8 type, const guint8 *payload, gsize len)
{
}

static void
mesh_peer_down (gpointer user, DetourLink *link, DetourLinkFault fault, const char *reason)
{
  mesh_peer_post (user, NULL, fault, reason);
}

static const DetourLinkFuncs mesh_peer_link_funcs = { mesh_peer_up, mesh_peer_frame,
                                                      mesh_peer_down };

/* An attempt ----------------------------------------------------------------------------------- */

static gboolean
mesh_peer_dial (MeshPeer *self, const char *address, gint64 timeout_us, GError **error)
{
  const DetourDialSpec spec = {
    .address = address,
    .host = self->configured.host,
    .dialer = "tls",
    .pin = self->configured.pin,
    .ca_file = self->configured.ca_file,
    .server_key = self->configured.server_key,
    .mesh_key = self->mesh->key,
    .timeout_us = timeout_us,
    .joins = TRUE,
    .name = self->configured.name,
  };

  g_free (self->address);
  self->address = g_strdup (address);
  self->attempt++;
  self->link = detour_host_dial (self->mesh->host, &spec, &mesh_peer_link_funcs, self, error);
  return self->link != NULL;
}

/* What is left of the attempt is shared by the addresses that are left. */
static gint64
mesh_peer_share_us (const MeshPeer *self)
{
  guint n_left = g_strv_length (self->addresses) - self->n_dialled;
  gint64 left_us = self->deadline_us - g_get_monotonic_time ();

  return MAX (left_us / (gint64) MAX (n_left, 1), ADDRESS_US);
}

/* @reason: why the one before was none; NULL: there was none */
static void
mesh_peer_dial_next (MeshPeer *self, DetourLinkFault cause, const char *reason)
{
  g_autofree char *last = g_strdup (reason);
  MeshFault fault = MESH_FAULT_LINK;

  mesh_peer_hang_up (self);
  while (self->addresses[self->n_dialled] != NULL)
    {
      g_autoptr (GError) error = NULL;
      gint64 share_us = mesh_peer_share_us (self);

      if (mesh_peer_dial (self, self->addresses[self->n_dialled++], share_us, &error))
        return;
      fault = mesh_fault_of_dial (error, &cause);
      g_free (last);
      last = g_strdup (error->message);
    }
  mesh_peer_fail (self, fault, cause, last);
}

/* The one that was good goes first. */
static void
mesh_peer_order (MeshPeer *self)
{
  for (guint i = 1; self->good != NULL && self->addresses[0] != NULL && self->addresses[i] != NULL;
       i++)
    if (strcmp (self->addresses[i], self->good) == 0)
      {
        char *first = self->addresses[0];

        self->addresses[0] = self->addresses[i];
        self->addresses[i] = first;
        return;
      }
}

static void
mesh_peer_on_found (const char *const *addresses, const char *error, gpointer data)
{
  MeshPeer *self = data;

  self->lookup = NULL;
  if (error != NULL)
    {
      mesh_peer_fail (self, MESH_FAULT_LOOKUP, DETOUR_LINK_FAULT_OTHER, error);
      return;
    }
  self->addresses = g_strdupv ((char **) addresses);
  self->n_dialled = 0;
  mesh_peer_order (self);
  mesh_peer_dial_next (self, DETOUR_LINK_FAULT_OTHER, NULL);
}

static void
mesh_peer_try (MeshPeer *self)
{
  mesh_peer_halt (self);
  self->deadline_us = g_get_monotonic_time () + ATTEMPT_US;
  self->lookup = mesh_lookup_new (self->configured.address, self->configured.port,
                                  ATTEMPT_US / G_TIME_SPAN_MILLISECOND, mesh_peer_on_found, self);
  mesh_peer_set_state (self, DETOUR_MESH_CONNECTING);
}

void
mesh_peer_try_now (MeshPeer *self)
{
  if (self->state == DETOUR_MESH_UP || self->state == DETOUR_MESH_CONNECTING)
    return;
  self->n_failed = 0;
  mesh_peer_try (self);
}

/* ---------------------------------------------------------------------------------------------- */

/* All that is configured of a peer but its name, in one word. Free with g_free(). */
static char *
mesh_peer_fingerprint (const DetourMeshPeer *peer)
{
  GString *text = g_string_new (NULL);
  g_autofree char *whole = NULL;

  g_string_append_printf (text, "%s\n%u\n%s\n%u\n%s\n%s\n", peer->host, peer->host_port,
                          peer->address, peer->port, peer->pin != NULL ? peer->pin : "",
                          peer->ca_file != NULL ? peer->ca_file : "");
  for (guint i = 0; peer->server_key != NULL && i < DETOUR_KEY_SIZE; i++)
    g_string_append_printf (text, "%02x", peer->server_key[i]);
  whole = g_string_free (text, FALSE);
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, whole, -1);
}

/* Its name, its fingerprint, and then words, each of which a program before this one may not have:
 * the other server's key, how often the link came up, since when it is in its state, and the
 * address. "-" is none. */
char *
mesh_peer_freeze (const MeshPeer *self)
{
  g_autofree char *fingerprint = mesh_peer_fingerprint (&self->configured);
  GString *line = g_string_new (NULL);

  g_string_append_printf (line, "%s %s ", self->configured.name, fingerprint);
  for (guint i = 0; self->has_server_key && i < DETOUR_KEY_SIZE; i++)
    g_string_append_printf (line, "%02x", self->server_key[i]);
  g_string_append_printf (line, "%s %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %s",
                          self->has_server_key ? "" : "-", self->n_up, self->since_us,
                          self->address != NULL ? self->address : "-");
  return g_string_free (line, FALSE);
}

/* What the program before wrote about it behind its name; NULL: it had no peer that was the same.
 */
static const char *
mesh_peer_find_frozen (const MeshPeer *self)
{
  g_autofree char *fingerprint = mesh_peer_fingerprint (&self->configured);
  g_autofree char *begin = g_strdup_printf ("%s %s ", self->configured.name, fingerprint);
  const char *found = NULL;

  for (guint i = 0; self->mesh->frozen != NULL && self->mesh->frozen[i] != NULL; i++)
    if (g_str_has_prefix (self->mesh->frozen[i], begin))
      found = self->mesh->frozen[i] + strlen (begin);
  return found;
}

static gboolean
mesh_peer_thaw_key (MeshPeer *self, const char *digits)
{
  if (strlen (digits) != 2 * DETOUR_KEY_SIZE
      || strspn (digits, "0123456789abcdef") != 2 * DETOUR_KEY_SIZE)
    return FALSE;
  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    self->server_key[i] = (guint8) (g_ascii_xdigit_value (digits[2 * i]) << 4
                                    | g_ascii_xdigit_value (digits[2 * i + 1]));
  return TRUE;
}

/* Since when it was up goes to @since_us, which stays as it is when that is not known. */
static void
mesh_peer_thaw (MeshPeer *self, gint64 *since_us)
{
  const char *frozen = mesh_peer_find_frozen (self);
  g_auto (GStrv) words = g_strsplit (frozen != NULL ? frozen : "", " ", -1);
  guint n = g_strv_length (words);

  self->has_server_key = n > 0 && mesh_peer_thaw_key (self, words[0]);
  if (n > 1)
    g_ascii_string_to_unsigned (words[1], 10, 0, G_MAXUINT64, &self->n_up, NULL);
  if (n > 2)
    g_ascii_string_to_signed (words[2], 10, 0, G_MAXINT64, since_us, NULL);
  if (n > 3 && strcmp (words[3], "-") != 0)
    self->address = g_strdup (words[3]);
  self->good = g_strdup (self->address);
}

/* A link that came along from the program before. FALSE: there is none, or it is of a peer that was
 * called the same. */
static gboolean
mesh_peer_take_over (MeshPeer *self)
{
  gint64 since_us = self->since_us;

  mesh_peer_thaw (self, &since_us);
  self->link = detour_host_find_link (self->mesh->host, self->configured.name,
                                      &mesh_peer_link_funcs, self);
  if (self->link == NULL)
    return FALSE;
  if (!self->has_server_key)
    {
      mesh_peer_hang_up (self);
      return FALSE;
    }
  self->is_logged_in = TRUE;
  self->up_us = g_get_monotonic_time () - ACCEPTED_US;
  self->n_up = MAX (self->n_up, 1);
  self->since_us = since_us;
  self->state = DETOUR_MESH_UP;
  return TRUE;
}

MeshPeer *
mesh_peer_new (Mesh *mesh, const DetourMeshPeer *configured)
{
  MeshPeer *self = g_new0 (MeshPeer, 1);

  self->mesh = mesh;
  self->serial = ++mesh->last_serial;
  self->configured = *configured;
  self->configured.name = g_strdup (configured->name);
  self->configured.host = g_strdup (configured->host);
  self->configured.address = g_strdup (configured->address);
  self->configured.pin = g_strdup (configured->pin);
  self->configured.ca_file = g_strdup (configured->ca_file);
  if (configured->server_key != NULL)
    {
      memcpy (self->pinned_key, configured->server_key, DETOUR_KEY_SIZE);
      self->configured.server_key = self->pinned_key;
    }
  self->host = g_strdup_printf (strchr (configured->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                                configured->host, configured->host_port);
  self->state = DETOUR_MESH_WAITING;
  self->since_us = g_get_real_time ();
  if (!mesh_peer_take_over (self))
    mesh_peer_wait (self, FIRST_US);
  return self;
}

void
mesh_peer_free (gpointer data)
{
  MeshPeer *self = data;

  mesh_peer_halt (self);
  g_free ((char *) self->configured.name);
  g_free ((char *) self->configured.host);
  g_free ((char *) self->configured.address);
  g_free ((char *) self->configured.pin);
  g_free ((char *) self->configured.ca_file);
  g_free (self->host);
  g_free (self->address);
  g_free (self->good);
  g_free (self->error);
  g_free (self);
}

gboolean
mesh_peer_is (const MeshPeer *self, const DetourMeshPeer *configured)
{
  g_autofree char *own = mesh_peer_fingerprint (&self->configured);
  g_autofree char *other = mesh_peer_fingerprint (configured);

  return strcmp (self->configured.name, configured->name) == 0 && strcmp (own, other) == 0;
}

DetourMeshReport
mesh_peer_report (const MeshPeer *self)
{
  return (DetourMeshReport) {
    .name = self->configured.name,
    .host = self->host,
    .address = self->address,
    .state = self->state,
    .since_us = self->since_us,
    .server_key = self->has_server_key ? self->server_key : NULL,
    .link = self->state == DETOUR_MESH_UP ? self->link : NULL,
    .n_up = self->n_up,
    .error = self->error,
    .remedy = self->remedy,
    .error_us = self->error_us,
    .next_try_us = self->next_try_us,
  };
}
