/* detourctl-import-put.h: the parts of a configuration that takes the place of derper's flags.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-import.h"

G_BEGIN_DECLS

/* In the order of the file. */
typedef enum {
  GROUP_CORE,
  GROUP_ADMISSION,
  GROUP_TAILSCALED,
  GROUP_URL,
  GROUP_HTTPS,
  GROUP_HTTP,
  GROUP_CERT,
  GROUP_STUN,
  GROUP_HOME,
  GROUP_DNS,
  GROUP_ACE,
  GROUP_MESH,
  GROUP_LIMITS,
  N_GROUPS,
} DetourctlImportGroup;

typedef struct {
  const DetourctlDerperFlags *flags;
  GString *groups[N_GROUPS]; /* NULL: there is none */
  GString *without;          /* comments on what has no counterpart */
  GPtrArray *faults;
  char *host;   /* of -a: "" for every address */
  guint port;   /* of -a */
  gboolean tls; /* the main listener speaks it */
} DetourctlImportText;

const DetourctlDerperValue *detourctl_import_put_value (const DetourctlImportText *self,
                                                        DetourctlDerperFlag flag);
const char *detourctl_import_put_of (const DetourctlImportText *self, DetourctlDerperFlag flag);
/* Whether the text of a flag is not empty. */
gboolean detourctl_import_put_has (const DetourctlImportText *self, DetourctlDerperFlag flag);

/* The group, which is begun when it is not there yet. */
GString *detourctl_import_put_group (DetourctlImportText *self, DetourctlImportGroup group);
void detourctl_import_put_comment_on (GString *out, const char *text);
void detourctl_import_put_comment (DetourctlImportText *self, DetourctlImportGroup group,
                                   const char *text);
void detourctl_import_put_commentf (DetourctlImportText *self, DetourctlImportGroup group,
                                    const char *format, ...) G_GNUC_PRINTF (3, 4);
/* A flag without a counterpart, and why. */
void detourctl_import_put_without (DetourctlImportText *self, DetourctlDerperFlag flag,
                                   const char *text);
/* What derper would refuse. */
void detourctl_import_put_fault (DetourctlImportText *self, DetourctlDerperFlag flag,
                                 const char *format, ...) G_GNUC_PRINTF (3, 4);
void detourctl_import_put_key (DetourctlImportText *self, DetourctlImportGroup group,
                               const char *key, const char *value);
/* The value of a flag as it is, where it was given. */
void detourctl_import_put_copy (DetourctlImportText *self, DetourctlDerperFlag flag,
                                DetourctlImportGroup group, const char *key);
/* The same for a list, which has commas there and semicolons here. */
void detourctl_import_put_list (DetourctlImportText *self, DetourctlDerperFlag flag,
                                DetourctlImportGroup group, const char *key);

/* The mesh key and the other servers; in detourctl-import-mesh.c. */
void detourctl_import_put_mesh (DetourctlImportText *self);

G_END_DECLS
