"""The environment of somebody who reads German.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import atexit
import functools
import pathlib
import shutil
import tempfile


@functools.cache
def german():
    """Variables for a program. The C library translates nothing in the locale C.UTF-8 (since 2.39), so its files get a name of a country:
    no locale need be installed for that. What the C library itself loses on the way, when a library of others asks it, is not our leak."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="detour-locale-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "de_DE.utf8").symlink_to("/usr/lib/locale/C.utf8")
    known = folder / "known-leaks"
    known.write_text("leak:newlocale\n")
    return {"LOCPATH": str(folder), "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "LSAN_OPTIONS": f"suppressions={known}:print_suppressions=0"}
