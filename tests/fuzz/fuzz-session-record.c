/* fuzz-session-record.c: the record of a session, as one program hands it to the next.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "detour-session-record.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* What can be read is written in one way, and read again it is the same. */
static void
write_again (const DetourSessionRecord *first, const DetourChannelTable *table)
{
  g_auto (DetourRecord) record = { NULL }, again = { NULL };
  g_auto (DetourSessionRecord) second = { NULL };
  const char *reason = NULL;
  DetourRecordReader reader;
  DetourRecordItem item;

  g_assert_true (detour_session_record_write (&record, 1, first->session, first->fd));
  reader = (DetourRecordReader) { record.data, record.len };
  g_assert_true (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM);
  g_assert_true (detour_session_record_read (&item, table, &second, &reason));
  g_assert_true (detour_session_record_write (&again, 1, second.session, second.fd));
  g_assert_cmpmem (again.data, again.len, record.data, record.len);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (DetourChannelTable) table = detour_channel_table_new ();
  g_auto (DetourSessionRecord) record = { NULL };
  DetourRecordItem item = { 1, data, size };
  const char *reason = NULL;

  if (detour_session_record_read (&item, table, &record, &reason))
    write_again (&record, table);
  else
    g_assert_nonnull (reason);
  return 0;
}
