/* test-device-list.c: lists of devices in each shape, as they should be and as they should not.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "device-list.h"
#include "test-program.h"

#include <string.h>
#include <time.h>

#define KEY_A "nodekey:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "nodekey:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NOW   1800000000 /* 2027-01-15 */

/* "LABEL #ID STANDING" of each device in the order of keys, "; " between them, and " -N" for
 * entries that were skipped; free with g_free(). */
static char *
describe (const char *text, const char *const *tags)
{
  static const char *const standings[] = { "welcome", "waiting", "expired", "untagged" };
  g_autoptr (GError) error = NULL;
  guint n_skipped;
  g_autoptr (DeviceTable) table = device_list_parse (text, strlen (text), NULL, &n_skipped, &error);
  GString *out;

  if (table == NULL)
    return g_strdup_printf ("error %s", error->message);
  out = g_string_new (NULL);
  for (guint i = 0; i < device_table_size (table); i++)
    {
      const Device *device = device_table_at (table, i);
      g_autofree char *label = device_label (device);

      g_string_append_printf (out, "%s%s #%s %s", i > 0 ? "; " : "", label, device->id,
                              standings[device_standing (device, tags, NOW)]);
    }
  if (n_skipped > 0)
    g_string_append_printf (out, " -%u", n_skipped);
  return g_string_free (out, FALSE);
}

