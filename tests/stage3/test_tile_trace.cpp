// `ladder tile-trace`: what its pictures and its text say is what the block's log holds, and the
// committed ones are not stale.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/records/records.hpp"
#include "shared/tile/pictures/flow.hpp"
#include "shared/tile/pictures/picture.hpp"
#include "shared/tile/pictures/tile_svg.hpp"
#include "stage3_tiled_kernels/pictures/logged_kernels.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

LoggedBlock followed(const std::string& kernel, std::map<std::string, int> sizes = {},
                     Dtype dtype = Dtype::fp32) {
  LogRequest request;
  request.kernel = kernel;
  request.sizes = std::move(sizes);
  request.dtype = dtype;
  return log_block(request);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

std::string place(const BlockStep& step) {
  std::string words;
  for (std::int64_t i : step.at) words += (words.empty() ? "" : ", ") + std::to_string(i);
  return step.tensor + " (" + words + ")";
}

bool loads(const BlockStep& step) {
  return std::string(step.operation).rfind("load", 0) == 0 && !step.at.empty();
}

/// The one tile that the block makes.
Product product_of(const BlockSteps& steps) {
  const std::vector<Product> products = products_of(steps);
  REQUIRE(products.size() == 1);
  return products[0];
}

/// The sum of products of what the log says was loaded, element (i, j) of the result.
double product_element(const Product& product, std::size_t i, std::size_t j) {
  double sum = 0.0;
  for (const ProductStep& step : product.steps) {
    const auto element = [](const LoadedTile& tile, std::size_t row, std::size_t column) {
      const std::size_t columns = tile.load->shape[1];
      return tile.load->values[tile.transposed ? column * columns + row : row * columns + column];
    };
    const std::size_t inner = step.left.load->shape[step.left.transposed ? 0 : 1];
    for (std::size_t p = 0; p < inner; ++p) sum += element(step.left, i, p) * element(step.right, p, j);
  }
  return sum;
}

}  // namespace

TEST_CASE("the picture of a product frames the tiles that the block loads, and no others") {
  for (const char* kernel : {"matmul", "input-gradient", "weight-gradient"}) {
    const LoggedBlock logged = followed(kernel);
    const std::string svg = product_picture(logged);
    CAPTURE(kernel);
    const auto all = static_cast<std::size_t>(std::count_if(logged.steps.begin(), logged.steps.end(), loads));
    // dW += begins with its old value
    const std::size_t of_sum = kernel == std::string("weight-gradient") ? 1 : 0;
    CHECK(all - of_sum == 2 * product_of(logged.steps).steps.size());
    CHECK(count(svg, "class='tile'") == all - of_sum);
    for (const BlockStep& step : logged.steps)
      if (loads(step) && step.tensor != product_of(logged.steps).store->tensor)
        CHECK(count(svg, "data-tile='" + place(step) + "'") == 1);
    CHECK(count(svg, "class='sum'") == product_of(logged.steps).steps.size());
    CHECK(count(svg, "class='pad'") > 0);  // 28 x 40 x 24 is no multiple of any tile
  }
}

TEST_CASE("a block of a persistent grid makes several tiles, and all are drawn") {
  const Dtype dtype = GENERATE(Dtype::fp32, Dtype::tf32, Dtype::bf16);
  CAPTURE(name_of(dtype));
  const LoggedBlock logged = followed("matmul", {{"rows", 512}, {"in", 40}, {"out", 512}}, dtype);
  const std::vector<Product> products = products_of(logged.steps);
  const auto all = static_cast<std::size_t>(std::count_if(logged.steps.begin(), logged.steps.end(), loads));
  CHECK(count(product_picture(logged), "class='tile'") == all);
  CHECK(products.size() > 1);
  for (const Product& product : products) CHECK(2 * products.size() * product.steps.size() == all);
}

TEST_CASE("fp32 on tensor cores is followed by its sums, not by the products of its halves") {
  const LoggedBlock logged = followed("matmul", {{"rows", 128}, {"in", 72}, {"out", 128}});
  const auto products = std::count_if(logged.steps.begin(), logged.steps.end(), [](const BlockStep& step) {
    return step.operation == std::string("mma");
  });
  const Product product = product_of(logged.steps);
  REQUIRE(product.steps.size() > 1);
  CHECK(static_cast<std::size_t>(products) == 3 * product.steps.size());
  for (const ProductStep& step : product.steps) CHECK(step.sum->operation == std::string("add"));
  // Inputs are exact in tf32, so all low halves are 0: this checks which tiles are summed;
  // stage3_kernels checks the halves.
  for (std::size_t e = 0; e < product.store->values.size(); e += 129)
    CHECK(product.store->values[e] == Approx(product_element(product, e / 128, e % 128)).epsilon(1e-6));
}

TEST_CASE("without a tail nothing is hatched") {
  const LoggedBlock logged = followed("matmul", {{"rows", 16}, {"in", 32}, {"out", 16}});
  CHECK(count(product_picture(logged), "class='pad'") == 0);
}

TEST_CASE("a product read back from the steps is the product") {
  for (const char* kernel : {"matmul", "input-gradient", "weight-gradient"}) {
    CAPTURE(kernel);
    const LoggedBlock logged = followed(kernel);
    const Product product = product_of(logged.steps);
    const std::size_t columns = product.store->shape.back();
    for (std::size_t e = 0; e < product.store->values.size(); ++e)
      REQUIRE(product.store->values[e] == product_element(product, e / columns, e % columns));
  }
}

