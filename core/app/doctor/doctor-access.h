/* doctor-access.h: whether the daemon's user may do something with a file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "doctor.h"

G_BEGIN_DECLS

/* Whether this process may find that out: it is root, or that user itself. */
gboolean doctor_access_is_known (const Doctor *doctor);

/**
 * doctor_access_try:
 * @path: absolute
 * @mode: R_OK, W_OK, X_OK
 * @where: (out): (transfer full): the folder on the way, or @path, that refuses; NULL on success
 *
 * Asks the kernel as that user, in a process of its own, so that access lists count too.
 *
 * Returns: 0, or an errno.
 */
int doctor_access_try (const Doctor *doctor, const char *path, int mode, char **where);

G_END_DECLS