static const struct {
  const char *path;
  const char *text;
  const char *tag;    /* that is wanted; NULL: none is */
  const char *expect; /* behind "error ": a part of it */
} cases[] = {
  { "/device-list/tailscale",
    "{\"devices\":[{\"addresses\":[\"100.64.0.1\"],\"authorized\":true,"
    "\"blocksIncomingConnections\":false,\"clientVersion\":\"1.82.0\",\"created\":\"\","
    "\"expires\":\"2027-06-01T17:10:27Z\",\"hostname\":\"LAPTOP\",\"id\":\"50053\","
    "\"nodeId\":\"nABC1CNTRL\",\"isExternal\":false,\"keyExpiryDisabled\":false,"
    "\"lastSeen\":\"2022-04-15T13:25:21Z\",\"name\":\"laptop.tail1234.ts.net\","
    "\"nodeKey\":\"" KEY_A "\",\"os\":\"linux\",\"user\":\"anna@example.com\"}]}",
    NULL, "laptop (anna@example.com) #nABC1CNTRL welcome" },
  { "/device-list/tagged",
    "{\"devices\":[{\"authorized\":true,\"id\":\"7\",\"name\":\"web\",\"user\":\"anna@example."
    "com\","
    "\"tags\":[\"tag:web\",\"tag:prod\",\"tag:web\"],\"nodeKey\":\"" KEY_A "\"}]}",
    "prod", "web (tag:web, tag:prod) #7 welcome" },
  { "/device-list/tag-is-written-in-full",
    "{\"devices\":[{\"tags\":[\"tag:web\"],\"nodeKey\":\"" KEY_A "\"}]}", "tag:web",
    "tag:web # welcome" },
  { "/device-list/no-wanted-tag",
    "{\"devices\":[{\"name\":\"a\",\"tags\":[\"tag:webshop\",\"tag:we\"],\"nodeKey\":\"" KEY_A
    "\"},{\"name\":\"b\",\"nodeKey\":\"" KEY_B "\"}]}",
    "web", "a (tag:webshop, tag:we) # untagged; b # untagged" },
  { "/device-list/waits-for-approval",
    "{\"devices\":[{\"authorized\":false,\"name\":\"new\",\"nodeKey\":\"" KEY_A "\"}]}", NULL,
    "new # waiting" },
  { "/device-list/expired",
    "{\"devices\":[{\"expires\":\"2022-09-01T17:10:27Z\",\"keyExpiryDisabled\":false,"
    "\"name\":\"old\",\"nodeKey\":\"" KEY_A "\"}]}",
    NULL, "old # expired" },
  { "/device-list/expiry-is-disabled",
    "{\"devices\":[{\"expires\":\"2022-09-01T17:10:27Z\",\"keyExpiryDisabled\":true,"
    "\"name\":\"old\",\"nodeKey\":\"" KEY_A "\"}]}",
    NULL, "old # welcome" },
  { "/device-list/year-one-is-never",
    "{\"devices\":[{\"expires\":\"0001-01-01T00:00:00Z\",\"name\":\"hello\",\"nodeKey\":\"" KEY_A
    "\"},{\"expires\":\"\",\"name\":\"shared\",\"nodeKey\":\"" KEY_B "\"}]}",
    NULL, "hello # welcome; shared # welcome" },
  { "/device-list/fraction-and-zone-of-a-time",
    "{\"devices\":[{\"expires\":\"2027-01-15T09:00:00.123456789+01:00\",\"name\":\"a\",\"nodeKey\":"
    "\"" KEY_A "\"},{\"expires\":\"2027-01-15T09:00:01+01:00\",\"name\":\"b\",\"nodeKey\":\"" KEY_B
    "\"}]}",
    NULL, "a # expired; b # welcome" },
  { "/device-list/null-everywhere",
    "{\"devices\":[{\"authorized\":null,\"expires\":null,\"keyExpiryDisabled\":null,\"id\":null,"
    "\"nodeId\":null,\"name\":null,\"hostname\":null,\"user\":null,\"tags\":null,\"nodeKey\":"
    "\"" KEY_A "\"}]}",
    NULL, " # welcome" },
  { "/device-list/nothing-but-the-key", "{\"devices\":[{\"nodeKey\":\"" KEY_A "\"}]}", NULL,
    " # welcome" },
  { "/device-list/headscale-devices",
    "{\"devices\":[{\"addresses\":[\"100.64.0.2\"],\"name\":\"node-a\",\"id\":\"12\",\"nodeId\":"
    "\"12\","
    "\"authorized\":true,\"user\":\"alice\",\"tags\":[],\"keyExpiryDisabled\":true,"
    "\"created\":\"2026-07-01T10:00:00Z\",\"hostname\":\"node-a\",\"isEphemeral\":false,"
    "\"machineKey\":\"mkey:00\",\"nodeKey\":\"" KEY_A
    "\",\"os\":\"linux\",\"clientVersion\":\"1.104.7\",\"updateAvailable\":false}]}",
    NULL, "node-a (alice) #12 welcome" },
  { "/device-list/headscale-nodes",
    "{\"nodes\":[{\"approvedRoutes\":[],\"createdAt\":\"2026-07-01T10:00:00Z\",\"expiry\":null,"
    "\"givenName\":\"node-a\",\"id\":\"1\",\"name\":\"NODE-A\",\"nodeKey\":\"" KEY_A
    "\",\"online\":false,\"preAuthKey\":{\"aclTags\":[],\"id\":\"1\"},\"tags\":[],"
    "\"user\":{\"displayName\":\"\",\"email\":\"\",\"id\":\"1\",\"name\":\"alice\"}},"
    "{\"expiry\":\"2026-07-02T10:00:00Z\",\"givenName\":\"b\",\"id\":\"2\",\"nodeKey\":\"" KEY_B
    "\",\"user\":null}]}",
    NULL, "node-a (alice) #1 welcome; b #2 expired" },
  { "/device-list/headscale-tags-until-0.27",
    "{\"nodes\":[{\"givenName\":\"a\",\"id\":\"1\",\"forcedTags\":[\"tag:one\"],"
    "\"validTags\":[\"tag:two\"],\"invalidTags\":[\"tag:three\"],\"nodeKey\":\"" KEY_A
    "\"},{\"givenName\":\"b\",\"id\":\"2\",\"forcedTags\":[],\"validTags\":[],"
    "\"invalidTags\":[\"tag:two\"],\"nodeKey\":\"" KEY_B "\"}]}",
    "tag:two", "a (tag:one, tag:two) #1 welcome; b #2 untagged" },
  { "/device-list/headscale-tags-from-0.28",
    "{\"nodes\":[{\"givenName\":\"a\",\"id\":\"1\",\"tags\":[\"tag:one\"],\"nodeKey\":\"" KEY_A
    "\",\"user\":{\"id\":\"2147455555\",\"name\":\"tagged-devices\"}}]}",
    "tag:one", "a (tag:one) #1 welcome" },
  { "/device-list/headscale-user-of-oidc",
    "{\"nodes\":[{\"givenName\":\"a\",\"id\":\"1\",\"expiry\":\"0001-01-01T00:00:00Z\",\"nodeKey\":"
    "\"" KEY_A "\",\"user\":{\"name\":\"anna\",\"email\":\"anna@example.com\"}}]}",
    NULL, "a (anna@example.com) #1 welcome" },
  { "/device-list/empty", "{\"devices\":[]}", NULL, "" },
  { "/device-list/empty-of-headscale", " { \"nodes\" : [ ] } ", NULL, "" },
  { "/device-list/other-members", "{\"a\":[1,{\"devices\":[2]}],\"devices\":[],\"b\":\"]\"}", NULL,
    "" },
  { "/device-list/one-key-twice",
    "{\"devices\":[{\"authorized\":false,\"name\":\"a\",\"nodeKey\":\"" KEY_A
    "\"},{\"authorized\":true,\"name\":\"b\",\"nodeKey\":\"" KEY_A "\"}]}",
    NULL, "b # welcome" },
  { "/device-list/entries-that-are-none",
    "{\"devices\":[7,{\"name\":\"no key\"},{\"nodeKey\":\"" KEY_A "\"},{\"nodeKey\":\"" KEY_B
    "\",\"id\":\"1\"}]}",
    NULL, " # welcome;  #1 welcome -2" },
  { "/device-list/odd-keys",
    "{\"devices\":[{\"nodeKey\":\"nodekey:00\"},{\"nodeKey\":\"" KEY_A "a\"},{\"nodeKey\":\"" KEY_A
    "\"},{\"nodeKey\":\"" KEY_B "\"}]}",
    NULL, " # welcome;  # welcome -2" },
  { "/device-list/authorized-is-a-word",
    "{\"devices\":[{\"authorized\":\"yes\",\"nodeKey\":\"" KEY_A
    "\"},{\"name\":\"b\",\"nodeKey\":\"" KEY_B "\"}]}",
    NULL, "b # welcome -1" },
  { "/device-list/time-that-is-none",
    "{\"devices\":[{\"expires\":\"soon\",\"nodeKey\":\"" KEY_A
    "\"},{\"name\":\"b\",\"nodeKey\":\"" KEY_B "\"}]}",
    NULL, "b # welcome -1" },
  { "/device-list/tags-is-a-string",
    "{\"devices\":[{\"tags\":\"tag:a\",\"nodeKey\":\"" KEY_A
    "\"},{\"name\":\"b\",\"nodeKey\":\"" KEY_B "\"}]}",
    NULL, "b # welcome -1" },
  { "/device-list/tag-with-a-comma",
    "{\"devices\":[{\"tags\":[\"tag:a,tag:web\"],\"name\":\"a\",\"nodeKey\":\"" KEY_A "\"}]}",
    "web", "a # untagged" },
  { "/device-list/brackets-in-texts",
    "{\"devices\":[{\"name\":\"a\\\\\",\"user\":\"}]\\\"{[,\",\"nodeKey\":\"" KEY_A
    "\"},{\"name\":\"b\",\"nodeKey\":\"" KEY_B "\"}]}",
    NULL, "a\\ (}]\"{[,) # welcome; b # welcome" },
  { "/device-list/hardly-any-can-be-read",
    "{\"devices\":[{\"nodeKey\":1},{\"nodeKey\":2},{\"nodeKey\":\"" KEY_A "\"}]}", NULL,
    "error 2 of its entries cannot be read" },
  { "/device-list/no-text", "", NULL, "error it is not JSON" },
  { "/device-list/page-of-a-portal", "<html>Welcome</html>", NULL, "error it is not JSON" },
  { "/device-list/half", "{\"devices\":[{\"nodeKey\":", NULL, "error it is not JSON" },
  { "/device-list/array", "[]", NULL, "error not an object" },
  { "/device-list/null", "null", NULL, "error not an object" },
  { "/device-list/no-list", "{\"message\":\"hello\"}", NULL, "error neither \"devices\" nor" },
  { "/device-list/list-is-null", "{\"devices\":null}", NULL, "error \"devices\" is not an array" },
  { "/device-list/list-is-an-object", "{\"nodes\":{}}", NULL, "error \"nodes\" is not an array" },
  { "/device-list/list-is-there-twice", "{\"devices\":[],\"nodes\":[]}", NULL,
    "error \"nodes\" is there twice" },
  { "/device-list/one-page", "{\"devices\":[],\"nextPageToken\":\"abc\"}", NULL,
    "error one page of a list" },
  { "/device-list/last-page", "{\"devices\":[],\"nextPageToken\":\"\",\"cursor\":null}", NULL, "" },
};

