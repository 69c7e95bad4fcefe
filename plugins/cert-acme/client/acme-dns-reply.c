/* acme-dns-reply.c: what a name server answered.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-dns-reply.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <string.h>

#define RECORDS_MAX 64

void
acme_dns_reply_clear (AcmeDnsReply *self)
{
  g_clear_pointer (&self->texts, g_ptr_array_unref);
  g_clear_pointer (&self->hosts, g_ptr_array_unref);
  g_clear_pointer (&self->addresses, g_ptr_array_unref);
  g_clear_pointer (&self->alias, g_free);
}

gboolean
acme_dns_reply_same_name (const char *a, const char *b)
{
  gsize a_len = strlen (a), b_len = strlen (b);

  if (a_len > 0 && a[a_len - 1] == '.')
    a_len--;
  if (b_len > 0 && b[b_len - 1] == '.')
    b_len--;
  return a_len == b_len && g_ascii_strncasecmp (a, b, a_len) == 0;
}

gboolean
acme_dns_reply_has_text (const AcmeDnsReply *self, const char *text)
{
  for (guint i = 0; i < self->texts->len; i++)
    if (strcmp (self->texts->pdata[i], text) == 0)
      return TRUE;
  return FALSE;
}

/* NULL: it is cut off. */
static char *
acme_dns_reply_join (const guint8 *data, gsize len)
{
  g_autoptr (GString) text = g_string_new (NULL);

  while (len > 0)
    {
      gsize part = data[0];

      if (part > len - 1)
        return NULL;
      g_string_append_len (text, (const char *) data + 1, (gssize) part);
      data += part + 1;
      len -= part + 1;
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* A name in the data of a record, which may point anywhere into the message. NULL: it is none. */
static char *
acme_dns_reply_expand (ns_msg *message, const ns_rr *record)
{
  char name[NS_MAXDNAME];

  return dn_expand (ns_msg_base (*message), ns_msg_end (*message), ns_rr_rdata (*record), name,
                    sizeof name)
              >= 0
           ? g_strdup (name)
           : NULL;
}

static void
acme_dns_reply_add (GPtrArray *array, char *text)
{
  if (text != NULL)
    g_ptr_array_add (array, text);
}

static void
acme_dns_reply_take (AcmeDnsReply *self, ns_msg *message, const ns_rr *record, const char *name)
{
  const guint8 *data = ns_rr_rdata (*record);
  gsize len = ns_rr_rdlen (*record);
  char text[INET6_ADDRSTRLEN];

  if (ns_rr_class (*record) != ns_c_in)
    return;
  switch (ns_rr_type (*record))
    {
    case ns_t_txt:
      acme_dns_reply_add (self->texts, acme_dns_reply_join (data, len));
      break;
    case ns_t_cname:
      g_free (self->alias);
      self->alias = acme_dns_reply_expand (message, record);
      break;
    case ns_t_ns:
      if (acme_dns_reply_same_name (ns_rr_name (*record), name))
        acme_dns_reply_add (self->hosts, acme_dns_reply_expand (message, record));
      break;
    case ns_t_a:
    case ns_t_aaaa:
      if (len == (ns_rr_type (*record) == ns_t_a ? 4 : 16)
          && inet_ntop (len == 4 ? AF_INET : AF_INET6, data, text, sizeof text) != NULL)
        g_ptr_array_add (self->addresses, g_strdup (text));
      break;
    default:
      break;
    }
}

gboolean
acme_dns_reply_read (AcmeDnsReply *self, const guint8 *data, gsize len, guint16 id,
                     const char *name)
{
  ns_msg message;
  ns_rr record;

  *self = (AcmeDnsReply) { 0 };
  if (len > ACME_DNS_REPLY_MAX || ns_initparse (data, (int) len, &message) < 0
      || ns_msg_id (message) != id || !ns_msg_getflag (message, ns_f_qr)
      || ns_msg_count (message, ns_s_qd) != 1 || ns_parserr (&message, ns_s_qd, 0, &record) < 0
      || !acme_dns_reply_same_name (ns_rr_name (record), name))
    return FALSE;
  self->texts = g_ptr_array_new_with_free_func (g_free);
  self->hosts = g_ptr_array_new_with_free_func (g_free);
  self->addresses = g_ptr_array_new_with_free_func (g_free);
  self->is_truncated = ns_msg_getflag (message, ns_f_tc) != 0;
  self->code = ns_msg_getflag (message, ns_f_rcode);
  for (int i = 0; i < ns_msg_count (message, ns_s_an) && i < RECORDS_MAX; i++)
    {
      if (ns_parserr (&message, ns_s_an, i, &record) < 0)
        break;
      acme_dns_reply_take (self, &message, &record, name);
    }
  return TRUE;
}
