/* detourctl-import-flags.c: reads the flags of derper as it does itself.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "detour-nearest.h"
#include "detourctl-import.h"

typedef enum {
  FLAG_TEXT,
  FLAG_BOOL,
  FLAG_INT,
  FLAG_FLOAT,
  FLAG_DURATION,
} FlagKind;

static const struct {
  const char *name;
  FlagKind kind;
  const char *fallback;
} flags[DERPER_N_FLAGS] = {
  [DERPER_A] = { "a", FLAG_TEXT, ":443" },
  [DERPER_ACCEPT_CONNECTION_BURST] = { "accept-connection-burst", FLAG_INT, "9223372036854775807" },
  [DERPER_ACCEPT_CONNECTION_LIMIT] = { "accept-connection-limit", FLAG_FLOAT, "+Inf" },
  [DERPER_ACE] = { "ace", FLAG_BOOL, "false" },
  [DERPER_ACME_EAB_KEY] = { "acme-eab-key", FLAG_TEXT, "" },
  [DERPER_ACME_EAB_KID] = { "acme-eab-kid", FLAG_TEXT, "" },
  [DERPER_ACME_EMAIL] = { "acme-email", FLAG_TEXT, "" },
  [DERPER_ACME_IP_CERTS] = { "acme-ip-certs", FLAG_BOOL, "false" },
  [DERPER_BOOTSTRAP_DNS_NAMES] = { "bootstrap-dns-names", FLAG_TEXT, "" },
  [DERPER_C] = { "c", FLAG_TEXT, "" },
  [DERPER_CERTDIR] = { "certdir", FLAG_TEXT, "" },
  [DERPER_CERTMODE] = { "certmode", FLAG_TEXT, "letsencrypt" },
  [DERPER_DERP] = { "derp", FLAG_BOOL, "true" },
  [DERPER_DEV] = { "dev", FLAG_BOOL, "false" },
  [DERPER_DISALLOW_APP_NAMES] = { "disallow-app-names", FLAG_TEXT, "" },
  [DERPER_HOME] = { "home", FLAG_TEXT, "" },
  [DERPER_HOSTNAME] = { "hostname", FLAG_TEXT, "derp.tailscale.com" },
  [DERPER_HTTP_PORT] = { "http-port", FLAG_INT, "80" },
  [DERPER_MESH_PSK_FILE] = { "mesh-psk-file", FLAG_TEXT, "" },
  [DERPER_MESH_WITH] = { "mesh-with", FLAG_TEXT, "" },
  [DERPER_RATE_CONFIG] = { "rate-config", FLAG_TEXT, "" },
  [DERPER_SECRETS_CACHE_DIR] = { "secrets-cache-dir", FLAG_TEXT, "" },
  [DERPER_SECRETS_PATH_PREFIX] = { "secrets-path-prefix", FLAG_TEXT, "prod/derp" },
  [DERPER_SECRETS_URL] = { "secrets-url", FLAG_TEXT, "" },
  [DERPER_SOCKET] = { "socket", FLAG_TEXT, "" },
  [DERPER_STUN] = { "stun", FLAG_BOOL, "true" },
  [DERPER_STUN_PORT] = { "stun-port", FLAG_INT, "3478" },
  [DERPER_TCP_KEEPALIVE_TIME] = { "tcp-keepalive-time", FLAG_DURATION, "10m0s" },
  [DERPER_TCP_USER_TIMEOUT] = { "tcp-user-timeout", FLAG_DURATION, "15s" },
  [DERPER_TCP_WRITE_TIMEOUT] = { "tcp-write-timeout", FLAG_DURATION, "2s" },
  [DERPER_UNPUBLISHED_BOOTSTRAP_DNS_NAMES] = { "unpublished-bootstrap-dns-names", FLAG_TEXT, "" },
  [DERPER_VERIFY_CLIENT_URL] = { "verify-client-url", FLAG_TEXT, "" },
  [DERPER_VERIFY_CLIENT_URL_FAIL_OPEN] = { "verify-client-url-fail-open", FLAG_BOOL, "true" },
  [DERPER_VERIFY_CLIENTS] = { "verify-clients", FLAG_BOOL, "false" },
  [DERPER_VERSION] = { "version", FLAG_BOOL, "false" },
};

const char *
detourctl_derper_flag_name (DetourctlDerperFlag flag)
{
  return flags[flag].name;
}

/* Values, as Go's packages strconv and time read them --------------------------------------------
 */

