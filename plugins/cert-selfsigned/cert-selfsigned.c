/* cert-selfsigned.c: a certificate without an authority, which clients pin by its hash.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include <string.h>
#include <time.h>

#include "build-date.h"
#include "cert-own.h"
#include "own-pair.h"

#define HOUR_S 3600
#define DAY_S  86400
/* A clock that is wrong when the machine starts is usually corrected within minutes. The
 * certificate is replaced only if the clock still says after a day of running that it has expired.
 */
#define EXPIRED_US (G_GINT64_CONSTANT (24) * HOUR_S * G_USEC_PER_SEC)
/* Every DERP map needs the pin of the next certificate, which takes the operator time. */
#define SOON_S (90 * DAY_S)

typedef struct {
  DetourHost *host;
  char *stem; /* path of the files without their endings */
  char **names;
  guint days;
  char *pin;               /* of the certificate that is published; NULL: none yet */
  char *said;              /* the trouble that was logged last; NULL: none */
  gint64 expired_since_us; /* monotonic time since which the clock has been later than the end; 0:
                              it is not */
} CertSelfsigned;

static const DetourConfigKey cert_selfsigned_config[] = {
  { "names", DETOUR_CONFIG_STRING,
    .summary = "host names and addresses; without it [core] hostname, else this host itself",
    .flags = DETOUR_CONFIG_LIST },
  /* A new certificate means a new pin in every DERP map, so it lasts long by default. */
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

/* With a CertName clients still compare the name that they dial. NULL: @names have it, or there is
 * none. */
static char *
cert_selfsigned_hostname_trouble (const char *const *names, const char *hostname)
{
  const char *rest = hostname != NULL ? strchr (hostname, '.') : NULL;

  if (hostname == NULL)
    return NULL;
  for (guint i = 0; names[i] != NULL; i++)
    if (own_pair_same_name (names[i], hostname)
        || (rest != NULL && g_str_has_prefix (names[i], "*.")
            && g_ascii_strcasecmp (names[i] + 1, rest) == 0))
      return NULL;
  return g_strdup_printf ("%s, the name in [core] hostname, is not among the names; clients that "
                          "dial it refuse the certificate",
                          hostname);
}

static void
cert_selfsigned_advise (const DetourSettings *settings, const char *hostname, GPtrArray *advice)
{
  const char *const *names = detour_settings_list (settings, "names");
  g_autoptr (GError) error = NULL;
  g_autofree char *trouble = names[0] != NULL ? cert_selfsigned_hostname_trouble (names, hostname)
                                              : NULL;

  if (trouble == NULL)
    return;
  detour_settings_error (settings, "names", &error, "%s", trouble);
  g_ptr_array_add (advice, g_strdup (error->message));
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
cert_selfsigned_origin_text (const CertOwnOutcome *outcome)
{
  static const char *const made[] = {
    [CERT_OWN_ABSENT] = "made",
    [CERT_OWN_DAMAGED] = "made anew, as the files of the last one are damaged",
    [CERT_OWN_RENAMED] = "made anew, as the last one is for other names",
    [CERT_OWN_EXPIRED] = "made anew, as the last one has expired",
  };

  if (outcome->origin == CERT_OWN_FROM_FILES)
    return "read";
  if (outcome->origin == CERT_OWN_NEW)
    return made[outcome->fault];
  return outcome->fault == CERT_OWN_DAMAGED
           ? "restored from its copy, as its files were damaged"
           : "taken from the copies again, as the last one is for other names";
}

/* The first name that clients can dial, which a wildcard is not. */
static const char *
cert_selfsigned_dial_name (char **names)
{
  for (guint i = 0; names[i] != NULL; i++)
    if (!g_str_has_prefix (names[i], "*."))
      return names[i];
  return "HOST";
}

static char *
cert_selfsigned_date_text (gint64 unix_s)
{
  g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (unix_s);

  return date != NULL ? g_date_time_format (date, "%Y-%m-%d") : g_strdup ("the end of time");
}

static void
cert_selfsigned_announce (CertSelfsigned *self, const DetourCert *cert,
                          const CertOwnOutcome *outcome)
{
  const char *instance = detour_host_instance (self->host);
  g_autofree char *date = cert_selfsigned_date_text (detour_cert_not_after (cert));

  /* A pin that differs from the one in the DERP maps locks clients out. */
  if (outcome->origin == CERT_OWN_FROM_FILES || outcome->fault == CERT_OWN_ABSENT)
    g_message ("%s: certificate %s, valid until %s", instance,
               cert_selfsigned_origin_text (outcome), date);
  else if (outcome->origin == CERT_OWN_FROM_COPY && outcome->fault == CERT_OWN_DAMAGED)
    g_warning ("%s: certificate %s", instance, cert_selfsigned_origin_text (outcome));
  else
    g_warning ("%s: certificate %s: clients need the new CertName", instance,
               cert_selfsigned_origin_text (outcome));
  g_message (
      "%s: for the DERP map: "
      "{\"Name\":\"900a\",\"RegionID\":900,\"HostName\":\"%s\",\"CertName\":\"sha256-raw:%s\"}",
      instance, cert_selfsigned_dial_name (self->names), self->pin);
  detour_host_set_summary (self->host, "%s until %s, sha256-raw:%s", self->names[0], date,
                           self->pin);
}

/* Tells the operator how to make the next certificate at a time of their choice. */
static char *
cert_selfsigned_remedy (CertSelfsigned *self)
{
  return g_strdup_printf ("for a new one, whose CertName everyone's map then needs, remove %s.crt "
                          "and %s.key, then: detourctl plugins restart %s",
                          self->stem, self->stem, detour_host_instance (self->host));
}

/* The worst fault of the certificate, or NULL. */
static char *
cert_selfsigned_trouble (CertSelfsigned *self, const DetourCert *cert,
                         const CertOwnOutcome *outcome, gint64 now_s)
{
  g_autofree char *now = cert_selfsigned_date_text (now_s);
  g_autofree char *built = cert_selfsigned_date_text (BUILD_DATE_S);
  g_autofree char *from = cert_selfsigned_date_text (detour_cert_not_before (cert));
  g_autofree char *to = cert_selfsigned_date_text (detour_cert_not_after (cert));
  g_autofree char *remedy = cert_selfsigned_remedy (self);
  gint64 left_s = detour_cert_not_after (cert) - MAX (now_s, BUILD_DATE_S);

  if (outcome->unwritten != NULL && outcome->origin == CERT_OWN_FROM_COPY)
    return g_strdup_printf ("the certificate is served from its copy and could not be written "
                            "back: %s",
                            outcome->unwritten);
  if (outcome->unwritten != NULL)
    return g_strdup_printf ("the certificate %s, and the next one could not be written: %s",
                            outcome->fault == CERT_OWN_RENAMED ? "is for other names"
                                                               : "has expired",
                            outcome->unwritten);
  if (now_s < BUILD_DATE_S)
    return g_strdup_printf ("the clock of this host says %s, but Detour was built on %s; set the "
                            "clock",
                            now, built);
  if (outcome->early)
    return g_strdup_printf ("the certificate is valid from %s on, and the clock of this host says "
                            "%s; clients refuse it until then unless this clock is wrong",
                            from, now);
  if (left_s <= 0)
    return g_strdup_printf ("the certificate expired on %s by the clock of this host; clients "
                            "refuse it if that clock is right; %s",
                            to, remedy);
  if (left_s < MIN (SOON_S, (gint64) self->days * DAY_S / 10))
    return g_strdup_printf ("the certificate expires on %s; %s", to, remedy);
  return cert_selfsigned_hostname_trouble ((const char *const *) self->names,
                                           detour_host_hostname (self->host));
}

/* Each trouble is logged once. */
static void
cert_selfsigned_report (CertSelfsigned *self, char *trouble)
{
  if (trouble != NULL)
    detour_host_set_trouble (self->host, "%s", trouble);
  else
    detour_host_set_trouble (self->host, NULL);
  if (trouble != NULL && g_strcmp0 (trouble, self->said) != 0)
    g_warning ("%s: %s", detour_host_instance (self->host), trouble);
  g_free (self->said);
  self->said = trouble;
}

static void
cert_selfsigned_note_expiry (CertSelfsigned *self, const DetourCert *cert, gint64 now_s)
{
  if (detour_cert_not_after (cert) > MAX (now_s, BUILD_DATE_S))
    self->expired_since_us = 0;
  else if (self->expired_since_us == 0)
    self->expired_since_us = g_get_monotonic_time ();
}

/* Publishes the certificate that should be served now, unless it is served already. */
static gboolean
cert_selfsigned_refresh (CertSelfsigned *self, GError **error)
{
  const CertOwnWish wish = {
    .stem = self->stem,
    .names = (const char *const *) self->names,
    .days = self->days,
    .now_s = (gint64) time (NULL),
    .built_s = BUILD_DATE_S,
    .replace_expired = self->expired_since_us != 0
                    && g_get_monotonic_time () - self->expired_since_us >= EXPIRED_US,
  };
  g_auto (CertOwnOutcome) outcome = { 0 };
  g_autoptr (DetourCert) cert = cert_own_obtain (&wish, &outcome, error);
  g_autofree char *pin = NULL;

  if (cert == NULL)
    return FALSE;
  cert_selfsigned_note_expiry (self, cert, wish.now_s);
  pin = cert_own_pin (cert);
  if (g_strcmp0 (pin, self->pin) != 0)
    {
      g_free (self->pin);
      self->pin = g_steal_pointer (&pin);
      detour_host_publish_certs (self->host, (DetourCert *const *) &cert, 1);
      cert_selfsigned_announce (self, cert, &outcome);
    }
  cert_selfsigned_report (self, cert_selfsigned_trouble (self, cert, &outcome, wish.now_s));
  return TRUE;
}

static void
cert_selfsigned_reload (gpointer ptr)
{
  CertSelfsigned *self = ptr;
  g_autoptr (GError) error = NULL;

  if (!cert_selfsigned_refresh (self, &error))
    cert_selfsigned_report (
        self, g_strdup_printf ("%s; the certificate from before is still served", error->message));
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
  g_strfreev (self->names);
  g_free (self->stem);
  g_free (self->pin);
  g_free (self->said);
  g_free (self);
}

/* The configured names, else the host name, else the names of loopback. */
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
  detour_host_add_timer (host, HOUR_S * G_TIME_SPAN_SECOND, cert_selfsigned_look, self);
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
                      .advise = cert_selfsigned_advise, .start = cert_selfsigned_start,
                      .reload = cert_selfsigned_reload, .stop = cert_selfsigned_stop);
