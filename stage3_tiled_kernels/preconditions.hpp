// What the launchers cannot see: tensors that only a fused operation must have (to its launcher a null pointer means
// "none"), the integers of a batch, the settings of a step.
#pragma once

#include <cstdint>

#include "shared/base/error.hpp"
#include "shared/model/ops.hpp"

namespace ladder::stage3 {

/// Throws InputError when `data` is null or not a multiple of `alignment` bytes.
inline void require_given(const char* operation, const char* name, const void* data, std::size_t alignment) {
  require(data != nullptr, "{}: pointer {} is null", operation, name);
  require(reinterpret_cast<std::uintptr_t>(data) % alignment == 0,
          "{}: pointer {} ({}) is not aligned to its elements of {} bytes", operation, name, data, alignment);
}

template <class Role>
void require_given(const char* operation, const char* name, Ref<Role> ref) {
  require_given(operation, name, ref.data, size_of(ref.dtype));
}

/// The same where the tensor may be missing.
template <class Role>
void require_aligned(const char* operation, const char* name, Ref<Role> ref) {
  if (ref) require_given(operation, name, ref);
}

/// All integers of a batch.
inline void require_batch(const char* operation, const BatchView& batch) {
  require(batch.batch >= 0 && batch.rows >= 0, "{}: a batch of {} sequences and {} rows", operation,
          batch.batch, batch.rows);
  const auto given = [&](const char* name, const std::int32_t* data) {
    require_given(operation, name, data, sizeof *data);
  };
  if (batch.batch > 0) given("starts_b", batch.starts_b);
  if (batch.batch > 0) given("lengths_b", batch.lengths_b);
  if (batch.rows > 0) given("tokens_n", batch.tokens_n);
  if (batch.rows > 0) given("targets_n", batch.targets_n);
  if (batch.rows > 0) given("sequence_n", batch.sequence_n);
  require(batch.first == 0 || (batch.first > 0 && batch.batch == 1),
          "{}: {} positions before a batch of {} sequences", operation, batch.first, batch.batch);
}

// One for every operation with something to check; the rest is the launchers'.
template <class Args>
void require_arguments(const Args&) {}
inline void require_arguments(const EmbeddingForward& a) { require_batch("embedding_forward", a.batch); }
inline void require_arguments(const EmbeddingBackward& a) { require_batch("embedding_backward", a.batch); }
inline void require_arguments(const AttentionForward& a) { require_batch("attention_forward", a.batch); }
inline void require_arguments(const AttentionBackward& a) { require_batch("attention_backward", a.batch); }
inline void require_arguments(const CrossEntropy& a) {
  require_batch("cross_entropy", a.batch);
  require(a.columns >= a.vocabulary, "cross_entropy: rows of {} columns hold no vocabulary of {}", a.columns,
          a.vocabulary);
}
inline void require_arguments(const Adam& a) {
  require_given("adam", "step", a.step, alignof(StepConstants));
  require_given("adam", "param", a.param);
  require_aligned("adam", "squares", a.squares);
}
inline void require_arguments(const RmsNormBackward& a) {
  require_aligned("rmsnorm_backward", "dresidual_nc", a.dresidual_nc);
}
inline void require_arguments(const RmsNormLinearBackward& a) {
  require_given("rmsnorm_linear_backward", "rstd_n", a.rstd_n);
  require_given("rmsnorm_linear_backward", "dnormed_ni", a.dnormed_ni);
  require_aligned("rmsnorm_linear_backward", "dresidual_ni", a.dresidual_ni);
}
inline void require_arguments(const LinearResidualForward& a) {
  require_given("linear_residual_forward", "residual_no", a.residual_no);
}
inline void require_arguments(const LinearBackwardInputRelu& a) {
  require_given("linear_backward_input_relu", "relu_ni", a.relu_ni);
}

}  // namespace ladder::stage3
