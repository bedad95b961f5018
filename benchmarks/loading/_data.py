"""Where the Python peers find what _make_data.py made."""

import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from _command_line import main, missing  # noqa: E402,F401


def path_of(name):
    path = os.path.join(os.environ.get("WEFT_BENCH_DATA", ""), name)
    if not os.path.exists(path):
        missing("set WEFT_BENCH_DATA to a folder made by _make_data.py")
    return path


def drop_from_cache(path):
    files = [path] if os.path.isfile(path) else [
        os.path.join(root, name) for root, _, names in os.walk(path) for name in names]
    for file in files:
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
