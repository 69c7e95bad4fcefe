/* detour-log-format.c: formats log records as lines, and masks addresses and keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#include "detour-log.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

static const char *const level_words = "debug|info|message|warning|critical";

/* Position of @word in @words, which are separated by `|`; both come from a checked table. */
static guint
log_format_word_index (const char *words, const char *word)
{
  g_auto (GStrv) list = g_strsplit (words, "|", -1);

  for (guint i = 0; list[i] != NULL; i++)
    if (g_str_equal (list[i], word))
      return i;
  g_assert_not_reached ();
}

void
detour_log_style_init (DetourLogStyle *self, const char *level, const char *privacy,
                       const char *format)
{
  *self = (DetourLogStyle) {
    .level = G_LOG_LEVEL_DEBUG >> log_format_word_index (level_words, level),
    .privacy = (DetourLogPrivacy) log_format_word_index ("full|prefix|hash|none", privacy),
    .json = format != NULL && log_format_word_index ("text|json", format) == 1,
  };
}

gboolean
detour_log_style_wants (const DetourLogStyle *self, const DetourLogRecord *record)
{
  GLogLevelFlags override = detour_log_override ();

  return (record->level & G_LOG_LEVEL_MASK) <= (override != 0 ? override : self->level);
}

guint
detour_log_priority (GLogLevelFlags level)
{
  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
    return 3;
  if (level & G_LOG_LEVEL_WARNING)
    return 4;
  if (level & G_LOG_LEVEL_MESSAGE)
    return 5;
  return level & G_LOG_LEVEL_INFO ? 6 : 7;
}

static const char *
log_format_level_name (GLogLevelFlags level)
{
  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
    return "critical";
  if (level & G_LOG_LEVEL_WARNING)
    return "warning";
  if (level & G_LOG_LEVEL_MESSAGE)
    return "message";
  return level & G_LOG_LEVEL_INFO ? "info" : "debug";
}

/* ---- privacy: the value of a private field is masked in every text of the record ------------- */

/* A text that must not be written, and the text in its place. */
typedef struct {
  char *secret;
  char *mask;
} Hidden;

static void
log_format_hidden_clear (Hidden *self)
{
  g_free (self->secret);
  g_free (self->mask);
}

static void
log_format_hide (GArray *list, const char *secret, const char *mask)
{
  if (*secret != '\0' && !g_str_equal (secret, mask))
    {
      Hidden hidden = { g_strdup (secret), g_strdup (mask) };

      g_array_append_val (list, hidden);
    }
}

/* The salt is drawn once in the life of the process and never leaves it: with the few addresses
 * there are, a hash without one could be turned back by trying them all. */
static char *
log_format_hash_word (const char *text)
{
  static gsize ready;
  static guint8 salt[crypto_shorthash_KEYBYTES];
  guint8 hash[crypto_shorthash_BYTES];
  char hex[2 * sizeof hash + 1];

  if (g_once_init_enter (&ready))
    {
      randombytes_buf (salt, sizeof salt);
      g_once_init_leave (&ready, 1);
    }
  crypto_shorthash (hash, (const guint8 *) text, strlen (text), salt);
  sodium_bin2hex (hex, sizeof hex, hash, sizeof hash);
  return g_strdup_printf ("#%.12s", hex);
}

/* The host of ADDRESS, ADDRESS:PORT or [V6]:PORT; all of a network. */
static char *
log_format_address_host (const char *address)
{
  const char *colon = strrchr (address, ':');
  const char *bracket = strchr (address, ']');

  if (*address == '[' && bracket != NULL)
    return g_strndup (address + 1, (gsize) (bracket - address - 1));
  if (colon != NULL && strchr (address, ':') == colon)
    return g_strndup (address, (gsize) (colon - address));
  return g_strdup (address);
}

/* Whether @host is a network, ADDRESS/BITS, that shows no more than is shown of an address. */
static gboolean
log_format_is_wide (const char *host)
{
  const char *slash = strchr (host, '/');
  guint64 bits;

  return slash != NULL && g_ascii_string_to_unsigned (slash + 1, 10, 0, 128, &bits, NULL)
      && bits <= (strchr (host, ':') != NULL ? 48 : 24);
}

