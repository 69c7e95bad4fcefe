/* test-region.c: tests of the entry of a DERP map.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-region.h"

#include <string.h>

#include "detourctl-json.h"

#define BUS "io.github.detourd.Detour1."
#define PIN "sha256-raw:f48f7d3a76aa034e77501e14c3da33700a8799765c278ed5a850411966f24406"

#define LISTENER(name, protocol, derp, secure, addresses)                       \
  "objectpath '/x/listener/" name "': {'" BUS "Listener': {'Instance': <'" name \
  "'>, 'Protocol': <'" protocol "'>, 'Derp': <" derp ">, 'Secure': <" secure    \
  ">, 'Addresses': <" addresses ">}}"
#define TLS(addresses)  LISTENER ("https", "tls", "true", "true", addresses)
#define STUN(addresses) LISTENER ("stun", "stun", "false", "false", addresses)
#define PORT80          LISTENER ("http", "http", "false", "false", "['[::]:80']")
#define PLUGIN(plugin, state)                                                                      \
  "objectpath '/x/plugin/p': {'" BUS "Plugin': {'Plugin': <'" plugin "'>, 'State': <'" state "'>}" \
  "}"
#define CERT(path, self_signed, names, pin)                                                   \
  "objectpath '/x/certificate/" path "': {'" BUS "Certificate': {'SelfSigned': <" self_signed \
  ">, 'Names': <" names ">, 'Pin': <'" pin "'>}}"

typedef struct {
  const char *name, *hostname, *ipv4, *ipv6, *objects;
  const char *node; /* without Name, RegionID and HostName */
  gboolean no_tls;
} Case;

static const Case cases[] = {
  { "/region/everything-as-clients-expect-it", "derp.example.com", NULL, NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," CERT ("c", "false", "['derp.example.com']",
                                                              PIN),
    "" },
  { "/region/other-ports", "derp.example.com", NULL, NULL,
    TLS ("['[::]:8443']") "," STUN ("['0.0.0.0:13478']"), "\"STUNPort\":13478,\"DERPPort\":8443" },
  { "/region/without-stun", "derp.example.com", NULL, NULL, TLS ("['[::]:443']"),
    "\"STUNPort\":-1" },
  { "/region/the-usual-port-is-preferred", "derp.example.com", NULL, NULL,
    TLS ("['0.0.0.0:8443', '[::]:443']") "," STUN ("['[::]:1', '[::]:3478']"), "" },
  { "/region/self-signed", "derp.example.com", NULL, NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," CERT ("c", "true", "['derp.example.com']",
                                                              PIN),
    "\"CertName\":\"" PIN "\"" },
  { "/region/the-certificate-for-the-name-counts", "derp.example.com", NULL, NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," CERT (
        "a", "true", "['other.example.com']", PIN) "," CERT ("b", "false", "['*.example.com']",
                                                             "sha256-raw:00"),
    "" },
  { "/region/the-hostname-is-an-address", "203.0.113.5", NULL, NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," CERT ("c", "true", "['203.0.113.5']", PIN),
    "\"CertName\":\"" PIN "\",\"IPv4\":\"203.0.113.5\"" },
  { "/region/the-hostname-is-an-ipv6-address", "2001:db8::5", "none", NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']"), "\"IPv4\":\"none\",\"IPv6\":\"2001:db8::5\"" },
  { "/region/addresses-that-are-given", "derp.example.com", "203.0.113.5", "2001:db8::5",
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']"),
    "\"IPv4\":\"203.0.113.5\",\"IPv6\":\"2001:db8::5\"" },
  { "/region/addresses-that-are-listened-on", "derp.example.com", NULL, NULL,
    TLS ("['203.0.113.5:443', '[2001:db8::5]:443', '203.0.113.6:443']") "," STUN ("['[::]:3478']"),
    "\"IPv4\":\"203.0.113.5\",\"IPv6\":\"2001:db8::5\"" },
  { "/region/addresses-that-are-given-win", "derp.example.com", "203.0.113.9", "none",
    TLS ("['203.0.113.5:443', '[2001:db8::5]:443']") "," STUN ("['[::]:3478']"),
    "\"IPv4\":\"203.0.113.9\",\"IPv6\":\"none\"" },
  { "/region/private-addresses-are-for-nobody", "derp.example.com", NULL, NULL,
    TLS ("['10.0.0.5:443', '100.64.0.1:443', '[fd00::5]:443', '[fe80::5]:443', "
         "'192.168.0.1:443']") "," STUN ("['[::]:3478']"),
    "" },
  { "/region/an-address-of-the-certificate-need-not-be-served", "203.0.113.5", NULL, NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," CERT (
        "c", "true", "['203.0.113.5', '2001:db8::5']", PIN),
    "\"CertName\":\"" PIN "\",\"IPv4\":\"203.0.113.5\"" },
  { "/region/stun-only", "derp.example.com", NULL, NULL,
    LISTENER ("https", "tls", "false", "true", "['[::]:443']") "," STUN (
        "['[::]:13478']") "," CERT ("c", "true", "['derp.example.com']", PIN),
    "\"STUNPort\":13478,\"STUNOnly\":true", TRUE },
  { "/region/some-other-listener-relays", "derp.example.com", NULL, NULL,
    LISTENER ("a", "tls", "false", "true", "['[::]:443']") "," LISTENER (
        "b", "http", "true", "false", "['127.0.0.1:8080']") "," STUN ("['[::]:3478']"),
    "", TRUE },
  { "/region/captive-portal-check", "derp.example.com", NULL, NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," PORT80
                                                    "," PLUGIN ("http-captive", "running"),
    "\"CanPort80\":true" },
  { "/region/no-captive-portal-check-without-the-plugin", "derp.example.com", NULL, NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," PORT80
                                                    "," PLUGIN ("http-captive", "stopped"),
    "" },
  { "/region/no-captive-portal-check-without-port-80", "derp.example.com", NULL, NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," PLUGIN ("http-captive", "running"), "" },
  { "/region/no-captive-portal-check-without-ipv4", "derp.example.com", "none", NULL,
    TLS ("['[::]:443']") "," STUN ("['[::]:3478']") "," PORT80
                                                    "," PLUGIN ("http-captive", "running"),
    "\"IPv4\":\"none\"" },
  { "/region/nothing-speaks-tls", "derp.example.com", NULL, NULL,
    LISTENER ("http", "http", "true", "false", "['unix:/run/detour/http']") "," CERT ("c", "true",
                                                                                      "['x']", PIN),
    "\"STUNPort\":-1", TRUE },
};