static void
test_case (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  const char *tags[] = { cases[i].tag, NULL };
  g_autofree char *found = describe (cases[i].text, tags);

  if (g_str_has_prefix (cases[i].expect, "error "))
    {
      g_test_message ("%s", found);
      g_assert_true (g_str_has_prefix (found, "error "));
      g_assert_nonnull (strstr (found, cases[i].expect + strlen ("error ")));
    }
  else
    g_assert_cmpstr (found, ==, cases[i].expect);
}

/* Each beginning of a list lies in a block of exactly its size. */
static void
test_prefixes (void)
{
  const char *whole = cases[0].text;

  for (gsize len = 0; len < strlen (whole); len++)
    {
      g_autofree char *copy = len > 0 ? g_memdup2 (whole, len) : g_malloc (1);
      g_autoptr (GError) error = NULL;
      guint n_skipped;

      g_assert_null (device_list_parse (copy, len, NULL, &n_skipped, &error));
      g_assert_nonnull (error);
    }
}

static void
test_long_texts_are_cut (void)
{
  g_autofree char *name = g_strnfill (300, 'n');
  /* Two bytes each, so that the cut falls into one of them. */
  g_autoptr (GString) owner = g_string_new (NULL);
  g_autofree char *text = NULL;
  g_autoptr (DeviceTable) table = NULL;
  guint n_skipped;

  for (guint i = 0; i < 200; i++)
    g_string_append (owner, "ä");
  text = g_strdup_printf ("{\"devices\":[{\"name\":\"%s\",\"user\":\"%s\",\"nodeKey\":\"%s\"}]}",
                          name, owner->str, KEY_A);
  table = device_list_parse (text, strlen (text), NULL, &n_skipped, NULL);
  g_assert_cmpuint (strlen (device_table_at (table, 0)->name), ==, 255);
  g_assert_cmpuint (strlen (device_table_at (table, 0)->owner), ==, 254);
}

