"""The paths of weft.cpp with QuantLib's Monte Carlo engine, which has one thread."""

import time

import _market as common

try:
    import QuantLib as ql
except ImportError:
    common.missing("QuantLib: pip install QuantLib")


def paths(quick):
    count = 20_000 if quick else 200_000
    day = ql.Date(1, 1, 2024)
    ql.Settings.instance().evaluationDate = day
    year = ql.Actual360()
    times = [day + i + 1 for i in range(common.STEPS)]
    scale = 360 / common.STEPS * common.YEARS  # the last step ends after so many years of 360 days

    def flat(rate):
        return ql.YieldTermStructureHandle(ql.FlatForward(day, rate * scale, year))

    volatility = ql.BlackConstantVol(day, ql.NullCalendar(), common.VOLATILITY * scale**0.5, year)
    market = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(common.SPOT)), flat(0.0), flat(common.RATE),
                                          ql.BlackVolTermStructureHandle(volatility))
    option = ql.DiscreteAveragingAsianOption(ql.Average.Arithmetic, 0.0, 0, times,
                                             ql.PlainVanillaPayoff(ql.Option.Call, common.STRIKE),
                                             ql.EuropeanExercise(times[-1]))
    option.setPricingEngine(ql.MCDiscreteArithmeticAPEngine(market, "pseudorandom", requiredSamples=count, seed=1))
    start = time.perf_counter()
    price = option.NPV()
    passed = time.perf_counter() - start
    common.check_price(price, option.errorEstimate())
    return count * common.STEPS / passed, "path-steps/s"


if __name__ == "__main__":
    common.main(f"QuantLib {ql.__version__}", {"paths/one-thread": paths})
