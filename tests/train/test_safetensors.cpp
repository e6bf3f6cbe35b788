#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/base/random.hpp"
#include "shared/train/safetensors.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

std::string prefix(std::uint64_t header_bytes) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &header_bytes, 8);
  return bytes;
}

std::string file_of(const std::string& header, const std::string& data) {
  return prefix(header.size()) + header + data;
}

/// A file of one tensor "w" with these members and this many bytes of zeros.
std::string one_tensor(const std::string& members, std::size_t data_bytes) {
  return file_of("{\"w\":{" + members + "}}", std::string(data_bytes, '\0'));
}

Safetensors read_bytes(const std::string& bytes) {
  const TemporaryFolder folder;
  test::write_text(folder / "model.safetensors", bytes);
  return read_safetensors(folder / "model.safetensors");
}

void refused(const std::string& bytes, const char* what) {
  CHECK_THROWS_WITH(read_bytes(bytes), Contains("model.safetensors") && Contains(what));
  CHECK_THROWS_AS(read_bytes(bytes), InputError);
}

std::string written(const std::vector<NamedTensor>& tensors, Dtype dtype, const Metadata& metadata = {}) {
  const TemporaryFolder folder;
  std::vector<StoredTensor> stored;
  for (const NamedTensor& tensor : tensors) stored.push_back({tensor.name, &tensor, dtype});
  write_safetensors(folder / "f", stored, metadata);
  return test::text_of(folder / "f");
}

const std::vector<NamedTensor>& example() {
  static const std::vector<NamedTensor> tensors = {
      {"b", {2, 3}, {1.0, -0.0, 1.0 / 3, 1e-310, 1e300, -7.0}}, {"a", {}, {0.1}}, {"empty", {0, 4}, {}}};
  return tensors;
}

}  // namespace

TEST_CASE("doubles survive bit for bit, with order, shapes and metadata") {
  const Metadata metadata = {{"format", "x"}, {"text", "\"\\\n\xC3\xA9"}};
  const Safetensors back = read_bytes(written(example(), Dtype::fp64, metadata));
  CHECK(back.metadata == metadata);
  REQUIRE(back.tensors.size() == 3);
  for (const NamedTensor& tensor : example()) {
    const auto found = std::find_if(back.tensors.begin(), back.tensors.end(),
                                    [&](const NamedTensor& other) { return other.name == tensor.name; });
    REQUIRE(found != back.tensors.end());
    CHECK(found->shape == tensor.shape);
    REQUIRE(found->size() == tensor.size());
    for (std::size_t k = 0; k < tensor.size(); ++k)
      CHECK(std::bit_cast<std::uint64_t>((*found)[k]) == std::bit_cast<std::uint64_t>(tensor[k]));
  }
}

TEST_CASE("fp32 rounds once to the nearest float") {
  const std::vector<NamedTensor> tensors = {{"w", {3}, {0.1, 1.0 / 3, 16777217.0}}};
  const Safetensors back = read_bytes(written(tensors, Dtype::fp32));
  CHECK(back.tensors[0].values() == std::vector<double>{0.1F, 1.0F / 3.0F, 16777216.0});
}

TEST_CASE("the data start at a multiple of eight bytes") {
  const std::string bytes = written(example(), Dtype::fp64);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  CHECK(header_bytes % 8 == 0);
}

TEST_CASE("tensors longer than one block of the writer survive") {
  NamedTensor tensor("w", {70001, 3}, Dtype::fp64);
  Random random(5);
  for (std::size_t i = 0; i < tensor.size(); ++i) tensor.set(i, random.random());
  CHECK(read_bytes(written({tensor}, Dtype::fp64)).tensors[0].values() == tensor.values());
  CHECK(read_bytes(written({tensor}, Dtype::fp32)).tensors[0].values() == tensor.in(Dtype::fp32).values());
}

TEST_CASE("16-bit tensors are read") {
  const std::string data("\x00\x3C\x00\xC0\x01\x00", 6);  // fp16: 1, -2, 2^-24
  CHECK(read_bytes(file_of(R"({"w":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}})", data))
            .tensors[0]
            .values() == std::vector<double>{1.0, -2.0, 0x1p-24});
  const std::string brain("\x80\x3F\x00\xC0\x7F\x7F", 6);  // bf16: 1, -2, the largest
  CHECK(read_bytes(file_of(R"({"w":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}})", brain))
            .tensors[0]
            .values() == std::vector<double>{1.0, -2.0, 0x1.FEp127});
}

