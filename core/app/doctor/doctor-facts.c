/* doctor-facts.c: what all checks need to know: the configuration, the daemon, its user, its name.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-address.h"
#include "detour-daemon-user.h"
#include "detour-file.h"
#include "detour-paths.h"
#include "detourctl-dial.h"
#include "detourctl-format.h"
#include "detourctl-mesh-key.h"
#include "doctor.h"

/* A step on the network takes no longer, unless --timeout says so. */
#define LIMIT_US         (5 * G_USEC_PER_SEC)
#define COMMAND_LINE_MAX 65536u
#define ENVIRONMENT_MAX  (1024u * 1024u)
#define DERP_PORT        443u
#define CAPTIVE_PORT     80u

/* ---- the daemon ------------------------------------------------------------------------------ */

/* The process at the other end of the control socket. */
static void
doctor_facts_find_process (Doctor *self)
{
  GIOStream *stream = g_dbus_connection_get_stream (self->ctl->connection);
  g_autoptr (GCredentials) credentials = NULL;
  struct ucred *native;

  if (self->ctl->bus != NULL || !G_IS_SOCKET_CONNECTION (stream))
    return;
  credentials = g_socket_get_credentials (
      g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)), NULL);
  native = credentials != NULL
             ? g_credentials_get_native (credentials, G_CREDENTIALS_TYPE_LINUX_UCRED)
             : NULL;
  if (native == NULL)
    return;
  self->daemon_pid = native->pid;
  self->uid = native->uid;
  self->gid = native->gid;
  self->knows_user = TRUE;
}

static void
doctor_facts_ask_daemon (Doctor *self)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;

  self->ctl->is_quiet = TRUE;
  reply = detourctl_try (self->ctl, "", "org.freedesktop.DBus.Properties", "GetAll",
                         g_variant_new ("(s)", DETOUR_BUS_NAME ".Manager"), "(a{sv})", &error,
                         &exit);
  if (reply == NULL)
    {
      self->no_daemon = g_strdup (error != NULL ? error->message : _ ("no relay runs"));
      return;
    }
  self->manager = g_variant_get_child_value (reply, 0);
  self->objects = detourctl_objects (self->ctl, &exit);
  doctor_facts_find_process (self);
}

/* ---- its user -------------------------------------------------------------------------------- */

static gboolean
doctor_facts_find_user (Doctor *self, const char *option)
{
  const struct passwd *user = option != NULL ? getpwnam (option) : NULL;

  if (option != NULL && user == NULL)
    {
      detourctl_complain (_ ("--user: there is no user \"%s\""), option);
      return FALSE;
    }
  if (user == NULL && !self->knows_user)
    user = detour_daemon_user (self->state_directory);
  if (user != NULL)
    {
      self->uid = user->pw_uid;
      self->gid = user->pw_gid;
      self->knows_user = TRUE;
    }
  else if (!self->knows_user)
    {
      self->uid = geteuid ();
      self->gid = getegid ();
    }
  user = getpwuid (self->uid);
  self->user = user != NULL ? g_strdup (user->pw_name) : g_strdup_printf ("%u", self->uid);
  return TRUE;
}

/* ---- the configuration ----------------------------------------------------------------------- */

/* What the daemon was started with, as far as /proc tells. */
static void
doctor_facts_read_command_line (Doctor *self, char **config_file)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/cmdline", (int) self->daemon_pid);
  g_autofree char *link = g_strdup_printf ("/proc/%d/cwd", (int) self->daemon_pid);
  g_auto (DetourFile) file = { 0 };
  const char *word, *end;

  if (self->daemon_pid == 0 || !detour_file_read (path, COMMAND_LINE_MAX, 0, &file, NULL))
    return;
  end = file.data + file.len;
  for (word = file.data; word < end; word += strlen (word) + 1)
    {
      const char *found = NULL;

      if (g_str_has_prefix (word, "--config="))
        found = word + strlen ("--config=");
      else if (strcmp (word, "--config") == 0 && word + strlen (word) + 1 < end)
        found = word + strlen (word) + 1;
      else if (strcmp (word, "--no-vendor") == 0)
        self->no_vendor = TRUE;
      else if (strcmp (word, "--dev") == 0)
        self->is_dev = TRUE;
      if (found != NULL)
        {
          g_autofree char *folder = g_file_read_link (link, NULL);

          g_free (*config_file);
          *config_file = g_canonicalize_filename (found, folder);
        }
    }
}

/* That of the daemon where /proc shows it, else that of this process, which is the same in a
 * container. */
static GStrv
doctor_facts_environment (const Doctor *self)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/environ", (int) self->daemon_pid);
  g_auto (DetourFile) file = { 0 };
  GPtrArray *lines;

  if (self->daemon_pid == 0 || !detour_file_read (path, ENVIRONMENT_MAX, 0, &file, NULL))
    return g_get_environ ();
  lines = g_ptr_array_new ();
  for (const char *line = file.data; line < file.data + file.len; line += strlen (line) + 1)
    g_ptr_array_add (lines, g_strdup (line));
  g_ptr_array_add (lines, NULL);
  return (GStrv) g_ptr_array_free (lines, FALSE);
}

