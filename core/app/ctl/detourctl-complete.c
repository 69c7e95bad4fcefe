/* detourctl-complete.c: lists what can come next on a command line, for the completions of shells.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `detourctl complete WORD…` prints what the last word, which may be empty, can become: one
 * candidate a line. Where the daemon is needed and is not there, nothing is printed. */
#include "config.h"

#include "detourctl.h"

#include "detourctl-fleet.h"
#include "detourctl-key-file.h"
#include "detourctl-key-places.h"
#include "detourctl-page.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEYS_MAX 1000u

/* The prefix of each candidate: "--format=" where the shell takes option and value for one word. */
static char *in_front;

static void
ctl_complete_offer (const char *word, const char *candidate)
{
  if (g_str_has_prefix (candidate, word))
    g_print ("%s%s\n", in_front != NULL ? in_front : "", candidate);
}

static void
ctl_complete_offer_words (const char *word, const char *words)
{
  g_auto (GStrv) list = g_strsplit (words, " ", -1);

  for (guint i = 0; list[i] != NULL; i++)
    ctl_complete_offer (word, list[i]);
}

/* Error messages would be shown in the middle of a line. */
static int
ctl_complete_hush (void)
{
  int saved = dup (STDERR_FILENO);

  /* Without it messages are only ugly. */
  (void) !freopen ("/dev/null", "w", stderr);
  return saved;
}

static void
ctl_complete_unhush (int saved)
{
  if (saved < 0)
    return;
  dup2 (saved, STDERR_FILENO);
  close (saved);
}

static GVariant *
ctl_complete_ask (Detourctl *self, const char *interface, const char *method, GVariant *arguments,
                  const char *reply)
{
  DetourctlExit exit;
  int saved = ctl_complete_hush ();
  GVariant *result = detourctl_call (self, "", interface, method, arguments, reply, &exit);

  ctl_complete_unhush (saved);
  return result;
}

/* a{oa{sa{sv}}}, or NULL. */
static GVariant *
ctl_complete_ask_for_objects (Detourctl *self)
{
  g_autoptr (GVariant) reply = ctl_complete_ask (self, "org.freedesktop.DBus.ObjectManager",
                                                 "GetManagedObjects", NULL, "(a{oa{sa{sv}}})");

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

static void
ctl_complete_offer_instance (const char *path, GVariant *properties, gpointer user)
{
  ctl_complete_offer (user, detourctl_text (properties, "Id"));
}

static void
ctl_complete_offer_instances (Detourctl *self, const char *word)
{
  g_autoptr (GVariant) objects = ctl_complete_ask_for_objects (self);

  if (objects != NULL)
    detourctl_each_object (objects, "Plugin", ctl_complete_offer_instance, (gpointer) word);
}

static void
ctl_complete_offer_certificate (const char *path, GVariant *properties, gpointer user)
{
  if (detourctl_flag (properties, "Renewable"))
    ctl_complete_offer (user, detourctl_text (properties, "Instance"));
}

static void
ctl_complete_offer_certificates (Detourctl *self, const char *word)
{
  g_autoptr (GVariant) objects = ctl_complete_ask_for_objects (self);

  if (objects != NULL)
    detourctl_each_object (objects, "Certificate", ctl_complete_offer_certificate, (gpointer) word);
}

/* Of a list that comes in pages, what each row of the first one has as its @member. */
static void
ctl_complete_offer_rows (Detourctl *self, const char *method, const char *member, const char *word)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) rows = NULL;
  GVariantBuilder options;

  detourctl_page_begin (&options, KEYS_MAX, "");
  reply = ctl_complete_ask (self, "Manager", method, g_variant_new ("(a{sv})", &options),
                            "(aa{sv}s)");
  rows = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
  for (gsize i = 0; rows != NULL && i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      const char *text = detourctl_text (row, member);

      /* Digits alone: a colon ends a word in bash. */
      ctl_complete_offer (word,
                          g_str_has_prefix (text, "nodekey:") ? text + strlen ("nodekey:") : text);
    }
}

static void
ctl_complete_offer_clients (Detourctl *self, const char *word)
{
  ctl_complete_offer_rows (self, "ListClients", "key", word);
}

static void
ctl_complete_offer_bans (Detourctl *self, const char *word)
{
  ctl_complete_offer_rows (self, "ListBans", "target", word);
}

