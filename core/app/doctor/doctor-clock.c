/* doctor-clock.c: whether the clock is right.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <sys/timex.h>

#include "detourctl-dial.h"
#include "detourctl-format.h"
#include "detourctl-address.h"
#include "doctor.h"

/* Clocks that differ by less disturb nothing: certificates are renewed days before they end. */
#define APART_MAX_S 60
/* The year in which this was written: no right clock shows an earlier one. */
#define YEAR_MIN 2026

static gboolean
doctor_clock_is_synchronised (void)
{
  struct timex state = { 0 };

  return adjtimex (&state) >= 0 && (state.status & STA_UNSYNC) == 0;
}

/* ---- another host's -------------------------------------------------------------------------- */

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* "Sun, 06 Nov 1994 08:49:37 GMT" as Unix seconds; 0: it is something else. */
static gint64
doctor_clock_parse_date (const char *text)
{
  g_autoptr (GDateTime) time = NULL;
  guint year, day, hour, minute, second, n = 0;
  char name[4];

  if (sscanf (text, "%*3s, %2u %3s %4u %2u:%2u:%2u GMT", &day, name, &year, &hour, &minute, &second)
      != 6)
    return 0;
  while (n < G_N_ELEMENTS (months) && g_ascii_strcasecmp (months[n], name) != 0)
    n++;
  if (n == G_N_ELEMENTS (months))
    return 0;
  time = g_date_time_new_utc ((int) year, (int) n + 1, (int) day, (int) hour, (int) minute, second);
  return time != NULL ? g_date_time_to_unix (time) : 0;
}

/* What the relay at @address writes in Date; 0: nothing. */
static gint64
doctor_clock_ask (const Doctor *doctor, GInetAddress *address)
{
  const DoctorTarget *target = &doctor->target;
  g_auto (DetourctlStream) stream = DETOURCTL_STREAM_INIT;
  g_auto (DetourctlHttpAnswer) answer = { 0 };
  g_autofree char *date = NULL;

  if (!detourctl_stream_connect (&stream, address, target->port, doctor->limit_us, NULL)
      || (target->secure
          && !detourctl_stream_start_tls (&stream, target->name, doctor->ca_file, NULL))
      || !detourctl_stream_ask_http (&stream, target->name, "/derp/latency-check",
                                     "Connection: close\r\n", &answer, NULL))
    return 0;
  date = detourctl_http_answer_header (&answer, "Date");
  return date != NULL ? doctor_clock_parse_date (date) : 0;
}

static void
doctor_clock_compare (const Doctor *doctor, DoctorReport *report, GInetAddress *address)
{
  g_autofree char *where = detourctl_address_place (address, doctor->target.port);
  gint64 there = doctor_clock_ask (doctor, address);
  gint64 apart = ABS (there - g_get_real_time () / G_USEC_PER_SEC);
  g_autofree char *text = detourctl_format_duration ((guint64) apart * G_USEC_PER_SEC);

  if (there == 0)
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup_printf (_ ("%s does not tell its time"), where), NULL, NULL);
  else if (apart > APART_MAX_S)
    doctor_find (report, "clocks_apart", DOCTOR_WARNING,
                 g_strdup_printf (_ ("%s: the clocks of that host and of this one are %s apart"),
                                  where, text),
                 g_strdup (_ ("see which of both is wrong; on this one:")),
                 g_strdup ("timedatectl status"));
  else
    doctor_find (report, "clock_good", DOCTOR_OK,
                 g_strdup_printf (_ ("%s has the same time as this host"), where), NULL, NULL);
}

/* ---- this host's ----------------------------------------------------------------------------- */

static void
doctor_clock_look_at_own (DoctorReport *report)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();

  if (g_date_time_get_year (now) < YEAR_MIN)
    doctor_find (report, "clock_wrong", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("the clock of this host says that it is the year %d"),
                                  g_date_time_get_year (now)),
                 g_strdup (_ ("have it set from the network:")),
                 g_strdup ("timedatectl set-ntp true"));
  else if (!doctor_clock_is_synchronised ())
    doctor_find (report, "clock_alone", DOCTOR_NOTE,
                 g_strdup (_ ("nothing on this host tells the kernel that the clock is right; in a "
                              "virtual machine or a container the host may see to it")),
                 g_strdup (_ ("otherwise have it set from the network:")),
                 g_strdup ("timedatectl set-ntp true"));
  else
    doctor_find (report, "clock_good", DOCTOR_OK,
                 g_strdup (_ ("the clock is kept right from outside")), NULL, NULL);
}

void
doctor_clock_check (const Doctor *doctor, DoctorReport *report)
{
  const DoctorTarget *target = &doctor->target;

  if (!doctor->is_remote)
    doctor_clock_look_at_own (report);
  else if (target->addresses == NULL)
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup (_ ("where clients would come in is not known")), NULL, NULL);
  else
    for (guint i = 0; i < target->addresses->len; i++)
      doctor_clock_compare (doctor, report, target->addresses->pdata[i]);
}
