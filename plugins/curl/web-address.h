/* web-address.h: judges the addresses of servers and proxies that an operator wrote.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * web_address_check:
 * @example: the form that is wanted, "https://admit.example.com/verify"
 *
 * Returns: (nullable): why @text is no address of HTTP or HTTPS that can be asked, with the form
 *   that is wanted; free with g_free(). NULL: it is one.
 */
char *web_address_check (const char *text, const char *example);
/* The same of a proxy: http, https, socks5 or socks5h, and nothing behind the port; or `none`. */
char *web_address_check_proxy (const char *text);

/* "admit.example.com:443", "[2001:db8::1]:8080", for people; of an address that was checked. */
char *web_address_host (const char *text);
/* Whether the server is on this machine. */
gboolean web_address_is_local (const char *text);

G_END_DECLS