TEST_CASE("a tensor that is not all finite is refused in every type, with its place") {
  for (const auto& [type, bytes] : std::vector<std::pair<const char*, std::string>>{
           {"F16", std::string("\x00\x00\x00\x7C", 4)},
           {"F16", std::string("\x00\x00\x01\xFC", 4)},
           {"BF16", std::string("\x00\x00\x80\xFF", 4)},
           {"F32", std::string("\x00\x00\x00\x00\x01\x00\x80\x7F", 8)},
           {"F64", std::string("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xF0\x7F", 16)}})
    refused(file_of(fmt::format(R"({{"w":{{"dtype":"{}","shape":[2],"data_offsets":[0,{}]}}}})", type,
                                bytes.size()),
                    bytes),
            "element 1 of [2]");
}

TEST_CASE("a header without tensors is a file without tensors") {
  CHECK(read_bytes(file_of("{}", "")).tensors.empty());
}

TEST_CASE("headers that are none are refused") {
  refused("", "too few");
  refused("1234567", "too few");
  refused(prefix(100) + "{}", "truncated");
  refused(prefix(~std::uint64_t{0}) + "{}", "truncated");
  refused(prefix(~std::uint64_t{7}) + "{}", "truncated");
  refused(file_of("", ""), "JSON");
  refused(file_of("[]", ""), "JSON");
  refused(file_of("{\"w\":", ""), "JSON");
  refused(file_of("{} x", ""), "JSON");
  refused(file_of("\xFF\xFE", ""), "JSON");
  refused(file_of(R"({"__metadata__":[]})", ""), "__metadata__");
  refused(file_of(R"({"__metadata__":{"a":1}})", ""), "'a'");
  refused(file_of(R"({"w":3})", ""), "'w'");
}

TEST_CASE("a header longer than the format allows is refused before it is read") {
  const TemporaryFolder folder;
  const auto file = folder / "model.safetensors";
  const auto refuse = [&](std::uint64_t header_bytes, const char* what) {
    test::write_text(file, prefix(header_bytes));
    std::filesystem::resize_file(file, header_bytes + 100);  // a hole: nothing lies on the disk
    CHECK_THROWS_WITH(read_safetensors(file), Contains(what));
    CHECK_THROWS_AS(read_safetensors(file), InputError);
  };
  refuse(100'000'000, "JSON");  // this one is read
  refuse(100'000'001, "header of 100000001 bytes");
}

TEST_CASE("descriptions that do not hold are refused with the tensor's name") {
  refused(one_tensor(R"("dtype":"I64","shape":[1],"data_offsets":[0,8])", 8), "'w' has dtype I64");
  refused(one_tensor(R"("dtype":5,"shape":[1],"data_offsets":[0,8])", 8), "'w'");
  refused(one_tensor(R"("shape":[1],"data_offsets":[0,8])", 8), "'w'");
  refused(one_tensor(R"("dtype":"F64","data_offsets":[0,8])", 8), "'w': 'shape' is missing");
  refused(one_tensor(R"("dtype":"F64","shape":[-1],"data_offsets":[0,8])", 8), "'w'");
  refused(one_tensor(R"("dtype":"F64","shape":[1.5],"data_offsets":[0,8])", 8), "'w'");
  refused(one_tensor(R"("dtype":"F64","shape":[4294967297],"data_offsets":[0,8])", 8), "'w'");
  refused(one_tensor(R"("dtype":"F64","shape":[2147483647,2147483647,4],"data_offsets":[0,8])", 8), "2^31");
  refused(one_tensor(R"("dtype":"F64","shape":[1])", 8), "data_offsets");
  refused(one_tensor(R"("dtype":"F64","shape":[1],"data_offsets":[0])", 8), "data_offsets");
  refused(one_tensor(R"("dtype":"F64","shape":[1],"data_offsets":[-8,0])", 8), "data_offsets");
  refused(one_tensor(R"("dtype":"F64","shape":[1],"data_offsets":["0","8"])", 8), "data_offsets");
}

