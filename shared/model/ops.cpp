// The default compositions of the fused operations: a stage that does not override one computes exactly this.
#include "shared/model/ops.hpp"

namespace ladder {
namespace {

std::size_t elements(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

}  // namespace

void Ops::run(const RmsNormLinearForward& a) {
  run(RmsNormForward{a.rows, a.in, a.x_ni, a.normed_ni, a.rstd_n});
  run(LinearForward{a.rows, a.in, a.out, a.normed_ni, a.w_oi, a.y_no});
  if (a.relu) run(ReluForward{elements(a.rows, a.out), a.y_no, a.y_no});
}

void Ops::run(const RmsNormLinearBackward& a) {
  run(LinearBackwardWeight{a.rows, a.in, a.out, a.dy_no, a.normed_ni, a.dw_oi});
  run(LinearBackwardInput{a.rows, a.in, a.out, a.dy_no, a.w_oi, a.dnormed_ni});
  run(RmsNormBackward{a.rows, a.in, a.dnormed_ni, a.x_ni, a.dresidual_ni, a.rstd_n, a.dx_ni});
}

void Ops::run(const LinearResidualForward& a) {
  run(LinearForward{a.rows, a.in, a.out, a.x_ni, a.w_oi, a.y_no});
  run(ResidualForward{elements(a.rows, a.out), a.residual_no, a.y_no, a.y_no});
}

void Ops::run(const LinearBackwardInputRelu& a) {
  run(LinearBackwardInput{a.rows, a.in, a.out, a.dy_no, a.w_oi, a.dx_ni});
  run(ReluBackward{elements(a.rows, a.in), a.dx_ni, a.relu_ni, a.dx_ni});
}

void Ops::run(const ResidualLayerNormForward& a) {
  const int N = a.batch.rows;
  Act branch_nc = a.branch_nc;
  if (a.dropout) {
    run(ApplyDropout{a.batch, a.channels, a.dropout, a.branch_nc, a.sum_nc});
    branch_nc = a.sum_nc;
  }
  run(ResidualForward{elements(N, a.channels), a.residual_nc, branch_nc, a.sum_nc});
  run(LayerNormForward{N, a.channels, a.sum_nc, a.weight_c, a.bias_c, a.y_nc, a.mean_n, a.rstd_n});
}

void Ops::run(const ResidualLayerNormBackward& a) {
  run(LayerNormBackward{a.batch.rows, a.channels, a.dy_nc, a.x_nc, a.weight_c, a.mean_n, a.rstd_n,
                        a.dresidual_nc, a.dx_nc, a.dweight_c, a.dbias_c});
  if (a.dropout) run(ApplyDropout{a.batch, a.channels, a.dropout, a.dx_nc, a.dbranch_nc});
}

}  // namespace ladder
