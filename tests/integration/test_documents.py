"""The documents speak of what there is: links lead somewhere, named tests exist, the drawing of states is the program's.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import re
import xml.etree.ElementTree

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(path.relative_to(TOP) for pattern in ("*.md", "doc/*.md", "tests/*.md", "plugins/*/*.md")
                   for path in TOP.glob(pattern))
FOLDERS = "core|data|doc|plugins|po|tests"


def anchors(text):
    """What links into a document may name: its headings, written as in a URL."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_and_paths_lead_somewhere(document):
    text = (TOP / document).read_text()
    folder = (TOP / document).parent
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        other = folder / file if file else TOP / document
        assert other.exists(), target
        assert not anchor or anchor in anchors(other.read_text()), target
    for path in re.findall(rf"`((?:{FOLDERS})/[^`\s*]+)`", text):
        assert "NAME" in path or (TOP / path).exists(), path


def test_index_has_every_document():
    text = (TOP / "doc" / "README.md").read_text()
    for path in (TOP / "doc").iterdir():
        if path.suffix in (".md", ".scd") and path.name != "README.md":
            assert f"]({path.name})" in text


def known_tests():
    """Names of all tests in the tree."""
    names = set()
    for pattern, expression in (
            ("tests/integration/*.py", r"^def (test_\w+)"),
            ("tests/interop/**/*.go", r"^func (Test\w+)"),
            ("tests/unit/**/*.c", r'"(/[a-z0-9-]+(?:/[a-z0-9-]+)+)"'),
            ("plugins/**/*.c", r'"(/[a-z0-9-]+(?:/[a-z0-9-]+)+)"')):
        for path in TOP.glob(pattern):
            text = path.read_text()
            names |= set(re.findall(expression, text, re.M))
            # Programs whose tests are added by a macro that puts their folder in front.
            folder = re.search(r'#define ADD\(name, \w+\).*?\(?"(/[a-z0-9-]+/)" name', text, re.S)
            if folder is not None:
                names |= {folder[1] + name for name in re.findall(r'\bADD \("([a-z0-9-]+)"', text)}
            # Tests that are rows of a table.
            for prefix, table in re.findall(r'TEST_ADD_ROWS \("(/[a-z0-9/-]+/)", (\w+),', text):
                rows = re.search(rf"\}} {table}\[\] = \{{\n(.*?)^\}};", text, re.M | re.S)
                names |= {prefix + name for name in re.findall(r'^ *\{ *"([a-z0-9-]+)"', rows[1] if rows else "", re.M)}
    return names | {path.stem for pattern in ("tests/fuzz/fuzz-*.c", "plugins/**/fuzz-*.c") for path in TOP.glob(pattern)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_tests_and_functions_that_are_named_exist(document):
    text = (TOP / document).read_text()
    names = known_tests()
    for test in re.findall(r"`(test_\w+)`", text):
        assert test in names, test
    sources = "".join(path.read_text() for folder in ("core", "plugins") for path in (TOP / folder).rglob("*.[ch]"))
    for function in re.findall(r"`(detour_\w+)\(\)`", text):
        assert re.search(rf"\b{function}\b", sources), function


def test_every_line_of_the_threat_model_has_its_tests():
    names = known_tests()
    rows = [line.strip("| ").split(" | ") for line in (TOP / "doc" / "threat-model.md").read_text().splitlines()
            if line.startswith("| ") and not line.startswith("| from ")]
    assert len(rows) > 30
    for row in rows:
        assert len(row) == 3, row
        tests = re.findall(r"`([^`]+)`", row[2])
        assert tests and not re.sub(r"`[^`]+`|, ", "", row[2]), row
        assert not [test for test in tests if test not in names], row


def test_every_duty_of_the_record_layer_has_its_tests():
    names = known_tests()
    rows = [line.strip("| ").split(" | ") for line in (TOP / "doc" / "record-layer.md").read_text().splitlines()
            if line.startswith("| ") and "`/tls-" in line]
    assert len(rows) > 20
    for row in rows:
        tests = re.findall(r"`([^`]+)`", row[-1])
        assert tests and not re.sub(r"`[^`]+`|, ", "", row[-1]), row
        assert not [test for test in tests if test not in names], row


def test_every_case_of_admission_has_its_tests():
    names = known_tests()
    rows = [line.strip("| ").split(" | ") for line in (TOP / "doc" / "admission.md").read_text().splitlines()
            if line.startswith("| ") and not line.startswith("| case ")]
    assert len(rows) > 30
    for row in rows:
        assert len(row) == 5, row
        tests = re.findall(r"`([^`]+)`", row[4])
        assert tests and not [test for test in tests if test not in names], row


def test_drawing_of_states_is_the_table_of_the_program():
    written = re.search(r"```states\n(.*?)```", (TOP / "doc" / "architecture.md").read_text(), re.S)[1]
    drawn = {line.split(":")[0]: set(line.split(": ")[1].split(", ")) for line in written.splitlines()}
    source = (TOP / "core" / "session" / "detour-handshake-state.c").read_text()
    table = re.search(r"rows\[\w+\] = \{(.*?)\n\};", source, re.S)[1]
    coded = {state: set(re.findall(r"TO \((\w+)\)", arrows)) for state, arrows in
             re.findall(r"\.name = \"(\w+)\",\s*\.next = (.*?),\n", table, re.S)}
    assert drawn == coded and len(coded) > 5


def types_of(member):
    """Of a property its type; of a method what goes in and what comes out; of a signal what it tells."""
    if member.tag == "property":
        return f"`{member.get('type')}`"
    sides = {"in": [], "out": []}
    for arg in member.findall("arg"):
        sides[arg.get("direction", "in" if member.tag == "method" else "out")].append(arg.get("type"))
    lists = [f"`({', '.join(sides[side])})`" for side in ("in", "out") if sides[side] or side == "in" and member.tag == "method"]
    return " → ".join(lists)


def test_every_call_is_in_the_document():
    changing = {name for path in (TOP / "core" / "control").glob("*.c")
                for name in re.findall(r'\{ "(\w+)", \w+,\s+DETOUR_RIGHT_(?:CHANGE|UPGRADE) \}', path.read_text())}
    contract = []
    for interface in xml.etree.ElementTree.parse(TOP / "data" / "io.github.detourd.Detour1.xml").getroot():
        if not interface.get("name").startswith("io.github.detourd."):
            continue
        name = interface.get("name").rpartition(".")[2]
        for member in interface:
            if member.tag != "annotation":
                changes = member.tag == "method" and member.get("name") in changing
                contract.append((name, f"{member.tag} `{member.get('name')}`" + (" *that changes*" if changes else ""),
                                 types_of(member)))
    text = (TOP / "doc" / "control.md").read_text()
    listed, interface = [], None
    for line in text[text.index("## What there is to call"):text.index("\n## Events")].splitlines():
        if line.startswith("### "):
            interface = line.removeprefix("### ")
        elif re.match(r"\| (property|method|signal) ", line):
            what, types, meaning = (part.strip() for part in line.strip("|").split(" | "))
            assert meaning, line
            listed.append((interface, what, types))
    assert len(contract) > 90 and "Ban" in changing
    assert listed == contract
