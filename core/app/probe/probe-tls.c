/* probe-tls.c: whether a client comes in over TLS: the port, the certificate, the latency check.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-address.h"
#include "detour-cert.h"
#include "detourctl-format.h"
#include "probe.h"

/* The official prober gives the alarm then; of a certificate that lives for a few days only, in the
 * last third of its life. */
#define SOON_S (7 * 86400)

/* ---- what a client thinks of a certificate --------------------------------------------------- */

static gboolean
probe_tls_has_pin (const ProbeNode *node)
{
  return node->entry->cert_name != NULL
      && g_str_has_prefix (node->entry->cert_name, DETOUR_CERT_PIN_PREFIX);
}

/* The name that TLS asks for, which an address is not. */
static gboolean
probe_tls_asks_for_name (const ProbeNode *node)
{
  return node->entry->host_name != NULL && !node->has_literal;
}

static gboolean
probe_tls_name_matches (const char *pattern, const char *name)
{
  const char *dot = strchr (name, '.');

  if (g_ascii_strcasecmp (pattern, name) == 0)
    return TRUE;
  return g_str_has_prefix (pattern, "*.") && dot != NULL
      && g_ascii_strcasecmp (pattern + 1, dot) == 0;
}

static gboolean
probe_tls_has_name (const DetourctlDialCert *leaf, const char *name)
{
  for (guint i = 0; leaf->names[i] != NULL; i++)
    if (probe_tls_name_matches (leaf->names[i], name))
      return TRUE;
  return FALSE;
}

/* The first certificate that does not hold now; NULL: all do. */
static const DetourctlDialCert *
probe_tls_find_undated (const DetourctlDialTls *tls, gint64 now)
{
  for (guint i = 0; i < tls->certs->len; i++)
    {
      const DetourctlDialCert *cert = tls->certs->pdata[i];

      if (cert->not_after <= now || cert->not_before > now)
        return cert;
    }
  return NULL;
}

static const char *
probe_tls_judge_pin (const ProbeNode *node, const DetourctlDialTls *tls, char **text)
{
  const DetourctlDialCert *leaf = tls->certs->pdata[0];

  if (strcmp (node->entry->cert_name + strlen (DETOUR_CERT_PIN_PREFIX), leaf->sha256) != 0)
    {
      *text = g_strdup_printf (_ ("the certificate is not the one of the pin; its own is %s%s"),
                               DETOUR_CERT_PIN_PREFIX, leaf->sha256);
      return "pin_wrong";
    }
  if (tls->certs->len > 1)
    {
      *text = g_strdup_printf (_ ("with a pin, clients take one certificate, and they are shown "
                                  "%u"),
                               tls->certs->len);
      return "pin_of_chain";
    }
  if (probe_tls_asks_for_name (node) && !tls->name_fits)
    {
      *text = g_strdup_printf (_ ("the certificate of the pin is not for %s"),
                               node->entry->host_name);
      return "certificate_name";
    }
  return NULL;
}

static const char *
probe_tls_judge_names (const ProbeNode *node, const DetourctlDialTls *tls, char **text)
{
  const DetourctlDialCert *leaf = tls->certs->pdata[0];
  const char *other = node->entry->cert_name;
  gboolean has_other = other != NULL && *other != '\0';
  g_autofree char *names = detourctl_dial_cert_names (leaf);

  if (has_other ? !probe_tls_has_name (leaf, other) : !tls->name_fits)
    {
      *text = g_strdup_printf (_ ("the certificate is for %s, and not for %s"), names,
                               has_other ? other : node->entry->host_name);
      return "certificate_name";
    }
  if (tls->trouble == NULL)
    return NULL;
  *text = leaf->is_self_signed
            ? g_strdup (_ ("the certificate is self-signed, and the map does not have its pin"))
            : g_strdup_printf (_ ("no authority vouches for the certificate: %s"), tls->trouble);
  return leaf->is_self_signed ? "self_signed" : "distrusted";
}

