/* detourctl-doctor.c: looks for what keeps a relay from working, and says how to mend it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <sodium.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-print.h"
#include "doctor-apart.h"
#include "doctor-mounts.h"

/* Whatever happens, the answer comes by then: all looks together may take so many times as long as
 * one answer, and so may what comes before them. */
#define ALL_LIMIT 12
/* Columns of the word in front of a finding, and of what belongs to it. */
#define STATUS_COLUMN  10u
#define COMMAND_COLUMN 12u

/* The area that is there with --map only. */
#define MAP "map"

/* In the order in which they are shown. */
static const struct {
  const char *area;
  gboolean is_remote; /* can be seen from outside, too */
  DoctorCheck check;
  DoctorCheck check_away; /* of a relay here that is out of service; NULL: the same */
} checks[] = {
  { "config", FALSE, doctor_config_check },
  { "files", FALSE, doctor_files_check },
  { "ports", FALSE, doctor_ports_check, doctor_service_tell },
  { "ports", TRUE, doctor_captive_check, doctor_service_leave_out },
  { "names", TRUE, doctor_names_check },
  { "certificate", TRUE, doctor_certificate_check, doctor_service_tell },
  { "stun", TRUE, doctor_stun_check },
  { "login", TRUE, doctor_login_check, doctor_service_tell },
  { "admission", FALSE, doctor_admission_check },
  { "mesh", FALSE, doctor_mesh_check },
  { "clock", TRUE, doctor_clock_check },
  { "system", FALSE, doctor_system_check },
  { MAP, TRUE, doctor_map_check },
};

static DoctorOptions options = { .stun_port = DOCTOR_STUN_PORT };
static gboolean is_strict;

static const GOptionEntry entries[] = {
  { "host", 0, 0, G_OPTION_ARG_STRING, &options.host,
    N_ ("Look at the relay of another host, from outside"), N_ ("NAME[:PORT]") },
  { "config", 0, 0, G_OPTION_ARG_FILENAME, &options.config_file,
    N_ ("The configuration is FILE, and not what the daemon was started with"), N_ ("FILE") },
  { "no-vendor", 0, 0, G_OPTION_ARG_NONE, &options.no_vendor,
    N_ ("Leave out the settings that come with Detour"), NULL },
  { "user", 0, 0, G_OPTION_ARG_STRING, &options.user, N_ ("The daemon runs, or is to run, as NAME"),
    N_ ("NAME") },
  { "ca", 0, 0, G_OPTION_ARG_FILENAME, &options.ca_file,
    N_ ("Trust the authorities in FILE, and not the system's"), N_ ("FILE") },
  { "pin", 0, 0, G_OPTION_ARG_STRING, &options.pin,
    N_ ("Clients know the certificate by this pin, CertName of the map"), N_ ("PIN") },
  { "mesh-key", 0, 0, G_OPTION_ARG_FILENAME, &options.mesh_key_file,
    N_ ("Log in with the mesh key in FILE, where unknown keys are not admitted"), N_ ("FILE") },
  { "stun-port", 0, 0, G_OPTION_ARG_INT, &options.stun_port,
    N_ ("With --host: its STUN is at UDP PORT, and not at 3478; -1: it has none"), N_ ("PORT") },
  { "map", 0, 0, G_OPTION_ARG_STRING, &options.map,
    N_ ("Compare the entry in a DERP map with the relay"), N_ ("FILE|URL") },
  { "strict", 0, 0, G_OPTION_ARG_NONE, &is_strict, N_ ("Exit status 1 for warnings, too"), NULL },
  { NULL },
};

/* TRANSLATORS: how bad a finding is, at most 8 columns: ok, note, warning, problem. */
static const char *const status_words[] = { N_ ("ok"), N_ ("note"), N_ ("warning"),
                                            N_ ("problem") };

/* ---- findings -------------------------------------------------------------------------------- */

void
doctor_find (DoctorReport *report, const char *code, DoctorStatus status, char *text, char *remedy,
             char *command)
{
  DoctorFinding *finding = g_new (DoctorFinding, 1);

  if (command == NULL && remedy != NULL && g_str_has_suffix (remedy, ":"))
    remedy[strlen (remedy) - 1] = '\0';
  *finding = (DoctorFinding) { report->area, code, status, text, remedy, command };
  g_ptr_array_add (report->findings, finding);
}

gboolean
doctor_find_unreachable (DoctorReport *report, const char *where, const GError *error)
{
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE)
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE))
    return FALSE;
  doctor_find (
      report, "unreachable_from_here", DOCTOR_NOTE,
      g_strdup_printf (_ ("%s cannot be reached from this host: %s"), where, error->message),
      g_strdup (_ ("this host has no such network; try it from another one")), NULL);
  return TRUE;
}

