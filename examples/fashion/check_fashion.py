#!/usr/bin/env python3
"""Runs the example on a small data set of its own making and checks what it prints and writes.

Usage: check_fashion.py PROGRAM CHECK
"""
import csv
import gzip
import html.parser
import json
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
CLASSES = 10
SIDE = 28
TRAIN = 600
TEST = 200


def idx(values, extents):
    return bytes([0, 0, 8, len(extents)]) + b"".join(struct.pack(">I", n) for n in extents) + values


def make_data(folder):
    """Images of one bright band a class, with noise: easy to learn, not trivial."""
    dice = random.Random(1)
    for part, count in (("train", TRAIN), ("t10k", TEST)):
        labels = bytes(i % CLASSES for i in range(count))
        pixels = bytearray()
        for label in labels:
            for row in range(SIDE):
                bright = 150 if row // 2 == label + 2 else 40
                pixels += bytes(bright + dice.randrange(100) for _ in range(SIDE))
        for name, content in (
            (f"{part}-images-idx3-ubyte.gz", idx(bytes(pixels), (count, SIDE, SIDE))),
            (f"{part}-labels-idx1-ubyte.gz", idx(labels, (count,))),
        ):
            (folder / name).write_bytes(gzip.compress(content, mtime=0))


class Folders:
    def __init__(self, root):
        self.data = root / "data"
        self.out = root / "out"
        self.data.mkdir()
        make_data(self.data)

    def command(self, *arguments, out=None):
        return [PROGRAM, "--data", str(self.data), "--out", str(out or self.out), *arguments]

    def run(self, *arguments, out=None, expect=0):
        done = subprocess.run(self.command(*arguments, out=out), capture_output=True, text=True)
        assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Page(html.parser.HTMLParser):
    """Collects the embedded data and every reference to something outside the page."""

    def __init__(self, text):
        super().__init__()
        self.references = []
        self.script = None
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.references += [value for name, value in attributes if name in ("src", "href")]
        self.script = dict(attributes).get("id") if tag == "script" else None

    def handle_data(self, data):
        if self.script == "data":
            self.data += data


def read_page(path):
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not page.references, page.references
    without_namespaces = text.replace("http://www.w3.org/2000/svg", "")
    assert "http://" not in without_namespaces and "https://" not in without_namespaces
    assert "{{" not in text.split("<script")[0], "a part of the page was not filled in"
    return text, json.loads(page.data)


def read_weights(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    return {name: entry for name, entry in header.items() if name != "__metadata__"}


def check_help(folders):
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for option in ("--epochs", "--batch-size", "--lr", "--threads", "--device", "--network", "--data", "--seed", "--experiments",
                   "--experiment-epochs", "--limit", "--out"):
        assert option in done.stdout, f"{option} is not explained"


def check_usage(folders):
    for wrong in (["--epochs", "0"], ["--epochs", "many"], ["--lr", "-1"], ["--batch-size", "0"], ["--threads", "-1"],
                  ["--nonsense"], ["--experiments", "-1"], ["--device", "tpu"], ["--network", "deep"], ["surplus"]):
        done = folders.run(*wrong, expect=2)
        assert done.stderr, f"{wrong}: no message"
        assert not folders.out.exists(), f"{wrong}: something was written"


def check_train(folders):
    done = folders.run("--epochs", "3", "--batch-size", "64", "--experiments", "0", "--threads", "2")
    assert len(re.findall(r"^epoch +\d/3 ", done.stdout, re.M)) == 3, done.stdout
    assert "\x1b" not in done.stdout and "\r" not in done.stdout, "a redirected output has terminal sequences"
    assert f"report: {folders.out / 'report.html'}" in done.stdout, done.stdout
    table = rows(folders.out / "results.csv")
    assert len(table) == 1 and table[0]["run"] == "main" and table[0]["state"] == "finished", table
    assert float(table[0]["test_accuracy"]) > 0.9, table
    losses = rows(folders.out / "losses.csv")
    steps = 3 * -(-TRAIN // 64)
    assert [int(row["step"]) for row in losses] == list(range(1, steps + 1))
    assert float(losses[-1]["loss"]) < 0.5 * float(losses[0]["loss"])
    shapes = {name: entry["shape"] for name, entry in read_weights(folders.out / "weights.safetensors").items()}
    assert shapes["layers.0.weight"] == [784, 256] and shapes["layers.2.bias"] == [10], shapes
    # Two convolutions learn it too.
    folders.run("--epochs", "3", "--batch-size", "50", "--experiments", "0", "--network", "convolution")
    assert float(rows(folders.out / "results.csv")[0]["test_accuracy"]) > 0.9
    shapes = {name: entry["shape"] for name, entry in read_weights(folders.out / "weights.safetensors").items()}
    assert shapes["layers.1.weight"] == [32, 16, 3, 3] and shapes["layers.2.weight"] == [1568, 128], shapes
    # Fewer images, fewer steps.
    folders.run("--epochs", "1", "--batch-size", "64", "--experiments", "0", "--limit", "100")
    assert len(rows(folders.out / "losses.csv")) == 2


def check_determinism(folders):
    def losses(name, *arguments):
        out = folders.out.with_name(name)
        folders.run("--epochs", "2", "--batch-size", "50", "--experiments", "0", *arguments, out=out)
        return (out / "losses.csv").read_bytes(), (out / "weights.safetensors").read_bytes()

    one = losses("one", "--threads", "1")
    assert one == losses("two", "--threads", "2"), "one and two threads give different losses or weights"
    assert one == losses("three", "--threads", "3"), "one and three threads give different losses or weights"
    narrow = losses("narrow", "--threads", "1", "--network", "convolution")
    assert narrow == losses("wide", "--threads", "2", "--network", "convolution"), "convolutions depend on the threads"
    assert one[0] != losses("seed", "--threads", "1", "--seed", "2")[0], "the seed changes nothing"


def check_experiments(folders):
    done = folders.run("--epochs", "1", "--experiments", "12", "--experiment-epochs", "1", "--threads", "2")
    assert len(re.findall(r"^experiment +\d+ ", done.stdout, re.M)) == 12, done.stdout
    table = rows(folders.out / "results.csv")[1:]
    assert len(table) == 12 and all(row["state"] == "finished" for row in table), table
    grid = {(row["learning_rate"], row["batch_size"], row["seed"]) for row in table}
    assert grid == {(rate, size, seed) for rate in ("0.001", "0.0005") for size in ("32", "64", "128")
                    for seed in ("1", "2")}, grid
    ranked = [float(value) for value in re.findall(r"^ +\d+ +0\.\d+ +\d+ +\d+ +(0\.\d+|1\.0+) ", done.stdout, re.M)]
    assert len(ranked) == 12 and ranked == sorted(ranked, reverse=True), done.stdout
    by_thread = {}
    for row in table:
        by_thread.setdefault(row["thread"], []).append((float(row["start"]), float(row["end"])))
    assert set(by_thread) <= {"0", "1"}, by_thread
    for spans in by_thread.values():
        spans.sort()
        assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:])), "two at once on one thread"
    # The result of an experiment does not depend on what runs beside it.
    folders.run("--epochs", "1", "--experiments", "12", "--experiment-epochs", "1", "--threads", "1")
    again = rows(folders.out / "results.csv")[1:]
    assert [row["test_loss"] for row in again] == [row["test_loss"] for row in table]