/* The network a host is in, or a network; "-" for what is not an address. */
static char *
log_format_address_network (const char *host)
{
  g_autofree char *plain = g_strndup (host, strcspn (host, "%/"));
  char text[INET6_ADDRSTRLEN];
  guint8 bytes[16];
  gboolean is_v4;

  is_v4 = inet_pton (AF_INET, plain, bytes) == 1;
  if (!is_v4 && inet_pton (AF_INET6, plain, bytes) != 1)
    return g_strdup ("-");
  if (log_format_is_wide (host))
    return g_strdup (host);
  if (is_v4)
    return g_strdup_printf ("%u.%u.%u.0/24", bytes[0], bytes[1], bytes[2]);
  if (IN6_IS_ADDR_V4MAPPED ((const struct in6_addr *) bytes))
    return g_strdup_printf ("%u.%u.%u.0/24", bytes[12], bytes[13], bytes[14]);
  memset (bytes + 6, 0, 10);
  return g_strdup_printf ("%s/48", inet_ntop (AF_INET6, bytes, text, sizeof text));
}

static void
log_format_hide_address (GArray *list, DetourLogPrivacy privacy, const char *address)
{
  g_autofree char *host = log_format_address_host (address);
  g_autofree char *mask = NULL;

  if (privacy == DETOUR_LOG_PRIVACY_PREFIX)
    mask = log_format_address_network (host);
  else
    mask = privacy == DETOUR_LOG_PRIVACY_HASH ? log_format_hash_word (host) : g_strdup ("-");

  /* The longest first, because otherwise the port would remain. */
  log_format_hide (list, address, mask);
  log_format_hide (list, host, mask);
}

static void
log_format_hide_key (GArray *list, DetourLogPrivacy privacy, const char *key)
{
  const char *hex = g_str_has_prefix (key, "nodekey:") ? key + strlen ("nodekey:") : key;
  g_autofree char *digits = g_strndup (hex, 8);
  g_autofree char *mask = NULL;

  if (privacy == DETOUR_LOG_PRIVACY_PREFIX)
    mask = g_strdup (digits);
  else
    mask = privacy == DETOUR_LOG_PRIVACY_HASH ? log_format_hash_word (hex) : g_strdup ("-");

  log_format_hide (list, key, mask);
  log_format_hide (list, hex, mask);
  log_format_hide (list, digits, mask);
}

static char *
log_format_field_dup (const GLogField *field)
{
  return field->length < 0 ? g_strdup (field->value)
                           : g_strndup (field->value, (gsize) field->length);
}

static gboolean
log_format_is_private (const char *name)
{
  return g_str_equal (name, DETOUR_LOG_ADDRESS) || g_str_equal (name, DETOUR_LOG_KEY)
      || g_str_equal (name, DETOUR_LOG_KEY_BEFORE);
}

static GArray *
log_format_find_hidden (const DetourLogStyle *self, const DetourLogRecord *record)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (Hidden));

  g_array_set_clear_func (list, (GDestroyNotify) log_format_hidden_clear);
  for (gsize i = 0; self->privacy != DETOUR_LOG_PRIVACY_FULL && i < record->n_fields; i++)
    {
      g_autofree char *value = NULL;

      if (!log_format_is_private (record->fields[i].key))
        continue;
      value = log_format_field_dup (&record->fields[i]);
      if (g_str_equal (record->fields[i].key, DETOUR_LOG_ADDRESS))
        log_format_hide_address (list, self->privacy, value);
      else
        log_format_hide_key (list, self->privacy, value);
    }
  return list;
}

static void
log_format_mask_text (GString *text, const GArray *list)
{
  for (guint i = 0; i < list->len; i++)
    {
      const Hidden *hidden = &g_array_index (list, Hidden, i);

      g_string_replace (text, hidden->secret, hidden->mask, 0);
    }
}

