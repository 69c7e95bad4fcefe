/* detour-listener.c: bound sockets of one transport instance, and what their connections are
 * given.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-listener.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <unistd.h>

#include "detour-config-trial.h"
#include "detour-listener-keys.h"
#include "detour-passed.h"

static void
listener_add_socket (DetourListener *self, int fd)
{
  struct sockaddr_storage bound = { 0 };
  socklen_t len = sizeof bound;
  char text[DETOUR_ADDRESS_TEXT_MAX];
  DetourSocketFileId file = detour_socket_file_id (fd);
  gboolean taken = FALSE;

  if (getsockname (fd, (struct sockaddr *) &bound, &len) < 0)
    bound.ss_family = AF_UNSPEC;
  g_array_append_val (self->fds, fd);
  g_array_append_val (self->files, file);
  g_array_append_val (self->bound, bound);
  g_array_append_val (self->taken, taken);
  g_ptr_array_add (self->addresses,
                   g_strdup (detour_address_format ((struct sockaddr *) &bound, text)));
}

/* A daemon that ended while it was paused may have left it so. */
static void
listener_wake_passed (const DetourListener *self, guint index)
{
  int fd = g_array_index (self->fds, int, index);
  int listens = 1;
  socklen_t len = sizeof listens;

  if (detour_listener_is_unix (self, index)
      || getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || listens != 0)
    return;
  if (!detour_socket_resume (fd, &g_array_index (self->bound, struct sockaddr_storage, index)))
    g_warning ("%s: cannot listen again: %s", self->instance, g_strerror (errno));
}

/* Sockets stay with the service manager, so a later start of the instance finds them again:
 * duplicates are used. */
static gboolean
listener_take_passed (DetourListener *self, const DetourSettings *settings, const char *name,
                      const char *key, const DetourSocketOptions *options, GError **error)
{
  for (guint i = 0; i < detour_passed_count (); i++)
    if (g_str_equal (detour_passed_name (i), name))
      {
        int fd = fcntl (detour_passed_fd (i), F_DUPFD_CLOEXEC, 64);

        if (fd < 0 || fcntl (fd, F_SETFL, O_NONBLOCK) < 0)
          {
            detour_settings_error (settings, key, error, "cannot take over the socket \"%s\": %s",
                                   name, g_strerror (errno));
            if (fd >= 0)
              close (fd);
            return FALSE;
          }
        detour_socket_set_options (fd, options);
        listener_add_socket (self, fd);
        listener_wake_passed (self, self->fds->len - 1);
      }

  if (self->fds->len == 0)
    detour_settings_error (settings, key, error,
                           "the service manager passed no socket named \"%s\"", name);
  return self->fds->len > 0;
}

/* The family of the address at @index. An entry for all addresses is bound for IPv6 alone when
 * another entry names an IPv4 address with the same port. */
static int
listener_family_of (const char *const *addresses, guint index, DetourListenerFlags flags)
{
  DetourAddress own, other;

  if ((flags & DETOUR_LISTENER_ONLY_IPV4) != 0)
    return AF_INET;
  if ((flags & DETOUR_LISTENER_ONLY_IPV6) != 0)
    return AF_INET6;
  if (!detour_address_parse (addresses[index], &own, NULL) || own.host[0] != '\0' || own.port == 0)
    return AF_UNSPEC;
  for (guint i = 0; addresses[i] != NULL; i++)
    {
      struct sockaddr_storage storage;
      socklen_t len;

      if (detour_address_parse (addresses[i], &other, NULL) && other.host[0] != '\0'
          && other.port == own.port && detour_address_to_sockaddr (&other, &storage, &len)
          && storage.ss_family == AF_INET)
        return AF_INET6;
    }
  return AF_UNSPEC;
}

/* What an operator can do where @problem kept @address from being bound; may be empty. */
static char *
listener_remedy (const GError *problem, const DetourAddress *address)
{
  if (g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE) && address->port != 0)
    return detour_config_bind_remedy (EADDRINUSE, address->port, FALSE);
  if (g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED) && address->port != 0)
    return detour_config_bind_remedy (EACCES, address->port, FALSE);
  return g_strdup ("");
}

char *
detour_listener_dup_name (const char *instance, const char *asked)
{
  return g_strconcat (instance, " ", asked, NULL);
}

/* One that is bound to just that already, or a new one. */
static int
listener_bind (const DetourListener *self, const char *asked, const DetourAddress *address,
               int family, const DetourSocketOptions *options, const DetourSocketFile *file,
               DetourInherited *inherited, GError **error)
{
  g_autofree char *name = detour_listener_dup_name (self->instance, asked);
  g_autoptr (GError) problem = NULL;
  int fd = detour_inherited_take (inherited, name, address, family);

  if (fd >= 0)
    {
      if (address->path[0] == '\0')
        detour_socket_set_options (fd, options);
      return fd;
    }
  fd = detour_socket_listen (address, family, options, file, &problem);
  if (fd < 0 && inherited != NULL
      && g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE)
      && detour_inherited_drop_port (inherited, address->port))
    {
      g_clear_error (&problem);
      fd = detour_socket_listen (address, family, options, file, &problem);
    }
  if (problem != NULL)
    g_propagate_error (error, g_steal_pointer (&problem));
  return fd;
}