/* What the daemon runs with; NULL when it does not say. */
static char *
doctor_facts_ask_for_config (Doctor *self)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  char *text = NULL;

  reply = detourctl_try (self->ctl, "", DETOUR_BUS_NAME ".Manager", "DumpConfig", NULL, "(s)",
                         &error, &exit);
  if (reply != NULL)
    g_variant_get (reply, "(s)", &text);
  return text;
}

static void
doctor_facts_load_config (Doctor *self, const DoctorOptions *options)
{
  g_autofree char *directory = detour_paths_plugins ();
  const char *directories[] = { directory, NULL };
  DetourPlugins *plugins = detour_plugins_new (directories);
  g_autofree char *vendor_file = detour_paths_vendor_file ();
  g_autofree char *usual = detour_paths_main_file ();
  g_autofree char *config_file = NULL;
  g_autofree char *built_in = NULL;
  g_auto (GStrv) environment = doctor_facts_environment (self);
  DetourConfigSources sources;

  self->no_vendor = options->no_vendor;
  if (options->config_file != NULL)
    config_file = g_canonicalize_filename (options->config_file, NULL);
  else
    doctor_facts_read_command_line (self, &config_file);
  if (self->is_dev)
    built_in = doctor_facts_ask_for_config (self);
  if (config_file != NULL || !self->is_dev)
    self->main_file = g_strdup (config_file != NULL ? config_file : usual);
  self->is_usual_file = g_strcmp0 (self->main_file, usual) == 0;
  sources = (DetourConfigSources) { .built_in = built_in,
                                    .vendor_file = self->no_vendor || self->is_dev ? NULL
                                                                                   : vendor_file,
                                    .main_file = self->main_file,
                                    .main_file_optional = config_file == NULL,
                                    .environment = (const char *const *) environment };
  self->config = detour_config_load (&sources, plugins, self->errors);
  /* Modules stay loaded, so the configuration may point into them. */
  detour_plugins_free (plugins);
  if (self->config == NULL)
    return;
  self->is_without_file = self->main_file != NULL
                       && !g_file_test (self->main_file, G_FILE_TEST_EXISTS);
  self->state_directory = detour_config_state_directory (self->config);
  self->listeners = detour_config_listeners (self->config);
}

/* ---- where clients come in ------------------------------------------------------------------- */

static gboolean
doctor_facts_has_key (const DetourConfigInstance *instance, const char *key)
{
  return detour_settings_find_key (instance->settings, key) != NULL;
}

static void
doctor_facts_note_port (guint16 *port, guint16 found, guint16 usual)
{
  if (found != 0 && (*port == 0 || found == usual))
    *port = found;
}

/* The address of the listener at @port, when it is bound to one. */
static GInetAddress *
doctor_facts_bound_address (const Doctor *self, guint16 port)
{
  for (guint i = 0; i < self->listeners->len; i++)
    {
      const DetourConfigListener *listener = &g_array_index (self->listeners, DetourConfigListener,
                                                             i);
      DetourAddress address;

      if (!listener->udp && detour_address_parse (listener->text, &address, NULL)
          && address.port == port && address.host[0] != '\0')
        return g_inet_address_new_from_string (address.host);
    }
  return NULL;
}

static void
doctor_facts_find_ports (Doctor *self)
{
  guint16 plain = 0;

  for (guint i = 0; i < self->listeners->len; i++)
    {
      const DetourConfigListener *listener = &g_array_index (self->listeners, DetourConfigListener,
                                                             i);
      const DetourConfigInstance *instance = listener->instance;
      DetourAddress address;
      gboolean is_tls = strcmp (instance->plugin_name, "transport-tls") == 0;
      gboolean is_derp = doctor_facts_has_key (instance, "derp")
                      && detour_settings_bool (instance->settings, "derp");

      if (!detour_address_parse (listener->text, &address, NULL) || address.port == 0)
        continue;
      if (listener->udp && strcmp (instance->plugin_name, "service-stun") == 0)
        doctor_facts_note_port (&self->target.stun_port, address.port, DOCTOR_STUN_PORT);
      else if (is_tls && is_derp)
        doctor_facts_note_port (&self->target.port, address.port, DERP_PORT);
      else if (is_derp)
        doctor_facts_note_port (&plain, address.port, DERP_PORT);
      if (!listener->udp && !is_tls && instance->kind == DETOUR_KIND_TRANSPORT)
        doctor_facts_note_port (&self->target.captive_port, address.port, CAPTIVE_PORT);
    }
  self->target.secure = self->target.port != 0;
  if (!self->target.secure)
    self->target.port = plain;
}