static DeviceTable *
parse (const char *text)
{
  guint n_skipped;
  DeviceTable *table = device_list_parse (text, strlen (text), NULL, &n_skipped, NULL);

  g_assert_nonnull (table);
  return table;
}

/* @n devices from number @first on; the key of each is its number and @key_shift. */
static DeviceTable *
make_table (guint first, guint n, guint key_shift)
{
  g_autoptr (GString) text = g_string_new ("{\"devices\":[");

  for (guint i = first; i < first + n; i++)
    g_string_append_printf (
        text, "%s{\"id\":\"%u\",\"name\":\"d%u\",\"user\":\"u\",\"nodeKey\":\"nodekey:%064x\"}",
        i > first ? "," : "", i, i, i + key_shift);
  g_string_append_printf (text, "]}");
  return parse (text->str);
}

/* @n devices with all that Tailscale's API says of one, some 0.8 KiB each. */
static GString *
write_large_list (guint n, guint key_shift)
{
  GString *text = g_string_new ("{\"devices\":[");

  for (guint i = 0; i < n; i++)
    {
      char node_key[2 * DETOUR_KEY_SIZE + 1];

      /* Spread as real keys are. */
      for (guint j = 0; j < 2 * DETOUR_KEY_SIZE; j += 8)
        g_snprintf (node_key + j, 9, "%08x", (i + key_shift + j) * 2654435761u);
      g_string_append_printf (
          text,
          "%s{\"addresses\":[\"100.64.%u.%u\",\"fd7a:115c:a1e0::%x\"],\"authorized\":true,"
          "\"blocksIncomingConnections\":false,\"clientVersion\":\"1.104.7-t60b671955\","
          "\"connectedToControl\":true,\"created\":\"2026-03-05T17:10:27Z\","
          "\"expires\":\"2099-09-01T17:10:27Z\",\"hostname\":\"host%u\",\"id\":\"%u\","
          "\"isEphemeral\":false,\"isExternal\":false,\"keyExpiryDisabled\":false,"
          "\"lastSeen\":\"2026-11-05T17:10:27Z\",\"machineKey\":\"mkey:%s\","
          "\"name\":\"host%u.tail1234.ts.net\",\"nodeId\":\"n%uCNTRL\",\"nodeKey\":\"nodekey:%s\","
          "\"os\":\"linux\",\"tags\":[\"tag:server\",\"tag:prod\"],\"tailnetLockError\":\"\","
          "\"tailnetLockKey\":\"nlpub:%s\",\"updateAvailable\":false,\"user\":\"anna@example."
          "com\"}",
          i > 0 ? "," : "", i >> 8 & 0xff, i & 0xff, i, i, i, node_key, i, i, node_key, node_key);
    }
  g_string_append (text, "]}");
  return text;
}

