/* detour-tree.c: the objects of the daemon on D-Bus, served on any number of connections at once.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tree.h"

#include <string.h>

#include "detour-announce.h"
#include "detour-bus-interfaces.h"
#include "detour-bus-stub.h"
#include "detour-control-error.h"
#include "detour-control-socket.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

#define ANNOUNCE_US G_USEC_PER_SEC

typedef struct {
  DetourTree *tree;
  GDBusConnection *connection;
  DetourTreeClient client;
  GArray *objects;  /* of guint: registrations */
  GArray *subtrees; /* of guint */
  GCancellable *gone;
} Served;

/* Data of the callbacks for a folder. GDBus passes sometimes the path of the folder and sometimes
 * that of the object, so the folder's name is kept here. */
typedef struct {
  Served *served;
  char *name;
} Folder;

struct _DetourTree {
  char *path;
  const DetourTreeInterface *root;
  DetourTreeFuncs funcs;
  gpointer user;
  GStrv folders;
  GPtrArray *served;   /* of Served */
  gid_t readers;       /* on the system bus */
  GVariant *announced; /* a{oa{sa{sv}}}: the state that was announced last; NULL while there is no
                          connection */
  GVariant *announced_root; /* a{sv} */
  gint64 announced_us;
  guint timer;
};

static void
tree_node_free (gpointer data)
{
  DetourTreeNode *node = data;

  if (node->free_self != NULL)
    node->free_self (node->self);
  g_free (node->name);
  g_free (node);
}

void
detour_tree_add (GPtrArray *nodes, char *name, const DetourTreeInterface *interface, gpointer self,
                 GDestroyNotify free_self)
{
  DetourTreeNode *node = g_new0 (DetourTreeNode, 1);

  *node = (DetourTreeNode) { name, interface, self, free_self };
  g_ptr_array_add (nodes, node);
}

char *
detour_tree_escape (const char *text)
{
  GString *out = g_string_new (NULL);

  for (; *text != '\0'; text++)
    if (g_ascii_isalnum (*text))
      g_string_append_c (out, *text);
    else
      g_string_append_printf (out, "_%02x", (guint) (guint8) *text);
  return g_string_free (out, FALSE);
}

char *
detour_tree_node_name (const char *folder, const char *id, guint n)
{
  g_auto (GStrv) parts = g_strsplit (id, "/", 2);
  g_autofree char *kind = detour_tree_escape (parts[0]);
  g_autofree char *name = detour_tree_escape (parts[1] != NULL ? parts[1] : "");

  if (n == 0)
    return g_strdup_printf ("%s/%s_%s", folder, kind, name);
  return g_strdup_printf ("%s/%s_%s_%u", folder, kind, name, n + 1);
}

static GPtrArray *
tree_list_nodes (DetourTree *self)
{
  GPtrArray *nodes = g_ptr_array_new_with_free_func (tree_node_free);

  self->funcs.list (self->user, nodes);
  return nodes;
}

/* The part of @path below the root, without the slash; NULL when @path is not below it. */
static const char *
tree_below_root (DetourTree *self, const char *path)
{
  gsize len = strlen (self->path);

  return g_str_has_prefix (path, self->path) && path[len] == '/' ? path + len + 1 : NULL;
}

/* Interface of the object @name, and in @object its self; NULL when there is none. Both belong to
 * @nodes. */
static const DetourTreeInterface *
tree_find_node (GPtrArray *nodes, const char *name, gpointer *object)
{
  for (guint i = 0; i < nodes->len; i++)
    {
      const DetourTreeNode *node = nodes->pdata[i];

      if (strcmp (node->name, name) == 0)
        {
          *object = node->self;
          return node->interface;
        }
    }
  return NULL;
}

static const DetourTreeInterface *
tree_resolve (DetourTree *self, const char *path, GPtrArray *nodes, gpointer *object)
{
  const char *name = tree_below_root (self, path);

  if (name != NULL)
    return tree_find_node (nodes, name, object);
  *object = self->user;
  return self->root;
}

