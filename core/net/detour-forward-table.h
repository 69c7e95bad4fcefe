/* detour-forward-table.h: which names are forwarded where.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-address.h"

G_BEGIN_DECLS

#define DETOUR_FORWARD_ERROR (detour_forward_error_quark ())
GQuark detour_forward_error_quark (void);

typedef enum {
  DETOUR_FORWARD_ERROR_SYNTAX,
} DetourForwardError;

/* Where connections go; lives as long as its table. */
typedef struct {
  char *text; /* for people: "127.0.0.1:8443" */
  struct sockaddr_storage address;
  socklen_t len;
} DetourForwardTarget;

/* Immutable, any thread. */
typedef struct _DetourForwardTable DetourForwardTable;

/**
 * detour_forward_table_new:
 * @entries: (array zero-terminated=1): `NAME=ADDRESS`; NAME may begin with `*.`, which stands for
 * one label; ADDRESS is `A.B.C.D:PORT`, `[V6]:PORT`, `unix:/path`, or `own`: the connection stays
 * here
 * @own_name: (nullable): of this relay: stays here though a name with `*.` would fit
 *
 * Returns: NULL with @error set.
 */
DetourForwardTable *detour_forward_table_new (const char *const *entries, const char *own_name,
                                              GError **error);
DetourForwardTable *detour_forward_table_ref (DetourForwardTable *self);
void detour_forward_table_unref (DetourForwardTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourForwardTable, detour_forward_table_unref)

/* @name: in lower case. NULL: connections for that name stay here. A whole name goes before one
 * with `*.`. */
const DetourForwardTarget *detour_forward_table_find (const DetourForwardTable *self,
                                                      const char *name);

G_END_DECLS
