/* detour-handover.c: all that one program hands to the next one: a record in memory, and
 * descriptors.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detour-convoy.h"
#include "detour-descriptors.h"
#include "detour-text.h"

G_DEFINE_QUARK (detour - handover - error - quark, detour_handover_error)

/* Older headers lack it; so do kernels before 6.3. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

#define MAGIC      "detour\r\n"
#define MAGIC_SIZE 8u
#define HEAD_SIZE  (MAGIC_SIZE + sizeof (guint32))
#define SEALS      (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* So many bytes are written at a time. */
#define CHUNK ((gsize) 256 << 10)

#define VERSION_MAX 64u

/* Those that a reader has to know. */
static const guint16 handover_must[] = {
  DETOUR_HANDOVER_ABOUT,     DETOUR_HANDOVER_LISTENER, DETOUR_HANDOVER_SESSION,
  DETOUR_HANDOVER_STRAGGLER, DETOUR_HANDOVER_FDS,      DETOUR_HANDOVER_END,
  DETOUR_HANDOVER_SAMPLE,
};

enum {
  TAG_VERSION = 1 | DETOUR_RECORD_MUST,
  TAG_START = 2,
  TAG_START_REAL = 3,
  TAG_PAUSED = 4,
  TAG_N_UPGRADES = 5,
  TAG_N_KEPT = 6,
  TAG_N_LOST = 7,
  TAG_N_CONNECTIONS = 8,
  TAG_N_ATTEMPTS = 9,
  TAG_N_UNFINISHED = 10,
};

/* Writing -------------------------------------------------------------------------------------- */

struct _DetourHandoverDraft {
  int fd;
  GArray *fds; /* of guint32 */
  DetourRecord record;
};

static gboolean
handover_fail (GError **error, const char *what)
{
  g_set_error (error, DETOUR_HANDOVER_ERROR, DETOUR_HANDOVER_ERROR_FILE, "%s: %s", what,
               g_strerror (errno));
  return FALSE;
}

