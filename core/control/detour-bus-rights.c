/* detour-bus-rights.c: whether a caller on the system bus may do what it asks for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-bus-rights.h"

#include <unistd.h>

#include "detour-control-error.h"
#include "detour-control-socket.h"

#define POLKIT "org.freedesktop.PolicyKit1"

/* Calls of strangers that wait for an answer of polkit, which may ask a person. */
#define ASKING_MAX     16u
#define ANSWER_MS      10000
#define ANSWER_ASKS_MS (5 * 60 * 1000)

static const char *const actions[] = {
  [DETOUR_RIGHT_READ] = DETOUR_BUS_NAME ".read",
  [DETOUR_RIGHT_CHANGE] = DETOUR_BUS_NAME ".change",
  [DETOUR_RIGHT_UPGRADE] = DETOUR_BUS_NAME ".upgrade",
};

typedef struct {
  GDBusMethodInvocation *call;
  DetourRight right;
  gid_t readers;
  GCancellable *cancellable;
  DetourBusRightsFunc func;
  gpointer user;
  gboolean is_counted; /* among those that wait for polkit */
} Question;

static guint n_asking; /* of polkit; main thread */

static void
bus_rights_free (Question *self)
{
  n_asking -= self->is_counted ? 1 : 0;
  g_object_unref (self->cancellable);
  g_free (self);
}

static void
bus_rights_allow (Question *self)
{
  self->func (self->call, self->user);
  bus_rights_free (self);
}

static void
bus_rights_refuse (Question *self, const char *why)
{
  if (self->right == DETOUR_RIGHT_READ)
    g_dbus_method_invocation_return_error (
        self->call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_ALLOWED,
        "you may not ask this relay: %s. Be root, or a member of its control-group", why);
  else
    g_dbus_method_invocation_return_error (
        self->call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_ALLOWED,
        "%s needs root or the user that detourd runs as: %s; try it with sudo",
        g_dbus_method_invocation_get_method_name (self->call), why);
  bus_rights_free (self);
}

/* TRUE: the connection is gone, and so is whom the answer was for. */
static gboolean
bus_rights_is_over (Question *self)
{
  if (!g_cancellable_is_cancelled (self->cancellable))
    return FALSE;
  bus_rights_refuse (self, "the daemon has left the bus");
  return TRUE;
}

/* polkit --------------------------------------------------------------------------------------- */

/* @error: of the question */
static void
bus_rights_refuse_without_polkit (Question *self, GError *error)
{
  g_autofree char *said = NULL;

  if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN)
      || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
    bus_rights_refuse (self, "there is no polkit on this host that could allow it");
  else if (g_dbus_error_strip_remote_error (error))
    {
      said = g_strconcat ("polkit could not be asked: ", error->message, NULL);
      bus_rights_refuse (self, said);
    }
  else
    bus_rights_refuse (self, "polkit does not answer");
}

static void
bus_rights_on_polkit (GObject *source, GAsyncResult *result, gpointer data)
{
  Question *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  gboolean is_authorized, is_challenge;

  if (bus_rights_is_over (self))
    return;
  if (reply == NULL)
    {
      bus_rights_refuse_without_polkit (self, error);
      return;
    }
  g_variant_get (reply, "((bba{ss}))", &is_authorized, &is_challenge, NULL);
  if (is_authorized)
    bus_rights_allow (self);
  else
    bus_rights_refuse (self, is_challenge ? "polkit wants you to prove who you are"
                                          : "polkit does not allow it");
}

static void
bus_rights_ask_polkit (Question *self)
{
  GDBusMessage *message = g_dbus_method_invocation_get_message (self->call);
  gboolean asks_person = (g_dbus_message_get_flags (message)
                          & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION)
                      != 0;
  GVariantBuilder subject;

  self->is_counted = TRUE;
  n_asking++;
  g_variant_builder_init (&subject, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&subject, "{sv}", "name",
                         g_variant_new_string (g_dbus_method_invocation_get_sender (self->call)));
  g_dbus_connection_call (
      g_dbus_method_invocation_get_connection (self->call), POLKIT,
      "/org/freedesktop/PolicyKit1/Authority", POLKIT ".Authority", "CheckAuthorization",
      g_variant_new ("((sa{sv})sa{ss}us)", "system-bus-name", &subject, actions[self->right], NULL,
                     asks_person ? 1u : 0u, ""),
      G_VARIANT_TYPE ("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE,
      asks_person ? ANSWER_ASKS_MS : ANSWER_MS, self->cancellable, bus_rights_on_polkit, self);
}

/* Who it is ------------------------------------------------------------------------------------ */

static gboolean
bus_rights_is_reader (GVariant *credentials, gid_t readers)
{
  g_autoptr (GVariant)
      groups = g_variant_lookup_value (credentials, "UnixGroupIDs", G_VARIANT_TYPE ("au"));

  for (gsize i = 0; groups != NULL && i < g_variant_n_children (groups); i++)
    {
      guint32 group;

      g_variant_get_child (groups, i, "u", &group);
      if (group == readers)
        return TRUE;
    }
  return FALSE;
}

static void
bus_rights_on_credentials (GObject *source, GAsyncResult *result, gpointer data)
{
  Question *self = data;
  g_autoptr (GVariant)
      reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
  g_autoptr (GVariant) credentials = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
  guint32 user;

  if (bus_rights_is_over (self))
    return;
  if (credentials == NULL || !g_variant_lookup (credentials, "UnixUserID", "u", &user))
    bus_rights_refuse (self, "the bus does not say who you are");
  else if (user == 0 || user == geteuid ()
           || (self->right == DETOUR_RIGHT_READ && self->readers != DETOUR_NO_GROUP
               && bus_rights_is_reader (credentials, self->readers)))
    bus_rights_allow (self);
  else if (n_asking >= ASKING_MAX)
    bus_rights_refuse (self, "too many others are being asked who they are");
  else
    bus_rights_ask_polkit (self);
}

void
detour_bus_rights_ask (GDBusMethodInvocation *call, DetourRight right, gid_t readers,
                       GCancellable *cancellable, DetourBusRightsFunc func, gpointer user)
{
  Question *self = g_new (Question, 1);

  *self = (Question) { call, right, readers, g_object_ref (cancellable), func, user, FALSE };
  g_dbus_connection_call (
      g_dbus_method_invocation_get_connection (call), "org.freedesktop.DBus",
      "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionCredentials",
      g_variant_new ("(s)", g_dbus_method_invocation_get_sender (call)), G_VARIANT_TYPE ("(a{sv})"),
      G_DBUS_CALL_FLAGS_NONE, ANSWER_MS, cancellable, bus_rights_on_credentials, self);
}
