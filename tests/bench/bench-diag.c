/* bench-diag.c: what the kernel holds for the sockets of the server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bench-diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A dump comes in parts of up to 32 KB. */
#define BENCH_DIAG_PART_MAX 32768

typedef union {
  struct nlmsghdr header;
  guint8 bytes[BENCH_DIAG_PART_MAX];
} BenchDiagPart;

static guint64
bench_diag_of_socket (const struct nlmsghdr *header)
{
  const struct inet_diag_msg *message = NLMSG_DATA (header);
  const guint8 *at = (const guint8 *) (message + 1);
  gsize left = header->nlmsg_len - NLMSG_LENGTH (sizeof *message);
  guint32 memory[SK_MEMINFO_VARS] = { 0 };

  while (left >= sizeof (struct rtattr))
    {
      const struct rtattr *attribute = (const void *) at;
      gsize whole = RTA_ALIGN (attribute->rta_len);

      if (attribute->rta_type == INET_DIAG_SKMEMINFO)
        memcpy (memory, at + RTA_LENGTH (0), MIN (RTA_PAYLOAD (attribute), sizeof memory));
      if (whole == 0 || whole >= left)
        break;
      at += whole;
      left -= whole;
    }
  return memory[SK_MEMINFO_WMEM_QUEUED];
}

/* TRUE: more parts follow. */
static gboolean
bench_diag_add_part (const BenchDiagPart *part, ssize_t len, guint16 port, guint64 *sum)
{
  const guint8 *at = part->bytes;

  while (len >= (ssize_t) sizeof (struct nlmsghdr))
    {
      const struct nlmsghdr *header = (const void *) at;
      const struct inet_diag_msg *message = NLMSG_DATA (header);

      if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return FALSE;
      if (message->id.idiag_sport == htons (port))
        *sum += bench_diag_of_socket (header);
      at += NLMSG_ALIGN (header->nlmsg_len);
      len -= (ssize_t) NLMSG_ALIGN (header->nlmsg_len);
    }
  return TRUE;
}

static guint64
bench_diag_sum (int fd, guint8 family, guint16 port)
{
  struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 ask;
  } request = {
    .header = { .nlmsg_len = sizeof request,
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
    .ask = { .sdiag_family = family,
             .sdiag_protocol = IPPROTO_TCP,
             .idiag_ext = 1u << (INET_DIAG_SKMEMINFO - 1),
             .idiag_states = G_MAXUINT32 },
  };
  BenchDiagPart part;
  guint64 sum = 0;
  ssize_t n;

  if (send (fd, &request, sizeof request, 0) != (ssize_t) sizeof request)
    return 0;
  while ((n = recv (fd, &part, sizeof part, 0)) > 0 && bench_diag_add_part (&part, n, port, &sum))
    continue;
  return sum;
}

guint64
bench_diag_send_bytes (guint16 port)
{
  int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  guint64 sum;

  if (fd < 0)
    return 0;
  sum = bench_diag_sum (fd, AF_INET, port) + bench_diag_sum (fd, AF_INET6, port);
  close (fd);
  return sum;
}
