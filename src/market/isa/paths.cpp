#include <compute/isa/math.hpp>
#include <market/path_kernels.hpp>

namespace weft::detail::WEFT_ISA {

namespace {

typedef std::uint32_t uvec __attribute__((vector_size(lanes * sizeof(std::uint32_t))));
typedef std::uint64_t wide __attribute__((vector_size(lanes * sizeof(std::uint32_t))));

// The product of the lower halves of each 64-bit lane.
inline __attribute__((always_inline)) wide multiply_low(wide a, std::uint64_t b) {
#if defined(__AVX512F__)
  // With a mask of ones, because GCC 12 takes the unmasked one's undefined register for a mistake.
  return reinterpret_cast<wide>(_mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a),
                                                       _mm512_set1_epi64(static_cast<long long>(b))));
#elif defined(__AVX2__)
  return reinterpret_cast<wide>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), _mm256_set1_epi64x(static_cast<long long>(b))));
#else
  return reinterpret_cast<wide>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), _mm_set1_epi64x(static_cast<long long>(b))));
#endif
}

// Four words of as many blocks as half a register has lanes; the upper half of each 64-bit lane is anything,
// because the products do not look at it.
struct half_blocks {
  wide word[4];
};

inline __attribute__((always_inline)) void philox_round(half_blocks& at, std::uint64_t key0,
                                                        std::uint64_t key1) {
  const wide first = multiply_low(at.word[0], 0xD2511F53U);
  const wide second = multiply_low(at.word[2], 0xCD9E8D57U);
  at.word[0] = (second >> 32) ^ at.word[1] ^ key0;
  at.word[1] = second;
  at.word[2] = (first >> 32) ^ at.word[3] ^ key1;
  at.word[3] = first;
}

// Box and Muller (1958): a radius from 31 bits, so that there are normals up to 6.6, an angle from 24.
inline __attribute__((always_inline)) void normal_pair(uvec one, uvec other, vec& first, vec& second) {
  const vec uniform = (__builtin_convertvector(reinterpret_cast<ivec>(one >> 1), vec) + 0.5F) * 0x1p-31F;
  // From 0, because -2 log 1 is -0, of which root() takes no root.
  const vec radius = root(vec{} - 2.0F * logarithm_of_normal(uniform));
  const vec turns = __builtin_convertvector(reinterpret_cast<ivec>(other >> 8), vec) * 0x1p-24F;
  vec sine{};
  vec cosine{};
  sine_and_cosine(turns, sine, cosine);
  first = radius * cosine;
  second = radius * sine;
}

// The paths of a register: lane i is path first + i.
class path_numbers {
 public:
  path_numbers(const std::uint32_t* seed, size first) {
    key_[0] = seed[0];
    key_[1] = seed[1];
    for (int lane = 0; lane < lanes / 2; ++lane) {
      const auto path = static_cast<std::uint64_t>(first) + 2 * static_cast<std::uint64_t>(lane);
      even_[0][lane] = path;
      even_[1][lane] = path >> 32;
      odd_[0][lane] = path + 1;
      odd_[1][lane] = (path + 1) >> 32;
    }
  }

  // The four steps of a block, for one factor.
  inline __attribute__((always_inline)) void normals(size block, size factor, vec* output) const {
    const wide step = wide{} + static_cast<std::uint64_t>(block);
    const wide stream = wide{} + static_cast<std::uint64_t>(factor);
    half_blocks even = {{even_[0], even_[1], step, stream}};
    half_blocks odd = {{odd_[0], odd_[1], step, stream}};
    std::uint64_t key0 = key_[0];
    std::uint64_t key1 = key_[1];
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      philox_round(even, key0 & 0xffffffffU, key1 & 0xffffffffU);
      philox_round(odd, key0 & 0xffffffffU, key1 & 0xffffffffU);
      key0 += 0x9E3779B9U;
      key1 += 0xBB67AE85U;
    }
    uvec word[4];
    for (int i = 0; i < 4; ++i) {
      word[i] = reinterpret_cast<uvec>((even.word[i] & 0xffffffffU) | (odd.word[i] << 32));
    }
    normal_pair(word[0], word[1], output[0], output[1]);
    normal_pair(word[2], word[3], output[2], output[3]);
  }

 private:
  std::uint64_t key_[2];
  wide even_[2], odd_[2];
};

inline __attribute__((always_inline)) vec positive_part(vec x) {
  return max(x, vec{});
}

template <path_payoff Payoff>
inline constexpr bool has_barrier = Payoff == path_payoff::knock_in || Payoff == path_payoff::knock_out;

