/* detourctl-map-text.c: writes a DERP map in the forms that its readers want.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detourctl-json.h"
#include "detourctl-map.h"
#include "detourctl-region.h"

/* JSON -------------------------------------------------------------------------------------------
 */

static void
ctl_map_text_put_text (DetourctlJson *json, const char *name, const char *value)
{
  if (value != NULL && *value != '\0')
    detourctl_json_text (json, name, value);
}

static void
ctl_map_text_put_flag (DetourctlJson *json, const char *name, gboolean value)
{
  if (value)
    detourctl_json_flag (json, name, TRUE);
}

static void
ctl_map_text_put_number (DetourctlJson *json, const char *name, gint64 value)
{
  if (value != 0)
    detourctl_json_signed (json, name, value);
}

static void
ctl_map_text_put_real (DetourctlJson *json, const char *name, const char *value)
{
  if (value != NULL)
    detourctl_json_real (json, name, g_ascii_strtod (value, NULL));
}

static void
ctl_map_text_put_node (DetourctlJson *json, const DetourctlMapNode *node)
{
  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "Name", node->name != NULL ? node->name : "");
  detourctl_json_signed (json, "RegionID", node->region_id);
  detourctl_json_text (json, "HostName", node->host_name != NULL ? node->host_name : "");
  ctl_map_text_put_text (json, "CertName", node->cert_name);
  ctl_map_text_put_text (json, "IPv4", node->ipv4);
  ctl_map_text_put_text (json, "IPv6", node->ipv6);
  ctl_map_text_put_number (json, "STUNPort", node->stun_port);
  ctl_map_text_put_flag (json, "STUNOnly", node->stun_only);
  ctl_map_text_put_number (json, "DERPPort", node->derp_port);
  ctl_map_text_put_flag (json, "InsecureForTests", node->insecure);
  ctl_map_text_put_text (json, "STUNTestIP", node->stun_test_ip);
  ctl_map_text_put_flag (json, "CanPort80", node->can_port80);
  detourctl_json_end_object (json);
}

static void
ctl_map_text_put_region (DetourctlJson *json, const DetourctlMapRegion *region)
{
  g_autofree char *key = g_strdup_printf ("%" G_GINT64_FORMAT, region->key);

  if (region->is_null)
    {
      detourctl_json_text (json, key, NULL);
      return;
    }
  detourctl_json_begin_object (json, key);
  detourctl_json_signed (json, "RegionID", region->id);
  detourctl_json_text (json, "RegionCode", region->code != NULL ? region->code : "");
  detourctl_json_text (json, "RegionName", region->name != NULL ? region->name : "");
  ctl_map_text_put_real (json, "Latitude", region->latitude);
  ctl_map_text_put_real (json, "Longitude", region->longitude);
  ctl_map_text_put_flag (json, "Avoid", region->avoid);
  ctl_map_text_put_flag (json, "NoMeasureNoHome", region->no_measure_no_home);
  detourctl_json_begin_array (json, "Nodes");
  for (guint i = 0; i < region->nodes->len; i++)
    ctl_map_text_put_node (json, region->nodes->pdata[i]);
  detourctl_json_end_array (json);
  detourctl_json_end_object (json);
}

static void
ctl_map_text_put_scores (DetourctlJson *json, const DetourctlMap *self)
{
  if (self->scores->len == 0)
    return;
  detourctl_json_begin_object (json, "HomeParams");
  detourctl_json_begin_object (json, "RegionScore");
  for (guint i = 0; i < self->scores->len; i++)
    {
      const DetourctlMapScore *score = self->scores->pdata[i];
      g_autofree char *key = g_strdup_printf ("%" G_GINT64_FORMAT, score->region);

      ctl_map_text_put_real (json, key, score->factor);
    }
  detourctl_json_end_object (json);
  detourctl_json_end_object (json);
}

static void
ctl_map_text_put_map (DetourctlJson *json, const char *member, const DetourctlMap *self)
{
  detourctl_json_begin_object (json, member);
  /* As policies and Tailscale's pages spell it; readers take it in any case. */
  ctl_map_text_put_flag (json, member != NULL ? "OmitDefaultRegions" : "omitDefaultRegions",
                         self->omit_default_regions);
  ctl_map_text_put_scores (json, self);
  detourctl_json_begin_object (json, "Regions");
  for (guint i = 0; i < self->regions->len; i++)
    ctl_map_text_put_region (json, self->regions->pdata[i]);
  detourctl_json_end_object (json);
  detourctl_json_end_object (json);
}

static char *
ctl_map_text_json (const DetourctlMap *self)
{
  GString *text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);

  ctl_map_text_put_map (json, NULL, self);
  detourctl_json_finish (json);
  return g_string_free (text, FALSE);
}

/* The member alone, to be pasted between the others of the policy: without the braces around it. */
static char *
ctl_map_text_tailscale (const DetourctlMap *self)
{
  g_autoptr (GString) text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);
  gsize end;

  detourctl_json_begin_object (json, NULL);
  ctl_map_text_put_map (json, "derpMap", self);
  detourctl_json_end_object (json);
  detourctl_json_finish (json);
  end = text->len - strlen ("\n}\n");
  return g_strdup_printf ("%.*s,\n", (int) (end - strlen ("{\n")), text->str + strlen ("{\n"));
}

