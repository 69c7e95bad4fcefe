/* renewal-state.c: what an instance knows from one start to the next, beside its certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-state.h"

#include <string.h>

#include "renewal-files.h"
#include "renewal-json.h"

/* Numbers of the schedule by their names in the file. */
static const struct {
  const char *name;
  gsize offset;
} times[] = {
  { "not-before", G_STRUCT_OFFSET (RenewalSchedule, not_before) },
  { "not-after", G_STRUCT_OFFSET (RenewalSchedule, not_after) },
  { "window-start", G_STRUCT_OFFSET (RenewalSchedule, window_start) },
  { "window-end", G_STRUCT_OFFSET (RenewalSchedule, window_end) },
  { "moment", G_STRUCT_OFFSET (RenewalSchedule, moment) },
  { "look", G_STRUCT_OFFSET (RenewalSchedule, look) },
  { "last-try", G_STRUCT_OFFSET (RenewalSchedule, last_try) },
  { "next-try", G_STRUCT_OFFSET (RenewalSchedule, next_try) },
  { "limited-until", G_STRUCT_OFFSET (RenewalSchedule, limited_until) },
};

static gint64 *
renewal_state_time (RenewalSchedule *schedule, guint i)
{
  return G_STRUCT_MEMBER_P (schedule, times[i].offset);
}

void
renewal_state_clear (RenewalState *self)
{
  g_free (self->fingerprint);
  g_free (self->directory);
  g_free (self->profile);
  g_free (self->challenge);
  g_free (self->error);
  g_free (self->remedy);
  *self = (RenewalState) { 0 };
}

static void
renewal_state_read_schedule (RenewalSchedule *schedule, JsonObject *object)
{
  JsonNode *node = json_object_get_member (object, "issued");
  JsonArray *issued = node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node)
                                                                   : NULL;

  for (guint i = 0; i < G_N_ELEMENTS (times); i++)
    *renewal_state_time (schedule, i) = renewal_json_int (object, times[i].name, 0,
                                                          RENEWAL_JSON_TIME_MAX);
  schedule->jitter = (guint32) renewal_json_int (object, "jitter", 0, G_MAXUINT32);
  schedule->failures = (guint) renewal_json_int (object, "failures", 0, 1000);
  schedule->look_failures = (guint) renewal_json_int (object, "look-failures", 0, 9);
  for (guint i = 0; issued != NULL && i < json_array_get_length (issued)
                    && schedule->n_issued < RENEWAL_ISSUED_MAX;
       i++)
    {
      JsonNode *time = json_array_get_element (issued, i);

      if (JSON_NODE_HOLDS_VALUE (time) && json_node_get_value_type (time) == G_TYPE_INT64)
        schedule->issued[schedule->n_issued++] = CLAMP (json_node_get_int (time), 0,
                                                        RENEWAL_JSON_TIME_MAX);
    }
  if (schedule->not_after <= schedule->not_before)
    schedule->not_before = schedule->not_after = 0;
  if (schedule->window_end <= schedule->window_start || schedule->moment < schedule->window_start
      || schedule->moment > schedule->window_end)
    schedule->window_start = schedule->window_end = schedule->moment = 0;
}

gboolean
renewal_state_load (RenewalState *self, DetourHost *host, GError **error)
{
  g_autofree char *path = renewal_files_path (host, RENEWAL_STATE_SUFFIX);
  g_autoptr (GError) why = NULL;
  g_autoptr (JsonObject) object = renewal_files_read_json (path, &why);

  *self = (RenewalState) { 0 };
  if (why != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }
  if (object == NULL)
    return TRUE;
  renewal_state_read_schedule (&self->schedule, object);
  self->fingerprint = g_strdup (renewal_json_text (object, "fingerprint"));
  self->directory = g_strdup (renewal_json_text (object, "directory"));
  self->profile = g_strdup (renewal_json_text (object, "profile"));
  self->challenge = g_strdup (renewal_json_text (object, "challenge"));
  self->error = g_strdup (renewal_json_text (object, "error"));
  self->remedy = g_strdup (renewal_json_text (object, "remedy"));
  self->error_time = renewal_json_int (object, "error-time", 0, RENEWAL_JSON_TIME_MAX);
  self->rotation = (guint) renewal_json_int (object, "rotation", 0, G_MAXINT);
  return TRUE;
}

gboolean
renewal_state_save (const RenewalState *self, DetourHost *host, GError **error)
{
  g_autofree char *path = renewal_files_path (host, RENEWAL_STATE_SUFFIX);
  g_autoptr (JsonObject) object = json_object_new ();
  RenewalSchedule schedule = self->schedule;
  JsonArray *issued = json_array_new ();

  renewal_json_put (object, "fingerprint", self->fingerprint);
  renewal_json_put (object, "directory", self->directory);
  renewal_json_put (object, "profile", self->profile);
  renewal_json_put (object, "challenge", self->challenge);
  renewal_json_put (object, "error", self->error);
  renewal_json_put (object, "remedy", self->remedy);
  json_object_set_int_member (object, "error-time", self->error_time);
  json_object_set_int_member (object, "rotation", self->rotation);
  for (guint i = 0; i < G_N_ELEMENTS (times); i++)
    json_object_set_int_member (object, times[i].name, *renewal_state_time (&schedule, i));
  json_object_set_int_member (object, "jitter", schedule.jitter);
  json_object_set_int_member (object, "failures", schedule.failures);
  json_object_set_int_member (object, "look-failures", schedule.look_failures);
  for (guint i = 0; i < schedule.n_issued; i++)
    json_array_add_int_element (issued, schedule.issued[i]);
  json_object_set_array_member (object, "issued", issued);
  return renewal_files_write_json (path, object, error);
}

void
renewal_state_set_error (RenewalState *self, const char *text, const char *remedy, gint64 now)
{
  g_autofree char *error = g_strdup (text);
  g_autofree char *advice = g_strdup (remedy);

  g_free (self->error);
  g_free (self->remedy);
  self->error = g_steal_pointer (&error);
  self->remedy = g_steal_pointer (&advice);
  self->error_time = text != NULL ? now : 0;
}
