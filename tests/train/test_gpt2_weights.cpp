// GPT-2's weights under both namings: what arrives, and what is refused by name.
#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/gpt2_weights.hpp"
#include "shared/train/hf_config.hpp"
#include "tests/support/gpt2_files.hpp"

using namespace ladder;
using namespace ladder::testing;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kTwoHeads = R"({"model_type": "gpt2", "n_head": 2, "activation_function": "gelu_new"})";

SavedModel load(const std::string& bytes, const std::string& config = kTwoHeads,
                const Gpt2Settings& given = {}) {
  const TemporaryFolder folder;
  test::write_text(folder / "model.safetensors", bytes);
  if (!config.empty()) test::write_text(folder / "config.json", config);
  return load_model(folder.path(), given);
}

void check_same(const TensorList& got, const TensorList& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    INFO(want[i].name);
    CHECK(got[i].name == want[i].name);
    CHECK(got[i].shape == want[i].shape);
    CHECK(got[i].values() == want[i].values());
  }
}

void refused(const RawTensors& tensors, const std::vector<std::string>& named,
             const std::string& config = kTwoHeads) {
  const std::string bytes = file_bytes(tensors);
  CHECK_THROWS_AS(load(bytes, config), InputError);
  for (const std::string& part : named) CHECK_THROWS_WITH(load(bytes, config), Contains(part));
}

}  // namespace

TEST_CASE("both namings give the same parameters, with every prefix, in every type") {
  const GptConfig config = small_gpt2();
  const TensorList parameters = gpt2_parameters(config);
  for (const std::string stored : {"F32", "F64", "F16", "BF16"}) {
    for (const std::string before : {"", "transformer."}) {
      const SavedModel saved = load(file_bytes(as_hugging_face(parameters, before, stored)));
      CHECK(saved.model == config);
      check_same(saved.parameters, parameters);
      CHECK(saved.parameters[0].dtype() == dtype_named(stored));
    }
    for (const std::string before : {"", "_orig_mod."})
      check_same(load(file_bytes(as_nanogpt(parameters, before, stored))).parameters, parameters);
  }
}

TEST_CASE("weights without biases, of several types, with masks and a tied head") {
  const GptConfig config = small_gpt2(false);
  const TensorList parameters = gpt2_parameters(config);
  RawTensors tensors = as_hugging_face(parameters);
  find(tensors, "h.1.mlp.c_fc.weight") = as_hugging_face(parameters, "", "BF16")[5 + 6];
  REQUIRE(find(tensors, "h.1.mlp.c_fc.weight").stored == "BF16");
  tensors.push_back({"h.0.attn.bias", "U8", {1, 1, 6, 6}, std::string(36, '\1')});
  tensors.push_back({"h.1.attn.bias", "F32", {1, 1, 6, 6}, std::string(144, '\1')});
  tensors.push_back({"h.0.attn.masked_bias", "F8_E4M3", {}, "x"});
  for (const std::string head : {"F32", "F64"}) {
    RawTensors tied = tensors;
    const NamedTensor& wte = parameters.back();
    tied.push_back(raw("lm_head.weight", wte.shape, wte.values(), head));
    const SavedModel saved = load(file_bytes(tied));
    CHECK(saved.model == config);
    check_same(saved.parameters, parameters);
  }
}

TEST_CASE("a head that is not the embedding is refused") {
  const TensorList parameters = gpt2_parameters(small_gpt2());
  RawTensors tensors = as_hugging_face(parameters);
  RawTensor head = find(tensors, "wte.weight");
  head.name = "lm_head.weight";
  head.bytes.back() = static_cast<char>(head.bytes.back() ^ 1);
  tensors.push_back(head);
  refused(tensors, {"'lm_head.weight'", "tied"});
  tensors.back() = raw("lm_head.weight", {10, 8}, std::vector<double>(80));
  refused(tensors, {"'lm_head.weight'", "tied"});
  // In another type the values are compared, the last of them too.
  std::vector<double> values = parameters.back().values();
  values.back() += 0.125;
  for (const std::string stored : {"F64", "F32"}) {
    tensors.back() = raw("lm_head.weight", parameters.back().shape, values, stored);
    refused(tensors, {"'lm_head.weight'", "tied"});
  }
}

