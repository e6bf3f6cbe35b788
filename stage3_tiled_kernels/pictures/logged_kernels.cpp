#include "stage3_tiled_kernels/pictures/logged_kernels.hpp"

#include <functional>
#include <limits>
#include <memory>

#include "shared/base/dtype_convert.hpp"
#include "shared/base/error.hpp"
#include "shared/model/batch.hpp"
#include "shared/model/ops.hpp"
#include "shared/tile/checks.hpp"
#include "stage3_tiled_kernels/ops_tile.hpp"

namespace ladder {
namespace {

constexpr int kLargestSize = 512;

/// The i-th number of an input: scattered, but an exact multiple of 1/2, so that sums of products do not round and
/// two decimals show them whole.
double input_value(std::uint32_t i, std::uint32_t tensor) {
  std::uint32_t mixed = (i + 1) * 2654435761U ^ (tensor * 40503U + 977U) * 2246822519U;
  mixed ^= mixed >> 15U;
  mixed *= 2246822519U;
  mixed ^= mixed >> 13U;
  return static_cast<double>(mixed >> 29U) / 2.0 - 2.0;
}

/// The memory of one run: named tensors on the CPU model.
class Tensors {
 public:
  Tensors(Ops& ops, Dtype dtype) : ops_(ops), dtype_(dtype) {}

  /// A tensor of `count` elements: numbers when it is an input, zeros otherwise.
  template <class Role>
  Ref<Role> make(const char* name, int count, bool input, Dtype dtype) {
    const auto size = static_cast<std::size_t>(count);
    void* data = ops_.allocate(size * size_of(dtype));
    if (input) {
      std::vector<double> values(size);
      for (std::size_t i = 0; i < size; ++i)
        values[i] = input_value(static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(buffers_.size()));
      encode(dtype, values, data);
    }
    buffers_.push_back(
        std::make_unique<tile::Buffer>(name, static_cast<std::byte*>(data), size * size_of(dtype)));
    return {data, dtype};
  }
  template <class Role>
  Ref<Role> input(const char* name, int count) {
    return make<Role>(name, count, true, dtype_);
  }
  template <class Role>
  Ref<Role> output(const char* name, int count) {
    return make<Role>(name, count, false, dtype_);
  }
  Stat statistic(const char* name, int count) { return make<StatisticRole>(name, count, false, wide()); }
  Dtype wide() const { return dtype_ == Dtype::fp64 ? Dtype::fp64 : Dtype::fp32; }

