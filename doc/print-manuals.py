#!/usr/bin/env python3
"""Prints the plugins' page with the README of each plugin's folder turned from Markdown into scdoc.
SPDX-License-Identifier: LGPL-2.1-or-later

    print-manuals.py PAGE README...

Knows as much of Markdown as those files use: headings, paragraphs, lists, tables, indented code, `code`, *emphasis*.
"""

import re
import sys

PIECES = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|(?<!\w)\*([^*\s][^*]*)\*(?!\w)|\[([^\]]+)\]\([^)]*\)")


def escape(text):
    """Text that means itself."""
    return re.sub(r"([\\*_])", r"\\\1", text)


def inline(text):
    """One paragraph's text."""
    out, at = "", 0
    for piece in PIECES.finditer(text):
        out += escape(text[at:piece.start()])
        code, strong, emphasis, link = piece.groups()
        if link is not None:
            out += inline(link)
        elif emphasis is not None:
            out += f"_{escape(emphasis)}_"
        else:
            out += f"*{escape(code or strong)}*"
        at = piece.end()
    out += escape(text[at:])
    # scdoc takes a line that begins so for something else.
    return re.sub(r"^([-.#|\[\];`\t])", r"\\\1", out)


def cells(line):
    """Cells of a table's row."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table(rows):
    """A definition list: the first cell is the term, the last one what is said of it, those between go in parentheses."""
    for row in rows[2:]:
        first, *between, last = cells(row)
        between = [inline(cell) for cell in between if cell not in ("", "–", "none")]
        yield inline(first) + (f" ({'; '.join(between)})" if between else "")
        yield "\t" + inline(last) + "\n"


def blocks(text):
    """Lines that belong together."""
    block = []
    for line in text.split("\n"):
        code = line.startswith("    ") or (line == "" and bool(block) and block[0].startswith("    "))
        if block and block[0].startswith("    ") and not code:
            yield block
            block = []
        if line == "" and not code:
            if block:
                yield block
            block = []
        elif line.startswith("#") and not code:
            if block:
                yield block
            yield [line]
            block = []
        else:
            block.append(line)
    if block:
        yield block


def convert(text):
    """One README."""
    for block in blocks(text):
        first = block[0]
        if first.startswith("# "):
            yield "# " + first[2:].upper() + "\n"
        elif first.startswith("## "):
            yield "## " + first[3:] + "\n"
        elif first.startswith("    "):
            lines = "\n".join(line[4:] for line in block).rstrip("\n")
            yield "```\n" + lines + "\n```\n"
        elif first.startswith("|"):
            yield from table(block)
        elif re.match(r"[-*] ", first):
            for item in re.split(r"\n[-*] ", "\n" + "\n".join(block))[1:]:
                yield "- " + inline(" ".join(item.split()))
            yield ""
        else:
            yield inline(" ".join(line.strip() for line in block)) + "\n"


def main():
    """Fills in the page."""
    page, *readmes = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        before, after = file.read().split("%manuals%\n")
    sys.stdout.write(before)
    for path in readmes:
        with open(path, encoding="utf-8") as file:
            sys.stdout.write("\n".join(convert(file.read())) + "\n")
    sys.stdout.write(after)


sys.stdout.reconfigure(encoding="utf-8")
main()
