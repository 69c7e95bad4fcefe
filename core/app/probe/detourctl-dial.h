/* detourctl-dial.h: a connection to a relay as a client makes it: the name, TCP, TLS, HTTP.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-dial-report.h"
#include "detourctl-dial-resolve.h"
#include "detourctl-http.h"
#include "detourctl-stream.h"
