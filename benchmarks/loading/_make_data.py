#!/usr/bin/env python3
"""Makes what all cases but "records" load: _make_data.py FOLDER [IMAGES] [ROWS]

FOLDER/images: mosaics of Fashion-MNIST on slopes of colour with a photograph's grain, 256 to 500 pixels a side, quality
90, in ten folders. FOLDER/images.tar: the same with labels, as WebDataset has it. FOLDER/table.csv: nine columns, 72 bytes
a row. The same arguments make the same files on every machine with the same libjpeg.
"""

import gzip
import io
import os
import sys
import tarfile

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


def make_images(folder, count):
    tiles = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    for label in range(10):
        os.makedirs(os.path.join(folder, str(label)), exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        picture(rng, tiles).save(os.path.join(folder, str(number % 10), f"{number:05}.jpg"), quality=90)


def make_tar(folder, count, path):
    with tarfile.open(path, "w") as shard:
        for number in range(count):
            shard.add(os.path.join(folder, str(number % 10), f"{number:05}.jpg"), f"{number:05}.jpg")
            label = tarfile.TarInfo(f"{number:05}.cls")
            label.size = 1
            shard.addfile(label, io.BytesIO(str(number % 10).encode()))


def make_table(path, rows):
    rng = np.random.default_rng(0)
    fruits = ("apple", "pear", "plum", "cherry tree")
    with open(path, "w") as file:
        file.write("id,count,open,high,low,close,volume,weight,fruit\n")
        for _ in range(0, rows, 10000):
            numbers, prices = rng.integers(0, 10**6, (10000, 2)), rng.normal(100.0, 20.0, (10000, 6))
            kinds = rng.integers(0, 4, 10000)
            file.writelines(
                f"{a},{b}," + ",".join(f"{price:.4f}" for price in row) + f",{fruits[kind]}\n"
                for (a, b), row, kind in zip(numbers.tolist(), prices.tolist(), kinds.tolist()))


def main():
    folder = sys.argv[1]
    images, rows = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 4096), (3, 7_000_000)))
    make_images(os.path.join(folder, "images"), images)
    make_tar(os.path.join(folder, "images"), images, os.path.join(folder, "images.tar"))
    make_table(os.path.join(folder, "table.csv"), rows)


if __name__ == "__main__":
    main()
