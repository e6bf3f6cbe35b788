// A whole row in registers: what the kernels share that read a row once, think about it, and write it once.
//
// Extents are powers of two and rows are not, so a row is a pack of tiles: `parts` equal ones and one for the rest.
// A pack of function parameters holds them, since tiles have no place in arrays.
#pragma once

#include <utility>

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// 0, 1, ... as a type: the numbers of a row's parts.
template <table::RowParts P>
using Parts = std::make_integer_sequence<int, P.count()>;

/// Columns of part I, and which tile of that width it is: numbers, since a kernel calls no function of the host.
template <table::RowParts P, int I>
inline constexpr int kPartWidth = P.width(I);
template <table::RowParts P, int I>
inline constexpr int kPartIndex = P.index(I);

/// Whether part I is the last.
template <table::RowParts P, int I>
inline constexpr bool kPartLast = I + 1 == P.count();

/// Whether part I of a single row lies inside it whatever its length: all do but the last (whole_row_fits).
template <table::RowParts P, int TR, int I>
inline constexpr bool kPartInside = TR == 1 && !kPartLast<P, I>;

/// Part I of rows tile * TR and following; what lies beyond the row is Padding. Bulk: by the bulk copy engine.
template <table::RowParts P, int TR, int I, bool Bulk, ct::view_padding Padding = ct::view_padding::zero,
          class T>
__tile__ auto load_part(const T* data, int rows, int columns, int tile) {
  const auto view = matrix<TR, kPartWidth<P, I>>(data, rows, columns);
  ct::tile<T, ct::shape<TR, kPartWidth<P, I>>> part;
  if constexpr (kPartInside<P, TR, I>) {
    [[using cutile: hint(0, allow_tma = Bulk)]] part = view.load(tile, kPartIndex<P, I>);
  } else {
    [[using cutile: hint(0, allow_tma = Bulk)]] part =
        view.template load_masked<Padding>(tile, kPartIndex<P, I>);
  }
  return part;
}

/// Stores part I where load_part found it; nothing beyond the row.
template <table::RowParts P, int TR, int I, bool Bulk, class T, class Part>
__tile__ void store_part(T* data, int rows, int columns, int tile, Part part) {
  const auto view = matrix<TR, kPartWidth<P, I>>(data, rows, columns);
  if constexpr (kPartInside<P, TR, I>) {
    [[using cutile: hint(0, allow_tma = Bulk)]] view.store(part, tile, kPartIndex<P, I>);
  } else {
    [[using cutile: hint(0, allow_tma = Bulk)]] view.store_masked(part, tile, kPartIndex<P, I>);
  }
}

/// The first column of part I.
template <table::RowParts P, int I>
inline constexpr int kPartBegin = P.width(I) * P.index(I);

/// The sums of rows in parts, as a column. Equal parts are added element by element first, so that the reduction, which
/// makes all threads wait for each other, happens once and not once for each part.
template <class Part>
__tile__ auto sum_of_parts(Part part) {
  return ct::sum<1>(part);
}
template <class Part, class Next, class... More>
__tile__ auto sum_of_parts(Part part, Next next, More... more) {
  if constexpr (std::is_same_v<Part, Next>)
    return sum_of_parts(part + next, more...);
  else
    return ct::sum<1>(part) + sum_of_parts(next, more...);
}

/// Whether rows of `columns` elements end inside the last part and start at multiples of 16 bytes.
template <class T>
bool whole_row_fits(const table::RowParts& parts, int columns, std::initializer_list<const void*> pointers) {
  const int last = parts.width(parts.count() - 1);
  bool fits = columns <= parts.capacity() && columns > parts.capacity() - last &&
              static_cast<std::size_t>(columns) * sizeof(T) % 16 == 0;
  for (const void* pointer : pointers) fits = fits && reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
  return fits;
}

}  // namespace ladder::LADDER_SIDE::stage3
