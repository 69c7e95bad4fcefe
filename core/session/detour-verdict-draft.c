/* detour-verdict-draft.c: what is to be written of verdicts, as the main thread collects it and
 * another one makes the file of it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Collecting takes no cryptography, so that the main thread is done with 65,536 keys within
 * milliseconds. */
#include "config.h"

#include "detour-verdict-draft.h"

/* Of a key as the memory of an instance has it. */
typedef struct {
  DetourKey key;
  gint64 allowed_s, until_s;
  guint64 request;
  DetourVerdict *verdict;
} Entry;

typedef struct {
  char *instance;
  char *source;
  GArray *entries; /* of Entry */
  GPtrArray *rows; /* of DetourVerdictRow: that were read from the file before */
} Section;

struct _DetourVerdictDraft {
  const DetourVerdictSeal *seal;
  gint64 now_us, real_us, grace_us;
  gint64 written_s;
  GPtrArray *sections; /* of Section */
};

static void
verdict_draft_clear_entry (gpointer data)
{
  detour_verdict_unref (((Entry *) data)->verdict);
}

static void
verdict_draft_free_section (gpointer data)
{
  Section *section = data;

  g_free (section->instance);
  g_free (section->source);
  g_array_unref (section->entries);
  g_ptr_array_unref (section->rows);
  g_free (section);
}

DetourVerdictDraft *
detour_verdict_draft_new (const DetourVerdictSeal *seal, gint64 now_us, gint64 real_us,
                          gint64 grace_us)
{
  DetourVerdictDraft *self = g_new0 (DetourVerdictDraft, 1);

  self->seal = seal;
  self->now_us = now_us;
  self->real_us = real_us;
  self->grace_us = grace_us;
  self->sections = g_ptr_array_new_with_free_func (verdict_draft_free_section);
  return self;
}

void
detour_verdict_draft_free (gpointer data)
{
  DetourVerdictDraft *self = data;

  g_ptr_array_unref (self->sections);
  g_free (self);
}

void
detour_verdict_draft_set_written (DetourVerdictDraft *self, gint64 written_s)
{
  self->written_s = written_s;
}

void
detour_verdict_draft_begin (DetourVerdictDraft *self, const char *instance, const char *source)
{
  Section *section = g_new0 (Section, 1);

  section->instance = g_strdup (instance);
  section->source = g_strdup (source);
  section->entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_array_set_clear_func (section->entries, verdict_draft_clear_entry);
  section->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_verdict_row_unref);
  g_ptr_array_add (self->sections, section);
}

static Section *
verdict_draft_section (const DetourVerdictDraft *self)
{
  g_assert (self->sections->len > 0);
  return self->sections->pdata[self->sections->len - 1];
}

/* Both clocks say how old it is, and the older one is believed: the one of the process stands still
 * while the machine sleeps, and the other one may be set. */
static gint64
verdict_draft_allowed_us (const DetourVerdictDraft *self, const DetourVerdictTerms *terms)
{
  return MIN (terms->at_real_us, self->real_us - (self->now_us - terms->at_us));
}

void
detour_verdict_draft_add (const DetourKey *key, DetourVerdict *verdict,
                          const DetourVerdictTerms *terms, gboolean holds, gpointer draft)
{
  DetourVerdictDraft *self = draft;
  gint64 allowed_us = verdict_draft_allowed_us (self, terms);
  gint64 left_us = holds && terms->request != 0 ? terms->until_us - self->now_us : 0;
  Entry entry = { .key = *key, .allowed_s = allowed_us / G_USEC_PER_SEC };

  if (entry.allowed_s <= 0 || entry.allowed_s > DETOUR_VERDICT_FILE_TIME_MAX / 2
      || self->real_us - allowed_us > self->grace_us
      || self->now_us - terms->at_us > self->grace_us)
    return;
  /* No verdict holds longer from its beginning on than it would have done. */
  if (left_us >= G_USEC_PER_SEC)
    {
      entry.until_s = MIN (self->real_us + left_us, allowed_us + (terms->until_us - terms->at_us))
                    / G_USEC_PER_SEC;
      entry.request = terms->request;
    }
  entry.verdict = detour_verdict_ref (verdict);
  g_array_append_val (verdict_draft_section (self)->entries, entry);
}

void
detour_verdict_draft_add_row (DetourVerdictDraft *self, DetourVerdictRow *row, gboolean holds)
{
  GPtrArray *rows = verdict_draft_section (self)->rows;
  DetourVerdictRow fields = *row;

  if (self->real_us / G_USEC_PER_SEC - row->allowed_s > self->grace_us / G_USEC_PER_SEC)
    return;
  if (holds || row->until_s == 0)
    {
      g_ptr_array_add (rows, detour_verdict_row_ref (row));
      return;
    }
  fields.until_s = 0;
  fields.request = 0;
  g_ptr_array_add (rows, detour_verdict_row_new (&fields));
}

/* Making the file ------------------------------------------------------------------------------ */

static DetourVerdictRow *
verdict_draft_make_row (const DetourVerdictDraft *self, const Entry *entry)
{
  g_autofree char *box = detour_verdict_seal_close (self->seal, &entry->key, entry->verdict->label,
                                                    entry->verdict->class_);
  DetourVerdictRow fields = {
    .allowed_s = entry->allowed_s,
    .until_s = entry->until_s,
    .request = entry->request,
    .box = box,
  };

  detour_verdict_seal_name_key (self->seal, &entry->key, fields.key);
  return detour_verdict_row_new (&fields);
}

/* The latest first: they stay when there is no room for all. */
static int
verdict_draft_compare (gconstpointer a, gconstpointer b)
{
  gint64 one = (*(const DetourVerdictRow *const *) a)->allowed_s;
  gint64 other = (*(const DetourVerdictRow *const *) b)->allowed_s;

  return one < other ? 1 : one > other ? -1 : 0;
}

static void
verdict_draft_make_section (const DetourVerdictDraft *self, const Section *section,
                            DetourVerdictFile *file)
{
  guint8 source[DETOUR_VERDICT_SEAL_NAME];
  DetourVerdictSection *out;

  detour_verdict_seal_name_text (self->seal, section->source, source);
  out = detour_verdict_file_add (file, section->instance, source);
  for (guint i = 0; i < section->entries->len; i++)
    g_ptr_array_add (out->rows,
                     verdict_draft_make_row (self, &g_array_index (section->entries, Entry, i)));
  for (guint i = 0; i < section->rows->len; i++)
    g_ptr_array_add (out->rows, detour_verdict_row_ref (section->rows->pdata[i]));
  g_ptr_array_sort (out->rows, verdict_draft_compare);
}

GBytes *
detour_verdict_draft_make (gpointer data)
{
  const DetourVerdictDraft *self = data;
  g_autoptr (DetourVerdictFile) file = detour_verdict_file_new ();

  memcpy (file->check, detour_verdict_seal_check (self->seal), sizeof file->check);
  file->written_s = self->written_s;
  for (guint i = 0; i < self->sections->len; i++)
    verdict_draft_make_section (self, self->sections->pdata[i], file);
  return detour_verdict_file_format (file);
}
