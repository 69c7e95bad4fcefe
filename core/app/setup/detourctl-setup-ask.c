/* detourctl-setup-ask.c: asks questions at the terminal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-setup.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-print.h"

/* Column at which the explanations of choices begin. */
#define EXPLAINED 20u

/* A line without blanks at its ends; NULL: the input has ended. */
static char *
ctl_setup_ask_read_line (void)
{
  char *line = NULL;
  size_t size = 0;
  char *text;

  fflush (stdout);
  if (getline (&line, &size, stdin) < 0)
    {
      free (line);
      return NULL;
    }
  text = g_strstrip (g_utf8_make_valid (line, -1));
  free (line);
  return text;
}

char *
detourctl_setup_ask (const char *question, const char *fallback)
{
  for (;;)
    {
      g_autofree char *answer = NULL;

      if (fallback != NULL)
        g_print ("%s [%s] ", question, fallback);
      else
        g_print ("%s ", question);
      answer = ctl_setup_ask_read_line ();
      if (answer == NULL)
        {
          g_print ("\n");
          return NULL;
        }
      if (*answer != '\0')
        return g_steal_pointer (&answer);
      if (fallback != NULL)
        return g_strdup (fallback);
    }
}

/* The place that an answer means; -1: none. */
static int
ctl_setup_ask_place_of (const char *const *words, const char *answer)
{
  for (int i = 0; words[i] != NULL; i++)
    {
      char number[4];

      g_snprintf (number, sizeof number, "%d", (i + 1) % 1000);
      if (strcmp (answer, number) == 0 || g_ascii_strcasecmp (answer, words[i]) == 0)
        return i;
    }
  return -1;
}

int
detourctl_setup_choose (const Detourctl *ctl, const char *question, const char *const *words,
                        const char *const *texts, guint fallback)
{
  g_autofree char *usual = g_strdup_printf ("%u", fallback + 1);

  g_print ("\n%s%s%s\n", detourctl_style (ctl, DETOURCTL_BOLD), question,
           detourctl_style (ctl, DETOURCTL_PLAIN));
  for (guint i = 0; words[i] != NULL; i++)
    {
      g_autofree char *lines = detourctl_format_wrap (texts[i], EXPLAINED, EXPLAINED,
                                                      detourctl_print_width (ctl));

      g_print ("  %u  %-*s%s\n", i + 1, (int) (EXPLAINED - 5), words[i], lines);
    }
  for (;;)
    {
      g_autofree char *answer = detourctl_setup_ask (_ ("Number or word:"), usual);
      int place;

      if (answer == NULL)
        return -1;
      place = ctl_setup_ask_place_of (words, answer);
      if (place >= 0)
        return place;
    }
}

char *
detourctl_setup_ask_path (const char *question, const char *fallback)
{
  for (;;)
    {
      char *answer = detourctl_setup_ask (question, fallback);

      if (answer == NULL || (g_path_is_absolute (answer) && detourctl_setup_fits_in_file (answer)))
        return answer;
      g_print (_ ("It has to begin with a slash, and be without ; # \" or \\.\n"));
      g_free (answer);
    }
}

char *
detourctl_setup_ask_url (void)
{
  for (;;)
    {
      char *answer = detourctl_setup_ask (_ ("Address that is asked, as in "
                                             "https://headscale.example.com/verify:"),
                                          NULL);

      if (answer == NULL || detourctl_setup_is_url (answer))
        return answer;
      g_print (_ ("It has to begin with https:// or http://.\n"));
      g_free (answer);
    }
}
