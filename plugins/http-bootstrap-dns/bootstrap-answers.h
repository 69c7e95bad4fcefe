/* bootstrap-answers.h: what is answered until the next refresh; immutable.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/socket.h>

#include "bootstrap-name.h"

G_BEGIN_DECLS

typedef struct _BootstrapAnswers BootstrapAnswers;

/* Which counters a request counts in. */
typedef enum {
  BOOTSTRAP_UNPUBLISHED_HIT = 1 << 0,
  BOOTSTRAP_UNPUBLISHED_PERCENT_MISS = 1 << 1,
  BOOTSTRAP_PUBLISHED_HIT = 1 << 2,
  BOOTSTRAP_PUBLISHED_MISS = 1 << 3,
  BOOTSTRAP_UNPUBLISHED_MISS = 1 << 4,
} BootstrapOutcome;

/* Of BootstrapName both; names without an address are left out. */
BootstrapAnswers *bootstrap_answers_new (GPtrArray *published, GPtrArray *unpublished);
BootstrapAnswers *bootstrap_answers_ref (BootstrapAnswers *self);
void bootstrap_answers_unref (BootstrapAnswers *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BootstrapAnswers, bootstrap_answers_unref)

/**
 * bootstrap_answers_choose:
 * @wish: (nullable): the name that is asked for
 * @peer: the same address always falls into the same part of the clients, and one of loopback into
 *   any
 * @outcome: (out): bits of BootstrapOutcome
 *
 * Returns: (transfer none): the JSON text.
 */
const char *bootstrap_answers_choose (BootstrapAnswers *self, const char *wish,
                                      const struct sockaddr *peer, guint *outcome);

G_END_DECLS
