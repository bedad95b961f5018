#!/usr/bin/env python3
"""Batches by PyTorch's DataLoader: raw records from memory, and JPEG files by torchvision.

Prints one line of JSON: the best of num_workers 0, 2 and, for files, 4. Data, batch sizes and checks are those of
weft.cpp.
"""

import argparse
import gzip
import json
import os
import sys
import time

from _data import drop_from_cache, missing, path_of

try:
    import numpy as np
    import torch
except ImportError as problem:
    missing(f"pytorch.py needs torch and numpy: {problem}")

FOLDER = "/usr/share/datasets/fashion-mnist"


class Records(torch.utils.data.Dataset):
    def __init__(self):
        images = os.path.join(FOLDER, "train-images-idx3-ubyte.gz")
        if os.path.exists(images):
            with gzip.open(images) as file:
                pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784).copy()
            with gzip.open(os.path.join(FOLDER, "train-labels-idx1-ubyte.gz")) as file:
                labels = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int32)
        else:
            pixels = (np.arange(60000 * 784, dtype=np.uint64) * 31).astype(np.uint8).reshape(-1, 784)
            labels = np.zeros(60000, np.int32)
        self.pixels, self.labels = torch.from_numpy(pixels), torch.from_numpy(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.pixels[index], self.labels[index]


def epoch(samples, batch, workers, wanted_batches):
    """Samples per second of one epoch, workers already started."""
    options = {"persistent_workers": True} if workers else {}
    loader = torch.utils.data.DataLoader(samples, batch, shuffle=True, num_workers=workers, drop_last=True, **options)
    if workers:
        next(iter(loader))
    begin = time.perf_counter()
    seen = made = 0
    for values, _ in loader:
        seen += len(values)
        made += 1
        if made == wanted_batches:
            break
    taken = time.perf_counter() - begin
    if made != wanted_batches or seen != wanted_batches * batch:
        sys.exit("pytorch.py: the epoch is not whole")
    return seen / taken


def cold_epoch(samples, batch, wanted_batches):
    """Samples per second from the start of two workers."""
    begin = time.perf_counter()
    made = 0
    for _ in torch.utils.data.DataLoader(samples, batch, shuffle=True, num_workers=2, drop_last=True):
        made += 1
        if made == wanted_batches:
            break
    return made * batch / (time.perf_counter() - begin)


def images():
    try:
        import torchvision
        from torchvision import transforms
    except ImportError as problem:
        missing(f"pytorch.py needs torchvision for this case: {problem}")
    steps = [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
             transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    return torchvision.datasets.ImageFolder(path_of("images"), transforms.Compose(steps))


def first_batch():
    """Seconds until the first batch is there, by two workers."""
    samples = images()
    begin = time.perf_counter()
    next(iter(torch.utils.data.DataLoader(samples, 64, shuffle=True, num_workers=2)))
    return time.perf_counter() - begin


def queue(wanted_batches):
    """Batches per second of a trainer whose step takes 0.08 s, loading on another core, ten batches between them."""
    torch.set_num_threads(1)
    batches = torch.utils.data.DataLoader(images(), 64, shuffle=True, num_workers=1, prefetch_factor=10, drop_last=True)
    made, begin = 0, None
    while made < wanted_batches:
        for values, _ in batches:
            begin = begin or time.perf_counter()
            until = time.perf_counter() + 0.08
            while time.perf_counter() < until:
                values.view(-1)[:65536].sum()
            made += 1
            if made == wanted_batches:
                break
    return made / (time.perf_counter() - begin)


def memory(wanted_batches):
    """The most bytes in memory over all processes, by two workers."""
    most = made = 0
    for _ in torch.utils.data.DataLoader(images(), 64, shuffle=True, num_workers=2):
        made += 1
        if made % 8 == 0:
            children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
            total = 0
            for process in [str(os.getpid())] + children:
                with open(f"/proc/{process}/smaps_rollup") as file:
                    total += sum(1024 * int(line.split()[1]) for line in file if line.startswith("Pss:"))
            most = max(most, total)
        if made == wanted_batches:
            break
    return most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case", default="records")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    if chosen.list:
        print("records\njpeg\njpeg_cold\nfirst_batch\nmemory\nqueue")
        return
    torch.set_num_threads(2)
    line = {"case": chosen.case, "unit": "samples/s", "version": f"PyTorch {torch.__version__}"}
    if chosen.case == "jpeg":
        samples = images()
        wanted = (640 if chosen.quick else len(samples)) // 64
        line["value"] = max(epoch(samples, 64, workers, wanted) for workers in ((2,) if chosen.quick else (0, 2, 4)))
    elif chosen.case == "jpeg_cold":
        samples = images()
        drop_from_cache(samples.root)
        line["value"] = cold_epoch(samples, 64, (640 if chosen.quick else len(samples)) // 64)
    elif chosen.case == "first_batch":
        line |= {"value": first_batch(), "unit": "s"}
    elif chosen.case == "queue":
        line |= {"value": queue(15 if chosen.quick else 100), "unit": "batches/s"}
    elif chosen.case == "memory":
        line |= {"value": memory(16 if chosen.quick else 64), "unit": "bytes", "smaller_is_better": True}
    else:
        samples = Records()
        line["value"] = max(epoch(samples, 128, workers, len(samples) // 128) for workers in (0, 2))
    print(json.dumps(line))


if __name__ == "__main__":
    main()
