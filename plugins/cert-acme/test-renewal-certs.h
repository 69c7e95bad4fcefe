/* test-renewal-certs.h: chains as an authority issues them, for tests.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct {
  char *key;   /* PEM */
  char *chain; /* PEM, leaf and issuer */
} TestChain;

/* @names: separated by blanks. Days from now on. */
void test_chain_make (TestChain *self, const char *names, int from_days, int to_days);
void test_chain_clear (TestChain *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TestChain, test_chain_clear)
