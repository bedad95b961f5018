#!/usr/bin/env python3
"""Makes the folder of JPEGs that the case "jpeg" loads: _make_images.py FOLDER [COUNT]

Mosaics of Fashion-MNIST on slopes of colour with a photograph's grain, 256 to 500 pixels a side, quality 90, in ten
folders. The same files for the same count on every machine with the same libjpeg.
"""

import gzip
import os
import sys

try:
    import numpy as np
    from PIL import Image
except ImportError as problem:
    sys.exit(f"_make_images.py needs numpy and pillow: {problem}")

DATA = "/usr/share/datasets/fashion-mnist"


def read(name, offset):
    with gzip.open(os.path.join(DATA, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)


def slope(rng, rows, cols):
    """A smooth field of colour: a few random values, scaled up."""
    return np.asarray(Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((cols, rows), Image.BICUBIC),
                      np.float32)


def picture(rng, tiles):
    rows, cols = (int(value) for value in rng.integers(256, 501, 2))
    side = int(rng.integers(56, 140))
    across, down = cols // side + 1, rows // side + 1
    chosen = tiles[rng.integers(0, len(tiles), across * down)]
    mosaic = chosen.reshape(down, across, 28, 28).transpose(0, 2, 1, 3).reshape(down * 28, across * 28)
    mosaic = Image.fromarray(mosaic).resize((across * side, down * side), Image.BICUBIC)
    cover = np.asarray(mosaic, np.float32)[:rows, :cols, None] / 255.0
    field = slope(rng, rows, cols) * (1.0 - cover) + slope(rng, rows, cols) * cover
    field += rng.normal(0.0, 5.0, (rows, cols, 1)).astype(np.float32)
    return Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))


def main():
    folder, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 4096
    tiles = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    for label in range(10):
        os.makedirs(os.path.join(folder, str(label)), exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        picture(rng, tiles).save(os.path.join(folder, str(number % 10), f"{number:05}.jpg"), quality=90)


if __name__ == "__main__":
    main()