TEST_CASE("a config.json that says the head is not tied wants a head, and one that is the embedding") {
  const TensorList parameters = gpt2_parameters(small_gpt2());
  RawTensors tensors = as_hugging_face(parameters);
  const std::string untied = R"({"n_head": 2, "tie_word_embeddings": false})";
  CHECK_THROWS_WITH(load(file_bytes(tensors), untied),
                    Contains("'tie_word_embeddings'") && Contains("'lm_head.weight' is missing"));
  CHECK_NOTHROW(load(file_bytes(tensors), R"({"n_head": 2, "tie_word_embeddings": true})"));
  const NamedTensor& wte = parameters.back();
  tensors.push_back(raw("lm_head.weight", wte.shape, wte.values()));
  check_same(load(file_bytes(tensors), untied).parameters, parameters);
}

TEST_CASE("whoever asks is told of the model before its weights are read") {
  const TemporaryFolder folder;
  test::write_text(folder / "w", file_bytes(as_nanogpt(gpt2_parameters(small_gpt2()))));
  Gpt2Settings given;
  given.n_head = 2;
  CHECK_THROWS_WITH(
      load_model(folder / "w", given, [](const GptConfig& model) { require(false, "no {}", model.n_embd); }),
      "no 8");
}

TEST_CASE("what is missing, of another shape or type, or of no parameter is named") {
  const RawTensors good = as_hugging_face(gpt2_parameters(small_gpt2()), "transformer.");
  for (const char* name :
       {"transformer.wte.weight", "transformer.wpe.weight", "transformer.h.1.mlp.c_proj.bias",
        "transformer.ln_f.weight", "transformer.h.0.attn.c_attn.weight"}) {
    RawTensors tensors = good;
    std::erase_if(tensors, [&](const RawTensor& tensor) { return tensor.name == name; });
    refused(tensors, {name, "is missing"});
  }
  RawTensors shape = good;
  find(shape, "transformer.h.1.attn.c_proj.bias") =
      raw("transformer.h.1.attn.c_proj.bias", {9}, std::vector<double>(9));
  refused(shape, {"'transformer.h.1.attn.c_proj.bias'", "[9]", "[8]"});
  RawTensors turned = good;  // one matrix the other way round than the rest
  find(turned, "transformer.h.1.mlp.c_fc.weight").shape = {32, 8};
  refused(turned, {"'transformer.h.1.mlp.c_fc.weight'", "[32, 8]", "[8, 32]"});
  RawTensors type = good;
  find(type, "transformer.ln_f.bias") = {"transformer.ln_f.bias", "I32", {8}, std::string(32, '\0')};
  refused(type, {"'transformer.ln_f.bias'", "I32", "BF16"});
  RawTensors more = good;
  more.push_back(raw("score.weight", {2, 8}, std::vector<double>(16)));
  refused(more, {"'score.weight'", "no parameter"});
  more.back() = raw("transformer.h.77.ln_1.weight", {8}, std::vector<double>(8));
  refused(more, {"'transformer.h.77.ln_1.weight'"});
  more.back() = raw("wte.weight", {11, 8}, std::vector<double>(88));
  refused(more, {"'wte.weight'", "'transformer.wte.weight'", "same parameter"});
  RawTensors flat = good;
  find(flat, "transformer.wte.weight").shape = {88};
  refused(flat, {"'transformer.wte.weight'", "matrix"});
}

