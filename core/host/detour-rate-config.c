/* detour-rate-config.c: derper's JSON file of receive rates.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-rate-config.h"

#include "detour-file.h"
#include "detour-json.h"

#define FILE_MAX  65536u
#define DEPTH_MAX 32u

G_DEFINE_QUARK (detour_rate_config_error_quark, detour_rate_config_error)

typedef struct {
  DetourRateConfig config;
  const char *wrong; /* name of a value that will not do */
} Reader;

static gboolean
rate_config_on_member (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  static const char rate_name[] = "PerClientRateLimitBytesPerSec";
  static const char burst_name[] = "PerClientRateBurstBytes";
  Reader *self = user;
  char text[64];
  gint64 number = 0;
  gboolean is_rate;

  if (!detour_json_get_string (name, text, sizeof text))
    return TRUE;
  is_rate = g_ascii_strcasecmp (text, rate_name) == 0;
  if (!is_rate && g_ascii_strcasecmp (text, burst_name) != 0)
    return TRUE;
  if (value->type != DETOUR_JSON_NULL
      && (value->type != DETOUR_JSON_NUMBER || !detour_json_get_integer (value, &number)
          || number < 0))
    {
      self->wrong = is_rate ? rate_name : burst_name;
      return FALSE;
    }
  if (is_rate)
    self->config.rate = (guint64) number;
  else
    self->config.burst = (guint64) number;
  return TRUE;
}

gboolean
detour_rate_config_parse (const char *text, gsize len, DetourRateConfig *config, GError **error)
{
  Reader reader = { 0 };
  DetourJsonValue root;
  const char *reason = NULL;
  gboolean good = detour_json_scan (text, len, DEPTH_MAX, &root, rate_config_on_member, &reader,
                                    &reason, NULL);

  if (reader.wrong != NULL)
    g_set_error (error, DETOUR_RATE_CONFIG_ERROR, DETOUR_RATE_CONFIG_ERROR_FORM,
                 "%s is not a whole number of bytes, 0 or more", reader.wrong);
  else if (!good)
    g_set_error (error, DETOUR_RATE_CONFIG_ERROR, DETOUR_RATE_CONFIG_ERROR_FORM, "not JSON: %s",
                 reason);
  else if (root.type != DETOUR_JSON_OBJECT)
    g_set_error (error, DETOUR_RATE_CONFIG_ERROR, DETOUR_RATE_CONFIG_ERROR_FORM,
                 "not a JSON object");
  else
    {
      *config = reader.config;
      if (config->rate == 0)
        config->burst = 0;
      return TRUE;
    }
  return FALSE;
}

gboolean
detour_rate_config_load (const char *path, DetourRateConfig *config, GError **error)
{
  g_auto (DetourFile) file;

  if (!detour_file_read (path, FILE_MAX, 0, &file, error))
    return FALSE;
  if (!detour_rate_config_parse (file.data, file.len, config, error))
    {
      g_prefix_error (error, "%s: ", path);
      return FALSE;
    }
  return TRUE;
}
