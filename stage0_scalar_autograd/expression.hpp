// Small expressions, typed by hand, as Values: "relu(a*b + c)".
//
//   sum     = product { ("+" | "-") product }
//   product = signed { ("*" | "/") signed }
//   signed  = "-" signed | power
//   power   = atom [ ("^" | "**") signed ]            the exponent must be a plain number
//   atom    = number | name | "(" sum ")" | ("exp" | "log" | "relu") "(" sum ")" | "pow" "(" sum "," sum ")"
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "stage0_scalar_autograd/value.hpp"

namespace ladder::stage0 {

/// The data of each name: "a=2,b=-1". Throws InputError naming the item that is none, or comes twice.
std::map<std::string, double> parse_values(std::string_view text);

struct Expression {
  Value root;
  std::map<std::string, Value> variables;  ///< a leaf for each name in the text
};

/// Computes `text` on `tape`, each operation as model.hpp would. Throws InputError with the position (from 1)
/// of what cannot be read, of a name without a value, and of an operation whose result is not a finite
/// number; also for a value that no name in the text uses.
Expression parse_expression(Tape& tape, std::string_view text, const std::map<std::string, double>& values);

}  // namespace ladder::stage0
