/* detour-tree.c: the objects of the daemon on D-Bus, served on any number of connections at once.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tree.h"

#include <string.h>
#include <unistd.h>

#include "detour-bus-interfaces.h"
#include "detour-control-error.h"
#include "detour-bus-stub.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

#define ANNOUNCE_US G_USEC_PER_SEC

typedef struct {
  DetourTree *tree;
  GDBusConnection *connection;
  gboolean is_peer;
  GArray *objects;  /* of guint: registrations */
  GArray *subtrees; /* of guint */
} Served;

/* What GDBus calls back with for a folder. The path it gives is sometimes that of the folder and
 * sometimes that of the object, so it is not looked at. */
typedef struct {
  Served *served;
  char *name;
} Folder;

struct _DetourTree {
  char *path;
  const DetourTreeInterface *root;
  DetourTreeList list;
  gpointer user;
  GStrv folders;
  GPtrArray *served;   /* of Served */
  GVariant *announced; /* a{oa{sa{sv}}}: what all connections were told; NULL while there is none */
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

static GPtrArray *
tree_list_nodes (DetourTree *self)
{
  GPtrArray *nodes = g_ptr_array_new_with_free_func (tree_node_free);

  self->list (self->user, nodes);
  return nodes;
}

/* Part of @path below the root, without the slash; NULL when it does not lie there. */
static const char *
tree_below_root (DetourTree *self, const char *path)
{
  gsize len = strlen (self->path);

  return g_str_has_prefix (path, self->path) && path[len] == '/' ? path + len + 1 : NULL;
}

/* Whoever is called @name: its interface and, in @object, its self; @nodes keeps them alive. */
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

/* Values of all properties, or of those whose changes are announced. */
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

/* Calls ---------------------------------------------------------------------------------------- */

/* On a bus its policy decides. */
static gboolean
tree_may_change (const Served *served)
{
  GCredentials *credentials;
  uid_t uid;

  if (!served->is_peer)
    return TRUE;
  credentials = g_dbus_connection_get_peer_credentials (served->connection);
  if (credentials == NULL)
    return FALSE;
  uid = g_credentials_get_unix_user (credentials, NULL);
  return uid == 0 || uid == geteuid ();
}

static void
tree_on_call (GDBusConnection *connection, const char *sender, const char *path,
              const char *interface_name, const char *name, GVariant *arguments,
              GDBusMethodInvocation *call, gpointer data)
{
  Served *served = data;
  DetourTree *self = served->tree;
  g_autoptr (GPtrArray) nodes = NULL;
  const DetourTreeInterface *interface;
  gpointer object;

  if (strcmp (interface_name, OBJECT_MANAGER) == 0)
    {
      g_dbus_method_invocation_return_value (
          call, g_variant_new ("(@a{oa{sa{sv}}})", tree_managed_objects (self, FALSE)));
      return;
    }

  nodes = tree_list_nodes (self);
  interface = tree_resolve (self, path, nodes, &object);
  for (const DetourTreeMethod *method = interface != NULL ? interface->methods : NULL;
       method != NULL && method->name != NULL; method++)
    {
      if (strcmp (method->name, name) != 0)
        continue;
      if (method->changes && !tree_may_change (served))
        g_dbus_method_invocation_return_error (
            call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NOT_ALLOWED,
            "%s needs root or the user that detourd runs as; try it with sudo", name);
      else
        method->call (object, arguments, call);
      return;
    }
  /* It went away between its dispatch and now. */
  g_dbus_method_invocation_return_error (call, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT,
                                         "%s is gone", path);
}

static GVariant *
tree_on_get (GDBusConnection *connection, const char *sender, const char *path,
             const char *interface_name, const char *name, GError **error, gpointer data)
{
  DetourTree *self = ((Served *) data)->tree;
  g_autoptr (GPtrArray) nodes = tree_list_nodes (self);
  gpointer object;
  const DetourTreeInterface *interface = tree_resolve (self, path, nodes, &object);

  for (const DetourTreeProperty *property = interface != NULL ? interface->properties : NULL;
       property != NULL && property->name != NULL; property++)
    if (strcmp (property->name, name) == 0)
      return property->get (object);
  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT, "%s is gone", path);
  return NULL;
}

static const GDBusInterfaceVTable interface_vtable = { .method_call = tree_on_call,
                                                       .get_property = tree_on_get };

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

