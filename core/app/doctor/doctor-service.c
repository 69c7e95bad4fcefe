/* doctor-service.c: what is said of a relay that is out of service instead of what cannot be looked
 * at.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "doctor.h"

void
doctor_service_tell (const Doctor *doctor, DoctorReport *report)
{
  doctor_find (report, "out_of_service", DOCTOR_NOTE,
               g_strdup (_ ("the relay is out of service and takes no connections, so this was not "
                            "looked at")),
               g_strdup (_ ("take it back, if it is to serve:")),
               g_strdup ("detourctl drain --cancel"));
}

void
doctor_service_leave_out (const Doctor *doctor, DoctorReport *report)
{
}
