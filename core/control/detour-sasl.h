/* detour-sasl.h: the daemon's side of the authentication with which a D-Bus connection begins.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Only EXTERNAL is offered: the kernel says who the peer is, and the peer may only agree. Pure: no
 * descriptor, no clock. */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* A line with its end; libraries send some 80 bytes at most. */
#define DETOUR_SASL_LINE_MAX 256u
/* A client that knows nothing of us needs six. */
#define DETOUR_SASL_LINES_MAX 16u

typedef enum {
  DETOUR_SASL_NUL,  /* a NUL byte has to come first */
  DETOUR_SASL_AUTH, /* nothing is agreed on */
  DETOUR_SASL_DATA, /* EXTERNAL was chosen, without a name */
  DETOUR_SASL_OK,   /* it is known who the peer is */
} DetourSaslState;

typedef struct {
  DetourSaslState state;
  uid_t uid;
  const char *guid;
  guint n_lines;
  guint n_line;
  char line[DETOUR_SASL_LINE_MAX];
} DetourSasl;

typedef enum {
  DETOUR_SASL_MORE, /* everything was used */
  DETOUR_SASL_DONE, /* messages begin behind the bytes that were used */
  DETOUR_SASL_BAD,  /* close it */
} DetourSaslResult;

/* @uid: of the peer, as the kernel says; @guid: borrowed. */
void detour_sasl_init (DetourSasl *self, uid_t uid, const char *guid);

/**
 * detour_sasl_take:
 * @used: (out): how many of @bytes belong to the authentication
 * @answer: what is to be sent is appended
 *
 * Takes bytes of the peer as they come.
 */
DetourSaslResult detour_sasl_take (DetourSasl *self, const guint8 *bytes, gsize len, gsize *used,
                                   GString *answer) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
