/* cert-advice.c: what clients will not like about a certificate that can be served.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cert-advice.h"

#include <arpa/inet.h>
#include <string.h>

#define DAY_S  86400
#define SOON_S (7 * DAY_S)

char *
cert_advice_date (gint64 unix_s)
{
  g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (unix_s);

  return date != NULL ? g_date_time_format (date, "%Y-%m-%d") : g_strdup ("a day without a date");
}

static gboolean
cert_advice_same_address (const char *a, const char *b)
{
  static const int families[] = { AF_INET, AF_INET6 };

  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    {
      guint8 bytes_a[16] = { 0 }, bytes_b[16] = { 0 };

      if (inet_pton (families[i], a, bytes_a) == 1 && inet_pton (families[i], b, bytes_b) == 1)
        return memcmp (bytes_a, bytes_b, sizeof bytes_a) == 0;
    }
  return FALSE;
}

gboolean
cert_advice_is_for (const DetourCert *cert, const char *hostname)
{
  const char *const *names = detour_cert_names (cert);
  const char *rest = strchr (hostname, '.');

  for (guint i = 0; names[i] != NULL; i++)
    if (g_ascii_strcasecmp (names[i], hostname) == 0
        || cert_advice_same_address (names[i], hostname)
        || (rest != NULL && g_str_has_prefix (names[i], "*.")
            && g_ascii_strcasecmp (names[i] + 1, rest) == 0))
      return TRUE;
  return FALSE;
}

static char *
cert_advice_of_dates (const DetourCert *cert, gint64 now_s)
{
  g_autofree char *from = cert_advice_date (detour_cert_not_before (cert));
  g_autofree char *to = cert_advice_date (detour_cert_not_after (cert));
  /* Some certificates live for days only. */
  gint64 life_s = detour_cert_not_after (cert) - detour_cert_not_before (cert);

  if (now_s < detour_cert_not_before (cert))
    return g_strdup_printf ("is valid from %s on only; clients refuse it until then", from);
  if (now_s > detour_cert_not_after (cert))
    return g_strdup_printf ("was valid until %s; clients refuse it; renew it", to);
  if (now_s > detour_cert_not_after (cert) - MIN (SOON_S, life_s / 5))
    return g_strdup_printf ("is valid until %s only; renew it", to);
  return NULL;
}

/* Takes @text over; NULL is nothing. */
static void
cert_advice_add (GStrvBuilder *builder, char *text)
{
  g_autofree char *owned = text;

  if (owned != NULL)
    g_strv_builder_add (builder, owned);
}

char **
cert_advice_list (const DetourCert *cert, const CertPairNotes *notes, gint64 now_s)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  cert_advice_add (builder, cert_advice_of_dates (cert, now_s));
  if (notes->name_in_subject)
    cert_advice_add (builder,
                     g_strdup ("has its name in the subject only, where no client looks; make one "
                               "with a subject alternative name"));
  if (notes->missing_issuer != NULL)
    cert_advice_add (
        builder, g_strdup_printf ("stands without the certificate of its issuer, %s, which clients "
                                  "do not know by themselves; append it (certbot calls that "
                                  "fullchain.pem)",
                                  notes->missing_issuer));
  if (notes->needless_issuers)
    cert_advice_add (builder,
                     g_strdup ("signs itself and has others behind it; clients that pin it accept "
                               "none; leave it alone in its file"));
  return g_strv_builder_end (builder);
}
