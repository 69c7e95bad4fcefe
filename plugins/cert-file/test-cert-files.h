/* test-cert-files.h: certificates and keys as PEM files, in a folder that goes away.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <gnutls/gnutls.h>

typedef struct {
  char *chain;      /* PEM */
  char *key;        /* PEM, PKCS #8 */
  char *ec_key;     /* the older form of an EC key, with parameters before it; NULL for others */
  char *locked_key; /* encrypted */
} TestPem;

/* @names: a comma between them; addresses become addresses. Valid from @from_s to @to_s after now.
 */
TestPem *test_pem_new (gnutls_pk_algorithm_t algorithm, guint n_chain, const char *common_name,
                       const char *names, gint64 from_s, gint64 to_s);
/* One that signs itself, with a key of ECDSA. */
TestPem *test_pem_new_self_signed (const char *name, gint64 from_s, gint64 to_s);
void test_pem_free (TestPem *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestPem, test_pem_free)

/* The @i-th certificate of a chain, from 0. */
char *test_pem_certificate (const char *chain, guint i);

char *test_folder_new (void);
void test_folder_free (char *folder);
/* Replaces the file the way renewal tools do, and says its path; free with g_free(). */
char *test_folder_write (const char *folder, const char *name, const char *text, int mode);
