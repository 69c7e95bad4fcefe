/* detour-bans.c: keys and networks that the operator keeps out, in force and on disk.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-bans.h"

#include "detour-file-write.h"
#include "detour-file-writer.h"
#include "detour-file.h"
#include "detour-log.h"

/* Somebody may set the wall clock, so it is looked at that often while a ban waits for its end. */
#define LOOK_S 5

struct _DetourBans {
  const DetourBansPort *port;
  gpointer user;
  GPtrArray *list;        /* of DetourBan, in the order in which they were made */
  GHashTable *by_text;    /* text of the target: DetourBan */
  DetourNetSet *networks; /* NULL: none */
  DetourFileWriter *file; /* NULL: nothing is kept */
  guint timer;            /* 0: none has an end */
};

static gint64
bans_now_us (const DetourBans *self)
{
  return self->port->now_us != NULL ? self->port->now_us (self->user) : g_get_real_time ();
}

static gboolean
bans_is_over (const DetourBan *ban, gint64 now_us)
{
  return ban->until_us > 0 && ban->until_us <= now_us;
}

static gboolean
bans_on_timer (gpointer data)
{
  DetourBans *self = data;

  detour_bans_tick (self);
  return self->timer != 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* What follows from the list. */
static void
bans_settle (DetourBans *self)
{
  g_autoptr (GArray) networks = g_array_new (FALSE, FALSE, sizeof (DetourCidr));
  gboolean has_end = FALSE;

  for (guint i = 0; i < self->list->len; i++)
    {
      const DetourBan *ban = self->list->pdata[i];

      has_end |= ban->until_us > 0;
      if (!ban->target.is_key)
        g_array_append_val (networks, ban->target.network);
    }
  g_clear_pointer (&self->networks, detour_net_set_unref);
  if (networks->len > 0)
    self->networks = detour_net_set_new ((const DetourCidr *) (gpointer) networks->data,
                                         networks->len);
  if (has_end && self->timer == 0)
    self->timer = g_timeout_add_seconds (LOOK_S, bans_on_timer, self);
  else if (!has_end && self->timer != 0)
    {
      g_source_remove (self->timer);
      self->timer = 0;
    }
}

static void
bans_write (DetourBans *self, DetourBansKept kept, gpointer data)
{
  GString *text;

  if (self->file == NULL)
    {
      if (kept != NULL)
        kept (NULL, data);
      return;
    }
  text = g_string_new (DETOUR_BAN_FILE_HEAD);
  for (guint i = 0; i < self->list->len; i++)
    detour_ban_write (self->list->pdata[i], text);
  detour_file_writer_put (self->file, g_string_free_to_bytes (text), kept, data);
}

/* Takes @ban, in the place of one on the same target. */
static void
bans_take (DetourBans *self, DetourBan *ban)
{
  DetourBan *before = g_hash_table_lookup (self->by_text, ban->text);

  if (before != NULL)
    {
      g_hash_table_remove (self->by_text, before->text);
      g_ptr_array_remove (self->list, before);
    }
  g_hash_table_insert (self->by_text, ban->text, ban);
  g_ptr_array_add (self->list, ban);
}

/* Files ---------------------------------------------------------------------------------------- */

typedef struct {
  DetourBans *bans;
  gint64 now_us;
  guint n_left_out;
} Reading;

static void
bans_on_read (DetourBan *ban, gpointer data)
{
  Reading *reading = data;

  if (bans_is_over (ban, reading->now_us))
    detour_ban_free (ban);
  else if (reading->bans->list->len >= DETOUR_BANS_MAX)
    {
      reading->n_left_out++;
      detour_ban_free (ban);
    }
  else
    bans_take (reading->bans, ban);
}

static void
bans_set_aside (const char *path, const char *problem, guint n_kept)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *aside = detour_file_set_aside (path, &error);

  detour_log_event (G_LOG_LEVEL_WARNING, "bans-broken",
                    "%s; %u bans in it could be read and are in force. %s%s", problem, n_kept,
                    aside != NULL ? "The file is now " : "It could not be set aside: ",
                    aside != NULL ? aside : error->message);
}

void
detour_bans_open (DetourBans *self, const char *path)
{
  Reading reading = { self, bans_now_us (self), 0 };
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *problem = NULL;

  if (detour_file_read (path, DETOUR_BAN_FILE_MAX, 0, &file, &error))
    {
      guint line = detour_ban_read (file.data, file.len, bans_on_read, &reading);

      if (line > 0)
        problem = g_strdup_printf ("%s:%u: not as the daemon writes it", path, line);
      else if (reading.n_left_out > 0)
        problem = g_strdup_printf ("%s: more than %u bans", path, DETOUR_BANS_MAX);
    }
  else if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    problem = g_strdup (error->message);

  self->file = detour_file_writer_new (path, 0600);
  if (problem != NULL)
    {
      bans_set_aside (path, problem, self->list->len);
      bans_write (self, NULL, NULL);
    }
  bans_settle (self);
  if (self->list->len > 0)
    self->port->changed (self->user);
}

/* Changes -------------------------------------------------------------------------------------- */