static gboolean
handover_draft_write (DetourHandoverDraft *self, const guint8 *data, gsize len, GError **error)
{
  while (len > 0)
    {
      gssize n = write (self->fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return handover_fail (error, "no memory for what goes along");
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

static gboolean
handover_draft_flush (DetourHandoverDraft *self, GError **error)
{
  gboolean good = handover_draft_write (self, self->record.data, self->record.len, error);

  detour_record_empty (&self->record);
  return good;
}

DetourHandoverDraft *
detour_handover_draft_new (GError **error)
{
  g_autoptr (DetourHandoverDraft) self = g_new0 (DetourHandoverDraft, 1);
  guint8 head[HEAD_SIZE];
  guint32 format_be = GUINT32_TO_BE (DETOUR_HANDOVER_FORMAT);

  self->fds = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->fd = memfd_create ("detour", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (self->fd < 0 && errno == EINVAL)
    self->fd = memfd_create ("detour", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  memcpy (head, MAGIC, MAGIC_SIZE);
  memcpy (head + MAGIC_SIZE, &format_be, sizeof format_be);
  if (self->fd < 0)
    {
      handover_fail (error, "no file in memory");
      return NULL;
    }
  if (!handover_draft_write (self, head, sizeof head, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
detour_handover_draft_free (DetourHandoverDraft *self)
{
  if (self->fd >= 0)
    close (self->fd);
  detour_record_clear (&self->record);
  g_array_unref (self->fds);
  g_free (self);
}

void
detour_handover_draft_about (DetourHandoverDraft *self, const DetourHandoverAbout *about)
{
  DetourRecord *out = &self->record;
  gsize mark;

  detour_record_put_tags (out, DETOUR_HANDOVER_TAGS, handover_must, G_N_ELEMENTS (handover_must));
  mark = detour_record_begin (out, DETOUR_HANDOVER_ABOUT);
  detour_record_put_text (out, TAG_VERSION, about->version);
  detour_record_put_number (out, TAG_START, (guint64) about->start_us);
  detour_record_put_number (out, TAG_START_REAL, (guint64) about->start_real_us);
  detour_record_put_number (out, TAG_PAUSED, (guint64) about->paused_us);
  detour_record_put_number (out, TAG_N_UPGRADES, about->n_upgrades);
  detour_record_put_number (out, TAG_N_KEPT, about->n_kept);
  detour_record_put_number (out, TAG_N_LOST, about->n_lost);
  detour_record_put_number (out, TAG_N_CONNECTIONS, about->n_connections);
  detour_record_put_number (out, TAG_N_ATTEMPTS, about->n_attempts);
  detour_record_put_number (out, TAG_N_UNFINISHED, about->n_unfinished);
  detour_record_end (out, mark);
}

DetourRecord *
detour_handover_draft_record (DetourHandoverDraft *self)
{
  return &self->record;
}

gboolean
detour_handover_draft_commit (DetourHandoverDraft *self, GError **error)
{
  return self->record.len < CHUNK || handover_draft_flush (self, error);
}

guint32
detour_handover_draft_add_fd (DetourHandoverDraft *self, int fd)
{
  guint32 number = (guint32) fd;

  g_array_append_val (self->fds, number);
  return self->fds->len - 1;
}

gboolean
detour_handover_draft_seal (DetourHandoverDraft *self, GError **error)
{
  g_autofree guint32 *numbers = g_new (guint32, self->fds->len + 1);

  for (guint i = 0; i < self->fds->len; i++)
    numbers[i] = GUINT32_TO_BE (g_array_index (self->fds, guint32, i));
  detour_record_put (&self->record, DETOUR_HANDOVER_FDS, numbers,
                     self->fds->len * sizeof numbers[0]);
  detour_record_put (&self->record, DETOUR_HANDOVER_END, NULL, 0);
  if (!handover_draft_flush (self, error))
    return FALSE;
  return fcntl (self->fd, F_ADD_SEALS, SEALS) == 0
      || handover_fail (error, "the file in memory cannot be sealed");
}

void
detour_handover_draft_pass (DetourHandoverDraft *self, gboolean pass)
{
  for (guint i = 0; i < self->fds->len; i++)
    detour_descriptors_inherit ((int) g_array_index (self->fds, guint32, i), pass);
  detour_descriptors_inherit (self->fd, pass);
}

int
detour_handover_draft_fd (const DetourHandoverDraft *self)
{
  return self->fd;
}

gboolean
detour_handover_draft_send (const DetourHandoverDraft *self, int socket, GError **error)
{
  return detour_convoy_send (socket, self->fd, (const int *) (gconstpointer) self->fds->data,
                             self->fds->len, error);
}

/* Reading -------------------------------------------------------------------------------------- */

struct _DetourHandover {
  int fd;
  guint8 *data; /* NULL: forgotten */
  gsize len;
  DetourHandoverAbout about;
  GArray *fds;      /* of int; -1: taken */
  gboolean is_sent; /* by another process: the numbers in the record are none of this one's */
};

static gboolean
handover_refuse (GError **error, DetourHandoverError code, const char *text)
{
  g_set_error_literal (error, DETOUR_HANDOVER_ERROR, code, text);
  return FALSE;
}

/* Only a sealed file stays as long as it is now. */
static gboolean
handover_map (DetourHandover *self, GError **error)
{
  int seals = fcntl (self->fd, F_GET_SEALS);
  struct stat st;
  void *data;

  if (seals < 0 || (seals & SEALS) != SEALS)
    return handover_refuse (error, DETOUR_HANDOVER_ERROR_FILE, "the record is not sealed");
  if (fstat (self->fd, &st) < 0)
    return handover_fail (error, "the record cannot be read");
  if (st.st_size < (off_t) HEAD_SIZE)
    return handover_refuse (error, DETOUR_HANDOVER_ERROR_FORM, "the record is too short");
  data = mmap (NULL, (gsize) st.st_size, PROT_READ, MAP_PRIVATE, self->fd, 0);
  if (data == MAP_FAILED)
    return handover_fail (error, "the record cannot be read");
  madvise (data, (gsize) st.st_size, MADV_DONTDUMP);
  self->data = data;
  self->len = (gsize) st.st_size;
  return TRUE;
}

static gboolean
handover_check_head (const DetourHandover *self, GError **error)
{
  guint32 format_be;

  if (memcmp (self->data, MAGIC, MAGIC_SIZE) != 0)
    return handover_refuse (error, DETOUR_HANDOVER_ERROR_FORM, "this is no record of Detour");
  memcpy (&format_be, self->data + MAGIC_SIZE, sizeof format_be);
  if (GUINT32_FROM_BE (format_be) == DETOUR_HANDOVER_FORMAT)
    return TRUE;
  g_set_error (error, DETOUR_HANDOVER_ERROR, DETOUR_HANDOVER_ERROR_VERSION,
               "the record has format %u, and this program reads %u", GUINT32_FROM_BE (format_be),
               DETOUR_HANDOVER_FORMAT);
  return FALSE;
}

/* It is shown to operators. NULL: it is none. */
static char *
handover_dup_version (const DetourRecordItem *item)
{
  g_autofree char *text = detour_record_dup_text (item, VERSION_MAX);

  return detour_text_tidy (text, VERSION_MAX);
}

static gboolean
handover_take_fact (const DetourRecordItem *item, gpointer user)
{
  DetourHandoverAbout *about = user;

  switch (item->tag)
    {
    case TAG_VERSION:
      g_free (about->version);
      about->version = handover_dup_version (item);
      return about->version != NULL;
    case TAG_START:
      return detour_record_time (item, &about->start_us);
    case TAG_START_REAL:
      return detour_record_time (item, &about->start_real_us);
    case TAG_PAUSED:
      return detour_record_time (item, &about->paused_us);
    case TAG_N_UPGRADES:
      return detour_record_number (item, G_MAXUINT64, &about->n_upgrades);
    case TAG_N_KEPT:
      return detour_record_number (item, G_MAXUINT64, &about->n_kept);
    case TAG_N_LOST:
      return detour_record_number (item, G_MAXUINT64, &about->n_lost);
    case TAG_N_CONNECTIONS:
      return detour_record_number (item, G_MAXUINT64, &about->n_connections);
    case TAG_N_ATTEMPTS:
      return detour_record_number (item, G_MAXUINT64, &about->n_attempts);
    case TAG_N_UNFINISHED:
      return detour_record_number (item, G_MAXUINT64, &about->n_unfinished);
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

/* Descriptors that are none, the first three, and one that is named twice, make it worthless. */
static gboolean
handover_take_fds (DetourHandover *self, const DetourRecordItem *item)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  if (self->is_sent)
    return item->len == self->fds->len * sizeof (guint32);
  if (self->fds->len > 0 || item->len % sizeof (guint32) != 0)
    return FALSE;
  for (gsize at = 0; at < item->len; at += sizeof (guint32))
    {
      guint32 number_be;
      int fd;

      memcpy (&number_be, item->data + at, sizeof number_be);
      fd = (int) MIN (GUINT32_FROM_BE (number_be), (guint32) G_MAXINT);
      if (fd <= STDERR_FILENO || fd == self->fd || fcntl (fd, F_SETFD, FD_CLOEXEC) < 0
          || !g_hash_table_add (seen, GINT_TO_POINTER (fd)))
        return FALSE;
      g_array_append_val (self->fds, fd);
    }
  return TRUE;
}

/* The rehearsal hears so of all that may come later. */
static gboolean
handover_is_known (const DetourRecordItem *item)
{
  if (item->tag == DETOUR_HANDOVER_TAGS)
    return detour_record_has_tags (item, handover_must, G_N_ELEMENTS (handover_must));
  if ((item->tag & DETOUR_RECORD_MUST) == 0)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (handover_must); i++)
    if (handover_must[i] == item->tag)
      return TRUE;
  return FALSE;
}

static gboolean
handover_read (DetourHandover *self, GError **error)
{
  DetourRecordReader reader = detour_handover_items (self);
  DetourRecordItem item = { 0 };
  DetourRecordStep step = DETOUR_RECORD_DAMAGED;
  gboolean good = TRUE;

  while (good && (step = detour_record_next (&reader, &item)) == DETOUR_RECORD_ITEM)
    {
      if (!handover_is_known (&item))
        return handover_refuse (error, DETOUR_HANDOVER_ERROR_VERSION,
                                "the record has parts that only a newer program knows");
      if (item.tag == DETOUR_HANDOVER_ABOUT)
        good = detour_record_take_inside (&item, handover_take_fact, &self->about)
            && self->about.version != NULL;
      else if (item.tag == DETOUR_HANDOVER_FDS)
        good = handover_take_fds (self, &item);
    }
  if (!good || step != DETOUR_RECORD_END || item.tag != DETOUR_HANDOVER_END
      || self->about.version == NULL)
    return handover_refuse (error, DETOUR_HANDOVER_ERROR_FORM, "the record is damaged");
  return TRUE;
}

/* @fds: (nullable): taken */
static DetourHandover *
handover_open (int fd, GArray *fds, GError **error)
{
  DetourHandover *self = g_new0 (DetourHandover, 1);

  self->fd = fd;
  self->is_sent = fds != NULL;
  self->fds = fds != NULL ? fds : g_array_new (FALSE, FALSE, sizeof (int));
  if (handover_map (self, error) && handover_check_head (self, error)
      && handover_read (self, error))
    return self;
  detour_handover_free (self);
  return NULL;
}

DetourHandover *
detour_handover_open (int fd, GError **error)
{
  return handover_open (fd, NULL, error);
}

DetourHandover *
detour_handover_receive (int socket, GError **error)
{
  GArray *fds;
  int fd;

  return detour_convoy_receive (socket, &fd, &fds, error) ? handover_open (fd, fds, error) : NULL;
}

gboolean
detour_handover_peek (int fd, guint16 tag, DetourRecord *out)
{
  DetourHandover self = { .fd = fd };
  gboolean found = FALSE;
  DetourRecordReader reader;
  DetourRecordItem item;

  if (handover_map (&self, NULL) && handover_check_head (&self, NULL))
    {
      reader = detour_handover_items (&self);
      while (!found && detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
        found = item.tag == tag;
      if (found)
        detour_record_put (out, tag, item.data, item.len);
    }
  if (self.data != NULL)
    munmap (self.data, self.len);
  return found;
}

void
detour_handover_forget (DetourHandover *self)
{
  if (self->data != NULL)
    munmap (self->data, self->len);
  self->data = NULL;
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

void
detour_handover_free (DetourHandover *self)
{
  detour_handover_forget (self);
  for (guint i = 0; i < self->fds->len; i++)
    if (g_array_index (self->fds, int, i) >= 0)
      close (g_array_index (self->fds, int, i));
  g_array_unref (self->fds);
  g_free (self->about.version);
  g_free (self);
}

const DetourHandoverAbout *
detour_handover_about (const DetourHandover *self)
{
  return &self->about;
}

DetourRecordReader
detour_handover_items (const DetourHandover *self)
{
  g_assert (self->data != NULL);
  return (DetourRecordReader) { self->data + HEAD_SIZE, self->len - HEAD_SIZE };
}

int
detour_handover_take_fd (DetourHandover *self, guint32 place)
{
  int fd;

  if (place >= self->fds->len)
    return -1;
  fd = g_array_index (self->fds, int, place);
  g_array_index (self->fds, int, place) = -1;
  return fd;
}
