/* detourctl-setup-check.c: looks whether this host is ready for a relay: its name, its ports and
 * tailscaled.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-setup.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gi18n.h>
#include <netinet/in.h>
#include <string.h>

#include "detour-config-trial.h"
#include "detourctl-address.h"
#include "doctor-addresses.h"

/* Where the plugin auth-tailscaled asks by default. */
#define TAILSCALED_SOCKET "/var/run/tailscale/tailscaled.sock"

static void
ctl_setup_check_finding_free (gpointer data)
{
  DetourctlFinding *finding = data;

  g_free (finding->text);
  g_free (finding->remedy);
  g_free (finding);
}

/* Takes @text and @remedy, of which NULL means that all is well. */
static void
ctl_setup_check_find (GPtrArray *findings, const char *check, char *text, char *remedy)
{
  DetourctlFinding *finding = g_new (DetourctlFinding, 1);

  *finding = (DetourctlFinding) { check, remedy == NULL, text, remedy };
  g_ptr_array_add (findings, finding);
}

/* Names ---------------------------------------------------------------------------------------- */

/* Addresses of this host's interfaces, as texts. */
static GPtrArray *
ctl_setup_check_own_addresses (void)
{
  g_autoptr (GPtrArray) own = doctor_addresses_own ();
  GPtrArray *texts = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < own->len; i++)
    g_ptr_array_add (texts, g_inet_address_to_string (own->pdata[i]));
  return texts;
}

/* Those that others could reach, for a text: "203.0.113.5, 2001:db8::5"; "" when there is none. */
static char *
ctl_setup_check_public_text (GPtrArray *own)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < own->len; i++)
    {
      g_autoptr (GInetAddress) address = g_inet_address_new_from_string (own->pdata[i]);

      if (address != NULL && !detourctl_address_is_local (address))
        g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "", (char *) own->pdata[i]);
    }
  return g_string_free (text, FALSE);
}

/* A look-up with a limit. */
typedef struct {
  gboolean is_done, is_late;
  GList *addresses;
} Lookup;

static void
ctl_setup_check_on_resolved (GObject *source, GAsyncResult *result, gpointer data)
{
  Lookup *lookup = data;

  lookup->addresses = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, NULL);
  lookup->is_done = TRUE;
}

static gboolean
ctl_setup_check_on_late (gpointer data)
{
  Lookup *lookup = data;

  lookup->is_late = TRUE;
  return G_SOURCE_CONTINUE;
}

static GList *
ctl_setup_check_resolve (const char *name, gint64 limit_ms)
{
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Lookup lookup = { 0 };
  guint timer = limit_ms > 0 ? g_timeout_add ((guint) limit_ms, ctl_setup_check_on_late, &lookup)
                             : 0;

  g_resolver_lookup_by_name_async (resolver, name, cancellable, ctl_setup_check_on_resolved,
                                   &lookup);
  while (!lookup.is_done)
    {
      g_main_context_iteration (NULL, TRUE);
      if (lookup.is_late)
        g_cancellable_cancel (cancellable);
    }
  if (timer != 0)
    g_source_remove (timer);
  return lookup.addresses;
}

/* Sorts what the name leads to into this host's and others'. */
static void
ctl_setup_check_sort_addresses (GList *addresses, GPtrArray *own, GString *here, GString *elsewhere,
                                gboolean *is_local_only)
{
  *is_local_only = TRUE;
  for (GList *item = addresses; item != NULL; item = item->next)
    {
      g_autofree char *text = g_inet_address_to_string (item->data);
      GString *into = elsewhere;

      for (guint i = 0; i < own->len; i++)
        if (strcmp (own->pdata[i], text) == 0)
          into = here;
      g_string_append_printf (into, "%s%s", into->len > 0 ? ", " : "", text);
      *is_local_only = *is_local_only && detourctl_address_is_local (item->data);
    }
}

static void
ctl_setup_check_look_at_name (GPtrArray *findings, const char *hostname, gint64 limit_ms)
{
  g_autoptr (GPtrArray) own = ctl_setup_check_own_addresses ();
  g_autofree char *public = ctl_setup_check_public_text (own);
  g_autoptr (GString) here = g_string_new (NULL);
  g_autoptr (GString) elsewhere = g_string_new (NULL);
  GList *addresses = ctl_setup_check_resolve (hostname, limit_ms);
  const char *ours = *public != '\0' ? public : _ ("the public address of this host");
  gboolean is_local_only, is_address = g_hostname_is_ip_address (hostname);

  ctl_setup_check_sort_addresses (addresses, own, here, elsewhere, &is_local_only);
  if (addresses == NULL)
    ctl_setup_check_find (
        findings, "name", g_strdup_printf (_ ("%s has no address"), hostname),
        g_strdup_printf (_ ("make DNS records for it (A, and AAAA for IPv6) that say %s"), ours));
  else if (is_local_only)
    ctl_setup_check_find (
        findings, "name",
        g_strdup_printf (_ ("%s leads only to this host itself (%s)"), hostname,
                         here->len > 0 ? here->str : elsewhere->str),
        g_strdup_printf (
            _ ("clients elsewhere need a public address: make its DNS records say %s, and "
               "take the name out of /etc/hosts if it is there"),
            ours));
  else if (elsewhere->len > 0)
    ctl_setup_check_find (
        findings, "name",
        is_address ? g_strdup_printf (_ ("no interface of this host has %s"), hostname)
                   : g_strdup_printf (_ ("%s leads to %s, which no interface of this host has"),
                                      hostname, elsewhere->str),
        g_strdup_printf (
            _ ("if another host has it, use %s; if this host is behind address "
               "translation, give it an address of its own: STUN tells clients the wrong "
               "address otherwise"),
            ours));
  else
    ctl_setup_check_find (findings, "name",
                          g_strdup_printf (_ ("%s leads to this host (%s)"), hostname, here->str),
                          NULL);
  g_resolver_free_addresses (addresses);
}

