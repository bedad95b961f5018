"""What tqdm costs per update, for the case `progress` of weft.cpp."""

import argparse
import json
import sys
import time

try:
    import tqdm
except ImportError:
    print("tqdm: pip install tqdm")
    sys.exit(77)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--list", action="store_true")
parser.add_argument("--case", choices=["progress"])
parser.add_argument("--quick", action="store_true")
arguments = parser.parse_args()
if arguments.list:
    print("progress")
    sys.exit(0)

count = 200_000 if arguments.quick else 2_000_000
with open("/dev/null", "w") as nowhere, tqdm.tqdm(total=count, file=nowhere) as bar:
    start = time.perf_counter_ns()
    for _ in range(count):
        bar.update(1)
    passed = time.perf_counter_ns() - start
print(json.dumps({"case": "progress", "value": passed / count, "unit": "ns", "version": f"tqdm {tqdm.__version__}"}))