static void
ctl_complete_offer_classes (Detourctl *self, const char *word)
{
  GVariant *none = g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0);
  g_autoptr (GVariant) reply = ctl_complete_ask (self, "Manager", "ListBudgets",
                                                 g_variant_new ("(@a{sv})", none), "(aa{sv})");
  g_autoptr (GVariant) rows = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;

  for (gsize i = 0; rows != NULL && i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      if (strcmp (detourctl_text (row, "kind"), "class") == 0)
        ctl_complete_offer (word, detourctl_text (row, "name"));
    }
}

/* Of all lists that the configuration names. */
static GPtrArray *
ctl_complete_find_lists (Detourctl *self)
{
  DetourctlExit exit;
  int saved = ctl_complete_hush ();
  g_autoptr (GPtrArray) places = detourctl_key_places_find (self, NULL, FALSE, &exit);

  ctl_complete_unhush (saved);
  return places != NULL ? detourctl_key_places_all_files (places) : g_ptr_array_new ();
}

/* Keys that are on a list, digits alone. */
static void
ctl_complete_offer_listed_keys (Detourctl *self, const char *word)
{
  g_autoptr (GPtrArray) paths = ctl_complete_find_lists (self);

  for (guint i = 0; i < paths->len; i++)
    {
      g_autoptr (DetourctlKeyFile) file = detourctl_key_file_read (paths->pdata[i], NULL);

      for (guint n = 0; file != NULL && n < MIN (file->keys->len, KEYS_MAX); n++)
        {
          char hex[DETOUR_KEY_HEX_SIZE + 1];

          detour_key_to_hex (&((const DetourctlKeyLine *) file->keys->pdata[n])->key, hex);
          ctl_complete_offer (word, hex);
        }
    }
}

static void
ctl_complete_offer_keys (Detourctl *self, const char *word)
{
  g_autoptr (GVariant)
      reply = ctl_complete_ask (self, "Manager", "DescribeConfig", NULL, "(a(ssssss))");
  g_autoptr (GVariant) keys = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;

  for (gsize i = 0; keys != NULL && i < g_variant_n_children (keys); i++)
    {
      const char *group, *key;
      g_autoptr (GVariant) entry = g_variant_get_child_value (keys, i);
      g_autofree char *name = NULL;

      g_variant_get (entry, "(&s&s&s&s&s&s)", &group, &key, NULL, NULL, NULL, NULL);
      name = g_strconcat (group, ".", key, NULL);
      ctl_complete_offer (word, g_strdelimit (name, " ", '/'));
    }
}

/* Of an inventory that can be read. */
static void
ctl_complete_offer_relays (const char *word)
{
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (Fleet) fleet = fleet_inventory_load (detourctl_fleet_path (), errors);

  for (guint i = 0; fleet != NULL && i < fleet->relays->len; i++)
    ctl_complete_offer (word, ((const FleetRelay *) fleet->relays->pdata[i])->name);
}

/* Arguments and values of options -------------------------------------------------------------- */

/* The shell knows how to offer them; this is no name of any. */
static void
ctl_complete_offer_files (void)
{
  g_print (":files\n");
}

static void
ctl_complete_offer_argument (Detourctl *self, const DetourctlCommand *command, const char *word)
{
  if (g_str_has_prefix (command->name, "plugins "))
    ctl_complete_offer_instances (self, word);
  else if (g_str_has_prefix (command->name, "certs "))
    ctl_complete_offer_certificates (self, word);
  else if (g_str_has_prefix (command->name, "fleet ")
           && strstr (command->arguments, "RELAY") != NULL)
    ctl_complete_offer_relays (word);
  else if (strcmp (command->name, "client") == 0 || strcmp (command->name, "kick") == 0
           || strcmp (command->name, "why") == 0 || strcmp (command->name, "path") == 0
           || strcmp (command->name, "ban") == 0)
    ctl_complete_offer_clients (self, word);
  else if (g_str_has_prefix (command->name, "derpmap ")
           || strcmp (command->name, "import-derper") == 0 || strcmp (command->name, "probe") == 0
           || strcmp (command->name, "keys list") == 0)
    ctl_complete_offer_files ();
  else if (strcmp (command->name, "keys add") == 0)
    ctl_complete_offer_clients (self, word);
  else if (strcmp (command->name, "keys remove") == 0)
    ctl_complete_offer_listed_keys (self, word);
  else if (strcmp (command->name, "unban") == 0)
    ctl_complete_offer_bans (self, word);
  else if (g_str_has_prefix (command->name, "acme "))
    ctl_complete_offer_words (word, "http-01 tls-alpn-01");
  else if (strcmp (command->name, "config explain") == 0)
    ctl_complete_offer_keys (self, word);
  else if (strcmp (command->name, "doctor") == 0)
    ctl_complete_offer_words (
        word, "config files ports names certificate stun login admission mesh clock system map");
  else if (strcmp (command->name, "log-level") == 0)
    ctl_complete_offer_words (word, "debug info message warning critical configured");
}

