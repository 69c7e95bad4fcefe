/* detour-bans.h: keys and networks that the operator keeps out, in force and on disk.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A ban ends by the wall clock, since people think of it so and it has to last beyond a restart. */
#pragma once

#include "detour-auth-request.h"
#include "detour-ban.h"
#include "detour-net-set.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourBans DetourBans;

typedef struct {
  /* Some came, or some went; the bans in force are others. */
  void (*changed) (gpointer user);
  gint64 (*now_us) (gpointer user); /* (nullable): Unix time, for tests */
} DetourBansPort;

/* @error: (nullable): NULL: the change is on the disk */
typedef void (*DetourBansKept) (const GError *error, gpointer data);

/* @port outlives the bans. None is in force at first, and none is kept. */
DetourBans *detour_bans_new (const DetourBansPort *port, gpointer user);
/* What is not on the disk yet is written. */
void detour_bans_free (DetourBans *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourBans, detour_bans_free)

/* Takes the bans of a file, and keeps them there from now on. A file with errors is set aside with
 * a warning; what can be read of it counts. */
void detour_bans_open (DetourBans *self, const char *path);

/**
 * detour_bans_add:
 * @targets: (array length=n): one that is banned already is banned anew, with the new time and
 *   reason
 * @for_us: how long; 0: without an end
 * @kept: (nullable): called once, when the change is on the disk or could not be written
 *
 * All of them, or none. Returns: FALSE: there are too many, and @kept is not called.
 */
gboolean detour_bans_add (DetourBans *self, const DetourBanTarget *targets, guint n, gint64 for_us,
                          const char *reason, DetourBansKept kept, gpointer data, GError **error);

/* Lifts the bans of @texts that there are. @kept as above; called even when there was none.
 * Returns: how many there were. */
guint detour_bans_remove (DetourBans *self, const char *const *texts, DetourBansKept kept,
                          gpointer data);

/* (nullable): the ban of that target, as detour_ban_target_format() writes it. */
const DetourBan *detour_bans_find (DetourBans *self, const char *text);

/* (nullable): a ban on the key or the address of @request; it counts as refused by it. */
const DetourBan *detour_bans_refuse (DetourBans *self, const DetourAuthRequest *request);
/* (nullable): the same, without counting. */
const DetourBan *detour_bans_match (DetourBans *self, const DetourKey *key, const char *address);

/* (nullable): the networks; NULL: there is none. Borrowed. */
DetourNetSet *detour_bans_networks (const DetourBans *self);
guint detour_bans_count (const DetourBans *self);
/* Of DetourBan, in the order in which they were made; borrowed until the next change. */
const GPtrArray *detour_bans_list (DetourBans *self);

/* Ends what is over. Runs by itself; tests call it. */
void detour_bans_tick (DetourBans *self);

/* All changes are on the disk when this returns. FALSE with @error: they cannot be written. */
gboolean detour_bans_flush (DetourBans *self, GError **error);

G_END_DECLS
