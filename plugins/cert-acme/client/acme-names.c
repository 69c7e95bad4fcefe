/* acme-names.c: what a certificate is for: names and addresses, in the form that CAs want.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-names.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <string.h>

#define NAME_MAX_LEN  253
#define LABEL_MAX_LEN 63

void
acme_name_clear (AcmeName *self)
{
  g_clear_pointer (&self->given, g_free);
  g_clear_pointer (&self->value, g_free);
}

static void
acme_names_free_name (gpointer data)
{
  acme_name_clear (data);
  g_free (data);
}

const char *
acme_name_base (const AcmeName *self)
{
  return acme_name_is_wildcard (self) ? self->value + 2 : self->value;
}

gboolean
acme_name_is_wildcard (const AcmeName *self)
{
  return g_str_has_prefix (self->value, "*.");
}

gboolean
acme_names_have_address (const GPtrArray *names)
{
  for (guint i = 0; i < names->len; i++)
    if (((const AcmeName *) names->pdata[i])->bytes_len > 0)
      return TRUE;
  return FALSE;
}

static gboolean
acme_names_is_host (const char *name)
{
  g_auto (GStrv) labels = g_strsplit (name, ".", -1);

  if (strlen (name) > NAME_MAX_LEN)
    return FALSE;
  for (guint i = 0; labels[i] != NULL; i++)
    {
      gsize len = strlen (labels[i]);

      if (len == 0 || len > LABEL_MAX_LEN || labels[i][0] == '-' || labels[i][len - 1] == '-'
          || strspn (labels[i], "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
        return FALSE;
    }
  /* A number at the end is an address that was mistyped. */
  return labels[0] != NULL
      && !g_ascii_isdigit (*(strrchr (name, '.') ? strrchr (name, '.') + 1 : name));
}

static gboolean
acme_names_parse_address (const char *given, AcmeName *out)
{
  g_autofree char *inner = NULL;
  char text[INET6_ADDRSTRLEN];
  gsize len = strlen (given);

  if (given[0] == '[' && given[len - 1] == ']')
    given = inner = g_strndup (given + 1, len - 2);
  if (inet_pton (AF_INET, given, out->bytes) == 1)
    out->bytes_len = 4;
  else if (inet_pton (AF_INET6, given, out->bytes) == 1)
    out->bytes_len = 16;
  else
    return FALSE;
  inet_ntop (out->bytes_len == 4 ? AF_INET : AF_INET6, out->bytes, text, sizeof text);
  out->value = g_strdup (text);
  return TRUE;
}

/* GnuTLS maps by IDNA 2008, with libidn2. It may be built without, as for small systems: then GLib
 * maps, by IDNA 2003, as for the other names of the configuration. */
static char *
acme_names_to_ascii (const char *given)
{
  gnutls_datum_t mapped;
  char *name;
  int code = gnutls_idna_map (given, (unsigned) strlen (given), &mapped, 0);

  if (code == GNUTLS_E_UNIMPLEMENTED_FEATURE && g_utf8_validate (given, -1, NULL))
    return g_hostname_to_ascii (given);
  if (code < 0)
    return NULL;
  name = g_ascii_strdown ((const char *) mapped.data, (gssize) mapped.size);
  gnutls_free (mapped.data);
  return name;
}

gboolean
acme_names_parse (const char *given, AcmeName *out, AcmeProblem *problem)
{
  const char *rest = given;
  gboolean is_wildcard;
  g_autofree char *plain = NULL;
  g_autofree char *ascii = NULL;

  *out = (AcmeName) { 0 };
  if (*given == '\0')
    return acme_problem_set (problem, "input", "a name is empty");
  if (acme_names_parse_address (given, out))
    {
      out->given = g_strdup (given);
      return TRUE;
    }
  is_wildcard = g_str_has_prefix (given, "*.");
  if (is_wildcard)
    rest += 2;
  plain = g_strdup (rest);
  if (g_str_has_suffix (plain, "."))
    plain[strlen (plain) - 1] = '\0';
  ascii = acme_names_to_ascii (plain);
  if (ascii == NULL || !acme_names_is_host (ascii))
    return acme_problem_set (problem, "input", "%s is neither a host name nor an address", given);
  out->given = g_strdup (given);
  out->value = g_strconcat (is_wildcard ? "*." : "", ascii, NULL);
  return TRUE;
}

GPtrArray *
acme_names_new (const char *const *given, AcmeProblem *problem)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (acme_names_free_name);

  for (guint i = 0; given[i] != NULL; i++)
    {
      AcmeName *name = g_new0 (AcmeName, 1);
      gboolean is_new = TRUE;

      if (!acme_names_parse (given[i], name, problem))
        {
          g_free (name);
          return NULL;
        }
      for (guint j = 0; j < names->len; j++)
        is_new = is_new && strcmp (((AcmeName *) names->pdata[j])->value, name->value) != 0;
      if (is_new)
        g_ptr_array_add (names, name);
      else
        acme_names_free_name (name);
    }
  if (names->len == 0 || names->len > ACME_NAMES_MAX)
    {
      acme_problem_set (problem, "input", "there must be 1 to %d names, not %u", ACME_NAMES_MAX,
                        names->len);
      return NULL;
    }
  return g_steal_pointer (&names);
}

const AcmeName *
acme_names_find (const GPtrArray *names, const char *value, gboolean is_wildcard)
{
  g_auto (AcmeProblem) ignored = { 0 };
  AcmeName wanted = { 0 };
  const AcmeName *found = NULL;

  /* A CA may write an address in another way, or leave "*." in place. */
  if (acme_names_parse (value, &wanted, &ignored))
    for (guint i = 0; i < names->len && found == NULL; i++)
      {
        const AcmeName *name = names->pdata[i];

        if (strcmp (acme_name_base (name), acme_name_base (&wanted)) == 0
            && acme_name_is_wildcard (name) == (is_wildcard || acme_name_is_wildcard (&wanted)))
          found = name;
      }
  acme_name_clear (&wanted);
  return found;
}
