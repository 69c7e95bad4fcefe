/* detour-mailbox.c: calls from any thread to the main thread, dropped when their receiver is gone.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-mailbox.h"

typedef struct {
  DetourMailboxFunc func;
  DetourMailboxFunc drop;
  gpointer data;
  GList link;
} Letter;

struct _DetourMailbox {
  GMutex lock;
  GQueue letters;  /* of Letter */
  GSource *source; /* delivers them; NULL: there are none */
  gboolean is_closed;
};

/* A source that calls @func once on the main thread. It has the priority of other events, because
 * a busy main thread would never come to an idle one. */
static GSource *
mailbox_source_new (GSourceFunc func, gpointer data)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, NULL);
  return source;
}

static Letter *
mailbox_letter_new (DetourMailboxFunc func, gpointer data, DetourMailboxFunc drop)
{
  Letter *letter = g_new (Letter, 1);

  *letter = (Letter) { func, drop, data, { letter, NULL, NULL } };
  return letter;
}

static void
mailbox_letter_drop (Letter *letter)
{
  if (letter->drop != NULL)
    letter->drop (letter->data);
  g_free (letter);
}

static void
mailbox_letter_deliver (Letter *letter)
{
  letter->func (letter->data);
  g_free (letter);
}

DetourMailbox *
detour_mailbox_new (void)
{
  DetourMailbox *self = g_new0 (DetourMailbox, 1);

  g_mutex_init (&self->lock);
  return self;
}

/* Main thread. */
static Letter *
mailbox_take_first (DetourMailbox *self)
{
  GList *link;

  g_mutex_lock (&self->lock);
  link = g_queue_pop_head_link (&self->letters);
  if (self->letters.length == 0 && self->source != NULL)
    {
      g_source_destroy (self->source);
      g_clear_pointer (&self->source, g_source_unref);
    }
  g_mutex_unlock (&self->lock);
  return link != NULL ? link->data : NULL;
}

/* One call each time: it may close or free the mailbox, and other events get their turn. */
static gboolean
mailbox_on_source (gpointer data)
{
  Letter *letter = mailbox_take_first (data);

  if (letter != NULL)
    mailbox_letter_deliver (letter);
  return G_SOURCE_CONTINUE;
}

void
detour_mailbox_close (DetourMailbox *self)
{
  Letter *letter;

  g_mutex_lock (&self->lock);
  self->is_closed = TRUE;
  g_mutex_unlock (&self->lock);
  while ((letter = mailbox_take_first (self)) != NULL)
    mailbox_letter_drop (letter);
}

void
detour_mailbox_open (DetourMailbox *self)
{
  g_mutex_lock (&self->lock);
  self->is_closed = FALSE;
  g_mutex_unlock (&self->lock);
}

void
detour_mailbox_free (DetourMailbox *self)
{
  detour_mailbox_close (self);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gboolean
mailbox_on_lone_letter (gpointer data)
{
  mailbox_letter_deliver (data);
  return G_SOURCE_REMOVE;
}

void
detour_mailbox_post (DetourMailbox *self, DetourMailboxFunc func, gpointer data,
                     DetourMailboxFunc drop)
{
  Letter *letter = mailbox_letter_new (func, data, drop);
  gboolean is_closed;

  if (self == NULL)
    {
      g_source_unref (mailbox_source_new (mailbox_on_lone_letter, letter));
      return;
    }
  g_mutex_lock (&self->lock);
  is_closed = self->is_closed;
  if (!is_closed)
    {
      g_queue_push_tail_link (&self->letters, &letter->link);
      if (self->source == NULL)
        self->source = mailbox_source_new (mailbox_on_source, self);
    }
  g_mutex_unlock (&self->lock);
  if (is_closed)
    mailbox_letter_drop (letter);
}