static int
thread_time_us (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return (int) (time.tv_sec * 1000000 + time.tv_nsec / 1000);
}

/* What looks at each allocation takes long for many. */
#ifdef __SANITIZE_ADDRESS__
#define N_MANY 300u
#else
#define N_MANY 10000u
#endif

/* Processor time and memory of a large tailnet; doc/performance.md has the figures. */
static void
test_many_devices (void)
{
  GString *text = write_large_list (N_MANY, 0);
  GString *moved_text = write_large_list (N_MANY, 1);
  g_autoptr (DeviceTable) table = NULL;
  g_autoptr (DeviceTable) moved = NULL;
  guint n_skipped, n_found = 0;
  DeviceChange change;
  int start_us = thread_time_us ();

  table = device_list_parse (text->str, text->len, NULL, &n_skipped, NULL);
  g_test_message ("%u KiB were read in %d us", (guint) (text->len / 1024),
                  thread_time_us () - start_us);
  g_assert_nonnull (table);
  g_assert_cmpuint (n_skipped, ==, 0);
  g_assert_cmpuint (device_table_size (table), ==, N_MANY);
  g_test_message ("they take %u KiB", (guint) (device_table_memory (table) / 1024));
  g_assert_cmpuint (device_table_memory (table), <, N_MANY * 400);

  moved = device_list_parse (moved_text->str, moved_text->len, NULL, &n_skipped, NULL);
  start_us = thread_time_us ();
  device_table_compare (table, moved, &change);
  g_test_message ("compared with another list in %d us", thread_time_us () - start_us);
  /* Each device has the key that the next one had. */
  g_assert_cmpuint (change.altered, ==, N_MANY - 1);

  start_us = thread_time_us ();
  for (guint round = 0; round < 100; round++)
    for (guint i = 0; i < N_MANY; i++)
      n_found += device_table_find (table, device_table_at (moved, i)->key) != NULL;
  g_test_message ("%d ns to find a key", (thread_time_us () - start_us) * 10 / (int) N_MANY);
  g_assert_cmpuint (n_found, ==, 100 * (N_MANY - 1));
  g_string_free (text, TRUE);
  g_string_free (moved_text, TRUE);
}

static void
note_rekeyed (const guint8 *before, const guint8 *after, gpointer user)
{
  DeviceTable **tables = ((gpointer *) user)[0];
  const Device *old = device_table_find (tables[0], before);
  const Device *new = device_table_find (tables[1], after);

  g_assert_nonnull (old);
  g_assert_nonnull (new);
  g_assert_cmpstr (old->id, ==, new->id);
  g_assert_null (device_table_find (tables[1], before));
  ++*(guint *) ((gpointer *) user)[1];
}

