/* test-map.c: tests of what is found in a DERP map, and of the maps that are written.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-map.h"

#include <string.h>

#define PIN "sha256-raw:f48f7d3a76aa034e77501e14c3da33700a8799765c278ed5a850411966f24406"

/* Region 901 of one node that has more members. */
#define NODE(more)                                                                     \
  "{\"Regions\":{\"901\":{\"RegionID\":901,\"RegionCode\":\"a\",\"RegionName\":\"A\"," \
  "\"Nodes\":[{\"Name\":\"901a\",\"RegionID\":901,\"HostName\":\"a.example.com\"" more "}]}}}"
#define AT "Regions.901.Nodes[0]."

typedef struct {
  const char *name, *text;
  /* Findings in the order of their lines, each "E path" or "W path", separated by line feeds. */
  const char *findings;
} Case;

static const Case cases[] = {
  { "/map/good", NODE (""), "" },
  { "/map/good-with-all",
    NODE (",\"IPv4\":\"203.0.113.5\",\"IPv6\":\"none\",\"DERPPort\":8443,"
          "\"STUNPort\":-1,\"CanPort80\":true,\"CertName\":\"" PIN "\""),
    "" },
  { "/map/names-in-any-case", "{\"REGIONS\":{\"1\":null}, \"OmitDefaultRegions\":true}",
    "W REGIONS.1" },
  { "/map/nothing", "{}", "E " },
  { "/map/no-object", "{\"Regions\":[]}", "E Regions" },
  { "/map/port-too-big", NODE (",\"DERPPort\":65536"), "E " AT "DERPPort" },
  { "/map/port-negative", NODE (",\"DERPPort\":-1"), "E " AT "DERPPort" },
  { "/map/port-is-text", NODE (",\"DERPPort\":\"443\""), "E " AT "DERPPort" },
  { "/map/port-with-point", NODE (",\"DERPPort\":443.0"), "E " AT "DERPPort" },
  { "/map/stun-port-too-big", NODE (",\"STUNPort\":70000"), "E " AT "STUNPort" },
  { "/map/stun-port-odd", NODE (",\"STUNPort\":-2"), "W " AT "STUNPort" },
  { "/map/stun-only-without-stun", NODE (",\"STUNOnly\":true,\"STUNPort\":-1"),
    "E " AT "STUNOnly\nW Regions.901.Nodes" },
  { "/map/scheme-in-host", NODE (",\"HostName\":\"https://a.example.com\""),
    "E " AT "HostName\nE " AT "HostName" },
  { "/map/ipv4-no-address", NODE (",\"IPv4\":\"203.0.113\""), "E " AT "IPv4" },
  { "/map/ipv4-of-the-other-family", NODE (",\"IPv4\":\"2001:db8::5\""), "E " AT "IPv4" },
  { "/map/ipv4-private", NODE (",\"IPv4\":\"192.168.1.5\""), "W " AT "IPv4" },
  { "/map/both-families-off", NODE (",\"IPv4\":\"none\",\"IPv6\":\"none\""), "E " AT "IPv4" },
  { "/map/port80-without-ipv4", NODE (",\"IPv4\":\"none\",\"CanPort80\":true"),
    "E " AT "CanPort80" },
  { "/map/port80-by-dns", NODE (",\"CanPort80\":true"), "W " AT "CanPort80" },
  { "/map/pin-in-upper-case",
    NODE (",\"CertName\":\"sha256-raw:"
          "F48F7D3A76AA034E77501E14C3DA33700A8799765C278ED5A850411966F24406\""),
    "E " AT "CertName" },
  { "/map/pin-too-short", NODE (",\"CertName\":\"sha256-raw:f48f\""), "E " AT "CertName" },
  { "/map/pin-of-another-kind", NODE (",\"CertName\":\"sha256:f48f\""), "E " AT "CertName" },
  { "/map/certificate-of-another-name", NODE (",\"CertName\":\"front.example.com\""), "" },
  { "/map/insecure", NODE (",\"InsecureForTests\":true"), "W " AT "InsecureForTests" },
  { "/map/unknown-key", NODE (",\"Colour\":1"), "W " AT "Colour" },
  { "/map/misspelt-key", NODE (",\"DERPPorts\":1"), "E " AT "DERPPorts" },
  { "/map/ids-differ",
    "{\"Regions\":{\"901\":{\"RegionID\":902,\"RegionCode\":\"a\",\"RegionName\":\"A\",\"Nodes\":[{"
    "\"Name\":\"x\",\"RegionID\":903,\"HostName\":\"a\"}]}}}",
    "E Regions.901.RegionID\nE Regions.901.Nodes[0].RegionID" },
  { "/map/ids-missing",
    "{\"Regions\":{\"901\":{\"RegionCode\":\"a\",\"RegionName\":\"A\",\"Nodes\":[{"
    "\"Name\":\"x\",\"HostName\":\"a\"}]}}}",
    "E Regions.901.RegionID\nE Regions.901.Nodes[0].RegionID" },
  { "/map/number-of-tailscale",
    "{\"Regions\":{\"1\":{\"RegionID\":1,\"RegionCode\":\"a\",\"RegionName\":\"A\",\"Nodes\":[{"
    "\"Name\":\"x\",\"RegionID\":1,\"HostName\":\"a\"}]}}}",
    "W Regions.1" },
  { "/map/number-too-big",
    "{\"Regions\":{\"65536\":{\"RegionID\":65536,\"RegionCode\":\"a\",\"RegionName\":\"A\","
    "\"Nodes\":[{\"Name\":\"x\",\"RegionID\":65536,\"HostName\":\"a\"}]}}}",
    "E Regions.65536" },
  { "/map/key-is-no-number", "{\"Regions\":{\"own\":{}}}", "E Regions.own" },
  { "/map/no-nodes",
    "{\"Regions\":{\"901\":{\"RegionID\":901,\"RegionCode\":\"a\",\"RegionName\":\"A\"}}}",
    "E Regions.901.Nodes" },
  { "/map/null-in-a-plain-map", "{\"Regions\":{\"1\":null}}", "W Regions.1" },
  { "/map/null-in-a-policy", "{\"derpMap\":{\"Regions\":{\"1\":null}},\"acls\":[]}", "" },
  { "/map/same-code-and-name",
    "{\"Regions\":{\n"
    "\"901\":{\"RegionID\":901,\"RegionCode\":\"a\",\"RegionName\":\"A\",\"Nodes\":[{\"Name\":"
    "\"x\","
    "\"RegionID\":901,\"HostName\":\"a\"}]},\n"
    "\"902\":{\"RegionID\":902,\"RegionCode\":\"a\",\"RegionName\":\"B\",\"Nodes\":[{\"Name\":"
    "\"x\","
    "\"RegionID\":902,\"HostName\":\"b\"}]}}}",
    "E Regions.902.RegionCode\nE Regions.902.Nodes[0].Name" },
  { "/map/region-twice", "{\"Regions\":{\"1\":null,\"1\":null}}",
    "E Regions.1\nW Regions.1\nW Regions.1" },
  { "/map/comments-in-a-policy",
    "// ours\n{\"derpMap\": {\"Regions\": {\"1\": null,},}, /* more */ \"acls\": [],}", "" },
  { "/map/member-with-a-comment-at-its-end", "\"derpMap\": {\"Regions\": {\"1\": null}} // ours",
    "" },
  { "/map/comments-in-a-map", "{\"Regions\": {\"1\": null,}}", "W \nW Regions.1" },
  { "/map/score", "{\"HomeParams\":{\"RegionScore\":{\"901\":0,\"x\":1}},\"Regions\":{\"1\":null}}",
    "W HomeParams.RegionScore.901\nE HomeParams.RegionScore.x\nW Regions.1" },
  { "/map/yaml",
    "regions:\n  900:\n    regionid: 900\n    regioncode: 12\n    regionname: Own # mine\n"
    "    latitude: 48.5\n    nodes:\n    - name: 900a\n      regionid: 900\n"
    "      hostname: a.example.com\n      stunport: 0\n",
    "" },
  { "/map/yaml-spelt-as-json", "Regions:\n  900: null\n", "E Regions\nW Regions.900" },
  { "/map/yaml-quoted-number", "regions:\n  \"900\": null\n", "E regions.900\nW regions.900" },
  { "/map/yaml-path-of-what-is-missing",
    "regions:\n  900:\n    regionid: 900\n    regioncode: a\n    regionname: A\n    nodes:\n"
    "    - name: 900a\n      regionid: 900\n",
    "E regions.900.nodes[0].hostname" },
};

