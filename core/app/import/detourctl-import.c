/* detourctl-import.c: the command that makes a configuration of derper's command line.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-import.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-json.h"
#include "detourctl-place.h"
#include "detourctl-setup.h"
#include "detourctl.h"

static char *output;

static const GOptionEntry options[] = {
  { "output", 0, 0, G_OPTION_ARG_FILENAME, &output,
    N_ ("Write to FILE, and keep what was there under another name"), N_ ("FILE") },
  { NULL },
};

/* The daemon reads no other text, and a word of a unit may have any byte by its escapes. */
static gboolean
ctl_import_is_text (const DetourctlImportSource *source)
{
  for (guint i = 0; source->words[i] != NULL; i++)
    if (!g_utf8_validate (source->words[i], -1, NULL))
      {
        detourctl_complain ("%s", _ ("not a text in UTF-8"));
        return FALSE;
      }
  return TRUE;
}

/* The file or command line that the arguments are. */
static DetourctlImportSource *
ctl_import_find (char **arguments, GError **error)
{
  g_autofree char *text = NULL;
  gboolean is_file = g_file_test (arguments[0], G_FILE_TEST_EXISTS);
  DetourctlImportSource *source;
  gsize len = 0;

  if (arguments[1] != NULL)
    {
      source = detourctl_import_source_from_words ((const char *const *) arguments, error);
      if (source == NULL && is_file)
        g_prefix_error (error,
                        /* TRANSLATORS: another message follows. */
                        _ ("%s is a file, and options of this command stand before it; what was "
                           "written is no command line either: "),
                        arguments[0]);
      return source;
    }
  if (strcmp (arguments[0], "-") != 0 && !is_file)
    {
      source = detourctl_import_source_from_line (arguments[0], error);
      if (source == NULL)
        g_prefix_error (error,
                        /* TRANSLATORS: another message follows. */
                        _ ("there is no file %s, and as a command line: "), arguments[0]);
      return source;
    }
  text = detourctl_place_read (arguments[0], DETOURCTL_IMPORT_BYTES_MAX, 0, &len, error);
  if (text == NULL)
    return NULL;
  if (memchr (text, '\0', len) != NULL)
    {
      g_set_error_literal (error, DETOURCTL_IMPORT_ERROR, 0, _ ("not a text in UTF-8"));
      return NULL;
    }
  return detourctl_import_source_from_file (text, error);
}

static DetourctlExit
ctl_import_print_json (const char *text, const char *kept)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_text (json, "text", text);
  detourctl_json_text (json, "file", output);
  detourctl_json_text (json, "kept", kept);
  return detourctl_json_end_document (json, DETOURCTL_GOOD);
}

static DetourctlExit
ctl_import_write (const Detourctl *self, const char *text)
{
  g_autofree char *kept = NULL;

  if (output != NULL
      && (!detourctl_setup_make_way (output, &kept) || !detourctl_setup_write_file (output, text)))
    return DETOURCTL_FAILED;
  if (self->json)
    return ctl_import_print_json (text, kept);
  if (output == NULL)
    {
      g_print ("%s", text);
      return DETOURCTL_GOOD;
    }
  if (kept != NULL)
    g_printerr (_ ("The old file is kept as %s.\n"), kept);
  g_printerr (_ ("Written: %s. Check it: detourd --config %s --check-config\n"), output, output);
  return DETOURCTL_GOOD;
}

static DetourctlExit
ctl_import_run (Detourctl *self, char **arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlImportSource) source = ctl_import_find (arguments, &error);
  g_autoptr (DetourctlDerperFlags) flags = NULL;
  g_autoptr (GPtrArray) faults = NULL;
  g_autofree char *text = NULL;

  if (source == NULL)
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_FAILED;
    }
  if (!ctl_import_is_text (source))
    return DETOURCTL_FAILED;
  faults = g_ptr_array_new_with_free_func (g_free);
  flags = detourctl_derper_flags_read ((const char *const *) source->words, faults);
  text = detourctl_import_text (flags, source, faults);
  if (faults->len == 0)
    return ctl_import_write (self, text);
  for (guint i = 0; i < faults->len; i++)
    detourctl_complain ("%s", (const char *) faults->pdata[i]);
  detourctl_complain (_ ("derper would not start with that; nothing is written"));
  return DETOURCTL_FAILED;
}

const DetourctlCommand detourctl_import_commands[] = {
  { .name = "import-derper",
    .arguments = N_ ("'COMMAND LINE'|FILE"),
    .summary = N_ ("The configuration that does what derper did"),
    .details = N_ (
        "COMMAND LINE is that of derper, with or without quotes around all of it. FILE is a "
        "systemd "
        "unit (as\n\"systemctl cat derper\" prints it, too), a compose file, a Dockerfile or a "
        "script; - is standard input.\nVariables are those of the file, else of the environment. "
        "What has no counterpart is a comment that says\nwhy. No daemon is needed. Options of this "
        "command stand before COMMAND LINE."),
    .options = options,
    .run = ctl_import_run,
    .n_min = 1,
    .n_max = G_MAXUINT,
    .takes_dashes = TRUE },
  { NULL },
};