gboolean
detour_bans_add (DetourBans *self, const DetourBanTarget *targets, guint n, gint64 for_us,
                 const char *reason, DetourBansKept kept, gpointer data, GError **error)
{
  gint64 now_us = bans_now_us (self);

  if (n > DETOUR_BANS_MAX || self->list->len + n > DETOUR_BANS_MAX)
    {
      g_set_error (error, DETOUR_BAN_ERROR, DETOUR_BAN_ERROR_FULL,
                   "there are %u bans, and there can be %u; lift some that are not needed any "
                   "more, or ban a network instead of its addresses",
                   self->list->len, DETOUR_BANS_MAX);
      return FALSE;
    }
  for (guint i = 0; i < n; i++)
    bans_take (self, detour_ban_new (
                         &targets[i], now_us,
                         for_us > 0 && now_us < G_MAXINT64 - for_us ? now_us + for_us : 0, reason));
  bans_settle (self);
  bans_write (self, kept, data);
  self->port->changed (self->user);
  return TRUE;
}

/* Takes @ban off the list, and frees it. */
static void
bans_drop (DetourBans *self, DetourBan *ban)
{
  g_hash_table_remove (self->by_text, ban->text);
  g_ptr_array_remove (self->list, ban);
}

guint
detour_bans_remove (DetourBans *self, const char *const *texts, DetourBansKept kept, gpointer data)
{
  guint n = 0;

  for (; *texts != NULL; texts++)
    {
      DetourBan *ban = g_hash_table_lookup (self->by_text, *texts);

      if (ban == NULL)
        continue;
      bans_drop (self, ban);
      n++;
    }
  if (n > 0)
    bans_settle (self);
  bans_write (self, kept, data);
  if (n > 0)
    self->port->changed (self->user);
  return n;
}

void
detour_bans_tick (DetourBans *self)
{
  gint64 now_us = bans_now_us (self);
  guint n = 0;

  for (guint i = self->list->len; i > 0; i--)
    {
      DetourBan *ban = self->list->pdata[i - 1];

      if (!bans_is_over (ban, now_us))
        continue;
      g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, DETOUR_LOG_EVENT, "ban-over",
                        detour_ban_target_field (&ban->target), ban->text, "MESSAGE",
                        "the ban on %s is over", ban->text);
      bans_drop (self, ban);
      n++;
    }
  if (n == 0)
    return;
  bans_settle (self);
  bans_write (self, NULL, NULL);
  self->port->changed (self->user);
}

/* Questions ------------------------------------------------------------------------------------ */

/* The network of a ban that @address is in; the one with the most bits. */
static DetourBan *
bans_find_network (const DetourBans *self, const char *address, gint64 now_us)
{
  DetourBan *best = NULL;
  DetourCidr own;

  if (self->networks == NULL || *address == '\0' || !detour_cidr_parse (address, &own, NULL)
      || !detour_net_set_has_bytes (self->networks, own.bytes))
    return NULL;
  for (guint i = 0; i < self->list->len; i++)
    {
      DetourBan *ban = self->list->pdata[i];

      if (!ban->target.is_key && !bans_is_over (ban, now_us)
          && detour_cidr_covers (&ban->target.network, &own)
          && (best == NULL || ban->target.network.bits > best->target.network.bits))
        best = ban;
    }
  return best;
}

static DetourBan *
bans_look_up (const DetourBans *self, const DetourKey *key, const char *address)
{
  const DetourBanTarget target = { .is_key = TRUE, .key = *key };
  char text[DETOUR_BAN_TARGET_MAX];
  DetourBan *ban;
  gint64 now_us;

  if (self->list->len == 0)
    return NULL;
  now_us = bans_now_us (self);
  ban = g_hash_table_lookup (self->by_text, detour_ban_target_format (&target, text));
  return ban != NULL && !bans_is_over (ban, now_us) ? ban
                                                    : bans_find_network (self, address, now_us);
}

const DetourBan *
detour_bans_refuse (DetourBans *self, const DetourAuthRequest *request)
{
  DetourBan *ban = bans_look_up (self, detour_auth_request_key (request), request->address);

  if (ban != NULL)
    ban->refused++;
  return ban;
}

const DetourBan *
detour_bans_match (DetourBans *self, const DetourKey *key, const char *address)
{
  return bans_look_up (self, key, address);
}

const DetourBan *
detour_bans_find (DetourBans *self, const char *text)
{
  return g_hash_table_lookup (self->by_text, text);
}

DetourNetSet *
detour_bans_networks (const DetourBans *self)
{
  return self->networks;
}

guint
detour_bans_count (const DetourBans *self)
{
  return self->list->len;
}

const GPtrArray *
detour_bans_list (DetourBans *self)
{
  return self->list;
}

/* Life ----------------------------------------------------------------------------------------- */

static void
bans_free_ban (gpointer data)
{
  detour_ban_free (data);
}

DetourBans *
detour_bans_new (const DetourBansPort *port, gpointer user)
{
  DetourBans *self = g_new0 (DetourBans, 1);

  self->port = port;
  self->user = user;
  self->list = g_ptr_array_new_with_free_func (bans_free_ban);
  self->by_text = g_hash_table_new (g_str_hash, g_str_equal);
  return self;
}

void
detour_bans_free (DetourBans *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  g_clear_pointer (&self->file, detour_file_writer_free);
  g_hash_table_unref (self->by_text);
  g_ptr_array_unref (self->list);
  g_clear_pointer (&self->networks, detour_net_set_unref);
  g_free (self);
}

gboolean
detour_bans_flush (DetourBans *self, GError **error)
{
  if (self->file == NULL || detour_file_writer_flush (self->file, NULL))
    return TRUE;
  /* What hindered it may be over. */
  bans_write (self, NULL, NULL);
  if (detour_file_writer_flush (self->file, error))
    return TRUE;
  g_prefix_error (error, "the bans cannot be written down: ");
  return FALSE;
}
