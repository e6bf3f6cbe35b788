#include "shared/model/ops_decorators.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "shared/base/dtype_convert.hpp"

namespace ladder {
namespace {

template <class Reference>
OutputView view(std::string_view name, const Reference& tensor, std::size_t rows, std::size_t columns) {
  return {name, tensor.data, tensor.dtype, rows, columns, columns};
}

template <class Reference>
OutputView view(std::string_view name, const Reference& tensor, int rows, int columns) {
  return view(name, tensor, static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
}

OutputView strided(std::string_view name, const Act& tensor, int rows, int columns, int stride) {
  OutputView result = view(name, tensor, rows, columns);
  result.stride = static_cast<std::size_t>(stride);
  return result;
}

/// `written`, and the gradient of a bias where there is one.
std::vector<OutputView> with_bias(std::vector<OutputView> written, const Grad& dbias_c, int channels) {
  if (dbias_c) written.push_back(view("dbias_c", dbias_c, 1, channels));
  return written;
}

}  // namespace

std::vector<OutputView> outputs(const EmbeddingForward& a) {
  return {view("x_nc", a.x_nc, a.batch.rows, a.channels)};
}
std::vector<OutputView> outputs(const EmbeddingBackward& a) {
  return {view("dwte_vc", a.dwte_vc, a.vocabulary, a.channels),
          view("dwpe_tc", a.dwpe_tc, a.block_size, a.channels)};
}
std::vector<OutputView> outputs(const RmsNormForward& a) {
  return {view("rstd_n", a.rstd_n, a.rows, 1), view("y_nc", a.y_nc, a.rows, a.channels)};
}
std::vector<OutputView> outputs(const RmsNormBackward& a) {
  return {view("dx_nc", a.dx_nc, a.rows, a.channels)};
}
std::vector<OutputView> outputs(const LinearForward& a) { return {view("y_no", a.y_no, a.rows, a.out)}; }
std::vector<OutputView> outputs(const LinearBackwardInput& a) {
  return {view("dx_ni", a.dx_ni, a.rows, a.in)};
}
std::vector<OutputView> outputs(const LinearBackwardWeight& a) {
  return {view("dw_oi", a.dw_oi, a.out, a.in)};
}
std::vector<OutputView> outputs(const AttentionForward& a) {
  return {view("lse_hn", a.lse_hn, a.heads, a.batch.rows),
          view("out_nc", a.out_nc, a.batch.rows, a.heads * a.head_dim)};
}
std::vector<OutputView> outputs(const AttentionBackward& a) {
  const int rows = a.batch.rows, keys = a.kv_heads * a.head_dim;
  return {strided("dq", a.dq, rows, a.heads * a.head_dim, a.row_stride),
          strided("dk", a.dk, rows, keys, a.row_stride), strided("dv", a.dv, rows, keys, a.row_stride)};
}
std::vector<OutputView> outputs(const ReluForward& a) { return {view("y", a.y, std::size_t{1}, a.count)}; }
std::vector<OutputView> outputs(const ReluBackward& a) { return {view("dx", a.dx, std::size_t{1}, a.count)}; }
std::vector<OutputView> outputs(const ResidualForward& a) {
  return {view("y", a.y, std::size_t{1}, a.count)};
}
std::vector<OutputView> outputs(const CrossEntropy& a) {
  return {view("loss_n", a.loss_n, a.batch.rows, 1), view("loss", a.loss, 1, 1),
          strided("logits_nv", a.logits_nv, a.batch.rows, a.vocabulary, a.columns)};
}
std::vector<OutputView> outputs(const GradientSquares& a) { return {view("squares", a.squares, 1, 1)}; }
std::vector<OutputView> outputs(const Adam& a) {
  return {view("m", a.m, std::size_t{1}, a.count), view("v", a.v, std::size_t{1}, a.count),
          view("master", a.master, std::size_t{1}, a.count), view("param", a.param, std::size_t{1}, a.count)};
}
std::vector<OutputView> outputs(const RmsNormLinearForward& a) {
  return {view("rstd_n", a.rstd_n, a.rows, 1), view("y_no", a.y_no, a.rows, a.out)};
}
std::vector<OutputView> outputs(const RmsNormLinearBackward& a) {
  return {view("dw_oi", a.dw_oi, a.out, a.in), view("dx_ni", a.dx_ni, a.rows, a.in)};
}
std::vector<OutputView> outputs(const LinearResidualForward& a) {
  return {view("y_no", a.y_no, a.rows, a.out)};
}
std::vector<OutputView> outputs(const LinearBackwardInputRelu& a) {
  return {view("dx_ni", a.dx_ni, a.rows, a.in)};
}

std::vector<OutputView> outputs(const LayerNormForward& a) {
  return {view("mean_n", a.mean_n, a.rows, 1), view("rstd_n", a.rstd_n, a.rows, 1),
          view("y_nc", a.y_nc, a.rows, a.channels)};
}
std::vector<OutputView> outputs(const LayerNormBackward& a) {
  return with_bias(
      {view("dx_nc", a.dx_nc, a.rows, a.channels), view("dweight_c", a.dweight_c, 1, a.channels)}, a.dbias_c,
      a.channels);
}
std::vector<OutputView> outputs(const LinearBiasForward& a) { return {view("y_no", a.y_no, a.rows, a.out)}; }
std::vector<OutputView> outputs(const LinearGeluForward& a) {
  return {view("before_no", a.before_no, a.rows, a.out), view("y_no", a.y_no, a.rows, a.out)};
}
std::vector<OutputView> outputs(const LinearBackwardInputGelu& a) {
  return {view("dx_ni", a.dx_ni, a.rows, a.in)};
}
std::vector<OutputView> outputs(const BiasBackward& a) { return {view("dbias_o", a.dbias_o, 1, a.out)}; }
std::vector<OutputView> outputs(const ApplyDropout& a) {
  return {view("y_nc", a.y_nc, a.batch.rows, a.channels)};
}
std::vector<OutputView> outputs(const DropoutAttentionForward& a) { return outputs(a.plain); }
std::vector<OutputView> outputs(const DropoutAttentionBackward& a) { return outputs(a.plain); }
std::vector<OutputView> outputs(const ResidualLayerNormForward& a) {
  const int rows = a.batch.rows;
  return {view("sum_nc", a.sum_nc, rows, a.channels), view("mean_n", a.mean_n, rows, 1),
          view("rstd_n", a.rstd_n, rows, 1), view("y_nc", a.y_nc, rows, a.channels)};
}
std::vector<OutputView> outputs(const ResidualLayerNormBackward& a) {
  const int rows = a.batch.rows;
  std::vector<OutputView> written = {view("dx_nc", a.dx_nc, rows, a.channels),
                                     view("dweight_c", a.dweight_c, 1, a.channels)};
  if (a.dropout) written.push_back(view("dbranch_nc", a.dbranch_nc, rows, a.channels));
  return with_bias(std::move(written), a.dbias_c, a.channels);
}

void ProfilingOps::around(const OpCall& call) {
  using Clock = std::chrono::steady_clock;
  inner().synchronize();
  const double requested_before = inner().bytes_requested();
  const Clock::time_point start = Clock::now();
  call.run();
  inner().synchronize();
  const std::chrono::duration<double> took = Clock::now() - start;
  auto kind = kinds_.find(call.name);
  if (kind == kinds_.end()) kind = kinds_.emplace(std::string(call.name), Kind{}).first;
  kind->second.cost += call.cost;
  kind->second.bytes_requested += inner().bytes_requested() - requested_before;
  kind->second.seconds.push_back(took.count());
}

std::vector<OpProfile> ProfilingOps::report() const {
  std::vector<OpProfile> profiles;
  for (const auto& [name, kind] : kinds_) {
    std::vector<double> seconds = kind.seconds;
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    const double total = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    std::nth_element(seconds.begin(), middle, seconds.end());
    profiles.push_back(
        {name, static_cast<int>(seconds.size()), total, *middle, kind.cost, kind.bytes_requested});
  }
  std::stable_sort(profiles.begin(), profiles.end(),
                   [](const OpProfile& a, const OpProfile& b) { return a.total_seconds > b.total_seconds; });
  return profiles;
}

void NanGuardOps::around(const OpCall& call) {
  if (call.batch != nullptr) where_.clear();
  if (call.batch != nullptr && call.batch->step != nullptr) {
    StepConstants step{};
    inner().download(&step, call.batch->step, sizeof step);
    where_ = fmt::format("step {}, micro-batch {}, ", step.step + 1, step.micro_batch + 1);
  }
  call.run();
  ++calls_;
  for (const OutputView& output : call.outputs) {
    if (output.rows == 0 || output.columns == 0) continue;
    // A strided view ends with its last row's last column, not with a whole stride.
    const std::size_t count = (output.rows - 1) * output.stride + output.columns;
    std::vector<std::byte> raw(count * size_of(output.dtype));
    inner().download(raw.data(), output.data, raw.size());
    for (std::size_t row = 0; row < output.rows; ++row)
      for (std::size_t column = 0; column < output.columns; ++column) {
        const double value = decode(output.dtype, raw.data(), row * output.stride + column);
        if (!std::isfinite(value))
          throw CheckError(fmt::format("{}operation {} ({}): {} is {} at row {}, column {}", where_, calls_,
                                       call.name, output.name, value, row, column));
      }
  }
}

}  // namespace ladder
