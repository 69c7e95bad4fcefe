/* test-client-kind.c: which frames a client takes, by what it said and how it asked.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-kind.h"

static const struct {
  DetourClientKind by_request;
  DetourLogin login;
  DetourClientTraits expected;
} cases[] = {
  /* tailscaled; derper's own client, which says nothing; derpprobe; another relay of the mesh. */
  { DETOUR_CLIENT_GO, { .can_ack_pings = TRUE }, { DETOUR_CLIENT_GO, TRUE, FALSE } },
  { DETOUR_CLIENT_GO, { .is_mesh = FALSE }, { DETOUR_CLIENT_GO, FALSE, FALSE } },
  { DETOUR_CLIENT_GO, { .is_prober = TRUE }, { DETOUR_CLIENT_GO, FALSE, FALSE } },
  { DETOUR_CLIENT_GO, { .is_mesh = TRUE }, { DETOUR_CLIENT_GO, FALSE, FALSE } },
  { DETOUR_CLIENT_OTHER, { .is_mesh = TRUE }, { DETOUR_CLIENT_OTHER, FALSE, FALSE } },
  { DETOUR_CLIENT_OTHER, { .is_prober = TRUE }, { DETOUR_CLIENT_OTHER, FALSE, FALSE } },
  /* tailscale-rs, also behind a proxy that writes its request anew. */
  { DETOUR_CLIENT_RUST, { .has_snake_case = TRUE }, { DETOUR_CLIENT_RUST, FALSE, TRUE } },
  { DETOUR_CLIENT_OTHER, { .has_snake_case = TRUE }, { DETOUR_CLIENT_RUST, FALSE, TRUE } },
  { DETOUR_CLIENT_RUST, { .can_ack_pings = TRUE }, { DETOUR_CLIENT_RUST, TRUE, FALSE } },
  /* Pages, with and without CanAckPings, and small clients. */
  { DETOUR_CLIENT_BROWSER, { .can_ack_pings = TRUE }, { DETOUR_CLIENT_BROWSER, TRUE, FALSE } },
  { DETOUR_CLIENT_BROWSER, { .is_mesh = FALSE }, { DETOUR_CLIENT_BROWSER, FALSE, TRUE } },
  { DETOUR_CLIENT_OTHER, { .is_mesh = FALSE }, { DETOUR_CLIENT_OTHER, FALSE, TRUE } },
  { DETOUR_CLIENT_OTHER, { .can_ack_pings = TRUE }, { DETOUR_CLIENT_OTHER, TRUE, FALSE } },
};

static void
test_traits (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      DetourClientTraits traits = detour_client_traits (cases[i].by_request, &cases[i].login);

      g_test_message ("case %zu", i);
      g_assert_cmpint (traits.kind, ==, cases[i].expected.kind);
      g_assert_cmpint (traits.takes_extra, ==, cases[i].expected.takes_extra);
      g_assert_cmpint (traits.ends_on_long, ==, cases[i].expected.ends_on_long);
    }
}

static void
test_names (void)
{
  static const char *const names[] = { "other", "go", "rust", "browser" };

  G_STATIC_ASSERT (G_N_ELEMENTS (names) == DETOUR_N_CLIENT_KINDS);
  for (guint i = 0; i < DETOUR_N_CLIENT_KINDS; i++)
    g_assert_cmpstr (detour_client_kind_name (i), ==, names[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/client-kind/traits", test_traits);
  g_test_add_func ("/client-kind/names", test_names);
  return g_test_run ();
}
