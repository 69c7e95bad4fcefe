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

#include "detour-address.h"

#define OWN_NAME "detourd ("

/* ---- the state directory --------------------------------------------------------------------- */

typedef void (*TrialAdd) (DetourConfigErrors *errors, const char *file, guint line,
                          const char *text);

/* Of a key that may not be written anywhere. */
static void
config_trial_add (DetourConfigErrors *errors, const DetourSettings *settings, const char *key,
                  const char *text, TrialAdd add)
{
  g_autoptr (GError) error = NULL;
  const char *file = NULL;
  guint line = 0;

  detour_settings_origin (settings, key, &file, &line);
  detour_settings_error (settings, key, &error, "%s", text);
  add (errors, file, line, error->message);
}

static void
config_trial_complain (DetourConfigErrors *errors, const DetourSettings *settings, const char *key,
                       const char *text)
{
  config_trial_add (errors, settings, key, text, detour_config_errors_add_line);
}

static void
config_trial_warn (DetourConfigErrors *errors, const DetourSettings *settings, const char *key,
                   const char *text)
{
  config_trial_add (errors, settings, key, text, detour_config_errors_warn_line);
}

/* It is there and may be written, or the folder that is to hold it is and may. */
static void
config_trial_check_state (const DetourConfig *config, const char *path, gboolean sure,
                          DetourConfigErrors *errors)
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
    return;
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
    config_trial_complain (errors, config->core, "state-directory", text);
  else
    config_trial_warn (errors, config->core, "state-directory", text);
}

/* ---- transports ------------------------------------------------------------------------------ */

static void
config_trial_check_transports (const DetourConfig *config, DetourConfigErrors *errors)
{
  const char *const *path = config->options.core.plugin_path;
  g_autofree char *where = g_strjoinv (", ", (GStrv) path);
  g_autofree char *text = NULL;

  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->kind == DETOUR_KIND_TRANSPORT && instance->enabled && instance->plugin != NULL)
        return;
    }
  if (path[0] != NULL)
    text = g_strdup_printf (_ ("no transport is found in %s, so nothing would listen; the plugins "
                               "that come with Detour are left out by this key unless it names "
                               "their folder, too"),
                            where);
  else
    text = g_strdup (_ ("no [transport NAME] is enabled, so nothing would listen"));
  config_trial_complain (errors, config->core, "plugin-path", text);
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
  return g_strdup_printf (_ ("; who has the port is told to root by: ss -l%cnp sport = :%u"),
                          udp ? 'u' : 't', port);
}

char *
detour_config_bind_remedy (int number, guint port, gboolean udp)
{
  g_autofree char *owner = number == EADDRINUSE ? detour_port_owner (port, udp) : NULL;

  return config_trial_remedy (number, port, udp, owner);
}

/* 0, or the errno of bind() or listen(). */
static int
config_trial_bind (const struct sockaddr_storage *address, socklen_t len, gboolean dual,
                   gboolean udp)
{
  int fd = socket (address->ss_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  const int on = 1, off = 0;
  int number = 0;

  if (fd < 0)
    return errno;
  if (!udp)
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->ss_family == AF_INET6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, dual ? &off : &on, sizeof on);
  if (bind (fd, (const struct sockaddr *) address, len) < 0 || (!udp && listen (fd, 1) < 0))
    number = errno;
  close (fd);
  return number;
}

/* Where the listener of @settings would bind @address; *@dual: for both families. FALSE for a name,
 * which is looked up only as the relay starts, and for a Unix socket, which is made anew by it. */
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

static void
config_trial_check_port (const DetourSettings *settings, const char *key, const char *text,
                         gboolean udp, gboolean any_port, DetourConfigErrors *errors)
{
  struct sockaddr_storage storage;
  g_autofree char *owner = NULL;
  g_autofree char *remedy = NULL;
  g_autofree char *message = NULL;
  DetourAddress address;
  gboolean dual;
  socklen_t len;
  int number;

  if (!detour_address_parse (text, &address, NULL)
      || !config_trial_find_sockaddr (settings, &address, &storage, &len, &dual))
    return;
  number = config_trial_bind (&storage, len, dual, udp);
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
  owner = number == EADDRINUSE ? detour_port_owner (address.port, udp) : NULL;
  /* The relay that runs has its own ports. */
  if (owner != NULL && g_str_has_prefix (owner, OWN_NAME))
    return;
  remedy = config_trial_remedy (number, address.port, udp, owner);
  message = g_strdup_printf ("%s: %s%s", text, g_strerror (number), remedy);
  /* The service has the privilege, and whoever checks its configuration needs none. A port whose
   * owner this user may not see can be that of the running relay. */
  if (number == EACCES || (number == EADDRINUSE && owner == NULL))
    config_trial_warn (errors, settings, key, message);
  else
    config_trial_complain (errors, settings, key, message);
}

static void
config_trial_check_ports (const DetourConfigInstance *instance, const DetourConfigKey *key,
                          gboolean any_port, DetourConfigErrors *errors)
{
  gboolean udp = (key->flags & DETOUR_CONFIG_LISTEN_UDP) != 0;
  const char *one[] = { NULL, NULL };
  const char *const *list = one;

  if ((key->flags & DETOUR_CONFIG_LIST) != 0)
    list = detour_settings_list (instance->settings, key->key);
  else
    one[0] = detour_settings_string (instance->settings, key->key);
  for (; *list != NULL; list++)
    config_trial_check_port (instance->settings, key->key, *list, udp, any_port, errors);
}

static void
config_trial_check_instance (const DetourConfigInstance *instance, gboolean any_port,
                             DetourConfigErrors *errors)
{
  detour_settings_set_errors (instance->settings, errors);
  for (const DetourConfigKey *key = instance->plugin->config; key != NULL && key->key != NULL;
       key++)
    if ((key->flags & (DETOUR_CONFIG_LISTEN_TCP | DETOUR_CONFIG_LISTEN_UDP)) != 0)
      config_trial_check_ports (instance, key, any_port, errors);
  detour_settings_set_errors (instance->settings, NULL);
}

void
detour_config_try (const DetourConfig *config, const char *state_directory, gboolean any_port,
                   DetourConfigErrors *errors)
{
  /* Another user can read the files and still not be the one that the relay runs as. */
  gboolean sure = any_port || geteuid () == 0;

  config_trial_check_state (config, state_directory, sure, errors);
  config_trial_check_transports (config, errors);
  for (guint i = 0; i < config->instances->len; i++)
    {
      const DetourConfigInstance *instance = config->instances->pdata[i];

      if (instance->enabled && instance->plugin != NULL)
        config_trial_check_instance (instance, any_port, errors);
    }
}
