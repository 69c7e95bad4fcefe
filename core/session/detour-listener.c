/* detour-listener.c: bound sockets of one transport instance, and what their connections are
 * given.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-listener.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "detour-config-trial.h"

/* First descriptor that a service manager passes. */
#define PASSED_FIRST 3

static void
listener_add_socket (DetourListener *self, int fd)
{
  struct sockaddr_storage bound = { 0 };
  socklen_t len = sizeof bound;
  char text[DETOUR_ADDRESS_TEXT_MAX];

  if (getsockname (fd, (struct sockaddr *) &bound, &len) < 0)
    bound.ss_family = AF_UNSPEC;
  g_array_append_val (self->fds, fd);
  g_ptr_array_add (self->addresses,
                   g_strdup (detour_address_format ((struct sockaddr *) &bound, text)));
}

/* Sockets stay with the service manager, so a later start of the instance finds them again:
 * duplicates are used. */
static gboolean
listener_take_passed (DetourListener *self, const DetourSettings *settings, const char *name,
                      const char *key, const DetourSocketOptions *options, GError **error)
{
  const char *pid = g_getenv ("LISTEN_PID");
  const char *n_text = g_getenv ("LISTEN_FDS");
  const char *names_text = g_getenv ("LISTEN_FDNAMES");
  g_auto (GStrv) names = g_strsplit (names_text != NULL ? names_text : "", ":", -1);
  guint n = n_text != NULL ? (guint) strtoul (n_text, NULL, 10) : 0;

  if (pid == NULL || strtol (pid, NULL, 10) != getpid ())
    n = 0;
  for (guint i = 0; i < n && i < g_strv_length (names); i++)
    if (g_str_equal (names[i], name))
      {
        int fd = fcntl (PASSED_FIRST + (int) i, F_DUPFD_CLOEXEC, 64);

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

static gboolean
listener_bind_all (DetourListener *self, const DetourSettings *settings,
                   const char *const *addresses, const char *key,
                   const DetourSocketOptions *options, GError **error)
{
  for (guint i = 0; addresses[i] != NULL; i++)
    {
      g_autoptr (GError) problem = NULL;
      DetourAddress address;
      int fd = -1;

      if (detour_address_parse (addresses[i], &address, &problem))
        fd = detour_socket_listen (&address, listener_family_of (addresses, i, self->flags),
                                   options, &problem);
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

DetourListener *
detour_listener_new (const char *instance, const DetourSettings *settings,
                     const DetourListenerSpec *spec, const DetourSocketOptions *options,
                     GError **error)
{
  DetourListener *self = g_new0 (DetourListener, 1);
  gboolean bound;

  g_atomic_ref_count_init (&self->refs);
  self->instance = g_strdup (instance);
  self->protocol = g_strdup (spec->protocol);
  self->flags = spec->flags;
  self->channel = spec->channel;
  self->accept = spec->accept;
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  self->addresses = g_ptr_array_new_with_free_func (g_free);

  bound = spec->socket_name != NULL
            ? listener_take_passed (self, settings, spec->socket_name, spec->key, options, error)
            : listener_bind_all (self, settings, spec->addresses, spec->key, options, error);
  if (!bound)
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
  g_ptr_array_unref (self->addresses);
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
      struct sockaddr_un un = { 0 };
      socklen_t len = sizeof un;

      /* A Unix socket that was bound here is removed from the file system as well. */
      if (!self->is_passed && getsockname (fd, (struct sockaddr *) &un, &len) == 0
          && un.sun_family == AF_UNIX && un.sun_path[0] == '/')
        unlink (un.sun_path);
      close (fd);
    }
  g_array_set_size (self->fds, 0);
}

GStrv
detour_listener_absent_addresses (const DetourListener *self)
{
  g_autoptr (GStrvBuilder) absent = g_strv_builder_new ();

  for (guint i = 0; i < self->fds->len; i++)
    if (detour_socket_is_absent (g_array_index (self->fds, int, i)))
      g_strv_builder_add (absent, self->addresses->pdata[i]);
  return g_strv_builder_end (absent);
}

char *
detour_listener_dup_addresses (const DetourListener *self)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < self->addresses->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "",
                            (const char *) g_ptr_array_index (self->addresses, i));
  return g_string_free (text, FALSE);
}
