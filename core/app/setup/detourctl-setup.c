/* detourctl-setup.c: the command that writes a first configuration, by asking or from options.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-setup.h"

#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "detour-nearest.h"
#include "detour-paths.h"
#include "detourctl-format.h"
#include "detourctl-host.h"
#include "detourctl-json.h"
#include "detourctl-print.h"

#define KEYS_FILE    DETOUR_SYSCONF_DIR "/friends.keys"
#define API_KEY_FILE DETOUR_SYSCONF_DIR "/private/api.key"
#define CHAIN_FILE   DETOUR_SYSCONF_DIR "/private/fullchain.pem"
#define KEY_FILE     DETOUR_SYSCONF_DIR "/private/privkey.pem"

static char *admission, *certificate, *email, *directory_url, *chain_file, *key_file, *keys_file,
    *tailscaled_socket, *output, *api_key_file, *api_url, *url;
static gboolean asks_nothing, replaces;

static const GOptionEntry options[] = {
  { "yes", 'y', 0, G_OPTION_ARG_NONE, &asks_nothing,
    N_ ("Ask nothing; what no option says is the default"), NULL },
  { "admission", 0, 0, G_OPTION_ARG_STRING, &admission,
    N_ ("Who may use the relay: tailscaled, keys, tailscale-api, url or open"), N_ ("WORD") },
  { "certificate", 0, 0, G_OPTION_ARG_STRING, &certificate,
    N_ ("How it gets its certificate: acme, selfsigned or file"), N_ ("WORD") },
  { "email", 0, 0, G_OPTION_ARG_STRING, &email, N_ ("Mail address for the authority"),
    N_ ("ADDRESS") },
  { "directory-url", 0, 0, G_OPTION_ARG_STRING, &directory_url,
    N_ ("Another authority: letsencrypt-staging, zerossl, google, or its URL"), N_ ("URL") },
  { "chain-file", 0, 0, G_OPTION_ARG_FILENAME, &chain_file,
    N_ ("Certificate with its chain, for --certificate=file"), N_ ("FILE") },
  { "key-file", 0, 0, G_OPTION_ARG_FILENAME, &key_file, N_ ("Its key"), N_ ("FILE") },
  { "keys-file", 0, 0, G_OPTION_ARG_FILENAME, &keys_file,
    N_ ("List of node keys, for --admission=keys"), N_ ("FILE") },
  { "api-key-file", 0, 0, G_OPTION_ARG_FILENAME, &api_key_file,
    N_ ("File with an API key, for --admission=tailscale-api"), N_ ("FILE") },
  { "api-url", 0, 0, G_OPTION_ARG_STRING, &api_url,
    N_ ("Where Headscale is, if it is not Tailscale's API"), N_ ("URL") },
  { "url", 0, 0, G_OPTION_ARG_STRING, &url, N_ ("Address that is asked, for --admission=url"),
    N_ ("URL") },
  { "tailscaled-socket", 0, 0, G_OPTION_ARG_FILENAME, &tailscaled_socket,
    N_ ("Where tailscaled answers, if not where it usually does"), N_ ("PATH") },
  { "output", 0, 0, G_OPTION_ARG_FILENAME, &output, N_ ("Write this file instead of the usual one"),
    N_ ("FILE") },
  { "config", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &output, NULL, NULL },
  { "force", 0, 0, G_OPTION_ARG_NONE, &replaces,
    N_ ("Replace a file that is there; it is kept under another name"), NULL },
  { NULL },
};

/* Options and answers -------------------------------------------------------------------------- */

/* The place of a word; -1 after a message. */
static int
ctl_setup_place_of_word (const char *option, const char *word, const char *const *words)
{
  g_autofree char *list = NULL;

  for (int i = 0; words[i] != NULL; i++)
    if (strcmp (words[i], word) == 0)
      return i;
  list = g_strjoinv (", ", (GStrv) words);
  detourctl_complain (_ ("%s=%s: there are %s"), option, word, list);
  return -1;
}

