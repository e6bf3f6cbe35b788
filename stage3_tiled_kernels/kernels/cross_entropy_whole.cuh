// Softmax cross-entropy of a row of logits that fits into a block's registers: read once, its gradient written once.
//
// For the vocabularies that the table of configurations has parts for; cross_entropy.cuh has the kernel for all others
// and chooses.
#pragma once

#include "stage3_tiled_kernels/kernels/attention_tiles.hpp"
#include "stage3_tiled_kernels/kernels/row_parts.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// The largest element of a row in parts. Equal parts are compared element by element, so that the reduction, which
/// makes all threads wait for each other, happens once and not once for each part.
template <class Part>
__tile__ auto largest_of(Part part) {
  return ct::reduce_max<1>(part);
}
template <class Part, class Next, class... More>
__tile__ auto largest_of(Part part, Next next, More... more) {
  if constexpr (std::is_same_v<Part, Next>)
    return largest_of(ct::max(part, next), more...);
  else
    return ct::max(ct::reduce_max<1>(part), largest_of(next, more...));
}

/// exp(z - largest) with shift = largest / ln 2; results below the smallest normal number become 0.
template <class Part, class One>
__tile__ auto exponentials(Part z, One shift) {
  const auto wide = ct::element_cast<float>(z);
  using Wide = decltype(wide + 0.0F);
  const auto power = ct::fma(wide, ct::full<Wide>(static_cast<float>(kLog2E)), ct::zeros<Wide>() - shift);
  return ct::exp2(power, ct::round_subnormals_to_zero_t{});
}

/// One part of the gradient, exp(z - largest) / sum * weight as one power of two, less the weight at the target, which
/// lies in one part only.
template <class T, table::LossTiles S, int I, class Part, class One>
__tile__ void store_dlogits_part(Part z, One shift, float weight, int target, int rows, int columns, int row,
                                 T* logits_nv) {
  const auto p = exponentials(z, shift);
  constexpr int kBegin = kPartBegin<S.row, I>, kWidth = kPartWidth<S.row, I>;
  if (target >= kBegin && target < kBegin + kWidth) {
    const auto dz = ct::select(row_of_indices<kWidth>(kBegin) == target, p - weight, p);
    store_part<S.row, 1, I, S.bulk_store>(logits_nv, rows, columns, row, ct::element_cast<T>(dz));
  } else {
    store_part<S.row, 1, I, S.bulk_store>(logits_nv, rows, columns, row, ct::element_cast<T>(p));
  }
}

/// A part without the columns behind the vocabulary, which all lie in the last one.
template <table::RowParts P, int I, class Part>
__tile__ auto entries_only(Part z, int vocabulary) {
  if constexpr (!kPartLast<P, I>)
    return z;
  else
    return ct::select(row_of_indices<kPartWidth<P, I>>(kPartBegin<P, I>) < vocabulary, z,
                      ct::full<Part>(ct::tile_element_t<Part>(kBelowAll<float>)));
}

/// Loss and gradient of a row in registers; target and weight of a row of no sequence are -1 and 0.
template <class T, table::LossTiles S, int... I, class... Z>
__tile__ void loss_of_parts(std::integer_sequence<int, I...> /*parts*/, int rows, int columns, int row,
                            float weight, int target, bool with_gradient, T* logits_nv, float* loss_n,
                            Z... z) {
  if (target >= 0) {
    const float chosen =
        static_cast<float>(ct::load(logits_nv + (static_cast<std::int64_t>(row) * columns + target)));
    const auto largest = ct::element_cast<float>(largest_of(z...));
    const auto shift = largest * static_cast<float>(kLog2E);
    const auto sum = sum_of_parts(exponentials(z, shift)...);
    ct::store(loss_n + row, static_cast<float>(weight * (ct::log(sum) - (chosen - largest))));
    if (with_gradient) {
      // Below every logit, but the compiler cannot know: without it, it would keep the row in fp32 from the sum on
      // to save converting it again, and that does not fit.
      const auto below = ct::element_cast<T>(shift * 0.0F - 3e38F);
      const auto scaled = shift + ct::log2(sum / weight);
      (store_dlogits_part<T, S, I>(ct::max(z, below), scaled, weight, target, rows, columns, row, logits_nv),
       ...);
    }
  } else {
    ct::store(loss_n + row, 0.0F);
    if (with_gradient)
      (store_part<S.row, 1, I, S.bulk_store>(logits_nv, rows, columns, row,
                                             ct::zeros<ct::tile<T, ct::shape<1, kPartWidth<S.row, I>>>>()),
       ...);
  }
}

template <class T, table::LossTiles S, int... I>
__tile__ void loss_of_whole_row(std::integer_sequence<int, I...> parts, int rows, int vocabulary, int columns,
                                int row, float weight, int target, bool with_gradient, T* logits_nv,
                                float* loss_n) {
  loss_of_parts<T, S>(
      parts, rows, columns, row, weight, target, with_gradient, logits_nv, loss_n,
      entries_only<S.row, I>(load_part<S.row, 1, I, S.bulk_load, ct::view_padding::negative_inf>(
                                 static_cast<const T*>(logits_nv), rows, columns, row),
                             vocabulary)...);
}

// Computes: as cross_entropy_kernel
// Shapes:   logits_nv [N, V] in rows of `columns`, targets_n, sequence_n [N], lengths_b [B] -> loss_n [N], logits_nv; V
//           and the columns end in the last of the row's parts, and the columns are a multiple of 16 bytes
// Map:      one block owns every num_blocks-th row
// Traffic:  reads N V elements, writes N V
// FLOPs:    8 N V, counting exp2 as one
// Bound:    memory
// Differs from the previous rung: the row stays in registers, as bf16, between the sum and the gradient: it is read
//           once, and two blocks fit a multiprocessor, of which one computes while the other waits for memory
template <class T, table::LossTiles S>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
cross_entropy_whole_kernel(int rows, int vocabulary, int columns_, double scale, bool with_gradient,
                           const std::int32_t* __restrict__ targets_n,
                           const std::int32_t* __restrict__ sequence_n,
                           const std::int32_t* __restrict__ lengths_b, T* logits_,
                           float* __restrict__ loss_n) {
  const int columns = ct::assume_divisible<16 / sizeof(T)>(columns_);
  const auto logits_nv = ct::assume_aligned<16>(logits_);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int row : ct::irange(first, rows, blocks)) {
    // none of these decides whether the row is loaded, so that the row does not wait for them
    const int b = ct::load(sequence_n + row);
    const float length = static_cast<float>(ct::load(lengths_b + (b < 0 ? 0 : b)));
    const int target = b < 0 ? -1 : ct::load(targets_n + row);
    loss_of_whole_row<T, S>(Parts<S.row>{}, rows, vocabulary, columns, row,
                            static_cast<float>(scale) / length, target, with_gradient, logits_nv, loss_n);
  }
}

}  // namespace ladder::LADDER_SIDE::stage3
