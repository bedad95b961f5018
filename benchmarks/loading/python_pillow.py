#!/usr/bin/env python3
"""The same batches of images by Pillow and NumPy, two threads and no framework: one line of JSON."""

import math
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from _data import main, missing, path_of

try:
    import numpy as np
    import PIL
    from PIL import Image
except ImportError as problem:
    missing(f"python_pillow.py needs Pillow and NumPy: {problem}")

SIDE = 224
BATCH = 64
MEAN = np.array((0.485, 0.456, 0.406), np.float32).reshape(3, 1, 1)
DEVIATION = np.array((0.229, 0.224, 0.225), np.float32).reshape(3, 1, 1)


def random_area(width, height):
    """8 to 100 % of the image, sides 3:4 to 4:3, as torchvision's RandomResizedCrop chooses it."""
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1.0)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return left, top, left + w, top + h
    return 0, 0, width, height


def load(path):
    with Image.open(path) as image:
        pixels = image.convert("RGB").resize((SIDE, SIDE), Image.BILINEAR, random_area(*image.size))
    if random.random() < 0.5:
        pixels = pixels.transpose(Image.FLIP_LEFT_RIGHT)
    values = np.asarray(pixels, np.float32).transpose(2, 0, 1)
    return (values / 255 - MEAN) / DEVIATION


def epoch(quick):
    folder = path_of("images")
    files = sorted(os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    random.shuffle(files)
    wanted = (640 if quick else len(files)) // BATCH
    seen = 0
    with ThreadPoolExecutor(2) as threads:
        begin = time.perf_counter()
        images = threads.map(load, files[:wanted * BATCH])
        for _ in range(wanted):
            seen += len(np.stack([next(images) for _ in range(BATCH)]))
        taken = time.perf_counter() - begin
    if seen != wanted * BATCH:
        sys.exit("python_pillow.py: the epoch is not whole")
    return seen / taken, "samples/s"


if __name__ == "__main__":
    main(f"Pillow {PIL.__version__}", {"jpeg": epoch})
