/* renewal-ask.c: what the authority is asked, and what comes of its answers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-private.h"

#include <gio/gio.h>
#include <string.h>

#include "renewal-json.h"

#define ORDER_LIMIT_S  600u /* records of a zone take minutes to be seen everywhere */
#define WINDOW_LIMIT_S 60u
#define ROLL_LIMIT_S   60u
#define HTTPS_PORT     443u
#define HTTP_PORT      80u

/* Challenges --------------------------------------------------------------------------------------
 */

/* Whether an authority that asks would come to a listener of ours. */
static gboolean
renewal_ask_is_open (const Renewal *self, RenewalChallenge challenge)
{
  gboolean secure = challenge == RENEWAL_CHALLENGE_TLS_ALPN_01;
  guint port = secure ? HTTPS_PORT : HTTP_PORT;

  if (challenge == RENEWAL_CHALLENGE_DNS_01)
    return self->options.dns_hook != NULL;
  return detour_host_listens (self->host, self->options.is_forwarded ? 0 : port, secure);
}

static gboolean
renewal_ask_can_prove (GPtrArray *challenges, const RenewalChallenge *kinds, const char *name)
{
  for (guint i = 0; i < challenges->len; i++)
    if (renewal_options_name_fits (name, kinds[i]))
      return TRUE;
  return FALSE;
}

static char *
renewal_ask_why_none (const Renewal *self, const char *name)
{
  if (g_str_has_prefix (name, "*."))
    return g_strdup_printf ("%s is proven in the zone only; set dns-hook", name);
  return g_strdup_printf ("nothing here can prove %s: no TLS listener has port 443, no HTTP "
                          "listener port 80, and there "
                          "is no dns-hook for names; if those ports lead here from outside, write "
                          "assume-port-forwarded = true",
                          name);
}

GPtrArray *
renewal_ask_challenges (Renewal *self, char **why)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  RenewalChallenge kinds[RENEWAL_N_CHALLENGES];
  guint shift = self->options.is_auto ? self->state.rotation : 0;

  for (guint i = 0; i < RENEWAL_N_CHALLENGES; i++)
    {
      RenewalChallenge kind = i;

      /* What was chosen by the operator is not doubted. */
      if (self->options.is_auto ? !renewal_ask_is_open (self, kind)
                                : kind != self->options.challenge)
        continue;
      kinds[list->len] = kind;
      g_ptr_array_add (list, (gpointer) renewal_options_challenge_name (kind));
    }
  for (guint i = 0; self->options.names[i] != NULL; i++)
    if (!renewal_ask_can_prove (list, kinds, self->options.names[i]))
      {
        *why = renewal_ask_why_none (self, self->options.names[i]);
        return NULL;
      }
  /* After a failure it is another one's turn. */
  for (shift %= list->len; shift > 0; shift--)
    g_ptr_array_add (list, g_ptr_array_steal_index (list, 0));
  return g_steal_pointer (&list);
}

/* What comes back ---------------------------------------------------------------------------------
 */

static void
renewal_ask_on_account (gpointer user, const char *key, const char *url)
{
  Renewal *self = user;
  g_autoptr (GError) error = NULL;

  if (!renewal_account_set (&self->account, self->host, &self->options, key, url, &error))
    g_warning ("%s: the account cannot be kept, and the next start makes another: %s",
               detour_host_instance (self->host), error->message);
}

static gboolean
renewal_ask_on_next_key (gpointer user, const char *key)
{
  Renewal *self = user;
  g_autoptr (GError) error = NULL;

  if (self->activity == RENEWAL_ROLLING
      && renewal_account_set_next (&self->account, self->host, &self->options, key, &error))
    return TRUE;
  g_warning ("%s: the account keeps its key, because a new one cannot be kept: %s",
             detour_host_instance (self->host),
             error != NULL ? error->message : "nobody asked for one");
  return FALSE;
}

