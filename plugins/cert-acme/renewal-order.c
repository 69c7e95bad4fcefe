/* renewal-order.c: one run of the program that talks to an authority, and the challenges that it
 * has answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-order.h"

#include <string.h>

#include "renewal-hook.h"
#include "renewal-json.h"
#include "renewal-process.h"

/* Beyond the time that the program itself keeps to. */
#define GRACE_S 15u
/* An order has at most 100 names. */
#define PRESENTED_MAX 256u

typedef struct {
  gint64 id;
  char *type, *name, *identifier, *token;
  char *record, *value; /* of dns-01; NULL otherwise */
  gboolean is_answered; /* the program was told the outcome */
  gboolean is_over;     /* it is being taken back, or was */
  guint n_jobs;         /* of the hook that are not over */
} Presented;

struct _RenewalOrder {
  DetourHost *host;
  const char *dns_hook;
  const RenewalOrderFuncs *funcs;
  gpointer user;
  RenewalProcess *process; /* NULL: it has ended */
  RenewalHook *hook;       /* NULL: not needed so far */
  GPtrArray *presented;
  RenewalFault fault;
  gboolean is_faulty;
};

void
renewal_fault_clear (RenewalFault *self)
{
  g_free (self->step);
  g_free (self->type);
  g_free (self->name);
  g_free (self->challenge);
  g_free (self->detail);
  g_free (self->remedy);
  *self = (RenewalFault) { 0 };
}

static void
renewal_order_free_presented (gpointer data)
{
  Presented *presented = data;

  g_free (presented->type);
  g_free (presented->name);
  g_free (presented->identifier);
  g_free (presented->token);
  g_free (presented->record);
  g_free (presented->value);
  g_free (presented);
}

/* What the program is told -----------------------------------------------------------------------
 */

static char *
renewal_order_to_line (JsonObject *object)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  json_node_set_object (node, object);
  return json_to_string (node, FALSE);
}

static void
renewal_order_answer (RenewalOrder *self, Presented *presented, const char *why)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *line = NULL;

  if (presented->is_answered || self->process == NULL)
    return;
  presented->is_answered = TRUE;
  json_object_set_int_member (object, why == NULL ? "presented" : "refused", presented->id);
  if (why != NULL)
    json_object_set_string_member (object, "why", why);
  line = renewal_order_to_line (object);
  renewal_process_say (self->process, line);
}

/* Challenges --------------------------------------------------------------------------------------
 */

static void renewal_order_end_if_idle (RenewalOrder *self);

static void
renewal_order_on_hook (gpointer user, gpointer tag, const char *why)
{
  RenewalOrder *self = user;
  Presented *presented = tag;

  presented->n_jobs--;
  if (!presented->is_over)
    {
      renewal_order_answer (self, presented, why);
      return;
    }
  if (why != NULL && presented->n_jobs == 0)
    g_warning ("%s: the record %s may be left in the zone: %s", detour_host_instance (self->host),
               presented->record, why);
  renewal_order_end_if_idle (self);
}

static void
renewal_order_run_hook (RenewalOrder *self, const char *verb, Presented *presented)
{
  if (self->hook == NULL)
    self->hook = renewal_hook_new (self->dns_hook, detour_host_instance (self->host),
                                   renewal_order_on_hook, self);
  presented->n_jobs++;
  renewal_hook_run (self->hook, verb, presented->record, presented->value, presented);
}

static void
renewal_order_take_back (RenewalOrder *self, Presented *presented)
{
  if (presented->is_over)
    return;
  presented->is_over = TRUE;
  if (presented->record != NULL)
    renewal_order_run_hook (self, "cleanup", presented);
  else
    detour_host_withdraw_challenge (self->host, presented->type, presented->identifier,
                                    presented->token);
}

static void
renewal_order_present (RenewalOrder *self, Presented *presented, const char *key_authorization)
{
  g_autoptr (GError) error = NULL;

  self->funcs->proving (self->user, presented->type, presented->name);
  if (strcmp (presented->type, "dns-01") == 0)
    {
      if (self->dns_hook != NULL && presented->record != NULL && presented->value != NULL)
        renewal_order_run_hook (self, "present", presented);
      else
        renewal_order_answer (self, presented, "there is no program that writes the zone");
      return;
    }
  g_clear_pointer (&presented->record, g_free);
  detour_host_present_challenge (self->host, presented->type, presented->identifier,
                                 presented->token, key_authorization, &error);
  renewal_order_answer (self, presented, error != NULL ? error->message : NULL);
}

/* What the program says ---------------------------------------------------------------------------
 */

static gboolean
renewal_order_misspoke (RenewalOrder *self, const char *what)
{
  renewal_fault_clear (&self->fault);
  self->is_faulty = TRUE;
  self->fault.step = g_strdup ("input");
  self->fault.type = g_strdup ("helper");
  self->fault.detail = g_strdup_printf ("the program that talks to the authority %s", what);
  return FALSE;
}

