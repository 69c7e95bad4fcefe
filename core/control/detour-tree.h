/* detour-tree.h: the objects of the daemon on D-Bus, served on any number of connections at once.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * There is one object at the root, and others in folders below it. The tree keeps no object: its
 * owner lists them for each call, so no registration can be out of date. Main thread. */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

#include "detour-bus-rights.h"

G_BEGIN_DECLS

/* One property. get() never returns NULL; the reference may be floating. */
typedef struct {
  const char *name;
  GVariant *(*get) (gpointer self);
} DetourTreeProperty;

/* One method. call() has to answer @call, at once or later. */
typedef struct {
  const char *name;
  void (*call) (gpointer self, GVariant *arguments, GDBusMethodInvocation *call);
  DetourRight right; /* that its caller needs */
} DetourTreeMethod;

/* An interface: its description, and the functions for its properties and methods. Both tables end
 * with { NULL }. */
typedef struct {
  const GDBusInterfaceInfo *info;
  const DetourTreeProperty *properties;
  const DetourTreeMethod *methods;
} DetourTreeInterface;

/* An object of a folder at the moment of a call. */
typedef struct {
  char *name; /* "plugin/service_stun": its path below the root */
  const DetourTreeInterface *interface;
  gpointer self;
  GDestroyNotify free_self; /* (nullable) */
} DetourTreeNode;

typedef struct _DetourTree DetourTree;

/* What the tree asks of its owner, once for each call and each announcement. */
typedef struct {
  /* Adds all objects of all folders to @nodes, with detour_tree_add(). */
  void (*list) (gpointer user, GPtrArray *nodes);
  /* Reads the numbers that properties give, so that all values of one answer belong to one instant.
   */
  void (*read) (gpointer user);
} DetourTreeFuncs;

void detour_tree_add (GPtrArray *nodes, char *name, const DetourTreeInterface *interface,
                      gpointer self, GDestroyNotify free_self);

/* @text as a part of a path: bytes that are neither letters nor digits become `_` and two hex
 * digits. */
char *detour_tree_escape (const char *text);

/* "plugin/service_stun" for the id "service/stun" and @n = 0; with "_2" behind it for @n = 1, the
 * second object of that id, and so on. */
char *detour_tree_node_name (const char *folder, const char *id, guint n);

/**
 * detour_tree_new:
 * @path: of the root
 * @root: interface of the root, which is an object manager as well
 * @folders: (array zero-terminated=1): "plugin"
 * @funcs: copied
 * @user: for @root and @funcs
 */
DetourTree *detour_tree_new (const char *path, const DetourTreeInterface *root,
                             const char *const *folders, const DetourTreeFuncs *funcs,
                             gpointer user);
/* To be called when no connection is left. */
void detour_tree_free (DetourTree *self);

/* Who is at the other end of a connection. */
typedef enum {
  DETOUR_TREE_BUS,      /* a session bus, on which everybody is the same user */
  DETOUR_TREE_SYSTEM,   /* the system bus: detour-bus-rights.h says who may do what */
  DETOUR_TREE_READER,   /* a peer that may change nothing */
  DETOUR_TREE_OPERATOR, /* a peer that may change things */
} DetourTreeClient;

/* @readers: group whose members may read on the system bus, or DETOUR_NO_GROUP */
void detour_tree_set_readers (DetourTree *self, gid_t readers);

gboolean detour_tree_serve (DetourTree *self, GDBusConnection *connection, DetourTreeClient client,
                            GError **error);
void detour_tree_leave (DetourTree *self, GDBusConnection *connection);

/* What the object manager says: a{oa{sa{sv}}}. Free with g_variant_unref(). */
GVariant *detour_tree_objects (DetourTree *self);

/* Announces the changes since the last announcement to all connections: from the loop, and at most
 * once a second. */
void detour_tree_changed (DetourTree *self);

G_END_DECLS
