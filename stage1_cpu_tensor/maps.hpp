// Eigen's view of the stage's memory: maps of row-major matrices and of flat
// arrays. Nothing here owns memory.
#pragma once

#include <Eigen/Core>

namespace ladder::eigen {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using MatrixMap = Eigen::Map<Matrix<T>>;
template <class T>
using ArrayMap = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>>;
template <class T>
using RowsArrayMap = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

/// The tensor behind a Ref as [rows, columns].
template <class T, class Reference>
MatrixMap<T> matrix(const Reference& reference, int rows, int columns) {
  return {reference.template as<T>(), rows, columns};
}

template <class T, class Reference>
ArrayMap<T> array(const Reference& reference, std::size_t count) {
  return {reference.template as<T>(), static_cast<Eigen::Index>(count)};
}

}  // namespace ladder::eigen
