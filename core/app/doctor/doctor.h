/* doctor.h: what the checks of `detourctl doctor` know, and how they say what they found.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A check is a function in the table of detourctl-doctor.c. It looks at one thing, and adds
 * findings to its report. Checks run at the same time, each on a thread of its own, and only read
 * what they know. */
#pragma once

#include <sys/types.h>

#include "detour-config-load.h"
#include "detourctl.h"

/* Where clients ask when the map names no port. */
#define DOCTOR_STUN_PORT 3478

G_BEGIN_DECLS

typedef enum {
  DOCTOR_OK,
  DOCTOR_NOTE,    /* nothing to do, or it could not be looked at */
  DOCTOR_WARNING, /* it works, but should not stay like this */
  DOCTOR_PROBLEM, /* clients notice */
} DoctorStatus;

typedef struct {
  const char *area; /* static */
  const char *code; /* "port_taken", for programs; static */
  DoctorStatus status;
  char *text;    /* one sentence without a full stop; translated */
  char *remedy;  /* what to do, a sentence; translated. NULL: nothing */
  char *command; /* a line to type, or one of the configuration; several are on lines of their own.
                    NULL: none */
} DoctorFinding;

/* What one check found, in the order in which it did. */
typedef struct {
  const char *area;
  GPtrArray *findings; /* of DoctorFinding */
} DoctorReport;

/* Takes @text, @remedy and @command. A remedy that ends in a colon loses it where there is no
 * command behind it. */
void doctor_find (DoctorReport *report, const char *code, DoctorStatus status, char *text,
                  char *remedy, char *command);
void doctor_finding_free (gpointer finding);

/* FALSE: @error, of an attempt to reach @where, is not that this host has no such network; nothing
 * is found then. */
gboolean doctor_find_unreachable (DoctorReport *report, const char *where, const GError *error);

/* Where a client would come in. */
typedef struct {
  char *name;           /* asked for in TLS and HTTP */
  GPtrArray *addresses; /* of GInetAddress */
  guint16 port;         /* 0: no listener relays */
  gboolean secure;
  guint16 stun_port;    /* 0: none */
  guint16 captive_port; /* plain; 0: none */
  gboolean is_fallback; /* the name leads nowhere, so the addresses are this host's own */
} DoctorTarget;

typedef struct {
  Detourctl *ctl;
  gboolean is_remote; /* another host's relay: only what can be seen from outside */
  gint64 limit_us;    /* of each step on the network */

  /* Of this host's relay. */
  gboolean has_all_areas; /* no area was named */
  gboolean is_dev; /* started with --dev: what it runs with is in no file, or not all of it */
  char *main_file; /* that the daemon reads; NULL: none, which only is_dev may do without */
  gboolean is_usual_file;   /* where the daemon looks by itself */
  gboolean is_without_file; /* main_file does not exist, and the environment says all */
  gboolean no_vendor;
  DetourConfig *config;       /* NULL: it has errors */
  DetourConfigErrors *errors; /* and warnings */
  char *state_directory;
  GArray *listeners; /* of DetourConfigListener; NULL without config */
  GVariant *manager; /* of the daemon that runs; NULL: none answers */
  GVariant *objects;
  char *no_daemon;  /* why none answers; NULL: one does */
  pid_t daemon_pid; /* 0: unknown */
  uid_t uid;        /* that the daemon has, or would have */
  gid_t gid;
  char *user;          /* its name, or number */
  gboolean knows_user; /* otherwise it is whoever asks */

  /* Of the relay as clients find it. */
  DoctorTarget target;
  GError *resolver_error; /* why target has no addresses of its name */
  char *ca_file, *pin;    /* options; NULL: not given */
  char *map;              /* a file or a URL; NULL: not given */
  guint8 *mesh_key;       /* 32 bytes; NULL: none */
} Doctor;

typedef void (*DoctorCheck) (const Doctor *doctor, DoctorReport *report);

/* ---- doctor-facts.c -------------------------------------------------------------------------- */

typedef struct {
  char *host; /* "NAME[:PORT]"; NULL: this host */
  char *config_file;
  gboolean no_vendor;
  char *user;
  char *ca_file, *pin, *mesh_key_file, *map;
  int stun_port; /* of a remote relay, 1 to 65535; -1: none */
} DoctorOptions;

/* Knows nothing but how long a step may take. */
void doctor_init (Doctor *self, Detourctl *ctl);
/* Looks at what all checks need to know. Blocks, on a file system that does not answer for ever;
 * any thread, and nobody else may use @self meanwhile. FALSE: the options are wrong, and it has
 * said so. */
gboolean doctor_learn (Doctor *self, const DoctorOptions *options);
void doctor_clear (Doctor *self);

/* Options of detourd with a blank before each, for commands; "" when it needs none. */
char *doctor_config_option (const Doctor *self);

/* How to start and to restart the daemon. */
char *doctor_start_command (const Doctor *self);
char *doctor_restart_command (const Doctor *self);

/* ---- doctor-setting.c ------------------------------------------------------------------------ */

/* What gives @key of a fixed group this value: a line with the variable, or lines of a file.
 * @settings: (nullable): of the group */
char *doctor_setting (const Doctor *doctor, const DetourSettings *settings, const char *group,
                      const char *key, const char *value);

/* ---- checks ---------------------------------------------------------------------------------- */

void doctor_config_check (const Doctor *doctor, DoctorReport *report);
void doctor_files_check (const Doctor *doctor, DoctorReport *report);
void doctor_ports_check (const Doctor *doctor, DoctorReport *report);
void doctor_captive_check (const Doctor *doctor, DoctorReport *report);
void doctor_names_check (const Doctor *doctor, DoctorReport *report);
void doctor_certificate_check (const Doctor *doctor, DoctorReport *report);
void doctor_stun_check (const Doctor *doctor, DoctorReport *report);
/* Of a relay that is out of service: that nothing was looked at; and nothing at all. */
void doctor_service_tell (const Doctor *doctor, DoctorReport *report);
void doctor_service_leave_out (const Doctor *doctor, DoctorReport *report);
void doctor_login_check (const Doctor *doctor, DoctorReport *report);
void doctor_map_check (const Doctor *doctor, DoctorReport *report);
void doctor_admission_check (const Doctor *doctor, DoctorReport *report);
void doctor_mesh_check (const Doctor *doctor, DoctorReport *report);
void doctor_clock_check (const Doctor *doctor, DoctorReport *report);
void doctor_system_check (const Doctor *doctor, DoctorReport *report);

G_END_DECLS