static char *
without_blanks (const char *text)
{
  GString *out = g_string_new (NULL);

  for (; *text != '\0'; text++)
    if (!g_ascii_isspace (*text))
      g_string_append_c (out, *text);
  return g_string_free (out, FALSE);
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *source = g_strconcat ("{", c->objects, "}", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      objects = g_variant_parse (G_VARIANT_TYPE ("a{oa{sa{sv}}}"), source, NULL, NULL, &error);
  DetourctlRegion region = {
    .id = 900,
    .code = "own",
    .name = "Own",
    .hostname = c->hostname,
    .ipv4 = c->ipv4,
    .ipv6 = c->ipv6,
  };
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = NULL;
  g_autofree char *plain = NULL;
  g_autofree char *expected = NULL;

  g_assert_no_error (error);
  g_assert_cmpint (detourctl_region_learn (&region, objects, texts), ==, !c->no_tls);
  text = detourctl_region_format (&region, DETOURCTL_REGION_JSON);
  plain = without_blanks (text);
  expected = g_strdup_printf (
      "{\"Regions\":{\"900\":{\"RegionID\":900,\"RegionCode\":\"own\",\"RegionName\":\"Own\","
      "\"Nodes\":[{\"Name\":\"900a\",\"RegionID\":900,\"HostName\":\"%s\"%s%s}]}}}",
      c->hostname, *c->node != '\0' ? "," : "", c->node);
  g_assert_cmpstr (plain, ==, expected);
}

/* A listener of its own for each certificate, as while a relay moves to a new pin. */
#define PIN2 "sha256-raw:00000000000000000000000000000000000000000000000000000000000000ff"
#define SHOWS(name, addresses, certificate)                                             \
  "objectpath '/x/listener/" name "': {'" BUS "Listener': {'Instance': <'" name         \
  "'>, 'Protocol': <'tls'>, 'Derp': <true>, 'Secure': <true>, 'Addresses': <" addresses \
  ">, 'Certificate': <'" certificate "'>}}"
#define CERT_OF(path, instance, self_signed, pin)                                         \
  "objectpath '/x/certificate/" path "': {'" BUS "Certificate': {'Instance': <'" instance \
  "'>, 'SelfSigned': <" self_signed ">, 'Names': <['relay.test']>, 'Pin': <'" pin "'>}}"

static void
test_certificates (void)
{
  static const struct {
    const char *name, *objects;
    const char *nodes; /* "ID PORT PIN", separated by commas; PORT 0 is the usual one */
  } rows[] = {
    { "two pins",
      SHOWS ("next", "['[::]:8443']", "cert/next") "," SHOWS (
          "https", "['[::]:443']", "cert/main") "," CERT_OF ("m", "cert/main", "true",
                                                             PIN) "," CERT_OF ("n", "cert/next",
                                                                               "true", PIN2),
      "900 0 " PIN ",901 8443 " PIN2 },
    { "no port is the usual one",
      SHOWS ("a", "['[::]:8443']", "cert/main") "," SHOWS (
          "b", "['[::]:8444']", "cert/next") "," CERT_OF ("m", "cert/main", "true",
                                                          PIN) "," CERT_OF ("n", "cert/next",
                                                                            "true", PIN2),
      "900 8443 " PIN ",901 8444 " PIN2 },
    { "from a pin to an authority",
      SHOWS ("a", "['[::]:443']", "cert/main") "," SHOWS (
          "b", "['[::]:8443']", "cert/next") "," CERT_OF ("m", "cert/main", "true",
                                                          PIN) "," CERT_OF ("n", "cert/next",
                                                                            "false", PIN2),
      "900 0 " PIN ",901 8443 -" },
    { "the same on two listeners",
      SHOWS ("a", "['[::]:8443']", "cert/main") "," SHOWS (
          "b", "['[::]:443']", "cert/main") "," CERT_OF ("m", "cert/main", "true", PIN),
      "900 0 " PIN },
    { "two of an authority",
      SHOWS ("a", "['[::]:443']", "cert/main") "," SHOWS (
          "b", "['[::]:8443']", "cert/next") "," CERT_OF ("m", "cert/main", "false",
                                                          PIN) "," CERT_OF ("n", "cert/next",
                                                                            "false", PIN2),
      "900 0 -" },
    { "one that is not there yet",
      SHOWS ("a", "['[::]:443']", "cert/main") "," SHOWS (
          "b", "['[::]:8443']", "cert/next") "," CERT_OF ("m", "cert/main", "true",
                                                          PIN) "," CERT_OF ("n", "cert/next",
                                                                            "false", ""),
      "900 0 " PIN },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *source = g_strconcat ("{", rows[i].objects, "}", NULL);
      g_autoptr (GVariant)
          objects = g_variant_parse (G_VARIANT_TYPE ("a{oa{sa{sv}}}"), source, NULL, NULL, NULL);
      g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
      DetourctlRegion region = {
        .id = 900, .code = "own", .name = "Own", .hostname = "relay.test"
      };
      g_autoptr (GString) found = g_string_new (NULL);

      g_test_message ("%s", rows[i].name);
      g_assert_nonnull (objects);
      g_assert_true (detourctl_region_learn (&region, objects, texts));
      for (const DetourctlRegion *one = &region; one != NULL; one = one->next)
        g_string_append_printf (found, "%s%u %u %s", found->len > 0 ? "," : "", (guint) one->id,
                                one->derp_port, one->cert_name != NULL ? one->cert_name : "-");
      g_assert_cmpstr (found->str, ==, rows[i].nodes);
    }
}

/* Codes and names differ, and both forms have all of them. */
static void
test_two_regions_written (void)
{
  const DetourctlRegion second = {
    .id = 901, .code = "own-2", .name = "Own (2)", .hostname = "relay.test"
  };
  const DetourctlRegion first = {
    .id = 900, .code = "own", .name = "Own", .hostname = "relay.test", .next = &second
  };
  g_autofree char *yaml = detourctl_region_format (&first, DETOURCTL_REGION_HEADSCALE);
  g_autofree char *json = detourctl_region_format (&first, DETOURCTL_REGION_JSON);
  g_autofree char *plain = without_blanks (json);

  g_assert_cmpstr (yaml, ==,
                   "regions:\n"
                   "  900:\n    regionid: 900\n    regioncode: \"own\"\n    regionname: \"Own\"\n"
                   "    nodes:\n      - name: \"900a\"\n        regionid: 900\n"
                   "        hostname: \"relay.test\"\n"
                   "  901:\n    regionid: 901\n    regioncode: \"own-2\"\n    regionname: \"Own "
                   "(2)\"\n"
                   "    nodes:\n      - name: \"901a\"\n        regionid: 901\n"
                   "        hostname: \"relay.test\"\n");
  g_assert_cmpstr (plain, ==,
                   "{\"Regions\":{\"900\":{\"RegionID\":900,\"RegionCode\":\"own\","
                   "\"RegionName\":\"Own\",\"Nodes\":[{\"Name\":\"900a\",\"RegionID\":900,"
                   "\"HostName\":\"relay.test\"}]},\"901\":{\"RegionID\":901,"
                   "\"RegionCode\":\"own-2\",\"RegionName\":\"Own(2)\",\"Nodes\":["
                   "{\"Name\":\"901a\",\"RegionID\":901,\"HostName\":\"relay.test\"}]}}}");
}

static void
test_headscale (void)
{
  DetourctlRegion region = {
    .id = 901,
    .code = "lab",
    .name = "The \"lab\": 1",
    .hostname = "derp.example.com",
    .ipv4 = "203.0.113.5",
    .cert_name = PIN,
    .derp_port = 8443,
    .stun_port = -1,
    .can_port80 = TRUE,
  };
  g_autofree char *text = detourctl_region_format (&region, DETOURCTL_REGION_HEADSCALE);

  g_assert_cmpstr (text, ==,
                   "regions:\n"
                   "  901:\n"
                   "    regionid: 901\n"
                   "    regioncode: \"lab\"\n"
                   "    regionname: \"The \\\"lab\\\": 1\"\n"
                   "    nodes:\n"
                   "      - name: \"901a\"\n"
                   "        regionid: 901\n"
                   "        hostname: \"derp.example.com\"\n"
                   "        certname: \"" PIN "\"\n"
                   "        ipv4: \"203.0.113.5\"\n"
                   "        stunport: -1\n"
                   "        derpport: 8443\n"
                   "        canport80: true\n");
}

static void
test_headscale_stun_only (void)
{
  DetourctlRegion region = {
    .id = 901,
    .code = "a\u2028b",
    .name = "c\u2029d\xc2\x85"
            "e",
    .hostname = "derp.example.com",
    .stun_only = TRUE,
  };
  g_autofree char *text = detourctl_region_format (&region, DETOURCTL_REGION_HEADSCALE);

  g_assert_cmpstr (text, ==,
                   "regions:\n"
                   "  901:\n"
                   "    regionid: 901\n"
                   "    regioncode: \"a\\u2028b\"\n"
                   "    regionname: \"c\\u2029d\\u0085e\"\n"
                   "    nodes:\n"
                   "      - name: \"901a\"\n"
                   "        regionid: 901\n"
                   "        hostname: \"derp.example.com\"\n"
                   "        stunonly: true\n");
}

static void
test_tailscale (void)
{
  DetourctlRegion region = {
    .id = 900, .code = "own", .name = "Own", .hostname = "derp.example.com"
  };
  g_autofree char *text = detourctl_region_format (&region, DETOURCTL_REGION_TAILSCALE);
  g_autofree char *plain = without_blanks (text);

  g_assert_cmpstr (
      plain, ==,
      "\"derpMap\":{\"Regions\":{\"900\":{\"RegionID\":900,\"RegionCode\":\"own\",\"RegionName\":"
      "\"Own\","
      "\"Nodes\":[{\"Name\":\"900a\",\"RegionID\":900,\"HostName\":\"derp.example.com\"}]}}},");
}

static void
test_json_of_every_kind (void)
{
  static const char *const times[] = { "at", "never", NULL };
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_parsed (
      "{'text': <'a\"b\\\\c\\n\\u0001ü'>, 'number': <@t 18446744073709551615>, 'small': <@u 7>, "
      "'flag': <true>, "
      "'at': <@t 1795566503739878>, 'never': <@t 0>, 'list': <['x', 'y']>, 'none': <@as []>, "
      "'rows': <[{'a': <@t 1>}, {}]>}"));
  g_autoptr (GString) out = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (out);

  detourctl_json_variant (json, NULL, value, times);
  detourctl_json_finish (json);
  g_assert_cmpstr (out->str, ==,
                   "{\n  \"text\": \"a\\\"b\\\\c\\u000a\\u0001ü\",\n  \"number\": "
                   "18446744073709551615,\n  \"small\": 7,\n"
                   "  \"flag\": true,\n  \"at\": \"2026-11-25T00:28:23Z\",\n  \"never\": null,\n"
                   "  \"list\": [\n    \"x\",\n    \"y\"\n  ],\n  \"none\": [],\n"
                   "  \"rows\": [\n    {\n      \"a\": 1\n    },\n    {}\n  ]\n}\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].name, &cases[i], test_case);
  g_test_add_func ("/region/headscale", test_headscale);
  g_test_add_func ("/region/headscale-stun-only", test_headscale_stun_only);
  g_test_add_func ("/region/tailscale", test_tailscale);
  g_test_add_func ("/region/a-region-for-each-certificate", test_certificates);
  g_test_add_func ("/region/two-regions-are-written", test_two_regions_written);
  g_test_add_func ("/json/every-kind", test_json_of_every_kind);
  return g_test_run ();
}