gboolean
detour_tree_serve (DetourTree *self, GDBusConnection *connection, gboolean is_peer, GError **error)
{
  Served *served = g_new0 (Served, 1);
  gboolean good;

  served->tree = self;
  served->connection = g_object_ref (connection);
  served->is_peer = is_peer;
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
  /* From now on somebody wants to hear of changes, and knows what there is at this moment. */
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
tree_emit (DetourTree *self, const char *path, const char *interface, const char *signal,
           GVariant *arguments)
{
  g_variant_ref_sink (arguments);
  for (guint i = 0; i < self->served->len; i++)
    {
      const Served *served = self->served->pdata[i];
      g_autoptr (GDBusMessage) message = g_dbus_message_new_signal (path, interface, signal);

      /* Tools that take a peer for a bus look at who sent it. */
      if (served->is_peer)
        g_dbus_message_set_sender (message, DETOUR_STAND_IN_DAEMON);
      g_dbus_message_set_body (message, arguments);
      g_dbus_connection_send_message (served->connection, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE,
                                      NULL, NULL);
    }
  g_variant_unref (arguments);
}

static void
tree_announce_properties (DetourTree *self, const char *path, const char *interface,
                          GVariant *before, GVariant *now)
{
  GVariantBuilder changed;
  GVariantIter iter;
  const char *name;
  GVariant *value;
  gboolean any = FALSE;

  g_variant_builder_init (&changed, G_VARIANT_TYPE_VARDICT);
  g_variant_iter_init (&iter, now);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) old = g_variant_lookup_value (before, name, NULL);

      if (old != NULL && g_variant_equal (old, value))
        continue;
      g_variant_builder_add (&changed, "{sv}", name, value);
      any = TRUE;
    }
  if (any)
    tree_emit (self, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
               g_variant_new ("(sa{sv}as)", interface, &changed, NULL));
  else
    g_variant_builder_clear (&changed);
}

/* Compares objects that were there with those that are. Called the other way round, it finds those
 * that are gone. */
static void
tree_announce_objects (DetourTree *self, GVariant *before, GVariant *now, gboolean backwards)
{
  GVariantIter iter;
  const char *path;
  GVariant *interfaces;

  g_variant_iter_init (&iter, now);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant)
          old = g_variant_lookup_value (before, path, G_VARIANT_TYPE ("a{sa{sv}}"));
      GVariantIter each;
      const char *interface;
      GVariant *properties;

      if (old == NULL && !backwards)
        tree_emit (self, self->path, OBJECT_MANAGER, "InterfacesAdded",
                   g_variant_new ("(o@a{sa{sv}})", path, interfaces));
      g_variant_iter_init (&each, interfaces);
      while (g_variant_iter_loop (&each, "{&s@a{sv}}", &interface, &properties))
        {
          g_autoptr (GVariant)
              was = old != NULL ? g_variant_lookup_value (old, interface, G_VARIANT_TYPE_VARDICT)
                                : NULL;

          if (old == NULL && backwards)
            tree_emit (self, self->path, OBJECT_MANAGER, "InterfacesRemoved",
                       g_variant_new ("(o^as)", path, (const char *const[]) { interface, NULL }));
          else if (was != NULL && !backwards)
            tree_announce_properties (self, path, interface, was, properties);
        }
    }
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
  tree_announce_properties (self, self->path, self->root->info->name, root_before,
                            self->announced_root);
  tree_announce_objects (self, self->announced, before, TRUE);
  tree_announce_objects (self, before, self->announced, FALSE);
  return G_SOURCE_REMOVE;
}

void
detour_tree_changed (DetourTree *self)
{
  gint64 wait_us;

  if (self->announced == NULL || self->timer != 0)
    return;
  /* Not from inside of whatever changed, which may be half done. */
  wait_us = MAX (self->announced_us + ANNOUNCE_US - g_get_monotonic_time (), 0);
  self->timer = g_timeout_add ((guint) ((wait_us + 999) / 1000), tree_announce, self);
}

/* ---------------------------------------------------------------------------------------------- */

DetourTree *
detour_tree_new (const char *path, const DetourTreeInterface *root, const char *const *folders,
                 DetourTreeList list, gpointer user)
{
  DetourTree *self = g_new0 (DetourTree, 1);

  self->path = g_strdup (path);
  self->root = root;
  self->folders = g_strdupv ((GStrv) folders);
  self->list = list;
  self->user = user;
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
