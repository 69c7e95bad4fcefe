/* cert-trial.c: a plugin that reports certificates as its configuration says and renews them when
 * it is asked, for tests against the real daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>

#define FILE_MAX 65536u

typedef struct {
  DetourHost *host;
  DetourSettings *settings;
  DetourCert *cert;           /* what is served; NULL: none yet */
  GPtrArray *renewals;        /* DetourCertRenewal that wait */
  const char *const *names;   /* of the settings */
  const char *error, *remedy; /* of the last try */
} Trial;

static const DetourConfigKey trial_config[] = {
  { "names", DETOUR_CONFIG_STRING, .summary = "that are wanted", .flags = DETOUR_CONFIG_LIST },
  { "leaf", DETOUR_CONFIG_PATH, .summary = "the certificate that a renewal brings, in DER",
    .flags = DETOUR_CONFIG_REQUIRED },
  { "key", DETOUR_CONFIG_PATH, .summary = "its key, in DER", .flags = DETOUR_CONFIG_REQUIRED },
  { "not-after", DETOUR_CONFIG_UINT, "4102444800", .summary = "its end, Unix time" },
  { "not-before", DETOUR_CONFIG_UINT, "1700000000", .summary = "its beginning, Unix time" },
  { "serves", DETOUR_CONFIG_BOOL, "false", .summary = "it is there from the start on" },
  { "renew-time", DETOUR_CONFIG_UINT, "0", .summary = "when the next one is fetched, Unix time" },
  { "renew-by", DETOUR_CONFIG_ENUM, "lifetime", .summary = "who decided that",
    .words = "lifetime|ca|operator" },
  { "error", DETOUR_CONFIG_STRING, .summary = "why a renewal fails" },
  { "remedy", DETOUR_CONFIG_STRING, .summary = "what to do about it" },
  { "next-try", DETOUR_CONFIG_UINT, "0", .summary = "when it is tried again, Unix time" },
  { "trouble", DETOUR_CONFIG_STRING, .summary = "what the instance says of itself" },
  { "fails", DETOUR_CONFIG_BOOL, "false", .summary = "a try has failed before the start" },
  { "hangs", DETOUR_CONFIG_BOOL, "false", .summary = "renewals never end" },
  { NULL },
};

static GBytes *
trial_read (const char *path)
{
  DetourFile file;
  GBytes *bytes;
  g_autoptr (GError) error = NULL;

  if (!detour_file_read (path, FILE_MAX, 0, &file, &error))
    g_error ("%s", error->message);
  bytes = g_bytes_new (file.data, file.len);
  detour_file_clear (&file);
  return bytes;
}

static gint64
trial_time (Trial *self, const char *key)
{
  return (gint64) detour_settings_uint (self->settings, key);
}

static void
trial_publish (Trial *self)
{
  g_autoptr (GBytes) leaf = trial_read (detour_settings_string (self->settings, "leaf"));
  g_autoptr (GBytes) key = trial_read (detour_settings_string (self->settings, "key"));
  gsize len;
  const guint8 *bytes = g_bytes_get_data (key, &len);

  g_clear_pointer (&self->cert, detour_cert_unref);
  self->cert = detour_cert_new (&leaf, 1, bytes, len, self->names, trial_time (self, "not-before"),
                                trial_time (self, "not-after"));
  detour_host_publish_certs (self->host, &self->cert, 1);
}

static void
trial_report (Trial *self, DetourCertState state)
{
  static const char *const deciders[] = { "lifetime", "ca", "operator" };
  const char *by = detour_settings_string (self->settings, "renew-by");
  DetourCertReport report = {
    .cert = self->cert,
    .names = self->names,
    .state = state,
    .authority = "https://ca.test/directory",
    .profile = "shortlived",
    .challenge = "tls-alpn-01",
    .renew_us = trial_time (self, "renew-time") * G_USEC_PER_SEC,
    .error = self->error,
    .remedy = self->remedy,
  };

  while (strcmp (deciders[report.renew_by], by) != 0)
    report.renew_by++;
  if (self->error != NULL)
    {
      report.error_us = g_get_real_time ();
      report.next_try_us = trial_time (self, "next-try") * G_USEC_PER_SEC;
    }
  detour_host_report_certs (self->host, &report, 1);
}

static void
trial_fail (Trial *self)
{
  self->error = detour_settings_string (self->settings, "error");
  self->remedy = detour_settings_string (self->settings, "remedy");
  trial_report (self, DETOUR_CERT_FAILING);
}

static gboolean
trial_finish (gpointer data)
{
  Trial *self = data;
  g_autoptr (GError) error = NULL;

  if (detour_settings_has (self->settings, "error"))
    {
      trial_fail (self);
      error = g_error_new_literal (g_quark_from_static_string ("trial"), 0, self->error);
    }
  else
    {
      self->error = self->remedy = NULL;
      trial_publish (self);
      trial_report (self, DETOUR_CERT_SERVING);
    }
  while (self->renewals->len > 0)
    detour_cert_renewal_answer (g_ptr_array_steal_index (self->renewals, 0), error);
  return FALSE;
}

static void
trial_renew (gpointer data, guint nth, DetourCertRenewal *renewal)
{
  Trial *self = data;

  g_ptr_array_add (self->renewals, renewal);
  if (self->renewals->len > 1)
    return;
  trial_report (self, self->cert != NULL ? DETOUR_CERT_RENEWING : DETOUR_CERT_WAITING);
  if (!detour_settings_bool (self->settings, "hangs"))
    detour_host_add_timer (self->host, 50 * G_TIME_SPAN_MILLISECOND, trial_finish, self);
}

static gpointer
trial_start (DetourHost *host, DetourSettings *settings, GError **error)
{
  Trial *self = g_new0 (Trial, 1);

  self->host = host;
  self->settings = detour_settings_ref (settings);
  self->names = detour_settings_list (settings, "names");
  self->renewals = g_ptr_array_new ();
  if (detour_settings_has (settings, "trouble"))
    detour_host_set_trouble (host, "%s", detour_settings_string (settings, "trouble"));
  if (detour_settings_bool (settings, "serves"))
    trial_publish (self);
  if (detour_settings_bool (settings, "fails"))
    trial_fail (self);
  else
    trial_report (self, self->cert != NULL ? DETOUR_CERT_SERVING : DETOUR_CERT_WAITING);
  return self;
}

static void
trial_stop (gpointer data)
{
  Trial *self = data;

  for (guint i = 0; i < self->renewals->len; i++)
    detour_cert_renewal_answer (self->renewals->pdata[i], NULL);
  g_ptr_array_unref (self->renewals);
  g_clear_pointer (&self->cert, detour_cert_unref);
  detour_settings_unref (self->settings);
  g_free (self);
}

static const DetourCertFuncs trial_funcs = { trial_renew };

DETOUR_PLUGIN_DEFINE (.name = "cert-trial", .kind = DETOUR_KIND_CERT,
                      .summary = "reports and renews as it is told, for tests",
                      .config = trial_config, .start = trial_start, .stop = trial_stop,
                      .funcs.cert = &trial_funcs);
