/* detour-handing.c: this program hands its clients to one that waits in another process.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handing.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "detour-parley.h"

struct _DetourHanding {
  char *path;
  DetourRehearsalDone done;
  gpointer user;
  int socket;      /* -1: nobody is there */
  GError *problem; /* why */
  guint timer;     /* 0: it was answered */
  guint source;    /* of the answer; 0: it has come */
};

static void
handing_forget_sources (DetourHanding *self)
{
  if (self->timer != 0)
    g_source_remove (self->timer);
  if (self->source != 0)
    g_source_remove (self->source);
  self->timer = self->source = 0;
}

static void
handing_refuse (DetourHanding *self, const char *why)
{
  g_autoptr (GError)
      error = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED,
                           "the program that waits at %s cannot take over: %s", self->path, why);

  handing_forget_sources (self);
  self->done (NULL, error, self->user);
}

static gboolean
handing_on_answer (int fd, GIOCondition condition, gpointer data)
{
  DetourHanding *self = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = detour_parley_receive (self->socket, 0, NULL, &error);

  handing_forget_sources (self);
  if (text == NULL)
    handing_refuse (self, error->message);
  else if (g_str_has_prefix (text, DETOUR_PARLEY_CAN))
    self->done (text + strlen (DETOUR_PARLEY_CAN), NULL, self->user);
  else if (g_str_has_prefix (text, DETOUR_PARLEY_CANNOT))
    handing_refuse (self, text + strlen (DETOUR_PARLEY_CANNOT));
  else
    handing_refuse (self, "it speaks another language");
  return G_SOURCE_REMOVE;
}

static gboolean
handing_on_time (gpointer data)
{
  handing_refuse (data, "it did not answer in time");
  return G_SOURCE_REMOVE;
}

static gboolean
handing_on_nobody (gpointer data)
{
  DetourHanding *self = data;

  self->timer = 0;
  self->done (NULL, self->problem, self->user);
  return G_SOURCE_REMOVE;
}

static gboolean
handing_ask (DetourHanding *self, const DetourHandoverDraft *draft, const DetourKey *key)
{
  char text[sizeof DETOUR_PARLEY_BEGIN + DETOUR_KEY_HEX_SIZE + 1] = DETOUR_PARLEY_BEGIN;

  self->socket = detour_parley_connect (self->path, &self->problem);
  if (self->socket < 0)
    return FALSE;
  detour_key_to_hex (key, text + strlen (text));
  if (detour_parley_send (self->socket, text, detour_handover_draft_fd (draft)))
    return TRUE;
  self->problem = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "%s: nothing can be sent: %s",
                               self->path, g_strerror (errno));
  return FALSE;
}

DetourHanding *
detour_handing_new (const char *path, const DetourHandoverDraft *draft, const DetourKey *key,
                    DetourRehearsalDone done, gpointer user)
{
  DetourHanding *self = g_new0 (DetourHanding, 1);

  self->path = g_strdup (path);
  self->done = done;
  self->user = user;
  if (!handing_ask (self, draft, key))
    {
      self->timer = g_idle_add (handing_on_nobody, self);
      return self;
    }
  self->timer = g_timeout_add ((guint) (DETOUR_REHEARSAL_US / 1000), handing_on_time, self);
  self->source = g_unix_fd_add (self->socket, G_IO_IN | G_IO_HUP | G_IO_ERR, handing_on_answer,
                                self);
  return self;
}

void
detour_handing_free (DetourHanding *self)
{
  handing_forget_sources (self);
  if (self->socket >= 0)
    close (self->socket);
  g_clear_error (&self->problem);
  g_free (self->path);
  g_free (self);
}

gboolean
detour_handing_give (DetourHanding *self, const DetourHandoverDraft *draft, GError **error)
{
  g_autofree char *text = NULL;

  if (!detour_handover_draft_send (draft, self->socket, error))
    return FALSE;
  text = detour_parley_receive (self->socket, g_get_monotonic_time () + DETOUR_HANDING_GIVE_US,
                                NULL, error);
  if (text == NULL)
    {
      g_prefix_error (error, "the program that waited at %s has not taken over: ", self->path);
      return FALSE;
    }
  if (strcmp (text, DETOUR_PARLEY_HAVE) == 0
      && detour_parley_send (self->socket, DETOUR_PARLEY_GO, -1))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
               "the program that waited at %s has not taken over: %s", self->path,
               g_str_has_prefix (text, DETOUR_PARLEY_CANNOT) ? text + strlen (DETOUR_PARLEY_CANNOT)
                                                             : "it has ended");
  return FALSE;
}
