"""What tests/run counts: a test that was skipped is neither passed nor failed, and is named with its reason.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import pathlib
import subprocess

import pytest

TALLY = pathlib.Path(__file__).resolve().parent.parent / "tools" / "tally"


def tally(*arguments):
    """Its three numbers, and what it says about skipped tests."""
    done = subprocess.run([TALLY, *arguments], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()], done.stderr.splitlines()


def test_go_tests_that_are_skipped(tmp_path):
    events = [
        {"Action": "run", "Test": "TestGood"},
        {"Action": "pass", "Test": "TestGood"},
        {"Action": "output", "Test": "TestBad", "Output": "    x_test.go:3: wrong\n"},
        {"Action": "fail", "Test": "TestBad"},
        {"Action": "output", "Test": "TestWebSocket", "Output": "=== RUN   TestWebSocket\n"},
        {"Action": "output", "Test": "TestWebSocket", "Output": "    websocket_test.go:18: there is no plugin\n"},
        {"Action": "output", "Test": "TestWebSocket", "Output": "--- SKIP: TestWebSocket (0.00s)\n"},
        {"Action": "skip", "Test": "TestWebSocket"},
        {"Action": "fail"},
    ]
    results = tmp_path / "go.json"
    results.write_text("".join(json.dumps(event) + "\n" for event in events))
    text = tmp_path / "go.log"
    assert tally("go", results, text) == ([1, 1, 1], ["SKIP TestWebSocket: there is no plugin"])
    assert "--- SKIP: TestWebSocket" in text.read_text()


@pytest.mark.parametrize("message", ["there is no mandoc", None])
def test_junit_cases_that_are_skipped(tmp_path, message):
    attribute = f' message="{message}"' if message else ""
    results = tmp_path / "junit.xml"
    results.write_text(f"""<testsuites><testsuite>
        <testcase name="good"/><testcase name="bad"><failure/></testcase>
        <testcase name="left out"><skipped{attribute}/></testcase></testsuite></testsuites>""")
    assert tally("junit", results) == ([1, 1, 1], [f"SKIP left out: {message or 'no reason given'}"])


def test_no_interop_test_passes_by_leaving_early():
    """A test that cannot run calls t.Skip(); one that only logs and returns counts as passed."""
    folder = TALLY.parent.parent / "interop"
    for path in folder.rglob("*_test.go"):
        for line in path.read_text().splitlines():
            assert not ("t.Log(" in line and "SKIP" in line), f"{path.name}: {line.strip()}"