TEST_CASE("config.json gives the sizes, and a flag goes before it") {
  const std::string bytes = file_bytes(as_hugging_face(gpt2_parameters(small_gpt2())));
  const std::string full = R"({"n_layer": 2, "n_head": 4, "n_embd": 8, "n_positions": 6, "n_ctx": 6,
      "vocab_size": 11, "activation_function": "gelu", "layer_norm_epsilon": 1e-05, "n_inner": null})";
  const SavedModel saved = load(bytes, full);
  CHECK(saved.model.n_head == 4);
  CHECK(saved.model.gelu == Gelu::erf);
  CHECK(saved.assumed.empty());
  Gpt2Settings given;
  given.n_head = 2;
  given.gelu = Gelu::tanh;
  const SavedModel other = load(bytes, full, given);
  CHECK(other.model == small_gpt2());
  for (const auto& [config, named] : std::vector<std::pair<std::string, std::string>>{
           {R"({"n_head": 2, "vocab_size": 12})", "'vocab_size' is 12: tensor 'wte.weight'"},
           {R"({"n_head": 2, "n_positions": 5})", "'n_positions' is 5: tensor 'wpe.weight'"},
           {R"({"n_head": 2, "n_positions": 2000000000})", "'n_positions' is 2000000000: tensor"},
           {R"({"n_head": 2, "n_layer": 3})", "'n_layer' is 3: "},
           {R"({"n_head": 2, "n_layer": 1})", "'n_layer' is 1: "},
           {R"({"n_head": 2, "n_layer": 100000000})", "'n_layer' is 100000000: "},
           {R"({"n_head": 2, "n_embd": 16})", "'n_embd' is 16: "},
           {R"({"n_head": 2, "bias": false})", "'bias' is false: "},
           {R"({"n_head": 7})", "'n_head' is 7: it does not divide the width 8"},
           {R"({"n_head": 0})", "'n_head' is 0: it must be"},
           {R"({"n_head": 1e30})", "'n_head' is 1e+30: it must be a whole number"},
           {R"({"n_head": "2"})", "'n_head' is \"2\": it must be a whole number"},
           {R"({"n_head": 2, "layer_norm_epsilon": NaN})", "no NaN"},
           {R"({"n_head": 2)", "not a JSON object: "},
           {R"({"n_head": 2, "model_type": "llama"})", "llama"},
           {R"({"n_head": 2, "activation_function": "relu"})", "relu"},
           {R"({"n_head": 2, "layer_norm_epsilon": 1e-6})", "layer_norm_epsilon"},
           {R"({"n_head": 2, "n_embd": 8, "n_inner": 16})", "n_inner"},
           {R"({"n_head": 2, "scale_attn_by_inverse_layer_idx": true})", "scale_attn_by_inverse_layer_idx"},
           {R"({"n_head": 2, "scale_attn_weights": false})", "scale_attn_weights"},
           {R"({"n_head": 2, "add_cross_attention": true})", "add_cross_attention"},
           {R"({"n_head": 2, "n_ctx": 5})", "is 5: tensor 'wpe.weight'"},
           {"[1]", "not a JSON object"},
       }) {
    INFO(config);
    CHECK_THROWS_AS(load(bytes, config), InputError);
    CHECK_THROWS_WITH(load(bytes, config), Contains("config.json: ") && Contains(named) && !Contains("--"));
  }
  given = {};
  given.n_head = 3;  // by a flag, which is then what is named
  CHECK_THROWS_WITH(load(bytes, R"({"n_head": 7})", given), Contains("--n-head 3"));
}

TEST_CASE("without a config.json heads of 64 are assumed, or must be given") {
  const RawTensors narrow = as_hugging_face(gpt2_parameters(small_gpt2()));
  refused(narrow, {"--n-head", "width 8"}, "");
  Gpt2Settings given;
  given.n_head = 2;
  const SavedModel told = load(file_bytes(narrow), "", given);
  CHECK(told.model == small_gpt2());
  REQUIRE(told.assumed.size() == 1);
  CHECK_THAT(told.assumed[0], Contains("tanh") && Contains("--gelu"));

  GptConfig wide = small_gpt2();
  wide.n_layer = 1;
  wide.n_embd = 128;
  const SavedModel guessed = load(file_bytes(as_nanogpt(gpt2_parameters(wide))), "");
  CHECK(guessed.model.n_head == 2);
  CHECK(guessed.model.gelu == Gelu::erf);  // nanoGPT's code
  REQUIRE(guessed.assumed.size() == 2);
  CHECK_THAT(guessed.assumed[0], Contains("2 heads of 64") && Contains("--n-head"));
}

TEST_CASE("the tokenizer is the one in the file's metadata, or one of numbers") {
  const RawTensors tensors = as_nanogpt(gpt2_parameters(small_gpt2()));
  CHECK(load(file_bytes(tensors)).tokenizer->decode(std::vector<std::int32_t>{10, 3}) == "10 3 ");
  const auto with = [&](const char* characters) {
    return file_bytes(tensors, {{"tokenizer", Json{{"characters", characters}, {"bos", false}}.dump()}});
  };
  CHECK(load(with("abcdefghijk")).tokenizer->decode(std::vector<std::int32_t>{10, 3}) == "kd");
  CHECK(load(with("abcdefghij")).tokenizer->vocab_size() == 10);  // a vocabulary that was rounded up
  CHECK_THROWS_WITH(load(with("abcdefghijkl")), Contains("12 tokens") && Contains("11"));
  GptConfig padded = small_gpt2();
  padded.vocab_size = 150;
  const std::string far = file_bytes(as_nanogpt(gpt2_parameters(padded)),
                                     {{"tokenizer", Json{{"characters", "ab"}, {"bos", false}}.dump()}});
  CHECK_THROWS_WITH(load(far), Contains("2 tokens") && Contains("150"));
}

