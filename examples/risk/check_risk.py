#!/usr/bin/env python3
"""Runs the example on prices of its own making, from files and over TCP, and checks what it says.

Usage: check_risk.py RISK CHECK
"""
import datetime
import math
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree

RISK = sys.argv[1]
SKIPPED = 77
NAMES = ["LOOM", "<b>&WARP"]
VOLATILITIES = [0.2, 0.4]
DAYS = 600


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def run(*arguments):
    return subprocess.run([RISK, *arguments], capture_output=True, text=True, timeout=240)


def moves():
    """(day, symbol, price), every day for both."""
    dice = random.Random(3)
    prices = [100.0, 50.0]
    for day in range(DAYS):
        for symbol, volatility in enumerate(VOLATILITIES):
            prices[symbol] *= math.exp(volatility * math.sqrt(1 / 365.25) * dice.gauss(0, 1))
            yield day, symbol, prices[symbol]


def write_prices(folder):
    first = datetime.date(2020, 1, 1)
    lines = [f"{first + datetime.timedelta(day)},{NAMES[symbol]},{price:.6f}" for day, symbol, price in moves()]
    lines.insert(100, "2020-02-20,LOOM,broken")
    path = folder / "prices.csv"
    path.write_text("\n".join(["day,name,close", *lines]) + "\n")
    return ["--feed", str(path), "--date-column", "day", "--symbol-column", "name", "--price-column", "close"]


def rows(output):
    """(simulated, error, formula) of each option in the table."""
    found = re.findall(r"(?:%|out at 80 %) +-?\d+ +[\d.]+ +([\d.]+) +([\d.]+) +([\d.]+) +-?[\d.]+\n", output)
    return [tuple(map(float, each)) for each in found]


def check_output(done, symbols):
    assert done.returncode == 0, done.stdout + done.stderr
    priced = rows(done.stdout)
    assert len(priced) == 3 * symbols, done.stdout
    for simulated, error, formula in priced:
        assert abs(simulated - formula) < 5 * error + 0.01 * formula + 1e-3, (simulated, error, formula)
    value_at_risk = float(re.search(r"value at risk, 10 days +(-?[\d.]+)", done.stdout)[1])
    shortfall = float(re.search(r"expected shortfall +(-?[\d.]+)", done.stdout)[1])
    assert shortfall > value_at_risk, done.stdout


def pictures(page):
    found = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    for each in found:
        assert "nan" not in each and "inf" not in each, each
        xml.etree.ElementTree.fromstring(each)
    return [re.search(r"aria-label='(.*?)'", each)[1] for each in found]


def check_help():
    done = run("--help")
    assert done.returncode == 0 and "--feed" in done.stdout and "Exit codes" in done.stdout, done.stdout
    assert "more than 16 symbols" in done.stdout, done.stdout


def check_usage():
    assert run("--nonsense").returncode == 2
    assert run("--live", "perhaps").returncode == 2
    assert run("--seconds", "-1").returncode == 2
    for feed, what in (("/nonexistent.csv", "/nonexistent.csv"), ("tcp:nowhere", "tcp:HOST:PORT")):
        done = run("--feed", feed)
        assert done.returncode == 1 and what in done.stderr, done.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = run("--feed", f"tcp:127.0.0.1:{free.getsockname()[1]}")
    assert done.returncode == 1 and "Connection refused" in done.stderr, done.stderr


def check_many():
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name) / "prices.csv"
        rows_of_days = [f"2020-01-{day:02},S{symbol},{100 + day % 3 + symbol}" for day in range(1, 31) for symbol in range(19)]
        path.write_text("\n".join(["date,symbol,price", *rows_of_days]) + "\n")
        done = run("--feed", str(path), "--seconds", "0", "--page", "", "--paths", "64", "--scenarios", "1000")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the first 16 symbols; 3 more are left out" in done.stdout, done.stdout
        assert "S15 " in done.stdout and "S16 " not in done.stdout, done.stdout