/* Code and text of what a client has against it; NULL: nothing. */
static const char *
probe_tls_judge (const ProbeNode *node, const DetourctlDialTls *tls, char **text)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  const DetourctlDialCert *cert;
  g_autofree char *end = NULL;

  if (node->entry->insecure)
    return NULL;
  if (tls->certs->len == 0)
    {
      *text = g_strdup (_ ("no certificate is shown"));
      return "no_certificate";
    }
  cert = probe_tls_find_undated (tls, now);
  if (cert == NULL)
    return probe_tls_has_pin (node) ? probe_tls_judge_pin (node, tls, text)
                                    : probe_tls_judge_names (node, tls, text);
  if (cert->not_after <= now)
    {
      end = detourctl_format_time ((guint64) cert->not_after * G_USEC_PER_SEC);
      *text = g_strdup_printf (_ ("the certificate %s has expired: %s"), cert->subject, end);
      return "expired";
    }
  end = detourctl_format_time ((guint64) cert->not_before * G_USEC_PER_SEC);
  *text = g_strdup_printf (_ ("the certificate %s is not valid before %s"), cert->subject, end);
  return "early";
}

gboolean
probe_tls_connect (const Probe *probe, const ProbeNode *node, GInetAddress *address,
                   DetourctlStream *stream, GError **error)
{
  gboolean is_ipv6 = g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6;
  const char *judged = node->judged[is_ipv6 ? PROBE_IPV6 : PROBE_IPV4];
  const DetourctlDialCert *leaf;

  if (!detourctl_stream_connect (stream, address, node->port, probe->limit_us, error)
      || !detourctl_stream_start_tls (stream, node->entry->host_name, "", error))
    return FALSE;
  leaf = stream->tls->certs->len > 0 ? stream->tls->certs->pdata[0] : NULL;
  if (node->entry->insecure || (leaf != NULL && g_strcmp0 (leaf->sha256, judged) == 0))
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                       _ ("the certificate is not the one of a moment ago: two servers share the "
                          "address, or it was just replaced"));
  return FALSE;
}

/* ---- one family ------------------------------------------------------------------------------ */

/* Seconds until the first of them ends, and whether that is soon. */
static gint64
probe_tls_time_left (const DetourctlDialTls *tls, gboolean *is_soon)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  gint64 least = G_MAXINT64;

  *is_soon = FALSE;
  for (guint i = 0; i < tls->certs->len; i++)
    {
      const DetourctlDialCert *cert = tls->certs->pdata[i];
      gint64 left = cert->not_after - now;

      least = MIN (least, left);
      if (left < MIN (SOON_S, (cert->not_after - cert->not_before) / 3))
        *is_soon = TRUE;
    }
  return tls->certs->len > 0 ? least : G_MININT64;
}

static const char *
probe_tls_trust_word (const ProbeNode *node, const Probe *probe)
{
  if (node->entry->insecure)
    return _ ("certificate not looked at");
  if (probe_tls_has_pin (node))
    return _ ("pin fits");
  return probe->ca_file != NULL ? _ ("trusted by the given CA") : _ ("trusted");
}

static void
probe_tls_note_good (const Probe *probe, ProbeNode *node, ProbeCheck check, const char *place,
                     const DetourctlDialTls *tls, gint64 took_us)
{
  gboolean is_soon;
  gint64 left_s = probe_tls_time_left (tls, &is_soon);
  g_autofree char *left = detourctl_format_duration (left_s > 0 ? (guint64) left_s * G_USEC_PER_SEC
                                                                : 0);
  ProbeResult *result;

  if (is_soon && !node->entry->insecure)
    result = probe_note (node->results, check, node, PROBE_WARNING, "ends_soon",
                         g_strdup_printf (_ ("%s: %s, %s, and the certificate is good for %s only"),
                                          place, tls->version, probe_tls_trust_word (node, probe),
                                          left));
  else
    result = probe_note (node->results, check, node, PROBE_GOOD, "good",
                         g_strdup_printf (_ ("%s: %s, %s, good for %s"), place, tls->version,
                                          probe_tls_trust_word (node, probe), left));
  result->left_s = left_s;
  result->took_us = took_us;
}

