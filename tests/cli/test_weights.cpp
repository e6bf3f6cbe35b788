// GPT-2's weights from other programs, through the program: what is refused, and how.
#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <algorithm>

#include "tests/support/gpt2_files.hpp"

using namespace ladder;
using namespace ladder::testing;
using Catch::Matchers::Contains;

namespace {

/// Exit code 2 or 3, one line, nothing printed and nothing written.
void check_refused(const TemporaryFolder& folder, const std::vector<std::string>& arguments,
                   const std::vector<std::string>& named, int code = 2) {
  const test::Outcome outcome = test::run_program(folder.path(), arguments);
  INFO(arguments[0] << " on a bad file\nstderr: " << outcome.err << "stdout: " << outcome.out);
  CHECK(outcome.code == code);
  CHECK(outcome.out.empty());
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  for (const std::string& part : named) CHECK_THAT(outcome.err, Contains(part));
  CHECK(!std::filesystem::exists(folder / "new.json"));
}

/// The same file given to every command that reads weights.
void check_refused_everywhere(const std::string& bytes, const std::vector<std::string>& named, int code = 2) {
  const TemporaryFolder folder;
  test::write_text(folder / "w", bytes);
  check_refused(folder, {"sample", "--weights", "w", "--json", "new.json"}, named, code);
  check_refused(folder, {"logits", "--weights", "w", "--tokens", "1", "--json", "new.json"}, named, code);
  check_refused(folder, {"compare", "w", "--json", "new.json"}, named, code);
  check_refused(folder, {"train", "--init-weights", "w", "--steps", "1", "--json", "new.json"}, named, code);
}

std::string with_header(const std::string& header, std::size_t data_bytes) {
  std::string prefix(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(prefix.data(), &size, 8);
  return prefix + header + std::string(data_bytes, '\0');
}

}  // namespace

TEST_CASE("headers that lie are refused by every command that reads weights") {
  const RawTensors good = as_nanogpt(gpt2_parameters(small_gpt2()));
  const std::string bytes = file_bytes(good);
  check_refused_everywhere(bytes.substr(0, bytes.size() - 4), {"transformer.wte.weight", "truncated"});
  check_refused_everywhere(bytes.substr(0, 100), {"w", "truncated"});
  check_refused_everywhere(bytes + "more", {"4 bytes follow"});
  std::string long_header = bytes;
  long_header[6] = '\x10';  // 2^52 bytes and more
  check_refused_everywhere(long_header, {"announces a header"});
  check_refused_everywhere(with_header(R"({"wte.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                       R"("wpe.weight":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
                                       6),
                           {"'wpe.weight'", "overlaps"});
  check_refused_everywhere(with_header(R"({"wte.weight":{"dtype":"F32","shape":[1152921504606846976],)"
                                       R"("data_offsets":[0,4611686018427387904]}})",
                                       8),
                           {"'wte.weight'", "1152921504606846976"});
  check_refused_everywhere(with_header(R"({"wte.weight":{"dtype":"F32","shape":[1073741824,1073741824],)"
                                       R"("data_offsets":[0,4611686018427387904]}})",
                                       8),
                           {"'wte.weight'", "2^31"});
  check_refused_everywhere(
      with_header(R"({"wte.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,1152921504606846976]}})", 8),
      {"'wte.weight'", "truncated"});
}

TEST_CASE("models that cannot be are refused by every command that reads weights") {
  GptConfig flat = small_gpt2();
  RawTensors tensors = as_hugging_face(gpt2_parameters(flat));
  check_refused_everywhere(file_bytes(tensors), {"--n-head", "width 8"});
  find(tensors, "h.1.ln_2.bias") = {"h.1.ln_2.bias", "I16", {8}, std::string(16, '\0')};
  const TemporaryFolder folder;
  test::write_text(folder / "w", file_bytes(tensors));
  check_refused(folder, {"sample", "--weights", "w", "--n-head", "2"}, {"'h.1.ln_2.bias'", "I16"});
  check_refused(folder, {"sample", "--weights", "w", "--n-head", "3"}, {"--n-embd 8", "--n-head 3"});
  check_refused(folder, {"sample", "--weights", "w", "--n-head", "0"}, {"--n-head is 0"});
  check_refused(folder, {"sample", "--weights", "w", "--n-head", "2", "--n-layer", "5"}, {"5 layers"});
  check_refused(folder, {"sample", "--weights", "w", "--gelu", "tahn"}, {"did you mean tanh?"});
}

