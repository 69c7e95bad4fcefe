/* detour-auth-chain.h: auth instances in their order, asked with single flight.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Clients that ask the same at the same time share one flight: one walk along the chain
 * (detour-auth-walk.h), whose verdict all of them get. */
#pragma once

#include <glib.h>

#include "detour-auth-instance.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourAuthChain DetourAuthChain;

/* What the chain asks of its owner. */
typedef struct {
  /* (transfer full) (nullable): a verdict for which no instance has to be asked. */
  DetourVerdict *(*precheck) (gpointer user, const DetourAuthRequest *request);
  /* The chain has come to @verdict, which @n clients wait for. Returns: (transfer full): what they
   * are told, @verdict or another one. */
  DetourVerdict *(*conclude) (gpointer user, const DetourAuthRequest *request,
                              DetourVerdict *verdict, guint n);
} DetourAuthChainFuncs;

typedef struct {
  gboolean match_all;
  gint64 timeout_us; /* for a verdict */
  gint64 grace_us;
} DetourAuthChainTerms;

/* @port and @funcs outlive the chain. It has no instance at first, which means open to everyone. */
DetourAuthChain *detour_auth_chain_new (const DetourAuthPort *port, gpointer port_user,
                                        const DetourAuthChainFuncs *funcs, gpointer user);
/* Those who still wait are told UNAVAILABLE. Answers of instances may come later. */
void detour_auth_chain_free (DetourAuthChain *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourAuthChain, detour_auth_chain_free)

/* @instances: of DetourAuthInstance, referenced. Walks that are under way begin anew. */
void detour_auth_chain_set (DetourAuthChain *self, GPtrArray *instances,
                            const DetourAuthChainTerms *terms);
/* Verdicts may be different now: walks that are under way begin anew. */
void detour_auth_chain_restart (DetourAuthChain *self);

/**
 * detour_auth_chain_ask:
 * @is_recheck: the client is connected. Nothing is taken from the cache, and only the final verdict
 *   is told, so that a client is not judged by grace when the answer is a moment away
 *
 * @done is called once, perhaps from inside, in no more than the time of the terms.
 *
 * Returns: whether it waits for a walk that was under way already.
 */
gboolean detour_auth_chain_ask (DetourAuthChain *self, DetourAuthRequest *request,
                                gboolean is_recheck, DetourVerdictFunc done, gpointer data);

/* Ends what has taken too long. Runs by itself while a walk is under way; tests with a clock of
 * their own call it. */
void detour_auth_chain_tick (DetourAuthChain *self);

G_END_DECLS
