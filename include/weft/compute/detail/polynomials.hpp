#pragma once

// Elementary functions of floats, written once for one of them and for a register of them, which `Lanes` says
// how to take apart: `number` and `whole` are floats and integers of 32 bits, bits_of() and from_bits() the
// same bits as the other, to_number() and to_whole() the same value. Inlined always: what calls them is
// compiled for several instruction sets. The polynomials are those of Moshier's Cephes library (1992) and
// Taylor's.

namespace weft::detail::polynomials {

/// e^x within 2 units in the last place, of -87.4 to 88.8; above 88.72 that is infinity.
template <class Lanes>
inline __attribute__((always_inline)) typename Lanes::number exponential(typename Lanes::number x) noexcept {
  using number = typename Lanes::number;
  using whole = typename Lanes::whole;
  const float shifter = 0x1.8p23F;  // adding it rounds to the nearest integer
  const number n = (x * 1.44269504F + shifter) - shifter;
  const number r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  number p = r * (1.0F / 720.0F) + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  // 2^n in two factors: n may be 128.
  const whole all = Lanes::to_whole(n);
  const whole half = all >> 1;
  return p * Lanes::from_bits((half + 127) << 23) * Lanes::from_bits((all - half + 127) << 23);
}

/// The natural logarithm within 2 units in the last place, of x / 2^`halvings`, x being a normal positive
/// number.
template <class Lanes>
inline __attribute__((always_inline)) typename Lanes::number logarithm(
    typename Lanes::number x, typename Lanes::number halvings) noexcept {
  using number = typename Lanes::number;
  using whole = typename Lanes::whole;
  // The mantissa in [sqrt(1/2), sqrt(2)).
  const whole bits = Lanes::bits_of(x);
  const whole exponent = (bits - 0x3f3504f3) >> 23;
  const number m = Lanes::from_bits(bits - (exponent << 23)) - 1.0F;
  const number e = Lanes::to_number(exponent) - halvings;
  const number z = m * m;
  number p = m * 7.0376836292e-2F - 1.1514610310e-1F;
  p = p * m + 1.1676998740e-1F;
  p = p * m - 1.2420140846e-1F;
  p = p * m + 1.4249322787e-1F;
  p = p * m - 1.6668057665e-1F;
  p = p * m + 2.0000714765e-1F;
  p = p * m - 2.4999993993e-1F;
  p = p * m + 3.3333331174e-1F;
  return m + (p * m * z - e * 2.12194440e-4F - 0.5F * z) + e * 0.693359375F;
}

}  // namespace weft::detail::polynomials
