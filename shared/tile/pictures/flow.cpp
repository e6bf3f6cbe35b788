#include "shared/tile/pictures/flow.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

bool is(const BlockStep& step, std::string_view operation) { return operation == step.operation; }
bool begins(const BlockStep& step, std::string_view text) {
  return std::string_view(step.operation).substr(0, text.size()) == text;
}

const BlockStep* step_of(const BlockSteps& steps, std::uint32_t id) {
  return id == 0 ? nullptr : &steps.at(id - 1);
}

/// The steps of one turn of attention's loop: [first, last).
struct Turn {
  const BlockStep *first, *last;

  template <class Condition>
  const BlockStep* find(Condition condition) const {
    for (const BlockStep* step = first; step != last; ++step)
      if (condition(*step)) return step;
    return nullptr;
  }
};

std::size_t columns_of(const BlockStep& step) { return step.shape.empty() ? 1 : step.shape.back(); }

/// Fills in what follows the scores of `key` within its turn of the loop.
void read_turn(const BlockSteps& steps, const Turn& turn, KeyStep& key) {
  const auto from_scores = [&](const BlockStep& step) { return comes_from(steps, step.id, key.scores->id); };
  const BlockStep* highest =
      turn.find([&](const BlockStep& s) { return is(s, "reduce_max") && from_scores(s); });
  require(highest != nullptr,
          "the block has scores without their maximum: it is not attention's forward pass");
  const BlockStep* select = turn.find([&](const BlockStep& s) {
    return is(s, "select") && from_scores(s) && comes_from(steps, highest->id, s.id);
  });
  key.masked = select != nullptr;
  if (key.masked) key.scores = select;
  key.largest =
      turn.find([&](const BlockStep& s) { return is(s, "max") && comes_from(steps, s.id, highest->id); });
  key.powers = turn.find([&](const BlockStep& s) {
    return is(s, "exp2") && columns_of(s) == columns_of(*key.scores) && from_scores(s);
  });
  key.shrink = turn.find([&](const BlockStep& s) { return is(s, "exp2") && columns_of(s) == 1; });
  const BlockStep* row_sum = turn.find([&](const BlockStep& s) {
    return is(s, "sum") && key.powers != nullptr && comes_from(steps, s.id, key.powers->id);
  });
  key.sum = turn.find([&](const BlockStep& s) {
    return row_sum != nullptr && s.id > row_sum->id && (is(s, "add") || is(s, "fma")) &&
           comes_from(steps, s.id, row_sum->id);
  });
  key.out = turn.find([&](const BlockStep& s) {
    return is(s, "mma") && key.powers != nullptr && comes_from(steps, s.from[0], key.powers->id);
  });
  require(key.largest != nullptr && key.powers != nullptr && key.shrink != nullptr && key.sum != nullptr &&
              key.out != nullptr,
          "the block's step {} is no turn of an online softmax", key.scores->id);
}

bool takes(const BlockStep& step, std::uint32_t operand) {
  return std::find(std::begin(step.from), std::end(step.from), operand) != std::end(step.from);
}

/// The accumulator after `product`: itself; or, where it continues a product of its own turn (fp32 on tensor cores
/// begins with the small halves), the addition that takes it.
const BlockStep* accumulator_after(const BlockSteps& steps, const BlockStep& product,
                                   const BlockStep* before) {
  const BlockStep* begun = step_of(steps, product.from[2]);
  if (begun == nullptr || begun == before || !is(*begun, "mma")) return &product;
  const auto addition = std::find_if(steps.begin() + product.id, steps.end(), [&](const BlockStep& step) {
    return is(step, "add") && takes(step, product.id);
  });
  return addition == steps.end() ? &product : &*addition;
}

/// Throws unless each step adds to the sum of the one before it and the last sum is what is stored.
void require_one_sum(const BlockSteps& steps, const Product& product) {
  for (std::size_t i = 1; i < product.steps.size(); ++i)
    require(takes(*product.steps[i].sum, product.steps[i - 1].sum->id),
            "the block's products do not add up one sum");
  require(comes_from(steps, product.store->id, product.steps.back().sum->id),
          "the block stores something else than its sum of products");
}

}  // namespace

LoadedTile loaded_tile(const BlockSteps& steps, std::uint32_t id) {
  LoadedTile tile;
  while (const BlockStep* step = step_of(steps, id)) {
    if (begins(*step, "load")) {
      tile.load = step->at.empty() ? nullptr : step;
      return tile;
    }
    if (is(*step, "transpose")) tile.transposed = !tile.transposed;
    id = 0;
    for (std::uint32_t operand : step->from) {
      if (operand != 0 && id != 0) return {};  // it has two operands: it is no loaded tile any more
      id = operand != 0 ? operand : id;
    }
  }
  return {};
}

bool comes_from(const BlockSteps& steps, std::uint32_t id, std::uint32_t ancestor) {
  if (id < ancestor) return false;  // a step's operands come before it
  std::vector<bool> reached(id - ancestor + 1, false);
  reached[0] = true;
  for (std::uint32_t i = ancestor + 1; i <= id; ++i)
    for (std::uint32_t operand : steps.at(i - 1).from)
      if (operand >= ancestor && reached[operand - ancestor]) reached[i - ancestor] = true;
  return reached.back();
}

std::vector<Product> products_of(const BlockSteps& steps) {
  std::vector<Product> products;
  Product product;
  for (const BlockStep& step : steps) {
    if (is(step, "mma")) {
      const LoadedTile left = loaded_tile(steps, step.from[0]), right = loaded_tile(steps, step.from[1]);
      const BlockStep* before = product.steps.empty() ? nullptr : product.steps.back().sum;
      if (left && right) product.steps.push_back({left, right, accumulator_after(steps, step, before)});
    }
    if (!begins(step, "store") || step.at.empty() || product.steps.empty()) continue;
    product.store = &step;
    require_one_sum(steps, product);
    products.push_back(std::move(product));
    product = {};
  }
  require(!products.empty(), "the block has no product of loaded tiles whose sum is stored");
  return products;
}

AttentionWalk attention_of(const BlockSteps& steps) {
  AttentionWalk walk{};
  std::vector<const BlockStep*> scores;
  for (const BlockStep& step : steps) {
    if (begins(step, "store") && step.at.size() == 2) walk.stored_out = &step;
    if (begins(step, "store") && step.at.size() == 1) walk.stored_lse = &step;
    if (is(step, "mma") && loaded_tile(steps, step.from[0]) && loaded_tile(steps, step.from[1]))
      scores.push_back(&step);
  }
  require(!scores.empty() && walk.stored_out != nullptr && walk.stored_lse != nullptr,
          "the block has no scores of loaded tiles: it is not attention's forward pass");
  walk.queries = loaded_tile(steps, scores.front()->from[0]);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const BlockStep* end = i + 1 < scores.size() ? scores[i + 1] : steps.data() + steps.size();
    KeyStep key{};
    key.keys = loaded_tile(steps, scores[i]->from[1]);
    key.scores = scores[i];
    read_turn(steps, {scores[i], end}, key);
    walk.keys.push_back(key);
  }
  return walk;
}

}  // namespace ladder
