/* detour-thing.c: a static function whose name does not tell where it stands.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
static int
take (int a)
{
  return a;
}

static int
thing_give (int a)
{
  return take (a);
}
