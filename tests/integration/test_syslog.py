"""The log in the files of rsyslog, which Debian's users have.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import pathlib
import re
import subprocess

from control import counter, detourctl, plugin
from relay import EVERYTHING, daemon_environment, wait_until

RSYSLOG = """
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{run}/dev-log")
template(name="parts" type="string" string="%syslogfacility-text% %syslogseverity-text% %programname% %procid% %msg%\\n")
*.* action(type="omfile" file="{dir}/all.log" template="parts")
"""

LOG = """
[log syslog]
path = {run}/dev-log
facility = local3
level = info
"""


def rsyslogd(relay):
    """A syslog daemon with a socket and a file of its own."""
    directory, run = relay.directory, pathlib.Path(relay.run_directory)
    (directory / "rsyslog.conf").write_text(RSYSLOG.format(dir=directory, run=run))
    process = subprocess.Popen(["rsyslogd", "-n", "-f", directory / "rsyslog.conf", "-i", directory / "rsyslogd.pid"],
                               env=daemon_environment())
    try:
        wait_until(lambda: (run / "dev-log").is_socket(), "rsyslogd listens")
    except AssertionError:
        end(process)
        raise
    return process


def end(process):
    """Ends a process."""
    process.terminate()
    process.wait(30)


def test_messages_are_filed(make_relay):
    relay = make_relay(EVERYTHING + LOG, start=False)
    process = rsyslogd(relay)
    try:
        relay.start()
        client = relay.door().client()
        client.ping(b"12345678")
        client.close()
        path = relay.directory / "all.log"
        line = wait_until(lambda: re.search(r"^.*event=session-end.*$", path.read_text() if path.exists() else "", re.M), "the session's end")
        assert re.fullmatch(rf"local3 info detourd {relay.process.pid}  detour: client [0-9a-f]{{8}}: session ended after .* "
                            r"event=session-end conn=\d+ key=nodekey:[0-9a-f]{64} .*", line.group()), line.group()

        # A daemon that comes back gets messages again, and what it missed is counted.
        end(process)
        detourctl(relay, "plugins", "restart", "http/home")
        process = rsyslogd(relay)
        before = len(path.read_text())
        detourctl(relay, "plugins", "restart", "http/captive")
        wait_until(lambda: "http/captive" in path.read_text()[before:], "it gets messages again")
        assert counter(relay, "lost", instance="log/syslog") > 0
    finally:
        end(process)


def test_without_a_daemon(make_relay):
    relay = make_relay(EVERYTHING + LOG)
    entry = plugin(relay, "log/syslog")
    assert entry["state"] == "failed"
    assert re.search(r"\[log syslog\] path: no syslog daemon at .*/dev-log: No such file or directory; where there is none, use ",
                     json.dumps(entry)), entry
