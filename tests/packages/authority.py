"""An authority for certificates that speaks ACME, in the network of the machine; it takes every challenge for good.
SPDX-License-Identifier: LGPL-2.1-or-later

The argument is a folder for its files, of which ca.pem is what its own server is verified by. One line is written, the address of its directory; the
end of the standard input ends it.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from scripted_ca import ScriptedCA  # noqa: E402  # pylint: disable=wrong-import-position

if __name__ == "__main__":
    with ScriptedCA(sys.argv[1]) as authority:
        print(authority.directory_url, flush=True)
        sys.stdin.read()
