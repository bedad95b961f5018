"""Reads a Chrome trace-event file with a parser that weft has no part in, checks what the format asks for, and
prints one tab-separated line per event and per entry of otherData for the C++ tests to look at."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    trace = json.load(file)

flows = {}
asynchronous = {}
for event in trace["traceEvents"]:
    phase = event["ph"]
    assert isinstance(event["name"], str), event
    assert isinstance(event["pid"], int) and isinstance(event["tid"], int), event
    if phase == "M":
        print("M", event["tid"], event["name"], event["args"]["name"].replace("\n", " "), sep="\t")
        continue
    assert event["ts"] > 0, event
    assert event["cat"] == "weft", event
    if phase == "X":
        assert event["dur"] >= 0, event
    elif phase in "be":
        asynchronous.setdefault(event["id"], []).append(phase)
    elif phase in "sf":
        flows.setdefault((event["name"], event["id"]), []).append((event["ts"], phase))
        assert phase == "s" or event["bp"] == "e", event
    elif phase == "i":
        assert event["s"] in "tpg", event
    else:
        assert phase == "C" and isinstance(event["args"]["value"], (int, float, str)), event
    print(phase, event["tid"], event["name"], event["ts"], event.get("dur", 0), event.get("id", ""),
          json.dumps(event.get("args", {})), sep="\t")

assert all(phases == ["b", "e"] for phases in asynchronous.values()), asynchronous
assert all(sorted(ends)[0][1] == "s" for ends in flows.values()), flows
for key, value in trace["otherData"].items():
    print("O", key, value, sep="\t")
