/* stun-batch.c: receives and answers UDP datagrams in batches, each answer from the address that
 * was asked.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stun-batch.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>

#include "stun-message.h"

/* A dual-stack socket reports an IPv4 destination in both forms. */
#define CONTROL_SIZE \
  (CMSG_SPACE (sizeof (struct in_pktinfo)) + CMSG_SPACE (sizeof (struct in6_pktinfo)))
/* A datagram of at most this size fits into the first page of its slot. */
#define SMALL_DATAGRAM 4096u

typedef union {
  struct cmsghdr align;
  guint8 bytes[CONTROL_SIZE];
} Control;

/* Where a datagram was sent to. */
typedef struct {
  enum {
    LOCAL_UNKNOWN,
    LOCAL_UNUSABLE, /* reported, but not usable as a sender's address */
    LOCAL_IPV4,
    LOCAL_IPV6,
  } kind;
  struct in_addr in;
  struct in6_addr in6;
} Local;

struct _StunBatch {
  struct mmsghdr received[STUN_BATCH_SIZE];
  struct mmsghdr answers[STUN_BATCH_SIZE];
  struct iovec received_iov[STUN_BATCH_SIZE];
  struct iovec answer_iov[STUN_BATCH_SIZE];
  struct sockaddr_storage sources[STUN_BATCH_SIZE];
  Local locals[STUN_BATCH_SIZE];
  Control received_control[STUN_BATCH_SIZE];
  Control answer_control[STUN_BATCH_SIZE];
  guint8 answer_data[STUN_BATCH_SIZE][STUN_RESPONSE_MAX];
  guint n_answers;
  gboolean grown; /* a datagram of the batch was not small */
  /* One slot of STUN_DATAGRAM_MAX for each datagram; requests are short, so only the first page of
   * a slot uses memory. */
  guint8 *slots;
};

StunBatch *
stun_batch_new (void)
{
  StunBatch *self = g_new0 (StunBatch, 1);

  self->slots = mmap (NULL, STUN_BATCH_SIZE * STUN_DATAGRAM_MAX, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  g_assert (self->slots != MAP_FAILED);
  for (guint i = 0; i < STUN_BATCH_SIZE; i++)
    {
      self->received_iov[i].iov_base = self->slots + i * STUN_DATAGRAM_MAX;
      self->received_iov[i].iov_len = STUN_DATAGRAM_MAX;
    }
  return self;
}

void
stun_batch_free (StunBatch *self)
{
  munmap (self->slots, STUN_BATCH_SIZE * STUN_DATAGRAM_MAX);
  g_free (self);
}

static gboolean
stun_batch_usable_ipv4 (struct in_addr address)
{
  return address.s_addr != INADDR_ANY && !IN_MULTICAST (ntohl (address.s_addr));
}

/* The IPv4 report takes precedence, because its spec_dst is an address of this host even for a
 * broadcast. */
static void
stun_batch_read_local (Local *self, struct msghdr *message)
{
  self->kind = LOCAL_UNKNOWN;
  for (struct cmsghdr *c = CMSG_FIRSTHDR (message); c != NULL; c = CMSG_NXTHDR (message, c))
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO
        && c->cmsg_len >= CMSG_LEN (sizeof (struct in_pktinfo)))
      {
        struct in_pktinfo info;

        memcpy (&info, CMSG_DATA (c), sizeof info);
        self->in = info.ipi_spec_dst;
        self->kind = stun_batch_usable_ipv4 (self->in) ? LOCAL_IPV4 : LOCAL_UNUSABLE;
        return;
      }
    else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO
             && c->cmsg_len >= CMSG_LEN (sizeof (struct in6_pktinfo)))
      {
        struct in6_pktinfo info;

        memcpy (&info, CMSG_DATA (c), sizeof info);
        self->in6 = info.ipi6_addr;
        if (IN6_IS_ADDR_V4MAPPED (&self->in6))
          {
            memcpy (&self->in, self->in6.s6_addr + 12, sizeof self->in);
            self->kind = stun_batch_usable_ipv4 (self->in) ? LOCAL_IPV4 : LOCAL_UNUSABLE;
          }
        else
          self->kind = IN6_IS_ADDR_UNSPECIFIED (&self->in6) || IN6_IS_ADDR_MULTICAST (&self->in6)
                         ? LOCAL_UNUSABLE
                         : LOCAL_IPV6;
      }
}

