"""Runs of detour-acme that may end in any way but must keep the rules that the daemon relies on.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json

from acme_client import Client
from relay import daemon_environment

STEPS = ("directory", "account", "order", "authorization", "challenge", "finalize", "download", "renewal-info", "rollover",
         "revoke", "input")
EVENTS = ("account", "next-key", "order", "note", "present", "cleanup", "renewal", "certificate", "revoked", "error")


class Run(Client):
    """One run; @present gives what is answered to a challenge: nothing when it is in place, or why it is refused."""

    def __init__(self, request, present=None):
        self.present = present or (lambda event: None)
        self.in_place = []    # challenges that were said to be presented
        self.code = None
        super().__init__(request, environment=daemon_environment())

    def answer(self, event):
        """What is presented is remembered."""
        if event["event"] == "cleanup":
            return None
        why = self.present(event)
        self.in_place += [event["id"]] if why is None else []
        return why

    def complete(self):
        """Runs to the end and looks at the rules; gives itself."""
        with self:
            self.code = self.finish(self.answer)
        return self.check()

    @property
    def last(self):
        """The event that says how it went."""
        return self.events[-1] if self.events else None

    @property
    def error(self):
        """The error event."""
        assert self.code != 0, f"it went well: {self.events}"
        return self.last

    def check(self):
        """Whatever the CA did: no crash, an error with its remedy or what was wanted, nothing left in place."""
        said = f"ended with {self.code}; {json.dumps(self.events)[-3000:]}"
        assert self.code in (0, 1, 2), said
        assert all(event["event"] in EVENTS for event in self.events), said
        errors = self.of("error")
        assert len(errors) == (self.code != 0), said
        for error in errors:
            assert error == self.last, said
            assert error["step"] in STEPS and error["remedy"].strip() and isinstance(error["detail"], str), said
            assert isinstance(error["type"], str) and error["type"], said
        assert len(self.of("certificate")) <= (self.code == 0), said
        cleaned = [event["id"] for event in self.of("cleanup")]
        assert set(self.in_place) <= set(cleaned) and len(set(cleaned)) == len(cleaned), said
        return self


def order(ca, *names, **more):
    """A request for a certificate from @ca."""
    return {"do": "order", "directory": ca.directory_url, "ca_file": str(ca.ca_file), "names": list(names or ("relay.test",)),
            "profile": "auto", "key_type": "p256", "challenges": ["tls-alpn-01", "http-01"], "time_limit": 120} | more


def run_order(ca, *names, present=None, **more):
    """Runs one order to its end."""
    return Run(order(ca, *names, **more), present).complete()
