"""What a relay's performance is judged by: the quantities that have a target, and their table, out of what `full` measures.
SPDX-License-Identifier: LGPL-2.1-or-later

A run gives for each measurement {side: report}; a number in there is called SIDE.NAME.
"""

import dataclasses
import statistics

CPU = "server_cpu_us_per_packet"
P99 = "latency_p99_us"
OFFERS = (150000, 200000, 250000, 300000, 400000)
JUDGED_OFFER = 300000


@dataclasses.dataclass
class Check:
    """A number, or its ratio to another one of the same run, is at most (or at least) `bound`."""

    value: str
    bound: float
    base: str = ""
    of: str = ""
    at_least: bool = False


@dataclasses.dataclass
class Row:
    """A line of the table. `cells` has numbers for some of Detour, derper, floor, and itself (in other circumstances)."""

    of: str
    quantity: str
    target: str
    unit: str
    cells: dict
    checks: list


def both(name):
    """The same number of both servers."""
    return {"Detour": f"detour.{name}", "derper": f"derper.{name}"}


def packet_row(of, quantity, part, bound):
    """Processor time for a packet, against the floor and derper."""
    return Row(of, f"CPU a packet, {quantity}", f"≤ 1.1 × floor, ≤ {part} of derper", "µs",
               both(CPU) | {"floor": "floor.floor_us"},
               [Check(f"detour.{CPU}", 1.1, "floor.floor_us", "floor"),
                Check(f"detour.{CPU}", bound, f"derper.{CPU}", "derper")])


def beside_row(of, quantity):
    """The same processor time with many beside it that wait."""
    return Row(of, f"CPU a packet, {quantity}, with {{crowd:,}} idle clients", "≤ 1.1 × itself", "µs",
               {"Detour": f"beside.{CPU}", "itself": f"alone.{CPU}"},
               [Check(f"beside.{CPU}", 1.1, f"alone.{CPU}", "itself")])


def websocket_row(of, quantity):
    """The same processor time when all clients use WebSockets."""
    return Row(of, f"CPU a packet in WebSockets, {quantity}", "≤ 1.25 × without", "µs",
               {"Detour": f"websocket.{CPU}", "itself": f"native.{CPU}"},
               [Check(f"websocket.{CPU}", 1.25, f"native.{CPU}", "itself")])


def class_row(of, quantity):
    """The same processor time when all clients have a class."""
    return Row(of, f"CPU a packet of a class with a rate and a quota, {quantity}", "≤ 1.02 × without", "µs",
               {"Detour": f"class.{CPU}", "itself": f"without.{CPU}"}, [Check(f"class.{CPU}_to_other", 1.02, of="itself")])


def link_row(of, quantity):
    """The same processor time when every packet goes over a link to another server, out or in."""
    return Row(of, f"CPU a packet over a link to another server, {quantity}", "≤ 1.3 × within one", "µs",
               {"Detour": f"link.{CPU}", "itself": f"local.{CPU}"}, [Check(f"link.{CPU}_to_other", 1.3, of="itself")])


def read_row(of, quantity):
    """Latency while somebody reads what the daemon serves to operators."""
    return Row(of, f"p99 latency, 2,000 packets/s, {quantity}", "≤ 1.05 × while they are not", "µs",
               {"Detour": f"read.{P99}", "itself": f"without.{P99}"}, [Check(f"read.{P99}_to_other", 1.05, of="itself")])


