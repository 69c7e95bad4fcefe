/* test-verdict-file.c: the text in which verdicts outlast the daemon, and what is hidden in it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <sodium.h>

#include "detour-verdict-file.h"

#define HEAD  "detour-verdicts 1 0123456789abcdef 1900000000\n"
#define PLACE "instance auth/a 00112233445566778899aabbccddeeff\n"
#define KEY   "ffeeddccbbaa99887766554433221100"
#define ROW   KEY " 1899999999 0 - -\n"
#define WHOLE HEAD PLACE ROW "end 1\n"

static DetourVerdictFile *
parse (const char *text, GError **error)
{
  return detour_verdict_file_parse (text, strlen (text), error);
}

static void
test_round_trip (void)
{
  static const char *const texts[] = {
    HEAD "end 0\n",
    HEAD PLACE "end 0\n",
    WHOLE,
    HEAD PLACE ROW KEY " 0 1900000001 00000000000000ff AZaz09-_\n"
                       "instance auth/b ffffffffffffffffffffffffffffffff\n" KEY " 1 0 - -\nend 3\n",
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DetourVerdictFile) file = parse (texts[i], &error);
      g_autoptr (GBytes) bytes = NULL;

      g_assert_no_error (error);
      bytes = detour_verdict_file_format (file);
      g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), texts[i],
                       strlen (texts[i]));
    }
}

static void
test_refused (void)
{
  static const struct {
    const char *text;
    int code;
  } cases[] = {
    { "", DETOUR_VERDICT_FILE_ERROR_FORM },
    { "\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { "detour-verdicts", DETOUR_VERDICT_FILE_ERROR_FORM },
    { "detour-verdicts 2 something else\n", DETOUR_VERDICT_FILE_ERROR_VERSION },
    { "detour-verdicts 1 0123456789abcde 1900000000\nend 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { "detour-verdicts 1 0123456789ABCDEF 1900000000\nend 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { "detour-verdicts 1 0123456789abcdef -1\nend 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { "detour-verdicts 1 0123456789abcdef 01\nend 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { "detour-verdicts 1 0123456789abcdef 253402300800\nend 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD, DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD "end 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD "end 0", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD "end 0\n\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD "\nend 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD ROW "end 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD "instance  00112233445566778899aabbccddeeff\nend 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD "instance auth/a 00\nend 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE ROW, DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE ROW "end 0\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE ROW "end 2\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE KEY " 1 0 -\nend 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE KEY " 1 0 - - -\nend 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE KEY " 1 0 00000000000000ff -\nend 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE KEY " 1 2 - -\nend 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE KEY " 1 2 0000000000000000 -\nend 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE KEY " 1 0 - a+b\nend 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE KEY " 1 0 - \nend 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
    { HEAD PLACE "xx 1 0 - -\nend 1\n", DETOUR_VERDICT_FILE_ERROR_FORM },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", cases[i].text);
      g_assert_null (parse (cases[i].text, &error));
      g_assert_error (error, DETOUR_VERDICT_FILE_ERROR, cases[i].code);
    }
  g_assert_null (detour_verdict_file_parse (WHOLE "\0", sizeof WHOLE, NULL));
}

/* A file that was cut off anywhere is not taken for a whole one. */
static void
test_cut_off (void)
{
  for (gsize n = 0; n < strlen (WHOLE); n++)
    {
      g_autofree char *text = g_memdup2 (WHOLE, n);

      g_assert_null (detour_verdict_file_parse (text, n, NULL));
    }
}

static GBytes *
format_rows (guint n, guint n_sections, gsize box)
{
  g_autoptr (DetourVerdictFile) file = detour_verdict_file_new ();
  g_autofree char *text = g_strnfill (box, 'x');
  g_autoptr (DetourVerdictRow)
      row = detour_verdict_row_new (&(DetourVerdictRow) { .allowed_s = 1, .box = text });

  for (guint i = 0; i < n_sections; i++)
    {
      g_autofree char *name = g_strdup_printf ("auth/a%u", i);
      const guint8 source[DETOUR_VERDICT_SEAL_NAME] = { 0 };
      DetourVerdictSection *section = detour_verdict_file_add (file, name, source);

      /* All but the first are the same one. */
      g_ptr_array_add (section->rows,
                       detour_verdict_row_new (&(DetourVerdictRow) { .allowed_s = 2 }));
      for (guint k = 1; k < n; k++)
        g_ptr_array_add (section->rows, detour_verdict_row_ref (row));
    }
  return detour_verdict_file_format (file);
}

