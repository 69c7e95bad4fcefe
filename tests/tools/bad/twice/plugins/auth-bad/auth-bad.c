/* auth-bad.c: does something once or twice.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

gint64
auth_bad_next_us (AuthBad *self, gint64 next_us)
{
  return MIN (next_us, auth_bad_look_after (self));
}