ROWS = [
    packet_row("saturated-20", "saturated, 20 clients, 8 frames a record", "1/5", 0.2),
    packet_row("saturated-200", "saturated, 200 clients, 8 frames a record", "1/5", 0.2),
    packet_row("rate-50000", "50,000 packets/s, one frame a send", "0.65", 0.65),
    packet_row("rate-20000", "20,000 packets/s, one frame a send", "0.65", 0.65),
    Row("rate-20000", "p99 latency, 20,000 packets/s", "≤ 1.5 × plain relay, ≤ derper", "µs",
        both(P99) | {"floor": f"floor.{P99}"},
        [Check(f"detour.{P99}", 1.5, f"floor.{P99}", "floor"), Check(f"detour.{P99}", 1, f"derper.{P99}", "derper")]),
    beside_row("beside-saturated", "saturated, 20 clients"),
    beside_row("beside-rate", "20,000 packets/s"),
    websocket_row("websocket-saturated", "saturated, 20 clients, 8 frames a record"),
    websocket_row("websocket-rate", "20,000 packets/s, one frame a send"),
    class_row("class-saturated", "saturated, 20 clients, 8 frames a record"),
    class_row("class-rate", "20,000 packets/s, one frame a send"),
    link_row("link-saturated", "saturated, 20 clients, 8 frames a record"),
    link_row("link-rate", "20,000 packets/s, one frame a send"),
    read_row("scrape", "while metrics are read once a second"),
    read_row("pages", "while two pages for operators are read once a second"),
    Row("devices", "memory of {devices:,} devices of auth-tailscale-api", "≤ 1 KB a device", "bytes a device",
        {"Detour": "many.bytes_per_device"}, [Check("many.bytes_per_device", 1024)]),
    Row("devices", "time until their list is in force, after the start of the daemon", "≤ 3 s", "ms",
        {"Detour": "many.in_force_ms", "itself": "one.in_force_ms"}, [Check("many.in_force_ms", 3000)]),
    Row("devices", "CPU of reading it", "≤ 300 ms", "ms", {"Detour": "many.cpu_ms_more"}, [Check("many.cpu_ms_more", 300)]),
    Row("idle", "memory an idle TLS client, {crowd:,} clients", "≤ 1 KB", "bytes", both("server_bytes_per_client"),
        [Check("detour.server_bytes_per_client", 1024)]),
    Row("idle", "CPU a second of {crowd:,} idle clients, held {hold:.0f} s", "≤ 2 ms", "ms", both("idle_cpu_ms"),
        [Check("detour.idle_cpu_ms", 2)]),
    Row("empty", "empty daemon, default plugins, RSS", "≤ 12 MB", "MB", both("rss_mb"), [Check("detour.rss_mb", 12)]),
    Row("login", "CPU of handshake, upgrade and login, P-256", "≤ 1.8 × its public-key work", "µs",
        both("server_cpu_us_per_login") | {"floor": "detour.floor_us_per_login"},
        [Check("detour.server_cpu_us_per_login", 1.8, "detour.floor_us_per_login", "floor")]),
    Row("login-proxied", "CPU of the same with a PROXY header before it", "≤ 1.03 × itself", "µs",
        {"Detour": "proxied.server_cpu_us_per_login", "itself": "alone.server_cpu_us_per_login"},
        [Check("proxied.server_cpu_us_per_login", 1.03, "alone.server_cpu_us_per_login", "itself")]),
    Row("forward", "CPU of a forwarded gigabyte, beside HAProxy in the same place", "≤ 1 × HAProxy", "s",
        {"Detour": "detour.cpu_seconds_per_gigabyte"},
        [Check("detour.cpu_seconds_per_gigabyte", 1.0, "haproxy.cpu_seconds_per_gigabyte", "HAProxy")]),
    Row("storm", "storm of {storm:,} clients, until all relay", "≤ 1/2 of derper", "s", both("back_in_seconds"),
        [Check("detour.back_in_seconds", 0.5, "derper.back_in_seconds", "derper")]),
    Row("storm", "lost by the pairs beside it", "0", "packets", both("bystanders_lost"),
        [Check("detour.bystanders_lost", 0)]),
    Row("stall", "{stalled} stalled receivers: lost by healthy pairs", "0", "packets", both("lost"),
        [Check("detour.lost", 0)]),
    Row("stall", "{stalled} stalled receivers: p99 of healthy pairs", "≤ 1.5 × while they read", "µs",
        both("stalled_p99_us") | {"itself": "detour.reading_p99_us"},
        [Check("detour.stalled_p99_us", 1.5, "detour.reading_p99_us", "itself")]),
    Row("stall", "held for a stalled receiver, by the daemon and by the kernel for its socket", "≤ 300 KB", "KB",
        both("held_kb"), [Check("detour.held_kb", 300)]),
    Row("overload", f"lost of {JUDGED_OFFER:,} packets/s offered by 20 clients", "≤ 0.2 %", "%", both("loss_percent"),
        [Check("detour.loss_percent", 0.2)]),
    Row("overload", f"goodput at {', '.join(str(offer // 1000) for offer in OFFERS)} thousand packets/s offered",
        "flat: ≥ 0.9 of the highest before", "k/s", both("goodput"), [Check("detour.flatness", 0.9, at_least=True)]),
    Row("workers", "two workers, every pair crossing: packets/s", "≥ 1.6 × one worker", "/s",
        {"Detour": "two.packets_per_second", "itself": "one.packets_per_second"},
        [Check("two.gain", 1.6, of="itself", at_least=True)]),
    Row("workers", "the same: CPU a packet", "–", "µs", {"Detour": f"two.{CPU}", "itself": f"one.{CPU}"}, []),
]

