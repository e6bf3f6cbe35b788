// Every row of the tables of configurations names its evidence: an item of knowledge with the same
// tiles, or that there is none.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "shared/base/json.hpp"
#include "stage3_tiled_kernels/configs.hpp"

namespace {

using namespace ladder;  // NOLINT(google-build-using-namespace)

/// All items by their ids.
std::map<std::string, Json> all_items() {
  std::map<std::string, Json> items;
  for (const auto& entry : std::filesystem::directory_iterator("stage3_tiled_kernels/knowledge/items")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      const Json item = Json::parse(line);
      const auto id = item.at("id").get<std::string>();
      INFO(entry.path() << ": " << id << " stands twice");
      const bool fresh = items.emplace(id, item).second;
      REQUIRE(fresh);
    }
  }
  return items;
}

/// Whether the evidence says openly that the row was not measured.
bool unmeasured(std::string_view evidence) {
  for (const std::string_view word : {"static: ", "untuned: ", "published: "})
    if (evidence.substr(0, word.size()) == word && evidence.size() > word.size()) return true;
  return false;
}

/// Checks that `evidence` is an honest word or the id of a measured item of this architecture and these tiles.
void check_evidence(const std::map<std::string, Json>& items, const char* evidence, int architecture,
                    const Json& tiles) {
  REQUIRE(evidence != nullptr);
  INFO("sm_" << architecture << ", evidence '" << evidence << "'");
  if (unmeasured(evidence)) return;
  const auto found = items.find(evidence);
  REQUIRE(found != items.end());
  const Json& item = found->second;
  CHECK(item.at("outcome") == "measured");
  CHECK(item.at("architecture") == architecture);
  for (const auto& [name, value] : tiles.items()) {
    INFO(name);
    CHECK(item.at("configuration").at(name) == value);
  }
}

template <class Tiles>
Json with_row(const Tiles& tiles, Json json) {
  json.update({{"part", tiles.row.part},
               {"parts", tiles.row.parts},
               {"rest", tiles.row.rest},
               {"warps", tiles.warps},
               {"occupancy", tiles.occupancy},
               {"bulk_load", tiles.bulk_load},
               {"bulk_store", tiles.bulk_store},
               {"persistent", tiles.persistent}});
  return json;
}

/// As the items of gemm (bf16) and of gemm_fp32 have them.
Json product_json(const table::ProductTiles& tiles, const char* layout, Dtype dtype) {
  Json json = {{"layout", layout},
               {"rows", tiles.rows},
               {"columns", tiles.columns},
               {"inner", tiles.inner},
               {"warps", tiles.warps},
               {"occupancy", tiles.occupancy},
               {"group", tiles.group},
               {"persistent", tiles.persistent},
               {"bulk_store", tiles.bulk_store},
               {"piece", tiles.piece}};
  const bool split = tiles.products == table::Products::split;
  if (size_of(dtype) == 4)
    json.update({{"dtype", name_of(dtype)}, {"products", split ? "split" : "plain"}, {"divisor", 4}});
  return json;
}

}  // namespace

TEST_CASE("rows of products have evidence, sm_90 measured ones for fp32, tf32 and bf16", "[stage3]") {
  const auto items = all_items();
  std::map<Dtype, int> measured;
  for (const table::ProductRow& row : table::kProductRows) {
    const auto check = [&](const char* evidence, const table::ProductTiles& tiles, const char* layout) {
      check_evidence(items, evidence, row.architecture, product_json(tiles, layout, row.dtype));
      measured[row.dtype] += row.architecture == 90 && !unmeasured(evidence);
    };
    check(row.forward_evidence, row.forward, "NT");
    check(row.input_evidence, row.input, "NN");
    check(row.beside_evidence, row.beside, "NT");
    check(row.weight_evidence, row.weight, "TN");
  }
  for (const Dtype dtype : {Dtype::fp32, Dtype::tf32, Dtype::bf16}) {
    INFO(name_of(dtype));
    CHECK(measured[dtype] == 4);
  }
}

TEST_CASE("rows of norms and losses have evidence", "[stage3]") {
  const auto items = all_items();
  for (const table::NormRow& row : table::kNorms) {
    check_evidence(items, row.forward_evidence, row.architecture,
                   with_row(row.forward, {{"rows", row.forward.rows}}));
    check_evidence(items, row.backward_evidence, row.architecture,
                   with_row(row.backward, {{"rows", row.backward.rows}}));
  }
  for (const table::LossRow& row : table::kLosses)
    check_evidence(items, row.evidence, row.architecture, with_row(row.tiles, Json::object()));
}

TEST_CASE("the architecture that has been measured has a measured row of each kind", "[stage3]") {
  int norms = 0, losses = 0;
  for (const table::NormRow& row : table::kNorms)
    norms +=
        row.architecture == 90 && !unmeasured(row.forward_evidence) && !unmeasured(row.backward_evidence);
  for (const table::LossRow& row : table::kLosses)
    losses += row.architecture == 90 && !unmeasured(row.evidence);
  CHECK(norms > 0);
  CHECK(losses > 0);
}

TEST_CASE("rows of attention have evidence", "[stage3]") {
  const auto items = all_items();
  for (const table::AttentionRow& row : table::kAttentionRows) {
    const table::AttentionTiles& t = row.tiles;
    const char* part = row.part == table::AttentionPart::forward     ? "forward"
                       : row.part == table::AttentionPart::key_value ? "key_value"
                                                                     : "query";
    check_evidence(items, row.evidence, row.architecture,
                   {{"head", row.head},
                    {part, fmt::format("{}x{} w{} o{} k{} v{}", t.queries, t.keys, t.warps, t.occupancy,
                                       t.key_latency, t.value_latency)}});
  }
}
