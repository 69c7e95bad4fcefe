/* detour-challenges.c: answers that an ACME certificate authority is going to ask this relay for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-challenges.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <string.h>

G_DEFINE_QUARK (detour - challenge - error, detour_challenge_error)

#define NAME_MAX_BYTES  253u
#define TOKEN_MAX       128u
#define THUMBPRINT_SIZE 43u /* SHA-256 in base64url */

typedef enum {
  CHALLENGE_HTTP_01,
  CHALLENGE_TLS_ALPN_01,
} ChallengeType;

typedef struct {
  char *owner;
  ChallengeType type;
  char *token;
  char *answer; /* HTTP_01: the key authorization; NULL otherwise */
  char *sni;    /* TLS_ALPN_01: the name that is asked for; NULL otherwise */
  DetourTlsChallenge tls;
  gint64 until_us;
} Challenge;

struct _DetourChallenges {
  GMutex lock;
  GPtrArray *list; /* Challenge, the newest last */
  guint n;         /* of the list; atomic */
};

static void
challenges_free (gpointer data)
{
  Challenge *self = data;

  g_free (self->owner);
  g_free (self->token);
  g_free (self->answer);
  g_free (self->sni);
  g_free (self);
}

DetourChallenges *
detour_challenges_new (void)
{
  DetourChallenges *self = g_new0 (DetourChallenges, 1);

  g_mutex_init (&self->lock);
  self->list = g_ptr_array_new_with_free_func (challenges_free);
  return self;
}

void
detour_challenges_free (DetourChallenges *self)
{
  g_ptr_array_unref (self->list);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* What is asked for ---------------------------------------------------------------------------- */

static gboolean
challenges_is_base64url (const char *text, gsize len)
{
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-' && text[i] != '_')
      return FALSE;
  return len > 0;
}

static gboolean
challenges_read_type (const char *text, ChallengeType *type, GError **error)
{
  if (strcmp (text, "http-01") == 0)
    *type = CHALLENGE_HTTP_01;
  else if (strcmp (text, "tls-alpn-01") == 0)
    *type = CHALLENGE_TLS_ALPN_01;
  else
    {
      g_autofree char *shown = g_strescape (text, NULL);

      g_set_error (error, DETOUR_CHALLENGE_ERROR, DETOUR_CHALLENGE_ERROR_INVALID,
                   "\"%.64s\" is no challenge that a relay can answer; there are http-01 and "
                   "tls-alpn-01",
                   shown);
      return FALSE;
    }
  return TRUE;
}

static gboolean
challenges_is_name (const char *text)
{
  gsize len = strlen (text);

  if (len == 0 || len > NAME_MAX_BYTES || text[0] == '.' || strstr (text, "..") != NULL)
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && strchr ("-_.", text[i]) == NULL)
      return FALSE;
  return TRUE;
}

/* RFC 8738: an address is asked for by the name that stands for it in reverse lookups. */
static char *
challenges_reverse_name (const guint8 *address, guint len)
{
  g_autoptr (GString) name = g_string_new (NULL);

  for (guint i = len; i-- > 0;)
    if (len == 4)
      g_string_append_printf (name, "%u.", address[i]);
    else
      g_string_append_printf (name, "%x.%x.", address[i] & 15u, address[i] >> 4);
  g_string_append (name, len == 4 ? "in-addr.arpa" : "ip6.arpa");
  return g_string_free (g_steal_pointer (&name), FALSE);
}

/* Gives the identifier in its one form, and the name by which it is asked for in TLS. */
static gboolean
challenges_read_identifier (const char *text, DetourTlsChallenge *out, char **sni, GError **error)
{
  gsize len = strlen (text);
  g_autofree char *bare = text[0] == '[' && g_str_has_suffix (text, "]")
                            ? g_strndup (text + 1, len - 2)
                            : g_ascii_strdown (text, -1);

  if (g_str_has_suffix (bare, "."))
    bare[strlen (bare) - 1] = '\0';
  memset (out, 0, sizeof *out);
  if (inet_pton (AF_INET, bare, out->address) == 1)
    out->address_len = 4;
  else if (inet_pton (AF_INET6, bare, out->address) == 1)
    out->address_len = 16;
  else if (text[0] == '[' || !challenges_is_name (bare))
    {
      g_autofree char *shown = g_strescape (text, NULL);

      g_set_error (error, DETOUR_CHALLENGE_ERROR, DETOUR_CHALLENGE_ERROR_INVALID,
                   g_str_has_prefix (text, "*.")
                       ? "\"%.300s\": a name with `*` can only be proven in the zone (dns-01)"
                       : "\"%.300s\" is neither a name nor an address",
                   shown);
      return FALSE;
    }
  if (out->address_len > 0)
    *sni = challenges_reverse_name (out->address, out->address_len);
  else
    {
      g_strlcpy (out->name, bare, sizeof out->name);
      *sni = g_steal_pointer (&bare);
    }
  return TRUE;
}

