/* whois-answer.h: what an answer of tailscaled's LocalAPI means.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions. Status and body are not trusted. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* An answer that is longer is not read to its end. Answers about nodes with many capabilities have
 * hundreds of kilobytes. */
#define WHOIS_ANSWER_MAX (1024u * 1024)
/* A longer identifier is not used. */
#define WHOIS_ANSWER_ID_MAX 95u
/* The reason of DENY. */
#define WHOIS_ANSWER_UNKNOWN "tailscaled does not know it"
#define WHOIS_ANSWER_EXPIRED "its key has expired, says tailscaled"

typedef struct {
  DetourAuthResult result;
  char *reason;   /* of DENY and UNAVAILABLE; NULL for ALLOW */
  char *label;    /* of ALLOW: the node and its user; NULL when the answer does not say */
  gint64 node_id; /* of ALLOW: the node's number in its network; 0: not said */
  char stable_id[WHOIS_ANSWER_ID_MAX
                 + 1]; /* of ALLOW: what it is called there for ever; "": not said */
} WhoisAnswer;

void whois_answer_clear (WhoisAnswer *self);

/**
 * whois_answer_judge:
 * @status: of HTTP
 * @body: (array length=len): need not be terminated
 *
 * 404 gives DENY, which holds only if tailscaled is connected to its network; a node whose key has
 * expired gives it, too, which holds always.
 */
void whois_answer_judge (WhoisAnswer *self, long status, const char *body, gsize len);

/* The member `BackendState` of a status answer: "Running", "NeedsLogin"; NULL when there is none.
 * Free with g_free(). */
char *whois_answer_backend_state (const char *body, gsize len);

G_END_DECLS