static guint
count_rekeyed (DeviceTable *older, DeviceTable *newer)
{
  DeviceTable *tables[] = { older, newer };
  guint n = 0;

  device_table_each_rekeyed (older, newer, note_rekeyed, (gpointer[]) { tables, &n });
  return n;
}

static void
test_devices_with_another_key (void)
{
  g_autoptr (DeviceTable) older = make_table (1, 10, 0);
  g_autoptr (DeviceTable) more = make_table (1, 12, 0);
  g_autoptr (DeviceTable) moved = make_table (1, 10, 1000);
  g_autoptr (DeviceTable) three = make_table (8, 5, 1000);
  g_autoptr (DeviceTable) none = parse ("{\"devices\":[]}");

  g_assert_cmpuint (count_rekeyed (older, moved), ==, 10);
  g_assert_cmpuint (count_rekeyed (older, three), ==, 3);
  /* Devices that came or went are not meant. */
  g_assert_cmpuint (count_rekeyed (older, more), ==, 0);
  g_assert_cmpuint (count_rekeyed (more, older), ==, 0);
  g_assert_cmpuint (count_rekeyed (older, none), ==, 0);
}

static void
note_unwelcome (gpointer user, const guint8 *key)
{
  (*(guint *) user)++;
}

static guint
count_unwelcome (const DeviceTable *older, const DeviceTable *newer, const char *tag)
{
  const char *const tags[] = { tag, NULL };
  guint n = 0;

  device_table_each_unwelcome (older, newer, tags, 0, note_unwelcome, &n);
  return n;
}

static void
test_devices_that_are_not_welcome_any_more (void)
{
  g_autoptr (DeviceTable) older = make_table (1, 10, 0);
  g_autoptr (DeviceTable) six = make_table (5, 6, 0);
  g_autoptr (DeviceTable) moved = make_table (1, 10, 1000);
  g_autoptr (DeviceTable) none = parse ("{\"devices\":[]}");

  g_assert_cmpuint (count_unwelcome (older, older, NULL), ==, 0);
  g_assert_cmpuint (count_unwelcome (older, six, NULL), ==, 4);
  g_assert_cmpuint (count_unwelcome (older, moved, NULL), ==, 10);
  g_assert_cmpuint (count_unwelcome (older, none, NULL), ==, 10);
  g_assert_cmpuint (count_unwelcome (none, older, NULL), ==, 0);
  g_assert_cmpuint (count_unwelcome (older, older, "tag:nobody-has-it"), ==, 10);
}

static void
test_what_a_newer_list_changes (void)
{
  g_autoptr (DeviceTable) older = make_table (1, 10, 0);
  g_autoptr (DeviceTable) same = make_table (1, 10, 0);
  g_autoptr (DeviceTable) more = make_table (1, 12, 0);
  g_autoptr (DeviceTable) moved = make_table (1, 10, 1000);
  g_autoptr (DeviceTable) six = make_table (5, 6, 0);
  g_autoptr (DeviceTable) four = make_table (7, 4, 0);
  g_autoptr (DeviceTable) none = parse ("{\"devices\":[]}");
  g_autoptr (DeviceTable) two = make_table (1, 2, 0);
  DeviceChange change;

  device_table_compare (older, same, &change);
  g_assert_false (device_change_is_any (&change));
  device_table_compare (older, more, &change);
  g_assert_true (device_change_is_any (&change));
  g_assert_cmpuint (change.added, ==, 2);
  g_assert_false (device_change_is_doubtful (&change, 10));
  /* All log in anew: nobody is gone. */
  device_table_compare (older, moved, &change);
  g_assert_cmpuint (change.removed, ==, 10);
  g_assert_cmpuint (change.rekeyed, ==, 10);
  g_assert_false (device_change_is_doubtful (&change, 10));
  device_table_compare (older, six, &change);
  g_assert_cmpuint (change.removed, ==, 4);
  g_assert_false (device_change_is_doubtful (&change, 10));
  device_table_compare (older, four, &change);
  g_assert_true (device_change_is_doubtful (&change, 10));
  device_table_compare (older, none, &change);
  g_assert_true (device_change_is_doubtful (&change, 10));
  /* Of two devices both may well be gone. */
  device_table_compare (two, none, &change);
  g_assert_false (device_change_is_doubtful (&change, 2));
}

