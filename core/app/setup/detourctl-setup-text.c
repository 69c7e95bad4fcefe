/* detourctl-setup-text.c: writes a first configuration, with the fewest lines and a comment for
 * each.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-setup.h"

#include <string.h>

const char *const detourctl_setup_admissions[] = {
  [DETOURCTL_SETUP_TAILSCALED] = "tailscaled",
  [DETOURCTL_SETUP_KEYS] = "keys",
  [DETOURCTL_SETUP_API] = "tailscale-api",
  [DETOURCTL_SETUP_URL] = "url",
  [DETOURCTL_SETUP_OPEN] = "open",
  NULL,
};

const char *const detourctl_setup_certificates[] = {
  [DETOURCTL_SETUP_ACME] = "acme",
  [DETOURCTL_SETUP_SELFSIGNED] = "selfsigned",
  [DETOURCTL_SETUP_FILE] = "file",
  NULL,
};

gboolean
detourctl_setup_fits_in_file (const char *text)
{
  if (*text == '\0' || !g_utf8_validate (text, -1, NULL) || g_ascii_isspace (text[0])
      || g_ascii_isspace (text[strlen (text) - 1]))
    return FALSE;
  for (const char *p = text; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p) || *p == ';' || *p == '\\' || *p == '"' || *p == '#')
      return FALSE;
  return TRUE;
}

gboolean
detourctl_setup_is_url (const char *text)
{
  return detourctl_setup_fits_in_file (text)
      && (g_str_has_prefix (text, "https://") || g_str_has_prefix (text, "http://"));
}

/* Configuration is English. A comment may have several lines. */
static void
ctl_setup_text_comment (GString *out, const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    g_string_append_printf (out, "# %s\n", lines[i]);
}

static void
ctl_setup_text_key (GString *out, const char *key, const char *value)
{
  if (value != NULL)
    g_string_append_printf (out, "%s = %s\n", key, value);
}

static void
ctl_setup_text_write_admission (GString *out, const DetourctlSetup *self)
{
  g_string_append (out, "\n[admission]\n");
  switch (self->admission)
    {
    case DETOURCTL_SETUP_TAILSCALED:
      ctl_setup_text_comment (out,
                              "Who may use it: the clients that tailscaled on this host knows.");
      ctl_setup_text_key (out, "chain", "tailscaled");
      if (self->tailscaled_socket == NULL)
        break;
      g_string_append (out, "\n[auth tailscaled]\n");
      ctl_setup_text_key (out, "socket", self->tailscaled_socket);
      break;
    case DETOURCTL_SETUP_KEYS:
      ctl_setup_text_comment (out, "Who may use it: the clients whose node keys are in the list.");
      ctl_setup_text_key (out, "chain", "friends");
      g_string_append (out, "\n[auth friends]\n");
      ctl_setup_text_comment (out,
                              "One key a line, with a text for people behind it. Changes count at "
                              "once.");
      ctl_setup_text_key (out, "plugin", "keys");
      ctl_setup_text_key (out, "file", self->keys_file);
      break;
    case DETOURCTL_SETUP_API:
      ctl_setup_text_comment (out, "Who may use it: the devices of the tailnet, as its API lists "
                                   "them.");
      ctl_setup_text_key (out, "chain", "tailscale-api");
      g_string_append (out, "\n[auth tailscale-api]\n");
      ctl_setup_text_comment (out, "A key that may read the list of devices is enough.");
      if (self->api_url != NULL)
        ctl_setup_text_key (out, "api", "headscale");
      ctl_setup_text_key (out, "url", self->api_url);
      ctl_setup_text_key (out, "key-file", self->api_key_file);
      break;
    case DETOURCTL_SETUP_URL:
      ctl_setup_text_comment (out, "Who may use it: the clients for which a web server says so.");
      ctl_setup_text_key (out, "chain", "url");
      g_string_append (out, "\n[auth url]\n");
      ctl_setup_text_comment (out, "It is asked as derper asks with -verify-client-url. While it "
                                   "cannot be reached, those it let in before\nmay come back.");
      ctl_setup_text_key (out, "url", self->url);
      ctl_setup_text_key (out, "unavailable", "grace");
      break;
    default:
      ctl_setup_text_comment (out, "Everyone may use it. On the internet, strangers will.");
      ctl_setup_text_key (out, "chain", "open");
      break;
    }
}

static void
ctl_setup_text_write_certificate (GString *out, const DetourctlSetup *self)
{
  g_string_append (out, "\n[cert main]\n");
  switch (self->certificate)
    {
    case DETOURCTL_SETUP_ACME:
      ctl_setup_text_comment (out,
                              "Detour fetches the certificate from the authority, and renews it.");
      ctl_setup_text_key (out, "plugin", "acme");
      ctl_setup_text_key (out, "directory-url", self->directory_url);
      ctl_setup_text_key (out, "email", self->email);
      break;
    case DETOURCTL_SETUP_FILE:
      ctl_setup_text_comment (out,
                              "Another program writes these files; they are read again when they "
                              "change.");
      ctl_setup_text_key (out, "plugin", "file");
      ctl_setup_text_key (out, "chain-file", self->chain_file);
      ctl_setup_text_key (out, "key-file", self->key_file);
      break;
    default:
      ctl_setup_text_comment (out,
                              "No authority signs it: clients know it by the pin that \"detourctl "
                              "derpmap\" prints.");
      ctl_setup_text_key (out, "plugin", "selfsigned");
      break;
    }
}

char *
detourctl_setup_text (const DetourctlSetup *self)
{
  GString *out = g_string_new (NULL);

  ctl_setup_text_comment (
      out, "A DERP relay. Written by \"detourctl setup\", for you to change.\n"
           "What is not here is as the file that comes with Detour says; \"man detour.conf\" has "
           "all keys.\n"
           "After a change: detourd --check-config && systemctl reload detour");
  g_string_append (out, "\n[core]\n");
  ctl_setup_text_comment (out, "Name or address under which clients find this relay.");
  ctl_setup_text_key (out, "hostname", self->hostname);
  ctl_setup_text_write_admission (out, self);
  ctl_setup_text_write_certificate (out, self);
  return g_string_free (out, FALSE);
}
