/* test-tree.c: tests of the objects on D-Bus, over a real connection between two ends.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tree.h"

#include <gio/gunixconnection.h>
#include <string.h>
#include <sys/socket.h>

#include "detour-bus-interfaces.h"
#include "detour-control-error.h"

#define ROOT       "/test/root"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define MANAGER    "org.freedesktop.DBus.ObjectManager"

/* Every number that a property gives is @n_reads, so that values of two instants differ. */
typedef struct {
  DetourTree *tree;
  GDBusConnection *ours, *theirs;
  GAsyncResult *result; /* of the call that was made last */
  GPtrArray *names;     /* of the objects that there are */
  guint64 n_reads, n_lists;
  gboolean label_changed;
  guint n_signals;
  char *last_signal;
} Fixture;

/* Objects ---------------------------------------------------------------------------------------*/

static GVariant *
test_get_instant (gpointer data)
{
  return g_variant_new_uint64 (((Fixture *) data)->n_reads);
}

static GVariant *
test_get_ready (gpointer data)
{
  return g_variant_new_boolean (((Fixture *) data)->label_changed);
}

static void
test_reload (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  const char *const none[] = { NULL };

  g_dbus_method_invocation_return_value (call, g_variant_new ("(s^as)", "reloaded", none));
}

static const DetourTreeProperty root_properties[] = {
  { "ClientCount", test_get_instant },
  { "PacketsReceived", test_get_instant },
  { "PacketsDropped", test_get_instant },
  { "BytesSent", test_get_instant },
  { "ConnectionCount", test_get_instant },
  { "Ready", test_get_ready },
  { NULL },
};

static const DetourTreeMethod root_methods[] = {
  { "Reload", test_reload, DETOUR_RIGHT_CHANGE },
  { NULL },
};

static const DetourTreeInterface root_interface = { &detour_bus_manager_interface, root_properties,
                                                    root_methods };

static GVariant *
test_get_id (gpointer data)
{
  return g_variant_new_string (data);
}

static const DetourTreeProperty plugin_properties[] = { { "Id", test_get_id }, { NULL } };

static const DetourTreeInterface plugin_interface = { &detour_bus_plugin_interface,
                                                      plugin_properties, NULL };

static void
test_list (gpointer user, GPtrArray *nodes)
{
  Fixture *self = user;

  self->n_lists++;
  for (guint i = 0; i < self->names->len; i++)
    detour_tree_add (nodes, detour_tree_node_name ("plugin", self->names->pdata[i], 0),
                     &plugin_interface, g_strdup (self->names->pdata[i]), g_free);
}

static void
test_read (gpointer user)
{
  ((Fixture *) user)->n_reads++;
}

/* Two ends --------------------------------------------------------------------------------------*/

static void
test_on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  GDBusConnection **place = data;

  *place = g_dbus_connection_new_finish (result, NULL);
  g_assert_nonnull (*place);
}

static void
test_connect_end (int fd, const char *guid, GDBusConnectionFlags flags, GDBusConnection **place)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, NULL);
  g_autoptr (GSocketConnection) stream = g_socket_connection_factory_create_connection (socket);

  g_dbus_connection_new (G_IO_STREAM (stream), guid, flags, NULL, NULL, test_on_connected, place);
}

static void
test_on_signal (GDBusConnection *connection, const char *sender, const char *path,
                const char *interface, const char *name, GVariant *arguments, gpointer data)
{
  Fixture *self = data;
  g_autofree char *text = g_variant_print (arguments, FALSE);

  self->n_signals++;
  g_free (self->last_signal);
  self->last_signal = g_strdup_printf ("%s %s", name, text);
}

static void
test_set_up (Fixture *self, gconstpointer data)
{
  static const char *const folders[] = { "plugin", NULL };
  static const DetourTreeFuncs funcs = { test_list, test_read };
  g_autofree char *guid = g_dbus_generate_guid ();
  int fds[2];

  self->names = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (self->names, g_strdup ("service/stun"));
  self->tree = detour_tree_new (ROOT, &root_interface, folders, &funcs, self);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  test_connect_end (fds[0], guid, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER, &self->ours);
  test_connect_end (fds[1], NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, &self->theirs);
  while (self->ours == NULL || self->theirs == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (detour_tree_serve (self->tree, self->ours, DETOUR_TREE_OPERATOR, NULL));
  g_dbus_connection_signal_subscribe (self->theirs, NULL, NULL, NULL, NULL, NULL,
                                      G_DBUS_SIGNAL_FLAGS_NONE, test_on_signal, self, NULL);
}

static void
test_tear_down (Fixture *self, gconstpointer data)
{
  detour_tree_leave (self->tree, self->ours);
  detour_tree_free (self->tree);
  g_dbus_connection_close_sync (self->theirs, NULL, NULL);
  g_dbus_connection_close_sync (self->ours, NULL, NULL);
  g_object_unref (self->theirs);
  g_object_unref (self->ours);
  g_ptr_array_unref (self->names);
  g_free (self->last_signal);
}

static void
test_on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  ((Fixture *) data)->result = g_object_ref (result);
}

static GVariant *
test_call (Fixture *self, const char *path, const char *interface, const char *method,
           GVariant *arguments, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  g_dbus_connection_call (self->theirs, NULL, path, interface, method, arguments, NULL,
                          G_DBUS_CALL_FLAGS_NONE, -1, NULL, test_on_answer, self);
  while (self->result == NULL)
    g_main_context_iteration (NULL, TRUE);
  result = g_steal_pointer (&self->result);
  return g_dbus_connection_call_finish (self->theirs, result, error);
}

