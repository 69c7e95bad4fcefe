/* cert-own.c: a certificate that signs itself, made here, kept in files and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cert-own.h"

#include <gio/gio.h>
#include <string.h>

#include "own-files.h"

void
cert_own_outcome_clear (CertOwnOutcome *self)
{
  g_clear_pointer (&self->unwritten, g_free);
}

static gboolean
cert_own_is_label (const char *text, gsize len)
{
  if (len == 0 || len > 63 || text[0] == '-' || text[len - 1] == '-')
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-' && text[i] != '_')
      return FALSE;
  return TRUE;
}

gboolean
cert_own_check_name (const char *name, GError **error)
{
  guint8 bytes[16];
  const char *label = g_str_has_prefix (name, "*.") ? name + 2 : name;
  gboolean good = strlen (name) <= 253;

  if (own_pair_parse_address (name, bytes) > 0)
    return TRUE;
  for (const char *end; good; label = end + 1)
    {
      end = strchrnul (label, '.');
      good = cert_own_is_label (label, (gsize) (end - label));
      if (*end == '\0')
        break;
    }
  if (!good)
    g_set_error (
        error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "\"%s\" is neither a host name nor an address; addresses stand without brackets and port",
        name);
  return good;
}

/* The clock cannot be right before the program was built. */
static gint64
cert_own_clock_s (const CertOwnWish *wish)
{
  return MAX (wish->now_s, wish->built_s);
}

static CertOwnFault
cert_own_judge (const CertOwnWish *wish, const OwnPair *pair, gboolean present)
{
  if (!present)
    return CERT_OWN_ABSENT;
  if (!own_pair_is_whole (pair))
    return CERT_OWN_DAMAGED;
  if (!own_pair_has_names (pair, wish->names))
    return CERT_OWN_RENAMED;
  return own_pair_not_after (pair) <= cert_own_clock_s (wish) ? CERT_OWN_EXPIRED : CERT_OWN_FINE;
}

/* Chooses the copy to use instead of @damaged: the copy of the same pair if one half can still be
 * read, else the copy with the latest end. NULL: none fits. */
static const OwnPair *
cert_own_choose_copy (const CertOwnWish *wish, const OwnPair *damaged, const GPtrArray *copies)
{
  const OwnPair *best = NULL;

  for (guint i = 0; i < copies->len; i++)
    {
      const OwnPair *copy = copies->pdata[i];

      if (cert_own_judge (wish, copy, TRUE) != CERT_OWN_FINE)
        continue;
      if (own_pair_shares_half (copy, damaged))
        return copy;
      if (best == NULL || own_pair_not_after (copy) > own_pair_not_after (best))
        best = copy;
    }
  return best;
}

static DetourCert *
cert_own_publishable (const CertOwnWish *wish, const OwnPair *pair, CertOwnOutcome *outcome,
                      GError **error)
{
  DetourCert *cert = own_pair_to_cert (pair);

  if (cert == NULL)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                         "the certificate cannot be written as DER");
  outcome->early = own_pair_not_before (pair) > cert_own_clock_s (wish);
  return cert;
}

/* Serves the pair in the files unchanged. */
static DetourCert *
cert_own_use_files (const CertOwnWish *wish, const OwnPair *pair, CertOwnOutcome *outcome,
                    GError **error)
{
  g_autoptr (GError) why = NULL;

  outcome->origin = CERT_OWN_FROM_FILES;
  if (!own_files_keep_copy (wish->stem, pair, &why))
    g_debug ("%s: no copy of the pair: %s", wish->stem, why->message);
  return cert_own_publishable (wish, pair, outcome, error);
}

/* Serves another pair, because the one in the files cannot be used. */
static DetourCert *
cert_own_use_other (const CertOwnWish *wish, const OwnPair *present, CertOwnOutcome *outcome,
                    GError **error)
{
  g_autoptr (GPtrArray) copies = own_files_list_copies (wish->stem);
  g_autoptr (OwnPair) made = NULL;
  g_autoptr (GError) why = NULL;
  const OwnPair *other = NULL;

  /* When both files are gone, an operator removed them to get a new pair. */
  if (outcome->fault != CERT_OWN_ABSENT)
    other = cert_own_choose_copy (wish, present, copies);
  outcome->origin = other != NULL ? CERT_OWN_FROM_COPY : CERT_OWN_NEW;
  if (other == NULL)
    other = made = own_pair_new (wish->names, wish->days, cert_own_clock_s (wish), &why);
  /* A copy can be served even if it cannot be written back. A new pair that was not written would
   * be lost, and its pin with it. */
  if (other != NULL
      && (own_files_write (wish->stem, other, &why) || outcome->origin == CERT_OWN_FROM_COPY))
    {
      if (why != NULL)
        outcome->unwritten = g_strdup (why->message);
      return cert_own_publishable (wish, other, outcome, error);
    }
  if (!own_pair_is_whole (present))
    {
      g_propagate_error (error, g_steal_pointer (&why));
      return NULL;
    }
  outcome->unwritten = g_strdup (why->message);
  outcome->origin = CERT_OWN_FROM_FILES;
  return cert_own_publishable (wish, present, outcome, error);
}

DetourCert *
cert_own_obtain (const CertOwnWish *wish, CertOwnOutcome *outcome, GError **error)
{
  g_autoptr (OwnPair) pair = NULL;
  gboolean present;

  *outcome = (CertOwnOutcome) { 0 };
  if (!own_files_read (wish->stem, &pair, &present, error))
    return NULL;
  outcome->fault = cert_own_judge (wish, pair, present);
  if (outcome->fault == CERT_OWN_FINE
      || (outcome->fault == CERT_OWN_EXPIRED && !wish->replace_expired))
    return cert_own_use_files (wish, pair, outcome, error);
  return cert_own_use_other (wish, pair, outcome, error);
}

char *
cert_own_pin (const DetourCert *cert)
{
  GBytes *const *chain;

  detour_cert_chain (cert, &chain);
  return g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, chain[0]);
}
