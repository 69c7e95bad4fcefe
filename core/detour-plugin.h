/* detour-plugin.h: everything a plugin may know of Detour; the one header it includes.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Contents: configuration, the host and what it gives to an instance, numbers, text from strangers,
 * channels, listeners and sites, links, certificates, admission, HTTP, logs, the descriptor.
 *
 * Where nothing else is said, a call is for the main thread, strings that are given are copied, and
 * strings that are got are borrowed and live as long as what they were got from. Times are in
 * microseconds, sizes in bytes.
 *
 * A plugin is a GModule that exports one constant, `detour_plugin`, made with
 * DETOUR_PLUGIN_DEFINE(). Each [KIND NAME] group of the configuration starts it once more; all its
 * state hangs off the pointer that its start() returned. It must keep no other variable.
 *
 * This header stands on no floor of core: each floor implements the part of it that is its own, so
 * no floor has to look up to another for a word of the contract. It needs nothing but GLib and
 * POSIX. */
#pragma once

#include <glib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>

G_BEGIN_DECLS

/* 1 is the first release's; raised from then on whenever a struct or a rule below changes. Compared
 * before anything else is read. */
#define DETOUR_PLUGIN_ABI 1u

/* Length in bytes of a node or server key, a raw Curve25519 public key as it is on the wire. */
#define DETOUR_KEY_SIZE 32

/* -------------------------------------------------------------------------------------------------
 * Configuration: one table for each plugin feeds validation, the manual, the dump and completion.
 * ---------------------------------------------------------------------------------------------- */

typedef enum {
  DETOUR_CONFIG_STRING,
  DETOUR_CONFIG_BOOL,     /* true false yes no on off */
  DETOUR_CONFIG_UINT,     /* decimal */
  DETOUR_CONFIG_DURATION, /* 500ms 30s 10m 24h 7d; min and max in milliseconds */
  DETOUR_CONFIG_SIZE,     /* 64K 2M 1G, powers of 1024; min and max in bytes */
  DETOUR_CONFIG_RATE,     /* a size for each second */
  DETOUR_CONFIG_PATH,     /* absolute path of a file or directory */
  DETOUR_CONFIG_ENUM,     /* one of `words` */
  /* HOST:PORT, [V6]:PORT, :PORT (every address of both families), unix:/path */
  DETOUR_CONFIG_ADDRESS,
  DETOUR_CONFIG_CIDR, /* ADDRESS or ADDRESS/BITS */
} DetourConfigType;

typedef enum {
  /* Values separated by `;`, each of the key's type. Bounds are for each value. */
  DETOUR_CONFIG_LIST = 1 << 0,
  DETOUR_CONFIG_REQUIRED = 1 << 1, /* the start is refused without it */
  DETOUR_CONFIG_SECRET = 1 << 2,   /* masked in dumps */
  /* A change needs a restart of the daemon; it is reported and not applied. */
  DETOUR_CONFIG_RESTART = 1 << 3,
  DETOUR_CONFIG_LIMIT = 1 << 4, /* `off` and `0` mean none; the getter gives 0 */
  DETOUR_CONFIG_CERT = 1 << 5,  /* of a STRING: the NAME of a [cert NAME] that has to be there */
  DETOUR_CONFIG_AUTO = 1 << 6,  /* of a number: `auto` is a value, too: DETOUR_CONFIG_AUTOMATIC */
  DETOUR_CONFIG_LISTEN_TCP = 1 << 7, /* of an ADDRESS: the instance takes connections there */
  DETOUR_CONFIG_LISTEN_UDP = 1 << 8, /* of an ADDRESS: the instance takes datagrams there */
  /* Of an auth instance: it says how the source of verdicts is reached, and not which one it is.
   * When another key that is no number changes, keys that were allowed before are forgotten. */
  DETOUR_CONFIG_ROUTE = 1 << 9,
} DetourConfigFlags;

/* What getters and fields have for `auto`; a field of 32 bits has G_MAXUINT. */
#define DETOUR_CONFIG_AUTOMATIC G_MAXUINT64

/* One key of a group. Tables end with { NULL }. All strings are static. */
typedef struct {
  const char *key;
  DetourConfigType type;
  const char *fallback; /* as it would be written in a file; NULL: absent */
  guint64 min, max;     /* of UINT, DURATION, SIZE, RATE; both 0: any */
  const char *summary;  /* for the manual: a clause without a full stop */
  DetourConfigFlags flags;
  const char *words; /* ENUM: allowed words separated by `|` */
  /* The field that detour_settings_fill() sets; written as DETOUR_CONFIG_FIELD() behind the others.
   * Both 0: none. */
  gsize offset, width;
} DetourConfigKey;

/* The member of a struct that a key fills: `gboolean` for BOOL; `guint` or `guint64` for UINT, SIZE
 * and RATE; `gint64` in microseconds for DURATION; `guint`, the place among the words, for ENUM;
 * `const char *` for other types, NULL when absent; `const char *const *` for a LIST, never NULL.
 * A number that is absent is 0. */
#define DETOUR_CONFIG_FIELD(Struct, member) \
  .offset = G_STRUCT_OFFSET (Struct, member), .width = sizeof (((Struct *) NULL)->member)

/* The checked values of one group: immutable, any thread, reference-counted. */
typedef struct _DetourSettings DetourSettings;

DetourSettings *detour_settings_ref (DetourSettings *self);
void detour_settings_unref (DetourSettings *self);

/* Getters abort when @key is not in the table with that type: a bug of the caller, never of a file.
 * All borrow from @self. */
/* Whether it is set, or has a fallback. */
gboolean detour_settings_has (const DetourSettings *self, const char *key);
/* Whether some file sets it. */
gboolean detour_settings_is_written (const DetourSettings *self, const char *key);
/* STRING, PATH, ENUM, ADDRESS, CIDR; NULL when absent. */
const char *detour_settings_string (const DetourSettings *self, const char *key);
gboolean detour_settings_bool (const DetourSettings *self, const char *key);
/* UINT; SIZE in bytes; RATE in bytes a second. */
guint64 detour_settings_uint (const DetourSettings *self, const char *key);
gint64 detour_settings_duration_us (const DetourSettings *self, const char *key);
/* NULL-terminated; never NULL, empty when the key is absent. The values are in their written form,
 * already checked. */
const char *const *detour_settings_list (const DetourSettings *self, const char *key);

/* Whether @address is in one of @networks, which are in the form of DETOUR_CONFIG_CIDR; an IPv4
 * address inside IPv6 counts as IPv4. Any thread. */
gboolean detour_networks_contain (const char *const *networks, const struct sockaddr *address);

/* Sets each field of @fields that a row of the table names, so that nothing is looked up by name.
 * Texts and lists are borrowed from @self. */
void detour_settings_fill (const DetourSettings *self, gpointer fields);

/**
 * detour_settings_error:
 * @self: the settings the value came from
 * @key: (nullable): the key at fault
 * @error: where to put the error
 * @format: what was found and what was expected
 *
 * Sets @error to `FILE:LINE: [GROUP] KEY: text`, the form of every configuration error. For what
 * only the plugin can judge: a file that does not parse, an address that cannot be bound.
 */
void detour_settings_error (const DetourSettings *self, const char *key, GError **error,
                            const char *format, ...) G_GNUC_PRINTF (4, 5);

/* Sets @address to the Unix socket whose path @key has; FALSE with @error set when the path is too
 * long for one. */
gboolean detour_settings_unix_address (const DetourSettings *self, const char *key,
                                       struct sockaddr_un *address, GError **error);

/* In check(), any number of times: one more thing that is wrong, or one that the operator should
 * know though the configuration can be used like this. Elsewhere both are warnings on the log. */