void
doctor_finding_free (gpointer data)
{
  DoctorFinding *finding = data;

  g_free (finding->text);
  g_free (finding->remedy);
  g_free (finding->command);
  g_free (finding);
}

/* ---- running them ---------------------------------------------------------------------------- */

/* One check on its thread; before all of them, in the same way, what they need to know. */
typedef struct {
  Doctor *doctor;
  DoctorCheck check; /* NULL: the doctor learns */
  DoctorReport report;
  GThread *thread;
  struct Runs *runs;
  gboolean is_done;
  gboolean is_given_up; /* it did not end in time */
  gboolean is_refused;  /* while the doctor learned: the options are wrong */
} Run;

typedef struct Runs {
  GMutex lock;
  GCond cond;
  gboolean has_asked_mounts;
  guint n;
  Run all[G_N_ELEMENTS (checks)];
} Runs;

static gboolean
ctl_doctor_can_look (guint i, gboolean is_remote, gboolean has_map)
{
  return (!is_remote || checks[i].is_remote) && (has_map || strcmp (checks[i].area, MAP) != 0);
}

static gpointer
ctl_doctor_run_check (gpointer data)
{
  Run *run = data;

  if (run->check != NULL)
    run->check (run->doctor, &run->report);
  else
    run->is_refused = !doctor_learn (run->doctor, &options);
  g_mutex_lock (&run->runs->lock);
  run->is_done = TRUE;
  g_cond_broadcast (&run->runs->cond);
  g_mutex_unlock (&run->runs->lock);
  return NULL;
}

static DoctorCheck
ctl_doctor_choose (guint i, const Doctor *doctor)
{
  gboolean is_away = !doctor->is_remote && doctor->manager != NULL
                  && detourctl_flag (doctor->manager, "Draining");

  return is_away && checks[i].check_away != NULL ? checks[i].check_away : checks[i].check;
}

/* @check: (nullable): NULL: the doctor learns */
static Run *
ctl_doctor_start_one (Runs *runs, Doctor *doctor, const char *area, DoctorCheck check)
{
  Run *run = &runs->all[runs->n++];

  *run = (Run) { .doctor = doctor,
                 .check = check,
                 .report = { area, g_ptr_array_new_with_free_func (doctor_finding_free) },
                 .runs = runs };
  run->thread = g_thread_new (area, ctl_doctor_run_check, run);
  return run;
}

static void
ctl_doctor_start (Runs *runs, Doctor *doctor, const char *area)
{
  for (guint i = 0; i < G_N_ELEMENTS (checks); i++)
    if ((area == NULL || strcmp (area, checks[i].area) == 0)
        && ctl_doctor_can_look (i, doctor->is_remote, doctor->map != NULL))
      (void) ctl_doctor_start_one (runs, doctor, checks[i].area, ctl_doctor_choose (i, doctor));
}

/* In the place of what it would have found; its thread is left alone. The first time it is said
 * which file systems do not answer, if that is the reason. */
static void
ctl_doctor_give_up (Runs *runs, Run *run)
{
  guint limit_s = (guint) (ALL_LIMIT * run->doctor->limit_us / G_USEC_PER_SEC);

  run->is_given_up = TRUE;
  run->report = (DoctorReport) { run->report.area,
                                 g_ptr_array_new_with_free_func (doctor_finding_free) };
  doctor_find (
      &run->report, "no_end", DOCTOR_PROBLEM,
      run->check != NULL
          ? g_strdup_printf (_ ("the look at this did not end within %u seconds"), limit_s)
          : g_strdup_printf (_ ("the configuration could not be read, and the state directory "
                                "found, within %u seconds; a file system may not answer"),
                             limit_s),
      g_strdup (_ ("if the host or its resolver is only slow, wait longer:")),
      g_strdup_printf ("detourctl doctor %s --timeout=%us", run->report.area,
                       (guint) (4 * run->doctor->limit_us / G_USEC_PER_SEC) + 1));
  if (!runs->has_asked_mounts)
    doctor_mounts_look (run->doctor, &run->report);
  runs->has_asked_mounts = TRUE;
}

