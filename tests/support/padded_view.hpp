// An Ops that wants the padded layout, on top of one that takes either: for testing padding without a GPU stage.
#pragma once

#include "shared/model/ops.hpp"

namespace ladder::cases {

/// `inner` must outlive it.
class PaddedView final : public PassesOn<PaddedView, Ops, AllOperations> {
 public:
  explicit PaddedView(Ops& inner) : inner_(inner) {}
  std::string name() const override { return "padded"; }
  Dtype dtype() const override { return inner_.dtype(); }
  Layout layout() const override { return Layout::padded; }
  void* allocate(std::size_t bytes) override { return inner_.allocate(bytes); }
  void upload(void* to, const void* from, std::size_t bytes) override { inner_.upload(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { inner_.download(to, from, bytes); }
  void zero(void* to, std::size_t bytes) override { inner_.zero(to, bytes); }
  std::size_t attention_scratch_bytes(int rows, int heads, int length) const override {
    return inner_.attention_scratch_bytes(rows, heads, length);
  }
  template <class Args>
  void pass(const Args& args) {
    inner_.run(args);
  }

 private:
  Ops& inner_;
};

}  // namespace ladder::cases
