/* bootstrap-name.h: a name whose addresses are told to clients, and its addresses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Main thread. */
typedef struct {
  char *name;           /* in lower case */
  char *txt_name;       /* whose TXT records say how many clients are answered; NULL: all are */
  GPtrArray *addresses; /* of char *; those of the last answer there was */
  guint percent;        /* 0 to 100 */
} BootstrapName;

/**
 * bootstrap_name_new:
 * @text: `NAME`, or with @is_unpublished also `NAME/TXT-NAME`
 * @problem: (out): what is wrong with it, free with g_free()
 */
BootstrapName *bootstrap_name_new (const char *text, gboolean is_unpublished, char **problem);
void bootstrap_name_free (BootstrapName *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BootstrapName, bootstrap_name_free)

/* In another order each time, so that clients do not all take the first. */
void bootstrap_name_set_addresses (BootstrapName *self, GList *addresses);
/* @records: as g_resolver_lookup_records() has those of type TXT. The last number from 0 to 100
 * counts; without one it is 0. */
void bootstrap_name_set_percent (BootstrapName *self, GList *records);

G_END_DECLS
