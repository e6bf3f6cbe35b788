// What the stage refuses, each with one clear line: arguments without a kernel, bad pointers, a machine that cannot.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <string>

#include "stage3_tiled_kernels/configs.hpp"
#include "tests/stage3/device.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)
using Catch::Matchers::Contains;

namespace {

/// Attention over nothing, as far as its preconditions go.
AttentionForward attention_of(int heads, int kv_heads, int head_dim, Act act, Stat stat) {
  AttentionForward args{};
  args.heads = heads;
  args.kv_heads = kv_heads;
  args.head_dim = head_dim;
  args.row_stride = (heads + 2 * kv_heads) * head_dim;
  args.q = args.k = args.v = args.out_nc = act;
  args.lse_hn = stat;
  return args;
}

/// What the program says on stderr for these arguments; checks the exit code and that it is one line.
std::string refusal(int code, const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  const test::Outcome outcome = test::run_program(folder / "", arguments);
  INFO(outcome.err);
  CHECK(outcome.code == code);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  CHECK(std::filesystem::is_empty(folder / ""));
  return outcome.err;
}

/// A GPU of compute capability 9.0 with driver r580 and code for it.
GpuFacts good_gpu() {
  return {.driver = 13000,
          .devices = 1,
          .error = "",
          .name = "NVIDIA H200",
          .capability = 90,
          .has_code = true,
          .built_for = "sm_80 sm_90"};
}

}  // namespace

TEST_CASE("attention refuses what it has no kernel for, by name", "[stage3]") {
  if (skipped()) return;
  const auto ops = stage3_ops(Dtype::fp16);
  void* memory = ops->allocate(64);
  const Act act{memory, Dtype::fp16};
  const Stat stat{memory, Dtype::fp32};
  CHECK_THROWS_WITH(
      ops->run(attention_of(3, 2, 16, act, stat)),
      "attention: 3 heads cannot share 2 key/value heads: the first must be a multiple of the second");
  CHECK_THROWS_WITH(
      ops->run(attention_of(2, 2, 80, act, stat)),
      "attention: no kernel for head size 80 in fp16: there are kernels for 1 to 64 in every type, and up "
      "to 128 in fp32 and bf16");
  const auto wide = stage3_ops(Dtype::bf16);
  CHECK_THROWS_WITH(wide->run(attention_of(1, 1, 130, {memory, Dtype::bf16}, stat)),
                    Contains("head size 130 in bf16"));
  CHECK_THROWS_AS(ops->run(attention_of(1, 1, 0, act, stat)), InputError);
  CHECK_THROWS_AS(ops->run(attention_of(0, 1, 16, act, stat)), InputError);
  CHECK_THROWS_AS(ops->run(attention_of(2, 0, 16, act, stat)), InputError);
}

TEST_CASE("the program refuses heads and types without a kernel with 2", "[stage3]") {
  const std::filesystem::path program = LADDER_PROGRAM;
  if (!std::filesystem::exists(program)) {  // only where these tests were carried without their build folder
    REQUIRE_FALSE(std::filesystem::exists(program.parent_path()));
    return;
  }
  const std::string heads = refusal(
      2, {"train", "--stage", "3", "--device", "cpu", "--steps", "1", "--n-head", "4", "--n-kv-head", "3"});
  CHECK_THAT(heads, Contains("4") && Contains("3"));
  const std::string size = refusal(2, {"train", "--stage", "3", "--device", "cpu", "--steps", "1", "--dtype",
                                       "fp16", "--n-embd", "160", "--n-head", "2"});
  CHECK_THAT(size, Contains("no kernel for head size 80 in fp16") && Contains("up to 128 in fp32 and bf16"));
  CHECK_THAT(refusal(2, {"train", "--stage", "3", "--dtype", "fp8"}), Contains("tf32"));
  CHECK_THAT(refusal(2, {"train", "--stage", "2", "--dtype", "bf16", "--steps", "1"}),
             Contains("stage 2 does not compute in bf16: valid are fp32, fp64"));
}

TEST_CASE("every operation refuses null pointers", "[stage3]") {
  if (skipped()) return;
  const auto ops = stage3_ops(Dtype::fp32);
  BatchView batch{};
  batch.batch = batch.rows = batch.max_length = 1;
  const auto refuses = [&](const auto& args) { CHECK_THROWS_AS(ops->run(args), InputError); };
  refuses(EmbeddingForward{batch, 1, {}, {}, {}});
  refuses(EmbeddingBackward{batch, 1, 1, 1, {}, {}, {}});
  refuses(RmsNormForward{1, 1, {}, {}, {}});
  refuses(RmsNormBackward{1, 1, {}, {}, {}, {}, {}});
  refuses(LinearForward{1, 1, 1, {}, {}, {}});
  refuses(LinearBackwardInput{1, 1, 1, {}, {}, {}});
  refuses(LinearBackwardWeight{1, 1, 1, {}, {}, {}});
  refuses(attention_of(1, 1, 1, {}, {}));
  refuses(AttentionBackward{batch, 1, 1, 1, true, 3, {}, {}, {}, {}, {}, {}, nullptr, {}, {}, {}});
  refuses(ReluForward{1, {}, {}});
  refuses(ReluBackward{1, {}, {}, {}});
  refuses(ResidualForward{1, {}, {}, {}});
  refuses(CrossEntropy{batch, 1, 1, 1.0, true, {}, {}, {}});
  refuses(GradientSquares{1, {}, {}});
  refuses(Adam{1, nullptr, 1, {}, {}, {}, {}, {}, {}});
  refuses(RmsNormLinearForward{1, 1, 1, false, {}, {}, {}, {}, {}});
  refuses(RmsNormLinearBackward{1, 1, 1, {}, {}, {}, {}, {}, {}, {}, {}, {}});
  refuses(LinearResidualForward{1, 1, 1, {}, {}, {}, {}});
  refuses(LinearBackwardInputRelu{1, 1, 1, {}, {}, {}, {}});
  CHECK(ops->kernels_launched().empty());
}

