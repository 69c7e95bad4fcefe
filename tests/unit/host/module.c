/* module.c: a plugin that is right, or wrong in the one way its macro says.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-plugin.h"

#ifndef MODULE_NAME
#define MODULE_NAME "auth-good"
#endif

static const DetourConfigKey config[] = {
#ifdef BAD_FALLBACK
  { "timeout", DETOUR_CONFIG_DURATION, "5", .summary = "-" },
#elif defined(BAD_WORDS)
  { "mode", DETOUR_CONFIG_ENUM, .summary = "-" },
#elif defined(BAD_KEY)
  { "enabled", DETOUR_CONFIG_BOOL, .summary = "-" },
#elif defined(BAD_TWICE)
  { "a", DETOUR_CONFIG_BOOL, .summary = "-" },
  { "a", DETOUR_CONFIG_BOOL, .summary = "-" },
#elif defined(BAD_RANGE)
  { "a", DETOUR_CONFIG_UINT, .min = 2, .max = 1, .summary = "-" },
#elif defined(BAD_TYPE)
  { "a", (DetourConfigType) 99, .summary = "-" },
#else
  { "fail", DETOUR_CONFIG_BOOL, "false", .summary = "start() fails" },
#endif
  { NULL },
};

#ifdef UNDEFINED
gpointer detour_there_is_no_such_function (void);
#endif

static gpointer
start (DetourHost *host, DetourSettings *settings, GError **error)
{
#ifdef UNDEFINED
  return detour_there_is_no_such_function ();
#else
  if (!detour_settings_bool (settings, "fail"))
    return host;
  detour_settings_error (settings, "fail", error, "as it was told");
  return NULL;
#endif
}

static void
stop (gpointer self)
{
}

static void
verify (gpointer self, const DetourAuthRequest *request, DetourAuthCall *call)
{
  const DetourAuthVerdict allow = { .result = DETOUR_AUTH_ALLOW };

  detour_auth_answer (call, &allow);
}

static const DetourAuthFuncs funcs = { verify };
static const DetourAuthFuncs no_funcs = { NULL };

#ifdef NO_SYMBOL
extern const DetourPlugin something_else;
DETOUR_PLUGIN_EXPORT const DetourPlugin something_else = {
#else
extern const DetourPlugin detour_plugin;
DETOUR_PLUGIN_EXPORT const DetourPlugin detour_plugin = {
#endif
#ifdef OTHER_ABI
  .abi = DETOUR_PLUGIN_ABI + 7,
#else
  .abi = DETOUR_PLUGIN_ABI,
#endif
#ifdef OTHER_SIZE
  .size = sizeof (DetourPlugin) - 8,
#else
  .size = sizeof (DetourPlugin),
#endif
  .name = MODULE_NAME,
#ifdef OTHER_KIND
  .kind = DETOUR_KIND_SERVICE,
#else
  .kind = DETOUR_KIND_AUTH,
#endif
#ifndef NO_SUMMARY
  .summary = "admits everyone, for tests of the loader",
#endif
  .config = config,
#ifndef NO_START
  .start = start,
#endif
#ifndef NO_STOP
  .stop = stop,
#endif
#ifdef NO_VERIFY
  .funcs.auth = &no_funcs,
#else
  .funcs.auth = &funcs,
#endif
};