/* Values of all properties, or of those whose changes are announced. The caller has called read().
 */
static GVariant *
tree_properties_of (const DetourTreeInterface *interface, gpointer object, gboolean announced_only)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  for (const DetourTreeProperty *property = interface->properties; property->name != NULL;
       property++)
    {
      const GDBusPropertyInfo *info = g_dbus_interface_info_lookup_property (
          (GDBusInterfaceInfo *) interface->info, property->name);
      const char *emits = g_dbus_annotation_info_lookup (
          info->annotations, "org.freedesktop.DBus.Property.EmitsChangedSignal");

      if (!announced_only || g_strcmp0 (emits, "false") != 0)
        g_variant_dict_insert_value (&dict, property->name, property->get (object));
    }
  return g_variant_dict_end (&dict);
}

static GVariant *
tree_managed_objects (DetourTree *self, gboolean announced_only)
{
  g_autoptr (GPtrArray) nodes = tree_list_nodes (self);
  GVariantBuilder objects;

  self->funcs.read (self->user);
  g_variant_builder_init (&objects, G_VARIANT_TYPE ("a{oa{sa{sv}}}"));
  for (guint i = 0; i < nodes->len; i++)
    {
      const DetourTreeNode *node = nodes->pdata[i];
      g_autofree char *path = g_strconcat (self->path, "/", node->name, NULL);
      GVariantBuilder interfaces;

      g_variant_builder_init (&interfaces, G_VARIANT_TYPE ("a{sa{sv}}"));
      g_variant_builder_add (&interfaces, "{s@a{sv}}", node->interface->info->name,
                             tree_properties_of (node->interface, node->self, announced_only));
      g_variant_builder_add (&objects, "{oa{sa{sv}}}", path, &interfaces);
    }
  return g_variant_builder_end (&objects);
}

GVariant *
detour_tree_objects (DetourTree *self)
{
  return g_variant_ref_sink (tree_managed_objects (self, FALSE));
}

/* Calls ---------------------------------------------------------------------------------------- */

/* An object can go away between the moment when GDBus found it and this one. */
static void
tree_answer_gone (GDBusMethodInvocation *call, const char *path)
{
  g_dbus_method_invocation_return_error (call, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT,
                                         "%s is gone", path);
}

static void
tree_call_method (const Served *served, const DetourTreeMethod *method, gpointer object,
                  GVariant *arguments, GDBusMethodInvocation *call)
{
  if (method->right != DETOUR_RIGHT_READ && served->client == DETOUR_TREE_READER)
    g_dbus_method_invocation_return_error (
        call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_ALLOWED,
        "%s needs root or the user that detourd runs as; try it with sudo", method->name);
  else
    method->call (object, arguments, call);
}

/* GDBus has checked that the interface has the property. */
static void
tree_answer_get (const DetourTreeInterface *interface, gpointer object, const char *name,
                 GDBusMethodInvocation *call)
{
  const DetourTreeProperty *property = interface->properties;

  while (strcmp (property->name, name) != 0)
    property++;
  g_dbus_method_invocation_return_value (call, g_variant_new ("(v)", property->get (object)));
}

/* Get and GetAll. GDBus would ask for each property by itself; here one call shows one instant. */
static void
tree_on_properties (DetourTree *self, const char *path, const char *name, GVariant *arguments,
                    GDBusMethodInvocation *call)
{
  g_autoptr (GPtrArray) nodes = tree_list_nodes (self);
  gpointer object;
  const DetourTreeInterface *interface = tree_resolve (self, path, nodes, &object);
  const char *property;

  self->funcs.read (self->user);
  if (interface == NULL)
    tree_answer_gone (call, path);
  else if (strcmp (name, "GetAll") == 0)
    g_dbus_method_invocation_return_value (
        call, g_variant_new ("(@a{sv})", tree_properties_of (interface, object, FALSE)));
  else
    {
      g_variant_get (arguments, "(&s&s)", NULL, &property);
      tree_answer_get (interface, object, property, call);
    }
}

