// An Ops that wants the padded layout, on top of one that takes either: for testing
// padding without a GPU stage.
#pragma once

#include "shared/model/ops.hpp"

namespace ladder::cases {

/// `inner` must outlive it.
class PaddedView final : public Ops {
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
  void run(const EmbeddingForward& a) override { inner_.run(a); }
  void run(const EmbeddingBackward& a) override { inner_.run(a); }
  void run(const RmsNormForward& a) override { inner_.run(a); }
  void run(const RmsNormBackward& a) override { inner_.run(a); }
  void run(const LinearForward& a) override { inner_.run(a); }
  void run(const LinearBackwardInput& a) override { inner_.run(a); }
  void run(const LinearBackwardWeight& a) override { inner_.run(a); }
  void run(const AttentionForward& a) override { inner_.run(a); }
  void run(const AttentionBackward& a) override { inner_.run(a); }
  void run(const ReluForward& a) override { inner_.run(a); }
  void run(const ReluBackward& a) override { inner_.run(a); }
  void run(const ResidualForward& a) override { inner_.run(a); }
  void run(const CrossEntropy& a) override { inner_.run(a); }
  void run(const Adam& a) override { inner_.run(a); }
  void run(const RmsNormLinearForward& a) override { inner_.run(a); }
  void run(const RmsNormLinearBackward& a) override { inner_.run(a); }
  void run(const LinearResidualForward& a) override { inner_.run(a); }
  void run(const LinearBackwardInputRelu& a) override { inner_.run(a); }

 private:
  Ops& inner_;
};

}  // namespace ladder::cases