/* A relay whose name leads nowhere is looked at all the same, from here. */
static void
doctor_facts_fall_back (Doctor *self)
{
  GInetAddress *address = doctor_facts_bound_address (self, self->target.port);

  self->target.is_fallback = TRUE;
  self->target.addresses = g_ptr_array_new_with_free_func (g_object_unref);
  g_ptr_array_add (self->target.addresses,
                   address != NULL ? address : g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4));
}

static void
doctor_facts_find_target (Doctor *self)
{
  const char *name;

  if (self->config == NULL)
    return;
  name = self->config->options.core.hostname;
  doctor_facts_find_ports (self);
  self->target.name = g_strdup (name);
  if (name != NULL)
    self->target.addresses = detourctl_dial_resolve (name, self->limit_us, &self->resolver_error);
  if (self->target.addresses == NULL)
    doctor_facts_fall_back (self);
}

static gboolean
doctor_facts_find_remote (Doctor *self, const DoctorOptions *options)
{
  gboolean has_colon = strchr (options->host, ':') != NULL;
  /* An address of IPv6 may stand without brackets when there is no port. */
  g_autofree char *text = g_strdup_printf (!has_colon                                 ? "%s:443"
                                           : g_hostname_is_ip_address (options->host) ? "[%s]:443"
                                                                                      : "%s",
                                           options->host);
  g_autoptr (GError) error = NULL;
  DetourAddress address;

  if (!detour_address_parse (text, &address, &error) || address.host[0] == '\0'
      || address.port == 0)
    {
      detourctl_complain (_ ("--host=%s: write a name or an address, and a port if it is not 443"),
                          options->host);
      return FALSE;
    }
  self->is_remote = TRUE;
  self->target.name = g_strdup (address.host);
  self->target.port = address.port;
  self->target.secure = TRUE;
  self->target.stun_port = (guint16) MAX (options->stun_port, 0);
  self->target.captive_port = CAPTIVE_PORT;
  self->target.addresses = detourctl_dial_resolve (address.host, self->limit_us,
                                                   &self->resolver_error);
  return TRUE;
}

/* ---- options --------------------------------------------------------------------------------- */

void
doctor_init (Doctor *self, Detourctl *ctl)
{
  *self = (Doctor) { .ctl = ctl, .limit_us = LIMIT_US };
  if (ctl->timeout != NULL && ctl->timeout_ms > 0)
    self->limit_us = ctl->timeout_ms * 1000;
}

gboolean
doctor_learn (Doctor *self, const DoctorOptions *options)
{
  self->errors = detour_config_errors_new ();
  self->ca_file = g_strdup (options->ca_file);
  self->pin = g_strdup (options->pin);
  self->map = g_strdup (options->map);
  if (options->mesh_key_file != NULL
      && !detourctl_mesh_key_read (options->mesh_key_file, &self->mesh_key))
    return FALSE;
  if (options->host != NULL)
    return doctor_facts_find_remote (self, options);
  doctor_facts_ask_daemon (self);
  doctor_facts_load_config (self, options);
  if (!doctor_facts_find_user (self, options->user))
    return FALSE;
  doctor_facts_find_target (self);
  return TRUE;
}

void
doctor_clear (Doctor *self)
{
  g_free (self->main_file);
  g_clear_pointer (&self->config, detour_config_unref);
  g_clear_pointer (&self->errors, detour_config_errors_free);
  g_free (self->state_directory);
  g_clear_pointer (&self->listeners, g_array_unref);
  g_clear_pointer (&self->manager, g_variant_unref);
  g_clear_pointer (&self->objects, g_variant_unref);
  g_free (self->no_daemon);
  g_free (self->user);
  g_free (self->target.name);
  g_clear_pointer (&self->target.addresses, g_ptr_array_unref);
  g_clear_error (&self->resolver_error);
  g_free (self->ca_file);
  g_free (self->pin);
  g_free (self->map);
  detourctl_mesh_key_free (self->mesh_key);
}

/* ---- commands -------------------------------------------------------------------------------- */

char *
doctor_config_option (const Doctor *self)
{
  gboolean is_named = self->main_file != NULL && !self->is_usual_file;
  g_autofree char *word = is_named ? detourctl_format_word (self->main_file) : NULL;

  return g_strconcat (self->is_dev ? " --dev" : "", self->no_vendor ? " --no-vendor" : "",
                      is_named ? " --config " : "", word, NULL);
}

static char *
doctor_facts_service_command (const Doctor *self, const char *verb)
{
  g_autofree char *option = doctor_config_option (self);

  if (self->is_usual_file && g_file_test ("/run/systemd/system", G_FILE_TEST_IS_DIR))
    return g_strdup_printf ("systemctl %s detour", verb);
  if (self->daemon_pid != 0)
    return g_strdup_printf ("kill %d; detourd%s", (int) self->daemon_pid, option);
  return g_strdup_printf ("detourd%s", option);
}

char *
doctor_start_command (const Doctor *self)
{
  return doctor_facts_service_command (self, "start");
}

char *
doctor_restart_command (const Doctor *self)
{
  return doctor_facts_service_command (self, "restart");
}