/* Values that an option may have, in one text; "" where they have no names. */
static const char *
ctl_complete_find_values (const char *option)
{
  static const struct {
    const char *option, *words;
  } values[] = {
    { "--color", "auto always never" },
    { "--bus", "system session" },
    { "--sort", "rate packets idle connection traffic received sent dropped waiting since key "
                "address label" },
    { "--level", "debug info message warning critical" },
    { "--interval", "1s 2s 5s 10s" },
    { "--format", "tailscale headscale json" },
    { "--admission", "tailscaled keys tailscale-api url open" },
    { "--certificate", "acme selfsigned file" },
    { "--directory-url", "letsencrypt letsencrypt-staging zerossl google" },
    { "--for", "30m 1h 12h 1d 7d 30d" },
    { "--timeout", "5s 1min off" },
    { "--at", "00:00 03:00 06:00 09:00 12:00 15:00 18:00 21:00" },
    { "--region", "900" },
    { "--ipv4", "none" },
    { "--ipv6", "none" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    if (strcmp (values[i].option, option) == 0)
      return values[i].words;
  return "";
}

static gboolean
ctl_complete_has_value (const GOptionEntry *entries, const char *name)
{
  for (const GOptionEntry *entry = entries; entry != NULL && entry->long_name != NULL; entry++)
    if (strcmp (entry->long_name, name) == 0)
      return entry->arg != G_OPTION_ARG_NONE;
  return FALSE;
}

/* Options of one name take a value in all commands that have it, or in none. */
static gboolean
ctl_complete_takes_value (const char *option)
{
  static const char *const common[] = { "color", "socket", "bus", "timeout", NULL };
  const char *name = option + strlen ("--");

  if (!g_str_has_prefix (option, "--"))
    return FALSE;
  if (g_strv_contains (common, name))
    return TRUE;
  for (guint i = 0; detourctl_commands[i] != NULL; i++)
    for (const DetourctlCommand *command = detourctl_commands[i]; command->name != NULL; command++)
      if (ctl_complete_has_value (command->options, name))
        return TRUE;
  return FALSE;
}

/* FALSE: @option takes no value. */
static gboolean
ctl_complete_offer_value (Detourctl *self, const char *option, const char *word)
{
  if (!ctl_complete_takes_value (option))
    return FALSE;
  if (strcmp (option, "--class") == 0)
    ctl_complete_offer_classes (self, word);
  else
    ctl_complete_offer_words (word, ctl_complete_find_values (option));
  return TRUE;
}

/* FALSE: the last word is not the value of an option. With "=" between them they are three words
 * for bash, of which the value may be missing, and one for others. */
static gboolean
ctl_complete_offer_value_of_option (Detourctl *self, char **arguments, guint n)
{
  const char *word = n > 0 ? arguments[n - 1] : "";
  const char *equals = *word == '-' ? strchr (word, '=') : NULL;
  g_autofree char *option = NULL;

  if (n > 1
      && ctl_complete_offer_value (self, arguments[n - 2], strcmp (word, "=") == 0 ? "" : word))
    return TRUE;
  if (n > 2 && strcmp (arguments[n - 2], "=") == 0)
    return ctl_complete_offer_value (self, arguments[n - 3], word);
  if (equals == NULL)
    return FALSE;
  option = g_strndup (word, (gsize) (equals - word));
  in_front = g_strconcat (option, "=", NULL);
  ctl_complete_offer_value (self, option, equals + 1);
  g_clear_pointer (&in_front, g_free);
  return TRUE;
}

static void
ctl_complete_offer_options (const DetourctlCommand *command, const char *word)
{
  ctl_complete_offer_words (word, "--json --color --socket --bus --timeout --help");
  if (command == NULL)
    ctl_complete_offer (word, "--version");
  for (const GOptionEntry *entry = command != NULL ? command->options : NULL;
       entry != NULL && entry->long_name != NULL; entry++)
    {
      g_autofree char *option = g_strconcat ("--", entry->long_name, NULL);

      if ((entry->flags & G_OPTION_FLAG_HIDDEN) == 0)
        ctl_complete_offer (word, option);
    }
}

/* Commands ------------------------------------------------------------------------------------- */

/* The words with which the name of a command can go on. */
static void
ctl_complete_offer_commands (const char *first, const char *word)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; detourctl_commands[i] != NULL; i++)
    for (const DetourctlCommand *command = detourctl_commands[i]; command->name != NULL; command++)
      {
        g_auto (GStrv) parts = g_strsplit (command->name, " ", 2);
        const char *part = first == NULL                 ? parts[0]
                         : strcmp (parts[0], first) == 0 ? parts[1]
                                                         : NULL;

        if (command->summary != NULL && part != NULL && g_hash_table_add (seen, g_strdup (part)))
          ctl_complete_offer (word, part);
      }
}

