/* detour-server-key.c: the relay's own key pair and its file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "detour-file.h"
#include "detour-json.h"

#define FILE_MAX  16384
#define DEPTH_MAX 8
#define MEMBER    "PrivateKey"

struct _DetourServerKey {
  guint8 private_key[DETOUR_KEY_SIZE];
  DetourKey public_key;
};

G_DEFINE_QUARK (detour_server_key_error_quark, detour_server_key_error)

static DetourServerKey *
server_key_allocate (void)
{
  DetourServerKey *self;
  int ready = sodium_init ();

  g_assert (ready >= 0);
  self = sodium_malloc (sizeof *self);
  g_assert (self != NULL);
  return self;
}

/* Computes the public half and makes the memory read-only. */
static DetourServerKey *
server_key_seal (DetourServerKey *self)
{
  crypto_scalarmult_base (self->public_key.bytes, self->private_key);
  sodium_mprotect_readonly (self);
  return self;
}

DetourServerKey *
detour_server_key_new (void)
{
  DetourServerKey *self = server_key_allocate ();

  randombytes_buf (self->private_key, sizeof self->private_key);
  /* The key is clamped as derper clamps it. The multiplication would clamp it again, but other
   * programs that read the file may not. */
  self->private_key[0] &= 248;
  self->private_key[DETOUR_KEY_SIZE - 1] = (self->private_key[DETOUR_KEY_SIZE - 1] & 127) | 64;
  return server_key_seal (self);
}

void
detour_server_key_free (DetourServerKey *self)
{
  sodium_free (self);
}

const DetourKey *
detour_server_key_public (const DetourServerKey *self)
{
  return &self->public_key;
}

const guint8 *
detour_server_key_private (const DetourServerKey *self)
{
  return self->private_key;
}

static gboolean server_key_refuse (GError **error, int code, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static gboolean
server_key_refuse (GError **error, int code, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, DETOUR_SERVER_KEY_ERROR, code, text);
  return FALSE;
}

/* What the object holds under the name, the last one if it comes again; @user is a DetourJsonValue.
 */
static gboolean
server_key_take_member (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  char text[sizeof MEMBER];

  if (detour_json_get_string (name, text, sizeof text) && g_ascii_strcasecmp (text, MEMBER) == 0)
    *(DetourJsonValue *) user = *value;
  return TRUE;
}

DetourServerKey *
detour_server_key_parse (const char *data, gsize len, GError **error)
{
  char text[sizeof "privkey:" + 2 * DETOUR_KEY_SIZE];
  DetourJsonValue root;
  DetourJsonValue member = { DETOUR_JSON_NULL, NULL, 0 };
  const char *reason;
  DetourServerKey *self;
  gboolean good;

  if (len > FILE_MAX)
    {
      server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_FORM,
                         "this is no key file: it has more than %d bytes", FILE_MAX);
      return NULL;
    }
  if (!detour_json_scan (data, len, DEPTH_MAX, &root, server_key_take_member, &member, &reason,
                         NULL))
    {
      server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_FORM,
                         "this is no JSON (%s); expected an object with \"" MEMBER "\"", reason);
      return NULL;
    }
  if (member.type != DETOUR_JSON_STRING)
    {
      server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_FORM,
                         "it has no text \"" MEMBER "\", which would be the key");
      return NULL;
    }

  self = server_key_allocate ();
  good = detour_json_get_string (&member, text, sizeof text)
      && detour_key_parse (&self->public_key, text, "privkey:")
      && !detour_key_is_zero (&self->public_key);
  sodium_memzero (text, sizeof text);
  if (!good)
    {
      sodium_free (self);
      server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_FORM,
                         "\"" MEMBER "\" must be \"privkey:\" and 64 hex digits, not all zero");
      return NULL;
    }
  memcpy (self->private_key, self->public_key.bytes, DETOUR_KEY_SIZE);
  return server_key_seal (self);
}

DetourServerKey *
detour_server_key_load (const char *path, GError **error)
{
  g_auto (DetourFile) file;
  g_autoptr (GError) local = NULL;
  DetourServerKey *self;

  if (!detour_file_read (path, FILE_MAX,
                         DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED, &file,
                         &local))
    {
      server_key_refuse (error,
                         g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_PERM)
                             ? DETOUR_SERVER_KEY_ERROR_OPEN
                             : DETOUR_SERVER_KEY_ERROR_FILE,
                         "%s", local->message);
      return NULL;
    }
  self = detour_server_key_parse (file.data, file.len, error);
  if (self == NULL)
    g_prefix_error (error, "%s: ", path);
  return self;
}

/* The text of the file; wiped and freed by the caller. */
static char *
server_key_to_text (const DetourServerKey *self, gsize *len)
{
  static const char before[] = "{\n\t\"" MEMBER "\": \"privkey:";
  static const char after[] = "\"\n}";
  gsize size = sizeof before + 2 * DETOUR_KEY_SIZE + sizeof after;
  char *text = g_malloc (size);

  memcpy (text, before, sizeof before);
  sodium_bin2hex (text + sizeof before - 1, 2 * DETOUR_KEY_SIZE + 1, self->private_key,
                  DETOUR_KEY_SIZE);
  memcpy (text + sizeof before - 1 + 2 * DETOUR_KEY_SIZE, after, sizeof after);
  *len = strlen (text);
  return text;
}

gboolean
detour_server_key_save (const DetourServerKey *self, const char *path, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *temporary = g_strconcat (path, ".XXXXXX", NULL);
  g_autofree char *text = NULL;
  gboolean saved = FALSE;
  gsize len;
  int fd;

  if (g_mkdir_with_parents (directory, 0700) < 0)
    return server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_FILE, "%s: cannot be made: %s",
                              directory, g_strerror (errno));
  fd = g_mkstemp_full (temporary, O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    return server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_FILE, "%s: cannot be made: %s", path,
                              g_strerror (errno));

  text = server_key_to_text (self, &len);
  /* link() does not replace a key that another process made meanwhile, as rename() would. */
  if (write (fd, text, len) != (gssize) len || fsync (fd) < 0)
    server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_FILE, "%s: cannot be written: %s", path,
                       g_strerror (errno));
  else if (link (temporary, path) < 0)
    {
      if (errno == EEXIST)
        server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_EXISTS,
                           "%s: exists already and is not replaced", path);
      else
        server_key_refuse (error, DETOUR_SERVER_KEY_ERROR_FILE, "%s: cannot be made: %s", path,
                           g_strerror (errno));
    }
  else
    saved = TRUE;
  sodium_memzero (text, len);
  unlink (temporary);
  close (fd);
  return saved;
}

DetourServerKey *
detour_server_key_load_or_create (const char *path, gboolean *created, GError **error)
{
  g_autoptr (DetourServerKey) self = NULL;

  *created = FALSE;
  if (access (path, F_OK) == 0 || errno != ENOENT)
    return detour_server_key_load (path, error);
  self = detour_server_key_new ();
  if (!detour_server_key_save (self, path, error))
    return NULL;
  *created = TRUE;
  return g_steal_pointer (&self);
}