/* -----------------------------------------------------------------------------------------------*/

static void
test_all_values_are_of_one_instant (Fixture *self, gconstpointer data)
{
  guint64 reads = self->n_reads;
  g_autoptr (GVariant)
      reply = test_call (self, ROOT, PROPERTIES, "GetAll",
                         g_variant_new ("(s)", "io.github.detourd.Detour1.Manager"), NULL);
  g_autoptr (GVariant) values = g_variant_get_child_value (reply, 0);

  g_assert_cmpuint (self->n_reads, ==, reads + 1);
  g_assert_cmpuint (g_variant_n_children (values), ==, G_N_ELEMENTS (root_properties) - 1);
  for (guint i = 0; root_properties[i].name != NULL; i++)
    {
      guint64 instant;

      if (root_properties[i].get != test_get_instant)
        continue;
      g_assert_true (g_variant_lookup (values, root_properties[i].name, "t", &instant));
      g_assert_cmpuint (instant, ==, reads + 1);
    }
}

static void
test_managed_objects_are_of_one_instant (Fixture *self, gconstpointer data)
{
  guint64 lists = self->n_lists, reads = self->n_reads;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) objects = NULL;

  g_ptr_array_add (self->names, g_strdup ("http/home-2"));
  reply = test_call (self, ROOT, MANAGER, "GetManagedObjects", NULL, NULL);
  g_assert_cmpuint (self->n_lists, ==, lists + 1);
  g_assert_cmpuint (self->n_reads, ==, reads + 1);
  objects = g_variant_get_child_value (reply, 0);
  g_assert_cmpuint (g_variant_n_children (objects), ==, 2);
}

static void
test_one_value (Fixture *self, gconstpointer data)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) id = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  id = test_call (self, ROOT "/plugin/service_stun", PROPERTIES, "Get",
                  g_variant_new ("(ss)", "io.github.detourd.Detour1.Plugin", "Id"), NULL);
  text = g_variant_print (id, FALSE);
  g_assert_cmpstr (text, ==, "(<'service/stun'>,)");
  reply = test_call (self, ROOT, PROPERTIES, "Get",
                     g_variant_new ("(ss)", "io.github.detourd.Detour1.Manager", "NoSuch"), &error);
  g_assert_null (reply);
  g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
}

static void
test_objects_come_and_go (Fixture *self, gconstpointer data)
{
  const char *path = ROOT "/plugin/service_stun";
  g_autoptr (GError) error = NULL;

  g_ptr_array_set_size (self->names, 0);
  g_assert_null (test_call (self, path, PROPERTIES, "GetAll",
                            g_variant_new ("(s)", "io.github.detourd.Detour1.Plugin"), &error));
  g_assert_nonnull (error);
  detour_tree_changed (self->tree);
  while (self->n_signals == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (g_str_has_prefix (self->last_signal, "InterfacesRemoved"));
  g_assert_nonnull (strstr (self->last_signal, path));
}

static void
test_changes_are_told_together (Fixture *self, gconstpointer data)
{
  self->label_changed = TRUE;
  for (guint i = 0; i < 100; i++)
    detour_tree_changed (self->tree);
  while (self->n_signals == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (
      self->last_signal, ==,
      "PropertiesChanged ('io.github.detourd.Detour1.Manager', {'Ready': <true>}, [])");
  /* An answer comes behind all signals that were sent before. */
  g_variant_unref (test_call (self, ROOT, MANAGER, "GetManagedObjects", NULL, NULL));
  g_assert_cmpuint (self->n_signals, ==, 1);
}

static void
test_own_user_may_change (Fixture *self, gconstpointer data)
{
  g_autoptr (GVariant)
      reply = test_call (self, ROOT, "io.github.detourd.Detour1.Manager", "Reload", NULL, NULL);

  g_assert_nonnull (reply);
}

static void
test_names (void)
{
  static const struct {
    const char *id;
    guint n;
    const char *name;
  } names[] = {
    { "service/stun", 0, "plugin/service_stun" },
    { "service/stun", 1, "plugin/service_stun_2" },
    { "auth/tailnet-b", 0, "plugin/auth_tailnet_2db" },
    { "http/home-2.old", 0, "plugin/http_home_2d2_2eold" },
    { "http/\xc3\xa4", 0, "plugin/http__c3_a4" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *name = detour_tree_node_name ("plugin", names[i].id, names[i].n);

      g_assert_cmpstr (name, ==, names[i].name);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name, func) g_test_add (name, Fixture, NULL, test_set_up, func, test_tear_down)
  TEST ("/tree/all-values-are-of-one-instant", test_all_values_are_of_one_instant);
  TEST ("/tree/managed-objects-are-of-one-instant", test_managed_objects_are_of_one_instant);
  TEST ("/tree/one-value", test_one_value);
  TEST ("/tree/objects-come-and-go", test_objects_come_and_go);
  TEST ("/tree/changes-are-told-together", test_changes_are_told_together);
  TEST ("/tree/own-user-may-change", test_own_user_may_change);
#undef TEST
  g_test_add_func ("/tree/names", test_names);
  return g_test_run ();
}