TEST_CASE("a saved GPT-2 of this program says itself what it is") {
  const TemporaryFolder folder;
  GptConfig config = small_gpt2(false);
  config.gelu = Gelu::erf;
  const SavedModel saved{config, std::make_shared<NumberTokenizer>(11), gpt2_parameters(config)};
  save_model(folder / "w", saved, Dtype::fp32);
  const SavedModel back = load_model(folder / "w");
  CHECK(back.model == config);
  check_same(back.parameters, saved.parameters);
  Gpt2Settings given;
  given.n_head = 4;
  CHECK_THROWS_WITH(load_model(folder / "w", given), Contains("says itself"));
}

TEST_CASE("a saved model may know tokens that only round its vocabulary up") {
  const TemporaryFolder folder;
  const GptConfig config = small_gpt2();
  save_model(folder / "w", {config, std::make_shared<NumberTokenizer>(7), gpt2_parameters(config)},
             Dtype::fp32);
  const SavedModel back = load_model(folder / "w");
  CHECK(back.model.vocab_size == 11);
  CHECK(back.tokenizer->vocab_size() == 7);
  save_model(folder / "w", {config, std::make_shared<NumberTokenizer>(12), gpt2_parameters(config)},
             Dtype::fp32);
  CHECK_THROWS_WITH(load_model(folder / "w"), Contains("12 tokens") && Contains("11"));
  // to the next multiple of at most 128: 127 numbers more, not 128
  for (const int more : {127, 128}) {
    GptConfig padded = config;
    padded.vocab_size = 7 + more;
    save_model(folder / "w", {padded, std::make_shared<NumberTokenizer>(7), gpt2_parameters(padded)},
               Dtype::fp32);
    if (more < 128)
      CHECK(load_model(folder / "w").model.vocab_size == 134);
    else
      CHECK_THROWS_WITH(load_model(folder / "w"), Contains("7 tokens") && Contains("135"));
  }
}

TEST_CASE("files that are neither this program's nor GPT-2's are refused") {
  CHECK_THROWS_WITH(load(file_bytes({raw("model.layers.0.weight", {1}, {1.0})})),
                    Contains("not written by this program"));
  CHECK_THROWS_WITH(load(file_bytes({})), Contains("not written by this program"));
}

TEST_CASE("of two that know something of a model, the first is believed, member by member") {
  const Gpt2Settings first{1, 2, 3, 4, 5, true, Gelu::erf, false, "a"},
      second{6, 7, 8, 9, 10, false, Gelu::tanh, true, "b"};
  CHECK(over(first, second) == first);
  CHECK(over({}, second) == second);
  CHECK(over(first, {}) == first);
  Gpt2Settings some;
  some.block_size = 11;
  Gpt2Settings want = second;
  want.block_size = 11;
  CHECK(over(some, second) == want);
}

TEST_CASE("a config.json's members go to their own settings, and n_positions goes before n_ctx") {
  const TemporaryFolder folder;
  const auto read = [&](const char* text) {
    test::write_text(folder / "config.json", text);
    return read_hf_config(folder / "config.json");
  };
  const Gpt2Settings all = read(R"({"n_layer": 1, "n_head": 2, "n_embd": 3, "n_positions": 4, "n_ctx": 5,
    "vocab_size": 6, "bias": false, "activation_function": "gelu", "tie_word_embeddings": false, "n_inner": 12})");
  CHECK(all == Gpt2Settings{1, 2, 3, 4, 6, false, Gelu::erf, false, (folder / "config.json").string()});
  const Gpt2Settings none =
      read(R"({"n_ctx": 5, "n_layer": null, "activation_function": "gelu_pytorch_tanh"})");
  CHECK(none.block_size == 5);
  CHECK_FALSE(none.n_layer);
  CHECK(none.gelu == Gelu::tanh);
  for (const char* wrong :
       {R"({"n_embd": 3, "n_inner": 13})", R"({"n_inner": 12})", R"({"n_layer": 0})",
        R"({"scale_attn_weights": false})", R"({"add_cross_attention": true})",
        R"({"scale_attn_by_inverse_layer_idx": true})", R"({"layer_norm_epsilon": 1e-6})"})
    CHECK_THROWS_AS(read(wrong), InputError);
}
