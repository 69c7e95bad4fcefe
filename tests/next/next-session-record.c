/* next-session-record.c: sessions as a later version may write them down; see README.md.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-session-record.h"

#include "next.h"

/* What is static here stays so where it is defined below. */
static gboolean session_record_write_of_today (DetourRecord *out, guint16 tag,
                                               const DetourSession *session, guint32 fd);
static void session_record_write_tags_of_today (DetourRecord *out, guint16 tag);

#define detour_session_record_write      session_record_write_of_today
#define detour_session_record_write_tags session_record_write_tags_of_today
#include "../../core/session/detour-session-record.c"
#undef detour_session_record_write
#undef detour_session_record_write_tags

gboolean
detour_session_record_write (DetourRecord *out, guint16 tag, const DetourSession *session,
                             guint32 fd)
{
  gsize mark = out->len;

  if (!session_record_write_of_today (out, tag, session, fd))
    return FALSE;
  detour_record_put_text (out, next_is ("session") ? NEXT_TAG | DETOUR_RECORD_MUST : NEXT_TAG,
                          "news");
  detour_record_end (out, mark);
  return TRUE;
}

void
detour_session_record_write_tags (DetourRecord *out, guint16 tag)
{
  gsize mark = out->len;

  session_record_write_tags_of_today (out, tag);
  if (next_is ("session"))
    detour_record_put (out, NEXT_TAG | DETOUR_RECORD_MUST, NULL, 0);
  detour_record_end (out, mark);
}
