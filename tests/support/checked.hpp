// Cases and whole training steps in the tile model's checked mode, with every tensor known by name. On the CPU model only:
// a GPU does not look.
#pragma once

#include <catch2/catch.hpp>

#include <cmath>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "shared/base/random.hpp"
#include "shared/check/cases.hpp"
#include "shared/model/gpt2.hpp"
#include "shared/model/microgpt.hpp"
#include "shared/model/ops_decorators.hpp"
#include "shared/tile/checks.hpp"
#include "tests/support/device.hpp"

namespace ladder::testing {

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
inline std::vector<std::string> run_checked(MakeDeviceOps make, const cases::OpCase& c, Dtype dtype) {
  const auto ops = make(CudaOptions{dtype, Device::cpu, 1, true});
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

/// The activations of the model of `config`.
inline ActivationPlan plan_of(const GptConfig& config, const Ops& ops, int max_rows) {
  return config.architecture == Architecture::gpt2 ? plan_gpt2_activations(config, ops, max_rows)
                                                   : plan_activations(config, ops, max_rows);
}

/// Gives the model's activations their names, all unwritten.
class NamingOps final : public OpsDecorator {
 public:
  NamingOps(std::unique_ptr<Ops> inner, const GptConfig& config, int max_rows)
      : OpsDecorator(std::move(inner)), plan_(plan_of(config, *this, max_rows)) {}

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

inline Batch checked_batch_of(const std::vector<int>& lengths, const GptConfig& config) {
  return cases::random_batch(lengths, config.vocab_size, config.block_size, Layout::padded);
}

/// Two training steps and a loss; every step reads only what it has written itself.
inline void train_checked(MakeDeviceOps make, const GptConfig& config, const std::vector<int>& lengths,
                          Dtype dtype) {
  const int batch = static_cast<int>(lengths.size());
  auto naming = std::make_unique<NamingOps>(make(CudaOptions{dtype, Device::cpu, 1, true}), config,
                                            batch * config.block_size);
  NamingOps* names = naming.get();
  const auto engine = make_ops_engine(config, std::move(naming), batch);
  Random random(3);
  engine->load_parameters(initial_parameters(parameter_specs(config), random));
  const Batch data = checked_batch_of(lengths, config);
  TrainConfig train;
  train.clip = 1.0;
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

}  // namespace ladder::testing