def check_replay():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        feed = write_prices(folder)
        page = folder / "risk.html"
        done = run(*feed, "--seconds", "0", "--page", str(page))
        check_output(done, 2)
        assert f"ticks {2 * DAYS}   refused 1 " in done.stdout and "close is 'broken'" in done.stdout, done.stdout
        for name, volatility in zip(NAMES, VOLATILITIES):
            seen = float(re.search(rf"{re.escape(name)} +[\d.]+ +([\d.]+)%", done.stdout)[1]) / 100
            assert 0.6 * volatility < seen < 1.5 * volatility, (name, seen)
        text = page.read_text()
        assert pictures(text) == ["Prices", "Losses of the book in 10 trading days", "From a price to its figures",
                                  "LOOM, simulated", "&lt;b&gt;&amp;WARP, simulated"], pictures(text)
        assert "VaR 99 %" in text and ">ES: " in text and "<b>" not in text and "http" not in text
        again = run(*feed, "--seconds", "0", "--page", "")
        assert rows(again.stdout) == rows(done.stdout)  # the same seed, the same figures
        live = run(*feed, "--seconds", "2", "--live", "always", "--page", "")
        assert rows(live.stdout)[-6:] == rows(done.stdout), live.stdout
        assert live.stdout.count("\x1b[") > 2 and int(re.findall(r"(\d+) updates", live.stdout)[-1]) > 1


def check_vega():
    done = run("--feed", "vega", "--seconds", "0", "--page", "")
    if "is not installed here" in done.stderr:
        skip("python3-vega-datasets is not installed")
    check_output(done, 5)
    assert "ticks 560   refused 0" in done.stdout, done.stdout


def check_bokeh():
    done = run("--feed", "bokeh", "--seconds", "0", "--page", "")
    if "is not installed here" in done.stderr:
        skip("bokeh-sampledata is not installed")
    check_output(done, 5)


class Feed(threading.Thread):
    """The frames of docs/market.md: what moves() gives, then the end, or nothing more but heartbeats."""

    def __init__(self, ends):
        super().__init__(daemon=True)
        self.ends = ends
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "tcp:127.0.0.1:%d" % self.listener.getsockname()[1]
        self.heard = threading.Event()
        self.start()

    @staticmethod
    def frame(kind, number, body=b""):
        return struct.pack("<IIQ", len(body), kind, number) + body

    def run(self):
        client, _ = self.listener.accept()
        with client:
            client.sendall(self.frame(1, 1, b"wefttcp1" + struct.pack("<Q", 7) + "\n".join(NAMES).encode()))
            day_ns = 86400 * 10**9
            for number, (day, symbol, price) in enumerate(moves(), 1):
                price = float("nan") if number == 9 else price
                client.sendall(self.frame(2, number, struct.pack("<IIQqd", symbol, 0, day + 1, day * day_ns, price)))
            if self.ends:
                client.sendall(self.frame(4, 2 * DAYS + 4))  # three were left out
                return
            try:
                while not self.heard.wait(0.2):
                    client.sendall(self.frame(3, 0))
            except OSError:
                pass


def check_tcp():
    done = run("--feed", Feed(True).address, "--page", "")
    check_output(done, 2)
    assert f"ticks {2 * DAYS - 1}   refused 1   missing 3 " in done.stdout, done.stdout


def check_interrupted():
    with tempfile.TemporaryDirectory() as name:
        page = pathlib.Path(name) / "risk.html"
        feed = Feed(False)
        process = subprocess.Popen([RISK, "--feed", feed.address, "--page", str(page), "--live", "always"],
                                   stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if line.startswith("value at risk"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        feed.heard.set()
        assert process.wait(60) == 0 and "the report is in" in rest, rest
        assert len(pictures(page.read_text())) == 5


def check_page():
    chromium = shutil.which("chromium")
    if chromium is None:
        skip("chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        page = folder / "risk.html"
        done = run(*write_prices(folder), "--seconds", "0", "--page", str(page))
        assert done.returncode == 0, done.stderr
        probe = ("<script>document.title = [...document.querySelectorAll('svg')].filter("
                 "s => s.getBoundingClientRect().height > 100 && s.querySelectorAll('polyline, rect').length > 0)"
                 ".length + ' pictures, ' + (document.documentElement.scrollWidth <= innerWidth ? 'fits' : 'wide')"
                 "</script></body>")
        page.write_text(page.read_text().replace("</body>", probe))
        for width in ("1300", "420"):
            drawn = subprocess.run(
                [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 f"--user-data-dir={folder}/profile", f"--window-size={width},900", "--dump-dom", f"file://{page}"],
                capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": name})
            assert "<title>5 pictures, fits</title>" in drawn.stdout, re.findall("<title>.*", drawn.stdout)


globals()[f"check_{sys.argv[2]}"]()