/* Waits for one check; FALSE: in vain. */
static gboolean
ctl_doctor_wait (Runs *runs, Run *run, gint64 end_us)
{
  gboolean is_in_time = TRUE;

  if (run->is_given_up)
    return FALSE;
  g_mutex_lock (&runs->lock);
  while (!run->is_done && is_in_time)
    is_in_time = g_cond_wait_until (&runs->cond, &runs->lock, end_us);
  is_in_time = run->is_done;
  g_mutex_unlock (&runs->lock);
  if (is_in_time)
    g_thread_join (g_steal_pointer (&run->thread));
  else
    ctl_doctor_give_up (runs, run);
  return is_in_time;
}

static gint64
ctl_doctor_end_us (const Doctor *doctor)
{
  return g_get_monotonic_time () + ALL_LIMIT * doctor->limit_us;
}

/* What all checks need to know. FALSE: that did not end, and is the only run there is. */
static gboolean
ctl_doctor_learn (Runs *runs, Doctor *doctor, const char *area, gboolean *is_refused)
{
  Run *run = ctl_doctor_start_one (runs, doctor, area != NULL ? area : checks[0].area, NULL);

  if (!ctl_doctor_wait (runs, run, ctl_doctor_end_us (doctor)))
    return FALSE;
  *is_refused = run->is_refused;
  g_ptr_array_unref (run->report.findings);
  runs->n = 0;
  return TRUE;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void
ctl_doctor_print_indented (const Detourctl *self, const char *text, guint first, guint indent)
{
  g_autofree char *safe = detourctl_format_safe (text);
  g_autofree char *lines = detourctl_format_wrap (safe, first, indent,
                                                  detourctl_print_width (self));

  g_print ("%s\n", lines);
}

static void
ctl_doctor_print_finding (const Detourctl *self, const DoctorFinding *finding)
{
  static const DetourctlStyle styles[] = { DETOURCTL_GREEN, DETOURCTL_FAINT, DETOURCTL_YELLOW,
                                           DETOURCTL_RED };
  const char *word = _ (status_words[finding->status]);
  guint width = detourctl_format_width (word);

  g_print ("  %s%s%s%*s", detourctl_style (self, styles[finding->status]), word,
           detourctl_style (self, DETOURCTL_PLAIN), (int) (STATUS_COLUMN - MIN (width, 8) - 2), "");
  ctl_doctor_print_indented (self, finding->text, STATUS_COLUMN, STATUS_COLUMN);
  if (finding->remedy != NULL)
    {
      g_print ("%*s", (int) STATUS_COLUMN, "");
      ctl_doctor_print_indented (self, finding->remedy, STATUS_COLUMN, STATUS_COLUMN);
    }
  if (finding->command != NULL)
    {
      g_auto (GStrv) lines = g_strsplit (finding->command, "\n", -1);

      /* Never broken: it is for copying. */
      for (guint i = 0; lines[i] != NULL; i++)
        {
          g_autofree char *safe = detourctl_format_safe (lines[i]);

          g_print ("%*s%s%s%s\n", (int) COMMAND_COLUMN, "", detourctl_style (self, DETOURCTL_BOLD),
                   safe, detourctl_style (self, DETOURCTL_PLAIN));
        }
    }
}

/* @before: (nullable): the area that was shown before this one */
static void
ctl_doctor_print_report (const Detourctl *self, const DoctorReport *report, const char *before)
{
  if (report->findings->len > 0 && g_strcmp0 (report->area, before) != 0)
    g_print ("%s%s%s\n", detourctl_style (self, DETOURCTL_BOLD), report->area,
             detourctl_style (self, DETOURCTL_PLAIN));
  for (guint i = 0; i < report->findings->len; i++)
    ctl_doctor_print_finding (self, report->findings->pdata[i]);
}

static void
ctl_doctor_print_summary (const guint counts[])
{
  g_autofree char *problems = g_strdup_printf (
      ngettext ("%u problem", "%u problems", counts[DOCTOR_PROBLEM]), counts[DOCTOR_PROBLEM]);
  g_autofree char *warnings = g_strdup_printf (
      ngettext ("%u warning", "%u warnings", counts[DOCTOR_WARNING]), counts[DOCTOR_WARNING]);

  if (counts[DOCTOR_PROBLEM] == 0 && counts[DOCTOR_WARNING] == 0)
    g_print (_ ("\nNothing is wrong.\n"));
  else
    /* TRANSLATORS: "2 problems", "1 warning" */
    g_print (_ ("\n%s, %s.\n"), problems, warnings);
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void
ctl_doctor_write_finding (DetourctlJson *json, const DoctorFinding *finding)
{
  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "area", finding->area);
  detourctl_json_text (json, "code", finding->code);
  detourctl_json_text (json, "status", status_words[finding->status]);
  detourctl_json_text (json, "text", finding->text);
  detourctl_json_text (json, "remedy", finding->remedy);
  detourctl_json_text (json, "command", finding->command);
  detourctl_json_end_object (json);
}

/* ---------------------------------------------------------------------------------------------- */

static DetourctlExit
ctl_doctor_tell (const Detourctl *self, Runs *runs)
{
  guint counts[G_N_ELEMENTS (status_words)] = { 0 };
  gint64 end_us = ctl_doctor_end_us (runs->all[0].doctor);
  DetourctlJson *json = self->json ? detourctl_json_begin_document () : NULL;
  DetourctlExit exit;

  if (json != NULL)
    detourctl_json_begin_array (json, "findings");
  for (guint i = 0; i < runs->n; i++)
    {
      DoctorReport *report = &runs->all[i].report;

      (void) ctl_doctor_wait (runs, &runs->all[i], end_us);
      for (guint k = 0; k < report->findings->len; k++)
        {
          const DoctorFinding *finding = report->findings->pdata[k];

          counts[finding->status]++;
          if (json != NULL)
            ctl_doctor_write_finding (json, finding);
        }
      if (json == NULL)
        ctl_doctor_print_report (self, report, i > 0 ? runs->all[i - 1].report.area : NULL);
    }
  exit = counts[DOCTOR_PROBLEM] > 0 || (is_strict && counts[DOCTOR_WARNING] > 0) ? DETOURCTL_FAILED
                                                                                 : DETOURCTL_GOOD;
  if (json == NULL)
    {
      ctl_doctor_print_summary (counts);
      return exit;
    }
  detourctl_json_end_array (json);
  detourctl_json_number (json, "problems", counts[DOCTOR_PROBLEM]);
  detourctl_json_number (json, "warnings", counts[DOCTOR_WARNING]);
  return detourctl_json_end_document (json, exit);
}

static gboolean
ctl_doctor_has_area (const char *area)
{
  g_autoptr (GString) areas = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (checks); i++)
    {
      if (!ctl_doctor_can_look (i, options.host != NULL, options.map != NULL))
        continue;
      if (area == NULL || strcmp (checks[i].area, area) == 0)
        return TRUE;
      if (i == 0 || strcmp (checks[i].area, checks[i - 1].area) != 0)
        g_string_append_printf (areas, "%s%s", areas->len > 0 ? ", " : "", checks[i].area);
    }
  detourctl_complain (_ ("there is no area \"%s\"; there are %s"), area, areas->str);
  return FALSE;
}

