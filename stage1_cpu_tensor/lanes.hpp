// Lanes: 16 numbers that are worked on together, as one fixed-size Eigen array.
//
// Eigen vectorises an expression of dynamic length in whole packets and finishes element by element; names
// have some 7 positions and 27 logits, so everything would be "the rest". Padding to 16 lanes keeps exp and
// sums in full packets.
#pragma once

#include <Eigen/Core>

namespace ladder::eigen {

inline constexpr int kLanes = 16;

template <class T>
using Lane = Eigen::Array<T, kLanes, 1>;

constexpr int round_up_to_lanes(int count) { return (count + kLanes - 1) / kLanes * kLanes; }

/// `count` < 16 numbers, then `padding`.
template <class T>
Lane<T> load_part(const T* source, int count, T padding) {
  Lane<T> lane = Lane<T>::Constant(padding);
  for (int i = 0; i < count; ++i) lane[i] = source[i];
  return lane;
}

/// The `count` <= 16 numbers at `source`, then zeros.
template <class T>
Lane<T> load_lane(const T* source, int count) {
  return count == kLanes ? Lane<T>(Eigen::Map<const Lane<T>>(source)) : load_part(source, count, T(0));
}

/// The first `count` <= 16 numbers of `lane`, to `to`.
template <class T>
void store_lane(const Lane<T>& lane, int count, T* to) {
  Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>>{to, count} = lane.head(count);
}

/// mask[j][i] = 1 where i >= j, else 0. Multiplying by it is what Eigen turns into one instruction; select()
/// is not.
template <class T>
struct LaneMask {
  alignas(64) T values[kLanes][kLanes];
  constexpr LaneMask() : values{} {
    for (int j = 0; j < kLanes; ++j)
      for (int i = j; i < kLanes; ++i) values[j][i] = T(1);
  }
  Eigen::Map<const Lane<T>, Eigen::Aligned64> operator[](int j) const {
    return Eigen::Map<const Lane<T>, Eigen::Aligned64>(values[j]);
  }
};
template <class T>
inline constexpr LaneMask<T> lane_mask;

/// exp(x) for x <= 0, but no smaller than some 1e-34 (double: 1e-304): results below the normal numbers would
/// cost a hundred cycles each and change nothing in a sum with a 1 in it. NaN stays NaN (max keeps its left
/// side then).
template <class T>
Lane<T> bounded_exp(const Lane<T>& x) {
  constexpr T lowest = sizeof(T) == 4 ? T(-79) : T(-700);
  return x.max(lowest).exp();
}

/// columns[d] = element d of each of `count` <= 16 rows, lane by lane; lanes past `count` are zero.
template <class T>
void load_columns(const T* rows, std::ptrdiff_t stride, int count, int channels, Lane<T>* columns) {
  for (int d = 0; d < channels; ++d) {
    Lane<T> column = Lane<T>::Zero();
    for (int i = 0; i < count; ++i) column[i] = rows[i * stride + d];
    columns[d] = column;
  }
}

}  // namespace ladder::eigen
