/* test-tls-host.h: a host with just the services that transport-tls asks for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

DetourHost *test_host_new (void);
void test_host_free (DetourHost *self);
/* Publishes @n certificates in place of what was there. */
void test_host_publish (DetourHost *self, DetourCert *const *certs, guint n);
const char *test_host_trouble (DetourHost *self);
guint64 test_host_counter (DetourHost *self, const char *name);
