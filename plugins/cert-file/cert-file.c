/* cert-file.c: certificates from files, read again when they change.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>
#include <time.h>

#include "cert-advice.h"
#include "cert-place.h"
#include "cert-watch.h"

#define SETTLE_MS 1000
/* A symbolic link whose target changes elsewhere raises no event in the watched directory, so the
 * files are also looked at once an hour. */
#define LOOK_S  3600
#define NO_NAME "not set, and [core] hostname neither; set one of them"

typedef struct {
  DetourHost *host;
  GPtrArray *places; /* CertPlace, in the order of the configuration */
  CertWatch *watch;
  gboolean knows_others; /* all instances have had the chance to publish certificates */
  char *said;            /* trouble that was logged last; NULL: none */
} CertFile;

static const DetourConfigKey cert_file_config[] = {
  { "chain-file", DETOUR_CONFIG_PATH,
    .summary = "PEM file with the certificate and then its issuers" },
  { "key-file", DETOUR_CONFIG_PATH, .summary = "PEM file with the certificate's key" },
  { "directory", DETOUR_CONFIG_PATH,
    .summary = "instead of both: folder with NAME.crt and NAME.key for each name" },
  { "names", DETOUR_CONFIG_STRING, .summary = "names in `directory`; without it [core] hostname",
    .flags = DETOUR_CONFIG_LIST },
  { NULL },
};

/* The form of NAME in file names, by derper's rule. */
static char *
cert_file_stem (const char *name)
{
  GString *stem = g_string_new (NULL);

  for (; *name != '\0'; name++)
    if (g_ascii_isalnum (*name) || *name == '.' || *name == '-')
      g_string_append_c (stem, *name);
  return g_string_free (stem, FALSE);
}

static gboolean
cert_file_add_name (GPtrArray *places, const char *directory, const char *name,
                    const DetourSettings *settings, GError **error)
{
  g_autofree char *stem = cert_file_stem (name);
  g_autofree char *chain = g_strconcat (directory, "/", stem, ".crt", NULL);
  g_autofree char *key = g_strconcat (directory, "/", stem, ".key", NULL);

  if (stem[0] == '\0')
    {
      detour_settings_error (settings, "names", error,
                             "\"%s\" is not a name; expected a host name or an address", name);
      return FALSE;
    }
  g_ptr_array_add (places, cert_place_new (chain, key, name));
  return TRUE;
}

/* @hostname: (nullable). The result is empty when a host name is needed and @hostname is NULL. */
static GPtrArray *
cert_file_places_of (const DetourSettings *settings, const char *hostname, GError **error)
{
  g_autoptr (GPtrArray) places = g_ptr_array_new_with_free_func ((GDestroyNotify) cert_place_free);
  const char *chain = detour_settings_string (settings, "chain-file");
  const char *key = detour_settings_string (settings, "key-file");
  const char *directory = detour_settings_string (settings, "directory");
  const char *const *names = detour_settings_list (settings, "names");

  if (directory == NULL && (chain == NULL || key == NULL))
    {
      detour_settings_error (settings, chain != NULL ? "key-file" : "chain-file", error,
                             "not set; expected `chain-file` and `key-file`, or `directory`");
      return NULL;
    }
  if (directory != NULL && (chain != NULL || key != NULL))
    {
      detour_settings_error (
          settings, "directory", error,
          "set beside `%s`; expected either `chain-file` and `key-file`, or `directory`",
          chain != NULL ? "chain-file" : "key-file");
      return NULL;
    }
  if (directory == NULL && names[0] != NULL)
    {
      detour_settings_error (settings, "names", error,
                             "names choose files in `directory`, which is not set");
      return NULL;
    }
  if (directory == NULL)
    g_ptr_array_add (places, cert_place_new (chain, key, NULL));
  else if (names[0] == NULL && hostname != NULL
           && !cert_file_add_name (places, directory, hostname, settings, error))
    return NULL;
  for (guint i = 0; directory != NULL && names[i] != NULL; i++)
    if (!cert_file_add_name (places, directory, names[i], settings, error))
      return NULL;
  return g_steal_pointer (&places);
}

/* Loads all pairs for the first time. Returns: NULL, or the key at fault with @why set. */
static const char *
cert_file_load_each (GPtrArray *places, const DetourSettings *settings, GError **why)
{
  gboolean files = detour_settings_string (settings, "directory") == NULL;

  for (guint i = 0; i < places->len; i++)
    {
      g_autoptr (GError) error = NULL;
      gboolean is_chain;

      if (cert_place_look (places->pdata[i], TRUE, &error) != CERT_PLACE_TROUBLE)
        continue;
      is_chain = error->code == CERT_PAIR_ERROR_CHAIN;
      g_propagate_error (why, g_steal_pointer (&error));
      return !files ? "directory" : is_chain ? "chain-file" : "key-file";
    }
  return NULL;
}

static gboolean
cert_file_load_all (GPtrArray *places, const DetourSettings *settings, GError **error)
{
  g_autoptr (GError) why = NULL;
  const char *key = cert_file_load_each (places, settings, &why);

  if (key != NULL)
    detour_settings_error (settings, key, error, "%s", why->message);
  return key == NULL;
}

