/* ace-dial.h: looks up a name once, and connects to one of the addresses that came.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is connected to is what was looked up: an address is judged before anything is sent to it,
 * and no name is looked up a second time. Main thread. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _AceDial AceDial;

typedef enum {
  ACE_DIAL_DONE,
  ACE_DIAL_REFUSED, /* there is no address but such that strangers may not reach */
  ACE_DIAL_FAILED,  /* no address, none that answers, or it took too long */
} AceDialResult;

/* @socket: (transfer full): connected; NULL unless DONE. @address: the one that was connected to,
 * or that was refused; "" when there is none. */
typedef void (*AceDialFunc) (AceDialResult result, GSocket *socket, const char *address,
                             gpointer user);

/* @done is called exactly once, from the loop, unless ace_dial_cancel() comes before. */
AceDial *ace_dial_new (const char *host, guint16 port, gint64 timeout_us, AceDialFunc done,
                       gpointer user);
void ace_dial_cancel (AceDial *self);

G_END_DECLS
