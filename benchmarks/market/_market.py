"""What the peers of weft.cpp have in common: the market, the cases and the command line."""

import argparse
import json
import platform
import sys

SPOT, RATE, VOLATILITY, STRIKE, YEARS = 100.0, 0.03, 0.2, 100.0, 1.0
STEPS = 252
PRICE_OF_MEAN = 5.300
THREADS = 2


def missing(what):
    print(what)
    sys.exit(77)


def check_price(price, error):
    if abs(price - PRICE_OF_MEAN) > 4 * error + 1e-3:
        raise SystemExit(f"the price is {price} and should be {PRICE_OF_MEAN}")


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
