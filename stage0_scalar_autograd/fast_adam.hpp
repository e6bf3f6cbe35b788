// Adam at full speed, with the bits of optimizer.hpp.
//
// Adam takes 8,384 powers a step, which cost as much as everything else together. Two of its operations have
// an exact hardware relative: pow(g, 2) is nearly always the product g * g, pow(v, 0.5) nearly always the
// square root. Nearly, because product and root are correctly rounded and libm's pow is not: on 0.085 % of
// the arguments they differ, and one differing bit ends the equality with the original. So each product and
// root is proven or not used:
//
//   A fused multiply-add gives the candidate's exact distance from the true result. glibc bounds pow's error
//   by 0.509 + 1.3 * 2^-15 * |ln result| units in the last place (its sources say so; 0.511 and 1.5 without
//   FMA), so by 0.515 for results from 2^-100 to 2^100. If the true result lies within 0.484 units of the
//   candidate, every other number is at least 0.516 units away: pow returns the candidate. Otherwise (3 % of
//   the arguments) pow is called.
#pragma once

#include <span>

#include "stage0_scalar_autograd/optimizer.hpp"

namespace ladder::stage0 {

/// out_i = pow(x_i, 2) and pow(x_i, 0.5), bit for bit, eight at a time where the
/// processor can. For any doubles.
void squares(std::span<const double> x, std::span<double> out);
void square_roots(std::span<const double> x, std::span<double> out);

/// The same update as adam_update(), bit for bit.
void fast_adam_update(const StepConstants& step, std::span<double> parameters,
                      std::span<const double> gradients, std::span<double> m, std::span<double> v);

}  // namespace ladder::stage0
