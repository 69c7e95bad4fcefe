/* fake-tailscaled.h: a LocalAPI that behaves as a test wants, on a socket of its own.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  FAKE_ANSWERS,
  FAKE_SAYS_NOTHING,
  FAKE_CLOSES,        /* without an answer */
  FAKE_STOPS_HALFWAY, /* closes in the middle of the body */
  FAKE_HANGS_HALFWAY, /* says nothing more in the middle of the body */
  FAKE_SPEAKS_NO_HTTP,
  FAKE_IS_ENDLESS,      /* a body without an end */
  FAKE_BREAKS_LENGTH,   /* Content-Length is a number and something else */
  FAKE_CONTRADICTS,     /* two lengths */
  FAKE_AWAITS_A_STATUS, /* answers when it was asked how it is meanwhile */
} FakeManner;

typedef struct _FakeTailscaled FakeTailscaled;

/* @path: nothing may be there, or the socket of a dead one. Answers as one that is connected and
 * knows nobody. */
FakeTailscaled *fake_tailscaled_new (const char *path);
/* Closes every connection; its socket stays where it is, and nobody listens. */
void fake_tailscaled_free (FakeTailscaled *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeTailscaled, fake_tailscaled_free)

/* From now on. @body: static, as long as it is needed. */
void fake_tailscaled_whois (FakeTailscaled *self, FakeManner manner, guint status,
                            const char *body);
void fake_tailscaled_status (FakeTailscaled *self, FakeManner manner, guint status,
                             const char *body);

/* The last head that asked for a key; free with g_free(). NULL: none yet. */
char *fake_tailscaled_last_head (FakeTailscaled *self);
guint fake_tailscaled_n_whois (FakeTailscaled *self);
guint fake_tailscaled_n_status (FakeTailscaled *self);
guint fake_tailscaled_n_connections (FakeTailscaled *self);

G_END_DECLS
