/* detour-file.h: reads a whole file that must not be able to stop or fill the process.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detour_file_read() in detour-plugin.h is the only way in which Detour reads a file; a checker
 * refuses others. */
#pragma once

#include "detour-plugin.h"