 private:
  Ops& ops_;
  Dtype dtype_;
  std::vector<std::unique_ptr<tile::Buffer>> buffers_;
};

/// The sizes of a run by name.
using Sizes = std::map<std::string, int>;

void run_matmul(Ops& ops, Tensors& t, const Sizes& s) {
  const int n = s.at("rows"), i = s.at("in"), o = s.at("out");
  ops.run(LinearForward{n, i, o, t.input<ActivationRole>("x_ni", n * i),
                        t.input<ParameterRole>("w_oi", o * i), t.output<ActivationRole>("y_no", n * o)});
}

void run_input_gradient(Ops& ops, Tensors& t, const Sizes& s) {
  const int n = s.at("rows"), i = s.at("in"), o = s.at("out");
  ops.run(LinearBackwardInput{n, i, o, t.input<ActivationRole>("dy_no", n * o),
                              t.input<ParameterRole>("w_oi", o * i),
                              t.output<ActivationRole>("dx_ni", n * i)});
}

void run_weight_gradient(Ops& ops, Tensors& t, const Sizes& s) {
  const int n = s.at("rows"), i = s.at("in"), o = s.at("out");
  ops.run(LinearBackwardWeight{n, i, o, t.input<ActivationRole>("dy_no", n * o),
                               t.input<ActivationRole>("x_ni", n * i),
                               t.make<GradientRole>("dw_oi", o * i, false, t.wide())});
}

void run_rmsnorm(Ops& ops, Tensors& t, const Sizes& s) {
  const int n = s.at("rows"), c = s.at("channels");
  ops.run(RmsNormForward{n, c, t.input<ActivationRole>("x_nc", n * c),
                         t.output<ActivationRole>("y_nc", n * c), t.statistic("rstd_n", n)});
}

/// One sequence of `length` tokens; token i is i modulo `vocabulary`.
Batch one_sequence(int length, int vocabulary) {
  Sequence sequence;
  for (int i = 0; i < length; ++i) {
    sequence.tokens.push_back(i % vocabulary);
    sequence.targets.push_back((i + 1) % vocabulary);
  }
  return make_batch(std::vector<Sequence>{sequence}, Layout::packed, length);
}

void run_cross_entropy(Ops& ops, Tensors& t, const Sizes& s) {
  const int n = s.at("rows"), v = s.at("vocabulary");
  const Batch batch = one_sequence(n, v);
  ops.run(CrossEntropy{batch.view(), v, v, 1.0, true, t.input<ActivationRole>("logits_nv", n * v),
                       t.statistic("loss_n", n), t.statistic("loss", 1)});
}

void run_attention(Ops& ops, Tensors& t, const Sizes& s, bool causal) {
  const int length = s.at("length"), d = s.at("head-dim");
  const Batch batch = one_sequence(length, length);
  ops.run(AttentionForward{batch.view(), 1, 1, d, causal, d, t.input<ActivationRole>("q", length * d),
                           t.input<ActivationRole>("k", length * d), t.input<ActivationRole>("v", length * d),
                           t.output<ActivationRole>("out_nc", length * d), t.statistic("lse_hn", length),
                           nullptr});
}

void run_named(Ops& ops, Tensors& tensors, const LogRequest& request, const Sizes& sizes) {
  const std::map<std::string, std::function<void()>> runs = {
      {"matmul", [&] { run_matmul(ops, tensors, sizes); }},
      {"input-gradient", [&] { run_input_gradient(ops, tensors, sizes); }},
      {"weight-gradient", [&] { run_weight_gradient(ops, tensors, sizes); }},
      {"attention", [&] { run_attention(ops, tensors, sizes, request.causal); }},
      {"rmsnorm", [&] { run_rmsnorm(ops, tensors, sizes); }},
      {"cross-entropy", [&] { run_cross_entropy(ops, tensors, sizes); }}};
  runs.at(request.kernel)();
}

const LoggedKernel& kernel_of(const std::string& name) {
  for (const LoggedKernel& one : logged_kernels())
    if (name == one.name) return one;
  throw InputError(fmt::format("there is no kernel '{}' to follow", name));
}

/// The usual sizes with the request's in their places.
Sizes sizes_of(const LoggedKernel& kernel, const LogRequest& request) {
  Sizes sizes;
  std::string valid;
  for (const KernelSize& size : kernel.sizes) {
    sizes[size.name] = size.usual;
    valid += (valid.empty() ? "--" : ", --") + std::string(size.name);
  }
  for (const auto& [name, value] : request.sizes) {
    require(sizes.count(name) > 0, "--{} is no size of {}: it has {}", name, kernel.name, valid);
    require(value >= 1 && value <= kLargestSize, "--{} is {}: valid are 1 to {}", name, value, kLargestSize);
    sizes[name] = value;
  }
  require(request.causal || sizes.count("length") > 0, "--all-keys belongs to attention, not to {}",
          kernel.name);
  return sizes;
}

LoggedBlock run_block(const LogRequest& request, const LoggedKernel& kernel, const Sizes& sizes,
                      tile::Index block) {
  const auto ops = make_tile_ops(CudaOptions{request.dtype, Device::cpu, 1, false});
  Tensors tensors(*ops, request.dtype);
  const tile::BlockLog logged(block, kernel.kernel);
  run_named(*ops, tensors, request, sizes);
  return {logged.kernel(), block, logged.grid(), logged.steps(), logged.json()};
}

}  // namespace

const std::vector<LoggedKernel>& logged_kernels() {
  static const std::vector<KernelSize> product = {{"rows", 28}, {"in", 40}, {"out", 24}};
  static const std::vector<LoggedKernel> all = {
      {"matmul", "linear_forward", "y_no = x_ni W_oi^T", product},
      {"input-gradient", "linear_backward_input", "dx_ni = dy_no W_oi", product},
      {"weight-gradient", "linear_backward_weight", "dW_oi = dy_no^T x_ni", product},
      {"attention",
       "attention_forward",
       "softmax(q k^T / sqrt(D)) v of one head",
       {{"length", 56}, {"head-dim", 8}}},
      {"rmsnorm", "rmsnorm_forward", "y_nc = x_nc / rms(x_n)", {{"rows", 6}, {"channels", 160}}},
      {"cross-entropy",
       "cross_entropy",
       "loss and gradient of softmax over a vocabulary",
       {{"rows", 6}, {"vocabulary", 160}}}};
  return all;
}

LoggedBlock log_block(const LogRequest& request) {
  const LoggedKernel& kernel = kernel_of(request.kernel);
  const Sizes sizes = sizes_of(kernel, request);
  constexpr unsigned nowhere = std::numeric_limits<unsigned>::max();
  const tile::Grid grid = run_block(request, kernel, sizes, {nowhere, nowhere, nowhere}).grid;
  tile::Index block{grid.x - 1, 0, 0};
  if (sizes.count("length") > 0) block.x = (grid.x - 1) / 2;
  if (request.block) block = *request.block;
  require(block.x < grid.x && block.y < grid.y && block.z < grid.z,
          "--block {},{},{}: the grid of {} has {} x {} x {} blocks, counted from 0", block.x, block.y,
          block.z, kernel.kernel, grid.x, grid.y, grid.z);
  return run_block(request, kernel, sizes, block);
}

}  // namespace ladder