static gboolean
cert_file_check (const DetourSettings *settings, GError **error)
{
  g_autoptr (GPtrArray) places = cert_file_places_of (settings, NULL, error);

  return places != NULL && cert_file_load_all (places, settings, error);
}

/* The faults of one pair as a text, or NULL. */
static char *
cert_file_place_trouble (const CertPlace *place, gint64 now_s)
{
  g_auto (GStrv) advice = NULL;
  g_autofree char *text = NULL;

  if (cert_place_trouble (place) != NULL)
    return g_strdup_printf ("%s; the certificate from before is still served",
                            cert_place_trouble (place));
  advice = cert_advice_list (cert_place_cert (place), cert_place_notes (place), now_s);
  if (advice[0] == NULL)
    return NULL;
  text = g_strjoinv ("; it ", advice);
  return g_strdup_printf ("%s %s", cert_place_chain_path (place), text);
}

/* It is no fault of this instance when another one has the certificate for the host name. */
static char *
cert_file_hostname_trouble (CertFile *self)
{
  const char *hostname = detour_host_hostname (self->host);
  const DetourCert *first = cert_place_cert (self->places->pdata[0]);
  g_autoptr (DetourCert) served = NULL;
  g_autofree char *names = NULL;

  if (hostname == NULL || !self->knows_others)
    return NULL;
  served = detour_host_find_cert (self->host, NULL, hostname, NULL);
  if (served == NULL || cert_advice_is_for (served, hostname))
    return NULL;
  names = g_strjoinv (", ", (char **) detour_cert_names (first));
  return g_strdup_printf ("%s is for %s and not for %s, the name in [core] hostname; clients "
                          "refuse it unless their map has a CertName",
                          cert_place_chain_path (self->places->pdata[0]), names, hostname);
}

/* All troubles in one text, or NULL. */
static char *
cert_file_trouble (CertFile *self)
{
  gint64 now_s = (gint64) time (NULL);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_autofree char *hostname = cert_file_hostname_trouble (self);
  g_auto (GStrv) all = NULL;

  for (guint i = 0; i < self->places->len; i++)
    {
      g_autofree char *trouble = cert_file_place_trouble (self->places->pdata[i], now_s);

      if (trouble != NULL)
        g_strv_builder_add (builder, trouble);
    }
  if (hostname != NULL)
    g_strv_builder_add (builder, hostname);
  all = g_strv_builder_end (builder);
  return all[0] != NULL ? g_strjoinv ("; ", all) : NULL;
}

/* ", sha256-raw:…" for a certificate that clients pin, else nothing. */
static char *
cert_file_pin_text (const DetourCert *cert)
{
  g_autofree char *hex = NULL;
  GBytes *const *chain;

  if (!detour_cert_self_signed (cert))
    return g_strdup ("");
  detour_cert_chain (cert, &chain);
  hex = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, chain[0]);
  return g_strconcat (", sha256-raw:", hex, NULL);
}

/* Brings summary and trouble up to date; each trouble is logged once. */
static void
cert_file_report (CertFile *self)
{
  g_autofree char *trouble = cert_file_trouble (self);
  const DetourCert *first = NULL;
  g_autofree char *until = NULL;
  g_autofree char *pin = NULL;

  for (guint i = 0; i < self->places->len; i++)
    {
      const DetourCert *cert = cert_place_cert (self->places->pdata[i]);

      if (first == NULL || detour_cert_not_after (cert) < detour_cert_not_after (first))
        first = cert;
    }
  until = cert_advice_date (detour_cert_not_after (first));
  pin = cert_file_pin_text (first);
  detour_host_set_summary (
      self->host, "%u certificate%s, %s until %s%s", self->places->len,
      self->places->len == 1 ? "" : "s",
      detour_cert_names (first)[0] != NULL ? detour_cert_names (first)[0] : "no name", until, pin);
  if (trouble != NULL)
    detour_host_set_trouble (self->host, "%s", trouble);
  else
    detour_host_set_trouble (self->host, NULL);
  if (trouble != NULL && g_strcmp0 (trouble, self->said) != 0)
    g_warning ("%s: %s", detour_host_instance (self->host), trouble);
  g_free (self->said);
  self->said = g_steal_pointer (&trouble);
}

/* Runs once all instances have had the chance to publish certificates. */
static void
cert_file_judge_names (gpointer data)
{
  CertFile *self = data;

  self->knows_others = TRUE;
  cert_file_report (self);
}

static void
cert_file_publish (CertFile *self)
{
  g_autoptr (GPtrArray) certs = g_ptr_array_new ();

  for (guint i = 0; i < self->places->len; i++)
    g_ptr_array_add (certs, cert_place_cert (self->places->pdata[i]));
  detour_host_publish_certs (self->host, (DetourCert *const *) certs->pdata, certs->len);
}