static const DetourctlCommand *
ctl_complete_find (const char *first, const char *second)
{
  const DetourctlCommand *found = NULL;

  for (guint i = 0; detourctl_commands[i] != NULL; i++)
    for (const DetourctlCommand *command = detourctl_commands[i]; command->name != NULL; command++)
      {
        g_auto (GStrv) parts = g_strsplit (command->name, " ", 2);

        if (g_strcmp0 (parts[0], first) == 0
            && (parts[1] == NULL ? found == NULL : g_strcmp0 (parts[1], second) == 0))
          found = command;
      }
  return found;
}

/* Options on the line that say where the daemon or the inventory is hold for completion, too. */
static void
ctl_complete_take_connection (Detourctl *self, const char *option, const char *value)
{
  char **place = strcmp (option, "--socket") == 0    ? &self->socket
               : strcmp (option, "--bus") == 0       ? &self->bus
               : strcmp (option, "--inventory") == 0 ? &detourctl_fleet_inventory
                                                     : NULL;

  if (place == NULL || value == NULL || *value == '\0')
    return;
  g_free (*place);
  *place = g_strdup (value);
}

/* The option at @i of @n words, with its value in whichever form; returns where its last word is.
 */
static guint
ctl_complete_read_option (Detourctl *self, char **arguments, guint i, guint n)
{
  const char *equals = strchr (arguments[i], '=');
  g_autofree char *option = g_strndup (arguments[i], strcspn (arguments[i], "="));

  if (equals != NULL)
    ctl_complete_take_connection (self, option, equals + 1);
  else if (i + 1 < n && ctl_complete_takes_value (option))
    {
      i += strcmp (arguments[i + 1], "=") == 0 && i + 2 < n ? 2 : 1;
      ctl_complete_take_connection (self, option, arguments[i]);
    }
  return i;
}

static DetourctlExit
ctl_complete_run_complete (Detourctl *self, char **arguments)
{
  guint n = g_strv_length (arguments);
  const char *word = n > 0 ? arguments[n - 1] : "";
  const char *plain[2] = { NULL, NULL };
  const DetourctlCommand *command;
  guint n_plain = 0;

  for (guint i = 0; i + 1 < n; i++)
    if (arguments[i][0] == '-')
      i = ctl_complete_read_option (self, arguments, i, n - 1);
    else
      {
        if (n_plain < G_N_ELEMENTS (plain))
          plain[n_plain] = arguments[i];
        n_plain++;
      }

  command = n_plain > 0 ? ctl_complete_find (plain[0], plain[1]) : NULL;
  if (ctl_complete_offer_value_of_option (self, arguments, n))
    return DETOURCTL_GOOD;
  if (*word == '-')
    ctl_complete_offer_options (command, word);
  else if (n_plain == 0)
    ctl_complete_offer_commands (NULL, word);
  else
    {
      if (n_plain == 1)
        ctl_complete_offer_commands (plain[0], word);
      if (command != NULL)
        ctl_complete_offer_argument (self, command, word);
    }
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_complete_commands[] = {
  { .name = "complete",
    .arguments = "",
    .summary = NULL,
    .run = ctl_complete_run_complete,
    .n_max = G_MAXUINT },
  { NULL },
};
