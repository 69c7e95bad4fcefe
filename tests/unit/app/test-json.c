/* test-json.c: tests of the JSON that detourctl writes.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-json.h"

#include <json-glib/json-glib.h>
#include <string.h>

/* What @fill writes, checked by a parser of somebody else, and in one line without blanks. */
static char *
written (void (*fill) (DetourctlJson *json))
{
  GString *text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (GError) error = NULL;

  fill (json);
  detourctl_json_finish (json);
  g_assert_true (g_str_has_suffix (text->str, "\n"));
  json_parser_load_from_data (parser, text->str, -1, &error);
  g_assert_no_error (error);
  json_generator_set_root (generator, json_parser_get_root (parser));
  g_string_free (text, TRUE);
  return json_generator_to_data (generator, NULL);
}

static void
fill_nested (DetourctlJson *json)
{
  detourctl_json_begin_object (json, NULL);
  detourctl_json_begin_array (json, "empty");
  detourctl_json_end_array (json);
  detourctl_json_begin_array (json, "list");
  detourctl_json_number (json, NULL, 1);
  detourctl_json_begin_object (json, NULL);
  detourctl_json_flag (json, "flag", TRUE);
  detourctl_json_end_object (json);
  detourctl_json_end_array (json);
  detourctl_json_text (json, "nothing", NULL);
  detourctl_json_signed (json, "below", -7);
  detourctl_json_end_object (json);
}

static void
test_nesting (void)
{
  g_autofree char *text = written (fill_nested);

  g_assert_cmpstr (text, ==,
                   "{\"empty\":[],\"list\":[1,{\"flag\":true}],\"nothing\":null,\"below\":-7}");
}

static void
fill_text (DetourctlJson *json)
{
  detourctl_json_text (json, NULL, "a\"b\\c\n\x7f\302\205\342\200\250ü");
}

/* What nobody sees, beyond 16 bits in two escapes; what is seen stays. */
static void
test_hidden_characters_are_escaped (void)
{
  GString *text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);

  detourctl_json_text (json, NULL,
                       "a\xe2\x80\xae"
                       "b\xf3\xa0\x80\xa1"
                       "c\xf0\x9f\x9a\x80\xff");
  detourctl_json_finish (json);
  g_assert_cmpstr (text->str, ==, "\"a\\u202eb\\udb40\\udc21c\xf0\x9f\x9a\x80\xef\xbf\xbd\"\n");
  g_string_free (text, TRUE);
}

/* Whatever a peer wrote stays one text in one line, for YAML and JavaScript, too. */
static void
test_texts_are_escaped (void)
{
  GString *text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);

  fill_text (json);
  detourctl_json_finish (json);
  g_assert_cmpstr (text->str, ==, "\"a\\\"b\\\\c\\u000a\\u007f\\u0085\\u2028ü\"\n");
  g_string_free (text, TRUE);
}

static void
fill_times (DetourctlJson *json)
{
  detourctl_json_begin_array (json, NULL);
  detourctl_json_time (json, NULL, 0);
  detourctl_json_time (json, NULL, G_GUINT64_CONSTANT (1764030553000000));
  detourctl_json_end_array (json);
}

static void
test_times (void)
{
  g_autofree char *text = written (fill_times);

  g_assert_cmpstr (text, ==, "[null,\"2025-11-25T00:29:13Z\"]");
}

static void
fill_variant (DetourctlJson *json)
{
  static const char *const times[] = { "since", NULL };
  g_autoptr (GVariant) value = g_variant_parse (
      NULL,
      "{'key': <'k'>, 'since': <@t 1764030553000000>, 'n': <@t 18446744073709551615>,"
      " 'names': <['a', 'b']>, 'on': <false>}",
      NULL, NULL, NULL);

  detourctl_json_variant (json, NULL, value, times);
}

static void
test_values_of_dbus (void)
{
  GString *text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);

  fill_variant (json);
  detourctl_json_finish (json);
  g_assert_nonnull (strstr (text->str, "\"since\": \"2025-11-25T00:29:13Z\""));
  g_assert_nonnull (strstr (text->str, "\"n\": 18446744073709551615"));
  g_assert_nonnull (strstr (text->str, "\"on\": false"));
  g_string_free (text, TRUE);
}

static void
fill_properties (DetourctlJson *json)
{
  g_autoptr (GVariant) value = g_variant_parse (
      NULL, "{'StartTime': <@t 1764030553000000>, 'PacketsReceived': <@t 3>, 'Derp': <true>}", NULL,
      NULL, NULL);

  detourctl_json_begin_object (json, NULL);
  detourctl_json_properties (json, value);
  detourctl_json_end_object (json);
}

static void
fill_odd (DetourctlJson *json)
{
  g_autoptr (GVariant) value = g_variant_parse (NULL,
                                                "{'StartTime': <'yesterday'>, 'Since': <1.5>,"
                                                " 'Load': <nan>, 'Peak': <inf>, 'Derp': <true>}",
                                                NULL, NULL, NULL);

  g_assert_nonnull (value);
  detourctl_json_begin_object (json, NULL);
  detourctl_json_properties (json, value);
  detourctl_json_end_object (json);
}

/* Times of another type are left out, and JSON has no number for these. */
static void
test_properties_of_other_types (void)
{
  g_autofree char *text = written (fill_odd);

  g_assert_cmpstr (text, ==, "{\"load\":null,\"peak\":null,\"derp\":true}");
}

static void
fill_deep (DetourctlJson *json)
{
  GVariant *inner = g_variant_new_string ("x");
  g_autoptr (GVariant) value = NULL;

  for (guint i = 0; i < 60; i++)
    inner = g_variant_new_array (NULL, &inner, 1);
  value = g_variant_ref_sink (inner);
  detourctl_json_variant (json, NULL, value, NULL);
}

static void
test_nested_too_deep (void)
{
  g_autofree char *text = written (fill_deep);

  g_assert_nonnull (strstr (text, "[[null]]"));
}

static void
test_names_of_properties (void)
{
  g_autofree char *text = written (fill_properties);

  g_assert_nonnull (strstr (text, "\"packets_received\":3"));
  g_assert_nonnull (strstr (text, "\"start_time\":\"2025-11-25T00:29:13Z\""));
  g_assert_nonnull (strstr (text, "\"derp\":true"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/nesting", test_nesting);
  g_test_add_func ("/json/texts-are-escaped", test_texts_are_escaped);
  g_test_add_func ("/json/hidden-characters-are-escaped", test_hidden_characters_are_escaped);
  g_test_add_func ("/json/times", test_times);
  g_test_add_func ("/json/values-of-dbus", test_values_of_dbus);
  g_test_add_func ("/json/properties-of-other-types", test_properties_of_other_types);
  g_test_add_func ("/json/nested-too-deep", test_nested_too_deep);
  g_test_add_func ("/json/names-of-properties", test_names_of_properties);
  return g_test_run ();
}