static void
cert_file_look (CertFile *self, gboolean force)
{
  gboolean changed = FALSE;

  for (guint i = 0; i < self->places->len; i++)
    {
      CertPlace *place = self->places->pdata[i];

      if (cert_place_look (place, force, NULL) != CERT_PLACE_NEW)
        continue;
      g_message ("%s: new certificate in %s", detour_host_instance (self->host),
                 cert_place_chain_path (place));
      changed = TRUE;
    }
  if (changed)
    cert_file_publish (self);
  cert_file_report (self);
}

static void
cert_file_changed (gpointer self)
{
  cert_file_look (self, FALSE);
}

static gboolean
cert_file_look_now_and_then (gpointer self)
{
  cert_file_look (self, FALSE);
  return G_SOURCE_CONTINUE;
}

static void
cert_file_reload (gpointer self)
{
  cert_file_look (self, TRUE);
}

/* Without the watch a renewal is still seen within the hour, so a failure is a warning and does not
 * prevent the start. */
static void
cert_file_start_watching (CertFile *self)
{
  self->watch = cert_watch_new (SETTLE_MS, cert_file_changed, self);
  for (guint i = 0; i < self->places->len; i++)
    {
      const CertPlace *place = self->places->pdata[i];
      g_autoptr (GError) error = NULL;

      if (!cert_watch_add (self->watch, cert_place_chain_path (place), &error)
          || !cert_watch_add (self->watch, cert_place_key_path (place), &error))
        g_warning ("%s: %s; changes are seen within the hour", detour_host_instance (self->host),
                   error->message);
      if (cert_place_notes (place)->exposed)
        g_warning ("%s: %s can be read by everyone; chmod 600 would keep it secret",
                   detour_host_instance (self->host), cert_place_key_path (place));
    }
  detour_host_add_timer (self->host, LOOK_S * G_TIME_SPAN_SECOND, cert_file_look_now_and_then,
                         self);
}

static void
cert_file_add_advice (GPtrArray *advice, const DetourSettings *settings, const char *key,
                      const char *path, const char *text)
{
  g_autoptr (GError) error = NULL;

  detour_settings_error (settings, key, &error, "%s %s", path, text);
  g_ptr_array_add (advice, g_strdup (error->message));
}

static void
cert_file_advise (const DetourSettings *settings, const char *hostname, GPtrArray *advice)
{
  g_autoptr (GPtrArray) places = cert_file_places_of (settings, hostname, NULL);
  gboolean files = detour_settings_string (settings, "directory") == NULL;
  const char *key = files ? "chain-file" : "directory";
  g_autoptr (GError) why = NULL;
  const char *fault = places != NULL ? cert_file_load_each (places, settings, &why) : NULL;

  if (fault != NULL)
    detour_settings_complain (settings, fault, "%s", why->message);
  else if (places != NULL && places->len == 0)
    detour_settings_complain (settings, "names", NO_NAME);
  if (places == NULL || fault != NULL)
    return;
  for (guint i = 0; i < places->len; i++)
    {
      const CertPlace *place = places->pdata[i];
      const DetourCert *cert = cert_place_cert (place);
      g_auto (GStrv) list = cert_advice_list (cert, cert_place_notes (place), (gint64) time (NULL));

      for (guint k = 0; list[k] != NULL; k++)
        cert_file_add_advice (advice, settings, key, cert_place_chain_path (place), list[k]);
      /* With `directory` the names were chosen by the operator. */
      if (files && hostname != NULL && !cert_advice_is_for (cert, hostname))
        {
          g_autofree char *names = g_strjoinv (", ", (char **) detour_cert_names (cert));
          g_autofree char *text = g_strdup_printf (
              "is for %s and not for %s, the name in [core] hostname; clients refuse it unless "
              "another [cert] has that name or their map has a CertName",
              names, hostname);

          cert_file_add_advice (advice, settings, key, cert_place_chain_path (place), text);
        }
    }
}

static gpointer
cert_file_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  g_autoptr (GPtrArray) places = cert_file_places_of (settings, detour_host_hostname (host), error);
  CertFile *self;

  if (places == NULL)
    return NULL;
  if (places->len == 0)
    {
      detour_settings_error (settings, "names", error, NO_NAME);
      return NULL;
    }
  if (!cert_file_load_all (places, settings, error))
    return NULL;
  self = g_new0 (CertFile, 1);
  self->host = host;
  self->places = g_steal_pointer (&places);
  cert_file_publish (self);
  cert_file_start_watching (self);
  cert_file_report (self);
  detour_host_post (host, cert_file_judge_names, self, NULL);
  return self;
}

static void
cert_file_stop (gpointer ptr)
{
  CertFile *self = ptr;

  cert_watch_free (self->watch);
  g_ptr_array_unref (self->places);
  g_free (self->said);
  g_free (self);
}

DETOUR_PLUGIN_DEFINE (.name = "cert-file", .kind = DETOUR_KIND_CERT,
                      .summary = "certificates from files, read again when they change",
                      .config = cert_file_config, .check = cert_file_check,
                      .advise = cert_file_advise, .start = cert_file_start,
                      .reload = cert_file_reload, .stop = cert_file_stop);