TEST_CASE("metadata that are no texts are refused by their key") {
  for (const char* value : {"1", "null", "true", "[\"x\"]", "{}"})
    refused(file_of(fmt::format(R"({{"__metadata__":{{"a":"b","key":{}}}}})", value), ""), "'key'");
  refused(file_of(R"({"__metadata__":["a"]})", ""), "__metadata__");
  CHECK(read_bytes(file_of(R"({"__metadata__":{"key":"1"}})", "")).metadata == Metadata{{"key", "1"}});
}

TEST_CASE("offsets that do not fit the data are refused") {
  refused(one_tensor(R"("dtype":"F64","shape":[1],"data_offsets":[0,8])", 7), "truncated");
  refused(one_tensor(R"("dtype":"F64","shape":[1],"data_offsets":[0,8])", 9), "1 bytes follow");
  refused(one_tensor(R"("dtype":"F64","shape":[1],"data_offsets":[8,0])", 8), "'w'");
  refused(one_tensor(R"("dtype":"F64","shape":[2],"data_offsets":[0,8])", 8), "shape and dtype need 16");
  refused(one_tensor(R"("dtype":"F64","shape":[1],"data_offsets":[8,16])", 16), "gap");
  refused(one_tensor(
              R"("dtype":"F64","shape":[1],"data_offsets":[18446744073709551608,18446744073709551615])", 8),
          "'w'");
  const std::string overlap = R"({"v":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
                              R"("w":{"dtype":"F64","shape":[2],"data_offsets":[8,24]}})";
  refused(file_of(overlap, std::string(24, '\0')), "overlaps");
}

TEST_CASE("a name that occurs twice is refused") {
  const std::string entry = R"("w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]})";
  refused(file_of("{" + entry + "," + entry + "}", std::string(8, '\0')), "twice");
}

TEST_CASE("every truncation of a good file is refused") {
  const std::string good = written(example(), Dtype::fp64, {{"a", "b"}});
  for (std::size_t size = 0; size < good.size(); ++size) {
    INFO("first " << size << " of " << good.size() << " bytes");
    CHECK_THROWS_AS(read_bytes(good.substr(0, size)), InputError);
  }
}

TEST_CASE("a file with any byte changed reads or is refused, and never more") {
  const std::string good = written(example(), Dtype::fp64, {{"a", "b"}});
  Random random(9);
  int read = 0, refusals = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = good;
    for (int changes = 0; changes < 3; ++changes)
      bytes[random.randbelow(static_cast<std::uint32_t>(bytes.size()))] =
          static_cast<char>(random.getrandbits(8));
    try {
      read_bytes(bytes);
      ++read;
    } catch (const InputError&) {
      ++refusals;
    }
  }
  CHECK(read + refusals == 2000);
  CHECK(refusals > 500);
}

TEST_CASE("only fp32 and fp64 are written, and nothing is left of a refused write") {
  const TemporaryFolder folder;
  const NamedTensor tensor{"w", {1}, {1.0}};
  const std::vector<StoredTensor> stored = {{"w", &tensor, Dtype::bf16}};
  CHECK_THROWS_AS(write_safetensors(folder / "f", stored, {}), InputError);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a mapped file shows its tensors, also those of types that cannot be read") {
  const TemporaryFolder folder;
  test::write_text(folder / "f", file_of(R"({"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},)"
                                         R"("w":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})",
                                         std::string("\1\1\x00\x3C", 4)));
  const SafetensorsFile file(folder / "f");
  REQUIRE(file.tensors().size() == 2);
  REQUIRE(file.find("w") != nullptr);
  CHECK(file.find("v") == nullptr);
  CHECK(file.copy(*file.find("w")).values() == std::vector<double>{1.0});
  CHECK(file.find("mask")->bytes.size() == 2);
  CHECK_THROWS_WITH(file.copy(*file.find("mask")), Contains("'mask' has dtype BOOL"));
  CHECK_THROWS_WITH(read_safetensors(folder / "f"), Contains("'mask' has dtype BOOL"));
  refused(file_of(R"({"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,1]}})", "x"), "need 2");
}

TEST_CASE("memory that is not there is told before it is taken") {
  CHECK_NOTHROW(require_memory(1, "f"));
  CHECK_THROWS_AS(require_memory(std::numeric_limits<std::size_t>::max() / 2, "f"), MachineError);
}
