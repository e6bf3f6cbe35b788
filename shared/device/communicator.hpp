// Communicator: the programs that train one model together, and the sum of their gradients.
#pragma once

#include <cstddef>
#include <memory>

#include "shared/model/ops.hpp"

namespace ladder {

/// One of `ranks()` equals. All of them call the same operations in the same order.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;  ///< 0 .. ranks() - 1
  virtual int ranks() const = 0;
  /// Replaces each of `count` gradients by its sum over all ranks: the same bits on each. Behind all earlier work of
  /// `queue` (see Ops::in_order), before all later work.
  virtual void sum(Grad gradients, std::size_t count, void* queue) = 0;
};

/// The one rank of a program that trains alone: a sum over one is what it was.
std::shared_ptr<Communicator> single_rank();

}  // namespace ladder
