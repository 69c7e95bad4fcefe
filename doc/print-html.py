"""Prints the documents as HTML pages: print-html.py FOLDER VERSION HEADER XML DOCUMENT.md...
SPDX-License-Identifier: LGPL-2.1-or-later

FOLDER gets a page for each document, plugin-api.html from the header for plugins, dbus.html from the description of the
interfaces, and index.html. It knows the Markdown that the documents use and no more. A link to a file that has no page is
left out, and its text stays.
"""

import html
import pathlib
import re
import sys
import xml.etree.ElementTree

STYLE = """\
body { max-width: 60em; margin: 2em auto; padding: 0 1em; font: 1em/1.5 sans-serif; color: #222; background: #fff }
pre { background: #f4f4f4; padding: .6em; overflow-x: auto } code, pre { font-family: monospace, monospace; font-size: .9em }
table { border-collapse: collapse } th, td { border: 1px solid #ccc; padding: .2em .5em; text-align: left; vertical-align: top }
img { max-width: 100% } a { color: #05a }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } pre { background: #262626 } a { color: #7bf } }
"""


def anchor(heading, taken):
    """What links to a heading say, as code hosts make it."""
    base = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
    name, n = base, 0
    while name in taken:
        n += 1
        name = f"{base}-{n}"
    taken.add(name)
    return name


