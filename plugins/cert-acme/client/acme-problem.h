/* acme-problem.h: why a run failed, in the CA's own words and in ours.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Begins every type that RFC 8555 knows. */
#define ACME_PROBLEM_URN "urn:ietf:params:acme:error:"

/* Zeroed is "none". All strings are valid UTF-8. */
typedef struct {
  char *type;    /* the CA's URN, or "network", "tls", "timeout", "protocol", "input", "dns" */
  char *detail;  /* the CA's own words where there are any */
  char *name;    /* the name or address the CA means, of its subproblems */
  char *help;    /* URL that the CA sent with it */
  char *address; /* where the CA looked for the answer to a challenge */
  char *remedy;  /* NULL: acme_problem_make_remedy() knows one */
  guint status;  /* of HTTP; 0: none */
  gint64 retry_after_s; /* 0: the CA did not say */
} AcmeProblem;

void acme_problem_clear (AcmeProblem *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AcmeProblem, acme_problem_clear)

/* Takes the place of what was there. Returns: FALSE, so that it can be returned. */
gboolean acme_problem_set (AcmeProblem *self, const char *type, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* What the CA says: @object has the fields of RFC 7807. Returns: FALSE. */
gboolean acme_problem_set_object (AcmeProblem *self, JsonObject *object, guint status);

/* An answer that is no success. @body need not be JSON. Returns: FALSE. */
gboolean acme_problem_set_body (AcmeProblem *self, guint status, const char *body, gsize len);

/* @word: the end of an URN, such as "badNonce". */
gboolean acme_problem_is (const AcmeProblem *self, const char *word);

/* Whether it says that the CA does not take the profile: `invalidProfile`, and what CAs of before
 * that type say. */
gboolean acme_problem_is_profile (const AcmeProblem *self);

/**
 * acme_problem_make_remedy:
 * @step: of the run
 * @challenge: (nullable): type of the challenge that failed
 * @name: (nullable): the name it was for
 *
 * What an operator can do about it, in one or two sentences.
 */
char *acme_problem_make_remedy (const AcmeProblem *self, const char *step, const char *challenge,
                                const char *name);

G_END_DECLS
