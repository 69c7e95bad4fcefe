/* detour-handover.h: all that one program hands to the next one: a record in memory, and
 * descriptors.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The record is in a sealed memory file: it is on no disk, in no core dump, and nobody changes it
 * any more. It holds the keys of connections, so it is good for one reader, and only until that one
 * seals its first bytes: it is closed before. */
#pragma once

#include "detour-record.h"

G_BEGIN_DECLS

/* Grows when a program must not read the records of earlier ones, or they not its own, although
 * every tag is known. */
#define DETOUR_HANDOVER_FORMAT 1u

/* Outermost items. */
enum {
  DETOUR_HANDOVER_ABOUT = 1 | DETOUR_RECORD_MUST, /* once */
  DETOUR_HANDOVER_LISTENER = 2 | DETOUR_RECORD_MUST,
  DETOUR_HANDOVER_SESSION = 3 | DETOUR_RECORD_MUST,
  DETOUR_HANDOVER_STRAGGLER = 4 | DETOUR_RECORD_MUST, /* place of a descriptor to be closed soon */
  DETOUR_HANDOVER_RELAY_COUNTERS = 5,
  DETOUR_HANDOVER_FDS = 6 | DETOUR_RECORD_MUST, /* numbers of all descriptors */
  DETOUR_HANDOVER_END = 7 | DETOUR_RECORD_MUST, /* last */
  DETOUR_HANDOVER_WORKER_COUNTERS = 8,
  DETOUR_HANDOVER_HANDSHAKE_COUNTERS = 9,
  /* Of a rehearsal. */
  DETOUR_HANDOVER_SAMPLE = 10 | DETOUR_RECORD_MUST, /* of a record layer */
  DETOUR_HANDOVER_INSTANCE = 11,                    /* that runs: its id */
  DETOUR_HANDOVER_BY_HAND = 12,                     /* what an operator has set; once */
  DETOUR_HANDOVER_EVENTS = 13,                      /* one item in it for each event; a second
                                                       time with those that came meanwhile */
  DETOUR_HANDOVER_LOG = 14,                         /* the last lines, likewise */
  DETOUR_HANDOVER_HISTORY = 15,                     /* of the totals; once */
  DETOUR_HANDOVER_TENANT = 16,                      /* its totals */
  DETOUR_HANDOVER_HELD = 18,                        /* a descriptor to be closed at a time */
  DETOUR_HANDOVER_PLUGIN = 17,                      /* what an instance counted and remembers */
  DETOUR_HANDOVER_SESSION_TAGS = 20,                /* see detour_session_record_write_tags() */
  DETOUR_HANDOVER_TAGS = 21,                        /* the same of these here */
  DETOUR_HANDOVER_REGISTRY_TOTALS = 22,
  DETOUR_HANDOVER_MESH_KEY = 23, /* that its connections have shown: what stands for it; once */
  DETOUR_HANDOVER_UNHEARD = 24,  /* of the straggler that follows: nothing was read of it, so a
                                    program that knows this serves it */
  DETOUR_HANDOVER_WATCH = 25,    /* 1 + place of the descriptor by which a worker watched; one for
                                    each, in their order, to a program in the same process */
  DETOUR_HANDOVER_CONFIG = 26,   /* that is in force; once */
};

/* Of the program that wrote it. */
typedef struct {
  char *version;
  gint64 start_us, start_real_us; /* when the first of these programs started, by both clocks */
  gint64 paused_us;               /* since when nothing moves, monotonic */
  guint64 n_upgrades;             /* with this one */
  guint64 n_attempts;             /* the same with those that failed */
  guint64 n_kept, n_lost;         /* clients: on their way, and told to connect again */
  guint64 n_unfinished;           /* connections that had not logged in, and are closed */
  guint64 n_connections;          /* accepted so far: they are numbered */
} DetourHandoverAbout;

/* Writing -------------------------------------------------------------------------------------- */

typedef struct _DetourHandoverDraft DetourHandoverDraft;

/* Main thread, as all of this. */
DetourHandoverDraft *detour_handover_draft_new (GError **error);
/* Closes it. Descriptors are not its own. */
void detour_handover_draft_free (DetourHandoverDraft *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourHandoverDraft, detour_handover_draft_free)

void detour_handover_draft_about (DetourHandoverDraft *self, const DetourHandoverAbout *about);
/* For the next outermost item; after it, detour_handover_draft_commit(). */
DetourRecord *detour_handover_draft_record (DetourHandoverDraft *self);
gboolean detour_handover_draft_commit (DetourHandoverDraft *self, GError **error);
/* Returns: its place. */
guint32 detour_handover_draft_add_fd (DetourHandoverDraft *self, int fd);

/* Nothing is added any more. */
gboolean detour_handover_draft_seal (DetourHandoverDraft *self, GError **error);
/* Whether its descriptors, and that of the record, stay open in another program. */
void detour_handover_draft_pass (DetourHandoverDraft *self, gboolean pass);
/* Of the record. */
int detour_handover_draft_fd (const DetourHandoverDraft *self);
/* Both go through a socket to another process, as by detour_convoy_send(). */
gboolean detour_handover_draft_send (const DetourHandoverDraft *self, int socket, GError **error);

/* Reading -------------------------------------------------------------------------------------- */

typedef struct _DetourHandover DetourHandover;

#define DETOUR_HANDOVER_ERROR (detour_handover_error_quark ())
GQuark detour_handover_error_quark (void);

typedef enum {
  DETOUR_HANDOVER_ERROR_FILE,    /* it is not there, or not sealed */
  DETOUR_HANDOVER_ERROR_VERSION, /* of a program that is too new, or too old */
  DETOUR_HANDOVER_ERROR_FORM,
} DetourHandoverError;

/**
 * detour_handover_open:
 * @fd: of the record; taken
 *
 * Takes all descriptors that the record names; none of them is open in a program that is started.
 */
DetourHandover *detour_handover_open (int fd, GError **error);
/* The same of what detour_handover_draft_send() sent; DETOUR_CONVOY_ERROR_NONE: nothing did. */
DetourHandover *detour_handover_receive (int socket, GError **error);
/* Looks into the record of @fd, from which it can be read as before: appends the first item with
 * @tag. FALSE: it has none, or cannot be read. */
gboolean detour_handover_peek (int fd, guint16 tag, DetourRecord *out);
/* Forgets the record and closes the descriptors that nobody took. */
void detour_handover_free (DetourHandover *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourHandover, detour_handover_free)
/* The record is gone everywhere from now on; descriptors stay. */
void detour_handover_forget (DetourHandover *self);

const DetourHandoverAbout *detour_handover_about (const DetourHandover *self);
/* All outermost items; not after detour_handover_forget(). */
DetourRecordReader detour_handover_items (const DetourHandover *self);
/* The caller's from now on; -1: there is no such place, or it was taken. */
int detour_handover_take_fd (DetourHandover *self, guint32 place);

G_END_DECLS
