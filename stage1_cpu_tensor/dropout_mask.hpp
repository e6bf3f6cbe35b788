// Dropout's multipliers, drawn 16 counters at a time: the loops over lanes are what a compiler turns into vector
// instructions. The formula, one element at a time, is dropout_word() in shared/model/dropout.hpp.
#pragma once

#include <array>
#include <cstdint>

#include "shared/model/dropout.hpp"
#include "stage1_cpu_tensor/lanes.hpp"

namespace ladder::eigen {

inline constexpr int kMaskGroup = 64;  ///< neighbours whose words come from the same 16 counters

/// 16 counters side by side; afterwards, their words: word[k][lane] is the k-th of lane's counter.
using PhiloxLanes = std::array<std::array<std::uint32_t, kLanes>, 4>;

/// philox4x32() of every lane.
inline void philox_lanes(PhiloxLanes& word, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kLanes; ++i) {
      const auto lane = static_cast<std::size_t>(i);
      const std::uint64_t low = std::uint64_t{0xD2511F53U} * word[0][lane];
      const std::uint64_t high = std::uint64_t{0xCD9E8D57U} * word[2][lane];
      word[0][lane] = static_cast<std::uint32_t>(high >> 32U) ^ word[1][lane] ^ key0;
      word[2][lane] = static_cast<std::uint32_t>(low >> 32U) ^ word[3][lane] ^ key1;
      word[1][lane] = static_cast<std::uint32_t>(high);
      word[3][lane] = static_cast<std::uint32_t>(low);
    }
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
}

/// One site of dropout in one step.
class DropoutMask {
 public:
  DropoutMask(const Dropout& dropout, const StepConstants& step)
      : threshold_(dropout.threshold()),
        place_(dropout.place()),
        seed_(static_cast<std::uint32_t>(step.seed)),
        step_(static_cast<std::uint32_t>(step.step)),
        first_sequence_(static_cast<std::uint32_t>(step.first_sequence)) {}

  /// For 64 channels of a row from `first` (a multiple of 64) on: multipliers[i] is `kept` where channel first + i
  /// survives, and 0 elsewhere.
  template <class T>
  void channels(int b, int position, int first, T kept, T* multipliers) const {
    PhiloxLanes word;
    for (int i = 0; i < kLanes; ++i)
      set(word, i, static_cast<std::uint32_t>(first / kMaskGroup * kLanes + i), b, position, 0);
    philox_lanes(word, seed_, step_);
    for (std::size_t k = 0; k < 4; ++k)
      for (std::size_t i = 0; i < kLanes; ++i)
        multipliers[k * kLanes + i] = word[k][i] < threshold_ ? T(0) : kept;
  }

  /// For the keys s, s + 16, s + 32 and s + 48 (s % 64 < 16) of 16 query positions from t0 on, one a lane: signs[k] is 1
  /// where key s + 16 k survives, and -1 elsewhere.
  template <class T>
  void keys(int b, int t0, int head, int s, std::array<Lane<T>, 4>& signs) const {
    PhiloxLanes word;
    for (int i = 0; i < kLanes; ++i)
      set(word, i, static_cast<std::uint32_t>(s / kMaskGroup * kLanes + s % kLanes), b, t0 + i, head);
    philox_lanes(word, seed_, step_);
    for (std::size_t k = 0; k < 4; ++k)
      for (int i = 0; i < kLanes; ++i)
        signs[k][i] = word[k][static_cast<std::size_t>(i)] < threshold_ ? T(-1) : T(1);
  }

 private:
  void set(PhiloxLanes& counter, int lane, std::uint32_t front, int b, int position, int head) const {
    const auto i = static_cast<std::size_t>(lane);
    counter[0][i] = front;
    counter[1][i] = static_cast<std::uint32_t>(position);
    counter[2][i] = first_sequence_ + static_cast<std::uint32_t>(b);
    counter[3][i] = place_ + static_cast<std::uint32_t>(head);
  }

  std::uint32_t threshold_, place_, seed_, step_, first_sequence_;
};

}  // namespace ladder::eigen
