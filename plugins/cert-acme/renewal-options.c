/* renewal-options.c: what a [cert NAME] group of cert-acme asks for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-options.h"

#include <arpa/inet.h>
#include <gio/gio.h>
#include <string.h>

#include "renewal-check.h"

#define NAMES_MAX      100u
#define NAME_MAX_BYTES 253u

const DetourConfigKey renewal_options_config[] = {
  { "names", DETOUR_CONFIG_STRING,
    .summary = "host names (`*.` at the front is possible) and addresses; without it [core] "
               "hostname",
    .flags = DETOUR_CONFIG_LIST },
  { "directory-url", DETOUR_CONFIG_STRING, "letsencrypt",
    .summary = "the authority: `letsencrypt`, `letsencrypt-staging`, `zerossl`, `google`, or the "
               "URL of its directory" },
  { "email", DETOUR_CONFIG_STRING, .summary = "where the authority may write to" },
  { "profile", DETOUR_CONFIG_STRING, "auto",
    .summary = "the authority's profile; `auto` is `shortlived` for addresses, else what the "
               "authority takes" },
  { "challenge", DETOUR_CONFIG_ENUM, "auto",
    .summary = "how names are proven; `auto` takes what can work here",
    .words = "auto|http-01|tls-alpn-01|dns-01" },
  { "assume-port-forwarded", DETOUR_CONFIG_BOOL, "false",
    .summary = "with `challenge = auto`: ports 443 and 80 of the public address lead here, "
               "whatever ports listeners have" },
  { "dns-hook", DETOUR_CONFIG_PATH,
    .summary = "program that puts a record into the zone: `present NAME VALUE`, `cleanup NAME "
               "VALUE`" },
  { "dns-servers", DETOUR_CONFIG_STRING,
    .summary = "IP:PORT of servers that are asked for the record instead of the zone's own",
    .flags = DETOUR_CONFIG_LIST },
  { "key-type", DETOUR_CONFIG_ENUM, "p256", .summary = "kind of key of new certificates",
    .words = "p256|p384|rsa2048" },
  { "preferred-chain", DETOUR_CONFIG_STRING,
    .summary = "issuer of the chain's last certificate, where the authority has several chains" },
  { "eab-kid", DETOUR_CONFIG_STRING, .summary = "ID of the key that binds the account" },
  { "eab-key-file", DETOUR_CONFIG_PATH, .summary = "file with that key, in base64" },
  { "eab-algorithm", DETOUR_CONFIG_ENUM, "hs256",
    .summary = "hash that binds the account by that key; only where the authority names another",
    .words = "hs256|hs384|hs512" },
  { "ca-file", DETOUR_CONFIG_PATH,
    .summary = "roots in PEM that the authority's own server is verified by, instead of the "
               "system's" },
  { "import-directory", DETOUR_CONFIG_PATH,
    .summary = "derper's `-certdir`: account and first certificate are taken from there" },
  { "program", DETOUR_CONFIG_PATH,
    .summary = "program that talks to the authority, instead of the one that comes with Detour" },
  { NULL },
};

static const struct {
  const char *word, *url;
} authorities[] = {
  { "letsencrypt", "https://acme-v02.api.letsencrypt.org/directory" },
  { "letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory" },
  { "zerossl", "https://acme.zerossl.com/v2/DV90" },
  { "google", "https://dv.acme-v02.api.pki.goog/directory" },
};

static const char *const challenge_names[RENEWAL_N_CHALLENGES] = {
  [RENEWAL_CHALLENGE_TLS_ALPN_01] = "tls-alpn-01",
  [RENEWAL_CHALLENGE_HTTP_01] = "http-01",
  [RENEWAL_CHALLENGE_DNS_01] = "dns-01",
};

const char *
renewal_options_challenge_name (RenewalChallenge challenge)
{
  return challenge_names[challenge];
}

static const char *
renewal_options_directory_url (const char *text)
{
  for (guint i = 0; i < G_N_ELEMENTS (authorities); i++)
    if (strcmp (authorities[i].word, text) == 0)
      return authorities[i].url;
  return text;
}

gboolean
renewal_options_name_is_address (const char *name)
{
  guint8 bytes[16];

  return inet_pton (AF_INET, name, bytes) == 1 || inet_pton (AF_INET6, name, bytes) == 1;
}

/* Letters, digits and hyphens; what IDNA made of others looks like that, too. */
static gboolean
renewal_options_is_dns_name (const char *name)
{
  gsize len = strlen (name);
  guint label = 0, n_letters = 0;

  if (len == 0 || len > NAME_MAX_BYTES)
    return FALSE;
  for (gsize i = 0; i < len; i++)
    if (name[i] == '.')
      {
        if (label == 0 || name[i - 1] == '-')
          return FALSE;
        label = n_letters = 0;
      }
    else if ((!g_ascii_isalnum (name[i]) && name[i] != '-') || (name[i] == '-' && label == 0)
             || ++label > 63)
      return FALSE;
    else
      n_letters += g_ascii_isdigit (name[i]) ? 0 : 1;
  /* What ends with a number is a broken address. */
  return label > 0 && name[len - 1] != '-' && n_letters > 0;
}

