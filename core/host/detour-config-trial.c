/* detour-config-trial.c: whether this host lets a configuration start: folders, ports, transports.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-trial.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the state directory --------------------------------------------------------------------- */

/* Some file systems, such as /proc, hold no new folders, whatever the permissions say. */
static gboolean
config_trial_can_hold_folders (const char *folder)
{
  g_autofree char *trial = g_build_filename (folder, ".detour-XXXXXX", NULL);

  return g_mkdtemp (trial) != NULL && rmdir (trial) == 0;
}

/* It is there and may be written, or the folder that is to hold it is and may. */
static void
config_trial_check_state (const DetourConfig *config, const char *path, gboolean sure)
{
  g_autofree char *folder = g_strdup (path);
  g_autofree char *text = NULL;
  struct stat st;

  while (stat (folder, &st) < 0 && errno == ENOENT && strcmp (folder, "/") != 0)
    {
      char *above = g_path_get_dirname (folder);

      g_free (folder);
      folder = above;
    }
  if (stat (folder, &st) < 0)
    text = g_strdup_printf (_ ("%s: %s"), folder, g_strerror (errno));
  else if (!S_ISDIR (st.st_mode))
    text = g_strdup_printf (_ ("%s is not a directory"), folder);
  else if (faccessat (AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
    {
      if (strcmp (folder, path) == 0 || config_trial_can_hold_folders (folder))
        return;
      text = g_strdup_printf (_ ("%s cannot be made in %s: %s; name a folder on a file system that "
                                 "can hold it"),
                              path, folder, g_strerror (errno));
    }
  else if (strcmp (folder, path) == 0)
    text = g_strdup_printf (
        _ ("%s cannot be written by user %u: %s; the user that the relay runs as "
           "must own it"),
        path, (guint) geteuid (), g_strerror (errno));
  else
    text = g_strdup_printf (
        _ ("%s cannot be made by user %u, who may not write %s; make it once as "
           "root, and give it to the user that the relay runs as"),
        path, (guint) geteuid (), folder);
  if (sure)
    detour_settings_complain (config->core, "state-directory", "%s", text);
  else
    detour_settings_warn (config->core, "state-directory", "%s", text);
}

/* ---- transports ------------------------------------------------------------------------------ */

static void
config_trial_check_transports (const DetourConfig *config)
{
  const char *const *path = config->options.core.plugin_path;
  g_autofree char *where = g_strjoinv (", ", (GStrv) path);

  if (detour_config_has_kind (config, DETOUR_KIND_TRANSPORT))
    return;
  if (path[0] != NULL)
    detour_settings_complain (
        config->core, "plugin-path",
        _ ("no transport is found in %s, so nothing would listen; the plugins "
           "that come with Detour are left out by this key unless it names "
           "their folder, too"),
        where);
  else
    detour_settings_complain (config->core, "plugin-path",
                              _ ("no [transport NAME] is enabled, so nothing would listen"));
}

/* ---- ports ----------------------------------------------------------------------------------- */

/* @owner: (nullable): of the port, when it is in use and this user may see who has it. */
static char *
config_trial_remedy (int number, guint port, gboolean udp, const char *owner)
{
  if (number == EACCES)
    return g_strdup_printf (
        _ ("; ports below 1024 need a privilege: the service unit gives CAP_NET_BIND_SERVICE, and "
           "without it sysctl net.ipv4.ip_unprivileged_port_start=%u allows it to everyone"),
        port);
  if (number != EADDRINUSE)
    return g_strdup ("");
  if (owner != NULL)
    return g_strdup_printf (_ ("; %s has the port"), owner);
  return g_strdup_printf (_ ("; to see who has the port, as root: ss -l%cnp sport = :%u"),
                          udp ? 'u' : 't', port);
}

char *
detour_config_bind_remedy (int number, guint port, gboolean udp)
{
  g_autofree char *owner = number == EADDRINUSE ? detour_port_owner (port, udp) : NULL;

  return config_trial_remedy (number, port, udp, owner);
}

static int
config_trial_bind (const struct sockaddr *address, socklen_t len, gboolean dual, gboolean udp)
{
  int fd = socket (address->sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  const int on = 1, off = 0;
  int number = 0;

  if (fd < 0)
    return errno;
  if (!udp)
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->sa_family == AF_INET6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? &off : &on, sizeof on);
  if (bind (fd, address, len) < 0 || (!udp && listen (fd, 1) < 0))
    number = errno;
  close (fd);
  return number;
}

int
detour_config_try_bind (const struct sockaddr *address, socklen_t len, gboolean dual, gboolean udp)
{
  struct sockaddr_in any = { .sin_family = AF_INET };
  int number = config_trial_bind (address, len, dual, udp);

  if (number != EAFNOSUPPORT || !dual)
    return number;
  /* On a host without IPv6, all addresses are those of IPv4. */
  any.sin_port = ((const struct sockaddr_in6 *) (const void *) address)->sin6_port;
  return config_trial_bind ((const struct sockaddr *) &any, sizeof any, FALSE, udp);
}

/* Where the listener of @settings would bind @address; *@dual: for both families. */
static gboolean
config_trial_find_sockaddr (const DetourSettings *settings, const DetourAddress *address,
                            struct sockaddr_storage *out, socklen_t *len, gboolean *dual)
{
  DetourListenerFlags only = detour_settings_find_key (settings, "family") != NULL
                               ? detour_listener_family (settings)
                               : (DetourListenerFlags) 0;
  const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = g_htons (address->port) };

  *dual = FALSE;
  if (address->path[0] != '\0' || address->port == 0
      || !detour_address_to_sockaddr (address, out, len))
    return FALSE;
  if (address->host[0] == '\0' && only == DETOUR_LISTENER_ONLY_IPV4)
    {
      memcpy (out, &any, sizeof any);
      *len = sizeof any;
    }
  *dual = address->host[0] == '\0' && only == 0;
  return TRUE;
}

gboolean
detour_config_try_listener (const DetourConfigListener *listener, const DetourAddress *address,
                            int *number)
{
  struct sockaddr_storage storage;
  socklen_t len;
  gboolean dual;

  if (!config_trial_find_sockaddr (listener->instance->settings, address, &storage, &len, &dual))
    return FALSE;
  *number = detour_config_try_bind ((const struct sockaddr *) &storage, len, dual, listener->udp);
  return TRUE;
}

/* A warning only: the service manager may make the folder as it starts the relay. */
static void
config_trial_check_folder (const DetourSettings *settings, const char *key,
                           const DetourAddress *address)
{
  g_autofree char *folder = g_path_get_dirname (address->path);

  if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    detour_settings_warn (settings, key,
                          _ ("unix:%s: there is no folder %s; it has to be there when the relay "
                             "starts, and the relay does not make it"),
                          address->path, folder);
}

static void
config_trial_check_port (const DetourConfigListener *listener, gboolean any_port)
{
  const DetourSettings *settings = listener->instance->settings;
  const char *key = listener->key->key, *text = listener->text;
  g_autofree char *owner = NULL;
  g_autofree char *remedy = NULL;
  g_autofree char *message = NULL;
  DetourAddress address;
  int number;

  if (!detour_address_parse (text, &address, NULL))
    return;
  if (address.path[0] != '\0')
    {
      config_trial_check_folder (settings, key, &address);
      return;
    }
  if (!detour_config_try_listener (listener, &address, &number))
    return;
  if (number == 0 || number == EAFNOSUPPORT || (number == EACCES && any_port))
    return;
  if (number == EADDRNOTAVAIL)
    {
      detour_settings_warn (settings, key,
                            _ ("%s: no interface of this host has this address now; the relay "
                               "listens there as soon as one has it"),
                            text);
      return;
    }
  owner = number == EADDRINUSE ? detour_port_owner (address.port, listener->udp) : NULL;
  /* The relay that runs has its own ports. */
  if (owner != NULL && g_str_has_prefix (owner, DETOUR_PORT_OWNER_RELAY))
    return;
  remedy = config_trial_remedy (number, address.port, listener->udp, owner);
  message = g_strdup_printf ("%s: %s%s", text, g_strerror (number), remedy);
  /* The service has the privilege, and whoever checks its configuration needs none. A port whose
   * owner this user may not see can be that of the running relay. */
  if (number == EACCES || (number == EADDRINUSE && owner == NULL))
    detour_settings_warn (settings, key, "%s", message);
  else
    detour_settings_complain (settings, key, "%s", message);
}

void
detour_config_try (const DetourConfig *config, const char *state_directory, gboolean any_port,
                   DetourConfigErrors *errors)
{
  g_autoptr (GArray) listeners = detour_config_listeners (config);
  /* Another user can read the files and still not be the one that the relay runs as. */
  gboolean sure = any_port || geteuid () == 0;

  detour_config_set_errors (config, errors);
  config_trial_check_state (config, state_directory, sure);
  config_trial_check_transports (config);
  for (guint i = 0; i < listeners->len; i++)
    {
      const DetourConfigListener *listener = &g_array_index (listeners, DetourConfigListener, i);

      config_trial_check_port (listener, any_port);
    }
  detour_config_set_errors (config, NULL);
}
