"""The pages for operators in headless Chromium and in the validator of the W3C.
SPDX-License-Identifier: LGPL-2.1-or-later

Pictures are compared with those in pages/, a quarter of the size each, in which the relay's numbers, keys and lines are replaced by
fixed ones of the same form. So what is compared is what the page looks like: a block that is missing, has another colour, overlaps or
is somewhere else differs in many pixels, while another version of the browser or of a font differs in few. What must hold to the
pixel (nothing beyond the screen, contrast, the focus) is asked of the page itself. DETOUR_RENEW=1 writes the pictures anew.
"""

import os
import pathlib
import subprocess
import sys
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

# pylint: disable=wrong-import-position
from derp_client import Client, Stream, http_request  # noqa: E402
from devtools import browser, pixels  # noqa: E402
from relay import EVERYTHING, Relay, with_keys  # noqa: E402

VNU = pathlib.Path(os.environ["BROWSER_MODULES"]) / "vnu-jar" / "build" / "dist" / "vnu.jar"
PICTURES = HERE / "pages"
WIDTHS = (360, 768, 1280)
PATHS = {"overview": "/debug/", "clients": "/debug/clients/", "client": "/debug/client", "plugins": "/debug/plugins",
         "certificates": "/debug/certificates", "admission": "/debug/admission", "budgets": "/debug/budgets", "mesh": "/debug/mesh",
         "config": "/debug/config", "check": "/debug/check"}
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'"

CONFIG = with_keys(with_keys(with_keys(EVERYTHING, "service metrics", listen="127.0.0.1:{metrics}"), "http debug"),
                   "auth friends", plugin="keys", file="{dir}/friends")
CONFIG = with_keys(CONFIG, "admission", chain="friends")


@pytest.fixture(name="shown", scope="module")
def make_shown(tmp_path_factory):
    """A relay with twelve clients of all sorts, and one that is refused; and the key of one of them."""
    clients = [Client(None) for _ in range(12)]
    names = ["", HOSTILE, "Anna's laptop", "build-server.example.com"] * 3
    friends = "".join(f"nodekey:{client.key.hex()} {name}\n" for client, name in zip(clients, names))
    with Relay(tmp_path_factory.mktemp("shown"), CONFIG, files={"friends": friends}) as relay:
        relay.start()
        door = relay.door()
        doors = [door.client(key=client.secret, AppName=f"app-{n % 3}") for n, client in enumerate(clients)]
        doors[0].send_packet(doors[1].key, b"x" * 3000)
        doors[1].expect_packet(doors[0].key, b"x" * 3000)
        stranger = door.greeted()
        stranger.stream.write(stranger.client_info())
        yield relay, doors[1].key.hex()


@pytest.fixture(name="tab", scope="module")
def make_tab(tmp_path_factory):
    """A browser."""
    with browser(tmp_path_factory.mktemp("browser") / "profile") as one:
        yield one


def url_of(shown, name):
    """Where a page is."""
    relay, key = shown
    host, port = relay.address("metrics")[:2]
    return f"http://{host}:{port}{PATHS[name]}" + (f"?key=nodekey:{key}" if name == "client" else "")


# ---- valid HTML

