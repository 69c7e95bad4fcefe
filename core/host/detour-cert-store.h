/* detour-cert-store.h: all certificates there are at a time, and which one is for whom.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct _DetourCertStore DetourCertStore; /* any thread */

DetourCertStore *detour_cert_store_new (void);
void detour_cert_store_free (DetourCertStore *self);

/* Replaces what @instance ("cert/main") published before; @n 0 takes it back. Takes references of
 * its own. */
void detour_cert_store_publish (DetourCertStore *self, const char *instance,
                                DetourCert *const *certs, guint n);

/* @instance has nothing to publish yet, but will have; publishing something ends that. FALSE: it
 * was so already. */
gboolean detour_cert_store_expect (DetourCertStore *self, const char *instance, gboolean expected);
/* As detour_host_is_cert_expected(). */
gboolean detour_cert_store_is_expected (DetourCertStore *self, const char *instance);

/* Changes whenever the store does; one relaxed read. */
guint64 detour_cert_store_generation (const DetourCertStore *self);

/* As detour_host_find_cert(). */
DetourCert *detour_cert_store_find (DetourCertStore *self, const char *instance, const char *sni,
                                    const struct sockaddr *local);

/* All certificates in the order of publishing; @instances gets the names beside them. */
GPtrArray *detour_cert_store_list (DetourCertStore *self, GStrv *instances);

G_END_DECLS