template <path_payoff Payoff>
inline __attribute__((always_inline)) void observe_extreme(const path_arguments& all, vec level,
                                                           vec& extreme) {
  if constexpr (has_barrier<Payoff>) {
    extreme = all.barrier_above ? (level > extreme ? level : extreme) : (level < extreme ? level : extreme);
  }
}

template <path_payoff Payoff>
inline __attribute__((always_inline)) vec paid(const path_arguments& all, vec end, vec mean, vec extreme,
                                               float barrier) {
  const vec of = Payoff == path_payoff::arithmetic_mean || Payoff == path_payoff::geometric_mean ? mean : end;
  const vec value = positive_part(all.sign * (of - all.strike));
  if constexpr (has_barrier<Payoff>) {
    const ivec beyond = all.barrier_above ? extreme >= barrier : extreme <= barrier;
    const ivec pays = Payoff == path_payoff::knock_in ? beyond : ~beyond;
    return from_bits(bits_of(value) & pays);
  } else {
    return value;
  }
}

inline __attribute__((always_inline)) void write(float* to, vec value, size count) {
  if (count >= lanes) {
    store(to, value);
  } else {
    store_some(to, value, count);
  }
}

// One asset: the path stays in registers, as the logarithm of B / spot, and the exponential is taken where
// the payoff needs it.
template <path_payoff Payoff, bool Antithetic, bool Control>
void one_asset(const path_arguments& all, size begin, size end, float* values, float* controls) {
  constexpr int sides = Antithetic ? 2 : 1;
  constexpr bool sums = Payoff == path_payoff::arithmetic_mean;
  constexpr bool sums_logarithms =
      Payoff == path_payoff::geometric_mean || (Control && Payoff == path_payoff::arithmetic_mean);
  const float drift = all.drift[0];
  const float deviation = all.loading[0];
  const float spot = all.weight[0];
  const float of_steps = 1.0F / static_cast<float>(all.steps);
  const float barrier = has_barrier<Payoff> ? __builtin_logf(all.barrier / spot) : 0.0F;
  for (size path = begin; path < end; path += lanes) {
    const path_numbers numbers(all.seed, path);
    vec level[sides] = {};
    vec sum[sides] = {};
    vec log_sum[sides] = {};
    vec extreme[sides] = {};
    const auto step = [&](vec normal) __attribute__((always_inline)) {
      for (int side = 0; side < sides; ++side) {
        level[side] += drift + (side == 0 ? deviation : -deviation) * normal;
        if constexpr (sums) sum[side] += exponential(level[side]);
        if constexpr (sums_logarithms) log_sum[side] += level[side];
        observe_extreme<Payoff>(all, level[side], extreme[side]);
      }
    };
    vec normal[4];
    const size blocks = all.steps / 4;
    for (size block = 0; block < blocks; ++block) {
      numbers.normals(block, 0, normal);
      for (const vec& each : normal) step(each);
    }
    if (all.steps % 4 != 0) {
      numbers.normals(blocks, 0, normal);
      for (size rest = 0; rest < all.steps % 4; ++rest) step(normal[rest]);
    }
    vec value{};
    vec control{};
    for (int side = 0; side < sides; ++side) {
      const vec last = exponential(level[side]) * spot;
      const vec geometric = exponential(log_sum[side] * of_steps) * spot;
      const vec mean = sums ? sum[side] * (spot * of_steps) : geometric;
      value += paid<Payoff>(all, last, mean, extreme[side], barrier);
      if constexpr (Control) {
        control += sums ? positive_part(all.sign * (geometric - all.strike)) : last;
      }
    }
    constexpr float share = 1.0F / static_cast<float>(sides);
    write(values + (path - begin), value * share, end - path);
    if constexpr (Control) write(controls + (path - begin), control * share, end - path);
  }
}

