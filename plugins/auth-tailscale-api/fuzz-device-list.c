/* fuzz-device-list.c: fuzz target for everything that is read of an API, and for the file that
 * keeps its list: the first byte chooses.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "api-answer.h"
#include "device-list.h"
#include "device-store.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Whatever was read can be kept, and is the same when it is read again. */
static void
fuzz_device_list_keep (const DeviceTable *table)
{
  GString *text = device_store_format (table, "here\tand\nthere\\", 1);
  g_autoptr (DeviceTable) again = NULL;
  DeviceChange change;
  gint64 fetched;

  g_assert (device_store_parse (text->str, text->len, "here\tand\nthere\\", &again, &fetched, NULL)
            == DEVICE_STORE_GOOD);
  g_assert (fetched == 1);
  device_table_compare (table, again, &change);
  g_assert (!device_change_is_any (&change));
  g_string_free (text, TRUE);
}

static void
fuzz_device_list_use (const DeviceTable *table)
{
  for (guint i = 0; i < device_table_size (table); i++)
    {
      const Device *device = device_table_at (table, i);
      g_autofree char *label = device_label (device);

      g_assert (device_table_find (table, device->key) == device);
      g_assert (g_utf8_validate (label, -1, NULL));
      g_assert (device->expires >= 0);
    }
  fuzz_device_list_keep (table);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *body = size > 1 ? g_memdup2 (data + 1, size - 1) : g_malloc (1);
  g_autoptr (DeviceTable) table = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (ApiToken) token = { 0 };
  g_autofree char *message = NULL;
  guint n_skipped;
  gint64 fetched;

  if (size == 0)
    return 0;
  size--;
  switch (data[0] % 4)
    {
    case 0:
      table = device_list_parse (body, size, NULL, &n_skipped, &error);
      g_assert ((table == NULL) == (error != NULL));
      break;
    case 1:
      if (api_token_parse (&token, body, size, &error))
        g_assert (token.life > 0 && api_answer_is_header_safe (token.text));
      break;
    case 2:
      message = api_answer_message (body, size);
      g_assert (message == NULL || (*message != '\0' && g_utf8_validate (message, -1, NULL)));
      break;
    default:
      if (device_store_parse (body, size, "here", &table, &fetched, &error) == DEVICE_STORE_GOOD)
        g_assert (table != NULL && fetched > 0);
      break;
    }
  if (table != NULL)
    fuzz_device_list_use (table);
  return 0;
}
