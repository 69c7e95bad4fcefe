/* detour-verdict-store.c: keeps on disk which keys auth instances allowed, so that grace outlasts a
 * restart.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-store.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "detour-file-write.h"
#include "detour-file-writer.h"
#include "detour-file.h"
#include "detour-log.h"
#include "detour-verdict-draft.h"
#include "detour-verdict-file.h"

#define FILE_MODE 0600
/* So long a clock that is behind may take to become right. */
#define PATIENCE_US (5 * G_TIME_SPAN_MINUTE)
/* As in the memory of an instance: no verdict holds longer. */
#define HOLD_MAX_S 3600

/* What was read of one instance. */
typedef struct {
  guint8 source[DETOUR_VERDICT_SEAL_NAME];
  GHashTable *rows; /* DetourVerdictRow: itself */
  gboolean is_claimed;
  gboolean asks_anew; /* none of its verdicts holds */
} Section;

struct _DetourVerdictStore {
  const DetourVerdictStorePort *port;
  gpointer user;
  char *path;
  const guint8 *private_key;
  DetourVerdictSeal *seal;  /* NULL: nothing was kept so far */
  DetourFileWriter *writer; /* the same */
  gint64 grace_us;          /* 0: nothing is kept */
  GHashTable *sections;     /* id of the instance to Section */
  gint64 written_s;         /* the file says so: the clock was there once; 0: nothing was read */
  gint64 opened_us;
  guint timer; /* 0: everything is written, or about to be */
  gint64 due_us;
  gint64 begun_us; /* the last time that it was written; 0: not yet */
  gboolean is_failing;
};

static gint64
verdict_store_now_us (const DetourVerdictStore *self)
{
  return self->port->now_us (self->user);
}

gint64
detour_verdict_store_real_us (const DetourVerdictStore *self)
{
  return self->port->real_us (self->user);
}

static gint64
verdict_store_real_s (const DetourVerdictStore *self)
{
  return detour_verdict_store_real_us (self) / G_USEC_PER_SEC;
}

gboolean
detour_verdict_store_is_on (const DetourVerdictStore *self)
{
  return self->grace_us > 0;
}

const DetourVerdictSeal *
detour_verdict_store_seal (const DetourVerdictStore *self)
{
  return self->seal;
}

/* What was read -------------------------------------------------------------------------------- */

static guint
verdict_store_hash_row (gconstpointer row)
{
  guint value;

  /* Nobody without the private key can choose these bytes. */
  memcpy (&value, ((const DetourVerdictRow *) row)->key, sizeof value);
  return value;
}

static gboolean
verdict_store_equal_rows (gconstpointer a, gconstpointer b)
{
  return memcmp (((const DetourVerdictRow *) a)->key, ((const DetourVerdictRow *) b)->key,
                 DETOUR_VERDICT_SEAL_NAME)
      == 0;
}

static void
verdict_store_free_section (gpointer data)
{
  Section *section = data;

  g_hash_table_unref (section->rows);
  g_free (section);
}

static void
verdict_store_take_section (DetourVerdictStore *self, const DetourVerdictSection *read)
{
  Section *section = g_new0 (Section, 1);

  memcpy (section->source, read->source, sizeof section->source);
  section->rows = g_hash_table_new_full (verdict_store_hash_row, verdict_store_equal_rows,
                                         (GDestroyNotify) detour_verdict_row_unref, NULL);
  for (guint i = 0; i < read->rows->len; i++)
    g_hash_table_add (section->rows, detour_verdict_row_ref (read->rows->pdata[i]));
  g_hash_table_insert (self->sections, g_strdup (read->instance), section);
}

/* A row like the one that is looked for. */
static DetourVerdictRow *
verdict_store_find_row (const DetourVerdictStore *self, const Section *section,
                        const DetourKey *key)
{
  DetourVerdictRow probe;

  if (section == NULL || g_hash_table_size (section->rows) == 0)
    return NULL;
  detour_verdict_seal_name_key (self->seal, key, probe.key);
  return g_hash_table_lookup (section->rows, &probe);
}