/* @text: (nullable). FALSE after a message. */
static gboolean
ctl_setup_url_is_good (const char *option, const char *text)
{
  if (text == NULL || detourctl_setup_is_url (text))
    return TRUE;
  detourctl_complain (_ ("%s: \"%s\" is no URL; it has to begin with https:// or http://"), option,
                      text);
  return FALSE;
}

/* Which texts of options go into the file, and what they have to be. */
static gboolean
ctl_setup_values_are_good (void)
{
  const struct {
    const char *option, *value;
    gboolean is_path;
  } values[] = {
    { "--email", email, FALSE },
    { "--directory-url", directory_url, FALSE },
    { "--chain-file", chain_file, TRUE },
    { "--key-file", key_file, TRUE },
    { "--keys-file", keys_file, TRUE },
    { "--tailscaled-socket", tailscaled_socket, TRUE },
    { "--url", url, FALSE },
    { "--api-url", api_url, FALSE },
    { "--api-key-file", api_key_file, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      if (values[i].value == NULL)
        continue;
      if (!detourctl_setup_fits_in_file (values[i].value))
        {
          detourctl_complain (
              _ ("%s: write one line, without ; # \" or \\, and without blanks at its "
                 "ends"),
              values[i].option);
          return FALSE;
        }
      if (values[i].is_path && !g_path_is_absolute (values[i].value))
        {
          detourctl_complain (_ ("%s: \"%s\" is no absolute path; it has to begin with a slash"),
                              values[i].option, values[i].value);
          return FALSE;
        }
    }
  if (!ctl_setup_url_is_good ("--url", url) || !ctl_setup_url_is_good ("--api-url", api_url))
    return FALSE;
  if (email != NULL && strchr (email, '@') == NULL)
    {
      detourctl_complain (_ ("--email: \"%s\" is no mail address"), email);
      return FALSE;
    }
  return TRUE;
}

static const char *
ctl_setup_explain_admission (DetourctlSetupAdmission which)
{
  switch (which)
    {
    case DETOURCTL_SETUP_TAILSCALED:
      return _ ("the tailnet that this host's own Tailscale node is in");
    case DETOURCTL_SETUP_KEYS:
      return _ ("the clients on a list of node keys");
    case DETOURCTL_SETUP_API:
      return _ ("the devices that the API of Tailscale or Headscale lists, by an API key");
    case DETOURCTL_SETUP_URL:
      return _ ("the clients for which a web server of yours, or Headscale, says so");
    default:
      return _ ("everyone: on the internet, strangers will use it");
    }
}

static const char *
ctl_setup_explain_certificate (DetourctlSetupCertificate which)
{
  switch (which)
    {
    case DETOURCTL_SETUP_ACME:
      return _ ("from Let's Encrypt, by itself; you agree to their terms");
    case DETOURCTL_SETUP_SELFSIGNED:
      return _ ("it signs its own, which needs no name; only Tailscale's own clients take it");
    default:
      return _ ("from files that another program writes and renews");
    }
}

/* Fills in what no option said; -1: the input has ended. */
static int
ctl_setup_choose_admission (const Detourctl *self)
{
  const char *texts[DETOURCTL_SETUP_N_ADMISSIONS];

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    texts[i] = ctl_setup_explain_admission ((DetourctlSetupAdmission) i);
  return detourctl_setup_choose (self, _ ("Who may use the relay?"), detourctl_setup_admissions,
                                 texts, DETOURCTL_SETUP_TAILSCALED);
}

static int
ctl_setup_choose_certificate (const Detourctl *self)
{
  const char *texts[DETOURCTL_SETUP_N_CERTIFICATES];

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    texts[i] = ctl_setup_explain_certificate ((DetourctlSetupCertificate) i);
  return detourctl_setup_choose (self, _ ("How does it get its certificate?"),
                                 detourctl_setup_certificates, texts, DETOURCTL_SETUP_ACME);
}

static char *
ctl_setup_ask_for_hostname (void)
{
  const char *own = g_get_host_name ();
  const char *fallback = strchr (own, '.') != NULL && detourctl_host_is_good (own) ? own : NULL;

  for (;;)
    {
      char *answer = detourctl_setup_ask (
          _ ("Under which name or address will clients find the relay?"), fallback);

      if (answer == NULL || detourctl_host_is_good (answer))
        return answer;
      g_print (_ ("Write a name, as in relay.example.com, or an address, without a port.\n"));
      g_free (answer);
    }
}

/* FALSE: the input has ended. */
static gboolean
ctl_setup_ask_for_source (const DetourctlSetup *setup)
{
  switch (setup->admission)
    {
    case DETOURCTL_SETUP_KEYS:
      if (keys_file == NULL)
        keys_file = detourctl_setup_ask_path (_ ("File with the list of keys:"), KEYS_FILE);
      return keys_file != NULL;
    case DETOURCTL_SETUP_API:
      if (api_key_file == NULL)
        api_key_file = detourctl_setup_ask_path (_ ("File with the API key:"), API_KEY_FILE);
      return api_key_file != NULL;
    case DETOURCTL_SETUP_URL:
      if (url == NULL)
        url = detourctl_setup_ask_url ();
      return url != NULL;
    default:
      return TRUE;
    }
}

static gboolean
ctl_setup_ask_for_files (DetourctlSetup *setup)
{
  if (setup->certificate == DETOURCTL_SETUP_FILE && chain_file == NULL)
    chain_file = detourctl_setup_ask_path (_ ("File with the certificate and its chain:"),
                                           CHAIN_FILE);
  if (setup->certificate == DETOURCTL_SETUP_FILE && chain_file != NULL && key_file == NULL)
    key_file = detourctl_setup_ask_path (_ ("File with its key:"), KEY_FILE);
  if (setup->certificate == DETOURCTL_SETUP_FILE && key_file == NULL)
    return FALSE;
  return ctl_setup_ask_for_source (setup);
}

static void
ctl_setup_refuse_hostname (const char *hostname)
{
  g_autofree char *shown = detourctl_format_safe (hostname);
  g_autofree char *ascii = g_utf8_validate (hostname, -1, NULL) ? g_hostname_to_ascii (hostname)
                                                                : NULL;

  if (ascii != NULL && !g_str_is_ascii (hostname) && detourctl_host_is_good (ascii))
    detourctl_complain (
        _ ("\"%s\" has letters that DNS and certificates write in another way; write %s"), shown,
        ascii);
  else
    detourctl_complain (_ ("\"%s\" is neither a host name nor an address; write relay.example.com, "
                           "203.0.113.5 or 2001:db8::5, without a port"),
                        shown);
}

/* What the options say; what they leave open is -1. FALSE after a message. */
static gboolean
ctl_setup_read_options (const char *hostname, int *who, int *how)
{
  if (hostname != NULL && !detourctl_host_is_good (hostname))
    {
      ctl_setup_refuse_hostname (hostname);
      return FALSE;
    }
  *who = *how = -1;
  if (admission != NULL
      && (*who = ctl_setup_place_of_word ("--admission", admission, detourctl_setup_admissions))
             < 0)
    return FALSE;
  if (certificate != NULL
      && (*how = ctl_setup_place_of_word ("--certificate", certificate,
                                          detourctl_setup_certificates))
             < 0)
    return FALSE;
  return ctl_setup_values_are_good ();
}

/* Without questions: who may use the relay is never decided by default. */
static gboolean
ctl_setup_can_do_without_asking (const char *hostname)
{
  if (!asks_nothing && !isatty (STDIN_FILENO))
    {
      detourctl_complain (
          _ ("there is no terminal to ask at; write --yes, HOSTNAME and --admission"));
      return FALSE;
    }
  if (asks_nothing && hostname == NULL)
    {
      detourctl_complain (
          _ ("with --yes, write the name or address of the relay: detourctl setup --yes "
             "relay.example.com"));
      return FALSE;
    }
  if (asks_nothing && admission == NULL)
    {
      detourctl_complain (
          _ ("with --yes, say who may use the relay: --admission=tailscaled, keys, tailscale-api, "
             "url or open"));
      return FALSE;
    }
  if (asks_nothing && url == NULL && strcmp (admission, "url") == 0)
    {
      detourctl_complain (_ ("with --yes and --admission=url, write the address: --url=URL"));
      return FALSE;
    }
  return TRUE;
}

/* FALSE: the input has ended. */
static gboolean
ctl_setup_complete (const Detourctl *self, DetourctlSetup *setup, char **hostname, int who, int how)
{
  if (*hostname == NULL)
    *hostname = ctl_setup_ask_for_hostname ();
  if (*hostname == NULL)
    return FALSE;
  if (who < 0)
    who = ctl_setup_choose_admission (self);
  if (who >= 0 && how < 0)
    how = asks_nothing ? DETOURCTL_SETUP_ACME : ctl_setup_choose_certificate (self);
  if (who < 0 || how < 0)
    return FALSE;
  setup->admission = (DetourctlSetupAdmission) who;
  setup->certificate = (DetourctlSetupCertificate) how;
  if (!asks_nothing && !ctl_setup_ask_for_files (setup))
    return FALSE;
  setup->hostname = *hostname;
  setup->email = email;
  setup->directory_url = directory_url;
  setup->tailscaled_socket = tailscaled_socket;
  setup->chain_file = chain_file != NULL ? chain_file : CHAIN_FILE;
  setup->key_file = key_file != NULL ? key_file : KEY_FILE;
  setup->keys_file = keys_file != NULL ? keys_file : KEYS_FILE;
  setup->api_key_file = api_key_file != NULL ? api_key_file : API_KEY_FILE;
  setup->api_url = api_url;
  setup->url = url;
  return TRUE;
}

/* The daemon's check --------------------------------------------------------------------------- */

/* Beside this program in a build tree; where both were installed; or in PATH. */
static char *
ctl_setup_find_detourd (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = self != NULL ? g_path_get_dirname (self) : NULL;
  g_autofree char *beside = folder != NULL ? g_build_filename (folder, "detourd", NULL) : NULL;
  g_autofree char *installed = folder != NULL
                                 ? g_build_filename (folder, "..", "sbin", "detourd", NULL)
                                 : NULL;

  if (beside != NULL && g_file_test (beside, G_FILE_TEST_IS_EXECUTABLE))
    return g_steal_pointer (&beside);
  if (installed != NULL && g_file_test (installed, G_FILE_TEST_IS_EXECUTABLE))
    return g_steal_pointer (&installed);
  return g_find_program_in_path ("detourd");
}

/* What the daemon says about the file. FALSE: it would not start with it. */
static gboolean
ctl_setup_check (const char *path, char **said)
{
  g_autofree char *program = ctl_setup_find_detourd ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) check = NULL;

  if (program == NULL)
    {
      *said = g_strdup (_ ("detourd is not to be found, so nothing was checked"));
      return FALSE;
    }
  check = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE,
                            &error, program, "--check-config", "--config", path, NULL);
  if (check == NULL || !g_subprocess_communicate_utf8 (check, NULL, NULL, said, NULL, &error))
    {
      *said = g_strdup (error->message);
      return FALSE;
    }
  if (*said == NULL)
    *said = g_strdup ("");
  return g_subprocess_get_successful (check);
}

