/* acme-confine.c: takes from this process what a run does not need.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY_MAX      (512ul * 1024 * 1024)
#define CPU_SECONDS_MAX 120
#define DESCRIPTORS_MAX 64

/* The sanitizers reserve terabytes of addresses. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

/* What the parent ignored or held back is ignored and held back here, too, unless it is undone. */
static void
acme_confine_reset_signals (void)
{
  sigset_t none;

  sigemptyset (&none);
  (void) sigprocmask (SIG_SETMASK, &none, NULL);
  (void) signal (SIGALRM, SIG_DFL);
  (void) signal (SIGXCPU, SIG_DFL);
  (void) signal (SIGXFSZ, SIG_DFL);
  (void) signal (SIGPIPE, SIG_DFL);
  (void) signal (SIGTERM, SIG_DFL);
}

/* The daemon's right to low ports, or all of root's. */
static void
acme_confine_drop_capabilities (void)
{
  struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

  (void) prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  (void) syscall (SYS_capset, &head, none);
}

static void
acme_confine_limit (int what, rlim_t max)
{
  struct rlimit limit;

  if (getrlimit (what, &limit) < 0)
    return;
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < max)
    max = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = max;
  /* Lower is always allowed. */
  (void) setrlimit (what, &limit);
}

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef OUR_ARCH
#define LOAD(field) \
  BPF_STMT (BPF_LD | BPF_W | BPF_ABS, (unsigned) offsetof (struct seccomp_data, field))
#define REFUSE(call)                                             \
  BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (unsigned) (call), 0, 1), \
      BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

/* A list of what is refused, and not of what is allowed: that would differ with each version of
 * libc and curl. Kernels without filters go without. */
static void
acme_confine_filter (void)
{
  static struct sock_filter steps[] = {
    LOAD (arch),
    /* Another way into the kernel has other numbers. */
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    LOAD (nr),
#ifdef __x86_64__
    BPF_JUMP (BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
#endif
    REFUSE (SYS_execve),
    REFUSE (SYS_execveat),
    REFUSE (SYS_listen),
    REFUSE (SYS_accept4),
#ifdef SYS_accept
    REFUSE (SYS_accept),
#endif
    REFUSE (SYS_process_vm_readv),
    REFUSE (SYS_process_vm_writev),
#if !IS_SANITIZED
    REFUSE (SYS_ptrace), /* the leak check is done with it */
#endif
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { G_N_ELEMENTS (steps), steps };

  (void) prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
#endif

void
acme_confine_start (void)
{
  (void) prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  acme_confine_drop_capabilities ();
  (void) prctl (PR_SET_DUMPABLE, 0, 0, 0, 0);
#ifdef OUR_ARCH
  acme_confine_filter ();
#endif
  acme_confine_reset_signals ();
  acme_confine_limit (RLIMIT_CORE, 0);
  acme_confine_limit (RLIMIT_CPU, CPU_SECONDS_MAX);
  acme_confine_limit (RLIMIT_NOFILE, DESCRIPTORS_MAX);
  if (!IS_SANITIZED)
    acme_confine_limit (RLIMIT_AS, MEMORY_MAX);
}

void
acme_confine_end_after (gint64 seconds)
{
  alarm ((unsigned) seconds);
}
