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

G_BEGIN_DECLS

/* Raised whenever a struct or a rule below changes its meaning. Compared before anything else is
 * read. */
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
/* The relay's public DERP key. Any thread. */
const guint8 *detour_host_server_key (DetourHost *host);
/* TRUE from the moment every enabled listener is bound until the daemon stops or drains. Any
 * thread. */
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
} DetourMetricType;

/* Both static, or living as long as what they belong to. */
typedef struct {
  const char *name;  /* "reason" */
  const char *value; /* "timeout" */
} DetourMetricLabel;

#define DETOUR_METRIC_LABELS_MAX 4

/* One number as it is shown. */
typedef struct {
  const char *name;   /* lower-case words joined by `_`, without the plugin's: "requests_success" */
  const char *unit;   /* "bytes", "microseconds"; NULL: what the name says, counted */
  const char *help;   /* one clause; the same for all of one name */
  const char *plugin; /* "service-stun"; NULL: of core */
  DetourMetricType type;
  guint n_labels;
  DetourMetricLabel labels[DETOUR_METRIC_LABELS_MAX];
  guint64 value;
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
  DETOUR_CHANNEL_OK,     /* handshake: finished; feed: went well */
  DETOUR_CHANNEL_MORE,   /* handshake only: wants more bytes from the peer */
  DETOUR_CHANNEL_CLOSED, /* feed: the peer said goodbye in the way the channel knows */
  DETOUR_CHANNEL_BAD,    /* the peer broke the rules; an alert may wait in the output */
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
   * again. On OK the bytes not taken are the first for feed(). On BAD @reason gets a static text.
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

  /* Appends the goodbye, at most DETOUR_CHANNEL_SEAL_BOUND (0) bytes. May be NULL. */
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
} DetourListenerSpec;

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

/* -------------------------------------------------------------------------------------------------
 * Links: connections that this relay makes to another one.
 * ---------------------------------------------------------------------------------------------- */

/* How a transport makes the client's end of its channel. Everything is copied. */
typedef struct {
  const char *name; /* "tls"; core itself has "plain" */
  const DetourChannelClass *channel;
  /* Main thread. The client's end of a new channel, or NULL with @error set. @host is the name that
   * is asked for, @pin what the other side is known by ("sha256-raw:" and 64 hex digits of its
   * certificate); NULL: by the roots of the system. */
  gpointer (*connect) (gpointer user, const char *host, const char *pin, GError **error);
  gpointer user;
} DetourDialer;

/* Makes it known until the instance stops. Several may have a name and a class of channels in
 * common; the one that came first dials. FALSE: that name is of another class. Main thread. */
gboolean detour_host_add_dialer (DetourHost *host, const DetourDialer *dialer);

typedef struct _DetourLink DetourLink;

/* Longest payload of a frame of a link, in bytes. */
#define DETOUR_LINK_FRAME_MAX (66u * 1024u)

/* All are called on the thread of the links. */
typedef struct {
  /* The login holds. @server_key is the other relay's. */
  void (*up) (gpointer user, DetourLink *link, const guint8 *server_key);
  /* A frame of the protocol, @len bytes behind its head; borrowed for the call. */
  void (*frame) (gpointer user, DetourLink *link, guint8 type, const guint8 *payload, gsize len);
  /* The link has ended, or could not be made; @reason is for people and borrowed. Nothing is called
   * after this. */
  void (*down) (gpointer user, DetourLink *link, const char *reason);
} DetourLinkFuncs;

/* Borrowed for the call. */
typedef struct {
  const char *address;    /* ADDRESS:PORT or [V6]:PORT; names are not resolved */
  const char *host;       /* name for the record layer and the header Host; NULL: the address */
  const char *dialer;     /* "tls", "plain" */
  const char *pin;        /* as in DetourDialer; NULL: none */
  const guint8 *mesh_key; /* (nullable): shown at the login */
  gint64 timeout_us;      /* for everything up to the login; 0: 10 s */
} DetourDialSpec;

