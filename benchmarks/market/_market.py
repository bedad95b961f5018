"""What the peers of weft.cpp have in common: the market; the command line is that of all."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from _command_line import main, missing  # noqa: E402,F401

SPOT, RATE, VOLATILITY, STRIKE, YEARS = 100.0, 0.03, 0.2, 100.0, 1.0
STEPS = 252
PRICE_OF_MEAN = 5.300
THREADS = 2


def check_price(price, error):
    if abs(price - PRICE_OF_MEAN) > 4 * error + 1e-3:
        raise SystemExit(f"the price is {price} and should be {PRICE_OF_MEAN}")
