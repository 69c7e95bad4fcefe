/* detour-control-certificate.c: the interface io.github.detourd.Detour1.Certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include <string.h>

#include "detour-bus-interfaces.h"
#include "detour-cert.h"

typedef struct {
  char *instance;
  DetourCert *cert;
} View;

static void
control_certificate_view_free (gpointer data)
{
  View *view = data;

  g_free (view->instance);
  detour_cert_unref (view->cert);
  g_free (view);
}

static GVariant *
control_certificate_get_instance (gpointer data)
{
  return g_variant_new_string (((View *) data)->instance);
}

static GVariant *
control_certificate_get_names (gpointer data)
{
  return g_variant_new_strv (detour_cert_names (((View *) data)->cert), -1);
}

static GVariant *
control_certificate_microseconds (gint64 seconds)
{
  return g_variant_new_uint64 (seconds > 0 ? (guint64) seconds * G_USEC_PER_SEC : 0);
}

static GVariant *
control_certificate_get_not_before (gpointer data)
{
  return control_certificate_microseconds (detour_cert_not_before (((View *) data)->cert));
}

static GVariant *
control_certificate_get_not_after (gpointer data)
{
  return control_certificate_microseconds (detour_cert_not_after (((View *) data)->cert));
}

static GVariant *
control_certificate_get_self_signed (gpointer data)
{
  return g_variant_new_boolean (detour_cert_self_signed (((View *) data)->cert));
}

static GVariant *
control_certificate_get_pin (gpointer data)
{
  return g_variant_new_take_string (detour_cert_pin (((View *) data)->cert));
}

static const DetourTreeProperty properties[] = {
  { "Instance", control_certificate_get_instance },
  { "Names", control_certificate_get_names },
  { "NotBefore", control_certificate_get_not_before },
  { "NotAfter", control_certificate_get_not_after },
  { "SelfSigned", control_certificate_get_self_signed },
  { "Pin", control_certificate_get_pin },
  { NULL },
};

static const DetourTreeInterface interface = { &detour_bus_certificate_interface, properties,
                                               NULL };

void
detour_control_list_certificates (DetourControl *self, GPtrArray *nodes)
{
  g_auto (GStrv) instances = NULL;
  g_autoptr (GPtrArray)
      certs = detour_cert_store_list (detour_roster_certs (self->parts.roster), &instances);

  for (guint i = 0; i < certs->len; i++)
    {
      View *view = g_new0 (View, 1);
      guint n = 0;

      for (guint k = 0; k < i; k++)
        if (strcmp (instances[k], instances[i]) == 0)
          n++;
      view->instance = g_strdup (instances[i]);
      view->cert = detour_cert_ref (certs->pdata[i]);
      detour_tree_add (nodes, detour_tree_node_name ("certificate", instances[i], n), &interface,
                       view, control_certificate_view_free);
    }
}
