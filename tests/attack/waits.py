"""How long a thread takes for what it is woken for, and who has its processor meanwhile, from the kernel's trace.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import pathlib
import re

TRACEFS = pathlib.Path("/sys/kernel/tracing")
EVENTS = ("sched/sched_switch", "sched/sched_waking", "net/net_dev_queue")
LINE = re.compile(r".{16}-\s*(\d+)\s+\[(\d+)\]\s+\S+\s+([\d.]+): (\w+): (.*)")
SWITCH = re.compile(r"prev_comm=.* prev_pid=(\d+) prev_prio=\d+ prev_state=(\S+) ==> next_comm=.* next_pid=(\d+) ")
WAKING = re.compile(r"comm=.* pid=(\d+) ")


class Trace:
    """What the scheduler does on all processors between start() and stop(); an instance of its own, so that nobody is disturbed.

    Entering and leaving it take the processor for seconds, with no way to interrupt them: not while something is measured.
    """

    def __init__(self, sender, size):
        self.sends = f"common_pid == {sender} && len > {size}"  # others are left out
        self.folder = TRACEFS / "instances" / "detour-attack"
        self.lines = []

    def write(self, name, text):
        """One setting."""
        (self.folder / name).write_text(text)

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        self.write("tracing_on", "0")
        self.write("buffer_size_kb", "32768")
        self.write("trace", "")
        self.write("events/net/net_dev_queue/filter", self.sends)
        for event in EVENTS:
            self.write(f"events/{event}/enable", "1")
        return self

    def start(self):
        """Begins to record."""
        self.write("tracing_on", "1")

    def stop(self):
        """Ends that; lines are there after leaving."""
        self.write("tracing_on", "0")

    def __exit__(self, *unused):
        self.stop()
        self.lines = (self.folder / "trace").read_text(errors="replace").splitlines()
        for event in EVENTS:
            self.write(f"events/{event}/enable", "0")
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def switches(lines):
    """Lines of the trace: processor, time, event, and its numbers: a switch has (before, state, after), others the thread that it is about."""
    for line in lines:
        match = LINE.match(line)
        if match is None:
            continue
        thread, cpu, when, event, text = int(match[1]), int(match[2]), float(match[3]), match[4], match[5]
        if event == "sched_switch":
            match = SWITCH.match(text)
            if match is not None:
                yield cpu, when, event, (int(match[1]), match[2], int(match[3]))
        elif event == "sched_waking":
            match = WAKING.match(text)
            if match is not None:
                yield cpu, when, event, int(match[1])
        else:
            yield cpu, when, event, thread


def served(lines, thread, own):
    """For each time that @thread had something to do: seconds until it sent, and how long of that threads which are not @own had its processor.

    Traces of some systems leave out switches from the idle task; nobody waits then.
    """
    found = []
    running = {}            # by processor
    home = None             # the processor that @thread ran on
    begun, others, since = None, 0.0, 0.0
    for cpu, when, event, what in switches(lines):
        if event == "sched_waking":
            if what == thread and begun is None and running.get(home) != thread:
                begun, others, since = when, 0.0, when
        elif event == "net_dev_queue":
            running[cpu] = what
            if what == thread and begun is not None:
                found.append((when - begun, others))
                begun = None
        else:
            before, state, after = what
            if begun is not None and cpu == home and before != thread and before not in own:
                others += when - since
            if cpu == home or thread in (before, after):
                since = when
            if before == thread:
                home = cpu
                # With more to do than it was given time for; or it had nothing to send.
                begun, others = (begun or when, others) if state.startswith("R") else (None, 0.0)
            running[cpu] = after
    return found


def percentile(values, share):
    """The value that @share of all do not exceed."""
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
