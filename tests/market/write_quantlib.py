#!/usr/bin/env python3
"""Writes data/quantlib.csv, the prices that quantlib.hpp reads, with QuantLib.

Needs `pip install QuantLib`. A row: payoff, call (1) or put (-1), spot, strike, rate, dividend yield, volatility, years,
steps, barrier, price and its error, 0 for formulas. Arithmetic means are QuantLib's Monte Carlo.
"""
import itertools
import pathlib

import QuantLib as ql

DAY = ql.Date(1, 1, 2024)
COUNT = ql.Actual365Fixed()
ql.Settings.instance().evaluationDate = DAY


def process(spot, rate, dividend, volatility):
    def curve(value):
        return ql.YieldTermStructureHandle(ql.FlatForward(DAY, value, COUNT))

    surface = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(DAY, ql.NullCalendar(), volatility, COUNT))
    return ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(spot)), curve(dividend), curve(rate), surface)


def price(option, engine):
    option.setPricingEngine(engine)
    value = option.NPV()
    try:
        return value, option.errorEstimate()
    except RuntimeError:
        return value, 0.0


def payoff(sign, strike):
    return ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)


def row(kind, sign, strike, rate, dividend, volatility, years, steps, barrier):
    days = round(365 * years)
    exercise = ql.EuropeanExercise(DAY + days)
    market = process(100.0, rate, dividend, volatility)
    if kind == "european":
        result = price(ql.VanillaOption(payoff(sign, strike), exercise), ql.AnalyticEuropeanEngine(market))
    elif kind in ("geometric", "arithmetic"):
        dates = [DAY + days * (i + 1) // steps for i in range(steps)]
        mean = ql.Average.Geometric if kind == "geometric" else ql.Average.Arithmetic
        running = 1.0 if kind == "geometric" else 0.0
        option = ql.DiscreteAveragingAsianOption(mean, running, 0, dates, payoff(sign, strike), exercise)
        if kind == "geometric":
            engine = ql.AnalyticDiscreteGeometricAveragePriceAsianEngine(market)
        else:
            engine = ql.MCDiscreteArithmeticAPEngine(market, "pseudorandom", controlVariate=True, requiredSamples=200000,
                                                     seed=42)
        result = price(option, engine)
    else:
        kinds = {"up_and_in": ql.Barrier.UpIn, "up_and_out": ql.Barrier.UpOut, "down_and_in": ql.Barrier.DownIn,
                 "down_and_out": ql.Barrier.DownOut}
        option = ql.BarrierOption(kinds[kind], barrier, 0.0, payoff(sign, strike), exercise)
        result = price(option, ql.AnalyticBarrierEngine(market))
    fields = (kind, sign, 100.0, strike, rate, dividend, volatility, days / 365, steps, barrier, *result)
    return ",".join(f"{field!r}" if isinstance(field, float) else str(field) for field in fields)


def rows():
    # Years whose days fall into equal steps, because QuantLib counts in days.
    for sign, strike, volatility, years in itertools.product((1, -1), (20.0, 90.0, 100.0, 115.0, 400.0),
                                                             (0.02, 0.2, 0.9), (0.2, 2.0)):
        yield row("european", sign, strike, 0.03, 0.01, volatility, years, 1, 0.0)
    for sign, strike, volatility in itertools.product((1, -1), (90.0, 100.0, 115.0), (0.1, 0.4)):
        yield row("geometric", sign, strike, 0.03, 0.01, volatility, 1.0, 73, 0.0)
        yield row("arithmetic", sign, strike, 0.03, 0.01, volatility, 1.0, 73, 0.0)
    for sign, strike, volatility in itertools.product((1, -1), (85.0, 100.0, 125.0), (0.15, 0.35)):
        for kind in ("up_and_in", "up_and_out"):
            yield row(kind, sign, strike, 0.03, 0.01, volatility, 1.0, 365, 120.0)
        for kind in ("down_and_in", "down_and_out"):
            yield row(kind, sign, strike, 0.03, 0.01, volatility, 1.0, 365, 90.0)


def main():
    path = pathlib.Path(__file__).parent / "data" / "quantlib.csv"
    lines = [f"# QuantLib {ql.__version__}", "kind,sign,spot,strike,rate,dividend,volatility,years,steps,barrier,price,error"]
    path.write_text("\n".join([*lines, *rows()]) + "\n")


if __name__ == "__main__":
    main()
