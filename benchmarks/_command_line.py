"""The command line of benchmarks in Python; README.md has what it must be."""

import argparse
import json
import platform
import sys


def missing(what):
    print(what)
    sys.exit(77)


def main(version, cases):
    """cases: name -> function(quick) -> (value, unit)"""
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case", choices=cases)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(cases))
        return
    if options.case is None:
        parser.error("--case or --list")
    value, unit = cases[options.case](options.quick)
    print(json.dumps({"case": options.case, "value": value, "unit": unit,
                      "version": version or f"Python {platform.python_version()}"}))
