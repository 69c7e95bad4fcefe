/* transport-tls.c: listeners whose connections speak TLS.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <gio/gio.h>
#include <string.h>

#include "tls-aead.h"
#include "tls-channel-export.h"
#include "tls-channel-gnutls.h"
#include "tls-credentials.h"

/* Limit of GnuTLS for an ALPN protocol. */
#define ALPN_NAME_MAX 32

static const DetourConfigKey transport_tls_config[] = {
  DETOUR_LISTENER_KEYS,
  DETOUR_LISTENER_FORWARD_KEYS,
  { "derp", DETOUR_CONFIG_BOOL, "true", .summary = "clients may use the relay here" },
  { "cert", DETOUR_CONFIG_STRING,
    .summary = "certificates of this cert instance only; without it of any, chosen by name, then "
               "address",
    .flags = DETOUR_CONFIG_CERT },
  { "alpn", DETOUR_CONFIG_STRING, "http/1.1",
    .summary = "application protocols to agree on, best first", .flags = DETOUR_CONFIG_LIST },
  { "min-version", DETOUR_CONFIG_ENUM, "1.2", .summary = "oldest version of TLS that is spoken",
    .words = "1.2|1.3" },
  { "record-layer", DETOUR_CONFIG_ENUM, "auto",
    .summary = "who seals and opens records once the handshake is over; `auto` is the best there "
               "is",
    .words = "auto|gnutls|export" },
  { NULL },
};

static gboolean
transport_tls_check (const DetourSettings *settings, GError **error)
{
  const char *const *alpn = detour_settings_list (settings, "alpn");
  guint n = 0;

  if (!detour_listener_check (settings, error))
    return FALSE;
  for (; alpn[n] != NULL; n++)
    {
      if (strcmp (alpn[n], "h2") == 0)
        {
          detour_settings_error (settings, "alpn", error,
                                 "\"h2\": HTTP/2 is not spoken here; write http/1.1");
          return FALSE;
        }
      if (strcmp (alpn[n], DETOUR_CHALLENGE_PROTOCOL) == 0)
        {
          detour_settings_error (settings, "alpn", error,
                                 "\"%s\" is answered by every listener; leave it out", alpn[n]);
          return FALSE;
        }
      if (strlen (alpn[n]) == 0 || strlen (alpn[n]) > ALPN_NAME_MAX)
        {
          detour_settings_error (settings, "alpn", error,
                                 "\"%s\" has %u characters; 1 to %u are possible", alpn[n],
                                 (guint) strlen (alpn[n]), ALPN_NAME_MAX);
          return FALSE;
        }
    }
  if (n == 0 || n > TLS_ALPN_MAX)
    {
      detour_settings_error (settings, "alpn", error, "%u protocols; 1 to %u are possible", n,
                             TLS_ALPN_MAX);
      return FALSE;
    }
  return TRUE;
}

/* Handshake pool. */
static gpointer
transport_tls_accept (gpointer user, const DetourAccepted *accepted)
{
  return tls_channel_gnutls_new (user, &accepted->local);
}

static void
transport_tls_release (gpointer user)
{
  tls_credentials_unref (user);
}

/* Main thread: the client's end of a link to another relay. */
static gpointer
transport_tls_connect (gpointer user, const char *host, const char *pin, const char *ca_file,
                       GError **error)
{
  return tls_channel_gnutls_connect (user, host, pin, ca_file, error);
}

static gpointer
transport_tls_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  TlsConfig config = {
    .cert = detour_settings_string (settings, "cert"),
    .alpn = detour_settings_list (settings, "alpn"),
    .tls13_only = strcmp (detour_settings_string (settings, "min-version"), "1.3") == 0,
    .exports = strcmp (detour_settings_string (settings, "record-layer"), "gnutls") != 0,
  };
  g_autofree char *note = config.exports ? tls_aead_describe () : g_strdup ("records by GnuTLS");
  TlsCredentials *credentials = tls_credentials_new (host, &config, error);
  DetourListenerSpec spec = {
    .protocol = "tls",
    .flags = (detour_settings_bool (settings, "derp") ? DETOUR_LISTENER_DERP : 0)
           | DETOUR_LISTENER_SECURE,
    .channel = &tls_channel_gnutls_class,
    .accept = transport_tls_accept,
    .release = transport_tls_release,
    .note = note,
  };

  if (credentials == NULL)
    return NULL;
  detour_listener_fill (settings, &spec);
  spec.own_name = detour_host_hostname (host);
  if (!detour_host_add_channel (host, &tls_channel_export_class))
    g_warning ("%s: connections of another process cannot be taken over: another transport has a "
               "channel with the name \"%s\"",
               detour_host_instance (host), tls_channel_export_class.name);
  /* The first listener that runs dials for all. */
  detour_host_add_dialer (host, &(DetourDialer) { .name = "tls",
                                                  .channel = &tls_channel_gnutls_class,
                                                  .connect = transport_tls_connect,
                                                  .user = credentials });
  spec.user = tls_credentials_ref (credentials);
  if (!detour_host_listen (host, settings, &spec, error))
    {
      tls_credentials_unref (spec.user); /* release() is not called */
      tls_credentials_detach (credentials);
      tls_credentials_unref (credentials);
      return NULL;
    }
  return credentials;
}

static void
transport_tls_stop (gpointer self)
{
  tls_credentials_detach (self);
  tls_credentials_unref (self);
}

DETOUR_PLUGIN_DEFINE (.name = "transport-tls", .kind = DETOUR_KIND_TRANSPORT,
                      .summary = "listens for connections that speak TLS",
                      .config = transport_tls_config, .check = transport_tls_check,
                      .start = transport_tls_start, .stop = transport_tls_stop);
