// The autograd graph as a picture: every slot of the tape that leads to a root, with
// its data and its gradient.
#pragma once

#include <map>
#include <string>

#include "stage0_scalar_autograd/value.hpp"

namespace ladder::stage0 {

using Names = std::map<Id, std::string>;  ///< what to call a slot: "a", "wq[0][1]"

/// Graphviz's DOT for all slots that the last backward() visited and the parameters among their children. An
/// edge points from a child to the slot computed from it; each slot shows its operation, data and gradient.
std::string to_dot(const Tape& tape, const Names& names);

/// The example that is drawn without an expression: one attention head of width 2 reads one
/// token, which attends to the token before it and to itself. backward() has run from `root`, the
/// sum of the head's two outputs.
struct AttentionExample {
  Value root;
  Names names;
};
AttentionExample attention_example(Tape& tape);

}  // namespace ladder::stage0
