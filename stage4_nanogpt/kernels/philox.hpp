// Dropout masks as tiles: Philox4x32-10 on words, drawn as model/dropout.hpp says.
#pragma once

#include <algorithm>

#include "shared/model/dropout.hpp"
#include "stage3_tiled_kernels/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage4 {

using namespace stage3;

using Word = std::uint32_t;

// StepConstants as kernels read it: 64-bit integers in order, since a tile program takes numbers and pointers only.
static_assert(offsetof(StepConstants, step) == 9 * sizeof(std::int64_t) &&
              offsetof(StepConstants, first_sequence) == 11 * sizeof(std::int64_t) &&
              offsetof(StepConstants, seed) == 12 * sizeof(std::int64_t));

/// What all draws of a launch have in common, as arguments of a kernel.
struct DropoutLaunch {
  const std::int64_t* step;  ///< StepConstants, from its first number on; null: no dropout
  Word place, threshold;
  double factor;
};

inline DropoutLaunch launch_of(const Dropout& dropout, const StepConstants* step) {
  if (!dropout) return {nullptr, 0, 0, 1.0};
  return {reinterpret_cast<const std::int64_t*>(step), dropout.place(), dropout.threshold(),
          dropout.keep_factor()};
}

/// The key of a step's draws, and the number of its micro-batch's first sequence.
struct StepKeyWords {
  Word seed, step, first_sequence;
};

__tile__ inline StepKeyWords key_words(const std::int64_t* step) {
  return {static_cast<Word>(step[12]), static_cast<Word>(step[9]), static_cast<Word>(step[11])};
}

/// Four tiles of words, whose shapes need only broadcast to each other.
template <class A, class B, class C, class D>
struct FourWords {
  A a;
  B b;
  C c;
  D d;
};

/// One round on every element. The first two touch no whole tile where one of a and c is a column and the other a row.
template <class A, class B, class C, class D>
__tile__ auto philox_round(FourWords<A, B, C, D> x, Word key_0, Word key_1) {
  const auto low = x.a * Word{0xD2511F53U}, low_upper = ct::mulhi(x.a, Word{0xD2511F53U});
  const auto high = x.c * Word{0xCD9E8D57U}, high_upper = ct::mulhi(x.c, Word{0xCD9E8D57U});
  const auto first = high_upper ^ x.b ^ key_0;
  const auto third = low_upper ^ x.d ^ key_1;
  return FourWords<std::remove_const_t<decltype(first)>, C, std::remove_const_t<decltype(third)>, A>{
      first, high, third, low};
}

/// Ten rounds: four random words for every counter.
template <int Rounds = 10, class A, class B, class C, class D>
__tile__ auto philox(FourWords<A, B, C, D> counter, Word key_0, Word key_1) {
  const auto next = philox_round(counter, key_0, key_1);
  if constexpr (Rounds == 1)
    return next;
  else
    return philox<Rounds - 1>(next, key_0 + Word{0x9E3779B9U}, key_1 + Word{0xBB67AE85U});
}

/// How the words of Indices neighbouring elements are drawn: Groups times 64, or a part of a group.
template <int Indices>
struct WordGroups {
  static constexpr int kLanes = std::min(Indices, 16);             ///< counters side by side
  static constexpr int kGroups = Indices < 64 ? 1 : Indices / 64;  ///< of 16 counters
};

/// The first words of the counters of Indices elements from `first` on, a multiple of Indices: tile<Word, Shape>, where
/// Shape has one element for each counter.
template <int Indices, class Shape>
__tile__ auto counter_words(int first) {
  using G = WordGroups<Indices>;
  const auto group = ct::reshape<ct::shape<G::kGroups, 1>>(ct::iota<ct::tile<int, ct::shape<G::kGroups>>>());
  const auto lane = ct::reshape<ct::shape<1, G::kLanes>>(ct::iota<ct::tile<int, ct::shape<G::kLanes>>>());
  return ct::reshape<Shape>(ct::element_cast<Word>((group + first / 64) * 16 + (lane + first % 16)));
}

/// The words of Indices elements from `first` on out of the four of their counters, side by side along dimension Dim.
template <int Indices, int Dim, class Words>
__tile__ auto joined_words(FourWords<Words, Words, Words, Words> x, int first) {
  if constexpr (Indices >= 64) {
    return ct::cat<Dim>(ct::cat<Dim>(x.a, x.b), ct::cat<Dim>(x.c, x.d));
  } else if constexpr (Indices == 32) {
    const bool upper = first % 64 >= 32;
    auto left = x.a, right = x.b;
    if (upper) left = x.c;
    if (upper) right = x.d;
    return ct::cat<Dim>(left, right);
  } else {
    const int which = first % 64 / 16;
    auto words = x.a;
    if (which == 1) words = x.b;
    if (which == 2) words = x.c;
    if (which == 3) words = x.d;
    return words;
  }
}

/// Which elements survive: of TR positions in rows, and TC indices (channels, keys) from `first` on in columns, where
/// `first` is a multiple of TC. `sequence` (numbers in the whole batch) and `position` are words [TR, 1] or [1, 1];
/// `place` is Dropout::place() + head.
template <int TR, int TC, class Sequence, class Position>
__tile__ ct::tile<bool, ct::shape<TR, TC>> kept(Sequence sequence, Position position, int first, Word place,
                                                Word seed, Word step, Word threshold) {
  using G = WordGroups<TC>;
  using Counters = ct::tile<Word, ct::shape<1, G::kGroups, G::kLanes>>;
  const auto position_3 = ct::reshape<ct::shape<TR, 1, 1>>(ct::broadcast<ct::shape<TR, 1>>(position));
  const auto sequence_3 = ct::reshape<ct::shape<TR, 1, 1>>(ct::broadcast<ct::shape<TR, 1>>(sequence));
  const auto place_3 = ct::full<Counters>(place);
  const auto counters = counter_words<TC, ct::shape<1, G::kGroups, G::kLanes>>(first);
  const FourWords<Counters, decltype(position_3 + Word{0}), decltype(sequence_3 + Word{0}), Counters> counter{
      counters, position_3, sequence_3, place_3};
  const auto words = joined_words<TC, 2>(philox(counter, seed, step), first);
  return ct::reshape<ct::shape<TR, TC>>(words) >= threshold;
}

/// The same the other way round: TC indices from `first` on in rows, TR positions in columns; `sequence` and `position`
/// are words [1, TR] or [1, 1].
template <int TC, int TR, class Sequence, class Position>
__tile__ ct::tile<bool, ct::shape<TC, TR>> kept_transposed(Sequence sequence, Position position, int first,
                                                           Word place, Word seed, Word step, Word threshold) {
  using G = WordGroups<TC>;
  using Counters = ct::tile<Word, ct::shape<G::kGroups, G::kLanes, 1>>;
  const auto position_3 = ct::reshape<ct::shape<1, 1, TR>>(ct::broadcast<ct::shape<1, TR>>(position));
  const auto sequence_3 = ct::reshape<ct::shape<1, 1, TR>>(ct::broadcast<ct::shape<1, TR>>(sequence));
  const auto place_3 = ct::full<Counters>(place);
  const auto counters = counter_words<TC, ct::shape<G::kGroups, G::kLanes, 1>>(first);
  const FourWords<Counters, decltype(position_3 + Word{0}), decltype(sequence_3 + Word{0}), Counters> counter{
      counters, position_3, sequence_3, place_3};
  const auto words = joined_words<TC, 1>(philox(counter, seed, step), first);
  return ct::reshape<ct::shape<TC, TR>>(words) >= threshold;
}

}  // namespace ladder::LADDER_SIDE::stage4