def test_every_page_is_valid(shown, tmp_path):
    """Also in German, of an empty list, and where something is wrong."""
    relay, key = shown
    asked = {name: path + (f"?key={key}" if name == "client" else "") for name, path in PATHS.items()}
    asked |= {"found": "/debug/clients/?limit=3&first=3&sort=received&search=app-", "none": "/debug/clients/?search=nobody",
              "hostile": "/debug/clients/?" + urllib.parse.urlencode({"search": HOSTILE, "sort": HOSTILE}),
              "path": f"/debug/client?key={key}&path=1",
              "fault": "/debug/client?" + urllib.parse.urlencode({"key": HOSTILE})}
    files = []
    for language in ("en", "de"):
        for name, path in asked.items():
            stream = Stream.connect(relay.address("metrics"))
            page = http_request(stream, "GET", path, [("Accept", "text/html"), ("Accept-Language", language)])
            stream.close()
            assert page.status == (404 if name == "fault" else 200)
            files.append(tmp_path / f"{name}-{language}.html")
            files[-1].write_bytes(page.body)
    checked = subprocess.run(["java", "-jar", VNU, "--Werror", *files], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    # It does find fault.
    files[0].write_bytes(files[0].read_bytes().replace(b"</h1>", b"</h2>"))
    assert subprocess.run(["java", "-jar", VNU, files[0]], capture_output=True, check=False).returncode == 1


# ---- what must hold

# Texts beyond the right edge, but for those that can be scrolled to within their box.
BEYOND = """(() => [...document.querySelectorAll('main *, header *')].filter(e => !e.closest('.wide, pre, svg') &&
  e.getBoundingClientRect().right > innerWidth + 0.5 && e.getBoundingClientRect().width > 0).map(e => e.outerHTML.slice(0, 99)))()"""

# Texts whose contrast is below 4.5, as WCAG counts it.
PALE = """(() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = parts(c).slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (parts(c)[3] !== 0) return c; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .filter(e => { const a = light(getComputedStyle(e).color), b = light(behind(e));
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5; }).map(e => e.outerHTML.slice(0, 99)); })()"""

# Boxes of neighbours that lie over each other.
OVERLAPPING = """(() => { const found = [];
  for (const parent of document.querySelectorAll('main, header, .facts, .charts, .pair, nav ul, form')) {
    const boxes = [...parent.children].map(e => [e, e.getBoundingClientRect()]).filter(([, r]) => r.width && r.height);
    for (let i = 0; i < boxes.length; i++) for (let k = i + 1; k < boxes.length; k++) { const a = boxes[i][1], b = boxes[k][1];
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
        found.push(boxes[i][0].outerHTML.slice(0, 60) + ' | ' + boxes[k][0].outerHTML.slice(0, 60)); } }
  return found; })()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PATHS)
def test_layout(shown, tab, name, width, dark):
    assert tab.open(url_of(shown, name), width, dark) == []
    assert tab.ask("document.scrollingElement.scrollWidth") <= width
    for wrong in (BEYOND, PALE, OVERLAPPING):
        assert tab.ask(wrong) == []
    dark_background = tab.ask("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 128")
    assert dark_background == dark
    assert tab.ask("document.querySelectorAll('h1').length") == 1
    assert tab.ask("[...document.querySelectorAll('th')].every(e => e.scope)")
    assert tab.ask("document.querySelectorAll('script, [style], iframe').length") == 0
    # What would be loaded from elsewhere, were there anything.
    assert tab.ask("performance.getEntriesByType('resource').every(e => e.name.startsWith(location.origin))")


@pytest.mark.parametrize("name", ["overview", "clients", "plugins"])
def test_keyboard(shown, tab, name):
    tab.open(url_of(shown, name), 768)
    tab.press("Tab", 9)
    assert tab.ask("document.activeElement.className") == "skip"
    assert tab.ask("document.activeElement.getBoundingClientRect().left") >= 0
    tab.press("Enter", 13)
    assert tab.ask("document.activeElement.id") == "main"
    seen = set()
    for _ in range(60):
        tab.press("Tab", 9)
        if tab.ask("document.activeElement === document.body"):
            break
        assert tab.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert tab.ask("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
        seen.add(tab.ask("document.activeElement.tagName + (document.activeElement.id || document.activeElement.className)"))
    assert "DIVwide" in seen, "a table can be scrolled by keyboard"
    if name == "clients":
        assert {"INPUTsearch", "BUTTON", "A"} <= seen


def test_the_search_works_in_the_page(shown, tab):
    tab.open(url_of(shown, "clients"), 768)
    tab.ask("document.getElementById('search').value = 'anna'")
    tab.events.clear()
    tab.ask("document.querySelector('form button').click()")
    tab.wait("Page.loadEventFired")
    assert tab.ask("document.querySelectorAll('tbody tr').length") == 3
    assert tab.ask("document.getElementById('search').value") == "anna"


# ---- what it looks like

# Numbers, keys, times and lines become fixed ones; their order in a table has no meaning then.
FIXED = """(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());)
    node.data = node.data.replace(/[0-9a-f]{12,}/g, k => '0'.repeat(k.length)).replace(/\\/[^ ;]*\\/(?=[^ ;]*)/g, '/path/')
      .replace(/\\d[\\d.,\\u202f:-]*/g, '0').replace(/[KMGT]iB|[kMGT]?bit\\/s/g, 'B').replace(/ (s|min|h|days)$/g, ' s');
  for (const figure of document.querySelectorAll('figure')) {
    figure.querySelector('.values').textContent = 'now 0, at most 0';
    const svg = figure.querySelector('svg'), grid = svg.querySelector('.grid');
    svg.innerHTML = grid.outerHTML + '<path class="area" d="M0 60L120 20L240 50L360 10L360 71L0 71Z"/>' +
      '<path class="line" d="M0 60L120 20L240 50L360 10"/>'; }
  for (const cell of document.querySelectorAll('tbody tr > :nth-child(2)'))
    if (location.pathname.endsWith('/clients/')) cell.textContent = 'label'; })()"""

# The part of the pixels that may differ by more than an eighth of the range.
MAY_DIFFER = 0.03


def difference(one, other):
    """The part of pixels that differ; 1 for pictures of other sizes, but that a line more or less is cut off."""
    (width, rows), (other_width, other_rows) = pixels(one), pixels(other)
    if width != other_width or abs(len(rows) - len(other_rows)) > max(len(rows) // 50, 2):
        return 1.0
    n = differ = 0
    for row, other_row in zip(rows, other_rows):
        for x in range(0, len(row), 3):
            n += 1
            differ += max(abs(row[x + c] - other_row[x + c]) for c in range(3)) > 32
    return differ / n


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["overview", "clients", "budgets"])
def test_picture(shown, tab, tmp_path, name, width, dark):
    tab.open(url_of(shown, name), width, dark)
    tab.ask(FIXED)
    taken = tab.picture(scale=0.25)
    file = PICTURES / f"{name}-{width}-{'dark' if dark else 'light'}.png"
    if os.environ.get("DETOUR_RENEW"):
        PICTURES.mkdir(exist_ok=True)
        file.write_bytes(taken)
    (tmp_path / file.name).write_bytes(taken)
    assert difference(taken, file.read_bytes()) <= MAY_DIFFER, f"see {tmp_path / file.name} and {file}"


def test_the_comparison_sees_what_it_should(shown, tab):
    """A page without its stylesheet, with a block gone, or in the other colours, is another one."""
    tab.open(url_of(shown, "overview"), 768)
    tab.ask(FIXED)
    good = tab.picture(scale=0.25)
    assert difference(good, tab.picture(scale=0.25)) == 0
    tab.ask("document.querySelector('.charts').remove()")
    assert difference(good, tab.picture(scale=0.25)) > MAY_DIFFER
    for change in ("document.querySelector('link[rel=stylesheet]').remove()",
                   "document.querySelector('.facts').style.display = 'block'"):
        tab.open(url_of(shown, "overview"), 768)
        tab.ask(FIXED)
        tab.ask(change)
        assert difference(good, tab.picture(scale=0.25)) > MAY_DIFFER, change
    tab.open(url_of(shown, "overview"), 768, dark=True)
    tab.ask(FIXED)
    assert difference(good, tab.picture(scale=0.25)) > MAY_DIFFER
