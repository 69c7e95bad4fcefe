/* acme-names.h: what a certificate is for: names and addresses, in the form that CAs want.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-problem.h"

G_BEGIN_DECLS

#define ACME_NAMES_MAX 100

typedef struct {
  char *given;      /* as it stood in the request */
  char *value;      /* lower case, punycode; RFC 5952; with "*." */
  guint8 bytes[16]; /* of an address */
  guint8 bytes_len; /* 4 or 16; 0: it is a name */
} AcmeName;

/* Elements: AcmeName. NULL: @problem is set. The same name twice is one. */
GPtrArray *acme_names_new (const char *const *given, AcmeProblem *problem);

/* FALSE: it is none, and @problem is set. */
gboolean acme_names_parse (const char *given, AcmeName *out, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;
void acme_name_clear (AcmeName *self);

/* The element that an authorisation for @value is about; @is_wildcard: its `wildcard`. NULL: none
 * that was asked for. */
const AcmeName *acme_names_find (const GPtrArray *names, const char *value, gboolean is_wildcard);

/* What the CA asks for: without "*.". */
const char *acme_name_base (const AcmeName *self);
gboolean acme_name_is_wildcard (const AcmeName *self);
gboolean acme_names_have_address (const GPtrArray *names);

G_END_DECLS