/* For people ----------------------------------------------------------------------------------- */

static void
ctl_setup_print_findings (const Detourctl *self, const GPtrArray *findings)
{
  g_print ("\n");
  for (guint i = 0; i < findings->len; i++)
    {
      const DetourctlFinding *finding = findings->pdata[i];
      g_autofree char *text = finding->is_good
                                ? g_strdup (finding->text)
                                : g_strdup_printf ("%s; %s", finding->text, finding->remedy);
      g_autofree char *safe = detourctl_format_safe (text);
      g_autofree char *lines = detourctl_format_wrap (safe, 2, 2, detourctl_print_width (self));

      g_print ("%s%s%s %s\n",
               detourctl_style (self, finding->is_good ? DETOURCTL_GREEN : DETOURCTL_YELLOW),
               finding->is_good ? "+" : "!", detourctl_style (self, DETOURCTL_PLAIN), lines);
    }
}

static void
ctl_setup_print_next (const char *path, gboolean is_usual, gboolean is_good, const char *list)
{
  g_autofree char *start = NULL;

  g_print (_ ("\nThe world has to reach TCP 443 and 80 and UDP 3478 of this host.\n"));
  if (!is_good)
    g_print (_ ("\nFirst see to the lines above; then check it again:\n"));
  else
    g_print (_ ("\nNext:\n"));
  if (is_usual)
    start = g_strdup ("systemctl enable --now detour");
  else
    start = g_strdup_printf ("detourd --config %s", path);
  if (!is_good)
    g_print ("  %s%s%s\n", "detourd --check-config", is_usual ? "" : " --config ",
             is_usual ? "" : path);
  g_print ("  %s\n", start);
  if (list != NULL)
    {
      g_autofree char *add = is_usual ? g_strdup ("detourctl keys add KEY")
                                      : g_strconcat ("detourctl keys add KEY ", list, NULL);

      g_print ("  %-36s  %s\n", add, _ ("lets a client in"));
    }
  g_print ("  %-38s%s\n", "detourctl", _ ("the status"));
  g_print ("  %-38s%s\n", "detourctl derpmap", _ ("the entry for the map of the network"));
}

