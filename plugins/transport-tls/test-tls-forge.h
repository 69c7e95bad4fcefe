/* test-tls-forge.h: a peer that makes records of any sort with the right keys, and reads those of
 * the channel.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"
#include "tls-keys.h"
#include "tls-record.h"

typedef struct {
  TlsKeys write;
  TlsKeys read;
  GByteArray *sent;     /* for the channel */
  GByteArray *received; /* from the channel */
  guint8 version;       /* second byte of the version in the heads of records */
} TestForge;

/* Copies the keys of a channel. */
void test_forge_init (TestForge *self, const TlsKeys *channel_reads, const TlsKeys *channel_writes);
void test_forge_clear (TestForge *self);

/* A record whose inside is @len bytes at @inner, of which the last is the type unless it is
 * padding. */
void test_forge_inner (TestForge *self, const guint8 *inner, gsize len);
void test_forge_record (TestForge *self, guint8 type, const void *text, gsize len, gsize padding);
void test_forge_raw (TestForge *self, const void *bytes, gsize len);

/* What was sent, as test_wire_feed() does. */
DetourChannelResult test_forge_feed (TestForge *self, const DetourChannelClass *cls,
                                     gpointer channel, gsize step, GByteArray *plain,
                                     gboolean *reply);
/* Seals @len bytes, which may be none. FALSE: the channel would not. */
gboolean test_forge_seal (TestForge *self, const DetourChannelClass *cls, gpointer channel,
                          const void *data, gsize len);
void test_forge_close (TestForge *self, const DetourChannelClass *cls, gpointer channel);

/* Opens the next record of the channel into @text; its type; 0: there is none. Follows KeyUpdates.
 */
guint8 test_forge_read (TestForge *self, GByteArray *text);
/* All that there is must be data. */
void test_forge_expect_data (TestForge *self, const void *data, gsize len);
/* The next record must be this alert: level and description. */
void test_forge_expect_alert (TestForge *self, guint8 level, TlsAlert alert);
