"""A crowd of strangers on one thread: connections that repeat what an attack does, and come again when they are closed.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import errno
import heapq
import itertools
import selectors
import socket
import threading
import time


def addresses(count, first=1):
    """So many client addresses on loopback."""
    return [f"127.{2 + n // 60000}.{n // 250 % 240 + 1}.{n % 250 + 1}" for n in range(first, first + count)]


class Crowd(threading.Thread):
    """Holds @count connections to @target, from @sources in turn.

    Each sends @first when it is connected and @then every @every seconds, and reads what comes. One that is closed is
    opened anew, unless @again is false. With @echo, @then is also sent after each answer; with @leave, each closes when
    @first is sent.
    """

    def __init__(self, target, count, sources=("127.0.0.1",), first=b"", then=b"", every=None, again=True, echo=False, leave=False):
        super().__init__(daemon=True)
        self.target = target
        self.count = count
        self.sources = itertools.cycle(sources)
        self.first, self.then, self.every, self.again, self.echo, self.leave = first, then, every, again, echo, leave
        self.selector = selectors.DefaultSelector()
        self.due = []
        self.order = itertools.count()
        self.ended = threading.Event()
        self.filled = threading.Event()
        self.n_open = 0      # connections that are open now
        self.n_opened = 0    # connections that were opened
        self.n_closed = 0    # connections that the server ended
        self.n_bytes = 0     # bytes that came
        self.trouble = None

    def __enter__(self):
        self.start()
        assert self.filled.wait(120), "the crowd did not get together"
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
        if self.trouble is not None:
            raise self.trouble

    def run(self):
        """Goes on until the crowd is told to end."""
        try:
            while not self.ended.is_set():
                self.fill_up()
                for key, events in self.selector.select(0.02):
                    self.serve(key.fileobj, key.data, events)
                self.repeat()
        except Exception as error:  # told to the test, which runs on another thread
            self.trouble = error
            self.filled.set()

    def fill_up(self):
        """Opens what is missing, some at a time."""
        for _ in range(200):
            if self.n_open >= self.count or (self.n_opened >= self.count and not self.again):
                self.filled.set()
                return
            sock = socket.socket()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.bind((next(self.sources), 0))
            code = sock.connect_ex(self.target)
            if code not in (0, errno.EINPROGRESS):
                sock.close()
                return
            self.n_open += 1
            self.n_opened += 1
            self.selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, bytearray(self.first))
            if self.every is not None:
                heapq.heappush(self.due, (time.monotonic() + self.every, next(self.order), sock))

    def drop(self, sock):
        """One is gone."""
        self.selector.unregister(sock)
        sock.close()
        self.n_open -= 1
        self.n_closed += 1

    def serve(self, sock, unsent, events):
        """Sends what is to be sent, reads what came."""
        try:
            if events & selectors.EVENT_WRITE:
                if unsent:
                    del unsent[:sock.send(unsent)]
                if not unsent and self.leave:
                    self.drop(sock)
                    return
                if not unsent:
                    self.selector.modify(sock, selectors.EVENT_READ, unsent)
            if events & selectors.EVENT_READ:
                data = sock.recv(65536)
                if not data:
                    self.drop(sock)
                    return
                self.n_bytes += len(data)
                if self.echo and not unsent:
                    self.say(sock)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(sock)

    def say(self, sock):
        """The next message of one of them."""
        key = self.selector.get_key(sock)
        key.data.extend(self.then)
        self.selector.modify(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, key.data)

    def repeat(self):
        """Lets those speak whose time has come."""
        now = time.monotonic()
        while self.due and self.due[0][0] <= now:
            when, _, sock = heapq.heappop(self.due)
            if sock.fileno() < 0:
                continue
            self.say(sock)
            heapq.heappush(self.due, (when + self.every, next(self.order), sock))
