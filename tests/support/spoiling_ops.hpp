// Operations that are right and then do something besides.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "shared/model/ops_decorators.hpp"

namespace ladder::testing {

class SpoilingOps final : public OpsDecorator {
 public:
  /// `after` is called behind every operation.
  SpoilingOps(std::unique_ptr<Ops> ops, std::function<void(Ops&, const OpCall&)> after)
      : OpsDecorator(std::move(ops)), after_(std::move(after)) {}

 private:
  void around(const OpCall& call) override {
    call.run();
    after_(inner(), call);
  }

  std::function<void(Ops&, const OpCall&)> after_;
};

/// Another byte at `address`, which an Ops has allocated.
inline void spoil_byte(Ops& ops, const void* address) {
  std::byte byte{};
  ops.download(&byte, address, 1);
  byte ^= std::byte{1};
  ops.upload(const_cast<void*>(address), &byte, 1);
}

/// The first byte behind a matrix.
inline const void* end_of(const OutputView& output) {
  const std::size_t elements = (output.rows - 1) * output.stride + output.columns;
  return static_cast<const std::byte*>(output.data) + elements * size_of(output.dtype);
}

}  // namespace ladder::testing