static gboolean
renewal_order_take_present (RenewalOrder *self, JsonObject *event)
{
  const char *type = renewal_json_text (event, "type");
  const char *identifier = renewal_json_text (event, "identifier");
  const char *token = renewal_json_text (event, "token");
  const char *authorization = renewal_json_text (event, "key_authorization");
  const char *name = renewal_json_text (event, "name");
  Presented *presented;

  if (type == NULL || identifier == NULL || token == NULL || authorization == NULL
      || self->presented->len >= PRESENTED_MAX)
    return renewal_order_misspoke (self, "named a challenge that is none");
  presented = g_new0 (Presented, 1);
  presented->id = renewal_json_int (event, "id", 0, G_MAXINT64);
  presented->type = g_strdup (type);
  presented->name = g_strdup (name != NULL ? name : identifier);
  presented->identifier = g_strdup (identifier);
  presented->token = g_strdup (token);
  presented->record = g_strdup (renewal_json_text (event, "record"));
  presented->value = g_strdup (renewal_json_text (event, "value"));
  g_ptr_array_add (self->presented, presented);
  renewal_order_present (self, presented, authorization);
  return TRUE;
}

static gboolean
renewal_order_take_cleanup (RenewalOrder *self, JsonObject *event)
{
  gint64 id = renewal_json_int (event, "id", 0, G_MAXINT64);

  for (guint i = 0; i < self->presented->len; i++)
    if (((Presented *) self->presented->pdata[i])->id == id)
      renewal_order_take_back (self, self->presented->pdata[i]);
  return TRUE;
}

static gboolean
renewal_order_take_account (RenewalOrder *self, JsonObject *event)
{
  const char *key = renewal_json_text (event, "key");

  if (key == NULL)
    return renewal_order_misspoke (self, "told of an account without a key");
  self->funcs->account (self->user, key, renewal_json_text (event, "url"));
  return TRUE;
}

static gboolean
renewal_order_take_next_key (RenewalOrder *self, JsonObject *event)
{
  const char *key = renewal_json_text (event, "key");
  g_autoptr (JsonObject) object = NULL;
  g_autofree char *line = NULL;

  if (key == NULL)
    return renewal_order_misspoke (self, "offered a key that is none");
  object = json_object_new ();
  json_object_set_boolean_member (object, "stored", self->funcs->next_key (self->user, key));
  line = renewal_order_to_line (object);
  renewal_process_say (self->process, line);
  return TRUE;
}

static gboolean
renewal_order_take_renewal (RenewalOrder *self, JsonObject *event)
{
  gint64 start = renewal_json_int (event, "start", 1, RENEWAL_JSON_TIME_MAX);
  gint64 end = renewal_json_int (event, "end", 1, RENEWAL_JSON_TIME_MAX);

  if (start == 0 || end <= start)
    return renewal_order_misspoke (self, "told of a window that is none");
  self->funcs->window (self->user, start, end,
                       renewal_json_int (event, "retry_after", 0, 366 * 86400));
  return TRUE;
}

static gboolean
renewal_order_take_certificate (RenewalOrder *self, JsonObject *event)
{
  const char *chain = renewal_json_text (event, "chain");
  const char *key = renewal_json_text (event, "key");

  if (chain == NULL || key == NULL)
    return renewal_order_misspoke (self, "brought a certificate without chain or key");
  self->funcs->certificate (self->user, chain, key, renewal_json_text (event, "profile"));
  return TRUE;
}

static gboolean
renewal_order_take_error (RenewalOrder *self, JsonObject *event)
{
  const char *step = renewal_json_text (event, "step");
  const char *type = renewal_json_text (event, "type");
  const char *detail = renewal_json_text (event, "detail");

  renewal_fault_clear (&self->fault);
  self->is_faulty = TRUE;
  self->fault.step = g_strdup (step != NULL ? step : "order");
  self->fault.type = g_strdup (type != NULL ? type : "protocol");
  self->fault.detail = g_strdup (detail != NULL ? detail : "no reason given");
  self->fault.name = g_strdup (renewal_json_text (event, "name"));
  self->fault.challenge = g_strdup (renewal_json_text (event, "challenge"));
  self->fault.remedy = g_strdup (renewal_json_text (event, "remedy"));
  self->fault.status = renewal_json_int (event, "status", 100, 599);
  self->fault.retry_after_s = renewal_json_int (event, "retry_after", 1, 366 * 86400);
  return TRUE;
}

