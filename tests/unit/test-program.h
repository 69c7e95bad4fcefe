/* test-program.h: what main() of a test program may want beside GTest.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A test for each row of @table, an array of structs with a @name that completes the path;
 * @function gets the number of the row. */
#define TEST_ADD_ROWS(prefix, table, function)                           \
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)                       \
    {                                                                    \
      g_autofree char *path = g_strconcat (prefix, table[i].name, NULL); \
                                                                         \
      g_test_add_data_func (path, GSIZE_TO_POINTER (i), function);       \
    }

/* For g_log_set_writer_func(), where the log is not what is tested: nothing is written. */
static inline GLogWriterOutput
test_log_nothing (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  return G_LOG_WRITER_HANDLED;
}

/* After g_test_init(), where messages of g_message() and the like are what is tested: they reach
 * the writer as in the daemon. The handler that g_test_init() puts before it hands them on only in
 * older GLib (in 2.74, not in 2.84). */
static inline void
test_log_reaches_writer (void)
{
  g_log_set_default_handler (g_log_default_handler, NULL);
}