/* YAML -------------------------------------------------------------------------------------------
 */

/* A text in double quotes is the same in YAML as in JSON. */
static void
ctl_map_text_yaml_text (GString *text, const char *indent, const char *key, const char *value)
{
  g_autoptr (GString) quoted = NULL;
  DetourctlJson *json;

  if (value == NULL || *value == '\0')
    return;
  quoted = g_string_new (NULL);
  json = detourctl_json_new (quoted);
  detourctl_json_text (json, NULL, value);
  detourctl_json_finish (json);
  g_string_append_printf (text, "%s%s: %s", indent, key, quoted->str);
}

static void
ctl_map_text_yaml_number (GString *text, const char *indent, const char *key, gint64 value)
{
  if (value != 0)
    g_string_append_printf (text, "%s%s: %" G_GINT64_FORMAT "\n", indent, key, value);
}

static void
ctl_map_text_yaml_flag (GString *text, const char *indent, const char *key, gboolean value)
{
  if (value)
    g_string_append_printf (text, "%s%s: true\n", indent, key);
}

static void
ctl_map_text_yaml_real (GString *text, const char *indent, const char *key, const char *value)
{
  char digits[G_ASCII_DTOSTR_BUF_SIZE];

  if (value != NULL)
    g_string_append_printf (text, "%s%s: %s\n", indent, key,
                            g_ascii_dtostr (digits, sizeof digits, g_ascii_strtod (value, NULL)));
}

static void
ctl_map_text_yaml_node (GString *text, const DetourctlMapNode *node)
{
  static const char indent[] = "        ";

  /* It begins the entry of the list, so it is there even when it is empty. */
  if (node->name == NULL || *node->name == '\0')
    g_string_append (text, "      - name: \"\"\n");
  else
    ctl_map_text_yaml_text (text, "      - ", "name", node->name);
  ctl_map_text_yaml_number (text, indent, "regionid", node->region_id);
  ctl_map_text_yaml_text (text, indent, "hostname", node->host_name);
  ctl_map_text_yaml_text (text, indent, "certname", node->cert_name);
  ctl_map_text_yaml_text (text, indent, "ipv4", node->ipv4);
  ctl_map_text_yaml_text (text, indent, "ipv6", node->ipv6);
  ctl_map_text_yaml_number (text, indent, "stunport", node->stun_port);
  ctl_map_text_yaml_flag (text, indent, "stunonly", node->stun_only);
  ctl_map_text_yaml_number (text, indent, "derpport", node->derp_port);
  ctl_map_text_yaml_flag (text, indent, "insecurefortests", node->insecure);
  ctl_map_text_yaml_text (text, indent, "stuntestip", node->stun_test_ip);
  ctl_map_text_yaml_flag (text, indent, "canport80", node->can_port80);
}

static void
ctl_map_text_yaml_region (GString *text, const DetourctlMapRegion *region)
{
  g_string_append_printf (text, "  %" G_GINT64_FORMAT ":%s\n", region->key,
                          region->is_null ? " null" : "");
  if (region->is_null)
    return;
  ctl_map_text_yaml_number (text, "    ", "regionid", region->id);
  ctl_map_text_yaml_text (text, "    ", "regioncode", region->code);
  ctl_map_text_yaml_text (text, "    ", "regionname", region->name);
  ctl_map_text_yaml_real (text, "    ", "latitude", region->latitude);
  ctl_map_text_yaml_real (text, "    ", "longitude", region->longitude);
  ctl_map_text_yaml_flag (text, "    ", "avoid", region->avoid);
  ctl_map_text_yaml_flag (text, "    ", "nomeasurenohome", region->no_measure_no_home);
  g_string_append_printf (text, "    nodes:%s\n", region->nodes->len == 0 ? " []" : "");
  for (guint i = 0; i < region->nodes->len; i++)
    ctl_map_text_yaml_node (text, region->nodes->pdata[i]);
}

/* Headscale's: names in lower case, and regions alone, because it takes no notice of the rest. */
static char *
ctl_map_text_headscale (const DetourctlMap *self)
{
  GString *text = g_string_new ("regions:");

  g_string_append (text, self->regions->len == 0 ? " {}\n" : "\n");
  for (guint i = 0; i < self->regions->len; i++)
    ctl_map_text_yaml_region (text, self->regions->pdata[i]);
  return g_string_free (text, FALSE);
}

char *
detourctl_map_format (const DetourctlMap *self, DetourctlRegionFormat format)
{
  switch (format)
    {
    case DETOURCTL_REGION_TAILSCALE:
      return ctl_map_text_tailscale (self);
    case DETOURCTL_REGION_HEADSCALE:
      return ctl_map_text_headscale (self);
    default:
      return ctl_map_text_json (self);
    }
}
