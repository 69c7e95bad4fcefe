/* probe-node.c: one node of a DERP map as a client reads it: where it is, and in which families.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "probe.h"

#define DERP_PORT 443
#define STUN_PORT 3478

static gboolean
probe_node_is_empty (const char *text)
{
  return text == NULL || *text == '\0';
}

ProbeNode *
probe_node_new (const DetourctlMapRegion *region, const DetourctlMapNode *entry)
{
  ProbeNode *self = g_new0 (ProbeNode, 1);

  self->region = region;
  self->entry = entry;
  self->name = !probe_node_is_empty (entry->name)      ? entry->name
             : !probe_node_is_empty (entry->host_name) ? entry->host_name
                                                       : "?";
  self->port = entry->derp_port > 0 && entry->derp_port <= G_MAXUINT16 ? (guint16) entry->derp_port
                                                                       : DERP_PORT;
  self->stun_port = entry->stun_port == 0 ? STUN_PORT
                  : entry->stun_port > 0 && entry->stun_port <= G_MAXUINT16
                      ? (guint16) entry->stun_port
                      : 0;
  self->has_literal = entry->host_name != NULL && g_hostname_is_ip_address (entry->host_name);
  self->results = g_ptr_array_new_with_free_func (probe_result_free);
  for (guint i = 0; i < PROBE_N_FAMILIES; i++)
    {
      self->families[i].addresses = g_ptr_array_new_with_free_func (g_object_unref);
      self->stun[i].addresses = g_ptr_array_new_with_free_func (g_object_unref);
    }
  self->stun_us = -1;
  self->latency_us = -1;
  return self;
}

void
probe_node_free (gpointer node)
{
  ProbeNode *self = node;

  for (guint i = 0; i < PROBE_N_FAMILIES; i++)
    {
      g_ptr_array_unref (self->families[i].addresses);
      g_ptr_array_unref (self->stun[i].addresses);
      g_free (self->judged[i]);
    }
  g_ptr_array_unref (self->results);
  g_free (self->no_name);
  g_free (self);
}

static ProbeFamilyIndex
probe_node_family (GInetAddress *address)
{
  return g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6 ? PROBE_IPV6 : PROBE_IPV4;
}

/* The member IPv4 or IPv6. TRUE: the name has to say the address. */
static gboolean
probe_node_read_address (ProbeNode *self, const char *text, ProbeFamilyIndex family)
{
  GInetAddress *address = probe_node_is_empty (text) ? NULL : g_inet_address_new_from_string (text);

  if (probe_node_is_empty (text))
    return TRUE;
  if (address != NULL && probe_node_family (address) == family)
    g_ptr_array_add (self->families[family].addresses, address);
  else
    {
      self->families[family].is_off = TRUE;
      g_clear_object (&address);
    }
  return FALSE;
}

static void
probe_node_look_up (ProbeNode *self, const gboolean *wants, gint64 limit_us)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) found = NULL;

  if (probe_node_is_empty (self->entry->host_name))
    {
      self->no_name = g_strdup (_ ("the map has no HostName"));
      return;
    }
  found = detourctl_dial_resolve (self->entry->host_name, limit_us, &error);
  if (found == NULL)
    self->no_name = g_strdup_printf (_ ("%s: %s"), self->entry->host_name, error->message);
  for (guint i = 0; found != NULL && i < found->len; i++)
    {
      ProbeFamilyIndex family = probe_node_family (found->pdata[i]);

      if (wants[family])
        g_ptr_array_add (self->families[family].addresses, g_object_ref (found->pdata[i]));
    }
}

void
probe_node_resolve (ProbeNode *self, gint64 limit_us)
{
  const DetourctlMapNode *entry = self->entry;
  gboolean wants[PROBE_N_FAMILIES];
  g_autoptr (GInetAddress) test = NULL;

  wants[PROBE_IPV4] = probe_node_read_address (self, entry->ipv4, PROBE_IPV4);
  wants[PROBE_IPV6] = probe_node_read_address (self, entry->ipv6, PROBE_IPV6);
  if (wants[PROBE_IPV4] || wants[PROBE_IPV6])
    probe_node_look_up (self, wants, limit_us);
  /* It takes the place of both. */
  if (!probe_node_is_empty (entry->stun_test_ip))
    test = g_inet_address_new_from_string (entry->stun_test_ip);
  if (test != NULL)
    g_ptr_array_add (self->stun[probe_node_family (test)].addresses, g_object_ref (test));
  else
    for (guint i = 0; i < PROBE_N_FAMILIES; i++)
      for (guint k = 0; k < self->families[i].addresses->len; k++)
        g_ptr_array_add (self->stun[i].addresses,
                         g_object_ref (self->families[i].addresses->pdata[k]));
}

char *
probe_node_host (const ProbeNode *self)
{
  const char *name = self->entry->host_name;

  return detourctl_http_host (name != NULL ? name : "", self->port, DERP_PORT);
}

GInetAddress *
probe_node_address (const ProbeNode *self)
{
  for (int i = PROBE_IPV6; i >= PROBE_IPV4; i--)
    if (self->has_tls[i] && self->families[i].addresses->len > 0)
      return self->families[i].addresses->pdata[0];
  return NULL;
}
