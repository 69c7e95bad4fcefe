/* detour-x509.c: who a certificate is of and who signed it, read from its DER.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-x509.h"

#include <string.h>

#include "detour-text.h"

typedef enum {
  TAG_INTEGER = 0x02,
  TAG_OID = 0x06,
  TAG_UTF8 = 0x0c,
  TAG_PRINTABLE = 0x13,
  TAG_TELETEX = 0x14,
  TAG_IA5 = 0x16,
  TAG_BMP = 0x1e,
  TAG_SEQUENCE = 0x30,
  TAG_SET = 0x31,
  TAG_VERSION = 0xa0,
} Tag;

/* Bytes that are still to be read. */
typedef struct {
  const guint8 *data;
  gsize len;
} Span;

/* Takes the next element off @from. FALSE: there is none, or it does not end inside. */
static gboolean
x509_take (Span *from, guint *tag, Span *content)
{
  gsize head = 2, len;

  if (from->len < head)
    return FALSE;
  *tag = from->data[0];
  len = from->data[1];
  if (len >= 0x80)
    {
      guint n = len & 0x7f;

      /* Three bytes of length are 16 MiB, far more than a certificate has. */
      if (n < 1 || n > 3 || from->len - head < n)
        return FALSE;
      len = 0;
      for (guint i = 0; i < n; i++)
        len = len << 8 | from->data[head + i];
      head += n;
    }
  if (from->len - head < len)
    return FALSE;
  *content = (Span) { from->data + head, len };
  from->data += head + len;
  from->len -= head + len;
  return TRUE;
}

static gboolean
x509_take_tag (Span *from, Tag wanted, Span *content)
{
  guint tag;

  return x509_take (from, &tag, content) && tag == (guint) wanted;
}

gboolean
detour_x509_read (const guint8 *der, gsize len, DetourX509 *out)
{
  Span all = { der, len };
  Span certificate, body, skipped, issuer, subject;

  memset (out, 0, sizeof *out);
  if (!x509_take_tag (&all, TAG_SEQUENCE, &certificate)
      || !x509_take_tag (&certificate, TAG_SEQUENCE, &body))
    return FALSE;
  /* The version is left out of certificates of version 1. */
  if (body.len > 0 && body.data[0] == TAG_VERSION && !x509_take_tag (&body, TAG_VERSION, &skipped))
    return FALSE;
  if (!x509_take_tag (&body, TAG_INTEGER, &skipped)     /* serial number */
      || !x509_take_tag (&body, TAG_SEQUENCE, &skipped) /* algorithm */
      || !x509_take_tag (&body, TAG_SEQUENCE, &issuer)
      || !x509_take_tag (&body, TAG_SEQUENCE, &skipped) /* validity */
      || !x509_take_tag (&body, TAG_SEQUENCE, &subject))
    return FALSE;
  *out = (DetourX509) { issuer.data, subject.data, issuer.len, subject.len };
  return TRUE;
}

/* The value of an attribute as text, valid and on one line; NULL: it is of no kind that holds text.
 */
static char *
x509_value_text (guint tag, Span value)
{
  g_autofree char *text = NULL;
  char *line;

  switch (tag)
    {
    case TAG_UTF8:
    case TAG_PRINTABLE:
    case TAG_IA5:
      text = g_utf8_make_valid ((const char *) value.data, (gssize) value.len);
      break;
    case TAG_TELETEX:
      text = g_convert ((const char *) value.data, (gssize) value.len, "UTF-8", "ISO-8859-1", NULL,
                        NULL, NULL);
      break;
    case TAG_BMP:
      text = g_convert ((const char *) value.data, (gssize) value.len, "UTF-8", "UCS-2BE", NULL,
                        NULL, NULL);
      break;
    default:
      break;
    }
  if (text == NULL)
    return NULL;
  line = detour_text_tidy (text, DETOUR_X509_TEXT_MAX / 2 - 2);
  return line != NULL ? line : g_strdup ("");
}

/* Attribute types 2.5.4.3 and 2.5.4.10. */
static const guint8 oid_common_name[] = { 0x55, 0x04, 0x03 };
static const guint8 oid_organisation[] = { 0x55, 0x04, 0x0a };

static gboolean
x509_is_oid (Span oid, const guint8 wanted[3])
{
  return oid.len == 3 && memcmp (oid.data, wanted, 3) == 0;
}

/* The first of each kind is kept. */
static void
x509_read_attribute (Span attribute, char **organisation, char **common_name)
{
  Span oid, value;
  guint tag;
  char **where = NULL;

  if (!x509_take_tag (&attribute, TAG_OID, &oid) || !x509_take (&attribute, &tag, &value))
    return;
  if (x509_is_oid (oid, oid_common_name))
    where = common_name;
  else if (x509_is_oid (oid, oid_organisation))
    where = organisation;
  if (where != NULL && *where == NULL)
    *where = x509_value_text (tag, value);
}

char *
detour_x509_name_text (const guint8 *name, gsize len)
{
  Span rest = { name, len };
  Span set, attribute;
  g_autofree char *organisation = NULL;
  g_autofree char *common_name = NULL;

  while (x509_take_tag (&rest, TAG_SET, &set))
    while (x509_take_tag (&set, TAG_SEQUENCE, &attribute))
      x509_read_attribute (attribute, &organisation, &common_name);
  if (organisation == NULL || *organisation == '\0')
    return common_name != NULL ? g_steal_pointer (&common_name) : g_strdup ("");
  if (common_name == NULL || *common_name == '\0' || strcmp (common_name, organisation) == 0)
    return g_steal_pointer (&organisation);
  if (g_str_has_prefix (common_name, organisation))
    return g_steal_pointer (&common_name);
  return g_strdup_printf ("%s (%s)", organisation, common_name);
}
