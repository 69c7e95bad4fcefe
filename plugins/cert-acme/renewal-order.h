/* renewal-order.h: one run of the program that talks to an authority, and the challenges that it
 * has answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. */
#pragma once

#include <json-glib/json-glib.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Why a run failed. All zero: it did not. */
typedef struct {
  char *step;      /* "challenge" */
  char *type;      /* the authority's URN, or "network", "tls", "timeout", "protocol", "helper" */
  char *name;      /* (nullable) */
  char *challenge; /* (nullable) */
  char *detail;    /* in the authority's own words, where there are any */
  char *remedy;    /* (nullable) */
  gint64 status;   /* of HTTP; 0: none */
  gint64 retry_after_s; /* 0: it did not say */
} RenewalFault;

void renewal_fault_clear (RenewalFault *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RenewalFault, renewal_fault_clear)

typedef struct _RenewalOrder RenewalOrder;

/* Texts are borrowed for the call. None of these may free the order, but ended(). */
typedef struct {
  /* To be kept before anything else happens. @url is NULL until the account has one. */
  void (*account) (gpointer user, const char *key, const char *url);
  /* A key that the account may have from the next moment on. FALSE: it could not be kept, and is
   * not given to the authority. */
  gboolean (*next_key) (gpointer user, const char *key);
  /* A challenge is answered from now on. */
  void (*proving) (gpointer user, const char *type, const char *name);
  void (*window) (gpointer user, gint64 start, gint64 end, gint64 retry_after_s);
  void (*certificate) (gpointer user, const char *chain, const char *key, const char *profile);
  /* The last call; nothing that was presented is left. @fault: (nullable): NULL: it was done. */
  void (*ended) (gpointer user, const RenewalFault *fault);
} RenewalOrderFuncs;

/**
 * renewal_order_start:
 * @program: an absolute path
 * @request: as the program wants it; taken
 * @limit_s: that the request has; a program that goes on longer is killed
 * @dns_hook: (nullable): the operator's program for dns-01; must live as long as the order
 *
 * Returns: (transfer full): or NULL with @error set.
 */
RenewalOrder *renewal_order_start (DetourHost *host, const char *program, JsonObject *request,
                                   guint limit_s, const char *dns_hook,
                                   const RenewalOrderFuncs *funcs, gpointer user, GError **error);
/* Kills the program if it runs, and takes back what was presented. */
void renewal_order_free (RenewalOrder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RenewalOrder, renewal_order_free)

G_END_DECLS
