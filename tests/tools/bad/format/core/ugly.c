/* ugly.c: a file that nobody formatted.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
int ugly(void) { return 1; }
