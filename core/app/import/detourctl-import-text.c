/* detourctl-import-text.c: writes the configuration that does what derper's flags did.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "detour-config-value.h"
#include "detourctl-import-put.h"

#define SECOND G_GINT64_CONSTANT (1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Key of [limits] for a duration. */
typedef struct {
  DetourctlDerperFlag flag;
  const char *key;
  gint64 min_us, max_us;
  /* What stands for 0 and for a negative duration, where that is no time for derper. */
  const char *zero, *negative;
  /* (nullable): what derper means by 0, where the value does not say it. */
  const char *zero_meaning;
} Duration;

static const Duration durations[] = {
  { .flag = DERPER_TCP_KEEPALIVE_TIME,
    .key = "tcp-keep-alive",
    .min_us = SECOND,
    .max_us = 7 * DAY,
    .zero = "15s",
    .zero_meaning = "is 15s for derper",
    .negative = "off" },
  { .flag = DERPER_TCP_USER_TIMEOUT,
    .key = "tcp-user-timeout",
    .min_us = SECOND,
    .max_us = DAY,
    .zero = "off" },
  { .flag = DERPER_TCP_WRITE_TIMEOUT,
    .key = "write-timeout",
    .min_us = SECOND / 10,
    .max_us = HOUR,
    .zero = "off" },
};

static void
ctl_import_text_write_duration (DetourctlImportText *self, const Duration *duration)
{
  const DetourctlDerperValue *value = detourctl_import_put_value (self, duration->flag);
  const char *name = detourctl_derper_flag_name (duration->flag);
  const char *word = value->length_us == 0 ? duration->zero
                   : value->length_us < 0  ? duration->negative
                                           : NULL;
  gint64 us = CLAMP (value->length_us, duration->min_us, duration->max_us);
  g_autofree char *text = NULL;

  if (!value->is_set)
    return;
  if (value->length_us == 0 && duration->zero_meaning != NULL)
    detourctl_import_put_commentf (self, GROUP_LIMITS, "-%s=%s %s.", name, value->text,
                                   duration->zero_meaning);
  else if (word == NULL && us != value->length_us)
    detourctl_import_put_commentf (self, GROUP_LIMITS,
                                   "-%s was %s, which has no counterpart; this is the nearest.",
                                   name, value->text);
  text = word != NULL ? g_strdup (word)
                      : detour_config_format_duration ((guint64) (us + 999) / 1000);
  detourctl_import_put_key (self, GROUP_LIMITS, duration->key, text);
}

/* Listeners --------------------------------------------------------------------------------------
 */

/* -a into host and port, as Go splits them. */
static gboolean
ctl_import_text_read_address (DetourctlImportText *self)
{
  const char *text = detourctl_import_put_value (self, DERPER_DEV)->flag
                       ? ":3340"
                       : detourctl_import_put_of (self, DERPER_A);
  const char *colon = strrchr (text, ':');
  guint64 port = 0;

  if (colon == NULL)
    return FALSE;
  self->host = *text == '[' && colon > text && colon[-1] == ']'
                 ? g_strndup (text + 1, (gsize) (colon - text - 2))
                 : g_strndup (text, (gsize) (colon - text));
  if (*text != '[' && strchr (self->host, ':') != NULL)
    return FALSE;
  /* A bracket that stands alone, or in the middle. */
  if (strpbrk (self->host, "[]") != NULL)
    return FALSE;
  if (strcmp (colon + 1, "https") == 0)
    port = 443;
  else if (strcmp (colon + 1, "http") == 0)
    port = 80;
  else if (!g_ascii_string_to_unsigned (colon + 1, 10, 0, 65535, &port, NULL))
    return FALSE;
  self->port = (guint) port;
  return TRUE;
}

/* Another port at the host of -a. */
static char *
ctl_import_text_address (const DetourctlImportText *self, gint64 port)
{
  const char *host = *self->host == '\0' ? "::" : self->host;
  gboolean is_ipv6 = strchr (host, ':') != NULL;

  return g_strdup_printf ("%s%s%s:%" G_GINT64_FORMAT, is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
                          port);
}

