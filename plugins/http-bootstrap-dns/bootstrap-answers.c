/* bootstrap-answers.c: what is answered until the next refresh; immutable.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bootstrap-answers.h"

#include <netinet/in.h>
#include <string.h>

typedef struct {
  char *json; /* this name alone; NULL: there is no address */
  guint percent;
} Unpublished;

struct _BootstrapAnswers {
  char *published;         /* JSON of all published names */
  GHashTable *is_known;    /* published name -> whether there is an address */
  GHashTable *unpublished; /* name -> Unpublished */
};

static gint
bootstrap_answers_compare (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const BootstrapName *const *) a)->name,
                 (*(const BootstrapName *const *) b)->name);
}

/* An object of those of @names, which are in order, that have an address. */
static char *
bootstrap_answers_to_json (BootstrapName *const *names, guint n)
{
  GString *text = g_string_new ("{");
  gboolean is_first = TRUE;

  for (guint i = 0; i < n; i++)
    {
      const GPtrArray *addresses = names[i]->addresses;

      if (addresses->len == 0)
        continue;
      g_string_append_printf (text, "%s\n\t\"%s\": [", is_first ? "" : ",", names[i]->name);
      for (guint k = 0; k < addresses->len; k++)
        g_string_append_printf (text, "%s\n\t\t\"%s\"", k > 0 ? "," : "",
                                (const char *) addresses->pdata[k]);
      g_string_append (text, "\n\t]");
      is_first = FALSE;
    }
  g_string_append (text, is_first ? "}" : "\n}");
  return g_string_free (text, FALSE);
}

static void
bootstrap_answers_free_unpublished (gpointer data)
{
  Unpublished *self = data;

  g_free (self->json);
  g_free (self);
}

BootstrapAnswers *
bootstrap_answers_new (GPtrArray *published, GPtrArray *unpublished)
{
  BootstrapAnswers *self = g_atomic_rc_box_new0 (BootstrapAnswers);
  g_autoptr (GPtrArray) sorted = g_ptr_array_copy (published, NULL, NULL);

  g_ptr_array_set_free_func (sorted, NULL);
  g_ptr_array_sort (sorted, bootstrap_answers_compare);
  self->published = bootstrap_answers_to_json ((BootstrapName *const *) sorted->pdata, sorted->len);
  self->is_known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < published->len; i++)
    {
      const BootstrapName *name = published->pdata[i];

      g_hash_table_insert (self->is_known, g_strdup (name->name),
                           GINT_TO_POINTER (name->addresses->len > 0));
    }
  self->unpublished = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                             bootstrap_answers_free_unpublished);
  for (guint i = 0; i < unpublished->len; i++)
    {
      BootstrapName *name = unpublished->pdata[i];
      Unpublished *entry = g_new0 (Unpublished, 1);

      if (name->addresses->len > 0)
        entry->json = bootstrap_answers_to_json (&name, 1);
      entry->percent = name->percent;
      g_hash_table_insert (self->unpublished, g_strdup (name->name), entry);
    }
  return self;
}

BootstrapAnswers *
bootstrap_answers_ref (BootstrapAnswers *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
bootstrap_answers_clear (gpointer data)
{
  BootstrapAnswers *self = data;

  g_free (self->published);
  g_hash_table_unref (self->is_known);
  g_hash_table_unref (self->unpublished);
}

void
bootstrap_answers_unref (BootstrapAnswers *self)
{
  g_atomic_rc_box_release_full (self, bootstrap_answers_clear);
}

/* ---- which clients --------------------------------------------------------------------------- */

/* 0 to 99; the same for the same address. */
static guint
bootstrap_answers_share_of (const struct in6_addr *address)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize len = sizeof digest;
  guint32 number;

  g_checksum_update (checksum, address->s6_addr, sizeof address->s6_addr);
  g_checksum_get_digest (checksum, digest, &len);
  memcpy (&number, digest, sizeof number);
  return (guint) ((guint64) GUINT32_FROM_BE (number) * 100 >> 32);
}

static gboolean
bootstrap_answers_is_chosen (const struct sockaddr *peer, guint percent)
{
  struct in6_addr address = IN6ADDR_ANY_INIT;

  if (percent == 0 || percent >= 100)
    return percent > 0;
  if (peer->sa_family == AF_INET)
    {
      address.s6_addr[10] = address.s6_addr[11] = 0xff;
      memcpy (address.s6_addr + 12, &((const struct sockaddr_in *) (const void *) peer)->sin_addr,
              4);
    }
  else if (peer->sa_family == AF_INET6)
    address = ((const struct sockaddr_in6 *) (const void *) peer)->sin6_addr;
  /* A test on this host sees both answers. */
  if (IN6_IS_ADDR_LOOPBACK (&address)
      || (IN6_IS_ADDR_V4MAPPED (&address) && address.s6_addr[12] == 127))
    return (guint) g_random_int_range (0, 100) < percent;
  return bootstrap_answers_share_of (&address) < percent;
}

const char *
bootstrap_answers_choose (BootstrapAnswers *self, const char *wish, const struct sockaddr *peer,
                          guint *outcome)
{
  const Unpublished *entry;
  gpointer is_known;

  *outcome = 0;
  if (wish == NULL || *wish == '\0')
    return self->published;
  entry = g_hash_table_lookup (self->unpublished, wish);
  if (entry != NULL && entry->json != NULL)
    {
      if (bootstrap_answers_is_chosen (peer, entry->percent))
        {
          *outcome = BOOTSTRAP_UNPUBLISHED_HIT;
          return entry->json;
        }
      *outcome = BOOTSTRAP_UNPUBLISHED_PERCENT_MISS;
    }
  if (!g_hash_table_lookup_extended (self->is_known, wish, NULL, &is_known))
    *outcome |= BOOTSTRAP_UNPUBLISHED_MISS;
  else if (GPOINTER_TO_INT (is_known))
    *outcome |= BOOTSTRAP_PUBLISHED_HIT;
  else
    *outcome |= BOOTSTRAP_PUBLISHED_MISS;
  return self->published;
}