void detour_settings_complain (const DetourSettings *self, const char *key, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
void detour_settings_warn (const DetourSettings *self, const char *key, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* -------------------------------------------------------------------------------------------------
 * The host: services of core for one instance. Main thread unless said otherwise.
 * ---------------------------------------------------------------------------------------------- */

typedef struct _DetourHost DetourHost;

/* Whatever an instance is given (listeners, routes, certificates, timers, keys) it holds until it
 * stops, or until its start() fails: core then takes it back by itself, the newest first. When
 * stop() is called, nothing that core was given calls into the plugin any more. */

const char *detour_host_instance (DetourHost *host);        /* "auth/friends" */
const char *detour_host_hostname (DetourHost *host);        /* [core] hostname; NULL when not set */
const char *detour_host_state_directory (DetourHost *host); /* exists, 0700 */
/* Where translations are: LANGUAGE/LC_MESSAGES/detour.mo below it. */
const char *detour_host_locale_directory (DetourHost *host);
/* The relay's public DERP key. Any thread. */
const guint8 *detour_host_server_key (DetourHost *host);
/* TRUE while clients can log in: listeners are bound and the relay is in service; but for kind
 * `cert`, there is a certificate if one is needed. Any thread. */
gboolean detour_host_is_ready (DetourHost *host);

/* One line for people on how the instance is doing, shown in status; replaces the line before. Any
 * thread. */
void detour_host_set_summary (DetourHost *host, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Says that the instance works only in part and why; NULL: all is well again. The log is the
 * plugin's business; core does not tell of questions that an auth instance in trouble could not
 * answer. Any thread. */
void detour_host_set_trouble (DetourHost *host, const char *format, ...) G_GNUC_PRINTF (2, 3);

/**
 * detour_host_note_sockets:
 * @protocol: a word for status: "stun"
 * @addresses: (array zero-terminated=1): in the form of DETOUR_CONFIG_ADDRESS; copied
 *
 * Tells where the instance listens with sockets that it opened itself, for status and for maps;
 * replaces what was told before, and is forgotten when the instance stops. Main thread.
 */
void detour_host_note_sockets (DetourHost *host, const char *protocol,
                               const char *const *addresses);

/**
 * detour_host_post:
 * @func: called on the main thread, from its loop, never from inside this call; owns @data
 * @drop: (nullable): called instead of @func when the instance stops before its turn has come: on
 *   the main thread before stop(), or from inside this call when stop() has begun
 *
 * For what another thread of the plugin, or a handler of a route, has to say to the main thread.
 * Calls for one instance happen in the order in which they were posted. Any thread, until stop()
 * returns.
 */
void detour_host_post (DetourHost *host, void (*func) (gpointer data), gpointer data,
                       void (*drop) (gpointer data));

/**
 * detour_host_add_timer:
 * @interval_us: at least 1 ms; whole seconds may be served up to a second late, together with
 *   others
 * @func: called on the main thread, again and again until it returns FALSE
 *
 * Ends by itself when the instance stops. Main thread.
 *
 * Returns: a number for detour_host_remove_timer(), never 0.
 */
guint detour_host_add_timer (DetourHost *host, gint64 interval_us, gboolean (*func) (gpointer data),
                             gpointer data);
/* Ends a timer early. One that has ended is nothing. Main thread. */
void detour_host_remove_timer (DetourHost *host, guint id);

/**
 * detour_host_open_control:
 *
 * A socket on which the daemon answers as on its control socket, with the objects of
 * doc/control.md, to somebody who may read and change nothing. Messages begin at once, without
 * authentication. For what has to be shown; the other end is served by the main thread, so wait for
 * answers on another one. A connection that asks nothing for ten minutes is closed. Main thread.
 *
 * Returns: a descriptor of the caller's; -1 with @error set: the daemon starts or stops, too many
 *   are open, or there is no descriptor.
 */
int detour_host_open_control (DetourHost *host, GError **error);

/* A number that only grows. One thread writes; everyone may read. Lives as long as the instance. */
typedef struct {
  guint64 value;
} DetourCounter;

/* A number that goes up and down. One thread writes; everyone may read. Shown while the instance
 * runs. */
typedef struct {
  guint64 value;
} DetourGauge;

typedef enum {
  DETOUR_METRIC_COUNTER,
  DETOUR_METRIC_GAUGE,
  DETOUR_METRIC_HISTOGRAM, /* only core has them */
} DetourMetricType;

/* Both static, or living as long as what they belong to. */
typedef struct {
  const char *name;  /* "reason" */
  const char *value; /* "timeout" */
} DetourMetricLabel;

#define DETOUR_METRIC_LABELS_MAX 4

/* How often a measured value lay in which range. */
typedef struct {
  const guint64 *bounds; /* largest value of each bucket but the last, growing; in the unit */
  const guint64 *counts; /* of each bucket alone; one more than bounds */
  guint n_bounds;
  guint64 sum; /* of all values */
} DetourMetricHistogram;

/* One number as it is shown. */
typedef struct {
  const char *name;   /* lower-case words joined by `_`, without the plugin's: "requests_success" */
  const char *unit;   /* "bytes", "microseconds"; NULL: what the name says, counted */
  const char *help;   /* one clause; the same for all of one name */
  const char *plugin; /* "service-stun"; NULL: of core */
  DetourMetricType type;
  guint n_labels;
  DetourMetricLabel labels[DETOUR_METRIC_LABELS_MAX];
  guint64 value;                   /* of a histogram: how many values there were */
  DetourMetricHistogram histogram; /* of a histogram; borrowed like the metric itself */
} DetourMetric;

/**
 * detour_host_counter:
 * @name: static, as in DetourMetric
 * @help: static, one clause
 *
 * Returns: (transfer none): the counter, the same one when the instance starts again, so that
 * totals go on.
 */
DetourCounter *detour_host_counter (DetourHost *host, const char *name, const char *help);

/**
 * detour_host_counter_with:
 * @metric: name, unit, help and at most three labels, all static; core adds the label `instance`
 *
 * As detour_host_counter(): the same name with the same labels is the same counter.
 */
DetourCounter *detour_host_counter_with (DetourHost *host, const DetourMetric *metric);

/**
 * detour_host_gauge_with:
 * @metric: as for detour_host_counter_with()
 *
 * Main thread. Begins with 0.
 *
 * Returns: (transfer none): the gauge, which is not shown any more once the instance has stopped.
 */
DetourGauge *detour_host_gauge_with (DetourHost *host, const DetourMetric *metric);

/* @metric is borrowed for the call, which must not start or stop instances. */
typedef void (*DetourMetricFunc) (const DetourMetric *metric, gpointer user);

/**
 * detour_host_foreach_metric:
 *
 * Everything that is counted: by core, and by the instances of all plugins, whose numbers have the
 * label `instance`. Those of one plugin and name come one behind the other. Main thread.
 */
void detour_host_foreach_metric (DetourHost *host, DetourMetricFunc func, gpointer user);

static inline void
detour_counter_add (DetourCounter *self, guint64 n)
{
  __atomic_store_n (&self->value, __atomic_load_n (&self->value, __ATOMIC_RELAXED) + n,
                    __ATOMIC_RELAXED);
}

static inline guint64
detour_counter_get (const DetourCounter *self)
{
  return __atomic_load_n (&self->value, __ATOMIC_RELAXED);
}

static inline void
detour_gauge_set (DetourGauge *self, guint64 value)
{
  __atomic_store_n (&self->value, value, __ATOMIC_RELAXED);
}

/* -------------------------------------------------------------------------------------------------
 * Files
 * ---------------------------------------------------------------------------------------------- */

typedef enum {
  DETOUR_FILE_PRIVATE = 1 << 0,   /* users outside its group may do nothing with it */
  DETOUR_FILE_PROTECTED = 1 << 1, /* only its owner may write it */
  DETOUR_FILE_OWNED = 1 << 2,     /* it belongs to root or to the user of this process */
  DETOUR_FILE_HEAD = 1 << 3,      /* of a longer file its first @max bytes are enough */
} DetourFileFlags;

/* What was read. Unless the call was a success, all is 0. */
typedef struct {
  char *data; /* @len bytes and a NUL behind them */
  gsize len;
  guint64 size; /* as the file system had it at the beginning */
  guint mode;   /* permission bits */
  uid_t owner;
} DetourFile;

/**
 * detour_file_read:
 * @max: bytes the file may have; @flags: 0 for a file that holds no secret
 * @out: freed and wiped with detour_file_clear()
 *
 * Reads a whole file. Every file is read with this function, on the main thread too: it opens
 * without waiting, and takes nothing but a regular file of at most @max bytes, so that neither a
 * named pipe nor a device can stop or fill the daemon. /dev/null counts as an empty file.
 *
 * Errors are of G_FILE_ERROR: the code of errno when it cannot be opened or read, ISDIR or INVAL
 * when it is no regular file, PERM when @flags do not hold, FAILED when it is too long. The message
 * begins with @path and says what was found and what was expected. Any thread.
 */
gboolean detour_file_read (const char *path, gsize max, DetourFileFlags flags, DetourFile *out,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void detour_file_clear (DetourFile *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourFile, detour_file_clear)

/* Which program of this host has @port, as "nginx (process 812)", for the message that it is taken;
 * NULL when that cannot be seen, as is usual for programs of other users. Free with g_free(). Reads
 * much of /proc: not for every day. */
char *detour_port_owner (guint port, gboolean udp);

/* -------------------------------------------------------------------------------------------------
 * Text from strangers
 * ---------------------------------------------------------------------------------------------- */

/**
 * detour_json_check:
 * @text: need not be terminated
 * @len_max: bytes the message may have
 *
 * Judges JSON before json-glib sees it, which dies of deep nesting and takes much that is not JSON:
 * the text must be one value by RFC 8259, in valid UTF-8, at most 32 levels deep, without \u0000
 * and half surrogates. Types and ranges are still the caller's to check: json-glib turns integers
 * that do not fit into others. Any thread.
 */
gboolean detour_json_check (const char *text, gsize len, gsize len_max, GError **error);

/* -------------------------------------------------------------------------------------------------
 * Channels: how the bytes of a connection are dressed. Core does all input and output itself; a
 * channel turns bytes into bytes and never sees a descriptor. Calls for one channel never overlap;
 * the thread changes once, from the handshake pool to a worker.
 * ---------------------------------------------------------------------------------------------- */

typedef enum {
  DETOUR_CHANNEL_OK,   /* handshake: finished; feed: went well */
  DETOUR_CHANNEL_MORE, /* handshake only: wants more bytes from the peer */
  /* feed: the peer said goodbye in the way the channel knows; handshake: it was all there was to
   * the connection, which ends well */
  DETOUR_CHANNEL_CLOSED,
  /* handshake only: waits until this process has a certificate. It is called again, with the bytes
   * that it did not take, when one was published or is not expected any more. */
  DETOUR_CHANNEL_WAIT,
  /* handshake at the client's end only: the peer is not who it should be; else as BAD */
  DETOUR_CHANNEL_UNTRUSTED,
  DETOUR_CHANNEL_BAD, /* the peer broke the rules; an alert may wait in the output */
} DetourChannelResult;

/* Room that the caller owns: a callee appends at data + len and never passes cap. */
typedef struct {
  guint8 *data;
  gsize len;
  gsize cap;
} DetourBuffer;

/* What is known of a channel once its handshake is over. Strings are static or live as long as the
 * channel. */
typedef struct {
  const char *version; /* "1.3"; NULL: bytes pass in the clear */
  const char *cipher;  /* "AES-128-GCM"; NULL likewise */
  const char *sni;     /* name the client asked for; NULL: none */
} DetourChannelInfo;

/* Room feed() needs in its output beyond the length of its input: one whole record kept from
 * before. */
#define DETOUR_CHANNEL_FEED_SLACK 17408u
/* A record carries at most this much plain text. */
#define DETOUR_CHANNEL_RECORD_MAX 16384u
/* Room seal() needs for @len bytes, control records that wait included, with other channels over
 * the lowest one. */
#define DETOUR_CHANNEL_SEAL_BOUND(len) ((len) + ((len) / DETOUR_CHANNEL_RECORD_MAX + 12u) * 64u)
/* A channel that is put over another keeps at most so much of what it was fed, and adds at most so
 * much to what it seals in one call, control messages included. */
#define DETOUR_CHANNEL_UPPER_MAX 256u

typedef struct _DetourChannelClass DetourChannelClass;
struct _DetourChannelClass {
  const char *name; /* "gnutls" */

  /* Goes on with the handshake. Takes *@used of the @len bytes at @in, which may be 0 of 0 to
   * begin, and appends what the peer must get to @out, which has DETOUR_CHANNEL_FEED_SLACK bytes of
   * room or more; when the room was too small it returns MORE with *@used < @len and is called
   * again. On OK the bytes not taken are the first for feed(). On BAD and CLOSED @reason gets a
   * static text.
   */
  DetourChannelResult (*handshake) (gpointer self, const guint8 *in, gsize len, gsize *used,
                                    DetourBuffer *out, const char **reason);

  /* After a handshake that returned OK; may be NULL. Gives the channel that carries on, with its
   * class in
   * *@cls, and frees @self if that is another one. */
  gpointer (*settle) (gpointer self, const DetourChannelClass **cls);

  void (*info) (gpointer self, DetourChannelInfo *info);

  /* Opens records: takes all @len bytes, keeps the part of a record to itself, appends plain text
   * to @plain. Sets *@reply when the channel has bytes of its own to send: the caller then calls
   * seal(), with no spans if need be. NULL in a class: bytes pass unchanged. */
  DetourChannelResult (*feed) (gpointer self, const guint8 *in, gsize len, DetourBuffer *plain,
                               gboolean *reply);

  /* Makes records of @n spans and appends them to @out, which has DETOUR_CHANNEL_SEAL_BOUND() of
   * room; control records that wait go first. Up to DETOUR_CHANNEL_RECORD_MAX bytes of plain text
   * in a call become one record. FALSE: the channel is broken. NULL in a class: bytes pass
   * unchanged. */
  gboolean (*seal) (gpointer self, const struct iovec *plain, guint n, DetourBuffer *out);

  /* Appends the goodbye, or the alert of a handshake that waited in vain, at most
   * DETOUR_CHANNEL_SEAL_BOUND (0) bytes. May be NULL. */
  void (*close) (gpointer self, DetourBuffer *out);

  /* Writes down all that another process needs to carry the channel on, and reads it back. NULL
   * from either: this channel cannot be carried over. Both NULL in a class: it never can. */
  GBytes *(*save) (gpointer self);
  gpointer (*restore) (const guint8 *data, gsize len);

  void (*free) (gpointer self);
};

/**
 * detour_host_add_channel:
 *
 * Makes a class known by its name, so that a channel that another process wrote down with save()
 * can be read back. Until the instance stops. Main thread.
 *
 * Returns: FALSE when another class has that name.
 */
gboolean detour_host_add_channel (DetourHost *host, const DetourChannelClass *cls);

/* -------------------------------------------------------------------------------------------------
 * Listeners, the channel of what they accept, and the site they serve. Kind `transport`.
 * ---------------------------------------------------------------------------------------------- */

/* Where a connection comes from and where it arrived. Borrowed for the call. */
typedef struct {
  struct sockaddr_storage peer;
  struct sockaddr_storage local;
  const char *listener; /* "transport/https" */
} DetourAccepted;

typedef enum {
  DETOUR_LISTENER_DERP = 1 << 0, /* serves the DERP upgrade */
  /* Requests that no route of the site PLAIN answers are sent to https://. */
  DETOUR_LISTENER_REDIRECT_HTTPS = 1 << 1,
  DETOUR_LISTENER_SECURE = 1 << 2, /* bytes are encrypted on the wire */
  /* `:PORT` and names stand for IPv4 addresses only, and IPv6 addresses are refused. */
  DETOUR_LISTENER_ONLY_IPV4 = 1 << 3,
  DETOUR_LISTENER_ONLY_IPV6 = 1 << 4, /* the other way round */
  DETOUR_LISTENER_ADMIN = 1 << 5,     /* serves the site for administrators, and never DERP */
  DETOUR_LISTENER_PAGES = 1 << 6,     /* routes with DETOUR_HTTP_PAGE are there, too */
} DetourListenerFlags;

/* A listener serves one site, and a route names those it is on. */
typedef enum {
  DETOUR_SITE_CLIENTS = 1 << 0, /* of listeners without one of the two flags below */
  DETOUR_SITE_PLAIN = 1 << 1,   /* DETOUR_LISTENER_REDIRECT_HTTPS: port 80 */
  DETOUR_SITE_ADMIN = 1 << 2,   /* DETOUR_LISTENER_ADMIN; its routes are on no other site */
} DetourSites;
#define DETOUR_N_SITES 3

static inline DetourSites
detour_listener_site (DetourListenerFlags flags)
{
  if ((flags & DETOUR_LISTENER_ADMIN) != 0)
    return DETOUR_SITE_ADMIN;
  return (flags & DETOUR_LISTENER_REDIRECT_HTTPS) != 0 ? DETOUR_SITE_PLAIN : DETOUR_SITE_CLIENTS;
}

/* The key by which an operator chooses the family, and what it says. */
#define DETOUR_LISTENER_FAMILY_KEY                                                     \
  {                                                                                    \
    "family", DETOUR_CONFIG_ENUM, "any", 0, 0,                                         \
        "which addresses `:PORT`, `[::]:PORT` and names stand for", 0, "any|ipv4|ipv6" \
  }

static inline DetourListenerFlags
detour_listener_family (const DetourSettings *settings)
{
  const char *word = detour_settings_string (settings, "family");

  if (g_str_equal (word, "any"))
    return (DetourListenerFlags) 0;
  return g_str_equal (word, "ipv4") ? DETOUR_LISTENER_ONLY_IPV4 : DETOUR_LISTENER_ONLY_IPV6;
}

/* What a listener does about the PROXY protocol, with which a proxy says whose connection it hands
 * on. */
typedef enum {
  DETOUR_PROXY_OFF,     /* the first bytes are the client's */
  DETOUR_PROXY_ACCEPT,  /* a trusted proxy may send a header; others are clients */
  DETOUR_PROXY_REQUIRE, /* a trusted proxy has to send a header; others are closed */
} DetourProxyMode;

/* What an instance asks of core in start(). Everything is copied, except @user. */
typedef struct {
  const char *const *addresses; /* as DETOUR_CONFIG_ADDRESS; all are bound or none */
  /* Descriptors with this name, which the service manager passed, instead; NULL: none. */
  const char *socket_name;
  const char *protocol; /* word for status: "tls", "http" */
  DetourListenerFlags flags;
  const DetourChannelClass *channel; /* NULL: bytes in the clear, accept() is not called */
  /* Handshake pool. The new channel, or NULL to drop the connection. @user is kept by core until
   * release() was called: after stop() and after the last call of accept(). */
  gpointer (*accept) (gpointer user, const DetourAccepted *accepted);
  gpointer user;
  GDestroyNotify release;
  const char *note; /* for people, behind the addresses: "records by GnuTLS"; NULL: none */
  const char *key;  /* of the settings, where the addresses or the name came from; NULL: none */
  /* The next ones as detour_listener_fill() sets them; all zero: nobody is trusted. Whoever may
   * connect to a Unix socket is trusted without being listed. */
  DetourProxyMode proxy_protocol;
  const char *const *trusted_proxies; /* as DETOUR_CONFIG_CIDR */
  const char *real_ip_header; /* in which trusted proxies write the client's address; NULL: none */
  guint unix_mode;            /* of the files of Unix sockets; 0: as the umask has it */
  const char *const *forward; /* NAME=ADDRESS: connections for that name are handed on unread */
  guint forward_version;      /* of the PROXY header that goes before them; 0: none */
  gint64 forward_idle_us;     /* they are closed when nothing moves for so long */
  guint forward_most;         /* of them at a time */
  const char *own_name;       /* that a name with `*.` does not take away; NULL: none */
  const char *unix_owner; /* of those files: `USER`, `USER:GROUP` or `:GROUP`; NULL: unchanged */
} DetourListenerSpec;

/* Keys about the files of Unix sockets, for detour_listener_check_unix() and _fill_unix(). */
#define DETOUR_LISTENER_UNIX_KEYS                                                           \
  { "unix-mode", DETOUR_CONFIG_STRING, "0660",                                              \
    .summary = "permissions of the file of a Unix socket, in octal digits" },               \
  {                                                                                         \
    "unix-owner", DETOUR_CONFIG_STRING,                                                     \
        .summary = "who owns the file of a Unix socket: `USER`, `USER:GROUP` or `:GROUP`; " \
                   "without it the daemon"                                                  \
  }

/* Keys that listeners of clients have in common, for detour_listener_check() and _fill(). */
#define DETOUR_LISTENER_KEYS                                                                   \
  { "listen", DETOUR_CONFIG_ADDRESS,                                                           \
    .summary = "addresses to listen at; `unix:/path` is a Unix socket",                        \
    .flags = DETOUR_CONFIG_LIST | DETOUR_CONFIG_LISTEN_TCP },                                  \
      { "socket", DETOUR_CONFIG_STRING,                                                        \
        .summary = "name of the service manager's socket to use instead of `listen`" },        \
      DETOUR_LISTENER_FAMILY_KEY, DETOUR_LISTENER_UNIX_KEYS,                                   \
      { "proxy-protocol", DETOUR_CONFIG_ENUM, "off",                                           \
        .summary = "PROXY headers of trusted proxies, version 1 and 2: `accept` takes others " \
                   "for clients, `require` closes them",                                       \
        .words = "off|accept|require" },                                                       \
  {                                                                                            \
    "trusted-proxies", DETOUR_CONFIG_CIDR,                                                     \
        .summary = "networks of the proxies that may say whose connection they hand on",       \
        .flags = DETOUR_CONFIG_LIST                                                            \
  }

/* Keys of listeners whose bytes are TLS from the first one on. */
#define DETOUR_LISTENER_FORWARD_KEYS                                                         \
  { "forward", DETOUR_CONFIG_STRING,                                                         \
    .summary = "connections that ask for a name are handed on unread: `NAME=ADDRESS`; `*.` " \
               "stands for one label, `NAME=own` is an exception",                           \
    .flags = DETOUR_CONFIG_LIST },                                                           \
      { "forward-proxy-protocol", DETOUR_CONFIG_ENUM, "off",                                 \
        .summary = "whether a PROXY header with the client's address goes before them",      \
        .words = "off|v1|v2" },                                                              \
      { "forward-idle",                                                                      \
        DETOUR_CONFIG_DURATION,                                                              \
        "10m",                                                                               \
        1000,                                                                                \
        7 * 24 * 3600 * 1000,                                                                \
        "forwarded connections are closed when nothing moves for so long" },                 \
  {                                                                                          \
    "forward-connections", DETOUR_CONFIG_UINT, "4096", 1, 1000000,                           \
        "forwarded connections at a time; no more than an eighth of the descriptors"         \
  }

/* For an instance that has only the keys about Unix sockets: whether they can be used, from
 * check(); and what they say, texts borrowed from @settings. */
gboolean detour_listener_check_unix (const DetourSettings *settings, GError **error);
void detour_listener_fill_unix (const DetourSettings *settings, DetourListenerSpec *spec);
/* Whether the keys of listeners of clients fit together. Main thread, from check(). */
gboolean detour_listener_check (const DetourSettings *settings, GError **error);
/* Sets all that these keys say; texts are borrowed from @settings. */
void detour_listener_fill (const DetourSettings *settings, DetourListenerSpec *spec);

/**
 * detour_host_listen:
 * @settings: of the instance, so that an error can name the line of `key`
 * @error: where to put the error: an address that is no address, or that cannot be bound
 *
 * Binds and serves. May be called several times in start(), by instances of every kind; stopping
 * the instance closes what it bound and keeps the connections that came in.
 *
 * Returns: FALSE with @error set: nothing is bound, and release() is not called.
 */
gboolean detour_host_listen (DetourHost *host, const DetourSettings *settings,
                             const DetourListenerSpec *spec, GError **error);

/* Whether there is a listener with DETOUR_LISTENER_PAGES. Main thread. */
gboolean detour_host_serves_pages (DetourHost *host);

/* Whether a listener of any instance has @port, of TLS when @secure, else of plain HTTP; 0: any
 * port of TCP. Main thread. */
gboolean detour_host_listens (DetourHost *host, guint port, gboolean secure);

/* -------------------------------------------------------------------------------------------------
 * Links: connections that this relay makes to another one.
 * ---------------------------------------------------------------------------------------------- */

/* How a transport makes the client's end of its channel. Everything is copied. */
typedef struct {
  const char *name; /* "tls"; core itself has "plain" */
  const DetourChannelClass *channel;
  /* Main thread. The client's end of a new channel, or NULL with @error set. @host is the name that
   * is asked for, @pin what the other side is known by ("sha256-raw:" and 64 hex digits of its
   * certificate; any of several, with `;` in between); NULL: by the authorities in @ca_file, a file
   * of PEM, or (NULL) the roots of the system. */
  gpointer (*connect) (gpointer user, const char *host, const char *pin, const char *ca_file,
                       GError **error);
  gpointer user;
} DetourDialer;

/* Makes it known until the instance stops. Several may have a name and a class of channels in
 * common; the one that came first dials. FALSE: that name is of another class. Main thread. */
gboolean detour_host_add_dialer (DetourHost *host, const DetourDialer *dialer);

typedef struct _DetourLink DetourLink;

/* Why a link ended or could not be made, as far as a program may want to know; what else there is
 * to say is for people. */
typedef enum {
  DETOUR_LINK_FAULT_OTHER,
  DETOUR_LINK_FAULT_SELF,         /* it is this relay; nobody need dial there again */
  DETOUR_LINK_FAULT_SILENT,       /* nothing is heard, or too late */
  DETOUR_LINK_FAULT_NOT_DERP,     /* the other side does not begin DERP */
  DETOUR_LINK_FAULT_OTHER_KEY,    /* the other relay has another key than it should */
  DETOUR_LINK_FAULT_NOT_ADMITTED, /* the other relay does not answer the login in time */
  DETOUR_LINK_FAULT_UNTRUSTED,    /* its certificate is not one that it should have */
  DETOUR_LINK_FAULT_REFUSED,      /* nobody listens there */
  DETOUR_LINK_FAULT_UNREACHABLE,  /* there is no way to that host */
  DETOUR_LINK_FAULT_ENDED_HERE,   /* this relay ended it, over what came or did not come */
} DetourLinkFault;

/* Longest payload of a frame of a link, in bytes: the longest that servers send is a packet. */
#define DETOUR_LINK_FRAME_MAX (66u * 1024u)

/* All are called on the thread of the links. */
typedef struct {
  /* The login holds. @server_key is the other relay's. */
  void (*up) (gpointer user, DetourLink *link, const guint8 *server_key);
  /* A frame of the protocol, @len bytes behind its head; borrowed for the call. */
  void (*frame) (gpointer user, DetourLink *link, guint8 type, const guint8 *payload, gsize len);
  /* The link has ended, or could not be made; @reason is for people and borrowed. Nothing is called
   * after this. */
  void (*down) (gpointer user, DetourLink *link, DetourLinkFault fault, const char *reason);
} DetourLinkFuncs;

/* Borrowed for the call. */
typedef struct {
  const char *address;      /* ADDRESS:PORT or [V6]:PORT; names are not resolved */
  const char *host;         /* name for the record layer and the header Host; NULL: the address */
  const char *dialer;       /* "tls", "plain" */
  const char *pin;          /* as in DetourDialer; NULL: none */
  const char *ca_file;      /* likewise */
  const guint8 *server_key; /* (nullable): the other relay ends unless it has this one; before
                             * anything is shown to it */
  const guint8 *mesh_key;   /* (nullable): shown at the login */
  gint64 timeout_us;        /* for everything up to the login; 0: 10 s */
  /* Once it is up, a worker of the relay takes the link: it asks who is connected there, and passes
   * on packets for them, as long as the link lives. frame() is never called then, and
   * detour_link_send() does nothing. The other relay has to know the mesh key. */
  gboolean joins;
  const char
      *name; /* by which a link that joins is found again after an upgrade; NULL: it is not */
} DetourDialSpec;

/* Of a link that joined. Numbers count from its beginning, in a program before this one too. */
typedef struct {
  gboolean is_joined;     /* a worker has it now */
  gboolean is_accepted;   /* the other relay has said who is there: it knows the mesh key */
  guint64 keys;           /* that are connected there now */
  guint64 packets, bytes; /* that were passed on to it */
  /* Packets that were not: displaced while the link was slow; that waited when it ended; that could
   * not be written. */
  guint64 dropped_queue, dropped_gone, dropped_write;
} DetourLinkStats;

/**
 * detour_host_dial:
 * @spec: where to
 * @funcs: must live as long as the link
 * @error: where to put the error: %G_IO_ERROR_NOT_SUPPORTED when there is no such dialer; that of
 * the system when nothing can be sent there, such as %G_IO_ERROR_NETWORK_UNREACHABLE; or not an
 * address
 *
 * Connects to another relay and logs in there with the relay's own key. The instance holds the link
 * and loses it when it stops; no function of @funcs runs any more when stop() is called. A link
 * that has ended is held as well, until detour_host_hang_up(). Main thread.
 *
 * Returns: (transfer none) (nullable): the link, or NULL with @error set.
 */
DetourLink *detour_host_dial (DetourHost *host, const DetourDialSpec *spec,
                              const DetourLinkFuncs *funcs, gpointer user, GError **error);
/* Ends a link early and frees it; nobody is told. Main thread. */
void detour_host_hang_up (DetourHost *host, DetourLink *link);
/* Main thread. All zero before the link joins. */
void detour_host_link_stats (DetourHost *host, DetourLink *link, DetourLinkStats *stats);

/**
 * detour_host_find_link:
 * @name: as in DetourDialSpec
 * @funcs: as for detour_host_dial(); only down() is called
 *
 * A link that joined in the program before this one and came along (`detourctl upgrade`). It is
 * held like one that was dialled. One that nobody has asked for some seconds after the start is
 * ended. From start() on; main thread.
 *
 * Returns: (transfer none) (nullable): the link; NULL: there is none, or it has ended.
 */
DetourLink *detour_host_find_link (DetourHost *host, const char *name, const DetourLinkFuncs *funcs,
                                   gpointer user);
/* Sends a frame; nothing happens before the link is up and once it is down. A peer that lets 1 MiB
 * wait loses the link. Thread of the links only: from one of its functions. */
void detour_link_send (DetourLink *self, guint8 type, const guint8 *payload, gsize len);

/* -------------------------------------------------------------------------------------------------
 * Kind `cert`: certificates for names and addresses, pushed into the store of core; the channels
 * read them. Certificates are DER, keys are DER (PKCS #8 or the algorithm's own form).
 * ---------------------------------------------------------------------------------------------- */

/* Immutable once it is published, reference-counted, any thread; its key is wiped at the end. */
typedef struct _DetourCert DetourCert;

/**
 * detour_cert_new:
 * @chain: (array length=n_chain): leaf first
 * @key: (array length=key_len): the private key, copied into memory that is wiped at the end
 * @names: (array zero-terminated=1): DNS names, `*.` allowed, and addresses the leaf is valid for
 * @not_before, @not_after: Unix time in seconds
 *
 * Any thread, as all that is about one certificate.
 */
DetourCert *detour_cert_new (GBytes *const *chain, guint n_chain, const guint8 *key, gsize key_len,
                             const char *const *names, gint64 not_before, gint64 not_after);
DetourCert *detour_cert_ref (DetourCert *self);
void detour_cert_unref (DetourCert *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourCert, detour_cert_unref)

/* Gives the number of certificates, and in *@chain the certificates, leaf first. */
guint detour_cert_chain (const DetourCert *self, GBytes *const **chain);
GBytes *detour_cert_private_key (const DetourCert *self);
const char *const *detour_cert_names (const DetourCert *self);
gint64 detour_cert_not_before (const DetourCert *self);
gint64 detour_cert_not_after (const DetourCert *self);
/* Who signed it, as people know the issuer: organisation and name; "" when the leaf does not say.
 * Read from the leaf. */
const char *detour_cert_issuer (const DetourCert *self);
/* Whether the leaf names itself as its issuer, so that clients can know it by a pin only. */
gboolean detour_cert_self_signed (const DetourCert *self);

/**
 * detour_host_publish_certs:
 * @certs: (nullable) (array length=n): the instance keeps references of its own
 *
 * Replaces what this instance published before; none takes it back. What is published outlasts a
 * restart of the instance, until the new run publishes something else, and ends with a stop.
 */
void detour_host_publish_certs (DetourHost *host, DetourCert *const *certs, guint n);

/* Says that the instance has nothing to publish yet, but will have: connections for which there is
 * no certificate at all wait for it as long as a handshake may take. Until it publishes or stops.
 * Main thread. */
void detour_host_expect_certs (DetourHost *host);
/* Whether @instance ("main" or "cert/main"; NULL: any) has said so. Any thread; one relaxed read
 * while none has. */
gboolean detour_host_is_cert_expected (DetourHost *host, const char *instance);

/* A number that changes whenever any instance publishes. Any thread; one relaxed read. */
guint64 detour_host_cert_generation (DetourHost *host);

/**
 * detour_host_find_cert:
 * @instance: (nullable): only from this cert instance ("main" or "cert/main"); NULL: any
 * @sni: (nullable): name the client asked for, compared without regard to case
 * @local: (nullable): address the connection arrived at
 *
 * Chooses by name, then by local address, then the first one published. Any thread.
 *
 * Returns: (transfer full) (nullable): the certificate.
 */
DetourCert *detour_host_find_cert (DetourHost *host, const char *instance, const char *sni,
                                   const struct sockaddr *local);

/* How it is with a certificate that the instance fetches and renews. */
typedef enum {
  DETOUR_CERT_WAITING,  /* for the first one: clients are served none */
  DETOUR_CERT_SERVING,  /* one is served, and there is nothing to do until it is renewed */
  DETOUR_CERT_RENEWING, /* the next one is being fetched; the one before is served */
  DETOUR_CERT_FAILING,  /* the last try failed; the one before, if there is any, is served */
  DETOUR_N_CERT_STATES,
} DetourCertState;

/* Who decided when the next one is fetched. */
typedef enum {
  DETOUR_CERT_BY_LIFETIME, /* a share of the time that the certificate lasts */
  DETOUR_CERT_BY_CA,       /* the authority said when (ARI) */
  DETOUR_CERT_BY_OPERATOR, /* asked for it */
  DETOUR_N_CERT_DECIDERS,
} DetourCertDecider;

/* What an operator wants to know of one certificate beyond what stands in it. Times are Unix time
 * in microseconds. Texts that come from elsewhere need no care: control characters become spaces,
 * and what is too long is cut. */
typedef struct {
  DetourCert *cert;         /* (nullable) the one that is published; NULL: there is none yet */
  const char *const *names; /* that are wanted: names and addresses */
  DetourCertState state;
  const char *authority; /* (nullable) who is asked: "letsencrypt", or a URL */
  const char *profile;   /* (nullable) what the certificate was issued by: "shortlived" */
  const char *challenge; /* (nullable) how names are proven: "tls-alpn-01" */
  gint64 renew_us;       /* when the next one is fetched; 0: nobody knows yet */
  DetourCertDecider renew_by;
  const char *error;  /* (nullable) why the last try failed, in the words of who refused */
  const char *remedy; /* (nullable) what to do about it */
  gint64 error_us;    /* when that was */
  gint64 next_try_us; /* after an error; 0: there will be none by itself */
} DetourCertReport;

/**
 * detour_host_report_certs:
 * @reports: (nullable) (array length=n): copied
 *
 * Tells how it is with the certificates of this instance, for status; replaces what was told
 * before, and is forgotten when the run ends. Instances that only publish need not report. Main
 * thread.
 */
void detour_host_report_certs (DetourHost *host, const DetourCertReport *reports, guint n);

/* A renewal, or a new key of the account, that an operator asked for and that was not answered yet.
 */
typedef struct _DetourCertRenewal DetourCertRenewal;

/**
 * detour_cert_renewal_answer:
 * @error: (nullable): why there is no new certificate or key, and what to do: copied. NULL: the
 *   certificate is published, or the account has the key
 *
 * Any thread, exactly once for each renewal, which is gone afterwards.
 */
void detour_cert_renewal_answer (DetourCertRenewal *renewal, const GError *error);

typedef struct {
  /* Main thread; must not block. Fetches the certificate of the report with the number @nth now,
   * or joins the try that is under way. Answers now or later; an answer is owed even after stop()
   * began. NULL: nothing can be renewed by hand. */
  void (*renew) (gpointer self, guint nth, DetourCertRenewal *renewal);
  /* The same; gives the account at the authority of that certificate a new key. NULL: there are no
   * accounts. */
  void (*roll_over) (gpointer self, guint nth, DetourCertRenewal *renewal);
} DetourCertFuncs;

/* -------------------------------------------------------------------------------------------------
 * Challenges of ACME: answers that a certificate authority is going to ask this relay for. Whoever
 * orders a certificate presents them, whoever serves finds them: `http-acme` for http-01, a
 * transport of TLS for tls-alpn-01.
 * ---------------------------------------------------------------------------------------------- */

/**
 * detour_host_present_challenge:
 * @type: "http-01" or "tls-alpn-01"
 * @identifier: the name or address that is proven, as the authority writes it
 * @token: as the authority gave it
 * @key_authorization: TOKEN "." THUMBPRINT
 * @error: where to put the error: something has another form, or too many challenges wait
 *
 * The answer is there for everyone who asks from now on, until it is withdrawn, an hour has passed,
 * or the instance stops. The same challenge again replaces its answer. Main thread.
 *
 * Returns: FALSE with @error set.
 */
gboolean detour_host_present_challenge (DetourHost *host, const char *type, const char *identifier,
                                        const char *token, const char *key_authorization,
                                        GError **error);
/* One that does not wait is nothing. Main thread. */
void detour_host_withdraw_challenge (DetourHost *host, const char *type, const char *identifier,
                                     const char *token);

/* (transfer full) (nullable): the key authorization for @token, the body of the answer to http-01,
 * whoever presented it; free with g_free(). Any thread. */
char *detour_host_find_http_challenge (DetourHost *host, const char *token);

/* The application protocol of tls-alpn-01 (RFC 8737). A client that offers it is shown the answer
 * to a challenge, or an alert, and nothing else. */
#define DETOUR_CHALLENGE_PROTOCOL "acme-tls/1"

/* What the certificate that answers a tls-alpn-01 challenge says. */
typedef struct {
  char name[256];     /* the one name it is for; "": it is for an address */
  guint8 address[16]; /* in network order */
  guint8 address_len; /* 4 or 16; 0: it is for a name */
  guint8 digest[32];  /* SHA-256 of the key authorization */
} DetourTlsChallenge;

/* @sni: the name that was asked for in TLS; of an address its name in reverse lookups. FALSE:
 * nothing waits for it. Any thread. */
gboolean detour_host_find_tls_challenge (DetourHost *host, const char *sni,
                                         DetourTlsChallenge *out);

/* -------------------------------------------------------------------------------------------------
 * Kind `auth`: an asynchronous verdict on a client. Caching, time limits, single flight, grace and
 * the order of the instances live in core.
 * ---------------------------------------------------------------------------------------------- */

typedef enum {
  DETOUR_AUTH_ALLOW,
  DETOUR_AUTH_DENY,        /* the instance knows, and says no */
  DETOUR_AUTH_UNAVAILABLE, /* the instance cannot say now */
} DetourAuthResult;

/* One client that asks to come in. Immutable, reference-counted, any thread. */
typedef struct {
  guint8 key[DETOUR_KEY_SIZE];
  const char *address;  /* of the client, without port; "" when unknown */
  const char *sni;      /* name it asked for in TLS; NULL: none */
  const char *listener; /* "transport/https"; "" when unknown */
  const char *app_name; /* the client's own claim; "" when none */
  gboolean prober;
  const char *tenant; /* name of the [tenant NAME] to which it would belong; NULL: none */
} DetourAuthRequest;

/* For a plugin that needs the request longer than until it has answered. */
DetourAuthRequest *detour_auth_request_ref (const DetourAuthRequest *self);
void detour_auth_request_unref (DetourAuthRequest *self);

/* An answer. */
typedef struct {
  DetourAuthResult result;
  const char *label;  /* (nullable) for people: host name, owner */
  const char *class_; /* (nullable) a word that stays with the client's session, for policy */
  const char *reason; /* (nullable) why, for the log */
  gint64 ttl_us;      /* how long the verdict may be believed; 0: core decides */
} DetourAuthVerdict;

/* A request that was not answered yet. */
typedef struct _DetourAuthCall DetourAuthCall;

/* Any thread, exactly once for each call, which is gone afterwards. @verdict and its texts are
 * copied. */
void detour_auth_answer (DetourAuthCall *call, const DetourAuthVerdict *verdict);

typedef struct {
  /* Main thread; must not block. Answers now or later; an answer is owed even after stop() began.
   * @request lives until the answer. */
  void (*verify) (gpointer self, const DetourAuthRequest *request, DetourAuthCall *call);
} DetourAuthFuncs;

/* Verdicts of this instance may be different now: core forgets them, and asks again about clients
 * that are held or connected. */
void detour_host_auth_changed (DetourHost *host);
/* The instance was right to allow @key before, and does not any more: it counts no longer as a key
 * that was allowed within `grace`. For instances that know all keys; detour_host_auth_changed()
 * follows, and closes connections. Main thread. @key: (array fixed-size=32) */
void detour_host_auth_revoked (DetourHost *host, const guint8 *key);

/* Main thread. A node has another key than before, as it does when it logs in anew. Keys are
 * DETOUR_KEY_SIZE bytes. What the operator said of @before holds for @after, too: a ban follows the
 * node. To be called before @after is allowed; saying it again does no harm. */
void detour_host_auth_rekeyed (DetourHost *host, const guint8 *before, const guint8 *after);

/* -------------------------------------------------------------------------------------------------
 * HTTP, for instances of every kind: routes on the sites that listeners serve.
 * ---------------------------------------------------------------------------------------------- */

typedef struct _DetourHttpRequest DetourHttpRequest;
typedef struct _DetourHttpResponse DetourHttpResponse;
typedef struct _DetourHttpExchange DetourHttpExchange;

/* Of a request: for the thread of the handler, or for the one that answers later. */
const char *detour_http_request_method (const DetourHttpRequest *self);
/* Without the query. */
const char *detour_http_request_path (const DetourHttpRequest *self);
/* Behind the first `?`; "" when there is none. */
const char *detour_http_request_query (const DetourHttpRequest *self);
/* First header of that name, compared without regard to case; NULL when absent. */
const char *detour_http_request_header (const DetourHttpRequest *self, const char *name);
/* The one with so many of that name before it; NULL when there are fewer. */
const char *detour_http_request_header_at (const DetourHttpRequest *self, const char *name,
                                           guint index);
/* The body, of routes with DETOUR_HTTP_BODY, with a NUL behind it that does not count. Never NULL;
 * *@len is 0 when there is none. */
const guint8 *detour_http_request_body (const DetourHttpRequest *self, gsize *len);
const struct sockaddr *detour_http_request_peer (const DetourHttpRequest *self);
/* Whether the connection is encrypted. */
gboolean detour_http_request_secure (const DetourHttpRequest *self);
/* Whether the listener serves DERP. */
gboolean detour_http_request_derp (const DetourHttpRequest *self);

/* 200 to 599. */
void detour_http_response_set_status (DetourHttpResponse *self, guint status);
/* Bytes that may not stand in a header make the response 500, with a warning in the log, and so do
 * headers that frame the message, which core sets. `Connection: close` is allowed. */
void detour_http_response_add_header (DetourHttpResponse *self, const char *name,
                                      const char *value);
/* @len bytes at @body, or up to its NUL when @len is -1; copied. Once for each response. */
void detour_http_response_set_body (DetourHttpResponse *self, const char *content_type,
                                    const char *body, gssize len);
/* Content-Security-Policy, X-Frame-Options and X-Content-Type-Options for pages, and
 * Strict-Transport-Security where the connection is encrypted. */
void detour_http_response_add_browser_headers (DetourHttpResponse *self);

/**
 * detour_http_response_hold:
 * @response: of a handler that is running
 *
 * Says that the answer comes later. The handler returns and touches neither its request nor its
 * response any more: both are reached through the exchange. A connection that has waited for 30 s
 * is answered with 504; when the instance stops, it is answered with 503.
 *
 * Returns: (transfer full): the exchange, which detour_http_exchange_send() takes. It is owed in
 *   every case, also when the connection is gone or the instance stops.
 */
DetourHttpExchange *detour_http_response_hold (DetourHttpResponse *response);
/* Both borrowed, for the thread that is about to answer. */
const DetourHttpRequest *detour_http_exchange_request (DetourHttpExchange *self);
DetourHttpResponse *detour_http_exchange_response (DetourHttpExchange *self);
/* Whether nobody waits any more, so that the work can be spared. Any thread. */
gboolean detour_http_exchange_is_gone (DetourHttpExchange *self);
/* Any thread, exactly once. */
void detour_http_exchange_send (DetourHttpExchange *self);

/* What a request for CONNECT becomes. */
typedef struct {
  int fd;         /* of the server: connected, does not block; core closes it */
  gint64 idle_us; /* the tunnel ends when nothing moves for so long */
  /* Any thread, exactly once: it is over, or could not begin. */
  void (*ended) (gpointer user);
  gpointer user;
} DetourHttpTunnel;

/* The answer to a request for CONNECT, given later: 200, and from then on bytes are carried both
 * ways between the client and @tunnel, unread, with back-pressure; the end of one direction is
 * passed on. Core has @tunnel from now on, also when the client is gone. */
void detour_http_response_begin_tunnel (DetourHttpResponse *self, const DetourHttpTunnel *tunnel);

typedef enum {
  DETOUR_HTTP_GET = 1 << 0, /* HEAD is answered like GET, without the body */
  DETOUR_HTTP_POST = 1 << 1,
  DETOUR_HTTP_ANY = 1 << 2,
} DetourHttpMethods;

typedef enum {
  /* The route answers for every path that begins with `path`, which ends with a slash. An exact
   * route goes first, then the one with the longest path. */
  DETOUR_HTTP_BELOW = 1 << 0,
  /* The body of a request is read before handle() is called. Without this flag nobody reads it, and
   * the connection is closed after the answer. */
  DETOUR_HTTP_BODY = 1 << 1,
  /* A page for people: on listeners with DETOUR_LISTENER_PAGES only. */
  DETOUR_HTTP_PAGE = 1 << 2,
} DetourHttpRouteFlags;

/* In place of a path: the route answers requests for CONNECT, whose path is the `HOST:PORT` they
 * ask for. On the site CLIENTS only, and there where connections are encrypted; elsewhere nobody
 * does. */
#define DETOUR_HTTP_CONNECT "CONNECT"

/* In place of a path: handle() is asked before every request on the site ADMIN, whoever has the
 * route and whether there is one. The request goes on when the status is still 200 afterwards;
 * headers stay then, but in errors of core. It must not hold the response. There is one at most. */
#define DETOUR_HTTP_GATE "GATE"

/* What a body may have where a route says nothing else, in bytes; a longer one is answered 413. */
#define DETOUR_HTTP_BODY_MAX 65536u

/* Tables end with { NULL }. Paths are compared byte by byte with what the peer sent: without
 * percent-decoding, and `//` or `..` mean nothing. What no route of the site answers is 404. */
typedef struct {
  const char *path;
  DetourHttpMethods methods; /* others are answered 405 */
  DetourSites sites;         /* 0: DETOUR_SITE_CLIENTS */
  /* Handshake pool, several at once; must not block; begins with status 200 and no body. NULL: the
   * route is there for upgrade() only, and everything else is answered 426. */
  void (*handle) (gpointer user, const DetourHttpRequest *request, DetourHttpResponse *response);
  DetourHttpRouteFlags flags;
  gsize body_max; /* with DETOUR_HTTP_BODY, in bytes; 0: DETOUR_HTTP_BODY_MAX */

  /* The word of the header Upgrade that upgrade() is for, "websocket", compared without regard to
   * case; NULL: there is none. On listeners that serve DERP only. */
  const char *protocol;
  /* Handshake pool, several at once; must not block. Gives a channel, with its class in *@cls, that
   * core puts over the one that is there once @response is sent, and goes on with DERP. The
   * response begins with status 101 and the headers that belong to it; 200 is possible as well.
   * NULL: @response is an ordinary answer; with status 426 core adds the headers that name the
   * protocol. "/derp" is a possible path for routes that have nothing but this. It is not called
   * for HEAD, nor for HTTP/1.0, where Upgrade means nothing. */
  gpointer (*upgrade) (gpointer user, const DetourHttpRequest *request,
                       DetourHttpResponse *response, const DetourChannelClass **cls);
} DetourHttpRoute;

/**
 * detour_host_add_routes:
 * @routes: ends with { NULL }; must live as long as the instance runs
 * @user: first argument of the handlers, which may be called before this returns
 * @error: where to put the error: a path that no request could have or that core keeps for itself,
 *   a path that another route of the site has, a route for administrators that names another site
 *
 * Adds all routes or none, for instances of every kind. They are taken back when the instance
 * stops; none of their handlers runs any more when stop() is called. Main thread.
 *
 * Returns: FALSE with @error set.
 */
gboolean detour_host_add_routes (DetourHost *host, const DetourHttpRoute *routes, gpointer user,
                                 GError **error);

/* Core adds them once start() has returned, with what it returned as @user. */
typedef struct {
  const DetourHttpRoute *routes;
} DetourHttpFuncs;

/* -------------------------------------------------------------------------------------------------
 * Kind `log`: a sink for structured records.
 * ---------------------------------------------------------------------------------------------- */

/* Names of the fields that say what a record is about. A text that shows a peer's address or key
 * has it in the field too: what `privacy` hides is found by its field, and then hidden in every
 * text of the record. */
#define DETOUR_LOG_CONN "DETOUR_CONN" /* number of the connection, decimal */
#define DETOUR_LOG_KEY  "DETOUR_KEY"  /* "nodekey:" and 64 hex digits */
/* Of the peer: 192.0.2.1, 192.0.2.1:443, 2001:db8::1, [2001:db8::1]:443. */
#define DETOUR_LOG_ADDRESS  "DETOUR_ADDRESS"
#define DETOUR_LOG_LISTENER "DETOUR_LISTENER" /* "transport/https" */
/* "auth/friends": the instance of a plugin that writes the record, or that it is about. */
#define DETOUR_LOG_INSTANCE "DETOUR_INSTANCE"
#define DETOUR_LOG_REASON   "DETOUR_REASON" /* a word or a clause: why */
/* What happened: "session-end". Those of Detour are listed in doc/events.md; those of other plugins
 * begin with the name of the plugin. */
#define DETOUR_LOG_EVENT     "DETOUR_EVENT"
#define DETOUR_LOG_DURATION  "DETOUR_DURATION_MS" /* how long it was, in milliseconds, decimal */
#define DETOUR_LOG_BYTES_IN  "DETOUR_BYTES_IN"    /* in packets from the client, decimal */
#define DETOUR_LOG_BYTES_OUT "DETOUR_BYTES_OUT"   /* in packets to the client, decimal */

/* The UUID of an event, as MESSAGE_ID of the journal: 32 hex digits. The same name always has the
 * same one. */
#define DETOUR_LOG_EVENT_ID_SIZE 33
void detour_log_event_id (const char *event, char id[DETOUR_LOG_EVENT_ID_SIZE]);

typedef struct {
  GLogLevelFlags level;    /* one bit */
  const char *domain;      /* "detour" for core, the plugin's name elsewhere */
  const char *message;     /* one line, valid UTF-8, peer text already escaped */
  gint64 real_us;          /* Unix time in microseconds */
  const GLogField *fields; /* all fields, those above included */
  gsize n_fields;
} DetourLogRecord;

typedef enum {
  DETOUR_LOG_PRIVACY_FULL,   /* addresses and keys as they are */
  DETOUR_LOG_PRIVACY_PREFIX, /* 192.0.2.0/24, 2001:db8:1::/48, the first eight digits of a key */
  /* A word that is the same for the same peer until the daemon starts again. */
  DETOUR_LOG_PRIVACY_HASH,
  DETOUR_LOG_PRIVACY_NONE, /* no field, and `-` in the texts */
} DetourLogPrivacy;

/* How a sink shows records. Filled once, then only read, by any thread. */
typedef struct {
  GLogLevelFlags level; /* the least grave level that passes */
  DetourLogPrivacy privacy;
  gboolean json;     /* one object a line instead of text */
  gboolean terminal; /* text only: the local time of day instead of date and time in UTC */
  gboolean bare;     /* text only: neither time nor level, which the sink says in its own way */
} DetourLogStyle;

/* The keys that every sink has, for its table, and the one of sinks that write lines. */
#define DETOUR_LOG_STYLE_KEYS                                                          \
  { "level",   DETOUR_CONFIG_ENUM,                                                     \
    "message", 0,                                                                      \
    0,         "the least grave level that is written",                                \
    0,         "debug|info|message|warning|critical" },                                \
  {                                                                                    \
    "privacy", DETOUR_CONFIG_ENUM, "full", 0, 0,                                       \
        "how much of peers' addresses and keys is written", 0, "full|prefix|hash|none" \
  }
#define DETOUR_LOG_FORMAT_KEY                                                                     \
  {                                                                                               \
    "format", DETOUR_CONFIG_ENUM, "text", 0, 0, "lines for people, or one JSON object a line", 0, \
        "text|json"                                                                               \
  }

/* Words of the keys above; @format is NULL for a sink without that key. */
void detour_log_style_init (DetourLogStyle *self, const char *level, const char *privacy,
                            const char *format);

/* As syslog(3) and the journal number levels: 3 for errors to 7 for debug. Any thread. */
guint detour_log_priority (GLogLevelFlags level);

/* Whether the sink writes the record: by its level, or by the one that an operator set for all of
 * them. Any thread. */
gboolean detour_log_style_wants (const DetourLogStyle *self, const DetourLogRecord *record);

/**
 * detour_log_format:
 *
 * Any thread. The record as one line with its line feed, valid UTF-8 without any other control
 * character, peers as hidden as the style says.
 *
 * Returns: (transfer full): the line; its length is exact, free with g_string_free().
 */
GString *detour_log_format (const DetourLogStyle *self, const DetourLogRecord *record);

/* Any thread. Gives MESSAGE and then each field that says more than the record's own members, as
 * hidden as the style says; for sinks with a form of their own. @value has @len bytes, of any kind,
 * and ends with a NUL beyond them. */
typedef void (*DetourLogFieldFunc) (gpointer user, const char *name, const char *value, gsize len);
void detour_log_each_field (const DetourLogStyle *self, const DetourLogRecord *record,
                            DetourLogFieldFunc func, gpointer user);

typedef struct {
  /* Any thread, one call at a time for each instance. Must not log. */
  void (*write) (gpointer self, const DetourLogRecord *record);
  /* How well the plugin suits this process without any settings; `plugin = auto` takes the one with
   * the highest number. NULL or 0: only where somebody names it. Main thread. */
  guint (*suits) (void);
} DetourLogFuncs;

/* -------------------------------------------------------------------------------------------------
 * Kind `service`: something beside the relay, with sockets and threads of its own. It needs nothing
 * but start() and stop(). This call is for services that deal with the relay itself.
 * ---------------------------------------------------------------------------------------------- */

/* The key that makes a connection a mesh connection, until the instance stops; NULL, or all zero,
 * takes it back. Connections that have shown another one, also before an upgrade, are closed, if
 * theirs is not set again before the main loop goes on. Copied. Main thread. */
void detour_host_set_mesh_key (DetourHost *host, const guint8 *key);

/* One [peer NAME] group: another server of the region. */
typedef struct {
  const char *name; /* "b" */
  const char *host; /* of its certificate: a name, or an address without brackets */
  guint host_port;  /* of `host`: what is asked for */
  const char
      *address;    /* what is connected to, likewise; the same as `host` if nothing else is set */
  guint port;      /* of `address` */
  const char *pin; /* for DetourDialSpec; NULL: none */
  const guint8 *server_key; /* (nullable): that it has to have */
  const char *ca_file;      /* for DetourDialSpec; NULL: none */
} DetourMeshPeer;

/* How it is with a link to one of them. */
typedef enum {
  DETOUR_MESH_WAITING,    /* until it is tried again */
  DETOUR_MESH_CONNECTING, /* its name is looked up, or it is dialled */
  DETOUR_MESH_UP,
  DETOUR_MESH_REFUSED, /* it answers and does not take this relay into its mesh; tried again */
  DETOUR_MESH_ITSELF,  /* it is this relay; not tried any more until the configuration is read */
  DETOUR_N_MESH_STATES,
} DetourMeshState;

/* Texts are copied; times are Unix time in microseconds. */
typedef struct {
  const char *name;    /* of the peer */
  const char *host;    /* with its port */
  const char *address; /* with its port, as it was dialled last; NULL: not yet */
  DetourMeshState state;
  gint64 since_us;          /* of the state */
  const guint8 *server_key; /* (nullable): that it showed last */
  DetourLink *link;         /* (nullable): that is up; borrowed until the next report */
  guint64 n_up;             /* how often it came up */
  const char *error;        /* (nullable): why the last link ended, or could not be made */
  const char *remedy;       /* (nullable): what helps against it */
  gint64 error_us;
  gint64 next_try_us; /* 0: not known, or not at all */
} DetourMeshReport;

/**
 * detour_host_report_mesh:
 * @reports: (array length=n): one for each peer, in the order of the files
 *
 * Replaces what was reported before, and is forgotten when the instance stops. For status and on
 * the bus. Main thread.
 */
void detour_host_report_mesh (DetourHost *host, const DetourMeshReport *reports, guint n);

/* -------------------------------------------------------------------------------------------------
 * The descriptor
 * ---------------------------------------------------------------------------------------------- */

typedef enum {
  DETOUR_KIND_TRANSPORT,
  DETOUR_KIND_CERT,
  DETOUR_KIND_AUTH,
  DETOUR_KIND_SERVICE,
  DETOUR_KIND_HTTP,
  DETOUR_KIND_LOG,
  DETOUR_N_KINDS,
} DetourKind;

typedef struct {
  guint32 abi, size; /* compared before any other field is read */
  const char *name;  /* KIND-PLUGIN, like the module's file */
  DetourKind kind;
  const char *summary; /* one line, shown by --list-plugins and over D-Bus */
  /* Ends with { NULL }; NULL: no keys. `plugin` and `enabled` belong to core. */
  const DetourConfigKey *config;
  /* Main thread; judges @settings without a side effect, so that a configuration can be refused
   * before anything changes. May be NULL. */
  gboolean (*check) (const DetourSettings *settings, GError **error);
  /* Main thread; without a side effect; after check(). What will not work as it is meant to, though
   * start() takes it: adds the message of an error made by detour_settings_error() to @advice, an
   * array of char *. What start() will refuse because of @hostname, [core] hostname or NULL, goes
   * to detour_settings_complain(), as in check(). May be NULL. */
  void (*advise) (const DetourSettings *settings, const char *hostname, GPtrArray *advice);
  /* Main thread; once for each instance and each time it is enabled. Gives the state of the
   * instance, which all other calls get, or NULL with @error set; core then takes back what the
   * instance was given so far. */
  gpointer (*start) (DetourHost *host, DetourSettings *settings, GError **error);
  /* Main thread; on reload, when the group did not change: look again at files. May be NULL. */
  void (*reload) (gpointer self);
  /* Main thread; may be NULL: the instance dials nobody. The [peer NAME] groups, in the order of
   * the files: right after start() and on each reload, changed or not. Borrowed until the next
   * call. There must be one enabled instance that has this when there are such groups. */
  void (*peers) (gpointer self, const DetourMeshPeer *const *peers, guint n);
  /* Main thread; may be NULL. For the program that takes the place of this one (`detourctl
   * upgrade`): what the instance knows and its files do not, at most DETOUR_PLUGIN_FROZEN_MAX
   * bytes; NULL: nothing. Counters go along without it. The instance may go on after this. */
  GBytes *(*freeze) (gpointer self);
  /* Main thread; may be NULL. Right after the first start(), with what an instance of that name had
   * frozen in the program before, whose plugin may be older or newer: to be checked like what a
   * stranger wrote, and left alone when it does not fit. */
  void (*thaw) (gpointer self, const guint8 *frozen, gsize len);
  /* Main thread; core has taken back what the instance held, and no call is in flight any more.
   * Frees what start() made, and ends its threads. Not called after a start() that gave NULL. */
  void (*stop) (gpointer self);
  union {
    const DetourAuthFuncs *auth;
    const DetourCertFuncs *cert; /* (nullable) */
    const DetourHttpFuncs *http;
    const DetourLogFuncs *log;
    gconstpointer any;
  } funcs; /* of transport and service: none */
} DetourPlugin;

#define DETOUR_PLUGIN_SYMBOL "detour_plugin"

#define DETOUR_PLUGIN_FROZEN_MAX ((gsize) 256 << 10)

#define DETOUR_PLUGIN_DEFINE(...)                                                          \
  DETOUR_PLUGIN_EXPORT const DetourPlugin detour_plugin = { .abi = DETOUR_PLUGIN_ABI,      \
                                                            .size = sizeof (DetourPlugin), \
                                                            __VA_ARGS__ }

/* The one symbol that leaves a module. */
#define DETOUR_PLUGIN_EXPORT __attribute__ ((visibility ("default")))

G_END_DECLS
