#include <catch2/catch.hpp>

#include "shared/model/parameters.hpp"
#include "shared/speed/model_flops.hpp"

using namespace ladder;

TEST_CASE("FLOPs a token are 6 N + 6 L C T") {
  const GptConfig gpt2 = with_vocabulary(find_preset("gpt2").model, 50257);
  CHECK(parameter_count(gpt2) == 124439808);
  CHECK(flops_per_token(gpt2) == 6.0 * 124439808 + 6.0 * 12 * 768 * 1024);
  CHECK(flops_per_token(gpt2) == Approx(803.3e6).epsilon(1e-3));
}

TEST_CASE("peaks are those of the card and the type, and unknown of others") {
  CHECK(peak_flops("NVIDIA H200 (sm_90)", Dtype::bf16) == 989e12);
  CHECK(peak_flops("NVIDIA H100 80GB HBM3 (sm_90)", Dtype::fp16) == 989e12);
  CHECK(peak_flops("NVIDIA H200 (sm_90)", Dtype::fp32) == 67e12);
  CHECK_FALSE(peak_flops("NVIDIA H100 PCIe (sm_90)", Dtype::bf16));
  CHECK_FALSE(peak_flops("", Dtype::bf16));
}

TEST_CASE("each type has a peak of its own, on each card") {
  CHECK(peak_flops("NVIDIA A100-SXM4-80GB (sm_80)", Dtype::fp64) == 19.5e12);
  CHECK(peak_flops("NVIDIA A100-SXM4-80GB (sm_80)", Dtype::tf32) == 156e12);
  CHECK(peak_flops("NVIDIA A100-SXM4-80GB (sm_80)", Dtype::bf16) == 312e12);
  CHECK(peak_flops("NVIDIA H200 (sm_90)", Dtype::tf32) == 494.5e12);
  CHECK(peak_flops("NVIDIA H200 (sm_90)", Dtype::fp64) == 67e12);
}