/* Whether @text is TOKEN "." THUMBPRINT. */
static gboolean
challenges_is_authorization (const char *text, const char *token)
{
  gsize len = strlen (token);

  return strncmp (text, token, len) == 0 && text[len] == '.'
      && strlen (text + len + 1) == THUMBPRINT_SIZE
      && challenges_is_base64url (text + len + 1, THUMBPRINT_SIZE);
}

/* A digest that the client has made already. */
static gboolean
challenges_read_digest (const char *text, guint8 digest[32])
{
  gsize len = 0;

  return strlen (text) == THUMBPRINT_SIZE
      && sodium_base642bin (digest, 32, text, THUMBPRINT_SIZE, NULL, &len, NULL,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING)
             == 0
      && len == 32;
}

static gboolean
challenges_read_answer (Challenge *self, const char *token, const char *text, GError **error)
{
  gboolean whole;

  if (strlen (token) > TOKEN_MAX || !challenges_is_base64url (token, strlen (token)))
    {
      g_set_error (error, DETOUR_CHALLENGE_ERROR, DETOUR_CHALLENGE_ERROR_INVALID,
                   "the token is not one of 1 to %u letters, digits, `-` and `_`", TOKEN_MAX);
      return FALSE;
    }
  whole = challenges_is_authorization (text, token);
  if (self->type == CHALLENGE_HTTP_01 && whole)
    self->answer = g_strdup (text);
  else if (self->type == CHALLENGE_TLS_ALPN_01 && whole)
    crypto_hash_sha256 (self->tls.digest, (const guint8 *) text, strlen (text));
  else if (self->type == CHALLENGE_HTTP_01 || !challenges_read_digest (text, self->tls.digest))
    {
      g_set_error (error, DETOUR_CHALLENGE_ERROR, DETOUR_CHALLENGE_ERROR_INVALID,
                   "the key authorization does not have the form TOKEN.THUMBPRINT%s",
                   self->type == CHALLENGE_HTTP_01 ? "" : ", and is not its digest in base64url");
      return FALSE;
    }
  self->token = g_strdup (token);
  return TRUE;
}

/* The table ------------------------------------------------------------------------------------ */

/* With the lock held. */
static void
challenges_remove (DetourChallenges *self, guint i)
{
  g_ptr_array_remove_index (self->list, i);
  __atomic_store_n (&self->n, self->list->len, __ATOMIC_RELAXED);
}

static gboolean
challenges_is_same (const Challenge *self, const Challenge *other)
{
  return strcmp (self->owner, other->owner) == 0 && self->type == other->type
      && strcmp (self->token, other->token) == 0 && self->tls.address_len == other->tls.address_len
      && memcmp (self->tls.address, other->tls.address, sizeof self->tls.address) == 0
      && strcmp (self->tls.name, other->tls.name) == 0;
}

static void
challenges_expire (DetourChallenges *self, gint64 now_us)
{
  for (guint i = self->list->len; i-- > 0;)
    if (((const Challenge *) self->list->pdata[i])->until_us <= now_us)
      challenges_remove (self, i);
}

/* FALSE: no such thing waits. */
static gboolean
challenges_remove_same (DetourChallenges *self, const Challenge *wanted)
{
  for (guint i = self->list->len; i-- > 0;)
    if (challenges_is_same (self->list->pdata[i], wanted))
      {
        challenges_remove (self, i);
        return TRUE;
      }
  return FALSE;
}