def interrupt(folders, number, expect):
    process = subprocess.Popen(folders.command("--epochs", "100000", "--experiments", "2"), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("epoch"):
            break
    process.send_signal(number)
    _, messages = process.communicate(timeout=120)
    assert process.returncode == expect, f"exit code {process.returncode}\n{messages}"
    assert "stopped by" in messages, messages
    table = rows(folders.out / "results.csv")
    assert table[0]["state"] == "stopped" and len(table) == 3, table
    assert all(row["state"] == "not started" for row in table[1:]), table
    assert 0.0 <= float(table[0]["test_accuracy"]) <= 1.0
    assert rows(folders.out / "losses.csv")
    assert read_weights(folders.out / "weights.safetensors")
    text, _ = read_page(folders.out / "report.html")
    assert "Stopped by" in text


def check_interrupt(folders):
    interrupt(folders, signal.SIGINT, 130)
    # In the middle of the experiments.
    process = subprocess.Popen(
        folders.command("--epochs", "1", "--experiments", "200", "--experiment-epochs", "1000", "--threads", "2"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "experiments of" in line:
            break
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 130, f"exit code {process.returncode}\n{messages}"
    table = rows(folders.out / "results.csv")
    assert table[0]["state"] == "finished" and len(table) == 201, table[0]
    assert {row["state"] for row in table[1:]} <= {"stopped", "not started"}
    read_page(folders.out / "report.html")


def check_terminate(folders):
    interrupt(folders, signal.SIGTERM, 143)


def check_bad_data(folders):
    def message(expect=1):
        done = folders.run("--epochs", "1", "--experiments", "0", expect=expect)
        assert not (folders.out / "report.html").exists()
        return done.stderr

    labels = folders.data / "train-labels-idx1-ubyte.gz"
    whole = labels.read_bytes()
    labels.write_bytes(whole[: len(whole) - 9])
    assert f"{labels}: byte {len(whole) - 9}: " in message(), "truncated"
    damaged = bytearray(whole)
    damaged[-8] ^= 1
    labels.write_bytes(damaged)
    assert f"{labels}: byte {len(whole) - 4}: " in message(), "corrupt"
    labels.write_bytes(gzip.compress(idx(bytes([10] * TRAIN), (TRAIN,))))
    assert "label of image 0 is 10" in message(), "label"
    labels.write_bytes(gzip.compress(idx(bytes(7), (7,))))
    assert "7 labels" in message(), "counts"
    labels.unlink()
    assert f"{labels}: cannot open: No such file" in message(), "missing"
    done = folders.run(out="/dev/null/out", expect=1)
    assert "/dev/null/out: cannot create the folder" in done.stderr, done.stderr


def check_report(folders):
    folders.run("--epochs", "2", "--batch-size", "32", "--experiments", "3", "--experiment-epochs", "1", "--lr", "2e-4")
    text, data = read_page(folders.out / "report.html")
    assert text.startswith("<!DOCTYPE html>")
    assert len(data["losses"]) == 2 * data["stepsPerEpoch"] == 2 * -(-TRAIN // 32)
    assert len(data["epochs"]) == 2 and len(data["experiments"]) == 3
    assert sum(map(sum, data["confusion"])) == TEST
    wrong = sum(count for i, row in enumerate(data["confusion"]) for j, count in enumerate(row) if i != j)
    assert (wrong > 0) == (len(data["mistakes"]) > 0)
    assert all(entry["label"] != entry["predicted"] for entry in data["mistakes"])
    # A folder's name cannot break out of the page.
    evil = folders.data / "<b>&'\"</b><" / "script><b>"
    evil.mkdir(parents=True)
    for file in folders.data.glob("*.gz"):
        file.rename(evil / file.name)
    folders.data = evil
    folders.run("--epochs", "1", "--experiments", "0")
    text, data = read_page(folders.out / "report.html")
    assert dict(data["settings"])["data"] == str(evil)
    assert "<b>" not in text and "&lt;b&gt;" in text


with tempfile.TemporaryDirectory(prefix="weft-fashion-") as name:
    globals()[f"check_{sys.argv[2]}"](Folders(pathlib.Path(name).resolve()))