/* Since when the verdict counts, and until when it holds; FALSE: it does not count now. */
static gboolean
verdict_store_read_times (const DetourVerdictStore *self, const Section *section,
                          const DetourVerdictRow *row, const DetourAuthRequest *request,
                          DetourVerdictTerms *terms)
{
  gint64 real_us = detour_verdict_store_real_us (self);
  gint64 real_s = real_us / G_USEC_PER_SEC;
  gint64 age_us = real_us - row->allowed_s * G_USEC_PER_SEC;
  gint64 now_us = verdict_store_now_us (self);

  if (real_s < self->written_s || age_us < 0 || age_us > self->grace_us)
    return FALSE;
  *terms = (DetourVerdictTerms) {
    .at_us = now_us - age_us,
    .at_real_us = row->allowed_s * G_USEC_PER_SEC,
    .until_us = now_us - age_us,
  };
  if (request == NULL || section->asks_anew || row->until_s <= real_s
      || row->until_s - row->allowed_s > HOLD_MAX_S
      || row->request != detour_verdict_seal_hash_request (self->seal, request))
    return TRUE;
  terms->until_us = now_us + (row->until_s * G_USEC_PER_SEC - real_us);
  terms->request = row->request;
  return TRUE;
}

DetourVerdict *
detour_verdict_store_take (DetourVerdictStore *self, const char *instance, const DetourKey *key,
                           const DetourAuthRequest *request, DetourVerdictTerms *terms)
{
  Section *section = g_hash_table_lookup (self->sections, instance);
  DetourVerdictRow *row = verdict_store_find_row (self, section, key);
  g_autofree char *label = NULL, *class_ = NULL;
  DetourVerdict fields = { .result = DETOUR_AUTH_ALLOW, .instance = instance };

  if (row == NULL || !verdict_store_read_times (self, section, row, request, terms))
    return NULL;
  if (detour_verdict_seal_open (self->seal, key, row->box, &label, &class_))
    {
      fields.label = label;
      fields.class_ = class_;
      g_hash_table_remove (section->rows, row);
      return detour_verdict_new (&fields);
    }
  /* Without its class it could mean more than was allowed. */
  g_hash_table_remove (section->rows, row);
  return NULL;
}

gboolean
detour_verdict_store_drop (DetourVerdictStore *self, const char *instance, const DetourKey *key)
{
  Section *section = g_hash_table_lookup (self->sections, instance);
  DetourVerdictRow *row = verdict_store_find_row (self, section, key);

  return row != NULL && g_hash_table_remove (section->rows, row);
}

gboolean
detour_verdict_store_drop_all (DetourVerdictStore *self, const char *instance)
{
  gboolean had_any = detour_verdict_store_size (self, instance) > 0;

  g_hash_table_remove (self->sections, instance);
  return had_any;
}

gboolean
detour_verdict_store_forget (DetourVerdictStore *self, const char *instance)
{
  Section *section = g_hash_table_lookup (self->sections, instance);
  GHashTableIter iter;
  gpointer row;

  if (section == NULL || section->asks_anew)
    return FALSE;
  section->asks_anew = TRUE;
  g_hash_table_iter_init (&iter, section->rows);
  while (g_hash_table_iter_next (&iter, &row, NULL))
    if (((const DetourVerdictRow *) row)->until_s != 0)
      return TRUE;
  return FALSE;
}

guint
detour_verdict_store_size (const DetourVerdictStore *self, const char *instance)
{
  const Section *section = g_hash_table_lookup (self->sections, instance);

  return section != NULL ? g_hash_table_size (section->rows) : 0;
}

void
detour_verdict_store_claim (DetourVerdictStore *self, const char *instance, const char *source)
{
  Section *section = g_hash_table_lookup (self->sections, instance);
  guint8 now[DETOUR_VERDICT_SEAL_NAME];

  if (section == NULL)
    return;
  section->is_claimed = TRUE;
  detour_verdict_seal_name_text (self->seal, source, now);
  if (memcmp (now, section->source, sizeof now) == 0)
    return;
  detour_log_event (G_LOG_LEVEL_MESSAGE, "grace-forgotten",
                    "%s asks another source than before the start, so the %u keys that it allowed "
                    "count for nothing any more",
                    instance, g_hash_table_size (section->rows));
  g_hash_table_remove (self->sections, instance);
  detour_verdict_store_note (self, DETOUR_VERDICT_STORE_REVOKED);
}

static gboolean
verdict_store_is_stray (gpointer id, gpointer section, gpointer user)
{
  return !((const Section *) section)->is_claimed;
}

