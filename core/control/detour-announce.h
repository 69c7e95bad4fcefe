/* detour-announce.h: which D-Bus signals tell that objects changed from one state to another.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Sends one signal; @arguments may be floating. */
typedef void (*DetourAnnounceEmit) (const char *path, const char *interface, const char *signal,
                                    GVariant *arguments, gpointer user);

/* @before, @now: a{sv}. PropertiesChanged with the values that differ, if any do. */
void detour_announce_properties (const char *path, const char *interface, GVariant *before,
                                 GVariant *now, DetourAnnounceEmit emit, gpointer user);

/**
 * detour_announce_objects:
 * @root: path of the object manager
 * @before, @now: a{oa{sa{sv}}}
 *
 * InterfacesRemoved for objects that are gone, InterfacesAdded for new ones, PropertiesChanged for
 * the others where a value differs.
 */
void detour_announce_objects (const char *root, GVariant *before, GVariant *now,
                              DetourAnnounceEmit emit, gpointer user);

G_END_DECLS
