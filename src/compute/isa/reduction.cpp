#include <compute/isa/math.hpp>
#include <compute/isa/pack.hpp>
#include <compute/isa/reduction.hpp>

// Sums and largest elements.

namespace weft::detail::WEFT_ISA {
namespace {

// Integers are added as unsigned ones, which may overflow.
template <class T>
struct sum_types {
  using element = T;
  using total = double;
};
template <>
struct sum_types<std::int32_t> {
  using element = std::uint32_t;
  using total = std::int64_t;
};
template <>
struct sum_types<std::int64_t> {
  using element = std::uint64_t;
  using total = std::int64_t;
};
template <class T>
inline constexpr bool is_real = static_cast<T>(0.5) != static_cast<T>(0);
template <class T>
using element_of = typename sum_types<T>::element;
template <class T>
using total_of = typename sum_types<T>::total;

// Sums of so many numbers are carried on as totals.
constexpr size run = 4096;

// Matrices of so many bytes seldom lie in the first-level cache. They are fetched early: the processors' own
// prefetchers stop at the end of a page.
constexpr size long_matrix = 65536;
constexpr size bytes_ahead = 8192;

template <class T>
inline __attribute__((always_inline)) void fetch(const T* values, size ahead) {
  __builtin_prefetch(reinterpret_cast<const char*>(values) + ahead);
}

struct addition {
  template <class V>
  __attribute__((always_inline)) V operator()(V a, V b) const {
    return a + b;
  }
  template <class V>
  __attribute__((always_inline)) void see(const V&) {}
};

template <size Bytes>
struct bits_type {
  using type = std::int64_t;
};
template <>
struct bits_type<4> {
  using type = std::int32_t;
};
// An integer as wide as T.
template <class T>
using bits_of_type = typename bits_type<sizeof(T)>::type;

// The larger of numbers. It may be any number if one of those it has seen is not a number: then the largest
// magnitude, as an integer, is above infinity's.
template <class T>
struct maximum {
  using bits = bits_of_type<T>;
  pack<bits> magnitude = repeated(bits{0});