static Challenge *
challenges_new (const char *owner, const char *type, const char *identifier, GError **error)
{
  Challenge *self = g_new0 (Challenge, 1);

  self->owner = g_strdup (owner);
  if (!challenges_read_type (type, &self->type, error)
      || !challenges_read_identifier (identifier, &self->tls, &self->sni, error))
    g_clear_pointer (&self, challenges_free);
  else if (self->type != CHALLENGE_TLS_ALPN_01)
    g_clear_pointer (&self->sni, g_free);
  return self;
}

gboolean
detour_challenges_present (DetourChallenges *self, const char *owner, const char *type,
                           const char *identifier, const char *token, const char *key_authorization,
                           gint64 now_us, GError **error)
{
  Challenge *challenge = challenges_new (owner, type, identifier, error);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  if (challenge == NULL)
    return FALSE;
  if (!challenges_read_answer (challenge, token, key_authorization, error))
    {
      challenges_free (challenge);
      return FALSE;
    }
  challenge->until_us = now_us + DETOUR_CHALLENGE_SPAN_US;
  locker = g_mutex_locker_new (&self->lock);
  challenges_expire (self, now_us);
  challenges_remove_same (self, challenge);
  if (self->list->len >= DETOUR_CHALLENGES_MAX)
    {
      g_set_error (error, DETOUR_CHALLENGE_ERROR, DETOUR_CHALLENGE_ERROR_FULL,
                   "%u challenges wait already; one that is over has to be taken back first",
                   self->list->len);
      challenges_free (challenge);
      return FALSE;
    }
  g_ptr_array_add (self->list, challenge);
  __atomic_store_n (&self->n, self->list->len, __ATOMIC_RELAXED);
  return TRUE;
}

gboolean
detour_challenges_withdraw (DetourChallenges *self, const char *owner, const char *type,
                            const char *identifier, const char *token)
{
  Challenge *wanted = challenges_new (owner, type, identifier, NULL);
  gboolean found = FALSE;

  if (wanted == NULL)
    return FALSE;
  wanted->token = g_strdup (token);
  g_mutex_lock (&self->lock);
  found = challenges_remove_same (self, wanted);
  g_mutex_unlock (&self->lock);
  challenges_free (wanted);
  return found;
}

void
detour_challenges_withdraw_all (DetourChallenges *self, const char *owner)
{
  g_mutex_lock (&self->lock);
  for (guint i = self->list->len; i-- > 0;)
    if (strcmp (((const Challenge *) self->list->pdata[i])->owner, owner) == 0)
      challenges_remove (self, i);
  g_mutex_unlock (&self->lock);
}

static gboolean
challenges_are_none (const DetourChallenges *self)
{
  return __atomic_load_n (&self->n, __ATOMIC_RELAXED) == 0;
}

char *
detour_challenges_find_http (DetourChallenges *self, const char *token, gint64 now_us)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  if (challenges_are_none (self))
    return NULL;
  locker = g_mutex_locker_new (&self->lock);
  for (guint i = self->list->len; i-- > 0;)
    {
      const Challenge *challenge = self->list->pdata[i];

      if (challenge->answer != NULL && strcmp (challenge->token, token) == 0
          && challenge->until_us > now_us)
        return g_strdup (challenge->answer);
    }
  return NULL;
}

gboolean
detour_challenges_find_tls (DetourChallenges *self, const char *sni, gint64 now_us,
                            DetourTlsChallenge *out)
{
  gsize len = strlen (sni);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  if (challenges_are_none (self))
    return FALSE;
  if (len > 0 && sni[len - 1] == '.')
    len--;
  locker = g_mutex_locker_new (&self->lock);
  for (guint i = self->list->len; i-- > 0;)
    {
      const Challenge *challenge = self->list->pdata[i];

      if (challenge->sni != NULL && strlen (challenge->sni) == len
          && g_ascii_strncasecmp (challenge->sni, sni, len) == 0 && challenge->until_us > now_us)
        {
          *out = challenge->tls;
          return TRUE;
        }
    }
  return FALSE;
}

guint
detour_challenges_count (DetourChallenges *self, gint64 now_us)
{
  guint n;

  g_mutex_lock (&self->lock);
  challenges_expire (self, now_us);
  n = self->list->len;
  g_mutex_unlock (&self->lock);
  return n;
}
