/* detourctl-certs-ask.h: the commands that ask an instance to renew its certificate, or to give its
 * account a new key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

/* @arguments: (array zero-terminated=1): the certificate, or none: the only one. */
DetourctlExit detourctl_certs_run_renew (Detourctl *self, char **arguments);
DetourctlExit detourctl_certs_run_rollover (Detourctl *self, char **arguments);

G_END_DECLS
