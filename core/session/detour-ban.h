/* detour-ban.h: one ban of a key or of a network, and the lines by which bans are kept in a file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-address.h"
#include "detour-key.h"

G_BEGIN_DECLS

/* Bans at a time. */
#define DETOUR_BANS_MAX 16384u
/* Bytes of a reason. */
#define DETOUR_BAN_REASON_MAX 200u
/* Room for the text of a target. */
#define DETOUR_BAN_TARGET_MAX 80u

#define DETOUR_BAN_ERROR (detour_ban_error_quark ())
GQuark detour_ban_error_quark (void);

typedef enum {
  DETOUR_BAN_ERROR_TARGET, /* neither a key nor a network */
  DETOUR_BAN_ERROR_REASON,
  DETOUR_BAN_ERROR_WIDE, /* a network with so much in it that it may be a slip */
  DETOUR_BAN_ERROR_FULL,
} DetourBanError;

/* Whom a ban is for. */
typedef struct {
  gboolean is_key;
  DetourKey key;
  DetourCidr network;
} DetourBanTarget;

typedef struct {
  DetourBanTarget target;
  char text[DETOUR_BAN_TARGET_MAX]; /* of the target, always written the same way */
  gint64 since_us, until_us;        /* Unix time; until 0: without an end */
  char *reason;                     /* "" when none was given */
  guint64 refused;                  /* clients since the start of the daemon */
} DetourBan;

/* @text: `nodekey:` and 64 hex digits, or an address, or a network. Pure. */
gboolean detour_ban_target_parse (const char *text, DetourBanTarget *out, GError **error);
/* @out has DETOUR_BAN_TARGET_MAX bytes; returns @out. */
const char *detour_ban_target_format (const DetourBanTarget *self, char *out);
/* The field of the log that the text of the target is for, so that logs with `privacy` mask it. */
const char *detour_ban_target_field (const DetourBanTarget *self);
/* Whether it has more addresses than anyone bans on purpose: FALSE with @error. */
gboolean detour_ban_target_is_narrow (const DetourBanTarget *self, GError **error);
/* Whether it can be a reason: one line of UTF-8. */
gboolean detour_ban_reason_check (const char *reason, GError **error);

/* @reason: copied */
DetourBan *detour_ban_new (const DetourBanTarget *target, gint64 since_us, gint64 until_us,
                           const char *reason);
void detour_ban_free (DetourBan *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourBan, detour_ban_free)

/* "banned by the operator until 2026-11-29T03:00:00Z: spam". Free with g_free(). */
char *detour_ban_describe (const DetourBan *self);

/* The first line of a file of bans, with its end. */
#define DETOUR_BAN_FILE_HEAD "detour-bans 1\n"
/* A longer file is not read. */
#define DETOUR_BAN_FILE_MAX (DETOUR_BANS_MAX * 512u)

/* Appends its line. */
void detour_ban_write (const DetourBan *self, GString *out);

/**
 * detour_ban_read:
 * @text: (array length=len): the contents of a file, or anything else
 * @take: called for each ban, which it owns
 *
 * Pure. Lines that are no bans are left out.
 *
 * Returns: the number of the first line that is wrong, from 1; 0: none is
 */
guint detour_ban_read (const char *text, gsize len, void (*take) (DetourBan *ban, gpointer data),
                       gpointer data);

G_END_DECLS
