#pragma once

#include <compute/isa/vector.hpp>

// 64 bytes of numbers of any type, in as many registers as that takes: the same numbers side by side in every
// instruction set, and so the same bits of a sum.

namespace weft::detail::WEFT_ISA {

template <class T>
struct pack {
  static constexpr int register_bytes = lanes * static_cast<int>(sizeof(float));
  static constexpr int registers = 64 / register_bytes;
  static constexpr int register_lanes = register_bytes / static_cast<int>(sizeof(T));
  static constexpr int lanes_of_all = registers * register_lanes;
  typedef T one __attribute__((vector_size(WEFT_ISA::lanes * sizeof(float))));
  typedef T unaligned
      __attribute__((vector_size(WEFT_ISA::lanes * sizeof(float)), aligned(sizeof(T)), may_alias));

  one part[registers];
};

template <class T>
inline constexpr size lanes_of = pack<T>::lanes_of_all;

// operation(a, b) for the registers of two packs.
template <class T, class Operation>
inline __attribute__((always_inline)) pack<T> apply(const pack<T>& a, const pack<T>& b,
                                                    const Operation& operation) {
  pack<T> result;
  for (int index = 0; index < pack<T>::registers; ++index)
    result.part[index] = operation(a.part[index], b.part[index]);
  return result;
}

template <class T>
inline __attribute__((always_inline)) pack<T> repeated(T value) {
  pack<T> result;
  for (auto& part : result.part) part = value - typename pack<T>::one{};
  return result;
}

template <class T>
inline __attribute__((always_inline)) pack<T> load_pack(const T* from) {
  pack<T> result;
  for (int index = 0; index < pack<T>::registers; ++index) {
    result.part[index] =
        *reinterpret_cast<const typename pack<T>::unaligned*>(from + index * pack<T>::register_lanes);
  }
  return result;
}

template <class T>
inline __attribute__((always_inline)) void store_pack(T* to, const pack<T>& value) {
  for (int index = 0; index < pack<T>::registers; ++index) {
    *reinterpret_cast<typename pack<T>::unaligned*>(to + index * pack<T>::register_lanes) = value.part[index];
  }
}

// The first `count` numbers, fewer than all, and those of `others` behind them.
template <class T>
inline __attribute__((always_inline)) pack<T> load_part(const T* from, size count, const pack<T>& others) {
  constexpr int each = pack<T>::register_lanes;
  pack<T> result = others;
  for (int index = 0; index < pack<T>::registers; ++index) {
    const size left = count - index * each;
    const T* const first = from + index * each;
    if (left >= each) {
      result.part[index] = *reinterpret_cast<const typename pack<T>::unaligned*>(first);
    } else if (left > 0) {
#if defined(__AVX512F__)
      const __m512i other = reinterpret_cast<__m512i>(others.part[index]);
      const unsigned mask = (1U << left) - 1U;
      if constexpr (sizeof(T) == 4) {
        result.part[index] = reinterpret_cast<typename pack<T>::one>(
            _mm512_mask_loadu_epi32(other, static_cast<__mmask16>(mask), first));
      } else {
        result.part[index] = reinterpret_cast<typename pack<T>::one>(
            _mm512_mask_loadu_epi64(other, static_cast<__mmask8>(mask), first));
      }
#else
      for (int lane = 0; lane < each; ++lane) {
        if (lane < left) result.part[index][lane] = first[lane];
      }
#endif
    }
  }
  return result;
}

// Lane i of the result is lane i + Distance, of the value twice over.
template <int Distance, int Count, int... Lanes>
struct rotation : rotation<Distance, Count - 1, (Count - 1 + Distance), Lanes...> {};
template <int Distance, int... Lanes>
struct rotation<Distance, 0, Lanes...> {
  template <class Register>
  static inline __attribute__((always_inline)) Register of(Register value) {
    return __builtin_shufflevector(value, value, Lanes...);
  }
};

// The registers of a pack by an operation: the halves first, then their halves.
template <class T, class Operation>
inline __attribute__((always_inline)) typename pack<T>::one fold_registers(pack<T> values,
                                                                           const Operation& operation) {
  for (int width = pack<T>::registers / 2; width > 0; width /= 2) {
    for (int index = 0; index < width; ++index)
      values.part[index] = operation(values.part[index], values.part[index + width]);
  }
  return values.part[0];
}

// All numbers of a pack by an operation: the halves first, then their halves.
template <class T, class Operation>
inline __attribute__((always_inline)) T fold(const pack<T>& values, const Operation& operation) {
  constexpr int each = pack<T>::register_lanes;
  typename pack<T>::one value = fold_registers(values, operation);
  if constexpr (each > 8) value = operation(value, rotation<8, each>::of(value));
  if constexpr (each > 4) value = operation(value, rotation<4, each>::of(value));
  if constexpr (each > 2) value = operation(value, rotation<2, each>::of(value));
  value = operation(value, rotation<1, each>::of(value));
  return value[0];
}

// Of two registers, one behind the other, every second group of Width lanes, beginning with the first or the
// second. A group smaller than 16 bytes stays in its 16 bytes, as the cheapest instructions have it: the
// groups of those of the first register come before the groups of those of the second.
template <int Width, int First, int Each, int Within>
struct every_second {
  static constexpr int within = Width < Within ? Within : Each;
  static constexpr int source_of(int lane) {
    const int at = lane % within % (within / 2);
    return (lane % within < within / 2 ? 0 : Each) + lane / within * within + at / Width * 2 * Width +
           First * Width + at % Width;
  }
  template <int Count, int... Lanes>
  struct lanes : lanes<Count - 1, source_of(Count - 1), Lanes...> {};
  template <int... Lanes>
  struct lanes<0, Lanes...> {
    template <class Register>
    static inline __attribute__((always_inline)) Register of(Register a, Register b) {
      return __builtin_shufflevector(a, b, Lanes...);
    }
  };
};

// Folds as many registers as one has lanes, each as fold() does: lane i of the result is all of rows[i]. As
// lanes fall free they are given to another register, so that it takes as many operations as there are
// registers. After the step of Width the register holds what is left of those that differ from Row in the
// steps before.
template <class T, int Width = 1, int Row = 0, class Operation>
inline __attribute__((always_inline)) typename pack<T>::one fold_together(const typename pack<T>::one* rows,
                                                                          const Operation& operation) {
  constexpr int each = pack<T>::register_lanes;
  if constexpr (Width == each) {
    return rows[Row];
  } else {
    constexpr int within = 16 / static_cast<int>(sizeof(T));
    constexpr int other = Row + (Width < within ? within : within * each) / (2 * Width);
    const auto a = fold_together<T, 2 * Width, Row>(rows, operation);
    const auto b = fold_together<T, 2 * Width, other>(rows, operation);
    return operation(every_second<Width, 0, each, within>::template lanes<each>::of(a, b),
                     every_second<Width, 1, each, within>::template lanes<each>::of(a, b));
  }
}

// A bit for each lane: whether two packs have the same number there.
template <class T>
inline __attribute__((always_inline)) std::uint64_t equal_lanes(const pack<T>& a, const pack<T>& b) {
#if defined(__AVX512F__)
  if constexpr (static_cast<T>(0.5) != static_cast<T>(0)) {
    if constexpr (sizeof(T) == 4) {
      return _mm512_cmp_ps_mask(a.part[0], b.part[0], _CMP_EQ_OQ);
    } else {
      return _mm512_cmp_pd_mask(a.part[0], b.part[0], _CMP_EQ_OQ);
    }
  } else if constexpr (sizeof(T) == 4) {
    return _mm512_cmpeq_epi32_mask(reinterpret_cast<__m512i>(a.part[0]),
                                   reinterpret_cast<__m512i>(b.part[0]));
  } else {
    return _mm512_cmpeq_epi64_mask(reinterpret_cast<__m512i>(a.part[0]),
                                   reinterpret_cast<__m512i>(b.part[0]));
  }
#else
  std::uint64_t result = 0;
  for (int index = 0; index < pack<T>::registers; ++index) {
    const auto equal = a.part[index] == b.part[index];
#if defined(__AVX2__)
    const int bits = sizeof(T) == 4 ? _mm256_movemask_ps(reinterpret_cast<__m256>(equal))
                                    : _mm256_movemask_pd(reinterpret_cast<__m256d>(equal));
#else
    const int bits = sizeof(T) == 4 ? _mm_movemask_ps(reinterpret_cast<__m128>(equal))
                                    : _mm_movemask_pd(reinterpret_cast<__m128d>(equal));
#endif
    result |= static_cast<std::uint64_t>(static_cast<unsigned>(bits)) << (index * pack<T>::register_lanes);
  }
  return result;
#endif
}

}  // namespace weft::detail::WEFT_ISA