static gboolean
listener_bind_all (DetourListener *self, const DetourSettings *settings,
                   const char *const *addresses, const char *key,
                   const DetourSocketOptions *options, const DetourSocketFile *file,
                   DetourInherited *inherited, GError **error)
{
  for (guint i = 0; addresses[i] != NULL; i++)
    {
      g_autoptr (GError) problem = NULL;
      DetourAddress address;
      int fd = -1;

      if (detour_address_parse (addresses[i], &address, &problem))
        fd = listener_bind (self, addresses[i], &address,
                            listener_family_of (addresses, i, self->flags), options, file,
                            inherited, &problem);
      if (fd < 0)
        {
          g_autofree char *remedy = listener_remedy (problem, &address);

          detour_settings_error (settings, key, error, "%s: %s%s", addresses[i], problem->message,
                                 remedy);
          return FALSE;
        }
      listener_add_socket (self, fd);
    }
  if (self->fds->len == 0)
    detour_settings_error (settings, key, error,
                           "no address to listen on; write one such as [::]:443");
  return self->fds->len > 0;
}

static void
listener_set_trusted (DetourListener *self, const DetourListenerSpec *spec)
{
  const char *const *networks = spec->trusted_proxies;

  self->proxy_protocol = spec->proxy_protocol;
  self->real_ip_header = g_strdup (spec->real_ip_header);
  if (networks == NULL || networks[0] == NULL)
    return;
  self->trusted = g_new0 (DetourCidr, g_strv_length ((GStrv) networks));
  for (; *networks != NULL; networks++)
    if (detour_cidr_parse (*networks, &self->trusted[self->n_trusted], NULL))
      self->n_trusted++;
}

static gboolean
listener_set_forward (DetourListener *self, const DetourSettings *settings,
                      const DetourListenerSpec *spec, GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (spec->forward == NULL || spec->forward[0] == NULL)
    return TRUE;
  self->forward_version = spec->forward_version;
  self->forward_idle_us = spec->forward_idle_us;
  self->forward_most = spec->forward_most;
  self->forward = detour_forward_table_new (spec->forward, spec->own_name, &problem);
  if (self->forward == NULL)
    detour_settings_error (settings, "forward", error, "%s", problem->message);
  return self->forward != NULL;
}

static gboolean
listener_open (DetourListener *self, const DetourSettings *settings, const DetourListenerSpec *spec,
               const DetourSocketOptions *options, DetourInherited *inherited, GError **error)
{
  DetourSocketFile *file = &self->file;
  g_autoptr (GError) problem = NULL;

  *file = (DetourSocketFile) { spec->unix_mode, (uid_t) -1, (gid_t) -1 };
  if (spec->socket_name != NULL)
    return listener_take_passed (self, settings, spec->socket_name, spec->key, options, error);
  if (spec->unix_owner != NULL
      && !detour_listener_keys_find_owner (spec->unix_owner, &file->owner, &file->group, &problem))
    {
      detour_settings_error (settings, "unix-owner", error, "%s", problem->message);
      return FALSE;
    }
  self->asked = g_strdupv ((GStrv) spec->addresses);
  return listener_bind_all (self, settings, spec->addresses, spec->key, options, file, inherited,
                            error);
}

DetourListener *
detour_listener_new (const char *instance, const DetourSettings *settings,
                     const DetourListenerSpec *spec, const DetourSocketOptions *options,
                     DetourInherited *inherited, GError **error)
{
  DetourListener *self = g_new0 (DetourListener, 1);

  g_atomic_ref_count_init (&self->refs);
  self->instance = g_strdup (instance);
  self->protocol = g_strdup (spec->protocol);
  self->flags = spec->flags;
  self->channel = spec->channel;
  self->accept = spec->accept;
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  self->files = g_array_new (FALSE, FALSE, sizeof (DetourSocketFileId));
  self->bound = g_array_new (FALSE, FALSE, sizeof (struct sockaddr_storage));
  self->taken = g_array_new (FALSE, FALSE, sizeof (gboolean));
  self->addresses = g_ptr_array_new_with_free_func (g_free);
  listener_set_trusted (self, spec);

  if (!listener_set_forward (self, settings, spec, error)
      || !listener_open (self, settings, spec, options, inherited, error))
    {
      detour_listener_close (self);
      detour_listener_unref (self);
      return NULL;
    }
  self->is_passed = spec->socket_name != NULL;
  self->user = spec->user;
  self->release = spec->release;
  return self;
}

DetourListener *
detour_listener_ref (DetourListener *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_listener_unref (DetourListener *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->release != NULL)
    self->release (self->user);
  g_array_unref (self->fds);
  g_array_unref (self->files);
  g_array_unref (self->bound);
  g_array_unref (self->taken);
  g_clear_pointer (&self->forward, detour_forward_table_unref);
  g_free (self->trusted);
  g_free (self->real_ip_header);
  g_ptr_array_unref (self->addresses);
  g_strfreev (self->asked);
  g_free (self->instance);
  g_free (self->protocol);
  g_free (self);
}

void
detour_listener_close (DetourListener *self)
{
  for (guint i = 0; i < self->fds->len; i++)
    {
      int fd = g_array_index (self->fds, int, i);

      /* A Unix socket that was bound here is removed from the file system as well. */
      if (!self->is_passed)
        detour_socket_remove_file (fd, &g_array_index (self->files, DetourSocketFileId, i));
      else if (self->is_paused)
        listener_wake_passed (self, i);
      close (fd);
    }
  g_array_set_size (self->fds, 0);
  g_array_set_size (self->files, 0);
  g_array_set_size (self->bound, 0);
  g_array_set_size (self->taken, 0);
}

char *
detour_listener_dup_addresses (const DetourListener *self)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < self->addresses->len; i++)
    if (!detour_listener_is_taken (self, i))
      g_string_append_printf (text, "%s%s", text->len > 0 ? " " : "",
                              (const char *) g_ptr_array_index (self->addresses, i));
  return g_string_free (text, FALSE);
}
