/* detourctl-dial-report.c: reads what the program that speaks TLS says of a server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-dial-report.h"

#include <json-glib/json-glib.h>

static void
ctl_dial_report_cert_free (gpointer data)
{
  DetourctlDialCert *cert = data;

  g_free (cert->subject);
  g_free (cert->issuer);
  g_strfreev (cert->names);
  g_free (cert->sha256);
  g_free (cert);
}

static char *
ctl_dial_report_text (JsonObject *object, const char *name)
{
  return g_strdup (json_object_get_string_member_with_default (object, name, NULL));
}

static char **
ctl_dial_report_texts (JsonObject *object, const char *name)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();
  JsonArray *array = json_object_has_member (object, name)
                       ? json_object_get_array_member (object, name)
                       : NULL;

  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    g_ptr_array_add (texts, g_strdup (json_array_get_string_element (array, i)));
  g_ptr_array_add (texts, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&texts), FALSE);
}

static DetourctlDialCert *
ctl_dial_report_cert (JsonObject *object)
{
  DetourctlDialCert *cert = g_new0 (DetourctlDialCert, 1);

  cert->names = ctl_dial_report_texts (object, "names");
  cert->subject = ctl_dial_report_text (object, "subject");
  if (cert->subject == NULL)
    cert->subject = g_strdup (cert->names[0] != NULL ? cert->names[0] : "");
  cert->issuer = ctl_dial_report_text (object, "issuer");
  if (cert->issuer == NULL)
    cert->issuer = g_strdup ("");
  cert->sha256 = ctl_dial_report_text (object, "sha256");
  cert->not_before = json_object_get_int_member_with_default (object, "not_before", 0);
  cert->not_after = json_object_get_int_member_with_default (object, "not_after", 0);
  cert->is_self_signed = json_object_get_boolean_member_with_default (object, "self_signed", FALSE);
  return cert;
}

DetourctlDialTls *
detourctl_dial_tls_parse (const char *text, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (DetourctlDialTls) self = NULL;
  JsonNode *root;
  JsonObject *object;
  JsonArray *chain;

  if (!json_parser_load_from_data (parser, text, -1, error))
    return NULL;
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "no JSON object");
      return NULL;
    }
  object = json_node_get_object (root);
  self = g_new0 (DetourctlDialTls, 1);
  self->certs = g_ptr_array_new_with_free_func (ctl_dial_report_cert_free);
  self->error = ctl_dial_report_text (object, "error");
  self->version = ctl_dial_report_text (object, "version");
  self->trouble = ctl_dial_report_text (object, "trouble");
  self->handshake_us = json_object_get_int_member_with_default (object, "handshake_microseconds",
                                                                0);
  self->server_key = ctl_dial_report_text (object, "server_key");
  self->name_fits = json_object_get_boolean_member_with_default (object, "name_fits", FALSE);
  chain = json_object_has_member (object, "chain") ? json_object_get_array_member (object, "chain")
                                                   : NULL;
  for (guint i = 0; chain != NULL && i < json_array_get_length (chain); i++)
    g_ptr_array_add (self->certs, ctl_dial_report_cert (json_array_get_object_element (chain, i)));
  return g_steal_pointer (&self);
}

void
detourctl_dial_tls_free (DetourctlDialTls *self)
{
  g_free (self->error);
  g_free (self->version);
  g_free (self->trouble);
  g_free (self->server_key);
  g_ptr_array_unref (self->certs);
  g_free (self);
}

char *
detourctl_dial_cert_names (const DetourctlDialCert *self)
{
  return self->names[0] != NULL ? g_strjoinv (", ", self->names) : g_strdup (self->subject);
}