static void
renewal_ask_on_proving (gpointer user, const char *type, const char *name)
{
  Renewal *self = user;

  if (g_strcmp0 (self->state.challenge, type) != 0)
    {
      g_free (self->state.challenge);
      self->state.challenge = g_strdup (type);
    }
  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_INSTANCE,
                    detour_host_instance (self->host), "MESSAGE", "%s: %s is proven by %s",
                    detour_host_instance (self->host), name, type);
}

static void
renewal_ask_on_window (gpointer user, gint64 start, gint64 end, gint64 retry_after_s)
{
  Renewal *self = user;

  renewal_schedule_set_window (&self->state.schedule, start, end, retry_after_s, renewal_now (),
                               g_random_int ());
}

/* A new certificate is tried before it takes the place of the old one, although the program has
 * checked it: that has read what strangers sent, and is not trusted. */
static void
renewal_ask_on_certificate (gpointer user, const char *chain, const char *key, const char *profile)
{
  Renewal *self = user;
  gint64 now = renewal_now ();
  g_autoptr (GError) error = NULL;
  RenewalPair *pair = renewal_pair_read (key, strlen (key), chain, strlen (chain), &error);

  renewal_fault_clear (&self->refused);
  if (pair == NULL
      || !renewal_pair_try (pair, (const char *const *) self->options.names, now, &error))
    {
      g_clear_pointer (&pair, renewal_pair_free);
      self->refused.step = g_strdup ("download");
      self->refused.type = g_strdup ("certificate");
      self->refused.detail = g_strdup_printf ("the authority's certificate was not taken: %s",
                                              error->message);
      return;
    }
  g_free (self->state.directory);
  g_free (self->state.profile);
  self->state.directory = g_strdup (self->options.directory_url);
  self->state.profile = g_strdup (profile);
  self->is_issued = TRUE;
  renewal_keep_pair (self, pair);
  /* Else there would be two for those who ask, until the program has ended. */
  renewal_report (self);
}

static void
renewal_ask_on_end (gpointer user, const RenewalFault *fault)
{
  Renewal *self = user;
  RenewalActivity activity = self->activity;
  const RenewalFault *worst = fault == NULL && self->refused.type != NULL ? &self->refused : fault;
  g_autoptr (RenewalOrder) order = g_steal_pointer (&self->order);

  self->activity = RENEWAL_IDLE;
  if (activity == RENEWAL_LOOKING)
    renewal_window_over (self, worst);
  else if (activity == RENEWAL_ROLLING)
    renewal_rollover_over (self, worst);
  else
    renewal_order_over (self, worst);
  renewal_fault_clear (&self->refused);
}

static const RenewalOrderFuncs renewal_ask_funcs = {
  .account = renewal_ask_on_account,
  .next_key = renewal_ask_on_next_key,
  .proving = renewal_ask_on_proving,
  .window = renewal_ask_on_window,
  .certificate = renewal_ask_on_certificate,
  .ended = renewal_ask_on_end,
};

/* Requests ----------------------------------------------------------------------------------------
 */

static void
renewal_ask_put_list (JsonObject *request, const char *name, const char *const *list, guint n)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < n; i++)
    json_array_add_string_element (array, list[i]);
  json_object_set_array_member (request, name, array);
}

static JsonObject *
renewal_ask_begin (const Renewal *self, const char *what)
{
  JsonObject *request = json_object_new ();

  renewal_json_put (request, "do", what);
  renewal_json_put (request, "directory", self->options.directory_url);
  renewal_json_put (request, "ca_file", self->options.ca_file);
  return request;
}

