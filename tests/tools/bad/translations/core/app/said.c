/* said.c: says something that nobody listed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
const char *said = N_("never listed");
