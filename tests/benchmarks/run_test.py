"""Tests of benchmarks/run with programs that only pretend to measure."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import stat
import sys
import tempfile
import unittest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
loader = importlib.machinery.SourceFileLoader("benchmarks_run", os.path.join(REPOSITORY, "benchmarks", "run"))
harness = importlib.util.module_from_spec(importlib.util.spec_from_loader("benchmarks_run", loader))
loader.exec_module(harness)

# Values come one per run, so that an interleaving shows; every call is noted in the log.
PROTOCOL = """#!{python}
import json, sys
cases = {cases!r}
with open({log!r}, "a") as log:
    log.write({name!r} + " " + " ".join(sys.argv[1:]) + "\\n")
if "--list" in sys.argv:
    print("\\n".join(cases))
else:
    name = sys.argv[sys.argv.index("--case") + 1]
    with open({log!r}) as log:
        turn = sum(line.startswith({name!r} + " --case " + name) for line in log)
    for entry in cases[name]:
        print("some chatter")
        limit = {{"limit": {{"what": "memory bandwidth", "value": entry["limits"][turn - 1]}}}} if "limits" in entry else {{}}
        print(json.dumps({{**entry, **limit, "case": entry.get("case", name), "value": entry["values"][turn - 1]}}))
"""

GOOGLE = """#!{python}
# libbenchmark.so: what the harness looks for in a program
import json, re, sys
entries = {entries!r}
flags = dict(argument.split("=", 1) for argument in sys.argv[1:])
with open({log!r}, "a") as log:
    log.write("google " + flags.get("--benchmark_filter", "list") + "\\n")
if "--benchmark_list_tests" in flags:
    print("\\n".join(entries))
else:
    chosen = [dict(entry, name=name) for name, entry in entries.items()
              if re.search(flags["--benchmark_filter"], name)]
    print("a library that chatters")
    print(json.dumps({{"context": {{}}, "benchmarks": chosen}}))