static void
ctl_import_text_listen (DetourctlImportText *self, DetourctlImportGroup group, gint64 port,
                        gint64 usual)
{
  g_autofree char *address = NULL;

  if (port == usual && *self->host == '\0')
    return;
  address = ctl_import_text_address (self, port);
  detourctl_import_put_key (self, group, "listen", address);
}

static void
ctl_import_text_write_listeners (DetourctlImportText *self)
{
  gint64 http_port = detourctl_import_put_value (self, DERPER_HTTP_PORT)->number;
  gboolean relays = detourctl_import_put_value (self, DERPER_DERP)->flag;

  if (self->tls)
    {
      ctl_import_text_listen (self, GROUP_HTTPS, self->port, 443);
      if (!relays)
        detourctl_import_put_key (self, GROUP_HTTPS, "derp", "false");
      if (http_port > 65535)
        detourctl_import_put_fault (self, DERPER_HTTP_PORT, _ ("there is no such port"));
      else if (http_port < 0)
        detourctl_import_put_key (self, GROUP_HTTP, "enabled", "false");
      else
        ctl_import_text_listen (self, GROUP_HTTP, http_port, 80);
      return;
    }
  detourctl_import_put_comment (self, GROUP_HTTPS,
                                "derper speaks TLS only on port 443 or with -certmode=manual.");
  detourctl_import_put_key (self, GROUP_HTTPS, "enabled", "false");
  detourctl_import_put_comment (self, GROUP_HTTP,
                                "Plain HTTP; something in front of the relay has to speak TLS.");
  ctl_import_text_listen (self, GROUP_HTTP, self->port, 80);
  detourctl_import_put_key (self, GROUP_HTTP, "derp", relays ? "true" : "false");
  detourctl_import_put_key (self, GROUP_HTTP, "redirect", "none");
  if (detourctl_import_put_value (self, DERPER_HTTP_PORT)->is_set)
    detourctl_import_put_without (self, DERPER_HTTP_PORT,
                                  "derper has no such listener either where it does not speak TLS");
}

static void
ctl_import_text_write_stun (DetourctlImportText *self)
{
  gint64 port = detourctl_import_put_value (self, DERPER_STUN_PORT)->number;

  if (!detourctl_import_put_value (self, DERPER_STUN)->flag)
    detourctl_import_put_key (self, GROUP_STUN, "enabled", "false");
  else if (port < 0 || port > 65535)
    detourctl_import_put_fault (self, DERPER_STUN_PORT, _ ("there is no such port"));
  else
    ctl_import_text_listen (self, GROUP_STUN, port, 3478);
}

/* Certificates -----------------------------------------------------------------------------------
 */

static void
ctl_import_text_write_manual (DetourctlImportText *self)
{
  const char *hostname = detourctl_import_put_of (self, DERPER_HOSTNAME);

  detourctl_import_put_key (self, GROUP_CERT, "plugin", "file");
  if (detourctl_import_put_has (self, DERPER_CERTDIR))
    detourctl_import_put_copy (self, DERPER_CERTDIR, GROUP_CERT, "directory");
  else
    {
      detourctl_import_put_comment (self, GROUP_CERT,
                                    "Where derper looks as root; -certdir was not given.");
      detourctl_import_put_key (self, GROUP_CERT, "directory",
                                "/root/.cache/tailscale/derper-certs");
    }
  if (g_hostname_is_ip_address (hostname))
    detourctl_import_put_comment (
        self, GROUP_CERT,
        "derper makes a self-signed certificate when the files are missing. "
        "For that write plugin = selfsigned alone.");
}

