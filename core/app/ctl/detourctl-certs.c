/* detourctl-certs.c: shows certificates with their renewals.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-cert.h"
#include "detourctl-certs-ask.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-print.h"

/* Column at which the facts begin. */
#define FACTS 15u

/* One for people ------------------------------------------------------------------------------- */

/* "in 3 days, 2026-12-16T10:21:00Z" */
static char *
ctl_certs_describe_time (gint64 time_us, gint64 now_us)
{
  gint64 away_us = time_us - now_us;
  g_autofree char *duration = detourctl_format_duration ((guint64) ABS (away_us));
  g_autofree char *time = detourctl_format_time ((guint64) time_us);

  /* TRANSLATORS: a duration, and the point in time. */
  return g_strdup_printf (away_us >= 0 ? _ ("in %s, %s") : _ ("%s ago, %s"), duration, time);
}

static void
ctl_certs_print_title (const Detourctl *self, GVariant *cert, gint64 now_us)
{
  g_autofree char *names = detourctl_cert_names (cert);
  g_autofree char *safe = detourctl_format_safe (names);
  g_autofree char *state = detourctl_cert_describe_state (cert, now_us);
  g_autofree char *text = g_strdup_printf ("%s: %s", detourctl_text (cert, "Instance"), state);
  g_autofree char *title = detourctl_format_wrap (safe, 0, 2, detourctl_print_width (self));
  const char *last = strrchr (title, '\n') != NULL ? strrchr (title, '\n') + 1 : title;
  g_autofree char *lines = detourctl_format_wrap (text, detourctl_format_width (last) + 3, 2,
                                                  detourctl_print_width (self));

  g_print ("%s%s%s   %s\n", detourctl_style (self, DETOURCTL_BOLD), title,
           detourctl_style (self, DETOURCTL_PLAIN), lines);
}

static void
ctl_certs_print_renewal (const Detourctl *self, GVariant *cert, gint64 now_us)
{
  gint64 renew_us = detourctl_microseconds (cert, "RenewTime");
  const char *by = detourctl_text (cert, "RenewBy");
  g_autofree char *when = NULL;
  g_autofree char *text = NULL;

  if (renew_us == 0)
    return;
  when = ctl_certs_describe_time (renew_us, now_us);
  if (strcmp (by, "ca") == 0)
    text = g_strdup_printf (_ ("%s; the authority says so"), when);
  else if (strcmp (by, "operator") == 0)
    text = g_strdup_printf (_ ("%s; the operator asked for it"), when);
  else
    text = g_strdup_printf (_ ("%s; by its lifetime"), when);
  detourctl_print_fact (self, _ ("renewal"), FACTS, text);
}

static void
ctl_certs_print_issuer (const Detourctl *self, GVariant *cert)
{
  const char *issuer = detourctl_text (cert, "Issuer");
  const char *profile = detourctl_text (cert, "Profile");
  g_autofree char *text = NULL;

  if (detourctl_flag (cert, "SelfSigned"))
    text = g_strdup (_ ("itself (self-signed)"));
  else if (*profile != '\0')
    /* TRANSLATORS: who signed a certificate, and a word of theirs. */
    text = g_strdup_printf (_ ("%s, profile %s"), issuer, profile);
  else
    text = g_strdup (issuer);
  detourctl_print_fact (self, _ ("issuer"), FACTS, text);
}

static void
ctl_certs_print_certificate (const Detourctl *self, GVariant *cert)
{
  g_autofree char *from = detourctl_format_time (detourctl_number (cert, "NotBefore"));
  g_autofree char *until = detourctl_format_time (detourctl_number (cert, "NotAfter"));
  g_autofree char *text = g_strdup_printf (_ ("from %s until %s"), from, until);

  ctl_certs_print_issuer (self, cert);
  detourctl_print_fact (self, _ ("valid"), FACTS, text);
  if (detourctl_flag (cert, "SelfSigned"))
    detourctl_print_fact (self, _ ("pin"), FACTS, detourctl_text (cert, "Pin"));
}