/* The method that is called, and the self of its object; NULL for those of the standard interfaces,
 * and when there is none. @nodes owns the object. */
static const DetourTreeMethod *
tree_find_method (DetourTree *self, GDBusMethodInvocation *call, GPtrArray *nodes, gpointer *object)
{
  const char *name = g_dbus_method_invocation_get_method_name (call);
  const DetourTreeInterface *interface = tree_resolve (
      self, g_dbus_method_invocation_get_object_path (call), nodes, object);

  if (!g_str_has_prefix (g_dbus_method_invocation_get_interface_name (call), DETOUR_BUS_NAME "."))
    return NULL;
  for (const DetourTreeMethod *method = interface != NULL ? interface->methods : NULL;
       method != NULL && method->name != NULL; method++)
    if (strcmp (method->name, name) == 0)
      return method;
  return NULL;
}

static void
tree_answer (GDBusMethodInvocation *call, gpointer data)
{
  const Served *served = data;
  DetourTree *self = served->tree;
  const char *path = g_dbus_method_invocation_get_object_path (call);
  const char *interface_name = g_dbus_method_invocation_get_interface_name (call);
  GVariant *arguments = g_dbus_method_invocation_get_parameters (call);
  g_autoptr (GPtrArray) nodes = NULL;
  const DetourTreeMethod *method;
  gpointer object;

  if (strcmp (interface_name, OBJECT_MANAGER) == 0)
    {
      g_dbus_method_invocation_return_value (
          call, g_variant_new ("(@a{oa{sa{sv}}})", tree_managed_objects (self, FALSE)));
      return;
    }
  if (strcmp (interface_name, "org.freedesktop.DBus.Properties") == 0)
    {
      tree_on_properties (self, path, g_dbus_method_invocation_get_method_name (call), arguments,
                          call);
      return;
    }
  nodes = tree_list_nodes (self);
  method = tree_find_method (self, call, nodes, &object);
  if (method != NULL)
    tree_call_method (served, method, object, arguments, call);
  else
    tree_answer_gone (call, path);
}

static DetourRight
tree_right_of (DetourTree *self, GDBusMethodInvocation *call)
{
  g_autoptr (GPtrArray) nodes = tree_list_nodes (self);
  gpointer object;
  const DetourTreeMethod *method = tree_find_method (self, call, nodes, &object);

  return method != NULL ? method->right : DETOUR_RIGHT_READ;
}

static void
tree_on_call (GDBusConnection *connection, const char *sender, const char *path,
              const char *interface_name, const char *name, GVariant *arguments,
              GDBusMethodInvocation *call, gpointer data)
{
  Served *served = data;

  if (served->client == DETOUR_TREE_SYSTEM)
    detour_bus_rights_ask (call, tree_right_of (served->tree, call), served->tree->readers,
                           served->gone, tree_answer, served);
  else
    tree_answer (call, served);
}

/* Without get_property(), GDBus hands Get and GetAll to the function for methods. */
static const GDBusInterfaceVTable interface_vtable = { .method_call = tree_on_call };

/* Folders -------------------------------------------------------------------------------------- */

static char **
tree_on_enumerate (GDBusConnection *connection, const char *sender, const char *path, gpointer data)
{
  const Folder *folder = data;
  g_autoptr (GPtrArray) nodes = tree_list_nodes (folder->served->tree);
  g_autofree char *prefix = g_strconcat (folder->name, "/", NULL);
  GPtrArray *names = g_ptr_array_new ();

  for (guint i = 0; i < nodes->len; i++)
    {
      const DetourTreeNode *node = nodes->pdata[i];

      if (g_str_has_prefix (node->name, prefix))
        g_ptr_array_add (names, g_strdup (node->name + strlen (prefix)));
    }
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (names, FALSE);
}

