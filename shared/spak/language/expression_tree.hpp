// Expressions in strings (conditions of rules, invariants) and the places that messages name.
#pragma once

#include <string_view>

#include "shared/spak/language/syntax.hpp"

namespace ladder::spak {

/// Line and column of a byte of the text.
Place place_in(std::string_view text, std::size_t at);

/// `text` as one expression. Throws InputError "NAME:LINE:COLUMN: expected ..." where it is none.
Node expression_tree(std::string_view text, std::string_view name);

/// The assignments that `text` begins with, as nodes of two children: name, expression.
std::vector<Node> assignment_trees(std::string_view text);

}  // namespace ladder::spak
