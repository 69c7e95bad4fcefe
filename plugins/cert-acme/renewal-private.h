/* renewal-private.h: the inside of a renewal, for the files that carry it along.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "renewal.h"
#include "renewal-account.h"
#include "renewal-order.h"
#include "renewal-pair.h"
#include "renewal-state.h"

G_BEGIN_DECLS

typedef enum {
  RENEWAL_IDLE,
  RENEWAL_ORDERING, /* a certificate */
  RENEWAL_LOOKING,  /* at what the authority says about the one that is served */
  RENEWAL_ROLLING,  /* the account gets another key */
} RenewalActivity;

struct _Renewal {
  DetourHost *host;
  RenewalOptions options;
  char *program; /* that talks to the authority */
  RenewalState state;
  RenewalAccount account;

  RenewalPair *pair; /* that is published; NULL: none of our own */
  DetourCert *cert;  /* the same, or the first one that was imported; NULL: nothing is published */
  gboolean fits;     /* `pair` has all names that are wanted */

  RenewalActivity activity;
  RenewalOrder *order;     /* NULL: IDLE */
  int lock;                /* descriptor of the lock that orders take in turn; -1: not held */
  GPtrArray *requests;     /* DetourCertRenewal of operators that wait */
  GPtrArray *rollovers;    /* the same, for another key of the account */
  gint64 roll_again;       /* when a rollover whose end is not known is tried again; Unix */
  gboolean is_forced;      /* the next order was asked for by an operator */
  gboolean is_look_wanted; /* as soon as the program has ended */
  gboolean is_issued;      /* the order that is under way has brought a certificate */
  gboolean was_ready;      /* the daemon was ready once */
  RenewalFault refused;    /* the certificate that came is no good; all zero: it is, or none came */

  guint timer;            /* 0: none */
  gint64 started_us;      /* monotonic */
  gboolean is_pair_kept;  /* it is on disk */
  gboolean is_state_kept; /* likewise */
  char *unkept;           /* why not; NULL: both are */
  gint64 look_again;      /* when something stood in the way of an order; Unix */
  gint64 warned_us;       /* monotonic time of the last warning that little time is left */
  DetourCounter *n_issued, *n_failed;
};

/* In renewal-keep.c: what is on disk. */
void renewal_keep_load (Renewal *self);
/* Publishes @pair, which is taken, and writes it. */
void renewal_keep_pair (Renewal *self, RenewalPair *pair);
gboolean renewal_keep_state (Renewal *self);
/* Tries again what could not be written. */
void renewal_keep_again (Renewal *self);

/* In renewal-ask.c: runs of the program. */
/* The challenges that can work here, best first; NULL with *@why set: there are none for @why. Free
 * with g_ptr_array_unref(); static texts. */
GPtrArray *renewal_ask_challenges (Renewal *self, char **why);
gboolean renewal_ask_order (Renewal *self, GPtrArray *challenges, GError **error);
gboolean renewal_ask_window (Renewal *self, GError **error);
gboolean renewal_ask_rollover (Renewal *self, GError **error);
/* Whether the authority can be asked about the certificate. */
gboolean renewal_ask_knows (const Renewal *self);

/* In renewal.c: a run has ended; @fault is NULL when it did what it should. */
void renewal_order_over (Renewal *self, const RenewalFault *fault);
void renewal_window_over (Renewal *self, const RenewalFault *fault);
void renewal_rollover_over (Renewal *self, const RenewalFault *fault);

/* In renewal-report.c: status and log. */
void renewal_report (Renewal *self);
void renewal_report_issued (Renewal *self);
void renewal_report_failed (Renewal *self, const RenewalFault *fault);
void renewal_report_hindered (const Renewal *self);
/* @why: (nullable): the account keeps its key. */
void renewal_report_rollover (const Renewal *self, const char *why);

static inline gint64
renewal_now (void)
{
  return g_get_real_time () / G_USEC_PER_SEC;
}

G_END_DECLS
