#!/usr/bin/env python3
"""cat of a tar shard to /dev/null: one line of JSON."""

import os
import subprocess
import time

from _data import drop_from_cache, main, path_of


def cat(path, times):
    begin = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        subprocess.run(["cat"] + times * [path], stdout=nowhere, check=True)
    return times * os.path.getsize(path) / (time.perf_counter() - begin), "bytes/s"


def warm(quick):
    return cat(path_of("images.tar"), 10)


def cold(quick):
    path = path_of("images.tar")
    drop_from_cache(path)
    return cat(path, 1)


if __name__ == "__main__":
    main("cat", {"tar": warm, "tar_cold": cold})
