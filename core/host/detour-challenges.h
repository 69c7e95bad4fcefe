/* detour-challenges.h: answers that an ACME certificate authority is going to ask this relay for.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whoever orders a certificate puts the answer here (a plugin by detour_host_present_challenge(),
 * an operator's ACME client by the control interface) and takes it back when the authority has
 * looked. Whoever serves finds it here: http-01 by its token, tls-alpn-01 by the name that the
 * authority asks for in TLS. An answer that nobody takes back ends by itself. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

#define DETOUR_CHALLENGE_ERROR (detour_challenge_error_quark ())
GQuark detour_challenge_error_quark (void);

typedef enum {
  DETOUR_CHALLENGE_ERROR_INVALID, /* the type, name, token or answer is none */
  DETOUR_CHALLENGE_ERROR_FULL,    /* too many wait */
} DetourChallengeError;

/* So many answers wait at most, and so long. */
#define DETOUR_CHALLENGES_MAX    256u
#define DETOUR_CHALLENGE_SPAN_US (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

typedef struct _DetourChallenges DetourChallenges; /* any thread */

DetourChallenges *detour_challenges_new (void);
void detour_challenges_free (DetourChallenges *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourChallenges, detour_challenges_free)

/**
 * detour_challenges_present:
 * @owner: "cert/main", or a word for somebody who is no instance
 * @type: "http-01" or "tls-alpn-01"
 * @identifier: name or address, brackets allowed
 * @token: as the authority gave it
 * @key_authorization: TOKEN "." THUMBPRINT; of tls-alpn-01 its digest in base64url will do, which
 *   is what some clients give their hooks
 * @now_us: monotonic
 *
 * The same owner, type, name and token again replaces the answer and begins its time anew.
 */
gboolean detour_challenges_present (DetourChallenges *self, const char *owner, const char *type,
                                    const char *identifier, const char *token,
                                    const char *key_authorization, gint64 now_us, GError **error);

/* FALSE: nothing of the kind was there. */
gboolean detour_challenges_withdraw (DetourChallenges *self, const char *owner, const char *type,
                                     const char *identifier, const char *token);
/* All that @owner presented. */
void detour_challenges_withdraw_all (DetourChallenges *self, const char *owner);

/* As detour_host_find_http_challenge() and detour_host_find_tls_challenge(). One relaxed read while
 * nothing waits. */
char *detour_challenges_find_http (DetourChallenges *self, const char *token, gint64 now_us);
gboolean detour_challenges_find_tls (DetourChallenges *self, const char *sni, gint64 now_us,
                                     DetourTlsChallenge *out);

/* How many wait. */
guint detour_challenges_count (DetourChallenges *self, gint64 now_us);

G_END_DECLS
