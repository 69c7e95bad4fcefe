/* cert-selfsigned.c: a certificate without an authority, which clients pin by its hash.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>
#include <time.h>

#include "cert-own.h"

/* A process that runs for years renews in time. */
#define LOOK_S 86400

typedef struct {
  DetourHost *host;
  char *stem; /* path of the files without their endings */
  char **names;
  guint days;
  char *pin; /* of the certificate that is published; NULL: none yet */
  guint look_id;
} CertSelfsigned;

static const DetourConfigKey cert_selfsigned_config[] = {
  { "names", DETOUR_CONFIG_STRING,
    .summary = "host names and addresses; without it [core] hostname, else this host itself",
    .flags = DETOUR_CONFIG_LIST },
  /* A new certificate means a new pin in everyone's map: as seldom as can be. */
  { "days", DETOUR_CONFIG_UINT, "3650", 1, 36500, "validity of a new certificate in days" },
  { NULL },
};

static gboolean
cert_selfsigned_check (const DetourSettings *settings, GError **error)
{
  const char *const *names = detour_settings_list (settings, "names");

  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autoptr (GError) why = NULL;

      if (!cert_own_check_name (names[i], &why))
        {
          detour_settings_error (settings, "names", error, "%s", why->message);
          return FALSE;
        }
    }
  return TRUE;
}

/* A file's name out of "cert/NAME"; two instances never share one. */
static char *
cert_selfsigned_stem_for (DetourHost *host)
{
  const char *instance = detour_host_instance (host);
  const char *slash = strchr (instance, '/');
  g_autofree char *name = g_uri_escape_string (slash != NULL ? slash + 1 : instance, NULL, FALSE);
  g_autofree char *file = g_strconcat ("selfsigned-", name, NULL);

  return g_build_filename (detour_host_state_directory (host), file, NULL);
}

static const char *
cert_selfsigned_why_text (CertOwnWhy why)
{
  switch (why)
    {
    case CERT_OWN_NONE:
      return "made";
    case CERT_OWN_DAMAGED:
      return "made anew, as the files of the last one are damaged";
    case CERT_OWN_RENAMED:
      return "made anew, as the last one is for other names";
    case CERT_OWN_ENDING:
      return "made anew, as the last one is used up";
    case CERT_OWN_KEPT:
      break;
    }
  return "read";
}

/* The name that clients dial: a wildcard is none. */
static const char *
cert_selfsigned_dial_name (char **names)
{
  for (guint i = 0; names[i] != NULL; i++)
    if (!g_str_has_prefix (names[i], "*."))
      return names[i];
  return "HOST";
}

static void
cert_selfsigned_announce (CertSelfsigned *self, const DetourCert *cert, CertOwnWhy why)
{
  const char *instance = detour_host_instance (self->host);
  g_autoptr (GDateTime) until = g_date_time_new_from_unix_utc (detour_cert_not_after (cert));
  g_autofree char *date = until != NULL ? g_date_time_format (until, "%Y-%m-%d")
                                        : g_strdup ("the end of time");

  /* Another pin than the one in people's maps locks clients out. */
  if (why == CERT_OWN_NONE || why == CERT_OWN_KEPT)
    g_message ("%s: certificate %s, valid until %s", instance, cert_selfsigned_why_text (why),
               date);
  else
    g_warning ("%s: certificate %s: clients need the new CertName", instance,
               cert_selfsigned_why_text (why));
  g_message (
      "%s: for the DERP map: "
      "{\"Name\":\"900a\",\"RegionID\":900,\"HostName\":\"%s\",\"CertName\":\"sha256-raw:%s\"}",
      instance, cert_selfsigned_dial_name (self->names), self->pin);
  detour_host_set_summary (self->host, "%s until %s, sha256-raw:%s", self->names[0], date,
                           self->pin);
}

/* The certificate that is to be served now; nothing happens when it is served already. */
static gboolean
cert_selfsigned_refresh (CertSelfsigned *self, GError **error)
{
  CertOwnWhy why;
  g_autoptr (DetourCert) cert = cert_own_obtain (self->stem, (const char *const *) self->names,
                                                 self->days, (gint64) time (NULL), &why, error);
  g_autofree char *pin = NULL;

  if (cert == NULL)
    return FALSE;
  pin = cert_own_pin (cert);
  if (g_strcmp0 (pin, self->pin) == 0)
    return TRUE;
  g_free (self->pin);
  self->pin = g_steal_pointer (&pin);
  detour_host_publish_certs (self->host, (DetourCert *const *) &cert, 1);
  cert_selfsigned_announce (self, cert, why);
  return TRUE;
}

static void
cert_selfsigned_reload (gpointer ptr)
{
  CertSelfsigned *self = ptr;
  g_autoptr (GError) error = NULL;

  if (cert_selfsigned_refresh (self, &error))
    {
      detour_host_set_trouble (self->host, NULL);
      return;
    }
  detour_host_set_trouble (self->host, "%s", error->message);
  g_warning ("%s: %s; the certificate from before is still served",
             detour_host_instance (self->host), error->message);
}

static gboolean
cert_selfsigned_look (gpointer self)
{
  cert_selfsigned_reload (self);
  return G_SOURCE_CONTINUE;
}

static void
cert_selfsigned_free (CertSelfsigned *self)
{
  g_clear_handle_id (&self->look_id, g_source_remove);
  g_strfreev (self->names);
  g_free (self->stem);
  g_free (self->pin);
  g_free (self);
}

/* The names of the configuration, else the host's, else what reaches this machine from itself. */
static char **
cert_selfsigned_names_for (DetourHost *host, const DetourSettings *settings)
{
  static const char *const self_only[] = { "127.0.0.1", "::1", "localhost", NULL };
  const char *hostname[] = { detour_host_hostname (host), NULL };
  const char *const *names = detour_settings_list (settings, "names");

  if (names[0] != NULL)
    return g_strdupv ((char **) names);
  return g_strdupv ((char **) (hostname[0] != NULL ? hostname : self_only));
}

static gpointer
cert_selfsigned_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  CertSelfsigned *self = g_new0 (CertSelfsigned, 1);
  g_autoptr (GError) why = NULL;

  self->host = host;
  self->names = cert_selfsigned_names_for (host, settings);
  self->days = (guint) detour_settings_uint (settings, "days");
  self->stem = cert_selfsigned_stem_for (host);
  if (!cert_own_check_name (self->names[0], &why) || !cert_selfsigned_refresh (self, &why))
    {
      detour_settings_error (settings, "names", error, "%s", why->message);
      cert_selfsigned_free (self);
      return NULL;
    }
  self->look_id = g_timeout_add_seconds (LOOK_S, cert_selfsigned_look, self);
  return self;
}

static void
cert_selfsigned_stop (gpointer ptr)
{
  cert_selfsigned_free (ptr); /* core takes the certificate back */
}

DETOUR_PLUGIN_DEFINE (.name = "cert-selfsigned", .kind = DETOUR_KIND_CERT,
                      .summary =
                          "a certificate without an authority, which clients pin by its hash",
                      .config = cert_selfsigned_config, .check = cert_selfsigned_check,
                      .start = cert_selfsigned_start, .reload = cert_selfsigned_reload,
                      .stop = cert_selfsigned_stop);
