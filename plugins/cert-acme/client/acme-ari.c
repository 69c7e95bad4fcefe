/* acme-ari.c: the name by which a CA knows a certificate that it is asked about.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-ari.h"

#include "acme-base64.h"

#define KEY_ID_MAX 256
#define SERIAL_MAX 64

char *
acme_ari_id (gnutls_x509_crt_t crt)
{
  guint8 key_id[KEY_ID_MAX], serial[SERIAL_MAX];
  size_t key_id_len = sizeof key_id, serial_len = sizeof serial;
  g_autofree char *key_id_text = NULL;
  g_autofree char *serial_text = NULL;

  if (gnutls_x509_crt_get_authority_key_id (crt, key_id, &key_id_len, NULL) < 0
      || gnutls_x509_crt_get_serial (crt, serial, &serial_len) < 0 || key_id_len == 0
      || serial_len == 0)
    return NULL;
  key_id_text = acme_base64_encode (key_id, key_id_len);
  serial_text = acme_base64_encode (serial, serial_len);
  return g_strconcat (key_id_text, ".", serial_text, NULL);
}