/* The form in which a name is ordered: lower case, punycode, no final dot; of addresses the one of
 * RFC 5952. NULL: it is no name. */
static char *
renewal_options_canonical (const char *text)
{
  gsize len = strlen (text);
  g_autofree char *bare = len > 2 && text[0] == '[' && text[len - 1] == ']'
                            ? g_strndup (text + 1, len - 2)
                            : g_strdup (text);
  const char *rest = g_str_has_prefix (bare, "*.") ? bare + 2 : bare;
  g_autofree char *name = NULL;
  g_autofree char *lower = NULL;
  char canonical[INET6_ADDRSTRLEN];
  guint8 bytes[16];

  if (inet_pton (AF_INET, bare, bytes) == 1)
    return g_strdup (inet_ntop (AF_INET, bytes, canonical, sizeof canonical));
  if (inet_pton (AF_INET6, bare, bytes) == 1)
    return g_strdup (inet_ntop (AF_INET6, bytes, canonical, sizeof canonical));
  if (text[0] == '[')
    return NULL;
  name = g_hostname_to_ascii (rest);
  if (name == NULL)
    return NULL;
  if (g_str_has_suffix (name, "."))
    name[strlen (name) - 1] = '\0';
  lower = g_ascii_strdown (name, -1);
  if (!renewal_options_is_dns_name (lower))
    return NULL;
  return g_strconcat (rest != bare ? "*." : "", lower, NULL);
}

static gboolean
renewal_options_check_name (const DetourSettings *settings, const char *text, const char *challenge,
                            GError **error)
{
  g_autofree char *name = renewal_options_canonical (text);

  if (name == NULL)
    detour_settings_error (settings, "names", error, "\"%s\" is neither a host name nor an address",
                           text);
  else if (g_str_has_prefix (name, "*.") && !detour_settings_has (settings, "dns-hook"))
    detour_settings_error (settings, "names", error,
                           "\"%s\": a name with `*` is proven in the zone only; set `dns-hook`",
                           text);
  else if (g_str_has_prefix (name, "*.") && strcmp (challenge, "auto") != 0
           && strcmp (challenge, "dns-01") != 0)
    detour_settings_error (settings, "challenge", error,
                           "%s: \"%s\" is proven in the zone only; write dns-01 or auto", challenge,
                           text);
  else if (renewal_options_name_is_address (name) && strcmp (challenge, "dns-01") == 0)
    detour_settings_error (settings, "challenge", error,
                           "dns-01: the address \"%s\" is not proven in a zone; write auto", text);
  else
    return TRUE;
  return FALSE;
}

static gboolean
renewal_options_check_directory (const DetourSettings *settings, GError **error)
{
  const char *text = detour_settings_string (settings, "directory-url");
  const char *url = renewal_options_directory_url (text);

  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_NONE, NULL);

  /* It would be sent and logged with every request. */
  if (uri != NULL && g_uri_get_userinfo (uri) != NULL)
    {
      detour_settings_error (settings, "directory-url", error,
                             "the URL has a user or a password in it, which no authority wants; "
                             "for a key that it gave you there are `eab-kid` and `eab-key-file`");
      return FALSE;
    }
  if (uri != NULL && g_str_has_prefix (url, "https://"))
    {
      if ((strcmp (text, "zerossl") == 0 || strcmp (text, "google") == 0)
          && !detour_settings_has (settings, "eab-kid"))
        detour_settings_warn (settings, "directory-url",
                              "%s makes no account without a key that it gave you; set `eab-kid` "
                              "and `eab-key-file`",
                              text);
      return TRUE;
    }
  detour_settings_error (settings, "directory-url", error,
                         "\"%s\" is neither a known authority nor a URL that begins with https://; "
                         "known are letsencrypt, letsencrypt-staging, zerossl, google",
                         text);
  return FALSE;
}

gboolean
renewal_options_check (const DetourSettings *settings, GError **error)
{
  const char *const *names = detour_settings_list (settings, "names");
  const char *challenge = detour_settings_string (settings, "challenge");
  gboolean has_kid = detour_settings_has (settings, "eab-kid");

  if (!renewal_options_check_directory (settings, error) || !renewal_check_values (settings, error))
    return FALSE;
  for (guint i = 0; names[i] != NULL; i++)
    {
      if (i >= NAMES_MAX)
        {
          detour_settings_error (settings, "names", error,
                                 "more than %u names; no authority takes so many", NAMES_MAX);
          return FALSE;
        }
      if (!renewal_options_check_name (settings, names[i], challenge, error))
        return FALSE;
    }
  if (strcmp (challenge, "dns-01") == 0 && !detour_settings_has (settings, "dns-hook"))
    {
      detour_settings_error (settings, "challenge", error,
                             "dns-01 needs a program that writes the zone; set `dns-hook`");
      return FALSE;
    }
  if (has_kid != detour_settings_has (settings, "eab-key-file"))
    {
      detour_settings_error (settings, has_kid ? "eab-kid" : "eab-key-file", error,
                             "`eab-kid` and `eab-key-file` are set together or not at all");
      return FALSE;
    }
  renewal_check_files (settings);
  return TRUE;
}