static void
ctl_certs_print_authority (const Detourctl *self, GVariant *cert)
{
  const char *authority = detourctl_text (cert, "Authority");
  const char *challenge = detourctl_text (cert, "Challenge");
  g_autofree char *text = NULL;

  if (*authority == '\0')
    return;
  if (*challenge != '\0')
    /* TRANSLATORS: a certificate authority, and how names are proven to it: "tls-alpn-01". */
    text = g_strdup_printf (_ ("%s, names proven by %s"), authority, challenge);
  detourctl_print_fact (self, _ ("asks"), FACTS, text != NULL ? text : authority);
}

static void
ctl_certs_print_error (const Detourctl *self, GVariant *cert, gint64 now_us)
{
  const char *error = detourctl_text (cert, "Error");
  const char *remedy = detourctl_text (cert, "Remedy");
  gint64 next_us = detourctl_microseconds (cert, "NextTry");

  if (*error != '\0')
    {
      g_autofree char *when = ctl_certs_describe_time (detourctl_microseconds (cert, "ErrorTime"),
                                                       now_us);
      g_autofree char *text = g_strdup_printf ("%s: %s", when, error);

      detourctl_print_fact (self, _ ("last error"), FACTS, text);
    }
  if (*remedy != '\0')
    detourctl_print_fact (self, _ ("remedy"), FACTS, remedy);
  if (next_us != 0)
    {
      g_autofree char *when = ctl_certs_describe_time (next_us, now_us);

      detourctl_print_fact (self, _ ("next try"), FACTS, when);
    }
}

static void
ctl_certs_print (const Detourctl *self, GVariant *cert)
{
  gint64 now_us = g_get_real_time ();

  ctl_certs_print_title (self, cert, now_us);
  if (detourctl_cert_is_there (cert))
    ctl_certs_print_certificate (self, cert);
  ctl_certs_print_renewal (self, cert, now_us);
  ctl_certs_print_authority (self, cert);
  ctl_certs_print_error (self, cert, now_us);
}

/* All of them ---------------------------------------------------------------------------------- */

typedef struct {
  const Detourctl *self;
  guint n;
} List;

static void
ctl_certs_list_one (const char *path, GVariant *properties, gpointer user)
{
  List *list = user;

  if (list->n++ > 0)
    g_print ("\n");
  ctl_certs_print (list->self, properties);
}

static DetourctlExit
ctl_certs_run_list (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) objects = detourctl_objects (self, &exit);
  List list = { self, 0 };

  if (objects == NULL)
    return exit;
  if (self->json)
    return detourctl_json_print_objects ("certificates", objects, "Certificate");
  detourctl_each_object (objects, "Certificate", ctl_certs_list_one, &list);
  if (list.n == 0)
    g_print (_ ("There is no certificate. In the configuration, [cert NAME] says where one comes "
                "from.\n"));
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_certs_commands[] = {
  { .name = "certs",
    .arguments = "",
    .summary = N_ ("Show the certificates and their renewals"),
    .run = ctl_certs_run_list },
  { .name = "certs renew",
    .arguments = N_ ("[NAME]"),
    .summary = N_ ("Fetch a new certificate now"),
    .details = N_ ("NAME is the instance, \"cert/main\" or \"main\", or a name in the certificate; "
                   "it can be left out\nwhere Detour fetches only one. The command waits for the "
                   "outcome, 5 minutes unless --timeout says\notherwise; a renewal that has begun "
                   "goes on afterwards. Clients stay connected all the while."),
    .run = detourctl_certs_run_renew,
    .n_max = 1 },
  { .name = "certs rollover",
    .arguments = N_ ("[NAME]"),
    .summary = N_ ("Give the account at the authority a new key"),
    .details = N_ ("NAME is as for \"certs renew\". The account is that of all certificates from "
                   "this authority;\nthe certificates stay as they are."),
    .run = detourctl_certs_run_rollover,
    .n_max = 1 },
  { NULL },
};
