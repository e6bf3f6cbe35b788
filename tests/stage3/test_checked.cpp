// Every kernel of the stage in the tile model's checked mode: no access outside a tensor, no race between blocks, no
// read of what nothing wrote, no false promise to the compiler. On the CPU model only: a GPU does not look.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <set>

#include "shared/base/random.hpp"
#include "shared/check/cases.hpp"
#include "shared/model/activation_plan.hpp"
#include "shared/model/microgpt.hpp"
#include "shared/model/ops_decorators.hpp"
#include "shared/tile/checks.hpp"
#include "tests/stage3/device.hpp"
#include "tests/stage3/wide_cases.hpp"
#include "tests/support/models.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

std::unique_ptr<DeviceOps> checked_ops(Dtype dtype) {
  return make_tile_ops(CudaOptions{dtype, Device::cpu, 1, true});
}

/// Buffers by name, for as long as this lives.
class Names {
 public:
  void add(const std::string& name, const void* data, std::size_t count, Dtype dtype,
           tile::Contents contents) {
    if (count == 0) return;
    switch (size_of(dtype)) {
      case 2:
        return add(name, static_cast<const std::uint16_t*>(data), count, contents);
      case 4:
        return add(name, static_cast<const std::uint32_t*>(data), count, contents);
      default:
        return add(name, static_cast<const std::uint64_t*>(data), count, contents);
    }
  }
  void clear() { buffers_.clear(); }

 private:
  template <class T>
  void add(const std::string& name, const T* data, std::size_t count, tile::Contents contents) {
    buffers_.emplace_back(name, data, count, contents);
  }

  std::deque<tile::Buffer> buffers_;
};

/// Runs one case with every tensor known by name. What the operation is to write counts as unwritten.
std::vector<std::string> run_checked(const cases::OpCase& c, Dtype dtype) {
  const auto ops = checked_ops(dtype);
  Names names;
  const auto placed = [&](const cases::TensorSpec& tensor, const void* data, std::size_t count, Dtype type) {
    const bool given = tensor.use == cases::Use::input || tensor.use == cases::Use::update;
    names.add(tensor.name, data, count, type, given ? tile::Contents::written : tile::Contents::unwritten);
  };
  std::string damage;
  INFO(c.name() << " in " << name_of(dtype));
  CHECK_NOTHROW(run_case(c, *ops, cases::rounded_values(c, dtype), damage, cases::How::as_called, placed));
  CHECK(damage.empty());
  return ops->kernels_launched();
}

/// More rows than a persistent grid of the CPU model takes at once, and no whole number of tiles.
constexpr int kPersistentRows = 301;

/// Runs each case it is given in checked mode and collects the kernels that ran.
class CheckedRun {
 public:
  explicit CheckedRun(Dtype dtype) : dtype_(dtype) {}
  void operator()(const cases::OpCase& c) {
    for (const std::string& kernel : run_checked(c, dtype_)) kernels_.insert(kernel);
  }
  const std::set<std::string>& kernels() const { return kernels_; }

 private:
  Dtype dtype_;
  std::set<std::string> kernels_;
};

/// Gives the model's activations their names, all unwritten.
class NamingOps final : public OpsDecorator {
 public:
  NamingOps(std::unique_ptr<Ops> inner, const GptConfig& config, int max_rows)
      : OpsDecorator(std::move(inner)), plan_(plan_activations(config, *this, max_rows)) {}

  void* allocate(std::size_t bytes) override {
    void* data = inner().allocate(bytes);
    if (bytes == plan_.bytes()) arena_ = static_cast<std::byte*>(data);
    return data;
  }

  /// A step begins: nothing of the last one counts.
  void name_again() {
    REQUIRE(arena_ != nullptr);
    names_.clear();
    for (const ActivationSpec& spec : plan_.specs())
      names_.add(spec.name, arena_ + spec.offset, spec.rows * spec.width, spec.dtype,
                 tile::Contents::unwritten);
  }

 private:
  void around(const OpCall& call) override { call.run(); }

  ActivationPlan plan_;
  std::byte* arena_ = nullptr;
  Names names_;
};

Batch batch_of(const std::vector<int>& lengths, const GptConfig& config) {
  return cases::random_batch(lengths, config.vocab_size, config.block_size, Layout::padded);
}

/// Two training steps and a loss; every step reads only what it has written itself.
void train_checked(const GptConfig& config, const std::vector<int>& lengths, Dtype dtype) {
  const int batch = static_cast<int>(lengths.size());
  auto naming = std::make_unique<NamingOps>(checked_ops(dtype), config, batch * config.block_size);
  NamingOps* names = naming.get();
  const auto engine = make_ops_engine(config, std::move(naming), batch);
  Random random(3);
  engine->load_parameters(initial_parameters(parameter_specs(config), random));
  const Batch data = batch_of(lengths, config);
  const TrainConfig train;
  INFO(name_of(dtype) << ", width " << config.n_embd);
  for (int step = 0; step < 2; ++step) {
    names->name_again();
    double loss = NAN;
    CHECK_NOTHROW(loss = engine->train_step(std::span(&data, 1), step_constants(train, step)));
    CHECK(std::isfinite(loss));
  }
  names->name_again();
  CHECK_NOTHROW(engine->loss(data));
}

}  // namespace

TEST_CASE("every kernel passes checked mode on awkward shapes", "[stage3]") {
  const tile::Checks checks;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    CheckedRun run(dtype);
    for (const cases::OpCase& c : cases::all_cases(Layout::padded, dtype)) run(c);
    CHECK(run.kernels().size() >= 18);
  }
}

TEST_CASE("large and uneven shapes pass checked mode: split-K, persistent grids, long sequences",
          "[stage3]") {
  const tile::Checks checks;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    CheckedRun run(dtype);
    const auto sink = [&](const cases::OpCase& c) { run(c); };
    for_each_wide_row_case(kPersistentRows, Lists::thinned, sink);
    for_each_wide_attention(Layout::padded, 128, Lists::thinned, sink);
    for_each_wide_loss(Layout::padded, Lists::thinned, sink);
    for (const char* name : {"stage3.linear_weight_sum", "stage3.rmsnorm_forward_persistent"})
      CHECK(run.kernels().count(name) == 1);
  }
}

TEST_CASE("whole training steps pass checked mode", "[stage3]") {
  const tile::Checks checks;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    train_checked(model_of(1, 16, 4, 4, 16), {16}, dtype);
    train_checked(model_of(2, 36, 6, 2, 17), {17, 0, 13, 1}, dtype);
  }
}