static RenewalChallenge
renewal_options_challenge_of (const char *word)
{
  RenewalChallenge challenge = 0;

  while (challenge < RENEWAL_N_CHALLENGES - 1 && strcmp (challenge_names[challenge], word) != 0)
    challenge++;
  return challenge;
}

/* Each name once. */
static GStrv
renewal_options_names (const char *const *names)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; names[i] != NULL; i++)
    {
      char *name = renewal_options_canonical (names[i]);

      if (name == NULL || g_ptr_array_find_with_equal_func (list, name, g_str_equal, NULL))
        g_free (name);
      else
        g_ptr_array_add (list, name);
    }
  g_ptr_array_add (list, NULL);
  g_ptr_array_set_free_func (list, NULL);
  return (GStrv) g_ptr_array_free (g_steal_pointer (&list), FALSE);
}

/* Why [core] hostname cannot stand for `names`; NULL: it can, or need not. */
static const char *
renewal_options_hostname_fault (const DetourSettings *settings, const char *hostname)
{
  g_autofree char *name = NULL;

  if (detour_settings_list (settings, "names")[0] != NULL)
    return NULL;
  if (hostname == NULL)
    return "not set, and [core] hostname neither; write the name that clients dial";
  name = renewal_options_canonical (hostname);
  return name == NULL ? "not set, and [core] hostname is neither a host name nor an address" : NULL;
}

void
renewal_options_advise (const DetourSettings *settings, const char *hostname, GPtrArray *advice)
{
  const char *fault = renewal_options_hostname_fault (settings, hostname);

  if (fault != NULL)
    detour_settings_complain (settings, "names", "%s", fault);
}

gboolean
renewal_options_init (RenewalOptions *self, DetourSettings *settings, const char *hostname,
                      GError **error)
{
  const char *const *names = detour_settings_list (settings, "names");
  const char *const own[] = { hostname, NULL };
  const char *challenge = detour_settings_string (settings, "challenge");
  const char *fault = renewal_options_hostname_fault (settings, hostname);

  if (fault != NULL)
    {
      detour_settings_error (settings, "names", error, "%s", fault);
      return FALSE;
    }
  if (names[0] == NULL)
    names = own;
  *self = (RenewalOptions) {
    .settings = detour_settings_ref (settings),
    .names = renewal_options_names (names),
    .authority = detour_settings_string (settings, "directory-url"),
    .ca_file = detour_settings_string (settings, "ca-file"),
    .email = detour_settings_string (settings, "email"),
    .profile = detour_settings_string (settings, "profile"),
    .key_type = detour_settings_string (settings, "key-type"),
    .preferred_chain = detour_settings_string (settings, "preferred-chain"),
    .eab_kid = detour_settings_string (settings, "eab-kid"),
    .eab_key_file = detour_settings_string (settings, "eab-key-file"),
    .eab_algorithm = detour_settings_string (settings, "eab-algorithm"),
    .dns_hook = detour_settings_string (settings, "dns-hook"),
    .dns_servers = detour_settings_list (settings, "dns-servers"),
    .import_directory = detour_settings_string (settings, "import-directory"),
    .program = detour_settings_string (settings, "program"),
    .is_auto = strcmp (challenge, "auto") == 0,
    .is_forwarded = detour_settings_bool (settings, "assume-port-forwarded"),
  };
  self->directory_url = renewal_options_directory_url (self->authority);
  if (!self->is_auto)
    self->challenge = renewal_options_challenge_of (challenge);
  return TRUE;
}

void
renewal_options_clear (RenewalOptions *self)
{
  g_clear_pointer (&self->names, g_strfreev);
  g_clear_pointer (&self->settings, detour_settings_unref);
}

gboolean
renewal_options_name_fits (const char *name, RenewalChallenge challenge)
{
  return challenge == RENEWAL_CHALLENGE_DNS_01 ? !renewal_options_name_is_address (name)
                                               : !g_str_has_prefix (name, "*.");
}

char *
renewal_options_fingerprint (const RenewalOptions *self)
{
  g_autofree char *names = g_strjoinv (" ", self->names);
  const char *parts[] = {
    names,
    self->directory_url,
    self->ca_file != NULL ? self->ca_file : "",
    self->profile,
    self->key_type,
    self->preferred_chain != NULL ? self->preferred_chain : "",
    self->eab_kid != NULL ? self->eab_kid : "",
    strcmp (self->eab_algorithm, "hs256") != 0 ? self->eab_algorithm : "",
    self->dns_hook != NULL ? self->dns_hook : "",
    self->is_auto ? "auto" : renewal_options_challenge_name (self->challenge),
    self->is_forwarded ? "forwarded" : "",
    NULL,
  };
  g_autofree char *all = g_strjoinv ("\n", (GStrv) parts);

  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, all, -1);
}