void
detour_verdict_store_settle (DetourVerdictStore *self)
{
  if (g_hash_table_foreach_remove (self->sections, verdict_store_is_stray, NULL) > 0)
    detour_verdict_store_note (self, DETOUR_VERDICT_STORE_REVOKED);
}

/* Writing -------------------------------------------------------------------------------------- */

static void
verdict_store_on_written (const GError *error, gpointer data)
{
  DetourVerdictStore *self = data;

  if (error != NULL && !self->is_failing)
    detour_log_event (G_LOG_LEVEL_WARNING, "grace-unsaved",
                      "which keys were allowed cannot be kept: %s; it is tried again, and after a "
                      "restart grace would know less than now",
                      error->message);
  self->is_failing = error != NULL;
  if (self->is_failing)
    detour_verdict_store_note (self, DETOUR_VERDICT_STORE_ALLOWED);
}

/* A clock that stays behind is the right one, and the time in the file was wrong. */
static gboolean
verdict_store_waits_for_clock (DetourVerdictStore *self)
{
  if (verdict_store_real_s (self) >= self->written_s)
    return FALSE;
  if (verdict_store_now_us (self) - self->opened_us < PATIENCE_US)
    return TRUE;
  detour_log_event (G_LOG_LEVEL_WARNING, "grace-forgotten",
                    "the clock is still behind the time at which %s was written, so what was in it "
                    "counts for nothing any more",
                    self->path);
  g_hash_table_remove_all (self->sections);
  self->written_s = 0;
  return FALSE;
}

static void
verdict_store_add_rows (const DetourVerdictStore *self, const char *instance,
                        DetourVerdictDraft *draft)
{
  const Section *section = g_hash_table_lookup (self->sections, instance);
  GHashTableIter iter;
  gpointer row;

  if (section == NULL)
    return;
  g_hash_table_iter_init (&iter, section->rows);
  while (g_hash_table_iter_next (&iter, &row, NULL))
    detour_verdict_draft_add_row (draft, row, !section->asks_anew);
}

static void
verdict_store_write (DetourVerdictStore *self)
{
  gboolean waits = verdict_store_waits_for_clock (self);
  gint64 real_s = verdict_store_real_s (self);
  DetourVerdictDraft *draft = detour_verdict_draft_new (
      self->seal, verdict_store_now_us (self), detour_verdict_store_real_us (self), self->grace_us);

  detour_verdict_draft_set_written (
      draft, CLAMP (waits ? self->written_s : real_s, 0, DETOUR_VERDICT_FILE_TIME_MAX));
  if (detour_verdict_store_is_on (self))
    self->port->collect (self->user, draft);
  self->begun_us = verdict_store_now_us (self);
  detour_file_writer_put_draft (self->writer, detour_verdict_draft_make, draft,
                                detour_verdict_draft_free, verdict_store_on_written, self);
}

static gboolean
verdict_store_on_timer (gpointer data)
{
  DetourVerdictStore *self = data;

  self->timer = 0;
  verdict_store_write (self);
  return G_SOURCE_REMOVE;
}

void
detour_verdict_store_note (DetourVerdictStore *self, DetourVerdictStoreNews news)
{
  gint64 now_us = verdict_store_now_us (self);
  gint64 due_us = now_us;

  if (!detour_verdict_store_is_on (self))
    return;
  if (news == DETOUR_VERDICT_STORE_ALLOWED)
    due_us += DETOUR_VERDICT_STORE_LATER_US;
  else if (news == DETOUR_VERDICT_STORE_CONFIRMED)
    due_us += CLAMP (self->grace_us / 8, DETOUR_VERDICT_STORE_LATER_US,
                     DETOUR_VERDICT_STORE_SOME_US);
  else if (self->begun_us != 0)
    due_us = MAX (due_us, self->begun_us + DETOUR_VERDICT_STORE_SOON_US);
  if (self->timer != 0 && self->due_us <= due_us)
    return;
  g_clear_handle_id (&self->timer, g_source_remove);
  self->due_us = due_us;
  self->timer = g_timeout_add ((guint) ((due_us - now_us) / 1000), verdict_store_on_timer, self);
}

/* Life ----------------------------------------------------------------------------------------- */

static void
verdict_store_set_aside (DetourVerdictStore *self, const GError *why)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *aside = detour_file_set_aside (self->path, &error);

  detour_log_event (G_LOG_LEVEL_WARNING, "grace-broken",
                    "%s cannot be used: %s; grace begins anew. %s%s", self->path, why->message,
                    aside != NULL ? "The file is now " : "It could not be set aside: ",
                    aside != NULL ? aside : error->message);
}