NAMES = list(dict.fromkeys(row.of for row in ROWS))


def number(run, path):
    """What is at SIDE.NAME in one run, or None."""
    side, name = path.split(".", 1)
    return run.get(side, {}).get(name)


def middle(values):
    """{"median", "low", "high"} of the numbers, or of lists of them, place by place; None without any."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    if isinstance(values[0], list):
        places = [middle(place) for place in zip(*values)]
        return {key: [place[key] for place in places] for key in places[0]} | {"values": values}
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "values": values}


def judge(check, runs):
    """The check over all runs: the median of what it compares, and whether that will do; None: not measured."""
    values = []
    for run in runs:
        value = number(run, check.value)
        base = number(run, check.base) if check.base else 1
        values.append(value / base if value is not None and base else None)
    found = middle(values)
    if found is None:
        return None
    found["met"] = found["median"] >= check.bound if check.at_least else found["median"] <= check.bound
    return found | {"bound": check.bound, "of": check.of}


def summary(row, runs, size):
    """A row with its numbers; `runs` are those of its measurement."""
    cells = {name: middle([number(run, path) for run in runs]) for name, path in row.cells.items()}
    judged = [judge(check, runs) for check in row.checks]
    wrong = any(report.get("wrong") for run in runs for side, report in run.items() if not side.startswith("derper"))
    return {"name": row.of, "quantity": row.quantity.format(**size), "target": row.target, "unit": row.unit,
            "cells": {name: cell for name, cell in cells.items() if cell is not None},
            "checks": [check for check in judged if check is not None], "unmeasured": judged.count(None),
            "wrong": wrong}


def digits(value):
    """A number as a person wants it."""
    if isinstance(value, list):
        return " / ".join(digits(each) for each in value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(line, name):
    """One cell of a side."""
    found = line["cells"].get(name)
    unit = "" if line["unit"] in ("packets", "/s") else f" {line['unit']}"
    return f"{digits(found['median'])}{unit}" if found else ""


def met(line):
    """The last column."""
    if line["wrong"]:
        return "**no**, see below"
    if not line["checks"]:
        return "–"
    if not all(check["met"] for check in line["checks"]):
        return "**no**"
    return "yes" if line["unmeasured"] == 0 else "yes, as far as measured"


def table(lines):
    """Markdown."""
    yield "| quantity | target | Detour | derper | floor | ratio | met |"
    yield "|---|---|---|---|---|---|---|"
    for line in lines:
        ratios = ", ".join(f"{check['median']:.2f}" + (f" × {check['of']}" if check["of"] else "")
                           for check in line["checks"] if check["of"] or line["unit"] == "k/s")
        floor = cell(line, "floor") or (f"itself: {cell(line, 'itself')}" if "itself" in line["cells"] else "–")
        cells = [line["quantity"], line["target"], cell(line, "Detour") or "–", cell(line, "derper") or "–", floor,
                 ratios or "–", met(line)]
        yield f"| {' | '.join(cells)} |"