static DetourctlExit
ctl_doctor_run (Detourctl *self, char **arguments)
{
  /* A thread that did not end in time goes on reading them. */
  static Doctor doctor;
  static Runs runs;
  DetourctlExit exit;
  gboolean is_refused = FALSE;

  if (!ctl_doctor_has_area (arguments[0]))
    return DETOURCTL_USAGE;
  if (options.stun_port < -1 || options.stun_port == 0 || options.stun_port > G_MAXUINT16)
    {
      detourctl_complain (_ ("--stun-port: write a number from 1 to 65535, or -1"));
      return DETOURCTL_USAGE;
    }
  if (!doctor_apart_enter (&exit))
    return exit;
  if (sodium_init () < 0)
    return DETOURCTL_FAILED;
  doctor_init (&doctor, self);
  doctor.has_all_areas = arguments[0] == NULL;
  if (ctl_doctor_learn (&runs, &doctor, arguments[0], &is_refused) && !is_refused)
    ctl_doctor_start (&runs, &doctor, arguments[0]);
  if (is_refused)
    return DETOURCTL_USAGE;
  exit = ctl_doctor_tell (self, &runs);
  for (guint i = 0; i < runs.n; i++)
    if (runs.all[i].thread != NULL)
      doctor_apart_leave (self, exit);
  for (guint i = 0; i < runs.n; i++)
    g_ptr_array_unref (runs.all[i].report.findings);
  doctor_clear (&doctor);
  return exit;
}

const DetourctlCommand detourctl_doctor_commands[] = {
  { .name = "doctor",
    .arguments = N_ ("[AREA]"),
    .summary = N_ ("Look for what is wrong, and say how to mend it"),
    .details = N_ ("AREA is config, files, ports, names, certificate, stun, login, admission, "
                   "mesh, clock or system,\nand with --map map; "
                   "without it, all are looked at. As root it sees most. With --host it looks at "
                   "any\nrelay from outside, also one "
                   "of derper. Nothing is changed. Exit status 1: there is a problem."),
    .options = entries,
    .run = ctl_doctor_run,
    .n_max = 1 },
  { NULL },
};