TEST_CASE("a vocabulary that does not match the weights is refused") {
  const Json metadata = {{"tokenizer", Json{{"characters", "abcdefghijkl"}, {"bos", false}}.dump()}};
  const TemporaryFolder folder;
  test::write_text(folder / "w", file_bytes(as_nanogpt(gpt2_parameters(small_gpt2())), metadata));
  check_refused(folder, {"sample", "--weights", "w", "--n-head", "2"}, {"12 tokens", "11"});
}

TEST_CASE("a config.json beside the weights is read, and never replaced") {
  const TemporaryFolder folder;
  test::write_text(folder / "model.safetensors", file_bytes(as_nanogpt(gpt2_parameters(small_gpt2()))));
  test::write_text(folder / "config.json", R"({"model_type": "bert", "n_head": 2})");
  check_refused(folder, {"sample", "--weights", "."}, {"config.json", "bert"});
  for (const char* name : {"config.json", "model.safetensors"})
    check_refused(folder, {"sample", "--weights", ".", "--json", name}, {name, "replace"});
}

TEST_CASE("a config.json that is not what the tensors are is named with its member, not with flags") {
  const TemporaryFolder folder;
  test::write_text(folder / "model.safetensors", file_bytes(as_nanogpt(gpt2_parameters(small_gpt2()))));
  for (const auto& [config, named] : std::vector<std::pair<const char*, const char*>>{
           {R"({"n_head": 7})", "'n_head' is 7"},
           {R"({"n_head": 2, "vocab_size": 51})", "'vocab_size' is 51"},
           {R"({"n_head": 2, "n_positions": 2000000000})", "'n_positions' is 2000000000"},
           {R"({"n_head": 1e30})", "'n_head' is 1e+30"},
           {R"({"n_head": NaN})", "no NaN"}}) {
    test::write_text(folder / "config.json", config);
    check_refused(folder, {"sample", "--weights", "."}, {"config.json: ", named});
  }
}

TEST_CASE("a model whose engines memory cannot hold is refused before its weights are read") {
  constexpr int kPositions = 1'000'000;  // whose square no machine holds
  const RawTensors tensors = {raw("wte.weight", {2, 2}, std::vector<double>(4)),
                              raw("h.0.attn.c_attn.weight", {6, 2}, std::vector<double>(12)),
                              raw("wpe.weight", {kPositions, 2}, std::vector<double>(2 * kPositions))};
  const TemporaryFolder folder;
  test::write_text(folder / "w", file_bytes(tensors));
  check_refused(folder, {"sample", "--weights", "w", "--n-head", "1", "--gelu", "erf", "--json", "new.json"},
                {"out of memory: this model needs about"}, 3);
  check_refused(folder, {"compare", "w", "--to", "1", "--n-head", "1", "--gelu", "erf", "--json", "new.json"},
                {"out of memory: this model on both sides needs about"}, 3);
}

// A sanitizer reserves far more addresses than the limit leaves.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a model that is too large for this machine's memory ends with one line and exit code 3") {
  const std::size_t vocabulary = 500'000, width = 1'024, count = vocabulary * width;
  const std::string header =
      fmt::format(R"({{"wte.weight":{{"dtype":"F32","shape":[{},{}],"data_offsets":[0,{}]}}}})", vocabulary,
                  width, 4 * count);
  const TemporaryFolder folder;
  test::write_text(folder / "w", with_header(header, 0));
  std::filesystem::resize_file(folder / "w", 8 + header.size() + 4 * count);  // a hole that no disk ever sees
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  rlimit tight = before;
  tight.rlim_cur = rlim_t{1} << 30;
  REQUIRE(setrlimit(RLIMIT_AS, &tight) == 0);  // the program inherits it
  check_refused(folder, {"sample", "--weights", "w", "--json", "new.json"}, {"w", "cannot be mapped"}, 3);
  REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
}
#endif
