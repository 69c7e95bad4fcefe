"""The documents as HTML: each page is well formed, and each link leads somewhere.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import html
import html.parser
import pathlib
import re
import xml.etree.ElementTree

import pytest
from relay import BUILD

FOLDER = BUILD / "doc"
TREE = pathlib.Path(__file__).resolve().parents[2]
VOID = {"meta", "img"}


class Page(html.parser.HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.open, self.places, self.links, self.text, self.codes = [], [], [], "", []
        self.feed(path.read_text())
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.places.append(attributes["id"])
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "code":
            self.codes.append("")

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if "code" in self.open:
            self.codes[-1] += data
        if "pre" not in self.open and "code" not in self.open and "style" not in self.open:
            self.text += data


PAGES = {path.name: path for path in sorted(FOLDER.glob("*.html"))}


@pytest.fixture(name="pages", scope="module")
def fixture_pages():
    return {name: Page(path) for name, path in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_each_link_leads_somewhere(pages, name):
    page = pages[name]
    assert len(set(page.places)) == len(page.places)
    for link in page.links:
        target, _, place = link.partition("#")
        if re.match(r"https?://[\w.-]+(/|$)", link):
            continue
        if not target or target in pages:
            assert not place or place in pages[target or name].places, link
        else:
            assert (FOLDER / target).is_file(), link


def test_the_index_has_every_page(pages):
    assert set(pages) - {"index.html"} <= set(pages["index.html"].links)
    assert {"guide.html", "plugins.html", "plugin-api.html", "control.html", "dbus.html", "NEWS.html"} <= set(pages)


def test_code_is_as_it_was_written(pages):
    """Stars, underscores and brackets in code are no marks."""
    written = 0
    for path in sorted(TREE.glob("doc/*.md")):
        page = pages["index.html" if path.name == "README.md" else f"{path.stem}.html"]
        text = re.sub(r"(?ms)^ *```.*?^ *```", "", path.read_text())
        for _, code in re.findall(r"(?s)(?<!`)(`+)(?!`)((?:(?!\n *\n).)+?)(?<!`)\1(?!`)", text):
            if set(code) & set("*[]"):
                assert " ".join(code.split()) in [" ".join(shown.split()) for shown in page.codes], (path.name, code)
                written += 1
    assert written > 0


@pytest.mark.parametrize("name", PAGES)
def test_no_markdown_is_left(pages, name):
    """Outside of code, which is as it is."""
    assert not re.search(r"(?m)\*\*|^\s*#+ |\]\(|^\s*\||```|`", pages[name].text)


def test_the_whole_interface_for_plugins_is_there(pages):
    page = (FOLDER / "plugin-api.html").read_text()
    shown = html.unescape(re.sub(r"<[^>]*>", "", page))
    declared = set(re.findall(r"^\S.*?\b(detour_\w+) \(", (TREE / "core" / "detour-plugin.h").read_text(), re.M))
    assert len(declared) > 50 and not [name for name in declared if name not in shown]
    assert {"detour_host_add_routes", "detour_file_read"} <= set(pages["plugin-api.html"].places)


def test_each_member_on_the_bus_is_there(pages):
    description = xml.etree.ElementTree.parse(TREE / "data" / "io.github.detourd.Detour1.xml").getroot()
    members = {f"{interface.get('name')}.{member.get('name')}" for interface in description for member in interface if member.tag != "annotation"}
    assert len(members) > 90 and members <= set(pages["dbus.html"].places)