"""


class Harness(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = os.path.join(self.folder.name, "benchmarks")
        self.build = os.path.join(self.folder.name, "build")
        self.built = os.path.join(self.build, "benchmarks", "toy")
        self.log = os.path.join(self.folder.name, "log")
        os.makedirs(os.path.join(self.root, "toy"))
        os.makedirs(self.built)
        open(os.path.join(self.root, "toy", "CMakeLists.txt"), "w").close()

    def write(self, path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def program(self, name, cases, script=False):
        path = os.path.join(self.root, "toy", name + ".py") if script else os.path.join(self.built, "toy_" + name)
        self.write(path, PROTOCOL.format(python=sys.executable, cases=cases, log=self.log, name=name))

    def google(self, entries):
        self.write(os.path.join(self.built, "toy_benchmark"),
                   GOOGLE.format(python=sys.executable, entries=entries, log=self.log))

    def run_harness(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = harness.main(["toy", "--no-build", "--root", self.root, "--build-dir", self.build, *arguments])
        rows = None
        path = os.path.join(self.build, "benchmarks", "toy.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                rows = json.load(file)
        return status, out.getvalue(), err.getvalue(), rows

    def calls(self):
        with open(self.log, encoding="utf-8") as file:
            return [line.strip() for line in file if "--list" not in line and " list" not in line]

    def test_medians_ranges_and_the_ratio_of_rates(self):
        self.program("weft", {"copy": [{"values": [10, 50, 20, 30, 40], "unit": "items/s"}]})
        self.program("peer", {"copy": [{"values": [5, 15, 10, 20, 1], "unit": "items/s"}]}, script=True)
        status, out, _, rows = self.run_harness()
        self.assertEqual(status, 0)
        self.assertEqual(len(rows), 1)
        row = rows[0]
        self.assertEqual((row["case"], row["peer"], row["weft"], row["peer_value"]), ("copy", "peer", 30, 10))
        self.assertEqual((row["unit"], row["ratio"], row["limit"]), ("items/s", 3.0, None))
        self.assertEqual((row["weft_range"], row["peer_range"], row["runs"]), ([10, 50], [1, 20], 5))
        self.assertIn("30 items/s (10..50)", out)
        self.assertRegex(out, r"\| copy +\| weft +\| peer +\|.*\| 3\.00")

    def test_runs_are_interleaved(self):
        self.program("weft", {"copy": [{"values": [1, 1], "unit": "s"}]})
        self.program("peer", {"copy": [{"values": [1, 1], "unit": "s"}]})
        self.run_harness("--runs", "2")
        self.assertEqual(self.calls(), ["weft --case copy", "peer --case copy"] * 2)

    def test_of_times_the_smaller_is_faster_whatever_their_unit(self):
        self.program("weft", {"hop": [{"values": [250], "unit": "us"}]})
        self.program("peer", {"hop": [{"values": [1], "unit": "ms"}]})
        row = self.run_harness("--runs", "1")[3][0]
        self.assertAlmostEqual(row["ratio"], 4)
        self.assertEqual((row["weft"], row["unit"]), (250, "us"))
        self.assertAlmostEqual(row["peer_value"], 1000)

    def test_other_units_may_say_that_smaller_is_better(self):
        entry = {"unit": "%", "smaller_is_better": True}
        self.program("weft", {"wait": [dict(entry, values=[2])]})
        self.program("peer", {"wait": [dict(entry, values=[10])]})
        self.assertAlmostEqual(self.run_harness("--runs", "1")[3][0]["ratio"], 5)

    def test_a_limit_is_kept_and_the_share_of_it_printed(self):
        self.program("weft", {"copy": [{"values": [50], "unit": "MB/s", "limits": [200]}]})
        _, out, _, rows = self.run_harness("--runs", "1")
        self.assertEqual(rows[0]["limit"], {"what": "memory bandwidth", "value": 200})
        self.assertIn("200 MB/s is the limit (memory bandwidth); weft is at 25 % of it", out)

    def test_each_run_is_set_against_its_own_limit(self):
        self.program("weft", {"copy": [{"values": [10, 60, 90], "unit": "MB/s", "limits": [100, 70, 300]}]})
        _, out, _, rows = self.run_harness("--runs", "3")
        self.assertEqual((rows[0]["weft"], rows[0]["limit"]["value"], rows[0]["share"]), (60, 100, 0.3))
        self.assertIn("100 MB/s is the limit (memory bandwidth); weft is at 30 % of it", out)

    def test_a_run_may_measure_more_than_its_case(self):
        self.program("weft", {"epoch": [{"values": [9], "unit": "s"},
                                        {"values": [1], "unit": "%", "case": "epoch, share of waiting"}]})
        rows = self.run_harness("--runs", "1")[3]
        self.assertEqual([(row["case"], row["weft"]) for row in rows], [("epoch", 9), ("epoch, share of waiting", 1)])

    def test_variants_of_weft_meet_every_peer(self):
        for name in ("weft", "weft_batched", "a", "b"):
            self.program(name, {"copy": [{"values": [1], "unit": "s"}]})
        rows = self.run_harness("--runs", "1")[3]
        self.assertEqual([(row["weft_runtime"], row["peer"]) for row in rows],
                         [("weft", "a"), ("weft", "b"), ("weft_batched", "a"), ("weft_batched", "b")])

    def test_a_peer_without_its_library_is_a_row_that_says_so(self):
        self.program("weft", {"copy": [{"values": [1], "unit": "s"}]})
        self.write(os.path.join(self.root, "toy", "torch.py"), "import sys\nprint('no module torch')\nsys.exit(77)\n")
        self.write(os.path.join(self.built, "libcoro.skipped"), "libcoro: no header coro/coro.hpp\n")
        status, out, _, rows = self.run_harness("--runs", "1")
        self.assertEqual(status, 0)
        self.assertEqual([(row["peer"], row["peer_value"], row["ratio"]) for row in rows],
                         [(None, None, None), ("libcoro", None, None), ("torch", None, None)])
        self.assertIn("libcoro is not installed: libcoro: no header coro/coro.hpp", out)
        self.assertIn("torch is not installed: no module torch", out)
        self.assertRegex(out, r"\| torch +\|.*\| not installed")

    def test_a_peer_that_fails_is_a_row_and_its_error_is_printed(self):
        self.program("weft", {"copy": [{"values": [1], "unit": "s"}]})
        self.write(os.path.join(self.root, "toy", "bad.py"),
                   "import sys\nif '--list' in sys.argv: print('copy')\nelse: sys.exit('it broke')\n")
        status, out, err, rows = self.run_harness("--runs", "1")
        self.assertEqual(status, 0)
        self.assertEqual(rows[0]["note"], "bad failed: exit status 1: it broke")
        self.assertIn("it broke", out)
        self.assertIn("it broke", err)

    def test_weft_failing_fails_the_harness(self):
        self.program("peer", {"copy": [{"values": [1], "unit": "s"}]})
        self.write(os.path.join(self.built, "toy_weft"), "#!/bin/sh\necho wrong >&2; exit 3\n")
        status, _, err, _ = self.run_harness("--runs", "1")
        self.assertEqual(status, 1)
        self.assertIn("exit status 3: wrong", err)

    def test_a_line_that_is_no_measurement_is_an_error(self):
        for line in ('{"case": "copy"}', '{"value": "fast", "unit": "s"}', "{broken", "nothing"):
            self.write(os.path.join(self.built, "toy_weft"),
                       f"#!/bin/sh\nif [ $1 = --list ]; then echo copy; else echo '{line}'; fi\n")
            status, _, err, _ = self.run_harness("--runs", "1")
            self.assertEqual(status, 1, line)
            self.assertIn("no measurement", err)

    def test_units_that_cannot_be_compared_have_no_ratio(self):
        self.program("weft", {"copy": [{"values": [1], "unit": "items/s"}]})
        self.program("peer", {"copy": [{"values": [1], "unit": "ms"}]})
        row = self.run_harness("--runs", "1")[3][0]
        self.assertIsNone(row["ratio"])
        self.assertIn("peer measures in ms, weft in items/s", row["note"])

    def test_google_benchmark_names_are_case_slash_runtime(self):
        self.google({"push/weft/1024/real_time": {"items_per_second": 8e6, "real_time": 1, "time_unit": "ns"},
                     "push/tbb/1024/min_time:0.5": {"items_per_second": 2e6, "real_time": 1, "time_unit": "ns"},
                     "hop/weft/threads:2": {"real_time": 1, "cpu_time": 40, "time_unit": "ns"},
                     "hop/tbb/threads:2/real_time": {"real_time": 10, "cpu_time": 2, "time_unit": "ns"}})
        status, _, _, rows = self.run_harness("--runs", "2")
        self.assertEqual(status, 0)
        self.assertEqual([(row["case"], row["peer"], row["ratio"], row["unit"]) for row in rows],
                         [("push/1024", "tbb", 4, "items/s"), ("hop/threads:2", "tbb", 0.25, "ns")])
        self.assertEqual(self.calls()[:4], ["google ^push/weft/1024/real_time$",
                                            "google ^push/tbb/1024/min_time:0\\.5$"] * 2)

    def test_google_benchmark_and_scripts_share_cases(self):
        self.google({"push/weft": {"items_per_second": 8e6, "real_time": 1, "time_unit": "ns"}})
        self.program("asyncio", {"push": [{"values": [1e5], "unit": "items/s", "version": "Python 3.11"}]}, script=True)
        _, out, _, rows = self.run_harness("--runs", "1")
        self.assertEqual([(row["peer"], row["ratio"]) for row in rows], [("asyncio", 80)])
        self.assertIn("asyncio: Python 3.11", out)

    def test_a_google_benchmark_that_reports_an_error_fails(self):
        self.google({"push/weft": {"error_occurred": True, "error_message": "lost an item"}})
        status, _, err, _ = self.run_harness("--runs", "1")
        self.assertEqual(status, 1)
        self.assertIn("lost an item", err)

    def test_quick_runs_thrice_and_tells_the_programs(self):
        self.program("weft", {"copy": [{"values": [1] * 9, "unit": "s"}]})
        _, out, _, _ = self.run_harness("--quick")
        self.assertEqual(self.calls(), ["weft --case copy --quick"] * 3)
        self.assertIn("--quick, not for comparison", out)

    def test_cases_can_be_chosen(self):
        self.program("weft", {"copy": [{"values": [1], "unit": "s"}], "move": [{"values": [1], "unit": "s"}]})
        rows = self.run_harness("--runs", "1", "--case", "mov")[3]
        self.assertEqual([row["case"] for row in rows], ["move"])
        self.assertEqual(self.run_harness("--runs", "1", "--case", "none")[0], 1)

    def test_the_machine_stands_beside_the_rows(self):
        self.program("weft", {"copy": [{"values": [1], "unit": "s", "version": "weft 9"}]})
        self.run_harness("--runs", "1")
        with open(os.path.join(self.build, "benchmarks", "toy.machine.json"), encoding="utf-8") as file:
            machine = json.load(file)
        self.assertEqual(machine["versions"], {"weft": "weft 9"})
        self.assertGreaterEqual(machine["cores"], 1)
        for key in ("cpu", "compiler", "system", "commit"):
            self.assertIn(key, machine)

    def test_an_unknown_problem_is_refused_with_the_known_ones(self):
        with contextlib.redirect_stderr(io.StringIO()) as err, self.assertRaises(SystemExit) as leave:
            harness.main(["nothing", "--root", self.root])
        self.assertEqual(leave.exception.code, 2)
        self.assertIn("no problem is called nothing; there are: toy", err.getvalue())

    def test_a_measurement_that_hangs_is_ended(self):
        self.write(os.path.join(self.built, "toy_weft"),
                   "#!/bin/sh\nif [ $1 = --list ]; then echo copy; else exec sleep 600; fi\n")
        status, _, err, _ = self.run_harness("--runs", "1", "--timeout", "0.2")
        self.assertEqual(status, 1)
        self.assertIn("no result within 0.2 s", err)


if __name__ == "__main__":
    unittest.main()