/**
 * detour_host_dial:
 * @spec: where to
 * @funcs: must live as long as the link
 * @error: where to put the error: no such dialer, or not an address
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
/* Whether clients know it by a pin. Set before it is published only. */
gboolean detour_cert_self_signed (const DetourCert *self);
void detour_cert_set_self_signed (DetourCert *self);
/* The application protocol that a client has to offer to be served this certificate; NULL: none.
 * For answers to a challenge: "acme-tls/1". Set before it is published only. */
const char *detour_cert_alpn (const DetourCert *self);
void detour_cert_set_alpn (DetourCert *self, const char *protocol);

/**
 * detour_host_publish_certs:
 * @certs: (nullable) (array length=n): the instance keeps references of its own
 *
 * Replaces what this instance published before; none takes it back. What is published outlasts a
 * restart of the instance, until the new run publishes something else, and ends with a stop.
 */
void detour_host_publish_certs (DetourHost *host, DetourCert *const *certs, guint n);

/* A number that changes whenever any instance publishes. Any thread; one relaxed read. */
guint64 detour_host_cert_generation (DetourHost *host);

/**
 * detour_host_find_cert:
 * @instance: (nullable): only from this cert instance ("main" or "cert/main"); NULL: any
 * @sni: (nullable): name the client asked for, compared without regard to case
 * @local: (nullable): address the connection arrived at
 * @alpn: (nullable) (array zero-terminated=1): protocols the client offered
 *
 * Chooses by name, then by local address, then the first one published. A certificate with a
 * protocol of its own serves only clients that offered it and asked for one of its names; to them
 * it goes before every other. Any thread.
 *
 * Returns: (transfer full) (nullable): the certificate.
 */
DetourCert *detour_host_find_cert (DetourHost *host, const char *instance, const char *sni,
                                   const struct sockaddr *local, const char *const *alpn);

/**
 * detour_host_cert_protocols:
 *
 * The protocols of published certificates that have one, so that a channel can offer them. Any
 * thread; one relaxed read while there are none.
 *
 * Returns: (transfer full) (nullable) (array zero-terminated=1): NULL when there are none; free
 *   with g_strfreev().
 */
char **detour_host_cert_protocols (DetourHost *host);

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
} DetourHttpRouteFlags;

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
   * NULL: @response is an ordinary answer. "/derp" is a possible path for routes that have nothing
   * but this. */
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

/* The key that makes a connection a mesh connection, until the instance stops; NULL takes it back.
 * Copied; all zero counts as NULL. Main thread. */
void detour_host_set_mesh_key (DetourHost *host, const guint8 *key);

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
  /* Main thread; without a side effect. For `detourd --check-config`: what will not work as it is
   * meant to, though start() takes it. Adds one text for each fault, the message of an error made
   * by detour_settings_error(), to @advice, an array of char *. @hostname is [core] hostname, or
   * NULL. May be NULL. */
  void (*advise) (const DetourSettings *settings, const char *hostname, GPtrArray *advice);
  /* Main thread; once for each instance and each time it is enabled. Gives the state of the
   * instance, which all other calls get, or NULL with @error set; core then takes back what the
   * instance was given so far. */
  gpointer (*start) (DetourHost *host, DetourSettings *settings, GError **error);
  /* Main thread; on reload, when the group did not change: look again at files. May be NULL. */
  void (*reload) (gpointer self);
  /* Main thread; core has taken back what the instance held, and no call is in flight any more.
   * Frees what start() made, and ends its threads. Not called after a start() that gave NULL. */
  void (*stop) (gpointer self);
  union {
    const DetourAuthFuncs *auth;
    const DetourHttpFuncs *http;
    const DetourLogFuncs *log;
    gconstpointer any;
  } funcs; /* of transport, cert and service: none */
} DetourPlugin;

#define DETOUR_PLUGIN_SYMBOL "detour_plugin"

#define DETOUR_PLUGIN_DEFINE(...)                                                          \
  DETOUR_PLUGIN_EXPORT const DetourPlugin detour_plugin = { .abi = DETOUR_PLUGIN_ABI,      \
                                                            .size = sizeof (DetourPlugin), \
                                                            __VA_ARGS__ }

/* The one symbol that leaves a module. */
#define DETOUR_PLUGIN_EXPORT __attribute__ ((visibility ("default")))

G_END_DECLS
