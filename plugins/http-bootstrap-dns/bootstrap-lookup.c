/* bootstrap-lookup.c: asks the system's resolver for all names at once.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bootstrap-lookup.h"

struct _BootstrapLookup {
  GCancellable *cancellable;
  guint n_pending;              /* the last answer frees this */
  void (*done) (gpointer user); /* NULL: abandoned */
  gpointer user;
};

typedef struct {
  BootstrapLookup *lookup;
  BootstrapName *name;
} Question;

static void
bootstrap_lookup_end (Question *question)
{
  BootstrapLookup *self = question->lookup;

  g_free (question);
  if (--self->n_pending > 0)
    return;
  if (self->done != NULL)
    self->done (self->user);
  g_object_unref (self->cancellable);
  g_free (self);
}

static void
bootstrap_lookup_on_addresses (GObject *source, GAsyncResult *result, gpointer data)
{
  Question *question = data;
  g_autoptr (GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, &error);

  if (found == NULL)
    g_debug ("no address: %s", error->message);
  else if (question->lookup->done != NULL)
    bootstrap_name_set_addresses (question->name, found);
  g_resolver_free_addresses (found);
  bootstrap_lookup_end (question);
}

static void
bootstrap_lookup_on_records (GObject *source, GAsyncResult *result, gpointer data)
{
  Question *question = data;
  g_autoptr (GError) error = NULL;
  GList *found = g_resolver_lookup_records_finish (G_RESOLVER (source), result, &error);
  gboolean is_answer = error == NULL
                    || g_error_matches (error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND);

  if (is_answer && question->lookup->done != NULL)
    bootstrap_name_set_percent (question->name, found);
  g_list_free_full (found, (GDestroyNotify) g_variant_unref);
  bootstrap_lookup_end (question);
}

static Question *
bootstrap_lookup_question (BootstrapLookup *self, BootstrapName *name)
{
  Question *question = g_new (Question, 1);

  *question = (Question) { self, name };
  self->n_pending++;
  return question;
}

BootstrapLookup *
bootstrap_lookup_new (GPtrArray *names, void (*done) (gpointer user), gpointer user)
{
  BootstrapLookup *self = g_new0 (BootstrapLookup, 1);
  g_autoptr (GResolver) resolver = g_resolver_get_default ();

  self->cancellable = g_cancellable_new ();
  self->done = done;
  self->user = user;
  for (guint i = 0; i < names->len; i++)
    {
      BootstrapName *name = names->pdata[i];

      g_resolver_lookup_by_name_async (resolver, name->name, self->cancellable,
                                       bootstrap_lookup_on_addresses,
                                       bootstrap_lookup_question (self, name));
      if (name->txt_name != NULL)
        g_resolver_lookup_records_async (resolver, name->txt_name, G_RESOLVER_RECORD_TXT,
                                         self->cancellable, bootstrap_lookup_on_records,
                                         bootstrap_lookup_question (self, name));
    }
  return self;
}

void
bootstrap_lookup_give_up (BootstrapLookup *self)
{
  g_cancellable_cancel (self->cancellable);
}

void
bootstrap_lookup_abandon (BootstrapLookup *self)
{
  self->done = NULL;
  g_cancellable_cancel (self->cancellable);
}