static gboolean
ctl_import_flags_read_bool (const char *text, gboolean *out)
{
  static const char *const words[] = { "1", "t", "T", "TRUE",  "true",  "True",
                                       "0", "f", "F", "FALSE", "false", "False" };

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (strcmp (words[i], text) == 0)
      {
        *out = i < 6;
        return TRUE;
      }
  return FALSE;
}

/* Decimal, or with 0x, 0o, 0b or 0 in front. */
static gboolean
ctl_import_flags_read_int (const char *text, gint64 *out)
{
  const char *digits = text + (*text == '-' || *text == '+');
  guint base = 10;
  guint64 value;

  if (digits[0] == '0' && digits[1] != '\0')
    {
      char letter = g_ascii_tolower (digits[1]);

      base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
      digits += letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1;
    }
  if (!g_ascii_isxdigit (*digits)
      || !g_ascii_string_to_unsigned (digits, base, 0,
                                      (guint64) G_MAXINT64 + (*text == '-' ? 1 : 0), &value, NULL))
    return FALSE;
  *out = *text == '-' ? (gint64) (0 - value) : (gint64) value;
  return TRUE;
}

static gboolean
ctl_import_flags_read_float (const char *text, double *out)
{
  char *end;

  if (*text == '\0' || g_ascii_isspace (*text))
    return FALSE;
  *out = g_ascii_strtod (text, &end);
  return *end == '\0';
}

/* "1h15m30.5s", "-1s", "0". */
static gboolean
ctl_import_flags_read_duration (const char *text, gint64 *out)
{
  static const struct {
    const char *name;
    double us;
  } units[] = {
    { "ns", 0.001 }, { "us", 1 },  { "\xc2\xb5s", 1 }, { "\xce\xbcs", 1 },
    { "ms", 1e3 },   { "s", 1e6 }, { "m", 60e6 },      { "h", 3600e6 },
  };
  const char *p = text + (*text == '-' || *text == '+');
  double sum = 0;

  if (strcmp (p, "0") == 0)
    {
      *out = 0;
      return TRUE;
    }
  if (*p == '\0')
    return FALSE;
  while (*p != '\0')
    {
      gsize len = strspn (p, "0123456789.");
      g_autofree char *number = g_strndup (p, len);
      gsize unit_len;
      char *end;
      double value = g_ascii_strtod (number, &end);
      guint i;

      if (len == 0 || *end != '\0' || strcmp (number, ".") == 0)
        return FALSE;
      p += len;
      unit_len = strcspn (p, "0123456789.");
      for (i = 0; i < G_N_ELEMENTS (units); i++)
        if (strlen (units[i].name) == unit_len && strncmp (units[i].name, p, unit_len) == 0)
          break;
      if (i == G_N_ELEMENTS (units))
        return FALSE;
      sum += value * units[i].us;
      p += unit_len;
    }
  if (sum >= 9e15)
    return FALSE;
  *out = (gint64) (*text == '-' ? -sum : sum);
  return TRUE;
}

static const char *
ctl_import_flags_expected (FlagKind kind)
{
  switch (kind)
    {
    case FLAG_BOOL:
      return _ ("true or false");
    case FLAG_INT:
      return _ ("a whole number");
    case FLAG_FLOAT:
      return _ ("a number");
    default:
      return _ ("a duration as in 10m or 1.5s");
    }
}

static gboolean
ctl_import_flags_take (DetourctlDerperValue *value, FlagKind kind, const char *text)
{
  switch (kind)
    {
    case FLAG_BOOL:
      return ctl_import_flags_read_bool (text, &value->flag);
    case FLAG_INT:
      return ctl_import_flags_read_int (text, &value->number);
    case FLAG_FLOAT:
      return ctl_import_flags_read_float (text, &value->real);
    case FLAG_DURATION:
      return ctl_import_flags_read_duration (text, &value->length_us);
    default:
      return TRUE;
    }
}

/* Flags ------------------------------------------------------------------------------------------
 */

