/* detour-dev.c: `detourd --dev`: a relay for trying things out, which removes its state at the end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-dev.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "detour-address.h"
#include "detour-cert.h"

struct _DetourDev {
  char *directory;
  char *settings;
};

static const struct {
  const char *plugin;
  const char *group;
} instances[] = {
  { "log-stderr", "[log main]\nplugin=stderr\n" },
  { "cert-selfsigned", "[cert main]\nplugin=selfsigned\nnames=127.0.0.1;localhost\n" },
  { "http-home", "[http home]\npage=default\n" },
  { "http-captive", "[http captive]\n" },
  { "service-metrics", "[service metrics]\nlisten=127.0.0.1:3341\n" },
  { "http-debug", "[http debug]\n" },
  { "service-stun", "[service stun]\nlisten=127.0.0.1:3478\n" },
  { "transport-tls", "[transport https]\nplugin=tls\nlisten=127.0.0.1:3340\n" },
  { "transport-http", "[transport http]\nlisten=127.0.0.1:3342\n" },
  { "transport-websocket", "[transport websocket]\n" },
};

DetourDev *
detour_dev_new (DetourPlugins *plugins, GError **error)
{
  g_auto (GStrv) there = detour_plugins_names (plugins, DETOUR_N_KINDS);
  g_autofree char *directory = g_dir_make_tmp ("detour-dev-XXXXXX", error);
  GString *text;
  DetourDev *self;

  if (directory == NULL)
    return NULL;
  text = g_string_new (NULL);
  g_string_append_printf (
      text,
      "[core]\nhostname=127.0.0.1\nstate-directory=%s\ncontrol-socket=%s/control\ndbus=none\n"
      "[admission]\nchain=open\n",
      directory, directory);
  for (guint i = 0; i < G_N_ELEMENTS (instances); i++)
    if (g_strv_contains ((const char *const *) there, instances[i].plugin))
      g_string_append (text, instances[i].group);

  self = g_new0 (DetourDev, 1);
  self->directory = g_steal_pointer (&directory);
  self->settings = g_string_free (text, FALSE);
  return self;
}

static int
dev_remove_one (const char *path, const struct stat *st, int type, struct FTW *where)
{
  return remove (path);
}

void
detour_dev_free (DetourDev *self)
{
  if (nftw (self->directory, dev_remove_one, 8, FTW_DEPTH | FTW_PHYS) < 0)
    g_warning ("%s: cannot be removed: %s", self->directory, g_strerror (errno));
  g_free (self->directory);
  g_free (self->settings);
  g_free (self);
}

const char *
detour_dev_settings (const DetourDev *self)
{
  return self->settings;
}

/* Port of the first address an instance listens on; 0 when it does not run. */
static guint
dev_port_of (DetourRoster *roster, const char *id)
{
  DetourInstance *instance = detour_roster_find (roster, id);
  const char *const *listen;
  DetourAddress address;

  if (instance == NULL || detour_instance_state (instance) != DETOUR_INSTANCE_RUNNING)
    return 0;
  listen = detour_settings_list (detour_instance_settings (instance), "listen");
  return listen[0] != NULL && detour_address_parse (listen[0], &address, NULL) ? address.port : 0;
}

/* How somebody runs detourctl here: by its path where it was built and not installed. */
static char *
dev_detourctl (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program != NULL ? g_path_get_dirname (program) : NULL;
  g_autofree char *beside = folder != NULL ? g_build_filename (folder, "detourctl", NULL) : NULL;

  if (beside != NULL && g_file_test (beside, G_FILE_TEST_IS_EXECUTABLE))
    return g_steal_pointer (&beside);
  return g_strdup ("detourctl");
}

void
detour_dev_print (DetourRoster *roster, const char *control)
{
  DetourCert *cert = detour_cert_store_find (detour_roster_certs (roster), NULL, "127.0.0.1", NULL);
  guint tls = dev_port_of (roster, "transport/https");
  guint http = dev_port_of (roster, "transport/http");
  guint stun = dev_port_of (roster, "service/stun");
  guint metrics = dev_port_of (roster, "service/metrics");

  if (tls != 0 && cert != NULL)
    {
      g_autofree char *pin = detour_cert_pin (cert);

      printf ("\nDERP map entry:\n\n"
              "{\"Regions\":{\"900\":{\"RegionID\":900,\"RegionCode\":\"dev\",\"RegionName\":"
              "\"Detour on loopback\",\n"
              " \"Nodes\":[{\"Name\":\"900a\",\"RegionID\":900,\"HostName\":\"127.0.0.1\",\"IPv4\":"
              "\"127.0.0.1\",\n"
              "  \"CertName\":\"%s\",\n"
              "  \"DERPPort\":%u,\"STUNPort\":%d}]}}}\n",
              pin, tls, stun != 0 ? (int) stun : -1);
    }
  printf ("\nTo try:\n\n");
  if (tls != 0)
    printf ("  curl -k https://127.0.0.1:%u/\n"
            "  curl -k https://127.0.0.1:%u/derp/probe -o /dev/null -w '%%{http_code}\\n'\n",
            tls, tls);
  if (http != 0)
    printf ("  curl http://127.0.0.1:%u/derp/latency-check -o /dev/null -w '%%{http_code}\\n'\n"
            "  curl http://127.0.0.1:%u/generate_204 -o /dev/null -w '%%{http_code}\\n'\n",
            http, http);
  if (metrics != 0)
    printf ("  curl http://127.0.0.1:%u/metrics\n", metrics);
  if (control != NULL)
    {
      g_autofree char *detourctl = dev_detourctl ();

      printf ("  %s --socket %s\n", detourctl, control);
    }
  printf ("\nAnyone on this machine may use it. Ctrl-C ends it and removes its state.\n");
  fflush (stdout);
  if (cert != NULL)
    detour_cert_unref (cert);
}