TEST_CASE("null and misaligned pointers are refused by name", "[stage3]") {
  if (skipped()) return;
  const auto ops = stage3_ops(Dtype::fp32);
  auto* bytes = static_cast<std::byte*>(ops->allocate(256));
  const Act good{bytes, Dtype::fp32}, odd{bytes + 2, Dtype::fp32};
  const Param weight{bytes, Dtype::fp32};
  CHECK_THROWS_WITH(ops->run(ReluForward{4, good, {}}), "relu_forward: pointer y is null");
  CHECK_THROWS_WITH(
      ops->run(ReluForward{4, odd, good}),
      Contains("relu_forward: pointer x") && Contains("not aligned to its elements of 4 bytes"));
  CHECK_THROWS_AS(ops->run(LinearForward{1, 1, 1, good, {}, good}), InputError);
  // To the launcher of a product these mean "none": a fused operation must have them.
  CHECK_THROWS_WITH(ops->run(LinearResidualForward{1, 1, 1, good, weight, {}, good}),
                    "linear_residual_forward: pointer residual_no is null");
  CHECK_THROWS_WITH(ops->run(LinearBackwardInputRelu{1, 1, 1, good, weight, {}, good}),
                    "linear_backward_input_relu: pointer relu_ni is null");
  CHECK_THROWS_WITH(ops->run(LinearResidualForward{1, 1, 1, good, weight, odd, good}),
                    Contains("pointer residual_no") && Contains("not aligned"));
  const Grad grad{bytes, Dtype::fp32};
  const Master moment{bytes, Dtype::fp32};
  const Adam stepless{1, nullptr, 1, grad, {}, moment, moment, moment, weight};
  CHECK_THROWS_WITH(ops->run(stepless), "adam: pointer step is null");
  BatchView batch{};
  batch.batch = batch.rows = batch.max_length = 1;
  CHECK_THROWS_WITH(ops->run(EmbeddingForward{batch, 1, weight, weight, good}),
                    "embedding_forward: pointer starts_b is null");
}

TEST_CASE("a card without rows in the table gets the newest row that it can run, and is told", "[stage3]") {
  CHECK(table::nearest(90, table::kArchitectures) == 90);
  CHECK(table::nearest(89, table::kArchitectures) == 80);
  CHECK(table::nearest(103, table::kArchitectures) == 100);
  CHECK(table::nearest(121, table::kArchitectures) == 120);
  CHECK(table::nearest(75, table::kArchitectures) == 80);
  CHECK(table::nearest(120, std::array{80, 90}) == 90);
  CHECK(configuration_note(90, 90).empty());
  CHECK(configuration_note(89, 80) == "note: no configurations for sm_89: using those of sm_80");
}

TEST_CASE("the verdict on a GPU names the first thing that is missing", "[stage3]") {
  const GpuReport usable = judge(good_gpu());
  CHECK(usable.usable);
  CHECK(usable.device == "NVIDIA H200 (sm_90)");
  CHECK(usable.reason.empty());
  const auto refused = [](auto change) {
    GpuFacts facts = good_gpu();
    change(facts);
    const GpuReport report = judge(facts);
    CHECK_FALSE(report.usable);
    CHECK(report.device.empty());
    CHECK(report.reason.find('\n') == std::string::npos);
    CHECK_THAT(report.reason, Catch::Matchers::EndsWith("; --device cpu runs the same kernels on the CPU"));
    return report.reason;
  };
  CHECK_THAT(refused([](GpuFacts& f) { f.built = false; }), Contains("-DLADDER_CUDA=ON"));
  CHECK_THAT(refused([](GpuFacts& f) { f.driver = 0; }), Contains("no NVIDIA driver (libcuda) is installed"));
  CHECK_THAT(refused([](GpuFacts& f) { f.driver = 12080; }),
             Contains("too old: it knows CUDA 12.8, this build needs 13.0 (driver r580) or newer"));
  CHECK_THAT(refused([](GpuFacts& f) { f.driver = 12090, f.devices = 0; }), Contains("too old"));
  CHECK_THAT(refused([](GpuFacts& f) { f.devices = 0; }), Contains("sees no NVIDIA GPU"));
  CHECK_THAT(refused([](GpuFacts& f) { f.error = "no CUDA device: out of memory"; }),
             Contains("out of memory"));
  CHECK_THAT(refused([](GpuFacts& f) { f.has_code = false, f.capability = 75; }),
             Contains("NVIDIA H200 (sm_75): this build has code for sm_80 sm_90 only") &&
                 Contains("-DCMAKE_CUDA_ARCHITECTURES=75-real"));
}

TEST_CASE("without a usable GPU: one line that says why and what would work, and 3", "[stage3]") {
  if (gpu_report(0).usable) return;
  CHECK_THROWS_AS(make_tile_ops(Dtype::fp32, Device::gpu, 1), MachineError);
  CHECK_THROWS_WITH(make_tile_ops(Dtype::fp32, Device::gpu, 1), gpu_report(0).reason);
  CHECK(make_tile_ops(Dtype::fp32, Device::automatic, 1)->emulated());
  CHECK_THAT(refusal(3, {"train", "--stage", "3", "--device", "gpu", "--steps", "1"}),
             Contains(gpu_report(0).reason));
}
