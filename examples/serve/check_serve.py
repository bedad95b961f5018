#!/usr/bin/env python3
"""Runs the example on a small data set of its own making and checks what it answers.

Usage: check_serve.py SERVER LOAD CHECK
"""
import gzip
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

SERVER, LOAD = sys.argv[1:3]
CLASSES = 10
SIDE = 28
SKIPPED = 77
# Where the outside clients may be, besides the Python that runs this.
PYTHONS = [os.environ.get("WEFT_BENCH_PYTHON"), sys.executable, "/opt/peers/bin/python"]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def idx(values, extents):
    return bytes([0, 0, 8, len(extents)]) + b"".join(struct.pack(">I", n) for n in extents) + values


def make_data(folder):
    """Images of one bright band a class, with noise: easy to learn, not trivial."""
    dice = random.Random(1)
    for part, count in (("train", 2000), ("t10k", 100)):
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


class Server:
    """The server on a free port, with a network that it trains."""

    def __init__(self, *arguments):
        self.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(self.folder.name)
        make_data(root)
        self.process = subprocess.Popen(
            [SERVER, "--data", str(root), "--weights", str(root / "none"), "--port", "0", *arguments],
            stdout=subprocess.PIPE, text=True)
        self.output = []
        for line in self.process.stdout:
            self.output.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
            if found:
                self.port = int(found[1])
                return
        raise AssertionError(f"the server did not start: {self.output}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.process.stdout.close()
        self.folder.cleanup()

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.read().decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stdout.read()
        return self.process.wait(60), rest


def check_help():
    for program in (SERVER, LOAD):
        done = subprocess.run([program, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and "--port" in done.stdout, done.stdout


def check_usage():
    for program in (SERVER, LOAD):
        assert subprocess.run([program, "--nonsense"], capture_output=True).returncode == 2
    done = subprocess.run([SERVER, "--data", "/nonexistent"], capture_output=True, text=True)
    assert done.returncode == 1 and "/nonexistent" in done.stderr, done.stderr


def check_serve():
    with Server() as server:
        assert "page.js" in server.get("/")
        samples = json.loads(server.get("/samples.json"))
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        right = 0
        for sample in samples["samples"]:
            connection.request("POST", "/predict", json.dumps({"input": sample["pixels"]}),
                               {"Content-Type": "application/json"})
            shares = json.loads(connection.getresponse().read())["output"]
            assert abs(sum(shares) - 1) < 1e-3, shares
            right += shares.index(max(shares)) == sample["label"]
        assert right > 0.8 * len(samples["samples"]), f"{right} of {len(samples['samples'])} are right"
        for arguments in ([], ["--binary"], ["--rate", "200"]):
            done = subprocess.run([LOAD, "--port", str(server.port), "--connections", "8", "--seconds", "1",
                                   "--warm-up", "0", "--json", *arguments], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            found = json.loads(done.stdout)
            assert found["statuses"]["200"] > 0 and found["p99_ms"] > 0, found
        assert 'nv_inference_request_success{model="fashion",version="1"}' in server.get("/metrics")
        connection.close()
        code, rest = server.stop()
        assert code == 0 and "every request has been answered" in rest, (code, rest)


def check_terminate():
    """SIGTERM under load: whoever was heard is answered."""
    with Server("--threads", "2") as server:
        body = json.dumps({"input": [0] * (SIDE * SIDE)})
        lost, answered, signalled = [], [], []

        def client():
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            while True:
                sent = None
                try:
                    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                    sent = time.monotonic()
                    answer = connection.getresponse()
                    answer.read()
                except (http.client.HTTPException, OSError) as failure:
                    # An open connection has half a second for one more request, which a busy machine may miss.
                    if not signalled or (sent or time.monotonic()) - signalled[0] < 0.25:
                        lost.append(failure)
                    return
                if answer.status != 200:
                    lost.append(answer.status)
                answered.append(1)
                if answer.getheader("Connection") == "close":
                    return

        clients = [threading.Thread(target=client) for _ in range(8)]
        for each in clients:
            each.start()
        while len(answered) < 50:
            time.sleep(0.001)
        signalled.append(time.monotonic())
        code, _ = server.stop()
        for each in clients:
            each.join()
        assert code == 0 and not lost, (code, lost)


def python_with(module):
    for python in PYTHONS:
        if python and shutil.which(python) and subprocess.run(
                [python, "-c", f"import {module}"], capture_output=True).returncode == 0:
            return python
    return skip(f"no Python here has {module}")


def check_tritonclient():
    python = python_with("tritonclient.http")
    script = pathlib.Path(__file__).with_name("check_tritonclient.py")
    with Server() as server:
        done = subprocess.run([python, str(script), f"127.0.0.1:{server.port}"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout)


def check_perf_analyzer():
    places = [shutil.which("perf_analyzer"), "/opt/peers/bin/perf_analyzer"]
    program = next((place for place in places if place and os.access(place, os.X_OK)), None)
    if program is None:
        skip("perf_analyzer is not installed")
    with Server() as server:
        done = subprocess.run(
            [program, "-m", "fashion", "-u", f"127.0.0.1:{server.port}", "--service-kind", "triton", "-b", "1",
             "--concurrency-range", "2", "--measurement-mode", "count_windows", "--measurement-request-count", "50",
             "--stability-percentage", "999", "--max-trials", "3"], capture_output=True, text=True, timeout=240)
        print(done.stdout, done.stderr)
        if "cannot open shared object" in done.stderr:
            skip("perf_analyzer cannot run here")
        assert done.returncode == 0 and "Throughput:" in done.stdout


class Browser:
    """Chromium without a window, through chromedriver."""

    def __init__(self):
        driver = shutil.which("chromedriver")
        if driver is None or shutil.which("chromium") is None:
            skip("chromium and chromedriver are not installed")
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            found = re.search(r"successfully on port (\d+)", line)
            if found:
                self.base = f"http://127.0.0.1:{found[1]}/session"
                break
        self.base += "/" + self.command("POST", "", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]}}}})["sessionId"]

    def command(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode() if body is not None else None,
                                         {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def run(self, script):
        return self.command("POST", "/execute/sync", {"script": script, "args": []})

    def wait(self, script):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"never true: {script}")

    def close(self):
        try:
            self.command("DELETE", "")
        finally:
            self.process.terminate()
            self.process.wait(60)
            self.process.stdout.close()


def check_page():
    with Server() as server:
        browser = Browser()
        try:
            browser.command("POST", "/url", {"url": f"http://127.0.0.1:{server.port}/"})
            browser.wait("return document.querySelectorAll('#samples canvas').length > 9")
            wanted = browser.run("const each = document.querySelectorAll('#samples canvas')[3]; each.click();"
                                 "return each.title")
            answer = browser.wait("return document.getElementById('latency').textContent.includes('ms')"
                                  " && document.getElementById('answer').textContent")
            assert answer == wanted, (answer, wanted)
            # A garment that is drawn.
            browser.run("document.getElementById('clear').click(); document.getElementById('answer').textContent = ''")
            box = browser.run("const box = document.getElementById('drawing').getBoundingClientRect();"
                              "return [box.left, box.top]")
            move = lambda x, y: {"type": "pointerMove", "duration": 20, "x": round(box[0] + x), "y": round(box[1] + y)}
            browser.command("POST", "/actions", {"actions": [{
                "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                "actions": [move(60, 60), {"type": "pointerDown", "button": 0}, move(220, 60), move(220, 220),
                            {"type": "pointerUp", "button": 0}]}]})
            browser.wait("return document.getElementById('answer').textContent !== ''")
            # Many at once share batches, and the page shows it.
            browser.run("document.getElementById('many').click()")
            browser.wait("return [...document.querySelectorAll('#batches tr')]"
                         ".some((row) => Number(row.cells[0].textContent) > 1)")
        finally:
            browser.close()


globals()[f"check_{sys.argv[3]}"]()
