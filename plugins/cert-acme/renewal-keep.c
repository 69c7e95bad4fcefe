/* renewal-keep.c: certificate and state of a renewal on disk.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-private.h"

#include <glib/gstdio.h>
#include <string.h>

#include "renewal-files.h"
#include "renewal-import.h"

#define PAIR_SUFFIX ".pem"

/* Nothing that cannot be read is thrown away: somebody may want to know what it was. */
static void
renewal_keep_aside (Renewal *self, const char *suffix, const char *why)
{
  g_autofree char *path = renewal_files_path (self->host, suffix);
  g_autofree char *aside = g_strconcat (path, ".broken", NULL);

  g_warning ("%s: %s; kept as %s", detour_host_instance (self->host), why, aside);
  g_rename (path, aside);
}

static void
renewal_keep_note (Renewal *self, const GError *error)
{
  if (self->is_pair_kept && self->is_state_kept)
    {
      if (self->unkept != NULL)
        g_message ("%s: certificate and state are written now", detour_host_instance (self->host));
      g_clear_pointer (&self->unkept, g_free);
      return;
    }
  if (error == NULL || g_strcmp0 (self->unkept, error->message) == 0)
    return;
  g_free (self->unkept);
  self->unkept = g_strdup (error->message);
  g_warning ("%s: cannot be written, and is tried again: %s", detour_host_instance (self->host),
             self->unkept);
}

static void
renewal_keep_write_pair (Renewal *self)
{
  g_autofree char *path = renewal_files_path (self->host, PAIR_SUFFIX);
  char *pem = renewal_pair_to_pem (self->pair);
  g_autoptr (GError) error = NULL;

  self->is_pair_kept = pem != NULL && renewal_files_make_folder (self->host, &error)
                    && renewal_files_write (path, pem, strlen (pem), &error);
  renewal_pair_wipe (pem);
  renewal_keep_note (self, error);
}

gboolean
renewal_keep_state (Renewal *self)
{
  g_autoptr (GError) error = NULL;

  self->is_state_kept = renewal_files_make_folder (self->host, &error)
                     && renewal_state_save (&self->state, self->host, &error);
  renewal_keep_note (self, error);
  return self->is_state_kept;
}

void
renewal_keep_again (Renewal *self)
{
  if (!self->is_pair_kept && self->pair != NULL)
    renewal_keep_write_pair (self);
  if (!self->is_state_kept)
    renewal_keep_state (self);
}

/* The schedule goes by the pair that is served, and by none that lacks a name. */
static void
renewal_keep_follow_pair (Renewal *self)
{
  RenewalSchedule *schedule = &self->state.schedule;
  gint64 from = self->fits ? self->pair->not_before : 0;
  gint64 to = self->fits ? self->pair->not_after : 0;

  if (schedule->not_before != from || schedule->not_after != to)
    renewal_schedule_set_certificate (schedule, from, to, g_random_int ());
}

/* FALSE: it cannot be published. */
static gboolean
renewal_keep_take_pair (Renewal *self, RenewalPair *pair)
{
  DetourCert *cert = renewal_pair_to_cert (pair);

  if (cert == NULL)
    {
      renewal_pair_free (pair);
      return FALSE;
    }
  g_clear_pointer (&self->pair, renewal_pair_free);
  g_clear_pointer (&self->cert, detour_cert_unref);
  self->pair = pair;
  self->cert = cert;
  self->fits = renewal_pair_has_names (pair, (const char *const *) self->options.names);
  detour_host_publish_certs (self->host, &self->cert, 1);
  renewal_keep_follow_pair (self);
  return TRUE;
}

void
renewal_keep_pair (Renewal *self, RenewalPair *pair)
{
  if (!renewal_keep_take_pair (self, pair))
    return;
  self->is_pair_kept = FALSE;
  renewal_keep_write_pair (self);
}

/* At the start ------------------------------------------------------------------------------------
 */

static void
renewal_keep_load_pair (Renewal *self)
{
  g_autofree char *path = renewal_files_path (self->host, PAIR_SUFFIX);
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) error = NULL;
  RenewalPair *pair = NULL;

  if (renewal_files_read (path, &file, &error) && file.data != NULL)
    {
      pair = renewal_pair_read (file.data, file.len, file.data, file.len, &error);
      if (pair == NULL)
        g_prefix_error (&error, "%s: ", path);
    }
  if (error != NULL)
    renewal_keep_aside (self, PAIR_SUFFIX, error->message);
  if (pair != NULL)
    renewal_keep_take_pair (self, pair);
}

/* What derper had serves until there is one of our own; one that has all names is ours. */
static void
renewal_keep_import (Renewal *self)
{
  g_autoptr (GPtrArray) pairs = renewal_import_pairs (&self->options, renewal_now ());
  g_autoptr (GPtrArray) certs = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_cert_unref);

  for (guint i = 0; i < pairs->len; i++)
    {
      RenewalPair *pair = pairs->pdata[i];
      DetourCert *cert;

      if (renewal_pair_has_names (pair, (const char *const *) self->options.names))
        {
          g_message ("%s: the certificate in %s is taken over", detour_host_instance (self->host),
                     self->options.import_directory);
          renewal_keep_pair (self, g_ptr_array_steal_index (pairs, i));
          return;
        }
      cert = renewal_pair_to_cert (pair);
      if (cert != NULL)
        g_ptr_array_add (certs, cert);
    }
  if (certs->len == 0)
    return;
  self->cert = detour_cert_ref (certs->pdata[0]);
  detour_host_publish_certs (self->host, (DetourCert *const *) certs->pdata, certs->len);
  g_message ("%s: certificates in %s serve until there is one for all names",
             detour_host_instance (self->host), self->options.import_directory);
}

void
renewal_keep_load (Renewal *self)
{
  g_autofree char *fingerprint = renewal_options_fingerprint (&self->options);
  g_autoptr (GError) error = NULL;

  if (!renewal_state_load (&self->state, self->host, &error))
    renewal_keep_aside (self, RENEWAL_STATE_SUFFIX, error->message);
  self->is_pair_kept = self->is_state_kept = TRUE;
  renewal_keep_load_pair (self);
  if (self->pair == NULL)
    renewal_keep_import (self);
  renewal_keep_follow_pair (self);
  if (g_strcmp0 (fingerprint, self->state.fingerprint) == 0)
    return;
  if (self->state.fingerprint != NULL)
    {
      renewal_schedule_start_over (&self->state.schedule);
      renewal_state_set_error (&self->state, NULL, NULL, 0);
    }
  g_free (self->state.fingerprint);
  self->state.fingerprint = g_steal_pointer (&fingerprint);
}