static void ctl_import_flags_fault (GPtrArray *faults, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

static void
ctl_import_flags_fault (GPtrArray *faults, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (faults, g_strdup_vprintf (format, args));
  va_end (args);
}

static void
ctl_import_flags_fault_unknown (GPtrArray *faults, const char *name)
{
  const char *names[DERPER_N_FLAGS + 1];
  const char *nearest;
  g_autofree char *shown = g_strescape (name, NULL);

  for (guint i = 0; i < DERPER_N_FLAGS; i++)
    names[i] = flags[i].name;
  names[DERPER_N_FLAGS] = NULL;
  nearest = detour_nearest (name, names);
  if (nearest != NULL)
    ctl_import_flags_fault (faults, _ ("-%s: derper has no such flag; is -%s meant?"), shown,
                            nearest);
  else
    ctl_import_flags_fault (faults, _ ("-%s: derper has no such flag"), shown);
}

static guint
ctl_import_flags_find (const char *name)
{
  guint i = 0;

  while (i < DERPER_N_FLAGS && strcmp (flags[i].name, name) != 0)
    i++;
  return i;
}

/* The flag at @words; returns how many words it took, 0: it is none, and what follows is the rest.
 */
static guint
ctl_import_flags_read_one (DetourctlDerperFlags *self, const char *const *words, GPtrArray *faults)
{
  const char *word = words[0];
  const char *text = NULL;
  g_autofree char *name = NULL;
  DetourctlDerperValue *value;
  guint taken = 1;
  guint id;

  if (word[0] != '-' || word[1] == '\0' || strcmp (word, "--") == 0)
    return 0;
  word += word[1] == '-' ? 2 : 1;
  if (*word == '-' || *word == '=')
    {
      g_autofree char *shown = g_strescape (words[0], NULL);

      ctl_import_flags_fault (faults, _ ("%s: not a flag"), shown);
      return 1;
    }
  text = strchr (word, '=');
  name = text != NULL ? g_strndup (word, (gsize) (text - word)) : g_strdup (word);
  text = text != NULL ? text + 1 : NULL;
  id = ctl_import_flags_find (name);
  if (id == DERPER_N_FLAGS)
    {
      /* derper prints its usage for these. */
      if (strcmp (name, "h") != 0 && strcmp (name, "help") != 0)
        ctl_import_flags_fault_unknown (faults, name);
      return 1;
    }
  if (text == NULL && flags[id].kind == FLAG_BOOL)
    text = "true";
  if (text == NULL)
    {
      text = words[1];
      taken = 2;
    }
  if (text == NULL)
    {
      ctl_import_flags_fault (faults, _ ("-%s: its value is missing"), name);
      return 1;
    }
  value = &self->values[id];
  if (!ctl_import_flags_take (value, flags[id].kind, text))
    {
      g_autofree char *shown = g_strescape (text, NULL);

      ctl_import_flags_fault (faults, _ ("-%s: \"%s\" is not what derper takes; expected %s"), name,
                              shown, ctl_import_flags_expected (flags[id].kind));
      return taken;
    }
  value->is_set = TRUE;
  g_free (value->text);
  value->text = g_strdup (text);
  return taken;
}

DetourctlDerperFlags *
detourctl_derper_flags_read (const char *const *words, GPtrArray *faults)
{
  DetourctlDerperFlags *self = g_new0 (DetourctlDerperFlags, 1);
  guint i = 0;

  self->rest = g_ptr_array_new_with_free_func (g_free);
  for (guint id = 0; id < DERPER_N_FLAGS; id++)
    {
      self->values[id].text = g_strdup (flags[id].fallback);
      ctl_import_flags_take (&self->values[id], flags[id].kind, flags[id].fallback);
    }
  while (words[i] != NULL)
    {
      guint taken = ctl_import_flags_read_one (self, words + i, faults);

      if (taken == 0)
        break;
      i += taken;
    }
  if (words[i] != NULL && strcmp (words[i], "--") == 0)
    i++;
  for (; words[i] != NULL; i++)
    g_ptr_array_add (self->rest, g_strdup (words[i]));
  return self;
}

void
detourctl_derper_flags_free (DetourctlDerperFlags *self)
{
  if (self == NULL)
    return;
  for (guint id = 0; id < DERPER_N_FLAGS; id++)
    g_free (self->values[id].text);
  g_ptr_array_unref (self->rest);
  g_free (self);
}
