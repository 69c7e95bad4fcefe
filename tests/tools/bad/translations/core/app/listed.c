/* listed.c: says something that nobody translated.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
const char *listed = N_("never translated");
