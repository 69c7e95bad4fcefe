"""What servers of tests have in common: a thread for each connection, and an end that wakes all of them.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import socket
import threading


class Acceptor:
    """Runs @serve(connection) in a thread for each connection of @listener, from now on; an OSError in it ends the connection."""

    def __init__(self, listener, serve):
        self.listener = listener
        self.serve = serve
        self.connections = set()
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        """Thread of the listener."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            # A handle of our own, which ends the connection whatever @serve makes of its socket: TLS takes that over.
            handle = connection.dup()
            with self.lock:
                self.connections.add(handle)
            threading.Thread(target=self.run, args=(connection, handle), daemon=True).start()

    def run(self, connection, handle):
        """Thread of a connection."""
        try:
            self.serve(connection)
        except OSError:
            pass
        finally:
            with self.lock:
                self.connections.discard(handle)
            connection.close()
            handle.close()

    def close(self):
        """Nobody comes any more, and all connections end."""
        # Closing alone would leave the thread in accept().
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for handle in self.connections:
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)
