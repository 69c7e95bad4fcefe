/* test-tls-host.h: the real host of core, with an instance of transport-tls and a listener that
 * only notes things down.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

typedef struct _TestHost TestHost;

TestHost *test_host_new (void);
/* With lines for [transport https]; @error gets the first complaint about them, and NULL is
 * returned. */
TestHost *test_host_new_with (const char *lines, char **complaint);
void test_host_free (TestHost *self);

/* The instance, which does not run. */
DetourHost *test_host_instance (TestHost *self);
/* It runs: what it asked to listen. */
const DetourListenerSpec *test_host_start (TestHost *self);
/* The listener is refused, so that the start fails; nothing is left of it. */
void test_host_start_refused (TestHost *self);
void test_host_stop (TestHost *self);

/* Publishes @n certificates in place of what was there. */
void test_host_publish (TestHost *self, DetourCert *const *certs, guint n);
char *test_host_trouble (TestHost *self);
/* DetourChannelTable: channels by name. */
gpointer test_host_channels (TestHost *self);
guint64 test_host_counter (TestHost *self, const char *name);
