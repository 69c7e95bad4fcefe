/* detour-session-record.h: a session written down for another program, and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All that detour_worker_detach_all() takes out of a worker is in it. Descriptors go another way:
 * the record names their place. Keys of the record layer are in it, so it is never kept, and good
 * for one reader alone: two that go on with the same keys would use a nonce twice. */
#pragma once

#include "detour-channel-table.h"
#include "detour-record.h"
#include "detour-session.h"

G_BEGIN_DECLS

/* Of a session that was read. */
typedef struct {
  DetourSession *session; /* without descriptor, visit and terms */
  guint32 fd;             /* its descriptor's place */
  char *tenant;           /* (nullable) */
} DetourSessionRecord;

void detour_session_record_clear (DetourSessionRecord *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourSessionRecord, detour_session_record_clear)

/**
 * detour_session_record_write:
 * @tag: of the item
 * @fd: place of its descriptor
 *
 * @session is as before, and one of the two must be given up: nothing is sealed any more with the
 * other.
 *
 * Returns: FALSE when its record layer cannot be written down; nothing was written then.
 */
gboolean detour_session_record_write (DetourRecord *out, guint16 tag, const DetourSession *session,
                                      guint32 fd);

/* Tags that a session may have and a reader has to know, in an item of their own; and whether this
 * program knows those of another one. */
void detour_session_record_write_tags (DetourRecord *out, guint16 tag);
gboolean detour_session_record_knows_tags (const DetourRecordItem *item);

/**
 * detour_session_record_read:
 * @channels: the classes of channels that there are
 * @out: (out): to be cleared after success
 * @reason: (out): static text of a failure
 */
gboolean detour_session_record_read (const DetourRecordItem *item,
                                     const DetourChannelTable *channels, DetourSessionRecord *out,
                                     const char **reason);

/* The name of the link whose session it is; NULL: it is a client's. */
char *detour_session_record_peek_link (const DetourRecordItem *item);

G_END_DECLS