/* Over a connection that has just been made: what clients measure where UDP is blocked. */
static void
probe_tls_ask_latency (ProbeNode *node, DetourctlStream *stream)
{
  g_autofree char *host = probe_node_host (node);
  g_auto (DetourctlHttpAnswer) answer = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 began_us = g_get_monotonic_time ();
  ProbeResult *result;

  if (!detourctl_stream_ask_http (stream, host, "/derp/latency-check", "Connection: close\r\n",
                                  &answer, &error))
    {
      probe_note_error (node->results, PROBE_LATENCY, node, "/derp/latency-check", error);
      return;
    }
  if (answer.status < 200 || answer.status > 299)
    {
      probe_note (node->results, PROBE_LATENCY, node, PROBE_FAILED, "http_status",
                  g_strdup_printf (_ ("/derp/latency-check is answered with %u, where clients want "
                                      "200"),
                                   answer.status));
      return;
    }
  node->latency_us = g_get_monotonic_time () - began_us;
  result = probe_note (node->results, PROBE_LATENCY, node, PROBE_GOOD, "good",
                       g_strdup (_ ("/derp/latency-check is answered")));
  result->took_us = node->latency_us;
}

static void
probe_tls_look_at (const Probe *probe, ProbeNode *node, ProbeCheck check, ProbeFamilyIndex family,
                   GInetAddress *address, gboolean is_last)
{
  g_autofree char *place = detourctl_address_place (address, node->port);
  g_auto (DetourctlStream) stream = DETOURCTL_STREAM_INIT;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  gint64 began_us = g_get_monotonic_time ();
  gint64 took_us;
  const char *code;

  node->has_tls[family] = FALSE;
  if (!detourctl_stream_connect (&stream, address, node->port, probe->limit_us, &error))
    {
      probe_note_error (node->results, check, node, place, error);
      return;
    }
  node->has_tcp[family] = TRUE;
  took_us = g_get_monotonic_time () - began_us;
  if (!detourctl_stream_start_tls (
          &stream, node->entry->host_name,
          probe_tls_has_pin (node) || node->entry->insecure ? "" : probe->ca_file, &error))
    {
      probe_note (node->results, check, node, PROBE_FAILED, "no_tls",
                  g_strdup_printf (_ ("%s: no TLS: %s"), place, error->message));
      return;
    }
  took_us += stream.tls->handshake_us;
  code = probe_tls_judge (node, stream.tls, &text);
  if (code != NULL)
    {
      gboolean is_soon;
      ProbeResult *result = probe_note (node->results, check, node, PROBE_FAILED, code,
                                        g_strdup_printf (_ ("%s: %s"), place, text));

      result->left_s = probe_tls_time_left (stream.tls, &is_soon);
      return;
    }
  node->has_tls[family] = TRUE;
  g_free (node->judged[family]);
  node->judged[family] = stream.tls->certs->len > 0
                           ? g_strdup (((DetourctlDialCert *) stream.tls->certs->pdata[0])->sha256)
                           : NULL;
  if (!is_last)
    return;
  probe_tls_note_good (probe, node, check, place, stream.tls, took_us);
  if (probe_node_result (node, PROBE_LATENCY) == NULL)
    probe_tls_ask_latency (node, &stream);
}

static void
probe_tls_look_at_family (const Probe *probe, ProbeNode *node, ProbeCheck check,
                          ProbeFamilyIndex family)
{
  GPtrArray *addresses = node->families[family].addresses;

  /* The first address that is not good is what is said. */
  for (guint i = 0; i < addresses->len; i++)
    {
      probe_tls_look_at (probe, node, check, family, addresses->pdata[i], i + 1 == addresses->len);
      if (!node->has_tls[family])
        return;
    }
}

void
probe_tls_check (const Probe *probe, ProbeNode *node)
{
  if (node->entry->stun_only)
    return;
  if (node->families[PROBE_IPV4].addresses->len + node->families[PROBE_IPV6].addresses->len == 0)
    {
      probe_note (node->results, PROBE_TLS4, node, PROBE_FAILED, "no_address",
                  node->no_name != NULL
                      ? g_strdup (node->no_name)
                      : g_strdup (_ ("the map has neither an IPv4 nor an IPv6 address")));
      return;
    }
  probe_tls_look_at_family (probe, node, PROBE_TLS6, PROBE_IPV6);
  probe_tls_look_at_family (probe, node, PROBE_TLS4, PROBE_IPV4);
}