TEST_CASE("a log that lost a step is refused, not drawn") {
  LoggedBlock logged = followed("matmul");
  const Product product = product_of(logged.steps);
  REQUIRE(product.steps.size() > 2);
  const std::uint32_t first = product.steps[0].sum->id, third = product.steps[2].sum->id;
  logged.steps[third - 1].from[2] = first;  // skips the second product
  CHECK_THROWS_AS(product_picture(logged), InputError);
  CHECK_THROWS_AS(product_picture(followed("rmsnorm")), InputError);
  CHECK_THROWS_AS(attention_picture(followed("matmul")), InputError);
}

TEST_CASE("the walk over keys is the causal one, and its running softmax ends where one pass ends") {
  for (Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    const LoggedBlock logged = followed("attention", {}, dtype);
    const AttentionWalk walk = attention_of(logged.steps);
    REQUIRE(walk.keys.size() == 3);  // queries 32 to 47 of 56: keys 48 to 55 are behind them all
    CHECK_FALSE(walk.keys[0].masked);
    CHECK_FALSE(walk.keys[1].masked);
    CHECK(walk.keys[2].masked);
    for (std::size_t r = 0; r < 16; ++r) {
      double largest = -INFINITY, sum = 0.0;
      for (const KeyStep& key : walk.keys)
        for (std::size_t j = 0; j < 16; ++j) largest = std::max(largest, key.scores->values[r * 16 + j]);
      const double scale = walk.keys[2].largest->values[r] / largest;  // log2(e) / sqrt(8)
      CHECK(scale == Approx(std::log2(std::exp(1.0)) / std::sqrt(8.0)).epsilon(1e-6));
      for (const KeyStep& key : walk.keys)
        for (std::size_t j = 0; j < 16; ++j)
          sum += std::exp2((key.scores->values[r * 16 + j] - largest) * scale);
      CHECK(walk.keys[2].sum->values[r] == Approx(sum).epsilon(1e-5));
      CHECK(walk.stored_lse->values[r] ==
            Approx(largest * scale * std::log(2.0) + std::log(sum)).epsilon(1e-5));
    }
  }
}

TEST_CASE("the picture of attention shows each tile of keys as the log has it") {
  const LoggedBlock logged = followed("attention");
  const std::string svg = attention_picture(logged);
  std::set<std::string> keys;
  for (const BlockStep& step : logged.steps)
    if (loads(step) && step.tensor == "k") keys.insert(place(step));
  CHECK(keys.size() == 3);
  CHECK(count(svg, "class='tile'") == keys.size());
  for (const std::string& key : keys) CHECK(count(svg, "data-tile='" + key + "'") == 1);
  CHECK(count(svg, ">whole<") == 2);
  CHECK(count(svg, ">masked<") == 1);
  CHECK(count(svg, ">skipped<") == 1);
  const AttentionWalk walk = attention_of(logged.steps);
  for (const KeyStep& key : walk.keys)
    for (std::size_t r = 0; r < 16; ++r) {
      CHECK_THAT(svg, Contains(">" + short_number(key.largest->values[r]) + "<"));
      CHECK_THAT(svg, Contains(">" + short_number(key.sum->values[r]) + "<"));
    }
}

TEST_CASE("numbers and colours of pictures do not depend on a last bit") {
  CHECK(short_number(-0.001) == "0");
  CHECK(short_number(2.5) == "2.5");
  CHECK(short_number(-1e20) == "-1e+20");
  CHECK(short_number(std::nan("")) == "nan");
  CHECK(color_of(0.0, 1.0) == "#ffffff");
  CHECK(color_of(1.0, 1.0) != color_of(-1.0, 1.0));
  CHECK(color_of(5.0, 1.0) == color_of(1.0, 1.0));
}

TEST_CASE("every kernel that can be followed can be drawn in every type") {
  for (const LoggedKernel& kernel : logged_kernels())
    for (Dtype dtype : kAllDtypes) {
      const LoggedBlock logged = followed(kernel.name, {}, dtype);
      CAPTURE(kernel.name);
      CHECK(logged.kernel.rfind(kernel.kernel, 0) == 0);
      CHECK_THAT(picture_of(logged), Contains("</svg>"));
      CHECK(count(steps_picture(logged), "data-step=") == logged.steps.size());
      CHECK(Json::parse(logged.json).at("steps").size() == logged.steps.size());
    }
}

TEST_CASE("the committed pictures and texts are what the program makes") {
  const std::string folder = std::string(LADDER_SOURCE_DIR) + "/stage3_tiled_kernels/pictures/";
  const std::string remedy = "stage3_tiled_kernels/pictures/make.sh makes them again";
  for (const char* kernel : {"matmul", "attention"}) {
    INFO(remedy);
    CHECK(test::text_of(folder + kernel + ".svg") == picture_of(followed(kernel)));
  }
  const TemporaryFolder empty;
  for (const char* name : {"tile-trace-matmul", "tile-trace-attention"}) {
    INFO(name << ": " << remedy);
    const Record record = read_record(records_folder(LADDER_SOURCE_DIR) / (std::string(name) + ".json"));
    std::string lines;
    for (const auto& line : record.rows.at(0).values.at("lines")) lines += line.get<std::string>() + "\n";
    const std::string kernel = std::string(name).substr(std::string("tile-trace-").size());
    CHECK(record.command == "./ladder tile-trace " + kernel + " --brief");
    const test::Outcome outcome = test::run_program(empty.path(), {"tile-trace", kernel, "--brief"});
    REQUIRE(outcome.code == 0);
    while (!lines.empty() && lines.back() == '\n') lines.pop_back();
    CHECK(lines + "\n" == outcome.out);
  }
}
