"""What a profile of AppArmor allows with files, and what a program did with them by the words of strace.
SPDX-License-Identifier: LGPL-2.1-or-later

The kernel of a test machine need not have AppArmor: the rules are compared with what happened, as the kernel would do.
"""

import re

# One rule for files: `[owner] "/path" rw,`. `r /path,` means the same.
RULE = re.compile(r'^\s*(?:(?:owner|audit|allow)\s+)*(?:file\s+)?(?:"(?P<quoted>[^"]+)"|(?P<path>[/@][^\s]+))\s+(?P<perms>[a-zA-Z]+)\s*,')
DENY = re.compile(r'^\s*(?:audit\s+)?deny\s')
VARIABLE = re.compile(r"^\s*@\{(?P<name>\w+)\}\s*(?P<more>\+?)=\s*(?P<values>.*)$")


def _closing(text, start):
    """Where the brace that opens at `start` is closed."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise ValueError(text)


def _alternatives(text):
    """The parts between commas outside of inner braces."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def pattern(glob, variables):
    """A glob of AppArmor as the text of a regular expression."""
    out, at = "", 0
    while at < len(glob):
        if glob.startswith("@{", at):
            end = glob.index("}", at)
            # Values of folders end with a slash, and two slashes are one.
            values = [value.rstrip("/") if glob.startswith("/", end + 1) else value for value in variables[glob[at + 2:end]]]
            out += "(?:" + "|".join(pattern(value, variables) for value in values) + ")"
            at = end + 1
        elif glob[at] == "{":
            end = _closing(glob, at)
            out += "(?:" + "|".join(pattern(part, variables) for part in _alternatives(glob[at + 1:end])) + ")"
            at = end + 1
        elif glob[at] == "[":
            end = glob.index("]", at)
            out += glob[at:end + 1]
            at = end + 1
        elif glob.startswith("**", at):
            out += ".*" if out and not out.endswith("/") else ".+"
            at += 2
        elif glob[at] == "*":
            last = at + 1 == len(glob)
            out += "[^/]+" if last and out.endswith("/") else "[^/]*"
            at += 1
        elif glob[at] == "?":
            out += "[^/]"
            at += 1
        else:
            out += re.escape(glob[at])
            at += 1
    return out


class Profile:
    """The rules for files of one profile."""

    def __init__(self, text):
        """From what `apparmor_parser -p` prints: all files that it includes are in it."""
        variables, self.rules = {}, []
        for line in text.splitlines():
            line = re.sub(r"\s#.*$|^#.*$", "", line)
            if found := VARIABLE.match(line):
                values = [value.strip('"') for value in found["values"].split()]
                variables[found["name"]] = (variables.get(found["name"], []) if found["more"] else []) + values
        for line in text.splitlines():
            if not DENY.match(line) and (found := RULE.match(line)):
                self.rules.append((re.compile(pattern(found["quoted"] or found["path"], variables)), set(found["perms"])))

    def allowed(self, path):
        """The letters of what may be done with a path; those of a folder end with a slash."""
        return set().union(*(perms for glob, perms in self.rules if glob.fullmatch(path)))


CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|0x[0-9a-f]+)(?:<(?P<path>.*?)(?:<[a-z]+ \d+:\d+>)?>)?(?P<rest>.*)$")
UNFINISHED = re.compile(r"^(?P<pid>\d+) +(?P<begin>\w+\(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<end>.*)$")
# What strace is to look for.
TRACED = "openat,open,execve,clone,clone3,fork,vfork,connect,bind,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,chmod,fchmodat,chown,fchownat,flock,mmap"


def _whole_calls(lines):
    """Calls that another process interrupted in the output are put together where they began: a new process may act before the call that made it has returned."""
    calls, begun = [], {}
    for line in lines:
        if found := UNFINISHED.match(line):
            begun[found["pid"]] = len(calls)
            calls.append(f"{found['pid']} {found['begin']}")
        elif (found := RESUMED.match(line)) and found["pid"] in begun:
            calls[begun.pop(found["pid"])] += found["end"]
        else:
            calls.append(line)
    return calls


def _paths(arguments):
    """Paths among the arguments, below the folder of the descriptor before them where that says one."""
    found = []
    for folder, path in re.findall(r'(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"', arguments):
        if path:
            found.append(path if path.startswith("/") else f"{folder}/{path}")
    return found


def _opened(call):
    """What the flags of an open ask for."""
    arguments = call["arguments"]
    wanted = "rw" if "O_RDWR" in arguments else "w" if "O_WRONLY" in arguments or "O_CREAT" in arguments else "r"
    path = call["path"] or _paths(arguments)[-1]
    return path + ("/" if "O_DIRECTORY" in arguments and not path.endswith("/") else ""), wanted


def _needs(call):
    """What one call that succeeded needs: pairs of a path and letters."""
    name, arguments = call["name"], call["arguments"]
    if name in ("open", "openat"):
        return [] if "O_PATH" in arguments else [_opened(call)]
    if name == "mmap":
        found = re.search(r"PROT_EXEC.*, \d+<(/[^>]*)>", arguments)
        return [(found[1], "m")] if found else []
    if name == "flock":
        found = re.match(r"\d+<([^>]*)>, LOCK_[SE]", arguments)
        return [(found[1], "k")] if found else []
    if name == "execve":
        return [(_paths(arguments)[0], "x")]
    if name in ("connect", "bind"):
        found = re.search(r'sun_path="([^"]*)"', arguments)
        return [(found[1], "w")] if found else []
    if name in ("mkdir", "mkdirat", "rmdir"):
        return [(path.rstrip("/") + "/", "w") for path in _paths(arguments)]
    if name in ("unlink", "unlinkat", "rename", "renameat", "renameat2", "chmod", "fchmodat", "chown", "fchownat"):
        folder = "AT_REMOVEDIR" in arguments
        return [(path + "/" if folder else path, "w") for path in _paths(arguments)]
    if name in ("link", "linkat"):
        return [(_paths(arguments)[-1], "l")]
    return []


def accesses(lines, programs):
    """What those programs and their threads did with files: pairs of a path and a letter of a rule.

    @programs is a pattern of what is executed; what else a process executes ends the interest in it.
    """
    inside, done = set(), set()
    for line in _whole_calls(lines):
        call = CALL.match(line)
        if call is None or call["result"].startswith("-"):
            continue
        if call["name"] == "execve":
            # systemd itself executes the first of them; one that is executed from inside needs a rule.
            program = _paths(call["arguments"])[0]
            was_inside = call["pid"] in inside
            if re.fullmatch(programs, program):
                inside.add(call["pid"])
            else:
                inside.discard(call["pid"])
            if not was_inside:
                continue
        if call["pid"] not in inside:
            continue
        if call["name"] in ("clone", "clone3", "fork", "vfork"):
            child = re.search(r"(\d+) in strace's PID NS", call["rest"])
            inside.add(child[1] if child else call["result"])
            continue
        for path, letters in _needs(call):
            path = re.sub(r"^/var/run/", "/run/", path).replace(" (deleted)", "")
            done.update((path, letter) for letter in letters)
    return done
