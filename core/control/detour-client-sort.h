/* detour-client-sort.h: the orders in which clients are listed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-scan.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_CLIENT_SORT_CONNECTION, /* in the order of registration */
  DETOUR_CLIENT_SORT_TRAFFIC, /* received and sent; this one and the next six put the largest first
                               */
  DETOUR_CLIENT_SORT_RECEIVED,
  DETOUR_CLIENT_SORT_SENT,
  DETOUR_CLIENT_SORT_DROPPED,
  DETOUR_CLIENT_SORT_WAITING,
  DETOUR_CLIENT_SORT_RATE, /* received and sent now; needs rates, as the next two do */
  DETOUR_CLIENT_SORT_PACKET_RATE,
  DETOUR_CLIENT_SORT_IDLE, /* the most active first */
  DETOUR_CLIENT_SORT_SINCE,
  DETOUR_CLIENT_SORT_KEY,
  DETOUR_CLIENT_SORT_ADDRESS,
  DETOUR_CLIENT_SORT_LABEL, /* clients without a label come last */
  DETOUR_N_CLIENT_SORTS,
} DetourClientSort;

/* "traffic", …; an error names them all. */
gboolean detour_client_sort_from_name (const char *name, DetourClientSort *out, GError **error);

gboolean detour_client_sort_needs_rates (DetourClientSort sort);

/* Sorts rows of a scan; equal ones stay in the order of their connections. */
void detour_client_sort (GPtrArray *rows, DetourClientSort sort, gboolean reverse);

G_END_DECLS