  template <class V>
  __attribute__((always_inline)) V operator()(V a, V b) const {
    return a > b ? a : b;
  }
  __attribute__((always_inline)) void see(const pack<T>& values) {
    if constexpr (is_real<T>) {
      constexpr bits all_but_sign = static_cast<bits>(~(std::uint64_t{1} << (8 * sizeof(T) - 1)));
      for (int part = 0; part < pack<T>::registers; ++part) {
        const auto seen = reinterpret_cast<typename pack<bits>::one>(values.part[part]) & all_but_sign;
        magnitude.part[part] = seen > magnitude.part[part] ? seen : magnitude.part[part];
      }
    }
  }
  __attribute__((always_inline)) bool only_numbers() const {
    if constexpr (is_real<T>) {
      constexpr bits infinite = sizeof(T) == 4 ? bits{0x7f800000} : static_cast<bits>(0x7ff0000000000000);
      return fold(magnitude, [](auto a, auto b) { return a > b ? a : b; }) <= infinite;
    } else {
      return true;
    }
  }
};

// A row's numbers by an operation, until a pack is left: those of whole packs and the rest, to which `start`
// is added, which changes nothing.
template <class T, class Operation>
inline __attribute__((always_inline)) pack<T> pack_of_row(const T* row, size packs, size rest, T start,
                                                          size ahead, Operation& operation) {
  constexpr size each = lanes_of<T>;
  constexpr size together = 4;  // packs, to hide the latency of an operation
  const auto seen = [&](const pack<T>& values) __attribute__((always_inline)) {
    operation.see(values);
    return values;
  };
  const auto next = [&](size index) __attribute__((always_inline)) {
    const T* const from = row + index * each;
    fetch(from, ahead);
    return seen(load_pack(from));
  };
  pack<T> result = packs > 0 ? next(0) : repeated(start);
  size i = 1;
  if (packs >= together) {
    pack<T> second = next(1), third = next(2), fourth = next(3);
    for (i = together; i + together <= packs; i += together) {
      result = apply(result, next(i), operation);
      second = apply(second, next(i + 1), operation);
      third = apply(third, next(i + 2), operation);
      fourth = apply(fourth, next(i + 3), operation);
    }
    result = apply(apply(result, second, operation), apply(third, fourth, operation), operation);
  }
  for (; i < packs; ++i) result = apply(result, next(i), operation);
  if (rest > 0) {
    const T* const from = row + packs * each;
    fetch(from, ahead);
    result = apply(result, seen(load_part(from, rest, repeated(start))), operation);
  }
  return result;
}

template <class T, class Operation>
inline __attribute__((always_inline)) T fold_row(const T* row, size count, T start, size ahead,
                                                 Operation& operation) {
  constexpr size each = lanes_of<T>;
  return fold(pack_of_row(row, count / each, count % each, start, ahead, operation), operation);
}

template <class T>
inline __attribute__((always_inline)) total_of<T> sum_of_row(const T* row, size count, size ahead) {
  using element = element_of<T>;
  const element* const values = reinterpret_cast<const element*>(row);
  addition operation;
  total_of<T> total = 0;
  for (size begin = 0; begin < count; begin += run) {
    const size length = count - begin < run ? count - begin : run;
    total += static_cast<total_of<T>>(fold_row(values + begin, length, element{0}, ahead, operation));
  }
  return total;
}

// What is not a number is larger than every number, as in NumPy.
template <class T>
inline __attribute__((always_inline)) bool above(T value, T other) {
  return value > other || (not_a_number(value) && !not_a_number(other));
}

// Where the largest of numbers `step` apart is, some of which may be none.
template <class T>
__attribute__((noinline)) size largest_one_by_one(const T* first, size count, size step) {
  size best = 0;
  for (size i = 1; i < count; ++i) {
    if (above(first[i * step], first[best * step])) best = i;
  }
  return best;
}

// The lowest bit that is set.
inline __attribute__((always_inline)) size first_bit(std::uint64_t bits) {
  return __builtin_ctzll(bits);
}

// The first element that equals `value`, which is one of them.
template <class T>
inline __attribute__((always_inline)) size place_of(const T* row, size count, T value) {
  constexpr size each = lanes_of<T>;
  constexpr size together = 64 / each;  // packs, a bit of a word for each number
  const pack<T> searched = repeated(value);
  size i = 0;
  for (; i + together * each < count; i += together * each) {
    std::uint64_t found = 0;
    for (size index = 0; index < together; ++index)
      found |= equal_lanes(load_pack(row + i + index * each), searched) << (index * each);
    if (found != 0) return i + first_bit(found);
  }
  std::uint64_t found = 0;
  size shift = 0;
  for (; i + each <= count; i += each, shift += each)
    found |= equal_lanes(load_pack(row + i), searched) << shift;
  if (i < count) found |= equal_lanes(load_part(row + i, count - i, searched), searched) << shift;
  return i - shift + (found != 0 ? first_bit(found) : 0);
}

// Only the stretch that has the largest element is gone through a second time.
template <class T>
inline __attribute__((always_inline)) T largest_and_place_of(const T* row, size count, size ahead,
                                                             maximum<T>& operation, std::int64_t& place) {
  constexpr size stretch = 1024;
  size where = 0;
  T best = row[0];
  for (size begin = 0; begin < count; begin += stretch) {
    const T* const first = row + begin;
    const T largest =
        fold_row(first, count - begin < stretch ? count - begin : stretch, first[0], ahead, operation);
    if (largest > best) {
      best = largest;
      where = begin;
    }
  }
  place = where + place_of(row + where, count - where < stretch ? count - where : stretch, best);
  return best;
}

template <class T>
void rows_one_by_one(const reduction_arguments& arguments) {
  for (size row = 0; row < arguments.rows; ++row) {
    const T* const first = static_cast<const T*>(arguments.first) + row * arguments.stride;
    const size best = largest_one_by_one(first, arguments.columns, 1);
    static_cast<total_of<T>*>(arguments.results)[row] = static_cast<total_of<T>>(first[best]);
    if (arguments.operation == reduction::argmax) arguments.places[row] = best;
  }
}

// The same in a short row, without a branch that depends on the place.
template <class T>
inline __attribute__((always_inline)) size place_in_short_row(const T* row, size packs, size rest, T value) {
  constexpr size each = lanes_of<T>;
  constexpr size together = 64 / each;
  constexpr std::uint64_t last_bit = std::uint64_t{1} << 63;  // so that there is one
  const pack<T> searched = repeated(value);
  size i = packs / together * together;
  std::uint64_t found = 0;
  for (size index = i; index < packs; ++index)
    found |= equal_lanes(load_pack(row + index * each), searched) << ((index - i) * each);
  if (rest > 0) {
    found |= equal_lanes(load_part(row + packs * each, rest, searched), searched) << ((packs - i) * each);
  }
  size place = i * each + first_bit(found | last_bit);
  while (i > 0) {
    i -= together;
    found = 0;
    for (size index = 0; index < together; ++index)
      found |= equal_lanes(load_pack(row + (i + index) * each), searched) << (index * each);
    const size first = i * each + first_bit(found | last_bit);
    place = found != 0 ? first : place;
  }
  return place;
}

// Rows of at most so many bytes are short: as many as a register has lanes are folded together.
constexpr size short_row = 1024;

// There is code for rows of fewer whole packs than so many, as loops and their ends would take longer than
// the additions.
constexpr size many_packs = 2;

// Calls take(row, results) for each group of short rows, and says how many rows those are. What else is to be
// done for a row, beside(packs, row) does among the rows of the next group, while they come from memory.
template <size Packs = 0, class T, class Start, class Operation, class Take, class Beside>
inline __attribute__((always_inline)) size each_group(const reduction_arguments& arguments, const T* first,
                                                      size ahead, const Start& start, Operation& operation,
                                                      const Take& take, const Beside& beside) {
  using one = typename pack<T>::one;
  constexpr size group = pack<T>::register_lanes;
  if constexpr (Packs < many_packs) {
    if (arguments.columns / lanes_of<T> != Packs)
      return each_group<Packs + 1>(arguments, first, ahead, start, operation, take, beside);
  } else if (arguments.columns * static_cast<size>(sizeof(T)) > short_row) {
    return 0;
  }
  const size packs = Packs < many_packs ? Packs : arguments.columns / lanes_of<T>;
  const size stride = arguments.stride;
  const size rest = arguments.columns % lanes_of<T>;
  const size last = arguments.rows - group;
  size row = 0;
  for (; row <= last; row += group) {
    one rows[group];
    for (size index = 0; index < group; ++index) {
      const T* const values = first + (row + index) * stride;
      rows[index] =
          fold_registers(pack_of_row(values, packs, rest, start(values), ahead, operation), operation);
      if (row > 0) beside(packs, row + index - group);
    }
    alignas(one) T results[group];
    *reinterpret_cast<one*>(results) = fold_together<T>(rows, operation);
    take(row, results);
  }
  if (row > 0) {
    for (size index = row - group; index < row; ++index) beside(packs, index);
  }
  return row;
}

template <class T>
void reduce_rows_of(const reduction_arguments& arguments) {
  using element = element_of<T>;
  using total = total_of<T>;
  constexpr size group = pack<T>::register_lanes;
  const size columns = arguments.columns;
  const size stride = arguments.stride;
  const T* const first = static_cast<const T*>(arguments.first);
  total* const results = static_cast<total*>(arguments.results);
  std::int64_t* const places = arguments.places;
  const size bytes = arguments.rows * columns * static_cast<size>(sizeof(T));
  const size ahead = bytes >= long_matrix ? bytes_ahead : 0;
  const auto row_at = [&](size row) { return first + row * stride; };
  const auto store = [&](size row, const auto* group_results) {
    for (size index = 0; index < group; ++index)
      results[row + index] = static_cast<total>(group_results[index]);
  };
  const auto first_of = [](const T* values) { return values[0]; };
  maximum<T> largest;
  size row = 0;
  switch (arguments.operation) {
    case reduction::sum: {
      addition sum;
      row = each_group(
          arguments, reinterpret_cast<const element*>(first), ahead,
          [](const element*) { return element{0}; }, sum,
          [&](size begin, const element* sums) {
            for (size index = 0; index < group; ++index)
              results[begin + index] = total{0} + static_cast<total>(sums[index]);  // and none is -0
          },
          [](size, size) {});
      for (; row < arguments.rows; ++row) results[row] = sum_of_row(row_at(row), columns, ahead);
      break;
    }
    case reduction::maximum:
      row = each_group(arguments, first, ahead, first_of, largest, store, [](size, size) {});
      for (; row < arguments.rows; ++row) {
        results[row] = static_cast<total>(fold_row(row_at(row), columns, row_at(row)[0], ahead, largest));
      }
      break;
    case reduction::argmax: {
      T before[group];
      const auto keep = [&](size begin, const T* values) {
        store(begin, values);
        for (size index = 0; index < group; ++index) before[index] = values[index];
      };
      row = each_group(arguments, first, ahead, first_of, largest, keep, [&](size packs, size at) {
        places[at] = place_in_short_row(row_at(at), packs, columns % lanes_of<T>, before[at % group]);
      });
      for (; row < arguments.rows; ++row) {
        results[row] =
            static_cast<total>(largest_and_place_of(row_at(row), columns, ahead, largest, places[row]));
      }
      break;
    }
  }
  if (!largest.only_numbers()) rows_one_by_one<T>(arguments);
}

// Calls with_pack(column, load) for packs of columns, where load(row) loads the pack of a row and has
// `others` behind the last column.
template <class T, class WithPack>
inline __attribute__((always_inline)) void each_pack(size columns, const pack<T>& others,
                                                     const WithPack& with_pack) {
  size column = 0;
  for (; column + lanes_of<T> <= columns; column += lanes_of<T>)
    with_pack(column, [&](const T* row) { return load_pack(row + column); });
  if (column < columns) {
    with_pack(column, [&](const T* row) { return load_part(row + column, columns - column, others); });
  }
}

// results[column] = operation over the rows, Together of which are taken at a time: as many as a processor's
// prefetchers follow, unless the rows lie one behind the other and are fetched early.
template <size Together, class T, class Operation>
inline __attribute__((always_inline)) void fold_columns(const T* first, size rows, size columns, size stride,
                                                        T* results, Operation& operation) {
  const pack<T> none = repeated(T{});
  // Overwrites the results, or joins them.
  const auto take = [&](auto number, size row, bool join) {
    each_pack<T>(columns, none, [&](size column, const auto& load) {
      const T* const from = first + row * stride;
      if constexpr (Together == 1) fetch(from + column, bytes_ahead);
      pack<T> result = load(from);
      operation.see(result);
      for (size next = 1; next < number.value; ++next) {
        const pack<T> values = load(from + next * stride);
        operation.see(values);
        result = apply(result, values, operation);
      }
      if (join) result = apply(load_pack(results + column), result, operation);
      store_pack(results + column, result);
    });
  };
  size row = 0;
  for (; row + Together <= rows; row += Together) take(constant<Together>{}, row, row > 0);
  for (; row < rows; ++row) take(constant<1>{}, row, row > 0);
}

// As many as there may be columns, in whole packs.
template <class T>
struct column_values {
  alignas(64) T data[most_columns] = {};
};

constexpr size rows_of_a_sum = 64;  // they are carried on as totals

template <size Together, class T>
void sum_columns(const T* first, size rows, size columns, size stride, total_of<T>* totals) {
  using element = element_of<T>;
  if (rows == 0) {
    for (size column = 0; column < columns; ++column) totals[column] = 0;
  }
  column_values<element> sums;
  for (size begin = 0; begin < rows; begin += rows_of_a_sum) {
    addition operation;
    fold_columns<Together>(reinterpret_cast<const element*>(first + begin * stride),
                           rows - begin < rows_of_a_sum ? rows - begin : rows_of_a_sum, columns, stride,
                           sums.data, operation);
    for (size column = 0; column < columns; ++column) {
      const auto sum = static_cast<total_of<T>>(sums.data[column]);
      totals[column] = begin == 0 ? sum : totals[column] + sum;
    }
  }
}

// Columns with elements that are not a number.
template <class T>
__attribute__((noinline)) void columns_one_by_one(const T* first, size rows, size columns, size stride,
                                                  total_of<T>* results, std::int64_t* places) {
  for (size column = 0; column < columns; ++column) {
    const size best = largest_one_by_one(first + column, rows, stride);
    results[column] = static_cast<total_of<T>>(first[best * stride + column]);
    if (places != nullptr) places[column] = best;
  }
}

template <size Together, class T>
void largest_of_columns(const T* first, size rows, size columns, size stride, total_of<T>* results) {
  column_values<T> best;
  maximum<T> operation;
  fold_columns<Together>(first, rows, columns, stride, best.data, operation);
  if (!operation.only_numbers()) {
    columns_one_by_one(first, rows, columns, stride, results, nullptr);
    return;
  }
  for (size column = 0; column < columns; ++column)
    results[column] = static_cast<total_of<T>>(best.data[column]);
}

template <size Together, class T>
void places_in_columns(const T* first, size rows, size columns, size stride, total_of<T>* results,
                       std::int64_t* places) {
  using index = bits_of_type<T>;  // a piece of a column has fewer rows
  column_values<T> best;
  column_values<index> where;
  maximum<T> operation;
  const pack<T> none = repeated(T{});
  const auto take = [&](auto number, size row) {
    each_pack<T>(columns, none, [&](size column, const auto& load) {
      const T* const from = first + row * stride;
      if constexpr (Together == 1) fetch(from + column, bytes_ahead);
      pack<T> largest = row == 0 ? load(from) : load_pack(best.data + column);
      pack<index> at = row == 0 ? repeated(index{0}) : load_pack(where.data + column);
      pack<index> here = repeated(static_cast<index>(row));
      for (size next = 0; next < number.value; ++next) {
        const pack<T> values = load(from + next * stride);
        operation.see(values);
        for (int part = 0; part < pack<T>::registers; ++part) {
          at.part[part] = values.part[part] > largest.part[part] ? here.part[part] : at.part[part];
          here.part[part] += 1;
        }
        largest = apply(values, largest, operation);
      }
      store_pack(best.data + column, largest);
      store_pack(where.data + column, at);
    });
  };
  size row = 0;
  for (; row + Together <= rows; row += Together) take(constant<Together>{}, row);
  for (; row < rows; ++row) take(constant<1>{}, row);
  if (!operation.only_numbers()) {
    columns_one_by_one(first, rows, columns, stride, results, places);
    return;
  }
  for (size column = 0; column < columns; ++column) {
    results[column] = static_cast<total_of<T>>(best.data[column]);
    places[column] = where.data[column];
  }
}

template <size Together, class T>
void columns_of(const reduction_arguments& arguments, const T* first, size rows, size columns, size stride,
                total_of<T>* results, std::int64_t* places) {
  switch (arguments.operation) {
    case reduction::sum:
      return sum_columns<Together>(first, rows, columns, stride, results);
    case reduction::maximum:
      return largest_of_columns<Together>(first, rows, columns, stride, results);
    case reduction::argmax:
      return places_in_columns<Together>(first, rows, columns, stride, results, places);
  }
}

template <class T>
inline void take_column(reduction operation, total_of<T>& result, std::int64_t* place, total_of<T> next,
                        std::int64_t next_place) {
  if (operation == reduction::sum) {
    result += next;
    return;
  }
  const bool first_of_equals = operation == reduction::argmax && !above(result, next) && next_place < *place;
  if (!above(next, result) && !first_of_equals) return;
  result = next;
  if (operation == reduction::argmax) *place = next_place;
}

// Several short rows, one behind the other, are a long one whose columns come together in the end.
template <class T>
void columns_of_short_rows(const reduction_arguments& arguments) {
  constexpr size widest = 256;
  const size columns = arguments.columns;
  const size side_by_side = widest / columns;
  const size wide = side_by_side * columns;
  const T* const first = static_cast<const T*>(arguments.first);
  total_of<T>* const results = static_cast<total_of<T>*>(arguments.results);
  total_of<T> wide_results[widest] = {};
  std::int64_t wide_places[widest] = {};
  columns_of<1>(arguments, first, arguments.rows / side_by_side, wide, wide, wide_results, wide_places);
  const auto place_of_wide = [&](size column) {
    return wide_places[column] * side_by_side + column / columns;
  };
  const bool places = arguments.operation == reduction::argmax;
  for (size column = 0; column < columns; ++column) {
    results[column] = wide_results[column];
    if (places) arguments.places[column] = place_of_wide(column);
  }
  for (size column = columns; column < wide; ++column) {
    take_column<T>(arguments.operation, results[column % columns],
                   places ? arguments.places + column % columns : nullptr, wide_results[column],
                   places ? place_of_wide(column) : 0);
  }
  const size done = arguments.rows / side_by_side * side_by_side;
  if (done == arguments.rows) return;
  columns_of<1>(arguments, first + done * columns, arguments.rows - done, columns, columns, wide_results,
                wide_places);
  for (size column = 0; column < columns; ++column) {
    take_column<T>(arguments.operation, results[column], places ? arguments.places + column : nullptr,
                   wide_results[column], places ? wide_places[column] + done : 0);
  }
}

template <class T>
void reduce_columns_of(const reduction_arguments& arguments) {
  if (arguments.stride == arguments.columns && arguments.columns <= 128 && arguments.rows >= 256)
    return columns_of_short_rows<T>(arguments);
  columns_of<8>(arguments, static_cast<const T*>(arguments.first), arguments.rows, arguments.columns,
                arguments.stride, static_cast<total_of<T>*>(arguments.results), arguments.places);
}

}  // namespace

void reduce_rows(const reduction_arguments& arguments) {
  switch (arguments.type) {
    case number::float32:
      return reduce_rows_of<float>(arguments);
    case number::float64:
      return reduce_rows_of<double>(arguments);
    case number::int32:
      return reduce_rows_of<std::int32_t>(arguments);
    case number::int64:
      return reduce_rows_of<std::int64_t>(arguments);
  }
}

void reduce_columns(const reduction_arguments& arguments) {
  switch (arguments.type) {
    case number::float32:
      return reduce_columns_of<float>(arguments);
    case number::float64:
      return reduce_columns_of<double>(arguments);
    case number::int32:
      return reduce_columns_of<std::int32_t>(arguments);
    case number::int64:
      return reduce_columns_of<std::int64_t>(arguments);
  }
}

double sum_of_squares(const float* values, std::int64_t count) {
  constexpr size many = 64;
  double total = 0.0;
  for (size begin = 0; begin < count; begin += run) {
    const size end = begin + run < count ? begin + run : count;
    float sums[many] = {};
    size i = begin;
    for (; i + many <= end; i += many) {
      for (size j = 0; j < many; ++j) sums[j] += values[i + j] * values[i + j];
    }
    for (size j = 0; i < end; ++i, ++j) sums[j] += values[i] * values[i];
    for (size width = many / 2; width > 0; width /= 2) {
      for (size j = 0; j < width; ++j) sums[j] += sums[j + width];
    }
    total += static_cast<double>(sums[0]);
  }
  return total;
}

}  // namespace weft::detail::WEFT_ISA
