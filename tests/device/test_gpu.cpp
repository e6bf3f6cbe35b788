// The words for a device, and the verdict on what CUDA says of a card, made up here: no GPU is needed. More of the
// verdict: tests/stage3/test_refusals.cpp.
#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "shared/device/ceilings.hpp"
#include "shared/device/device_ops.hpp"

using namespace ladder;  // NOLINT(google-build-using-namespace)

namespace {

GpuFacts card(int ordinal, int devices) {
  GpuFacts facts;
  facts.driver = 13010;
  facts.devices = devices;
  facts.ordinal = ordinal;
  facts.name = "NVIDIA H100";
  facts.capability = 90;
  facts.has_code = ordinal < devices;
  facts.built_for = "sm_80 sm_90";
  return facts;
}

}  // namespace

TEST_CASE("every word for a device is read, and given back") {
  CHECK(parse_device("auto") == Device::automatic);
  CHECK(parse_device("cpu") == Device::cpu);
  CHECK(parse_device("gpu") == Device::gpu);
  CHECK(parse_device("gpu:0") == Device::gpu);
  CHECK(parse_device("gpu:7") == Device{Device::Kind::gpu, 7});
  CHECK(Device() == Device::automatic);
  for (const char* word : {"auto", "cpu", "gpu", "gpu:1", "gpu:12"})
    CHECK(name_of(parse_device(word)) == word);
  CHECK(parse_device("gpu:1").is_gpu());
  CHECK_FALSE(parse_device("auto").is_gpu());
  CHECK_FALSE(parse_device("auto").is_cpu());
}

TEST_CASE("anything else is refused with the list of valid words") {
  for (const char* word : {"", "GPU", "gpuu", "gpu:", "gpu:x", "gpu:-1", "gpu:1x", "gpu: 1", "gpu:+1",
                           "cpu:0", "auto:1", "gpu:99999999999", "1", " gpu"}) {
    INFO(word);
    CHECK_THROWS_AS(parse_device(word), InputError);
    CHECK_THROWS_WITH(parse_device(word), Catch::Contains("'" + std::string(word) + "'") &&
                                              Catch::Contains("valid are auto, cpu, gpu and gpu:N"));
  }
}

TEST_CASE("a card that the driver sees is usable by its ordinal; one beyond is refused with their number") {
  CHECK(judge(card(0, 1)).usable);
  CHECK(judge(card(1, 2)).usable);
  CHECK(judge(card(1, 2)).device == "NVIDIA H100 (sm_90)");
  const GpuReport seven = judge(card(7, 2));
  CHECK_FALSE(seven.usable);
  CHECK(seven.device.empty());
  CHECK_THAT(seven.reason,
             Catch::StartsWith("there is no gpu:7: the driver sees 2 NVIDIA GPUs: gpu:0 to gpu:1"));
  CHECK_THAT(judge(card(1, 1)).reason, Catch::Contains("the driver sees 1 NVIDIA GPU: gpu:0"));
  CHECK_THAT(judge(card(7, 0)).reason, Catch::Contains("sees no NVIDIA GPU"));  // no list of none
}

TEST_CASE("the oldest driver that runs tile kernels is usable, one before it is not") {
  GpuFacts facts = card(0, 1);
  facts.driver = kOldestDriver;
  CHECK(judge(facts).usable);
  facts.driver = kOldestDriver - 10;
  CHECK_FALSE(judge(facts).usable);
}

TEST_CASE("what asks for a GPU here: the CPU never, automatic where it is usable, by name or not at all") {
  const int beyond = gpu_count() + 7;
  CHECK_FALSE(runs_on_gpu(Device::cpu));
  CHECK(runs_on_gpu(Device::automatic) == gpu_report(0).usable);
  CHECK_FALSE(gpu_report(beyond).usable);
  CHECK_THROWS_AS(runs_on_gpu({Device::Kind::gpu, beyond}), MachineError);
  CHECK_THROWS_WITH(runs_on_gpu({Device::Kind::gpu, beyond}), gpu_report(beyond).reason);
  CHECK_THROWS_WITH(measure_gpu_ceilings(Dtype::fp32, beyond), gpu_report(beyond).reason);
  CHECK(&gpu_report(beyond) == &gpu_report(beyond));  // asked once
}

TEST_CASE("of several reasons against a card the first that must be mended is told") {
  GpuFacts facts;
  facts.built = false;
  CHECK_THAT(judge(facts).reason, Catch::StartsWith("this build has no GPU code"));
  facts.built = true;
  CHECK_THAT(judge(facts).reason, Catch::StartsWith("no CUDA device: no NVIDIA driver"));
  facts.driver = 12080;
  facts.error = "a failed call";
  CHECK_THAT(judge(facts).reason,
             Catch::StartsWith("the NVIDIA driver is too old: it knows CUDA 12.8, this build needs 13.0 "));
  facts.driver = 13010;
  CHECK_THAT(judge(facts).reason, Catch::StartsWith("a failed call; --device cpu runs"));
  facts = card(0, 1);
  facts.has_code = false;
  facts.capability = 120;
  CHECK_THAT(judge(facts).reason,
             Catch::StartsWith("NVIDIA H100 (sm_120): this build has code for sm_80 sm_90 only"));
}
