/* tls-thread.h: state of a thread for sealing and opening records: the cipher library, expanded
 * keys.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one thing in the plugin that does not hang off an instance or a connection: connections move
 * from thread to thread and outlive instances, but expanded keys (1 KB each) shall belong to
 * threads, of which there are few. It is made when a thread first needs it, and wiped and freed
 * when the thread ends. */
#pragma once

#include "tls-keys.h"

G_BEGIN_DECLS

typedef struct _TlsThread TlsThread;

/* Of the calling thread. */
TlsThread *tls_thread_get (void);

/* Both count the record. @head has TLS_AEAD_HEAD_SIZE bytes, @self belongs to the calling thread.
 */

/* Writes @text.len + 17 bytes: @text, then @type, then the tag. FALSE: the library failed. */
gboolean tls_thread_seal (TlsThread *self, TlsKeys *keys, const guint8 *head, TlsText text,
                          guint8 type, guint8 *out) G_GNUC_WARN_UNUSED_RESULT;
/* Writes @sealed.len bytes to @out, which has 16 bytes of room beyond them. FALSE: forged or
 * damaged; @out holds zeros. */
gboolean tls_thread_open (TlsThread *self, TlsKeys *keys, const guint8 *head, TlsText sealed,
                          const guint8 *tag, guint8 *out) G_GNUC_WARN_UNUSED_RESULT;

/* @keys change or end: wipes what the calling thread keeps of them. */
void tls_thread_forget (const TlsKeys *keys);

G_END_DECLS
