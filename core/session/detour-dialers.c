/* detour-dialers.c: the ways in which this relay connects to another one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-dialers.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "detour-address.h"

#define TIMEOUT_US (10 * G_USEC_PER_SEC)

struct _DetourDialers {
  GHashTable *by_name;     /* name -> GPtrArray of DetourDialer, the one that dials first */
  DetourLoop *loop;        /* NULL: nobody has dialled yet */
  DetourPartings partings; /* of the loop */
  const DetourKey *own;
  const guint8 *secret;
  void (*join) (gpointer user, DetourSession *session);
  gpointer join_user;
};

static const DetourDialer plain_dialer = { .name = "plain" };

DetourDialers *
detour_dialers_new (const DetourKey *own, const guint8 *secret)
{
  DetourDialers *self = g_new0 (DetourDialers, 1);

  self->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify) g_ptr_array_unref);
  self->own = own;
  self->secret = secret;
  detour_dialers_add (self, &plain_dialer);
  return self;
}

void
detour_dialers_set_join (DetourDialers *self, void (*join) (gpointer user, DetourSession *session),
                         gpointer user)
{
  self->join = join;
  self->join_user = user;
}

DetourLoop *
detour_dialers_loop (DetourDialers *self, GError **error)
{
  if (self->loop == NULL)
    self->loop = detour_link_loop_new (&self->partings, error);
  return self->loop;
}

void
detour_dialers_free (DetourDialers *self)
{
  detour_link_loop_clear (&self->loop);
  g_hash_table_unref (self->by_name);
  g_free (self);
}

const DetourDialer *
detour_dialers_add (DetourDialers *self, const DetourDialer *dialer)
{
  GPtrArray *same = g_hash_table_lookup (self->by_name, dialer->name);
  DetourDialer *copy;

  if (same != NULL && ((DetourDialer *) same->pdata[0])->channel != dialer->channel)
    return NULL;
  if (same == NULL)
    {
      same = g_ptr_array_new_with_free_func (g_free);
      g_hash_table_insert (self->by_name, g_strdup (dialer->name), same);
    }
  copy = g_memdup2 (dialer, sizeof *dialer);
  copy->name = g_intern_string (dialer->name);
  g_ptr_array_add (same, copy);
  return copy;
}

void
detour_dialers_remove (DetourDialers *self, const DetourDialer *dialer)
{
  GPtrArray *same = g_hash_table_lookup (self->by_name, dialer->name);

  if (same->len == 1)
    g_hash_table_remove (self->by_name, dialer->name);
  else
    g_ptr_array_remove (same, (gpointer) dialer);
}

static int
dialers_connect (const char *text, GError **error)
{
  struct sockaddr_storage storage;
  DetourAddress address;
  socklen_t len;
  int fd;

  if (!detour_address_parse (text, &address, error))
    return -1;
  if (address.host[0] == '\0' || !detour_address_to_sockaddr (&address, &storage, &len))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "%s: expected an address and a port, such as 192.0.2.1:443", text);
      return -1;
    }
  fd = socket (storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && (connect (fd, (struct sockaddr *) &storage, len) == 0 || errno == EINPROGRESS))
    return fd;
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errno), "%s: %s", text,
               g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}

static gboolean
dialers_make_channel (const DetourDialer *dialer, const DetourDialSpec *spec, const char *host,
                      DetourChannel *channel, GError **error)
{
  *channel = (DetourChannel) { &detour_channel_plain, NULL };
  if (dialer->channel == NULL)
    return TRUE;
  channel->cls = dialer->channel;
  channel->self = dialer->connect (dialer->user, host, spec->pin, spec->ca_file, error);
  return channel->self != NULL;
}

DetourLink *
detour_dialers_dial (DetourDialers *self, const DetourDialSpec *spec, const DetourLinkFuncs *funcs,
                     gpointer user, GError **error)
{
  const GPtrArray *same = g_hash_table_lookup (self->by_name, spec->dialer);
  const DetourDialer *dialer = same != NULL ? same->pdata[0] : NULL;
  DetourLinkStart start = {
    .host = spec->host != NULL ? spec->host : spec->address,
    .own = self->own,
    .secret = self->secret,
    .mesh_key = spec->mesh_key,
    .server_key = spec->server_key,
    .timeout_us = spec->timeout_us > 0 ? spec->timeout_us : TIMEOUT_US,
    .funcs = funcs,
    .user = user,
    .join = spec->joins ? self->join : NULL,
    .join_user = self->join_user,
    .name = spec->name,
  };

  if (dialer == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "no transport that runs can dial \"%s\"", spec->dialer);
      return NULL;
    }
  if (detour_dialers_loop (self, error) == NULL
      || !dialers_make_channel (dialer, spec, start.host, &start.channel, error))
    return NULL;
  start.fd = dialers_connect (spec->address, error);
  if (start.fd < 0)
    {
      detour_channel_clear (&start.channel);
      return NULL;
    }
  return detour_link_new (self->loop, &start);
}