static DetourctlMap *
read_map (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlDocument) document = detourctl_document_parse (text, strlen (text), &error);
  DetourctlMap *map;

  g_assert_no_error (error);
  map = detourctl_map_read (document);
  detourctl_map_check (map);
  return map;
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (DetourctlMap) map = read_map (c->text);
  g_autoptr (GString) found = g_string_new (NULL);

  for (guint i = 0; i < map->findings->len; i++)
    {
      const DetourctlMapFinding *finding = map->findings->pdata[i];

      g_string_append_printf (found, "%s%c %s", i > 0 ? "\n" : "", finding->is_error ? 'E' : 'W',
                              finding->path);
    }
  g_assert_cmpstr (found->str, ==, c->findings);
}

static void
test_lines (void)
{
  g_autoptr (DetourctlMap) map = read_map ("{\"Regions\": {\n\n  \"x\": 1\n}}");
  const DetourctlMapFinding *finding = map->findings->pdata[0];

  g_assert_cmpuint (finding->line, ==, 3);
  g_assert_cmpstr (finding->path, ==, "Regions.x");
}

static void
test_syntax (void)
{
  static const struct {
    const char *text, *message;
  } bad[] = {
    { "{\"Regions\": {\n}", "2: not JSON: *" },
    { "{\"a\": 1} x", "1: not JSON: text behind the value" },
    { "/* no end", "1: not JSON: *" },
    { "regions: [\n", "2: *" },
    { "regions: *nothing\n", "1: *" },
    { "", "1: *" },
    { "a: &a [*a]\n", "1: *" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (detourctl_document_parse (bad[i].text, strlen (bad[i].text), &error));
      g_assert_error (error, DETOURCTL_DOCUMENT_ERROR, 0);
      if (!g_pattern_match_simple (bad[i].message, error->message))
        g_error ("%s", error->message);
    }
}

/* Aliases that would become a thousand million values. */
static void
test_billion (void)
{
  g_autoptr (GString) text = g_string_new ("a0: &a0 [x]\n");
  g_autoptr (GError) error = NULL;

  for (guint i = 1; i < 10; i++)
    g_string_append_printf (text, "a%u: &a%u [*a%u,*a%u,*a%u,*a%u,*a%u,*a%u,*a%u,*a%u]\n", i, i,
                            i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
  g_assert_null (detourctl_document_parse (text->str, text->len, &error));
  g_assert_error (error, DETOURCTL_DOCUMENT_ERROR, 0);
}

/* Few values, of which each is long. */
static void
test_long_aliases (void)
{
  g_autofree char *word = g_strnfill (1u << 20, 'x');
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  g_string_printf (text, "a: &a %s\nb: [*a, *a, *a, *a, *a]\n", word);
  g_assert_null (detourctl_document_parse (text->str, text->len, &error));
  g_assert_error (error, DETOURCTL_DOCUMENT_ERROR, 0);
}

static void
test_depth (void)
{
  g_autofree char *json = g_strnfill (1000, '[');
  g_autofree char *object = g_strconcat ("{\"a\":", json, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (detourctl_document_parse (object, strlen (object), &error));
  g_clear_error (&error);
  g_assert_null (detourctl_document_parse (json, strlen (json), &error));
}

/* What is written in each form is read as the same map. */
static void
test_forms (void)
{
  g_autoptr (DetourctlMap) map = read_map (NODE (
      ",\"IPv4\":\"203.0.113.5\",\"STUNPort\":-1,\"CertName\":\"" PIN "\",\"CanPort80\":true"));
  g_autofree char *json = detourctl_map_format (map, DETOURCTL_REGION_JSON);
  g_autofree char *yaml = detourctl_map_format (map, DETOURCTL_REGION_HEADSCALE);
  g_autofree char *member = detourctl_map_format (map, DETOURCTL_REGION_TAILSCALE);
  g_autofree char *policy = g_strdup_printf ("{%s}", member);
  const char *texts[] = { json, yaml, policy };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (DetourctlMap) again = read_map (texts[i]);
      g_autofree char *written = detourctl_map_format (again, DETOURCTL_REGION_JSON);

      g_assert_cmpuint (again->findings->len, ==, 0);
      g_assert_cmpstr (written, ==, json);
    }
}

/* Characters that YAML takes for no text when they stand as they are. */
static void
test_control_characters (void)
{
  g_autoptr (DetourctlMap) map = read_map ("{\"Regions\":{\"901\":{\"RegionID\":901,"
                                           "\"RegionCode\":\"a\xc2\x8d\\ufffe\\u0085\","
                                           "\"RegionName\":\"\\u007f\",\"Nodes\":[]}}}");
  g_autofree char *yaml = detourctl_map_format (map, DETOURCTL_REGION_HEADSCALE);
  g_autoptr (DetourctlMap) again = read_map (yaml);

  g_assert_cmpuint (detourctl_map_count (map, TRUE), ==, 3); /* of code, name and nodes */
  g_assert_cmpstr (((const DetourctlMapRegion *) again->regions->pdata[0])->code, ==,
                   "a\xc2\x8d\xef\xbf\xbe\xc2\x85");
}

/* A node without a name still begins an entry of the list. */
static void
test_nameless (void)
{
  g_autoptr (DetourctlMap) map = read_map (NODE (",\"Name\":\"\""));
  g_autofree char *yaml = detourctl_map_format (map, DETOURCTL_REGION_HEADSCALE);
  g_autoptr (DetourctlMap) again = read_map (yaml);

  g_assert_cmpuint (again->regions->len, ==, 1);
  g_assert_cmpuint (((const DetourctlMapRegion *) again->regions->pdata[0])->nodes->len, ==, 1);
}

static void
test_merge (void)
{
  g_autoptr (DetourctlMap) one = read_map ("{\"Regions\":{\"902\":null,\"901\":null}}");
  g_autoptr (DetourctlMap) two = read_map (NODE (""));
  g_autofree char *expected = NULL;
  g_autofree char *written = NULL;

  detourctl_map_check_together (two, one, "one");
  g_assert_cmpuint (detourctl_map_count (two, FALSE), ==, 1);
  detourctl_map_merge (one, two);
  g_assert_cmpuint (one->regions->len, ==, 2);
  written = detourctl_map_format (one, DETOURCTL_REGION_JSON);
  expected = detourctl_map_format (two, DETOURCTL_REGION_JSON);
  g_assert_nonnull (strstr (written, "\"902\": null"));
  g_assert_nonnull (strstr (written, "\"HostName\": \"a.example.com\""));
}

/* Of regions with one number the last one stays, in one map and in several. */
static void
test_merge_the_same (void)
{
  g_autoptr (DetourctlMap) sum = detourctl_map_new ();
  g_autoptr (DetourctlMap) map = read_map ("{\"Regions\":{\"902\":{\"RegionCode\":\"a\"},"
                                           "\"901\":{\"RegionCode\":\"b\"},"
                                           "\"902\":{\"RegionCode\":\"c\"}}}");
  g_autoptr (DetourctlMap) later = read_map ("{\"Regions\":{\"901\":{\"RegionCode\":\"d\"}}}");
  const char *const codes[] = { "d", "c" };

  detourctl_map_merge (sum, map);
  detourctl_map_merge (sum, later);
  g_assert_cmpuint (sum->regions->len, ==, G_N_ELEMENTS (codes));
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      const DetourctlMapRegion *region = sum->regions->pdata[i];

      g_assert_cmpint (region->key, ==, 901 + i);
      g_assert_cmpstr (region->code, ==, codes[i]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].name, &cases[i], test_case);
  g_test_add_func ("/map/lines", test_lines);
  g_test_add_func ("/map/syntax", test_syntax);
  g_test_add_func ("/map/aliases-without-end", test_billion);
  g_test_add_func ("/map/long-aliases", test_long_aliases);
  g_test_add_func ("/map/depth", test_depth);
  g_test_add_func ("/map/forms", test_forms);
  g_test_add_func ("/map/control-characters", test_control_characters);
  g_test_add_func ("/map/node-without-name", test_nameless);
  g_test_add_func ("/map/merge", test_merge);
  g_test_add_func ("/map/merge-of-the-same-number", test_merge_the_same);
  return g_test_run ();
}
