/* detour-thing.c: logs an event that is in no table.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
void
detour_thing_tell (void)
{
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_EVENT, "not-listed", "MESSAGE", "x");
  detour_log_event (G_LOG_LEVEL_MESSAGE,
                    "short-form", "x");
  detour_log_event (G_LOG_LEVEL_MESSAGE, "wrong-number", "x");
}
