// The loops over elements that tile operations consist of.
//
// A shape is part of a tile's type, but not of these functions: they take extents as numbers. So the compiler makes one
// vector loop for each operation and element type, however many shapes the kernels use; a loop for every shape is what
// the time to compile them would go into. They stay out of line for the same reason, and for breakpoints.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shared/tile/convert.hpp"

namespace cuda::tiles {
inline namespace on_cpu {
namespace detail {

/// An operand of map_rows(): element j of row i is values[i * row_step + j * Step]. Step is 1, or 0 where one element
/// serves the whole row.
template <class E, std::size_t Step>
struct Operand {
  const E* values;
  std::size_t row_step;
};

/// out = F{}(in...) element by element, for `rows` rows of `columns` elements.
template <class F, class E, class... In, std::size_t... Step>
[[gnu::noinline]] void map_rows(E* __restrict__ out, std::size_t rows, std::size_t columns,
                                Operand<In, Step>... in) {
  for (std::size_t i = 0; i < rows; ++i) {
    E* __restrict__ row = out + i * columns;
    for (std::size_t j = 0; j < columns; ++j) row[j] = F{}(in.values[i * in.row_step + j * Step]...);
  }
}

/// 0, 1, 2, ...
template <class E>
[[gnu::noinline]] void count_up(E* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<E>(i);
}

/// Where the elements of a dense tile lie in other memory: the i-th along dimension d lies i * steps[d] elements on,
/// and from inside[d] on there is none.
struct Spread {
  std::size_t rank;
  const std::size_t* extents;
  const std::int64_t* steps;
  const std::size_t* inside;

  std::size_t columns() const { return rank == 0 ? 1 : extents[rank - 1]; }
  std::int64_t column_step() const { return rank == 0 ? 1 : steps[rank - 1]; }
};

/// Calls f(first element of the row in the dense tile, its offset in the other memory, elements inside) for each row, a
/// row being the last dimension.
template <class F>
void for_each_row(const Spread& spread, F f) {
  std::size_t rows = 1;
  for (std::size_t d = 0; d + 1 < spread.rank; ++d) rows *= spread.extents[d];
  for (std::size_t row = 0; row < rows; ++row) {
    std::size_t rest = row, inside = spread.rank == 0 ? 1 : spread.inside[spread.rank - 1];
    std::int64_t offset = 0;
    for (std::size_t d = spread.rank; d-- > 1;) {
      const std::size_t i = d == 1 ? rest : rest % spread.extents[d - 1];
      if (d > 1) rest /= spread.extents[d - 1];
      offset += static_cast<std::int64_t>(i) * spread.steps[d - 1];
      if (i >= spread.inside[d - 1]) inside = 0;
    }
    f(row * spread.columns(), offset, inside);
  }
}

/// The dense tile `out` from where its elements are spread; those that are not inside become `padding`.
template <class E>
[[gnu::noinline]] void gather(E* out, const E* in, const Spread& spread, E padding) {
  const std::int64_t step = spread.column_step();
  const std::size_t columns = spread.columns();
  for_each_row(spread, [&](std::size_t first, std::int64_t offset, std::size_t inside) {
    const E* from = inside > 0 ? in + offset : in;  // a row outside has no address
    E* __restrict__ row = out + first;
    if (step == 1)
      for (std::size_t j = 0; j < inside; ++j) row[j] = from[j];
    else
      for (std::size_t j = 0; j < inside; ++j) row[j] = from[static_cast<std::int64_t>(j) * step];
    for (std::size_t j = inside; j < columns; ++j) row[j] = padding;
  });
}

/// The other way round: the elements of the dense tile `in` that are inside go to where they belong.
template <class E>
[[gnu::noinline]] void scatter(E* out, const E* in, const Spread& spread) {
  const std::int64_t step = spread.column_step();
  for_each_row(spread, [&](std::size_t first, std::int64_t offset, std::size_t inside) {
    E* to = inside > 0 ? out + offset : out;
    const E* __restrict__ row = in + first;
    if (step == 1)
      for (std::size_t j = 0; j < inside; ++j) to[j] = row[j];
    else
      for (std::size_t j = 0; j < inside; ++j) to[static_cast<std::int64_t>(j) * step] = row[j];
  });
}

/// Folds `length` slices of `inner` elements into the first: halves are added until one is left, so that the rounding
/// error grows with log2(length), as it does where the lanes of a warp add in pairs.
template <class F, class C>
void fold_halves(C* values, std::size_t length, std::size_t inner) {
  for (std::size_t half = length / 2; half > 0; half /= 2) {
    C* __restrict__ low = values;
    const C* __restrict__ high = values + half * inner;
    for (std::size_t i = 0; i < half * inner; ++i) low[i] = F{}(low[i], high[i]);
  }
}

/// The middle one of the dimensions outer x length x inner of `in` folded by F. Folds in C, in `scratch`, which has
/// room for length * inner.
template <class F, class E, class C, class In>
[[gnu::noinline]] void reduce_middle(E* __restrict__ out, const In* __restrict__ in, C* __restrict__ scratch,
                                     std::size_t outer, std::size_t length, std::size_t inner) {
  const std::size_t slice = length * inner;
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < slice; ++i) scratch[i] = convert<C>(in[o * slice + i]);
    fold_halves<F>(scratch, length, inner);
    for (std::size_t i = 0; i < inner; ++i) out[o * inner + i] = convert<E>(scratch[i]);
  }
}

}  // namespace detail
}  // namespace on_cpu
}  // namespace cuda::tiles
