/* tailnet.h: the devices of one tailnet, as its API lists them: when it is asked, and how long its
 * list is believed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread. The list is fetched regularly, and at once for a key that it does not have. The last
 * one is kept on disk. While the API cannot be asked, keys on the list are welcome for a while, and
 * about others nothing can be said. A list that has lost most of its devices is believed only when
 * the API has said it three times. */
#pragma once

#include "api-fetch.h"
#include "device-table.h"

G_BEGIN_DECLS

/* A client with an unknown key waits so long for a newer list. */
#define TAILNET_HOLD_US (3 * G_TIME_SPAN_SECOND)

typedef struct _Tailnet Tailnet;

typedef struct {
  ApiFetchSetup api;
  gint64 refresh_us;
  gint64 grace_us;         /* how old a list may be */
  const char *const *tags; /* as of device_standing(); outlives the tailnet */
  const char *path;        /* of the file that keeps the list */
} TailnetSetup;

/* Borrowed for the call. */
typedef struct {
  DetourAuthResult result;
  const Device *device; /* the one with the key; NULL: there is none, or nothing can be said */
  const char *reason;   /* of the others */
} TailnetAnswer;

typedef struct {
  /* Once for each call of tailnet_ask(). */
  void (*answer) (gpointer user, gpointer call, const TailnetAnswer *answer);
  /* How it is; @cause: of the trouble, without what is different from time to time. NULL, both of
   * them: all is well. */
  void (*state) (gpointer user, const char *summary, const char *trouble, const char *cause);
  /* A device has another key than before; comes before anything is said of @after. */
  DeviceRekeyed rekeyed;
  /* What was said of keys may be different now. */
  void (*changed) (gpointer user);
  /* A device that was on the list may not connect any more. Before `changed`. */
  void (*revoked) (gpointer user, const guint8 *key);
  /* Something was fetched, or was not. */
  void (*fetched) (gpointer user, gboolean good, guint n_devices, gint64 elapsed_us);
} TailnetFuncs;

/* @client and @credential outlive it. Reads the file, and begins. */
Tailnet *tailnet_new (DetourHost *host, const TailnetSetup *setup, WebClient *client,
                      ApiCredential *credential, const TailnetFuncs *funcs, gpointer user);
/* Answers open calls with UNAVAILABLE. */
void tailnet_free (Tailnet *self);

/* @call: given to the answer, which may come from inside */
void tailnet_ask (Tailnet *self, const guint8 *key, gpointer call);

/* The operator wants it now: the API is asked at once, and a doubtful list is believed. */
void tailnet_hurry (Tailnet *self);

G_END_DECLS