class Page:
    """One document on its way to HTML."""

    def __init__(self, text, pages):
        self.lines = re.sub(r"<!--.*?-->\n?", "", text, flags=re.S).splitlines()
        self.pages, self.taken, self.out, self.at = pages, set(), [], 0
        self.title = next((line[2:].replace("`", "") for line in self.lines if line.startswith("# ")), "Detour")

    def inline(self, text):
        """Code, links, pictures and emphasis within a line."""
        out = []
        codes = []
        for n, part in enumerate(re.split(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", text)):
            if n % 3 == 0:
                part = html.escape(part, quote=False)
                part = re.sub(r"!\[([^]]*)\]\(([^)]*)\)", r'<img src="\2" alt="\1">', part)
                out.append(part)
            elif n % 3 == 2:
                # Kept apart until the end: nothing within code is emphasis or a link.
                out.append(f"\0{len(codes)}\1")
                codes.append(html.escape(part.strip() if part.strip().startswith("`") else part, quote=False))
        text = re.sub(r"(?<!!)\[([^]]*)\]\(([^)]*)\)", self.link, "".join(out))
        text = re.sub(r"&lt;(https?://[^&\s]+)&gt;", r'<a href="\1">\1</a>', text)
        text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
        text = re.sub(r"(?<![\w*])\*([^*\s][^*]*?)\*(?![\w*])", r"<em>\1</em>", text)
        return re.sub("\0(\\d+)\1", lambda found: f"<code>{codes[int(found[1])]}</code>", text)

    def link(self, found):
        """A link to a page, to a place in it or outside; else its text."""
        text, target = found.groups()
        path, hash_, place = target.partition("#")
        if re.match(r"https?:", target) or not path:
            return f'<a href="{target}">{text}</a>'
        name = pathlib.PurePath(path).name
        if path in (name, "../NEWS.md") and name in self.pages:
            return f'<a href="{name.removesuffix(".md")}.html{hash_}{place}">{text}</a>'
        return text

    def block(self, indent=0):
        """Lines up to one that is less indented."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip():
                self.at += 1
                continue
            if len(line) - len(line.lstrip()) < indent:
                return
            self.one(line[indent:], indent)

    def one(self, line, indent):
        """What begins with this line."""
        fence = re.match(r"(```+)", line)
        item = re.match(r"([*-]|\d+\.) +", line)
        if heading := re.match(r"(#+) (.*)", line):
            level = len(heading[1])
            self.out.append(f'<h{level} id="{anchor(heading[2], self.taken)}">{self.inline(heading[2])}</h{level}>')
            self.at += 1
        elif fence:
            self.at += 1
            self.code(indent, lambda text: text.strip() == fence[1])
            self.at += 1
        elif line.startswith("    "):
            self.code(indent + 4, lambda text: text.strip() and not text.startswith(" " * (indent + 4)))
        elif line.startswith("|"):
            self.table(indent)
        elif item:
            self.list("ol" if item[1][0].isdigit() else "ul", indent)
        else:
            self.out.append(f"<p>{self.inline(self.paragraph(indent))}</p>")

    def code(self, indent, ends):
        """Lines as they are."""
        lines = []
        while self.at < len(self.lines) and not ends(self.lines[self.at]):
            lines.append(self.lines[self.at][indent:])
            self.at += 1
        self.out.append("<pre>" + html.escape("\n".join(lines).rstrip(), quote=False) + "</pre>")

    def table(self, indent):
        """Rows; the second line of the source is a rule."""
        tag = "th"
        self.out.append("<table>")
        while self.at < len(self.lines) and self.lines[self.at][indent:].startswith("|"):
            row = self.lines[self.at][indent:].strip()
            self.at += 1
            if re.fullmatch(r"\|[-:| ]+\|", row) and "-" in row:
                tag = "td"
                continue
            cells = re.split(r"(?<!\\)\|", row.strip("|"))
            self.out.append("<tr>" + "".join(f"<{tag}>{self.inline(cell.strip().replace(chr(92) + '|', '|'))}</{tag}>" for cell in cells) + "</tr>")
        self.out.append("</table>")

    def list(self, tag, indent):
        """Items of one kind, each with what is indented below it."""
        self.out.append(f"<{tag}>")
        while self.at < len(self.lines):
            found = re.match(r"([*-]|\d+\.) +", self.lines[self.at][indent:])
            if found is None or (tag == "ol") != found[1][0].isdigit():
                break
            inside = indent + len(found[0])
            self.lines[self.at] = " " * inside + self.lines[self.at][inside:]
            self.out.append(f"<li>{self.inline(self.paragraph(inside))}")
            self.block(inside)
            self.out.append("</li>")
        self.out.append(f"</{tag}>")

    def paragraph(self, indent):
        """Lines up to an empty one or something else."""
        lines = []
        while self.at < len(self.lines) and self.lines[self.at].strip():
            line = self.lines[self.at]
            if lines and (re.match(r"\s*([*-]|\d+\.) +|\s*```|\s*\||#", line) or len(line) - len(line.lstrip()) < min(indent, 1)):
                break
            lines.append(line.strip())
            self.at += 1
        return " ".join(lines)

    def body(self):
        """All of it."""
        self.block()
        return "\n".join(self.out)


def write(folder, name, title, body, version):
    """One page."""
    (folder / f"{name}.html").write_text(
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>{html.escape(title)}: Detour</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f'<p><a href="index.html">Detour {html.escape(version)}</a></p>\n{body}\n</body>\n</html>\n', encoding="utf-8")


def plugin_api(header):
    """The header's comments, each with what it is about: blank lines part them."""
    out = ["<h1>The interface for plugins</h1>", "<p>All of <code>detour-plugin.h</code>; <a href=\"plugins.html\">plugins</a> tells how to use it.</p>"]
    for chunk in re.split(r"\n(?=/\*\*\n)", header):
        found = re.match(r"/\*\*\n \* (\w+):?\n(.*?)\*/\n(.*)", chunk, re.S)
        if found is None:
            out.append(f"<pre>{html.escape(chunk.strip(), quote=False)}</pre>")
            continue
        text = "\n".join(re.sub(r"^ \* ?", "", line) for line in found[2].splitlines()).strip()
        out.append(f'<h2 id="{found[1]}"><code>{found[1]}</code></h2>')
        out.append(f"<pre>{html.escape(text, quote=False)}</pre>\n<pre>{html.escape(found[3].strip(), quote=False)}</pre>")
    return "\n".join(out)


def dbus(text):
    """Interfaces and their members, each with the comment before it."""
    parser = xml.etree.ElementTree.XMLParser(target=xml.etree.ElementTree.TreeBuilder(insert_comments=True))
    root = xml.etree.ElementTree.fromstring(text, parser)
    out, comment = ["<h1>The relay on D-Bus</h1>", '<p><a href="control.html">control</a> tells how it is served.</p>'], ""
    intro = re.search(r"<!--(.*?)-->", text, re.S)[1]
    out.append(f"<pre>{html.escape(intro.replace('SPDX-License-Identifier: LGPL-2.1-or-later', '').strip(), quote=False)}</pre>")
    for interface in root.iter("interface"):
        out.append(f'<h2 id="{interface.get("name")}">{interface.get("name")}</h2>')
        for member in interface:
            if member.tag is xml.etree.ElementTree.Comment:
                comment = re.sub(r"(?m)^ {4,8}", "", member.text).strip()
                continue
            if member.tag not in ("method", "signal", "property"):
                continue
            name = member.get("name")
            types = ", ".join(f"{arg.get('direction', '')} {arg.get('name')} {arg.get('type')}".strip() for arg in member.findall("arg")) or member.get("type", "")
            out.append(f'<h3 id="{interface.get("name")}.{name}">{member.tag} <code>{name}</code> ({html.escape(types)})</h3>')
            out.append(f"<pre>{html.escape(comment, quote=False)}</pre>")
            comment = ""
    return "\n".join(out)


def main():
    """Everything in one go."""
    folder, version, header, interfaces, *documents = sys.argv[1:]
    folder, documents = pathlib.Path(folder), [pathlib.Path(name) for name in documents]
    names = {path.name for path in documents}
    entries = []
    for path in documents:
        page = Page(path.read_text(encoding="utf-8"), names)
        write(folder, path.stem, page.title, page.body(), version)
        entries.append((path.stem, page.title))
    write(folder, "plugin-api", "The interface for plugins", plugin_api(pathlib.Path(header).read_text(encoding="utf-8")), version)
    write(folder, "dbus", "The relay on D-Bus", dbus(pathlib.Path(interfaces).read_text(encoding="utf-8")), version)
    entries += [("plugin-api", "The interface for plugins"), ("dbus", "The relay on D-Bus")]
    items = "\n".join(f'<li><a href="{name}.html">{html.escape(title)}</a></li>' for name, title in entries)
    write(folder, "index", "Documents", f"<h1>Detour</h1>\n<p>Manual pages: detourd(8), detour.conf(5), detourctl(1), detourd-plugins(7).</p>\n<ul>\n{items}\n</ul>", version)


if __name__ == "__main__":
    main()