static void
ctl_import_text_write_eab (DetourctlImportText *self)
{
  detourctl_import_put_copy (self, DERPER_ACME_EAB_KID, GROUP_CERT, "eab-kid");
  if (!detourctl_import_put_has (self, DERPER_ACME_EAB_KEY))
    return;
  detourctl_import_put_comment (
      self, GROUP_CERT,
      "Put the value of -acme-eab-key into this file, readable for the user "
      "detour alone.");
  detourctl_import_put_key (self, GROUP_CERT, "eab-key-file", "/etc/detour/private/eab.key");
}

static void
ctl_import_text_write_acme (DetourctlImportText *self, gboolean is_gcp)
{
  const char *hostname = detourctl_import_put_of (self, DERPER_HOSTNAME);
  gboolean has_ip_certs = detourctl_import_put_value (self, DERPER_ACME_IP_CERTS)->flag;

  detourctl_import_put_key (self, GROUP_CERT, "plugin", "acme");
  if (is_gcp)
    detourctl_import_put_key (self, GROUP_CERT, "directory-url", "google");
  detourctl_import_put_copy (self, DERPER_ACME_EMAIL, GROUP_CERT, "email");
  if (detourctl_import_put_has (self, DERPER_CERTDIR))
    {
      detourctl_import_put_comment (self, GROUP_CERT,
                                    "Account and certificate of derper are taken over from here.");
      detourctl_import_put_copy (self, DERPER_CERTDIR, GROUP_CERT, "import-directory");
    }
  if (has_ip_certs && is_gcp)
    detourctl_import_put_fault (self, DERPER_ACME_IP_CERTS,
                                _ ("derper has it for letsencrypt only"));
  else if (has_ip_certs)
    {
      detourctl_import_put_comment (
          self, GROUP_CERT,
          "-acme-ip-certs: add the addresses that clients come to, separated "
          "by semicolons; derper asks for them as they come.");
      detourctl_import_put_key (self, GROUP_CERT, "names", hostname);
    }
  else if (g_hostname_is_ip_address (hostname))
    detourctl_import_put_fault (
        self, DERPER_HOSTNAME,
        _ ("derper wants -acme-ip-certs or -certmode=manual for an address"));
  if (is_gcp
      && (!detourctl_import_put_has (self, DERPER_ACME_EAB_KID)
          || !detourctl_import_put_has (self, DERPER_ACME_EAB_KEY)
          || !detourctl_import_put_has (self, DERPER_ACME_EMAIL)))
    detourctl_import_put_fault (self, DERPER_CERTMODE,
                                _ ("gcp wants -acme-eab-kid, -acme-eab-key and -acme-email"));
  if (is_gcp)
    ctl_import_text_write_eab (self);
}

static void
ctl_import_text_write_certificate (DetourctlImportText *self)
{
  static const DetourctlDerperFlag acme[] = { DERPER_ACME_EAB_KEY, DERPER_ACME_EAB_KID,
                                              DERPER_ACME_EMAIL, DERPER_ACME_IP_CERTS };
  static const DetourctlDerperFlag all[] = { DERPER_CERTDIR, DERPER_CERTMODE };
  const char *mode = detourctl_import_put_of (self, DERPER_CERTMODE);
  gboolean is_gcp = strcmp (mode, "gcp") == 0;
  gboolean is_acme = self->tls && (is_gcp || strcmp (mode, "letsencrypt") == 0);

  if (is_acme)
    ctl_import_text_write_acme (self, is_gcp);
  else if (self->tls && strcmp (mode, "manual") == 0)
    ctl_import_text_write_manual (self);
  else if (self->tls)
    detourctl_import_put_fault (self, DERPER_CERTMODE, _ ("expected manual, letsencrypt or gcp"));

  for (guint i = 0; i < G_N_ELEMENTS (acme); i++)
    if (detourctl_import_put_value (self, acme[i])->is_set
        && !(is_acme
             && (is_gcp || acme[i] == DERPER_ACME_EMAIL || acme[i] == DERPER_ACME_IP_CERTS)))
      {
        g_autofree char *line = g_strdup_printf (
            "-%s: derper takes no notice of it without %s either",
            detourctl_derper_flag_name (acme[i]),
            acme[i] <= DERPER_ACME_EAB_KID ? "-certmode=gcp" : "ACME");

        detourctl_import_put_comment_on (self->without, line);
      }
  for (guint i = 0; i < G_N_ELEMENTS (all) && !self->tls; i++)
    if (detourctl_import_put_value (self, all[i])->is_set)
      detourctl_import_put_without (self, all[i],
                                    "there is no TLS here, so no certificate is used");
}

