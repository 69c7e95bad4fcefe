/* detour-guest.c: a file with a name that was given up.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
int detour_guest_count;
/* The doors are open. */
typedef struct _DetourGuest DetourGuest;
#define DETOUR_GUEST 1
/* A stand-in. */
int guestimate; /* another word */