static gboolean
renewal_order_take_note (RenewalOrder *self, JsonObject *event)
{
  const char *text = renewal_json_text (event, "text");
  g_autofree char *shown = g_strescape (text != NULL ? text : "", NULL);

  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_INFO, DETOUR_LOG_INSTANCE,
                    detour_host_instance (self->host), "MESSAGE", "%s: %.500s",
                    detour_host_instance (self->host), shown);
  return TRUE;
}

/* FALSE: the program is not worth listening to any more. Events that are not known are for others.
 */
static gboolean
renewal_order_take (RenewalOrder *self, JsonObject *event)
{
  static const struct {
    const char *name;
    gboolean (*take) (RenewalOrder *self, JsonObject *event);
  } kinds[] = {
    { "account", renewal_order_take_account }, { "next-key", renewal_order_take_next_key },
    { "present", renewal_order_take_present }, { "cleanup", renewal_order_take_cleanup },
    { "renewal", renewal_order_take_renewal }, { "certificate", renewal_order_take_certificate },
    { "error", renewal_order_take_error },     { "note", renewal_order_take_note },
  };
  const char *name = renewal_json_text (event, "event");

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_strcmp0 (name, kinds[i].name) == 0)
      return kinds[i].take (self, event);
  return TRUE;
}

static void renewal_order_on_end (gpointer user, const char *why, const char *complaint);

static void
renewal_order_on_line (gpointer user, const char *line, gsize len)
{
  RenewalOrder *self = user;
  g_autoptr (JsonObject) event = NULL;

  if (len == 0)
    return;
  event = renewal_json_parse (line, len, RENEWAL_PROCESS_LINE_MAX, NULL);
  if (event == NULL)
    renewal_order_misspoke (self, "wrote what is no event");
  else if (renewal_order_take (self, event))
    return;
  renewal_order_on_end (self, NULL, "");
}

/* The end -----------------------------------------------------------------------------------------
 */

static void
renewal_order_end_if_idle (RenewalOrder *self)
{
  if (self->process != NULL || (self->hook != NULL && renewal_hook_is_busy (self->hook)))
    return;
  self->funcs->ended (self->user, self->is_faulty ? &self->fault : NULL);
}

static void
renewal_order_on_end (gpointer user, const char *why, const char *complaint)
{
  RenewalOrder *self = user;

  g_clear_pointer (&self->process, renewal_process_free);
  if (why != NULL && !self->is_faulty)
    {
      g_autofree char *bare = g_strchomp (g_strdup (complaint));
      g_autofree char *last = g_strescape (bare, NULL);
      g_autofree char *text = last[0] != '\0' ? g_strdup_printf ("%s: %.300s", why, last)
                                              : g_strdup (why);

      renewal_order_misspoke (self, text);
    }
  for (guint i = 0; i < self->presented->len; i++)
    renewal_order_take_back (self, self->presented->pdata[i]);
  renewal_order_end_if_idle (self);
}

static const RenewalProcessFuncs renewal_order_process_funcs = { renewal_order_on_line,
                                                                 renewal_order_on_end };

RenewalOrder *
renewal_order_start (DetourHost *host, const char *program, JsonObject *request, guint limit_s,
                     const char *dns_hook, const RenewalOrderFuncs *funcs, gpointer user,
                     GError **error)
{
  RenewalOrder *self = g_new0 (RenewalOrder, 1);
  char *line;

  self->host = host;
  self->dns_hook = dns_hook;
  self->funcs = funcs;
  self->user = user;
  self->presented = g_ptr_array_new_with_free_func (renewal_order_free_presented);
  json_object_set_int_member (request, "time_limit", limit_s);
  self->process = renewal_process_start ((const char *const[]) { program, NULL }, limit_s + GRACE_S,
                                         &renewal_order_process_funcs, self, error);
  if (self->process != NULL)
    {
      line = renewal_order_to_line (request);
      renewal_process_say (self->process, line);
      explicit_bzero (line, strlen (line));
      g_free (line);
    }
  else
    g_prefix_error (error, "the program that talks to the authority cannot be started; install it "
                           "again, or see to `program`: ");
  json_object_unref (request);
  if (self->process == NULL)
    g_clear_pointer (&self, renewal_order_free);
  return self;
}

void
renewal_order_free (RenewalOrder *self)
{
  g_clear_pointer (&self->process, renewal_process_free);
  g_clear_pointer (&self->hook, renewal_hook_free);
  for (guint i = 0; i < self->presented->len; i++)
    {
      Presented *presented = self->presented->pdata[i];

      if (presented->is_over && presented->n_jobs == 0)
        continue;
      if (presented->record != NULL)
        renewal_hook_run_detached (self->dns_hook, "cleanup", presented->record, presented->value);
      else
        detour_host_withdraw_challenge (self->host, presented->type, presented->identifier,
                                        presented->token);
    }
  g_ptr_array_unref (self->presented);
  renewal_fault_clear (&self->fault);
  g_free (self);
}