void
detour_log_each_field (const DetourLogStyle *self, const DetourLogRecord *record,
                       DetourLogFieldFunc func, gpointer user)
{
  g_autoptr (GArray) list = log_format_find_hidden (self, record);
  g_autoptr (GString) text = g_string_new (record->message);

  log_format_mask_text (text, list);
  func (user, "MESSAGE", text->str, text->len);
  for (gsize i = 0; i < record->n_fields; i++)
    {
      const GLogField *field = &record->fields[i];

      if (g_str_equal (field->key, "MESSAGE") || g_str_equal (field->key, "PRIORITY")
          || g_str_equal (field->key, "GLIB_DOMAIN"))
        continue;
      if (self->privacy == DETOUR_LOG_PRIVACY_NONE && log_format_is_private (field->key))
        continue;

      g_string_truncate (text, 0);
      g_string_append_len (text, field->value,
                           field->length < 0 ? (gssize) strlen (field->value) : field->length);
      /* A value with a NUL is binary and is not searched for addresses. */
      if (list->len > 0 && memchr (text->str, '\0', text->len) == NULL)
        log_format_mask_text (text, list);
      func (user, field->key, text->str, text->len);
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

typedef struct {
  GString *line;
  gboolean json;
} Line;

/* @text as valid UTF-8 without a control character. @quoted: and without a quote that ends it
 * early. */
static void
log_format_append_escaped (GString *out, const char *text, gsize len, gboolean quoted)
{
  g_autofree char *valid = g_utf8_make_valid (text, (gssize) len);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (c == '\n')
        g_string_append (out, "\\n");
      else if (c == '\t')
        g_string_append (out, "\\t");
      else if (!detour_log_may_show (c))
        g_string_append_printf (out, "\\u%04x", c);
      else
        {
          if (quoted && (c == '"' || c == '\\'))
            g_string_append_c (out, '\\');
          g_string_append_unichar (out, c);
        }
    }
}

char *
detour_log_short_name (const char *name)
{
  static const char *const taken[] = { "time", "level", "domain", "message", NULL };
  g_autofree char *lower = NULL;

  if (g_str_has_prefix (name, "CODE_") || g_str_has_prefix (name, "SYSLOG_")
      || g_str_has_prefix (name, "GLIB_"))
    return NULL;
  if (name[strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0')
    return NULL;
  lower = g_ascii_strdown (g_str_has_prefix (name, "DETOUR_") ? name + strlen ("DETOUR_") : name,
                           -1);
  return g_strv_contains (taken, lower) ? g_strconcat (lower, "_", NULL) : g_steal_pointer (&lower);
}

static void
log_format_append_field (gpointer user, const char *name, const char *value, gsize len)
{
  Line *self = user;
  g_autofree char *key = NULL;
  gboolean quoted = self->json;

  if (g_str_equal (name, "MESSAGE"))
    {
      log_format_append_escaped (self->line, value, len, self->json);
      if (self->json)
        g_string_append_c (self->line, '"');
      return;
    }
  key = detour_log_short_name (name);
  if (key == NULL)
    return;
  quoted = quoted || len == 0 || value[strcspn (value, " \"=\\\n\t")] != '\0';
  g_string_append_printf (self->line, self->json ? ",\"%s\":" : " %s=", key);
  if (quoted)
    g_string_append_c (self->line, '"');
  log_format_append_escaped (self->line, value, len, quoted);
  if (quoted)
    g_string_append_c (self->line, '"');
}

static void
log_format_append_time (GString *line, const DetourLogStyle *self, gint64 real_us)
{
  time_t seconds = real_us > 0 ? real_us / G_USEC_PER_SEC : 0;
  char text[64];
  struct tm tm = { 0 };
  gboolean local = self->terminal && !self->json;

  if ((local ? localtime_r (&seconds, &tm) : gmtime_r (&seconds, &tm)) == NULL
      || strftime (text, sizeof text, local ? "%H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &tm) == 0)
    text[0] = '\0';
  g_string_append (line, text);
  if (self->json)
    g_string_append_printf (line, ".%06d", real_us > 0 ? (int) (real_us % G_USEC_PER_SEC) : 0);
  if (!local)
    g_string_append_c (line, 'Z');
}

GString *
detour_log_format (const DetourLogStyle *self, const DetourLogRecord *record)
{
  Line line = { g_string_sized_new (256), self->json };

  if (self->json)
    g_string_append (line.line, "{\"time\":\"");
  if (self->json || !self->bare)
    {
      log_format_append_time (line.line, self, record->real_us);
      g_string_append_printf (line.line, self->json ? "\",\"level\":\"%s\",\"domain\":\"" : " %s ",
                              log_format_level_name (record->level));
    }
  log_format_append_escaped (line.line, record->domain, strlen (record->domain), self->json);
  g_string_append (line.line, self->json ? "\",\"message\":\"" : ": ");
  detour_log_each_field (self, record, log_format_append_field, &line);
  g_string_append (line.line, self->json ? "}\n" : "\n");
  return line.line;
}
