/* fuzz-control-peer.c: what a peer of the control socket sends gets one answer however it is cut,
 * and no message is taken for shorter than it is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "detour-bus-framing.h"
#include "detour-sasl.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

#define GUID "0123456789abcdef0123456789abcdef"

/* Outcome of the authentication, and of the messages behind it. */
typedef struct {
  DetourSaslResult sasl;
  guint n_messages;
  gboolean is_bad;
  guint64 n_bytes; /* of whole messages */
} Outcome;

static gsize
check_sasl (const guint8 *data, gsize size, gsize piece, GString *answer, Outcome *outcome)
{
  DetourSasl sasl;
  gsize at = 0;

  detour_sasl_init (&sasl, 0, GUID);
  while (at < size && outcome->sasl == DETOUR_SASL_MORE)
    {
      gsize used;

      outcome->sasl = detour_sasl_take (&sasl, data + at, MIN (piece, size - at), &used, answer);
      g_assert_cmpuint (used, >, 0);
      g_assert_cmpuint (used, <=, MIN (piece, size - at));
      at += used;
    }
  g_assert_cmpuint (sasl.n_lines, <=, DETOUR_SASL_LINES_MAX + 1);
  if (outcome->sasl == DETOUR_SASL_DONE)
    g_assert_nonnull (strstr (answer->str, "OK " GUID));
  return at;
}

static void
check_messages (const guint8 *data, gsize size, gsize piece, Outcome *outcome)
{
  DetourBusFraming framing = { 0 };
  guint64 announced = 0, taken = 0;

  for (gsize at = 0; at < size && !outcome->is_bad;)
    {
      DetourBusEvent event;
      gsize n = detour_bus_framing_take (&framing, data + at, MIN (piece, size - at), &event);

      g_assert_cmpuint (n, >, 0);
      g_assert_cmpuint (n, <=, MIN (piece, size - at));
      at += n;
      taken += n;
      outcome->is_bad = event == DETOUR_BUS_BAD;
      if (event == DETOUR_BUS_HEAD)
        announced = detour_bus_framing_size (&framing);
      if (event != DETOUR_BUS_END)
        continue;
      g_assert_cmpuint (taken, ==, announced);
      outcome->n_messages++;
      outcome->n_bytes += taken;
      taken = 0;
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  Outcome first = { 0 };

  for (gsize piece = MAX (size, 1); piece > 0; piece /= 3)
    {
      Outcome outcome = { 0 };
      g_autoptr (GString) answer = g_string_new (NULL);
      gsize used = check_sasl (data, size, piece, answer, &outcome);

      if (outcome.sasl == DETOUR_SASL_DONE)
        check_messages (data + used, size - used, piece, &outcome);
      if (piece == MAX (size, 1))
        first = outcome;
      g_assert_cmpint (outcome.sasl, ==, first.sasl);
      g_assert_cmpuint (outcome.n_messages, ==, first.n_messages);
      g_assert_cmpuint (outcome.n_bytes, ==, first.n_bytes);
      g_assert_cmpint (outcome.is_bad, ==, first.is_bad);
    }
  return 0;
}
