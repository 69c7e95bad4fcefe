/* doctor-mounts.h: which file systems of this host do not answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "doctor.h"

G_BEGIN_DECLS

/* Finds them; nothing when all answer. Threads that ask the others are left in the kernel. */
void doctor_mounts_look (const Doctor *doctor, DoctorReport *report);

G_END_DECLS