static void
verdict_store_take_file (DetourVerdictStore *self, const DetourVerdictFile *file)
{
  gint64 behind_s = file->written_s - verdict_store_real_s (self);

  if (memcmp (file->check, detour_verdict_seal_check (self->seal), sizeof file->check) != 0)
    {
      detour_log_event (G_LOG_LEVEL_MESSAGE, "grace-forgotten",
                        "%s was written with another private key of the relay, so grace begins "
                        "anew",
                        self->path);
      return;
    }
  self->written_s = file->written_s;
  for (guint i = 0; i < file->sections->len; i++)
    verdict_store_take_section (self, file->sections->pdata[i]);
  if (behind_s > 0)
    detour_log_event (G_LOG_LEVEL_WARNING, "clock-behind",
                      "the clock is %" G_GINT64_FORMAT
                      " s behind the time at which %s was written; "
                      "until it is right, nobody is let in by grace of before the start",
                      behind_s, self->path);
}

static void
verdict_store_read (DetourVerdictStore *self)
{
  g_auto (DetourFile) file = { 0 };
  g_autoptr (DetourVerdictFile) parsed = NULL;
  g_autoptr (GError) error = NULL;

  if (detour_file_read (self->path, DETOUR_VERDICT_FILE_MAX,
                        DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED, &file,
                        &error))
    parsed = detour_verdict_file_parse ((const char *) file.data, file.len, &error);
  if (parsed != NULL)
    verdict_store_take_file (self, parsed);
  else if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    verdict_store_set_aside (self, error);
}

/* Nothing of clients stays on disk that nobody wants there. */
static void
verdict_store_remove (const DetourVerdictStore *self)
{
  if (g_unlink (self->path) < 0 && errno != ENOENT)
    detour_log_event (G_LOG_LEVEL_WARNING, "grace-unsaved", "%s cannot be removed: %s", self->path,
                      g_strerror (errno));
}

/* What is not wanted takes no memory. */
static void
verdict_store_prepare (DetourVerdictStore *self)
{
  if (self->seal != NULL)
    return;
  self->seal = detour_verdict_seal_new (self->private_key);
  self->writer = detour_file_writer_new (self->path, FILE_MODE);
}

DetourVerdictStore *
detour_verdict_store_new (const char *path, const guint8 *private_key, gint64 grace_us,
                          const DetourVerdictStorePort *port, gpointer user)
{
  DetourVerdictStore *self = g_new0 (DetourVerdictStore, 1);

  self->port = port;
  self->user = user;
  self->path = g_strdup (path);
  self->private_key = private_key;
  self->grace_us = grace_us;
  self->sections = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                          verdict_store_free_section);
  self->opened_us = verdict_store_now_us (self);
  if (grace_us <= 0)
    {
      verdict_store_remove (self);
      return self;
    }
  verdict_store_prepare (self);
  verdict_store_read (self);
  return self;
}

void
detour_verdict_store_free (DetourVerdictStore *self)
{
  if (self->timer != 0)
    {
      g_clear_handle_id (&self->timer, g_source_remove);
      verdict_store_write (self);
    }
  /* What fails now is not tried again. */
  self->grace_us = 0;
  g_clear_pointer (&self->writer, detour_file_writer_free);
  g_hash_table_unref (self->sections);
  g_clear_pointer (&self->seal, detour_verdict_seal_free);
  g_free (self->path);
  g_free (self);
}

void
detour_verdict_store_set_grace (DetourVerdictStore *self, gint64 grace_us)
{
  gboolean was_on = detour_verdict_store_is_on (self);

  self->grace_us = grace_us;
  if (grace_us > 0)
    {
      verdict_store_prepare (self);
      /* What the instances know already. */
      if (!was_on)
        detour_verdict_store_note (self, DETOUR_VERDICT_STORE_ALLOWED);
      return;
    }
  g_hash_table_remove_all (self->sections);
  g_clear_handle_id (&self->timer, g_source_remove);
  if (was_on)
    verdict_store_write (self);
}

void
detour_verdict_store_begin (DetourVerdictStore *self, const char *instance, const char *source,
                            DetourVerdictDraft *draft)
{
  detour_verdict_draft_begin (draft, instance, source);
  verdict_store_add_rows (self, instance, draft);
}