/* Ports ---------------------------------------------------------------------------------------- */

/* 0, or the errno of an attempt to have the port, on all addresses. */
static int
ctl_setup_check_try_port (guint16 port, gboolean udp)
{
  const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = g_htons (port) };

  return detour_config_try_bind ((const struct sockaddr *) &any6, sizeof any6, TRUE, udp);
}

static void
ctl_setup_check_look_at_port (GPtrArray *findings, guint16 port, gboolean udp, const char *what_for)
{
  int number = ctl_setup_check_try_port (port, udp);
  g_autofree char *owner = number == EADDRINUSE ? detour_port_owner (port, udp) : NULL;
  const char *protocol = udp ? "UDP" : "TCP";

  if (number == EADDRINUSE && owner != NULL && g_str_has_prefix (owner, DETOUR_PORT_OWNER_RELAY))
    ctl_setup_check_find (
        findings, "port",
        g_strdup_printf (_ ("%s %u (%s) is the running relay's"), protocol, port, what_for), NULL);
  else if (number == EADDRINUSE && owner != NULL)
    ctl_setup_check_find (
        findings, "port",
        g_strdup_printf (_ ("%s %u (%s) is taken by %s"), protocol, port, what_for, owner),
        g_strdup (_ (
            "stop that program, or give the relay another port: \"listen\" in man detour.conf")));
  else if (number == EADDRINUSE)
    ctl_setup_check_find (findings, "port",
                          g_strdup_printf (_ ("%s %u (%s) is taken"), protocol, port, what_for),
                          g_strdup_printf (_ ("to see who has it, as root: ss -l%cnp sport = :%u"),
                                           udp ? 'u' : 't', port));
  else if (number == 0 || number == EACCES) /* the service unit gives the privilege */
    ctl_setup_check_find (findings, "port",
                          g_strdup_printf (_ ("%s %u (%s) is free"), protocol, port, what_for),
                          NULL);
  else
    ctl_setup_check_find (
        findings, "port",
        g_strdup_printf ("%s %u (%s): %s", protocol, port, what_for, g_strerror (number)),
        g_strdup (_ ("without it the relay does not start; the system's log may say more")));
}

/* tailscaled ----------------------------------------------------------------------------------- */

static void
ctl_setup_check_look_at_tailscaled (GPtrArray *findings, const char *path)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (path);
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GError) error = NULL;

  g_socket_client_set_timeout (client, 5);
  connection = g_socket_client_connect (client, G_SOCKET_CONNECTABLE (address), NULL, &error);
  if (connection != NULL)
    ctl_setup_check_find (findings, "tailscaled",
                          g_strdup_printf (_ ("tailscaled answers on %s"), path), NULL);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
    ctl_setup_check_find (findings, "tailscaled",
                          g_strdup_printf (_ ("%s may not be opened by this user"), path),
                          g_strdup (_ ("try it with sudo")));
  else
    ctl_setup_check_find (
        findings, "tailscaled",
        g_strdup_printf (_ ("no tailscaled answers on %s: %s"), path, error->message),
        g_strdup (_ ("install Tailscale on this host and log it in (tailscale up), or keep a "
                     "list of keys: --admission=keys")));
}

GPtrArray *
detourctl_setup_look (const DetourctlSetup *setup, gint64 limit_ms)
{
  GPtrArray *findings = g_ptr_array_new_with_free_func (ctl_setup_check_finding_free);

  ctl_setup_check_look_at_name (findings, setup->hostname, limit_ms);
  ctl_setup_check_look_at_port (findings, 443, FALSE, _ ("relaying"));
  ctl_setup_check_look_at_port (findings, 80, FALSE,
                                setup->certificate == DETOURCTL_SETUP_ACME
                                    ? _ ("captive portals, certificates")
                                    : _ ("captive portals"));
  ctl_setup_check_look_at_port (findings, 3478, TRUE, "STUN");
  if (setup->admission == DETOURCTL_SETUP_TAILSCALED)
    ctl_setup_check_look_at_tailscaled (
        findings, setup->tailscaled_socket != NULL ? setup->tailscaled_socket : TAILSCALED_SOCKET);
  return findings;
}