/* Fills the control part of @message. The interface stays 0, so that routing chooses it. */
static void
stun_batch_write_local (const Local *self, struct msghdr *message, Control *control)
{
  struct in_pktinfo in = { .ipi_spec_dst = self->in };
  struct in6_pktinfo in6 = { .ipi6_addr = self->in6 };
  gboolean ipv4 = self->kind == LOCAL_IPV4;
  struct cmsghdr *c = &control->align;
  gsize size = ipv4 ? sizeof in : sizeof in6;

  if (!ipv4 && self->kind != LOCAL_IPV6)
    {
      message->msg_control = NULL;
      message->msg_controllen = 0;
      return;
    }
  memset (control, 0, sizeof *control);
  c->cmsg_level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
  c->cmsg_type = ipv4 ? IP_PKTINFO : IPV6_PKTINFO;
  c->cmsg_len = CMSG_LEN (size);
  memcpy (CMSG_DATA (c), ipv4 ? (gconstpointer) &in : (gconstpointer) &in6, size);
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE (size);
}

int
stun_batch_receive (StunBatch *self, int fd)
{
  int n;

  /* Long datagrams were received: the pages they used are given back, up to two megabytes. */
  if (self->grown)
    madvise (self->slots, STUN_BATCH_SIZE * STUN_DATAGRAM_MAX, MADV_DONTNEED);
  self->grown = FALSE;
  self->n_answers = 0;
  for (guint i = 0; i < STUN_BATCH_SIZE; i++)
    self->received[i].msg_hdr = (struct msghdr) {
      .msg_name = &self->sources[i],
      .msg_namelen = sizeof self->sources[i],
      .msg_iov = &self->received_iov[i],
      .msg_iovlen = 1,
      .msg_control = &self->received_control[i],
      .msg_controllen = sizeof self->received_control[i],
    };
  n = recvmmsg (fd, self->received, STUN_BATCH_SIZE, MSG_DONTWAIT, NULL);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? 0 : -1;

  for (int i = 0; i < n; i++)
    {
      stun_batch_read_local (&self->locals[i], &self->received[i].msg_hdr);
      if (self->received[i].msg_len > SMALL_DATAGRAM)
        self->grown = TRUE;
    }
  return n;
}

const guint8 *
stun_batch_data (const StunBatch *self, guint i, gsize *len)
{
  *len = self->received[i].msg_len;
  return self->received_iov[i].iov_base;
}

const struct sockaddr *
stun_batch_source (const StunBatch *self, guint i)
{
  return (const struct sockaddr *) &self->sources[i];
}

gboolean
stun_batch_knows_local (const StunBatch *self, guint i)
{
  return self->locals[i].kind != LOCAL_UNKNOWN;
}

void
stun_batch_answer (StunBatch *self, guint i, const guint8 *data, gsize len)
{
  guint n = self->n_answers++;

  g_assert (n < STUN_BATCH_SIZE && len <= STUN_RESPONSE_MAX);
  memcpy (self->answer_data[n], data, len);
  self->answer_iov[n] = (struct iovec) { self->answer_data[n], len };
  self->answers[n].msg_hdr = (struct msghdr) {
    .msg_name = &self->sources[i],
    .msg_namelen = self->received[i].msg_hdr.msg_namelen,
    .msg_iov = &self->answer_iov[n],
    .msg_iovlen = 1,
  };
  stun_batch_write_local (&self->locals[i], &self->answers[n].msg_hdr, &self->answer_control[n]);
}

guint
stun_batch_send (StunBatch *self, int fd)
{
  guint n_sent = 0;

  /* sendmmsg() stops at the first answer that cannot be sent and reports the error only if it was
   * the first of the call. */
  for (guint next = 0; next < self->n_answers;)
    {
      int n = sendmmsg (fd, self->answers + next, self->n_answers - next, MSG_DONTWAIT);

      next += n > 0 ? (guint) n : 1;
      n_sent += n > 0 ? (guint) n : 0;
    }
  self->n_answers = 0;
  return n_sent;
}