/* Admission --------------------------------------------------------------------------------------
 */

static void
ctl_import_text_write_url (DetourctlImportText *self)
{
  const DetourctlDerperValue *open = detourctl_import_put_value (
      self, DERPER_VERIFY_CLIENT_URL_FAIL_OPEN);
  g_autofree char *url = NULL;

  if (!detourctl_import_put_has (self, DERPER_VERIFY_CLIENT_URL))
    {
      if (open->is_set)
        detourctl_import_put_without (self, DERPER_VERIFY_CLIENT_URL_FAIL_OPEN,
                                      "it has no effect without -verify-client-url");
      return;
    }
  url = g_strdup (detourctl_import_put_of (self, DERPER_VERIFY_CLIENT_URL));
  if (strchr (url, '#') != NULL)
    {
      detourctl_import_put_comment (self, GROUP_URL,
                                    "What is behind # was never sent, and is left out.");
      *strchr (url, '#') = '\0';
    }
  detourctl_import_put_key (self, GROUP_URL, "url", url);
  if (!open->flag)
    detourctl_import_put_comment (self, GROUP_URL,
                                  "grace instead would admit those that were admitted lately.");
  detourctl_import_put_key (self, GROUP_URL, "unavailable", open->flag ? "allow" : "deny");
}

static void
ctl_import_text_write_app_names (DetourctlImportText *self)
{
  const char *text = detourctl_import_put_of (self, DERPER_DISALLOW_APP_NAMES);
  g_auto (GStrv) parts = NULL;

  if (*text == '\0')
    return;
  parts = g_strsplit (text, ",", -1);
  if (g_strv_contains ((const char *const *) parts, ""))
    detourctl_import_put_comment (
        self, GROUP_ADMISSION,
        "-disallow-app-names has an empty name, with which derper refuses "
        "every client that sends none; it is left out.");
  detourctl_import_put_list (self, DERPER_DISALLOW_APP_NAMES, GROUP_ADMISSION,
                             "disallow-app-names");
}

static void
ctl_import_text_write_admission (DetourctlImportText *self)
{
  gboolean asks_tailscaled = detourctl_import_put_value (self, DERPER_VERIFY_CLIENTS)->flag;
  gboolean asks_url = detourctl_import_put_has (self, DERPER_VERIFY_CLIENT_URL);

  if (asks_tailscaled && asks_url)
    {
      detourctl_import_put_comment (self, GROUP_ADMISSION, "Both have to admit a client.");
      g_string_append (detourctl_import_put_group (self, GROUP_ADMISSION),
                       "chain = tailscaled; url\nmatch = all\n");
    }
  else if (asks_tailscaled || asks_url)
    detourctl_import_put_key (self, GROUP_ADMISSION, "chain",
                              asks_tailscaled ? "tailscaled" : "url");
  else
    {
      detourctl_import_put_comment (
          self, GROUP_ADMISSION,
          "derper without -verify-clients and -verify-client-url is open to "
          "everyone.");
      detourctl_import_put_key (self, GROUP_ADMISSION, "chain", "open");
    }
  if (asks_tailscaled)
    {
      detourctl_import_put_group (self, GROUP_TAILSCALED);
      detourctl_import_put_copy (self, DERPER_SOCKET, GROUP_TAILSCALED, "socket");
    }
  else if (detourctl_import_put_has (self, DERPER_SOCKET))
    detourctl_import_put_without (self, DERPER_SOCKET, "it has no effect without -verify-clients");
  ctl_import_text_write_url (self);
  ctl_import_text_write_app_names (self);
}