static GDBusInterfaceInfo **
tree_on_introspect (GDBusConnection *connection, const char *sender, const char *path,
                    const char *node_name, gpointer data)
{
  const Folder *folder = data;
  g_autoptr (GPtrArray) nodes = tree_list_nodes (folder->served->tree);
  g_autofree char *name = g_strconcat (folder->name, "/", node_name, NULL);
  const DetourTreeInterface *interface;
  GDBusInterfaceInfo **infos;
  gpointer object;

  if (node_name == NULL) /* the folder itself */
    return NULL;
  interface = tree_find_node (nodes, name, &object);
  if (interface == NULL)
    return NULL;
  infos = g_new0 (GDBusInterfaceInfo *, 2);
  infos[0] = g_dbus_interface_info_ref ((GDBusInterfaceInfo *) interface->info);
  return infos;
}

static const GDBusInterfaceVTable *
tree_on_dispatch (GDBusConnection *connection, const char *sender, const char *path,
                  const char *interface_name, const char *node_name, gpointer *out_data,
                  gpointer data)
{
  *out_data = ((Folder *) data)->served;
  return &interface_vtable;
}

static const GDBusSubtreeVTable subtree_vtable = {
  .enumerate = tree_on_enumerate,
  .introspect = tree_on_introspect,
  .dispatch = tree_on_dispatch,
};

static void
tree_folder_free (gpointer data)
{
  Folder *folder = data;

  g_free (folder->name);
  g_free (folder);
}

/* Connections ---------------------------------------------------------------------------------- */

static void
tree_served_free (gpointer data)
{
  Served *served = data;

  for (guint i = 0; i < served->objects->len; i++)
    g_dbus_connection_unregister_object (served->connection,
                                         g_array_index (served->objects, guint, i));
  for (guint i = 0; i < served->subtrees->len; i++)
    g_dbus_connection_unregister_subtree (served->connection,
                                          g_array_index (served->subtrees, guint, i));
  g_cancellable_cancel (served->gone);
  g_object_unref (served->gone);
  g_array_unref (served->objects);
  g_array_unref (served->subtrees);
  g_object_unref (served->connection);
  g_free (served);
}

static gboolean
tree_register_object (Served *served, const GDBusInterfaceInfo *info, GError **error)
{
  guint id = g_dbus_connection_register_object (served->connection, served->tree->path,
                                                (GDBusInterfaceInfo *) info, &interface_vtable,
                                                served, NULL, error);

  if (id != 0)
    g_array_append_val (served->objects, id);
  return id != 0;
}

static gboolean
tree_register_folder (Served *served, const char *name, GError **error)
{
  g_autofree char *path = g_strconcat (served->tree->path, "/", name, NULL);
  Folder *folder = g_new (Folder, 1);
  guint id;

  *folder = (Folder) { served, g_strdup (name) };
  id = g_dbus_connection_register_subtree (served->connection, path, &subtree_vtable,
                                           G_DBUS_SUBTREE_FLAGS_NONE, folder, tree_folder_free,
                                           error);
  if (id == 0)
    tree_folder_free (folder);
  else
    g_array_append_val (served->subtrees, id);
  return id != 0;
}

static void
tree_forget_state (DetourTree *self)
{
  g_clear_pointer (&self->announced, g_variant_unref);
  g_clear_pointer (&self->announced_root, g_variant_unref);
}

static void
tree_note_state (DetourTree *self)
{
  self->announced = g_variant_ref_sink (tree_managed_objects (self, TRUE));
  self->announced_root = g_variant_ref_sink (tree_properties_of (self->root, self->user, TRUE));
}

void
detour_tree_set_readers (DetourTree *self, gid_t readers)
{
  self->readers = readers;
}

