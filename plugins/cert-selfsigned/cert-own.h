/* cert-own.h: a certificate that signs itself, made here, kept in files and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Its hash, the pin, stands in the DERP maps of everybody who uses the relay. A new certificate
 * locks all of them out until their maps are changed, so the one of the last run is kept for as
 * long as it can be, and every pair that was ever made is kept in a file of its own. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* What is wrong with the pair in the files. */
typedef enum {
  CERT_OWN_FINE,
  CERT_OWN_ABSENT,  /* there is neither certificate nor key */
  CERT_OWN_DAMAGED, /* one of them is missing or damaged, or they do not belong together */
  CERT_OWN_RENAMED, /* it lacks one of the names */
  CERT_OWN_EXPIRED, /* it has expired by the clock of this host */
} CertOwnFault;

/* Where the certificate comes from. */
typedef enum {
  CERT_OWN_FROM_FILES,
  CERT_OWN_FROM_COPY, /* an earlier pair with its earlier pin, which is written back to the files */
  CERT_OWN_NEW,
} CertOwnOrigin;

typedef struct {
  const char *stem;         /* path of the files without `.crt` and `.key` */
  const char *const *names; /* DNS names and addresses, at least one, each checked */
  guint days;               /* validity of a new certificate */
  gint64 now_s;             /* Unix time, which may be wrong */
  gint64 built_s;           /* when the program was built: the clock cannot be right before that */
  gboolean replace_expired; /* the clock has been later than the end of the pair for long enough */
} CertOwnWish;

typedef struct {
  CertOwnFault fault;
  CertOwnOrigin origin;
  gboolean early;  /* by the clock of this host the certificate is not valid yet */
  char *unwritten; /* why the wanted pair could not be written, so that the one in the files is
                      served in spite of its fault; NULL: nothing had to be written, or it was */
} CertOwnOutcome;

void cert_own_outcome_clear (CertOwnOutcome *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CertOwnOutcome, cert_own_outcome_clear)

/**
 * cert_own_check_name:
 *
 * Returns: FALSE with @error set when @name is neither a DNS name (`*.` allowed in front) nor an
 * address.
 */
gboolean cert_own_check_name (const char *name, GError **error);

/**
 * cert_own_obtain:
 * @outcome: (out): what was done and why; for cert_own_outcome_clear()
 *
 * The pair in the files if it can be used: it is valid for all names, and its end has not come. The
 * beginning of its validity is never a reason against it: it was made by this program, so the
 * clock is wrong. An expired pair is used, too, until @wish says that it may be replaced.
 * Otherwise an older pair that fits, of the copies beside the files, and else a new one: P-256,
 * mode 0600. Nothing is overwritten that there is no copy of.
 *
 * Returns: (transfer full): or NULL with @error set: the files cannot be read, or there is no
 * usable pair and none can be written.
 */
DetourCert *cert_own_obtain (const CertOwnWish *wish, CertOwnOutcome *outcome, GError **error);

/* SHA-256 of the leaf's DER in lower-case hex; free with g_free(). */
char *cert_own_pin (const DetourCert *cert);

G_END_DECLS