// Several assets: B is the weighted sum of theirs.
template <path_payoff Payoff, bool Antithetic, bool Control>
void basket(const path_arguments& all, size begin, size end, float* values, float* controls) {
  constexpr int sides = Antithetic ? 2 : 1;
  constexpr bool sums = Payoff == path_payoff::arithmetic_mean;
  constexpr bool sums_logarithms =
      Payoff == path_payoff::geometric_mean || (Control && Payoff == path_payoff::arithmetic_mean);
  constexpr bool every_step = Payoff != path_payoff::european;
  const size assets = all.assets;
  float spot = 0.0F;
  for (size asset = 0; asset < assets; ++asset) spot += all.weight[asset];
  for (size path = begin; path < end; path += lanes) {
    const path_numbers numbers(all.seed, path);
    vec level[most_assets][sides];
    vec normal[most_assets][4];
    for (size asset = 0; asset < assets; ++asset) {
      for (int side = 0; side < sides; ++side) level[asset][side] = vec{};
    }
    vec sum[sides] = {};
    vec log_sum[sides] = {};
    vec extreme[sides] = {};
    vec last[sides] = {};
    for (int side = 0; side < sides; ++side) extreme[side] = last[side] = broadcast(spot);
    for (size step = 0; step < all.steps; ++step) {
      if (step % 4 == 0) {
        for (size asset = 0; asset < assets; ++asset) numbers.normals(step / 4, asset, normal[asset]);
      }
      for (size asset = 0; asset < assets; ++asset) {
        vec move{};
        for (size factor = 0; factor <= asset; ++factor) {
          move += all.loading[asset * assets + factor] * normal[factor][step % 4];
        }
        level[asset][0] += all.drift[asset] + move;
        if constexpr (Antithetic) level[asset][sides - 1] += all.drift[asset] - move;
      }
      if (!every_step && step + 1 < all.steps) continue;
      for (int side = 0; side < sides; ++side) {
        last[side] = vec{};
        for (size asset = 0; asset < assets; ++asset) {
          last[side] += all.weight[asset] * exponential(level[asset][side]);
        }
        if constexpr (sums) sum[side] += last[side];
        if constexpr (sums_logarithms) log_sum[side] += logarithm(last[side]);
        observe_extreme<Payoff>(all, last[side], extreme[side]);
      }
    }
    vec value{};
    vec control{};
    const float of_steps = 1.0F / static_cast<float>(all.steps);
    for (int side = 0; side < sides; ++side) {
      const vec mean = sums ? sum[side] * of_steps : exponential(log_sum[side] * of_steps);
      value += paid<Payoff>(all, last[side], mean, extreme[side], all.barrier);
      // There is no closed form for a geometric mean of a basket: its control is the basket at the end.
      if constexpr (Control) control += last[side];
    }
    constexpr float share = 1.0F / static_cast<float>(sides);
    write(values + (path - begin), value * share, end - path);
    if constexpr (Control) write(controls + (path - begin), control * share, end - path);
  }
}

template <path_payoff Payoff, bool Antithetic>
void paths_of(const path_arguments& all, size begin, size end, float* values, float* controls) {
  if (all.assets == 1) {
    if (controls == nullptr) {
      one_asset<Payoff, Antithetic, false>(all, begin, end, values, controls);
    } else {
      one_asset<Payoff, Antithetic, true>(all, begin, end, values, controls);
    }
  } else if (controls == nullptr) {
    basket<Payoff, Antithetic, false>(all, begin, end, values, controls);
  } else {
    basket<Payoff, Antithetic, true>(all, begin, end, values, controls);
  }
}

template <bool Antithetic>
void any_paths(const path_arguments& all, size begin, size end, float* values, float* controls) {
  switch (all.payoff) {
    case path_payoff::european:
      return paths_of<path_payoff::european, Antithetic>(all, begin, end, values, controls);
    case path_payoff::arithmetic_mean:
      return paths_of<path_payoff::arithmetic_mean, Antithetic>(all, begin, end, values, controls);
    case path_payoff::geometric_mean:
      return paths_of<path_payoff::geometric_mean, Antithetic>(all, begin, end, values, controls);
    case path_payoff::knock_in:
      return paths_of<path_payoff::knock_in, Antithetic>(all, begin, end, values, controls);
    case path_payoff::knock_out:
      return paths_of<path_payoff::knock_out, Antithetic>(all, begin, end, values, controls);
  }
}

void paths(const path_arguments& all, std::int64_t begin, std::int64_t end, float* values, float* controls) {
  if (all.antithetic) {
    any_paths<true>(all, begin, end, values, controls);
  } else {
    any_paths<false>(all, begin, end, values, controls);
  }
}

void normals(const std::uint32_t* seed, std::int64_t factor, std::int64_t block, std::int64_t begin,
             std::int64_t end, std::int64_t stride, float* output) {
  for (size path = begin; path < end; path += lanes) {
    vec normal[4];
    path_numbers(seed, path).normals(block, factor, normal);
    for (size step = 0; step < 4; ++step) store(output + step * stride + (path - begin), normal[step]);
  }
}

}  // namespace

extern const path_kernel_table path_kernels;
const path_kernel_table path_kernels{.paths = paths, .normals = normals};

}  // namespace weft::detail::WEFT_ISA