gboolean
detour_tree_serve (DetourTree *self, GDBusConnection *connection, DetourTreeClient client,
                   GError **error)
{
  Served *served = g_new0 (Served, 1);
  gboolean good;

  served->tree = self;
  served->connection = g_object_ref (connection);
  served->client = client;
  served->gone = g_cancellable_new ();
  served->objects = g_array_new (FALSE, FALSE, sizeof (guint));
  served->subtrees = g_array_new (FALSE, FALSE, sizeof (guint));

  good = tree_register_object (served, self->root->info, error)
      && tree_register_object (served, &detour_bus_org_freedesktop_dbus_object_manager_interface,
                               error);
  for (guint i = 0; good && self->folders[i] != NULL; i++)
    good = tree_register_folder (served, self->folders[i], error);
  if (!good)
    {
      tree_served_free (served);
      return FALSE;
    }

  g_ptr_array_add (self->served, served);
  /* Changes are announced against the state that the first connection finds. */
  if (self->announced == NULL)
    tree_note_state (self);
  return TRUE;
}

void
detour_tree_leave (DetourTree *self, GDBusConnection *connection)
{
  for (guint i = 0; i < self->served->len; i++)
    if (((Served *) self->served->pdata[i])->connection == connection)
      {
        g_ptr_array_remove_index (self->served, i);
        break;
      }
  if (self->served->len == 0)
    tree_forget_state (self);
}

/* Announcements -------------------------------------------------------------------------------- */

static void
tree_emit (const char *path, const char *interface, const char *signal, GVariant *arguments,
           gpointer user)
{
  DetourTree *self = user;

  g_variant_ref_sink (arguments);
  for (guint i = 0; i < self->served->len; i++)
    {
      const Served *served = self->served->pdata[i];
      g_autoptr (GDBusMessage) message = g_dbus_message_new_signal (path, interface, signal);

      /* busctl and gdbus expect a sender as on a bus. */
      if (served->client != DETOUR_TREE_BUS)
        g_dbus_message_set_sender (message, DETOUR_BUS_STUB_DAEMON);
      g_dbus_message_set_body (message, arguments);
      g_dbus_connection_send_message (served->connection, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE,
                                      NULL, NULL);
    }
  g_variant_unref (arguments);
}

static gboolean
tree_announce (gpointer data)
{
  DetourTree *self = data;
  g_autoptr (GVariant) before = g_steal_pointer (&self->announced);
  g_autoptr (GVariant) root_before = g_steal_pointer (&self->announced_root);

  self->timer = 0;
  if (before == NULL)
    return G_SOURCE_REMOVE;
  tree_note_state (self);
  self->announced_us = g_get_monotonic_time ();
  detour_announce_properties (self->path, self->root->info->name, root_before, self->announced_root,
                              tree_emit, self);
  detour_announce_objects (self->path, before, self->announced, tree_emit, self);
  return G_SOURCE_REMOVE;
}

void
detour_tree_changed (DetourTree *self)
{
  gint64 wait_us;

  if (self->announced == NULL || self->timer != 0)
    return;
  /* The caller may be in the middle of its change, so the announcement is made from the loop. */
  wait_us = self->announced_us + ANNOUNCE_US - g_get_monotonic_time ();
  self->timer = g_timeout_add ((guint) ((MAX (wait_us, 0) + 999) / 1000), tree_announce, self);
}

/* ---------------------------------------------------------------------------------------------- */

DetourTree *
detour_tree_new (const char *path, const DetourTreeInterface *root, const char *const *folders,
                 const DetourTreeFuncs *funcs, gpointer user)
{
  DetourTree *self = g_new0 (DetourTree, 1);

  self->path = g_strdup (path);
  self->root = root;
  self->folders = g_strdupv ((GStrv) folders);
  self->funcs = *funcs;
  self->user = user;
  self->readers = DETOUR_NO_GROUP;
  self->served = g_ptr_array_new_with_free_func (tree_served_free);
  self->announced_us = g_get_monotonic_time () - ANNOUNCE_US;
  return self;
}

void
detour_tree_free (DetourTree *self)
{
  g_assert (self->served->len == 0);
  if (self->timer != 0)
    g_source_remove (self->timer);
  g_ptr_array_unref (self->served);
  g_strfreev (self->folders);
  g_free (self->path);
  g_free (self);
}
