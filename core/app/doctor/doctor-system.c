/* doctor-system.c: whether the kernel gives a relay what it needs: descriptors, queues, buffers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>
#include <sys/resource.h>

#include "detour-file.h"
#include "doctor.h"

#define VALUE_MAX 4096u
/* What a relay of some thousand clients needs. */
#define DESCRIPTORS_MIN 16384u

/* A number below /proc/sys; the last one of several. FALSE: this kernel does not have it. */
static gboolean
doctor_system_read (const char *name, guint64 *out)
{
  g_autofree char *path = g_strconcat ("/proc/sys/", name, NULL);
  g_auto (DetourFile) file = { 0 };
  const char *last;

  if (!detour_file_read (path, VALUE_MAX, 0, &file, NULL))
    return FALSE;
  g_strchomp (file.data);
  last = strrchr (file.data, '\t');
  return g_ascii_string_to_unsigned (last != NULL ? last + 1 : file.data, 10, 0, G_MAXUINT64, out,
                                     NULL);
}

/* ---- settings of the kernel ------------------------------------------------------------------ */

typedef struct {
  const char *name; /* below /proc/sys */
  guint64 min;
  const char *value; /* to write; of several the whole line */
  const char *why;   /* translatable: what too little of it does */
} Setting;

static const Setting settings[] = {
  { "net/core/somaxconn", 1024, "4096",
    N_ ("when many clients come back at once, some are turned away") },
  { "net/ipv4/tcp_max_syn_backlog", 512, "4096",
    N_ ("when many clients come back at once, some have to try again") },
  { "net/ipv4/tcp_rmem", 1048576, "4096 131072 6291456", N_ ("clients far away send slowly") },
  { "net/ipv4/tcp_wmem", 1048576, "4096 16384 4194304", N_ ("clients far away receive slowly") },
  { "net/core/rmem_max", 131072, "212992", N_ ("bursts of STUN are lost") },
};

static char *
doctor_system_command (const Setting *setting)
{
  g_autofree char *name = g_strdup (setting->name);

  g_strdelimit (name, "/", '.');
  return g_strdup_printf (strchr (setting->value, ' ') != NULL ? "sysctl -w %s='%s'"
                                                               : "sysctl -w %s=%s",
                          name, setting->value);
}

static void
doctor_system_look_at_setting (DoctorReport *report, const Setting *setting)
{
  guint64 value;

  if (!doctor_system_read (setting->name, &value) || value >= setting->min)
    return;
  doctor_find (report, "kernel_setting", DOCTOR_WARNING,
               g_strdup_printf (_ ("%s is %u: %s"), setting->name, (guint) value, _ (setting->why)),
               g_strdup (_ ("raise it, and write it in /etc/sysctl.d to keep it so:")),
               doctor_system_command (setting));
}

/* A table of connections that is full drops packets of everyone. */
static void
doctor_system_look_at_conntrack (DoctorReport *report)
{
  guint64 used, max;

  if (doctor_system_read ("net/netfilter/nf_conntrack_count", &used)
      && doctor_system_read ("net/netfilter/nf_conntrack_max", &max) && max > 0
      && used > max / 10 * 8)
    doctor_find (
        report, "conntrack_full", DOCTOR_PROBLEM,
        g_strdup_printf (
            _ ("the firewall tracks %u connections, and at most %u: beyond that, packets are lost"),
            (guint) used, (guint) max),
        g_strdup (_ ("raise it, and write it in /etc/sysctl.d to keep it so:")),
        g_strdup_printf ("sysctl -w net.netfilter.nf_conntrack_max=%" G_GUINT64_FORMAT, max * 4));
}

/* Of those that every program may choose; NULL: none. */
static const char *
doctor_system_better_control (const char *allowed)
{
  static const char *const better[] = { "cubic", "bbr" };
  g_auto (GStrv) words = g_strsplit_set (allowed, " \n", -1);

  for (guint i = 0; i < G_N_ELEMENTS (better); i++)
    if (g_strv_contains ((const char *const *) words, better[i]))
      return better[i];
  return NULL;
}

static void
doctor_system_look_at_congestion (DoctorReport *report)
{
  g_auto (DetourFile) used = { 0 };
  g_auto (DetourFile) allowed = { 0 };
  const char *better;

  if (!detour_file_read ("/proc/sys/net/ipv4/tcp_congestion_control", VALUE_MAX, 0, &used, NULL)
      || !detour_file_read ("/proc/sys/net/ipv4/tcp_allowed_congestion_control", VALUE_MAX, 0,
                            &allowed, NULL))
    return;
  g_strchomp (used.data);
  better = doctor_system_better_control (allowed.data);
  if (strcmp (used.data, "reno") != 0)
    doctor_find (report, "congestion_control", DOCTOR_OK,
                 g_strdup_printf (_ ("the congestion control of TCP is %s"), used.data), NULL,
                 NULL);
  else
    doctor_find (
        report, "congestion_control", DOCTOR_WARNING,
        g_strdup (_ ("the congestion control of TCP is reno, which is slow on long ways")),
        better != NULL ? g_strdup (_ ("take one that is made for them:"))
                       : g_strdup (_ ("have the kernel load one that is made for them, as cubic")),
        better != NULL ? g_strdup_printf ("sysctl -w net.ipv4.tcp_congestion_control=%s", better)
                       : NULL);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Of the daemon; 0: unknown. */
static guint64
doctor_system_descriptors (const Doctor *doctor)
{
  return doctor->manager != NULL ? detourctl_number (doctor->manager, "DescriptorLimit") : 0;
}

/* The process may have been started with room to rise. */
static char *
doctor_system_raise_command (const Doctor *doctor, guint64 wanted)
{
  struct rlimit limit;

  if (doctor->daemon_pid == 0)
    return g_strdup ("LimitNOFILE=1048576");
  if (prlimit (doctor->daemon_pid, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_max >= wanted)
    return g_strdup_printf ("prlimit --pid %d --nofile=%" G_GUINT64_FORMAT ":",
                            (int) doctor->daemon_pid, (guint64) limit.rlim_max);
  return g_strdup_printf ("prlimit --pid %d --nofile=1048576", (int) doctor->daemon_pid);
}

static void
doctor_system_look_at_descriptors (const Doctor *doctor, DoctorReport *report)
{
  guint64 limit = MIN (doctor_system_descriptors (doctor), G_MAXINT);
  guint connections = doctor->config != NULL ? doctor->config->options.limits.connections : 0;
  guint64 wanted = MAX (DESCRIPTORS_MIN, connections);

  if (limit == 0)
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup (_ ("how many files the relay may open shows once it runs")), NULL, NULL);
  else if (limit < wanted)
    doctor_find (
        report, "descriptors_few", connections > limit ? DOCTOR_PROBLEM : DOCTOR_WARNING,
        g_strdup_printf (
            _ ("the relay may open %u files, and each client is one; it should be %u or more"),
            (guint) limit, (guint) wanted),
        g_strdup (_ ("raise the limit, with \"systemctl edit detour\" and a restart, or now:")),
        doctor_system_raise_command (doctor, wanted));
  else
    doctor_find (report, "descriptors_good", DOCTOR_OK,
                 g_strdup_printf (_ ("the relay may open %u files"), (guint) limit), NULL, NULL);
}

void
doctor_system_check (const Doctor *doctor, DoctorReport *report)
{
  doctor_system_look_at_descriptors (doctor, report);
  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    doctor_system_look_at_setting (report, &settings[i]);
  doctor_system_look_at_conntrack (report);
  doctor_system_look_at_congestion (report);
}