/* However much there is, what is written is no more than what is read, and the first rows stay. */
static void
test_bounds (void)
{
  static const struct {
    guint n, n_sections;
    gsize box;
    guint expected; /* rows; 0: some, because there is no room for more */
  } cases[] = {
    { DETOUR_VERDICT_FILE_ROWS + 1, 1, 8, DETOUR_VERDICT_FILE_ROWS },
    { DETOUR_VERDICT_FILE_ROWS, 2, 8, DETOUR_VERDICT_FILE_ROWS },
    { 10000, 1, DETOUR_VERDICT_SEAL_BOX_MAX - 1, 0 },
    { 2, DETOUR_VERDICT_FILE_SECTIONS + 1, 8, 2 * DETOUR_VERDICT_FILE_SECTIONS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = format_rows (cases[i].n, cases[i].n_sections, cases[i].box);
      gsize len = 0;
      const char *text = g_bytes_get_data (bytes, &len);
      g_autofree char *copy = g_strndup (text, len);
      guint64 n;

      g_assert_cmpuint (len, <=, DETOUR_VERDICT_FILE_MAX);
      g_assert_true (g_ascii_string_to_unsigned (g_strchomp (strrchr (copy, 'e') + strlen ("end ")),
                                                 10, 1, DETOUR_VERDICT_FILE_ROWS, &n, NULL));
      if (cases[i].expected != 0)
        g_assert_cmpuint (n, ==, cases[i].expected);
      else
        g_assert_cmpuint (n, <, cases[i].n);
      g_assert_nonnull (strstr (copy, " 2 0 - "));
    }
}

/* Hidden --------------------------------------------------------------------------------------- */

static DetourVerdictSeal *
seal_new (guint8 byte)
{
  guint8 key[DETOUR_KEY_SIZE];

  memset (key, byte, sizeof key);
  return detour_verdict_seal_new (key);
}

static DetourKey
key_of (guint8 byte)
{
  DetourKey key;

  memset (key.bytes, byte, sizeof key.bytes);
  return key;
}

static void
test_boxes (void)
{
  static const struct {
    const char *label, *class_;
  } cases[] = {
    { "laptop (anna@example.com)", NULL },
    { NULL, "family" },
    { "J\xc3\xbcrgen", "guests" },
  };
  g_autoptr (DetourVerdictSeal) seal = seal_new (1);
  g_autoptr (DetourVerdictSeal) same = seal_new (1);
  g_autoptr (DetourVerdictSeal) other = seal_new (2);
  const DetourKey key = key_of (7), stranger = key_of (8);
  char *label = NULL, *class_ = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *box = detour_verdict_seal_close (seal, &key, cases[i].label,
                                                        cases[i].class_);

      g_assert_cmpuint (strlen (box), <, DETOUR_VERDICT_SEAL_BOX_MAX);
      g_assert_true (detour_verdict_seal_open (same, &key, box, &label, &class_));
      g_assert_cmpstr (label, ==, cases[i].label);
      g_assert_cmpstr (class_, ==, cases[i].class_);
      g_clear_pointer (&label, g_free);
      g_clear_pointer (&class_, g_free);
      g_assert_false (detour_verdict_seal_open (seal, &stranger, box, &label, &class_));
      g_assert_false (detour_verdict_seal_open (other, &key, box, &label, &class_));
      box[10] = box[10] == 'x' ? 'y' : 'x';
      g_assert_false (detour_verdict_seal_open (seal, &key, box, &label, &class_));
    }
  g_assert_null (detour_verdict_seal_close (seal, &key, NULL, NULL));
  g_assert_true (detour_verdict_seal_open (seal, &key, NULL, &label, &class_));
  g_assert_false (detour_verdict_seal_open (seal, &key, "", &label, &class_));
  g_assert_false (detour_verdict_seal_open (seal, &key, "AAAA", &label, &class_));
}

static void
test_names (void)
{
  g_autoptr (DetourVerdictSeal) seal = seal_new (1);
  g_autoptr (DetourVerdictSeal) same = seal_new (1);
  g_autoptr (DetourVerdictSeal) other = seal_new (2);
  const DetourKey key = key_of (7);
  guint8 one[DETOUR_VERDICT_SEAL_NAME], two[DETOUR_VERDICT_SEAL_NAME];

  detour_verdict_seal_name_key (seal, &key, one);
  detour_verdict_seal_name_key (same, &key, two);
  g_assert_cmpmem (one, sizeof one, two, sizeof two);
  g_assert_true (memcmp (one, key.bytes, sizeof one) != 0);
  detour_verdict_seal_name_key (other, &key, two);
  g_assert_true (memcmp (one, two, sizeof one) != 0);
  g_assert_cmpmem (detour_verdict_seal_check (seal), DETOUR_VERDICT_SEAL_CHECK,
                   detour_verdict_seal_check (same), DETOUR_VERDICT_SEAL_CHECK);
  g_assert_true (memcmp (detour_verdict_seal_check (seal), detour_verdict_seal_check (other),
                         DETOUR_VERDICT_SEAL_CHECK)
                 != 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (sodium_init (), >=, 0);
  g_test_add_func ("/verdict-file/round-trip", test_round_trip);
  g_test_add_func ("/verdict-file/refused", test_refused);
  g_test_add_func ("/verdict-file/cut-off", test_cut_off);
  g_test_add_func ("/verdict-file/bounds", test_bounds);
  g_test_add_func ("/verdict-seal/boxes", test_boxes);
  g_test_add_func ("/verdict-seal/names", test_names);
  return g_test_run ();
}