/* ---------------------------------------------------------------------------------------------- */

/* What was done, for people or programs. */
typedef struct {
  const char *path;
  gboolean is_usual;     /* where the daemon looks by itself */
  char *kept;            /* name of the file that was there before; NULL: none */
  const char *keys_file; /* that says who may use the relay; NULL: no file does */
  GPtrArray *findings;
  gboolean is_good; /* the daemon would start */
  char *said;       /* by its check */
} Result;

static void
ctl_setup_result_clear (Result *self)
{
  g_free (self->kept);
  g_free (self->said);
  g_clear_pointer (&self->findings, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Result, ctl_setup_result_clear)

static DetourctlExit
ctl_setup_write_result (const Result *result, DetourctlExit exit)
{
  DetourctlJson *json = detourctl_json_begin_document ();
  g_auto (GStrv) lines = g_strsplit (result->said, "\n", -1);

  detourctl_json_text (json, "file", result->path);
  detourctl_json_text (json, "kept", result->kept);
  detourctl_json_flag (json, "good", result->is_good);
  detourctl_json_begin_array (json, "check");
  for (guint i = 0; lines[i] != NULL; i++)
    if (*lines[i] != '\0')
      detourctl_json_text (json, NULL, lines[i]);
  detourctl_json_end_array (json);
  detourctl_json_begin_array (json, "findings");
  for (guint i = 0; i < result->findings->len; i++)
    {
      const DetourctlFinding *finding = result->findings->pdata[i];

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "about", finding->check);
      detourctl_json_flag (json, "good", finding->is_good);
      detourctl_json_text (json, "text", finding->text);
      detourctl_json_text (json, "remedy", finding->remedy);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

static void
ctl_setup_print_result (const Detourctl *self, const Result *result)
{
  g_autofree char *safe = NULL;

  ctl_setup_print_findings (self, result->findings);
  g_print (_ ("\n%s is written"), result->path);
  if (result->kept != NULL)
    g_print (_ ("; the one before is %s"), result->kept);
  g_print ("\n%s", result->said);
  ctl_setup_print_next (result->path, result->is_usual, result->is_good, result->keys_file);
}

/* FALSE: not without being told to, or the user does not want it. */
static gboolean
ctl_setup_may_write (const char *path, DetourctlExit *exit)
{
  g_autofree char *question = NULL;
  g_autofree char *answer = NULL;

  if (replaces || !g_file_test (path, G_FILE_TEST_EXISTS) || detourctl_setup_says_nothing (path))
    return TRUE;
  *exit = DETOURCTL_FAILED;
  if (asks_nothing)
    {
      detourctl_complain (_ ("%s is there already; --force replaces it, and keeps it under another "
                             "name"),
                          path);
      return FALSE;
    }
  question = g_strdup_printf (_ ("%s is there already. Replace it, and keep it under another name? "
                                 "yes or no:"),
                              path);
  answer = detourctl_setup_ask (question, _ ("no"));
  if (answer != NULL
      && (g_ascii_strcasecmp (answer, "yes") == 0 || g_ascii_strcasecmp (answer, "y") == 0
          || g_ascii_strcasecmp (answer, _ ("yes")) == 0))
    return TRUE;
  detourctl_complain (_ ("%s is left as it is; nothing was written"), path);
  return FALSE;
}

static DetourctlExit
ctl_setup_write_and_check (Detourctl *self, const DetourctlSetup *setup, const char *path,
                           gboolean is_usual)
{
  g_autofree char *text = detourctl_setup_text (setup);
  g_auto (Result) result = { .path = path, .is_usual = is_usual };
  DetourctlExit exit;

  result.keys_file = setup->admission == DETOURCTL_SETUP_KEYS ? setup->keys_file : NULL;
  result.findings = detourctl_setup_look (setup, self->timeout_ms);
  if (!detourctl_setup_make_way (path, &result.kept) || !detourctl_setup_write_file (path, text)
      || !detourctl_setup_write_keys (setup))
    return DETOURCTL_FAILED;
  result.is_good = ctl_setup_check (path, &result.said);
  exit = result.is_good ? DETOURCTL_GOOD : DETOURCTL_FAILED;
  if (self->json)
    return ctl_setup_write_result (&result, exit);
  ctl_setup_print_result (self, &result);
  return exit;
}

static DetourctlExit
ctl_setup_run_setup (Detourctl *self, char **arguments)
{
  g_autofree char *usual = detour_paths_main_file ();
  g_autofree char *path = output != NULL ? g_canonicalize_filename (output, NULL)
                                         : g_strdup (usual);
  g_autofree char *hostname = g_strdup (arguments[0]);
  DetourctlExit exit = DETOURCTL_FAILED;
  DetourctlSetup setup = { 0 };
  int who, how;

  asks_nothing = asks_nothing || self->json;
  if (!ctl_setup_read_options (hostname, &who, &how) || !ctl_setup_can_do_without_asking (hostname))
    return DETOURCTL_USAGE;
  if (!ctl_setup_may_write (path, &exit))
    return exit;
  if (!ctl_setup_complete (self, &setup, &hostname, who, how))
    {
      detourctl_complain (_ ("the answers have ended; nothing was written"));
      return DETOURCTL_FAILED;
    }
  return ctl_setup_write_and_check (self, &setup, path, strcmp (path, usual) == 0);
}

const DetourctlCommand detourctl_setup_commands[] = {
  { .name = "setup",
    .arguments = N_ ("[HOSTNAME]"),
    .summary = N_ ("Write a first configuration"),
    .details = N_ (
        "Asks who may use the relay and how it gets its certificate, looks at names, ports and "
        "tailscaled,\nwrites the file, and has the daemon check it. With --yes it asks nothing; "
        "then "
        "HOSTNAME and\n--admission are needed, and the certificate comes by ACME unless "
        "--certificate says otherwise.\nExit status 1: the file is written, but the relay would "
        "not "
        "start yet."),
    .options = options,
    .run = ctl_setup_run_setup,
    .n_max = 1 },
  { NULL },
};
