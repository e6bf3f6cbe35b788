// The reader of cuobjdump's text and the count of resident blocks, on hand-made examples; and that the committed record
// has every row of the configuration table, from the kernels of today.
#include "shared/base/json.hpp"
#include "tests/stage3/resources.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/records/records.hpp"
#include "stage3_tiled_kernels/configs.hpp"

using namespace ladder;

namespace {

const std::string kSymbol = "_ZN6ladder6on_gpu6stage312trial_kernelI13__nv_bfloat16Li32ELi64EEEviPKT_";

std::vector<std::string> cuobjdump_text() {
  return {"Resource usage:",
          " Function " + kSymbol + ":",
          "  REG:168 STACK:24 SHARED:11264 LOCAL:0 CONSTANT[0]:592 TEXTURE:0",
          " Function _ZN5other6kernelIfEEvPT_:",
          "  REG:9 STACK:0 SHARED:0 LOCAL:0 CONSTANT[0]:592 TEXTURE:0",
          ".nv.info." + kSymbol,
          "\tAttribute:\tEIATTR_REGCOUNT",
          "\tValue:\t0x7 0x1 0x1",
          "\tAttribute:\tEIATTR_REQNTID",
          "\tFormat:\tEIFMT_SVAL",
          "\tValue:\t0x180 0x1 0x1 "};
}

/// Whether the row has this kernel in this type with tiles that begin with these numbers.
bool holds(const Json& kernels, const std::string& kernel, Dtype dtype, const std::vector<int>& tiles) {
  for (const Json& entry : kernels) {
    const auto arguments = entry.at("arguments").get<std::string>();
    const std::vector<int> numbers = numbers_in(arguments);
    if (entry.at("kernel") == kernel && arguments.rfind(std::string(name_of(dtype)) + ",", 0) == 0 &&
        numbers.size() >= tiles.size() && std::equal(tiles.begin(), tiles.end(), numbers.begin()))
      return true;
  }
  return false;
}

}  // namespace

TEST_CASE("registers, shared memory, spills and threads are read from cuobjdump's text") {
  const std::vector<KernelResources> kernels = parse_resources(90, cuobjdump_text());
  REQUIRE(kernels.size() == 1);
  CHECK(kernels[0].kernel == "trial");
  CHECK(kernels[0].arguments == "bf16, 32, 64");
  CHECK(numbers_in(kernels[0].arguments) == std::vector<int>{32, 64});
  CHECK(kernels[0].registers == 168);
  CHECK(kernels[0].shared_bytes == 11264);
  CHECK(kernels[0].spilled_bytes == 24);
  CHECK(kernels[0].threads == 384);
}

TEST_CASE("a kernel without its threads is refused") {
  std::vector<std::string> lines = cuobjdump_text();
  lines.pop_back();
  CHECK_THROWS_AS(parse_resources(90, lines), InputError);
}

TEST_CASE("numbers in template arguments are told from names") {
  CHECK(numbers_in("bf16, {128, 64, 32, 8, 1, 0, true}, 16") == std::vector<int>{128, 64, 32, 8, 1, 0, 16});
  CHECK(numbers_in("fp32").empty());
}

TEST_CASE("resident blocks are what the scarcest resource allows") {
  // By hand: 128 registers x 128 threads are 16,384 registers, a quarter of 65,536.
  CHECK(resident_blocks({90, "k", "", 128, 1024, 0, 128}) == 4);
  // 100 KiB a block: twice in 228 KiB, and not at all in sm_120's 100 KiB with one byte more.
  CHECK(resident_blocks({90, "k", "", 32, 100 * 1024, 0, 128}) == 2);
  CHECK(resident_blocks({120, "k", "", 32, 100 * 1024, 0, 128}) == 1);
  CHECK(resident_blocks({120, "k", "", 32, 100 * 1024 + 1, 0, 128}) == 0);
  // Before sm_90 the system's KiB is not in the report: 81 + 1 KiB twice in 164.
  CHECK(resident_blocks({80, "k", "", 32, 81 * 1024, 0, 128}) == 2);
  CHECK(resident_blocks({80, "k", "", 32, 81 * 1024 + 1, 0, 128}) == 1);
  // 48 warps on sm_120, 64 before; 24 and 32 blocks.
  CHECK(resident_blocks({120, "k", "", 16, 1024, 0, 1024}) == 1);
  CHECK(resident_blocks({100, "k", "", 16, 1024, 0, 1024}) == 2);
  CHECK(resident_blocks({120, "k", "", 16, 1024, 0, 32}) == 24);
  CHECK(resident_blocks({100, "k", "", 16, 1024, 0, 32}) == 32);
  // 33 registers take 5 x 256 of a warp, so 13 warps of four fit where 32 registers would give 16.
  CHECK(resident_blocks({100, "k", "", 33, 1024, 0, 128}) == 12);
  CHECK(resident_blocks({90, "k", "", 32, 0, 0, 32}) == 32);
  CHECK_THROWS_AS(resident_blocks({75, "k", "", 33, 1024, 0, 128}), InputError);
}

TEST_CASE("the record has every row of the table, from the kernels of today", "[record]") {
  const Record record = read_record(records_folder() / "stage3-resources.json");
  for (int architecture : table::kArchitectures) {
    CAPTURE(architecture);
    const auto row = std::find_if(record.rows.begin(), record.rows.end(), [&](const RecordRow& r) {
      return r.values.value("architecture", 0) == architecture;
    });
    REQUIRE(row != record.rows.end());
    UNSCOPED_INFO("sh shared/scripts/tile_resources.sh BUILD_FOLDER renews the record");
    CHECK_FALSE(is_stale(*row));
    const Json& kernels = row->values.at("kernels");
    // else tile_kernels.sh compiles two types
    const bool whole = row->values.at("run_on_hardware").get<bool>();
    for (Dtype dtype : kAllDtypes) {
      if (!whole && dtype != Dtype::fp32 && dtype != Dtype::bf16) continue;
      CAPTURE(name_of(dtype));
      const table::ProductRow products = table::product_tiles(architecture, dtype);
      const auto has = [&](const char* kernel, const table::ProductTiles& t) {
        CAPTURE(kernel, t.rows, t.columns, t.inner);
        CHECK(holds(kernels, kernel, dtype, {t.rows, t.columns, t.inner}));
      };
      has("linear_forward", products.masked);
      has("linear_forward", products.forward);
      has("linear_backward_input", products.input);
      has("linear_backward_weight", products.weight);
      for (int head : {16, 64, 128}) {
        if (table::head_class(head, dtype) != head) continue;
        for (const auto& [kernel, part] : {std::pair{"attention_forward", table::AttentionPart::forward},
                                           {"attention_backward_key_value", table::AttentionPart::key_value},
                                           {"attention_backward_query", table::AttentionPart::query}}) {
          CAPTURE(kernel, head);
          const table::AttentionTiles any = table::any_attention_tiles(dtype, head, part);
          CHECK(holds(kernels, kernel, dtype, {any.queries, any.keys}));
          if (dtype != Dtype::bf16 || head == 16) continue;
          const table::AttentionTiles bulk = table::bulk_attention_tiles(architecture, head, part);
          CHECK(holds(kernels, kernel, dtype, {bulk.queries, bulk.keys}));
        }
      }
    }
  }
}