/* FALSE with @error set. */
static gboolean
renewal_ask_put_binding (const Renewal *self, JsonObject *request, GError **error)
{
  g_auto (DetourFile) file = { 0 };
  g_autofree char *algorithm = g_ascii_strup (self->options.eab_algorithm, -1);
  JsonObject *binding;

  if (self->options.eab_kid == NULL)
    return TRUE;
  if (!detour_file_read (self->options.eab_key_file, RENEWAL_OPTIONS_EAB_FILE_MAX,
                         DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED, &file, error))
    return FALSE;
  if (!g_utf8_validate (file.data, (gssize) file.len, NULL) || g_strstrip (file.data)[0] == '\0')
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: no key in base64",
                   self->options.eab_key_file);
      return FALSE;
    }
  binding = json_object_new ();
  renewal_json_put (binding, "kid", self->options.eab_kid);
  renewal_json_put (binding, "key", file.data);
  renewal_json_put (binding, "alg", algorithm);
  json_object_set_object_member (request, "eab", binding);
  return TRUE;
}

gboolean
renewal_ask_knows (const Renewal *self)
{
  return self->fits && g_strcmp0 (self->state.directory, self->options.directory_url) == 0;
}

static gboolean
renewal_ask_start (Renewal *self, JsonObject *request, guint limit_s, RenewalActivity activity,
                   GError **error)
{
  self->order = renewal_order_start (self->host, self->program, request, limit_s,
                                     self->options.dns_hook, &renewal_ask_funcs, self, error);
  if (self->order == NULL)
    return FALSE;
  self->activity = activity;
  self->is_issued = FALSE;
  return TRUE;
}

gboolean
renewal_ask_order (Renewal *self, GPtrArray *challenges, GError **error)
{
  g_autoptr (JsonObject) request = renewal_ask_begin (self, "order");
  g_autofree char *replaces = renewal_ask_knows (self) ? renewal_pair_renewal_id (self->pair)
                                                       : NULL;

  if (!renewal_account_load (&self->account, self->host, &self->options, error)
      || !renewal_ask_put_binding (self, request, error))
    return FALSE;
  renewal_json_put (request, "account_key", self->account.key);
  renewal_json_put (request, "account_url", self->account.url);
  renewal_json_put (request, "contact", self->options.email);
  renewal_json_put (request, "profile", self->options.profile);
  renewal_json_put (request, "key_type", self->options.key_type);
  renewal_json_put (request, "preferred_chain", self->options.preferred_chain);
  renewal_json_put (request, "replaces", replaces);
  renewal_ask_put_list (request, "names", (const char *const *) self->options.names,
                        g_strv_length (self->options.names));
  renewal_ask_put_list (request, "challenges", (const char *const *) challenges->pdata,
                        challenges->len);
  if (self->options.dns_servers[0] != NULL)
    renewal_ask_put_list (request, "dns_servers", self->options.dns_servers,
                          g_strv_length ((GStrv) self->options.dns_servers));
  return renewal_ask_start (self, g_steal_pointer (&request), ORDER_LIMIT_S, RENEWAL_ORDERING,
                            error);
}

gboolean
renewal_ask_window (Renewal *self, GError **error)
{
  JsonObject *request = renewal_ask_begin (self, "renewal-info");
  g_autofree char *chain = renewal_pair_chain_pem (self->pair);

  renewal_json_put (request, "certificate", chain);
  return renewal_ask_start (self, request, WINDOW_LIMIT_S, RENEWAL_LOOKING, error);
}

gboolean
renewal_ask_rollover (Renewal *self, GError **error)
{
  g_autoptr (JsonObject) request = NULL;

  if (!renewal_account_load (&self->account, self->host, &self->options, error))
    return FALSE;
  if (self->account.key == NULL || self->account.url == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                   "there is no account at %s yet; it is made with the first certificate",
                   self->options.authority);
      return FALSE;
    }
  request = renewal_ask_begin (self, "rollover");
  renewal_json_put (request, "account_key", self->account.key);
  renewal_json_put (request, "account_url", self->account.url);
  renewal_json_put (request, "next_key", self->account.next_key);
  return renewal_ask_start (self, g_steal_pointer (&request), ROLL_LIMIT_S, RENEWAL_ROLLING, error);
}