static void
test_altered_devices (void)
{
  static const char *const others[] = {
    "\"name\":\"b\",\"user\":\"u\",\"id\":\"1\"",
    "\"name\":\"a\",\"user\":\"v\",\"id\":\"1\"",
    "\"name\":\"a\",\"user\":\"u\",\"id\":\"2\"",
    "\"name\":\"a\",\"user\":\"u\",\"id\":\"1\",\"authorized\":false",
    "\"name\":\"a\",\"user\":\"u\",\"id\":\"1\",\"tags\":[\"tag:x\"]",
    "\"name\":\"a\",\"user\":\"u\",\"id\":\"1\",\"expires\":\"2030-01-01T00:00:00Z\"",
  };
  g_autoptr (DeviceTable) first = parse (
      "{\"devices\":[{\"name\":\"a\",\"user\":\"u\",\"id\":\"1\",\"nodeKey\":\"" KEY_A "\"}]}");
  DeviceChange change;

  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"devices\":[{%s,\"nodeKey\":\"" KEY_A "\"}]}",
                                               others[i]);
      g_autoptr (DeviceTable) other = parse (text);

      device_table_compare (first, other, &change);
      g_assert_cmpuint (change.altered, ==, 1);
      g_assert_cmpuint (change.added + change.removed, ==, 0);
    }
}

static void
test_next_expiry (void)
{
  g_autoptr (DeviceTable)
      table = parse ("{\"devices\":[{\"expires\":\"1970-01-01T00:01:00Z\",\"nodeKey\":\"" KEY_A
                     "\"},{\"expires\":\"1970-01-01T00:02:00Z\",\"nodeKey\":\"" KEY_B "\"}]}");

  g_assert_cmpint (device_table_next_expiry (table, 10), ==, 60);
  g_assert_cmpint (device_table_next_expiry (table, 60), ==, 120);
  g_assert_cmpint (device_table_next_expiry (table, 120), ==, G_MAXINT64);
}

static void
test_find_among_many (void)
{
  g_autoptr (DeviceTable) table = make_table (1, 1000, 0);

  for (guint i = 0; i <= 1001; i++)
    {
      guint8 key[DETOUR_KEY_SIZE] = { 0 };
      const Device *device;
      g_autofree char *id = g_strdup_printf ("%u", i);

      key[30] = (guint8) (i >> 8);
      key[31] = (guint8) i;
      device = device_table_find (table, key);
      if (i == 0 || i > 1000)
        g_assert_null (device);
      else
        g_assert_cmpstr (device->id, ==, id);
    }
}

/* A stop of the plugin waits for the thread that reads, so it does not read to the end. */
static void
test_cancelled (void)
{
  static const char text[] = "{\"devices\":[{},{}]}";
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  guint n_skipped;

  g_cancellable_cancel (cancellable);
  g_assert_null (device_list_parse (text, strlen (text), cancellable, &n_skipped, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (n_skipped, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, GUINT_TO_POINTER (i), test_case);
  g_test_add_func ("/device-list/prefixes", test_prefixes);
  g_test_add_func ("/device-list/long-texts-are-cut", test_long_texts_are_cut);
  g_test_add_func ("/device-table/many-devices", test_many_devices);
  g_test_add_func ("/device-table/devices-with-another-key", test_devices_with_another_key);
  g_test_add_func ("/device-table/not-welcome-any-more",
                   test_devices_that_are_not_welcome_any_more);
  g_test_add_func ("/device-table/what-a-newer-list-changes", test_what_a_newer_list_changes);
  g_test_add_func ("/device-table/altered", test_altered_devices);
  g_test_add_func ("/device-table/next-expiry", test_next_expiry);
  g_test_add_func ("/device-table/find-among-many", test_find_among_many);
  g_test_add_func ("/device-list/cancelled", test_cancelled);
  return g_test_run ();
}
