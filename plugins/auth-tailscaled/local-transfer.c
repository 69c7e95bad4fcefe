/* local-transfer.c: a transfer over the socket of a tailscaled, as every request to it begins.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "local-transfer.h"

gboolean
local_transfer_is_possible (void)
{
  return (curl_version_info (CURLVERSION_NOW)->features & CURL_VERSION_UNIX_SOCKETS) != 0;
}

CURL *
local_transfer_new (const char *socket, const char *url)
{
  CURL *easy = curl_easy_init ();
  CURLcode status;

  g_assert (easy != NULL);
  curl_easy_setopt (easy, CURLOPT_URL, url);
  /* Nobody else may be asked. */
  status = curl_easy_setopt (easy, CURLOPT_UNIX_SOCKET_PATH, socket);
  g_assert (status == CURLE_OK);
  curl_easy_setopt (easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  /* No proxy of the environment, and no redirect of the answer. */
  curl_easy_setopt (easy, CURLOPT_PROXY, "");
  curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0L);
  return easy;
}