/* The rest ---------------------------------------------------------------------------------------
 */

static void
ctl_import_text_write_core (DetourctlImportText *self)
{
  if (!detourctl_import_put_value (self, DERPER_HOSTNAME)->is_set)
    detourctl_import_put_comment (
        self, GROUP_CORE,
        "-hostname was not given, and this is derper's default. Write the "
        "name of your relay.");
  detourctl_import_put_copy (self, DERPER_HOSTNAME, GROUP_CORE, "hostname");
  if (detourctl_import_put_value (self, DERPER_DEV)->flag)
    {
      detourctl_import_put_comment (self, GROUP_CORE,
                                    "-dev makes a new key at each start and listens on :3340; "
                                    "detourd --dev is for the same use.");
      if (detourctl_import_put_value (self, DERPER_C)->is_set)
        detourctl_import_put_without (self, DERPER_C,
                                      "derper takes no notice of it with -dev either");
      return;
    }
  detourctl_import_put_comment (
      self, GROUP_CORE,
      "derper's key is read as it is; the user detour must be able to read "
      "it.");
  if (detourctl_import_put_has (self, DERPER_C))
    detourctl_import_put_copy (self, DERPER_C, GROUP_CORE, "key-file");
  else
    detourctl_import_put_key (self, GROUP_CORE, "key-file", "/var/lib/derper/derper.key");
}

static void
ctl_import_text_write_home (DetourctlImportText *self)
{
  const char *home = detourctl_import_put_of (self, DERPER_HOME);
  g_autofree char *page = NULL;

  if (*home == '\0')
    page = g_strdup ("default");
  else if (strcmp (home, "blank") == 0)
    page = g_strdup ("blank");
  else if (g_str_has_prefix (home, "http://") || g_str_has_prefix (home, "https://"))
    page = g_strconcat ("redirect:", home, NULL);
  else
    {
      detourctl_import_put_fault (self, DERPER_HOME, _ ("expected nothing, blank, or a URL"));
      return;
    }
  detourctl_import_put_key (self, GROUP_HOME, "page", page);
}

static void
ctl_import_text_write_accept (DetourctlImportText *self)
{
  const DetourctlDerperValue *rate = detourctl_import_put_value (self,
                                                                 DERPER_ACCEPT_CONNECTION_LIMIT);
  const DetourctlDerperValue *burst = detourctl_import_put_value (self,
                                                                  DERPER_ACCEPT_CONNECTION_BURST);
  gint64 whole;

  if (!isfinite (rate->real) || rate->real >= 1e6)
    {
      if (rate->is_set && rate->real > 0)
        detourctl_import_put_without (self, DERPER_ACCEPT_CONNECTION_LIMIT, "that is no limit");
      if (burst->is_set)
        detourctl_import_put_without (self, DERPER_ACCEPT_CONNECTION_BURST,
                                      "it has no effect without -accept-connection-limit");
      return;
    }
  if (!self->tls)
    {
      detourctl_import_put_without (self, DERPER_ACCEPT_CONNECTION_LIMIT,
                                    "derper has a limit only where it speaks TLS");
      return;
    }
  whole = (gint64) MAX (ceil (rate->real), 1);
  if ((double) whole != rate->real)
    detourctl_import_put_commentf (
        self, GROUP_LIMITS, "-accept-connection-limit was %s; this is the next whole number.",
        rate->text);
  g_string_append_printf (detourctl_import_put_group (self, GROUP_LIMITS),
                          "accept-rate = %" G_GINT64_FORMAT "\n", whole);
  g_string_append_printf (detourctl_import_put_group (self, GROUP_LIMITS),
                          "accept-burst = %" G_GINT64_FORMAT "\n",
                          CLAMP (burst->number, 1, 1000000));
}

static void
ctl_import_text_write_limits (DetourctlImportText *self)
{
  ctl_import_text_write_accept (self);
  for (guint i = 0; i < G_N_ELEMENTS (durations); i++)
    ctl_import_text_write_duration (self, &durations[i]);
  if (detourctl_import_put_value (self, DERPER_TCP_USER_TIMEOUT)->length_us < 0)
    detourctl_import_put_fault (self, DERPER_TCP_USER_TIMEOUT, _ ("it may not be negative"));
  detourctl_import_put_copy (self, DERPER_RATE_CONFIG, GROUP_LIMITS, "rate-config-file");
}

static void
ctl_import_text_write_all (DetourctlImportText *self)
{
  ctl_import_text_write_core (self);
  ctl_import_text_write_admission (self);
  ctl_import_text_write_listeners (self);
  ctl_import_text_write_certificate (self);
  ctl_import_text_write_stun (self);
  ctl_import_text_write_home (self);
  detourctl_import_put_list (self, DERPER_BOOTSTRAP_DNS_NAMES, GROUP_DNS, "names");
  detourctl_import_put_list (self, DERPER_UNPUBLISHED_BOOTSTRAP_DNS_NAMES, GROUP_DNS,
                             "unpublished-names");
  if (detourctl_import_put_value (self, DERPER_ACE)->flag)
    detourctl_import_put_group (self, GROUP_ACE);
  detourctl_import_put_mesh (self);
  ctl_import_text_write_limits (self);
  if (detourctl_import_put_value (self, DERPER_VERSION)->flag)
    detourctl_import_put_without (self, DERPER_VERSION,
                                  "derper prints its version and ends; so does detourd --version");
}

/* The words it was made of, without what is secret. */
static void
ctl_import_text_write_head (GString *out, const DetourctlImportSource *source)
{
  g_autoptr (GString) line = g_string_new (NULL);
  gboolean is_secret = FALSE;

  g_string_append_printf (line, "Made by detourctl import-derper from a %s: derper", source->kind);
  for (guint i = 0; source->words[i] != NULL; i++)
    {
      const char *word = source->words[i];
      const char *sign = strchr (word, '=');
      gboolean names_secret = g_str_has_prefix (word + strspn (word, "-"), "acme-eab-key");

      if (is_secret)
        g_string_append (line, " ...");
      else if (names_secret && sign != NULL)
        g_string_append_printf (line, " %.*s=...", (int) (sign - word), word);
      else
        g_string_append_printf (line, " %s", *word != '\0' ? word : "''");
      is_secret = names_secret && sign == NULL && *word == '-';
    }
  detourctl_import_put_comment_on (out, line->str);
  for (guint i = 0; i < source->notes->len; i++)
    detourctl_import_put_comment_on (out, source->notes->pdata[i]);
}

char *
detourctl_import_text (const DetourctlDerperFlags *flags, const DetourctlImportSource *source,
                       GPtrArray *faults)
{
  DetourctlImportText self = { .flags = flags, .faults = faults, .without = g_string_new (NULL) };
  GString *out = g_string_new (NULL);

  ctl_import_text_write_head (out, source);
  if (flags->rest->len > 0)
    {
      g_autofree char *line = g_strdup_printf (
          "derper takes no notice of \"%s\" and what is behind it.",
          (const char *) flags->rest->pdata[0]);

      detourctl_import_put_comment_on (out, line);
    }
  if (ctl_import_text_read_address (&self))
    {
      self.tls = self.port == 443 || strcmp (flags->values[DERPER_CERTMODE].text, "manual") == 0;
      ctl_import_text_write_all (&self);
    }
  else
    detourctl_import_put_fault (&self, DERPER_A,
                                _ ("expected :PORT, ADDRESS:PORT or [ADDRESS]:PORT"));
  for (guint i = 0; i < N_GROUPS; i++)
    if (self.groups[i] != NULL)
      {
        g_string_append (out, self.groups[i]->str);
        g_string_free (self.groups[i], TRUE);
      }
  if (self.without->len > 0)
    g_string_append_printf (out, "\n# Without a counterpart:\n%s", self.without->str);
  g_string_free (self.without, TRUE);
  g_free (self.host);
  return g_string_free (out, FALSE);
}
