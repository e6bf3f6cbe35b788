// Bad usage and bad input: exit code 2, one line that names the thing, nothing left behind.
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <algorithm>

#include "tests/support/refused.hpp"

using namespace ladder;
using namespace ladder::test;
using Catch::Matchers::Contains;

TEST_CASE("data that cannot be trained on") {
  for (const Bad& bad : std::vector<Bad>{
           {{"train", "--data", "missing"}, {"missing", "No such file"}},
           {{"train", "--data", "empty"}, {"the file is empty"}},
           {{"train", "--data", "blank"}, {"blank", "white space"}},
           {{"train", "--data", "folder"}, {"folder", "directory"}},
           {{"train", "--data", "plain/x"}, {"plain/x", "directory"}},
           {{"train", "--data", "latin"}, {"latin", "line 3", "UTF-8"}},
           {{"train", "--preset", "small", "--data", "plain"}, {"plain", "--block-size 256"}},
       })
    check_refused(bad);
}

TEST_CASE("texts that cannot be prepared, and token files that cannot be trained on") {
  for (const Bad& bad : std::vector<Bad>{
           {{"prepare"}, {"text"}},
           {{"prepare", "plain"}, {"--out"}},
           {{"prepare", "missing", "--out", "new"}, {"missing", "No such file"}},
           {{"prepare", "empty", "--out", "new"}, {"the file is empty"}},
           {{"prepare", "latin", "--out", "new"}, {"latin", "line 3", "UTF-8"}},
           {{"prepare", "one", "--out", "new"}, {"one", "one character"}},
           {{"prepare", "plain", "--out", "blank"}, {"blank"}},
           {{"prepare", "plain", "--out", "taken"}, {"taken/val.bin", "folder"}},
           {{"prepare", "plain", "--out", "new", "--json", "missing/x.json"}, {"missing/x.json"}},
           {{"prepare", "plain", "--out", "new", "--json", "plain"}, {"plain", "replace"}},
           {{"prepare", "plain", "--out", "new", "--json", "new/meta.json"}, {"new/meta.json", "twice"}},
           {{"prepare", "", "--out", "new"}, {"text: ", "name a file"}},
           {{"prepare", "plain", "--out", ""}, {"--out: ", "name a folder"}},
           {{"prepare", "plain", "--print-ids"}, {"--print-ids needs --tokenizer"}},
           {{"prepare", "plain", "--print-ids", "--tokenizer", "missing"}, {"missing", "no folder"}},
           {{"prepare", "missing", "--print-ids", "--tokenizer", "bpe"}, {"missing", "No such file"}},
           {{"prepare", "plain", "--print-ids", "--tokenizer", "bpe", "--out", "new"},
            {"--out", "--print-ids"}},
           {{"prepare", "plain", "--out", "new", "--tokenizer", "folder"}, {"folder", "no vocabulary"}},
           {{"prepare", "plain", "--out", "new", "--tokenizer", "half"}, {"half", "but no vocab.json"}},
           {{"prepare", "plain", "--out", "new", "--tokenizer", "cut"}, {"cut/vocab.json", "JSON object"}},
           {{"prepare", "plain", "--out", "new", "--tokenizer", "unmerged"},
            {"unmerged/merges.txt", "no merge makes the token 'an'", "unmerged/vocab.json"}},
           {{"prepare", "plain", "--print-ids", "--tokenizer", "latin-merges"},
            {"latin-merges/merges.txt: line 2 is not UTF-8"}},
           {{"prepare", "latin", "--out", "new", "--tokenizer", "bpe"}, {"latin", "line 3", "UTF-8"}},
           {{"prepare", "empty", "--out", "new", "--tokenizer", "bpe"}, {"the file is empty"}},
           {{"prepare", "missing", "--out", "new", "--tokenizer", "bpe"}, {"missing", "No such file"}},
           {{"prepare", "one", "--out", "new", "--tokenizer", "bpe"}, {"one", "one character"}},
           {{"prepare", "plain", "--out", "taken", "--tokenizer", "bpe"}, {"taken/val.bin", "folder"}},
           {{"prepare", "plain", "--out", "new", "--tokenizer", "bpe", "--json", "bpe/vocab.json"},
            {"bpe/vocab.json", "replace"}},
           {{"train", "--data", "plain", "--json", "plain"}, {"plain", "replace"}},
           {{"train", "--data", "plain", "--save-weights", "./plain"}, {"plain", "replace"}},
           {{"train", "--json", "new", "--trace", "new"}, {"new", "twice"}},
           {{"climb", "--data", "plain", "--json", "plain"}, {"plain", "replace"}},
           {{"climb", "--report", "new", "--json", "./new"}, {"new", "twice"}},
           {{"parity", "--data", "plain", "--json", "plain"}, {"plain", "replace"}},
           {{"profile", "--data", "plain", "--json", "plain"}, {"plain", "replace"}},
           {{"speedup", "--data", "plain", "--json", "plain"}, {"plain", "replace"}},
           {{"crossover", "--from", "plain", "--json", "plain"}, {"plain", "replace"}},
           {{"crossover", "--data", "plain", "-o", "plain"}, {"plain", "replace"}},
           {{"graph", "-o", "new.svg", "--json", "new.svg"}, {"new.svg", "twice"}},
           {{"tile-trace", "matmul", "-o", "new", "--json", "new"}, {"new", "twice"}},
           {{"train", "--preset", "small", "--data", "odd.bin"}, {"odd.bin", "3 bytes", "two bytes a token"}},
           {{"train", "--preset", "small", "--data", "folder"}, {"folder", "train.bin", "ladder prepare"}},
           {{"train", "--data", "odd.bin"}, {"odd.bin", "--preset small"}},
       })
    check_refused(bad);
}

TEST_CASE("values of an expression are one number each, and none too many or too small") {
  for (const Bad& bad : std::vector<Bad>{
           {{"graph", "a", "--values", "a=1,"}, {"nothing stands between two commas", "NAME=NUMBER"}},
           {{"graph", "a", "--values", ",a=1"}, {"nothing stands"}},
           {{"graph", "a", "--values", "a=1e-400"}, {"'a=1e-400'", "nearer to 0", "write 0"}},
           {{"graph", "a", "--values", "a=1e400"}, {"'1e400' is not a finite number"}},
           {{"graph", "a", "--values", "a=+-1"}, {"'+-1' is not"}},
           {{"graph", "log(0-a)", "--values", "a=1"}, {"the result of 'log' is nan, not"}},
       })
    check_refused(bad);
  const TemporaryFolder folder;
  const test::Outcome outcome =
      test::run_program(folder.path(), {"graph", "a*b", "--values", "a=+2, b=1", "-o", "g.dot"});
  CHECK_THAT(outcome.out, Contains("root: data 2\n"));
  test::run_program(folder.path(), {"graph", "pow(a,0.5)*b", "--values", "a=0,b=0", "-o", "g.dot"});
  CHECK_THAT(test::text_of(folder / "g.dot"), Contains("nan") && !Contains("-nan"));
}

TEST_CASE("flags that would change nothing, and places that are none, are refused") {
  const std::string long_name(504, 'a');
  for (const Bad& bad : std::vector<Bad>{
           {{"train", "--name", "x"}, {"--name", "--record"}},
           {{"parity", "--name", "x"}, {"--name", "--record"}},
           {{"checklist", "--name", "x"}, {"--name", "--record"}},
           {{"speedup", "--name", "x"}, {"--name x", "--record"}},
           {{"profile", "--name", "x"}, {"--name x", "--record"}},
           {{"crossover", "--name", "x"}, {"--name x", "--record"}},
           {{"speedup", "--name", "a/b", "--json", "new"}, {"'a/b'", "no name for a record"}},
           {{"speedup", "--documents", "0"}, {"--documents is 0", "1 to 1000000000"}},
           {{"crossover", "--sizes", "micro,small,micro"}, {"--sizes", "'micro' is given twice"}},
           {{"crossover", "--sizes", "micro,"}, {"--sizes: '' is not valid", "micro-batch"}},
           {{"crossover", "--sizes", "mirco"}, {"did you mean micro?"}},
           {{"crossover", "--from", "plain", "--sizes", "micro"}, {"--from", "--sizes"}},
           {{"crossover", "--from", "plain", "--data", "one"}, {"--from", "--data"}},
           {{"train", "--lr", "1e-400"}, {"'1e-400'", "too near to 0"}},
           {{"tables", "--source-dir", long_name}, {"(504 characters in all)", "too long", "name the one"}},
           {{"tables", "--source-dir", "missing"}, {"missing: is no folder", "No such file"}},
           {{"tables", "--source-dir", "plain"}, {"plain: is no folder"}},
           {{"tables", "--source-dir", "folder"}, {"folder/tests/bench/results"}},
       })
    check_refused(bad);
}

TEST_CASE("model shapes that cannot be") {
  for (const Bad& bad : std::vector<Bad>{
           {{"train", "--n-embd", "15"}, {"--n-embd 15", "--n-head 4"}},
           {{"train", "--n-embd", "0"}, {"--n-embd is 0", "1 or more"}},
           {{"train", "--n-embd", "-16"}, {"--n-embd is -16"}},
           {{"train", "--n-layer", "0"}, {"--n-layer is 0"}},
           {{"train", "--n-layer", "100000"}, {"--n-layer 100000", "at most 4096"}},
           {{"train", "--n-head", "0"}, {"--n-head is 0"}},
           {{"train", "--n-head", "-4"}, {"--n-head is -4"}},
           {{"train", "--n-kv-head", "3"}, {"--n-kv-head 3"}},
           {{"train", "--n-kv-head", "0"}, {"--n-kv-head is 0"}},
           {{"train", "--block-size", "0"}, {"--block-size is 0"}},
           {{"train", "--n-embd", "1000000", "--n-head", "1"}, {"parameters", "limit"}},
           {{"train", "--n-embd", "99999999999"}, {"--n-embd", "99999999999", "2147483647"}},
           {{"train", "--stage", "0", "--n-kv-head", "2"}, {"stage 0", "--n-kv-head"}},
       })
    check_refused(bad);
}

TEST_CASE("what only GPT-2 has is refused of a microGPT whenever it is given, and of a preset falls away") {
  for (const char* shape : {"micro", "tiny"})
    for (const auto& [flag, value] : std::vector<std::pair<const char*, const char*>>{
             {"--bias", "0"}, {"--bias", "1"}, {"--gelu", "tanh"}, {"--dropout", "0"}})
      check_refused({{"train", "--preset", shape, "--model", "microgpt", flag, value},
                     {flag, "is GPT-2's", "--model gpt2"}});
  const TemporaryFolder folder;
  for (const char* preset : {"tiny", "shakespeare_char"}) {
    const test::Outcome outcome =
        test::run_program(folder.path(), {"train", "--preset", preset, "--model", "microgpt", "--n-layer",
                                          "1", "--n-embd", "12", "--steps", "0", "--samples", "0"});
    INFO(preset << ": " << outcome.err);
    CHECK(outcome.code == 0);
    CHECK_THAT(outcome.out, Contains("model     1 layer, width 12"));
  }
}

TEST_CASE("a width that the heads do not share evenly: the nearest numbers of heads that do are named") {
  check_refused(
      {{"train", "--n-embd", "15"}, {"--n-head 4 does not divide --n-embd 15", "choose 3 or 5 heads"}});
  check_refused(
      {{"train", "--n-head", "17"}, {"--n-head 17 does not divide --n-embd 16", "choose 16 heads"}});
}

TEST_CASE("a size of heads that a stage has no kernel for is refused before the configuration is printed") {
  check_refused({{"train", "--stage", "3", "--n-embd", "1024"}, {"head size 256", "--n-head 4", "fp32"}});
  check_refused({{"train", "--stage", "4", "--dtype", "fp16", "--n-embd", "512"}, {"head size 128", "fp16"}});
}

TEST_CASE("training settings out of range") {
  for (const Bad& bad : std::vector<Bad>{
           {{"train", "--batch-size", "0"}, {"--batch-size is 0"}},
           {{"train", "--grad-accum", "-1"}, {"--grad-accum is -1"}},
           {{"train", "--steps", "-1"}, {"--steps is -1"}},
           {{"train", "--lr", "nan"}, {"--lr is nan"}},
           {{"train", "--lr", "-0.1"}, {"--lr is -0.1"}},
           {{"train", "--lr", "inf"}, {"--lr is inf"}},
           {{"train", "--beta1", "1"}, {"--beta1 is 1"}},
           {{"train", "--beta2", "nan"}, {"--beta2 is nan"}},
           {{"train", "--eps", "0"}, {"--eps is 0"}},
           {{"train", "--clip", "-1"}, {"--clip is -1", "0 or more"}},
           {{"train", "--clip", "inf"}, {"--clip is inf", "finite"}},
           {{"train", "--clip", "much"}, {"--clip", "'much'"}},
           {{"train", "--seed", "-1"}, {"--seed is -1", "4294967295"}},
           {{"train", "--seed", "4294967296"}, {"--seed is 4294967296", "4294967295"}},
           {{"train", "--seed", "123456789012345678901234567890"},
            {"--seed", "123456789012345678901234567890"}},
           {{"train", "--samples", "-1"}, {"--samples is -1"}},
           {{"train", "--samples", "2000000000"}, {"--samples is 2000000000", "100000"}},
           {{"sample", "--weights", "plain", "--num-samples", "2000000000"}, {"--num-samples", "100000"}},
           {{"compare", "plain", "--samples", "2000000000"}, {"--samples", "100000"}},
           {{"checklist", "--samples", "2000000000"}, {"--samples", "100000"}},
           {{"climb", "--rounds", "2000000000"}, {"--rounds", "10000"}},
           {{"speedup", "--rounds", "2000000000"}, {"--rounds", "10000"}},
           {{"crossover", "--rounds", "2000000000"}, {"--rounds", "10000"}},
           {{"speedup", "--documents", "9000000000000000000"}, {"--documents", "1000000000"}},
           {{"graph", "a", "--values", "a=1", "-o", "x.svg", "--json", "x.dot"}, {"x.dot", "twice"}},
           {{"graph", "a", "--values", "a=1", "-o", "x.png"}, {"x.png", ".svg, .dot or .gv"}},
           {{"crossover", "-o", "x.png"}, {"x.png", ".svg"}},
           {{"tile-trace", "matmul", "-o", "x.pdf"}, {"x.pdf", ".svg"}},
           {{"train", "--temperature", "-1"}, {"--temperature is -1"}},
           {{"train", "--temperature", "nan"}, {"--temperature is nan"}},
           {{"train", "--threads", "-1"}, {"--threads is -1"}},
           {{"train", "--checkpoint-every", "5"}, {"--checkpoint"}},
           {{"train", "--checkpoint", "new", "--checkpoint-every", "0"}, {"--checkpoint-every is 0"}},
       })
    check_refused(bad);
}

TEST_CASE("words that are no numbers") {
  for (const Bad& bad : std::vector<Bad>{
           {{"train", "--steps", "1e3"}, {"--steps", "'1e3'", "whole number"}},
           {{"train", "--steps", "ten"}, {"--steps", "'ten'"}},
           {{"train", "--n-embd", "1.5"}, {"--n-embd", "'1.5'"}},
           {{"train", "--lr", "fast"}, {"--lr", "'fast'"}},
           {{"train", "--lr", "1e999"}, {"--lr", "'1e999'"}},
           {{"train", "--steps"}, {"--steps"}},
           {{"logits", "--weights", "plain", "--tokens", "1,x"}, {"--tokens", "'x'"}},
       })
    check_refused(bad);
}

TEST_CASE("an empty text is no name, and an empty place between two commas no number") {
  for (const Bad& bad : std::vector<Bad>{
           {{"prepare", "plain", "--out", "new", "--tokenizer", ""}, {"--tokenizer: ", "name a folder"}},
           {{"prepare", "plain", "--out", "new", "--json", ""}, {"--json: ", "a file's name is empty"}},
           {{"train", "--data", ""}, {"--data: ", "name a file"}},
           {{"train", "--trace="}, {"--trace: ", "a file's name is empty"}},
           {{"train", "--steps", "1", "--save-weights=", "--one-launch"},
            {"--save-weights: ", "name a file"}},
           {{"climb", "--json=", "--report=x.html"}, {"--json: ", "name a file"}},
           {{"sample", "--weights", "plain", "--tokens=", "--max-tokens", "3"}, {"--tokens"}},
           {{"train", "--steps", "1", "--json", std::string(256, 'a')}, {"longer than a file's may be"}},
           {{"graph", "1", "-o", std::string(256, 'a') + ".svg"}, {"longer than a file's may be"}},
           {{"train", "--trace", ""}, {"--trace: ", "name a file"}},
           {{"train", "--json", ""}, {"--json: ", "name a file"}},
           {{"train", "--checkpoint", ""}, {"--checkpoint: ", "name a folder"}},
           {{"train", "--init-weights", ""}, {"--init-weights: ", "name a file"}},
           {{"sample", "--weights", ""}, {"--weights: ", "name a file"}},
           {{"sample", "--weights", "plain", "--json", ""}, {"--json: ", "name a file"}},
           {{"probe", "--weights", "plain", "--tokens", "1,2", "--out", ""}, {"--out: ", "name a file"}},
           {{"compare", ""}, {"files: ", "name a file"}},
           {{"compare", "plain", "--json", ""}, {"--json: ", "name a file"}},
           {{"climb", "--report", ""}, {"--report: ", "name a file"}},
           {{"graph", ""}, {"expression: ", "empty"}},
           {{"logits", "--weights", "plain", "--tokens", "1,,2"}, {"--tokens: an empty number in '1,,2'"}},
           {{"logits", "--weights", "plain", "--tokens", "1,2,"}, {"--tokens: an empty number in '1,2,'"}},
           {{"logits", "--weights", "plain", "--tokens", ","}, {"--tokens: an empty number in ','"}},
           {{"sample", "--weights", "plain", "--tokens", ""}, {"--tokens: an empty number in ''"}},
       })
    check_refused(bad);
}

TEST_CASE("devices and pipes, which may have no end, are no files to read") {
  const TemporaryFolder folder;
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const std::string pipe = (folder / "pipe").string();
  for (const std::string& endless : {std::string("/dev/zero"), pipe})
    for (const Bad& bad : std::vector<Bad>{
             {{"train", "--data", endless}, {endless, "device", "plain file"}},
             {{"train", "--preset", "small", "--data", endless}, {endless, "device", "plain file"}},
             {{"prepare", endless, "--out", "new"}, {endless, "device", "plain file"}},
             {{"prepare", endless, "--out", "new", "--tokenizer", "bpe"}, {endless, "device", "plain file"}},
             {{"prepare", endless, "--print-ids", "--tokenizer", "bpe"}, {endless, "device", "plain file"}},
         })
      check_refused(bad);
}

TEST_CASE("unknown names are answered with the nearest valid one") {
  for (const Bad& bad : std::vector<Bad>{
           {{"trian"}, {"'trian'", "did you mean train?"}},
           {{"smaple"}, {"did you mean sample?"}},
           {{"zzzzzzzzzzzz"}, {"'zzzzzzzzzzzz'", "--help"}},
           {{"train", "--stpes", "10"}, {"--stpes", "did you mean --steps?"}},
           {{"train", "--n-embed=16"}, {"--n-embed", "did you mean --n-embd?"}},
           {{"sample", "--weights", "x", "--topk", "3"}, {"did you mean --top-k?"}},
           {{"--vresion"}, {"did you mean --version?"}},
           {{"train", "plain"}, {"'plain'"}},
           {{"train", "--preset", "mirco"}, {"--preset", "did you mean micro?", "small"}},
           {{"train", "--dtype", "fp23"}, {"--dtype", "did you mean fp32?"}},
           {{"train", "--dtype", "double"}, {"--dtype", "fp64"}},
           {{"speedup", "--dtype", "fp23"}, {"--dtype", "did you mean fp32?"}},
           {{"train", "--device", "gpuu"}, {"--device", "did you mean gpu?"}},
           {{"climb", "--device", "gpu:"}, {"--device", "auto, cpu, gpu and gpu:N"}},
           {{"parity", "--device", "gpu:x"}, {"--device", "auto, cpu, gpu and gpu:N"}},
           {{"speedup", "--device", "gpu:-1"}, {"--device", "auto, cpu, gpu and gpu:N"}},
           {{"crossover", "--device", "cuda"}, {"--device", "auto, cpu, gpu and gpu:N"}},
           {{"train", "--stage", "99"}, {"99", "0 (scalar autograd)", "1 (CPU tensors)"}},
           {{"train", "--stage", "-1"}, {"-1"}},
           {{"train", "--stage", "0", "--dtype", "fp32"}, {"stage 0", "fp32", "fp64"}},
           {{"train", "--stage", "1", "--dtype", "bf16"}, {"stage 1", "bf16"}},
       })
    check_refused(bad);
}

TEST_CASE("outputs that cannot be written are refused before the first step") {
  for (const Bad& bad : std::vector<Bad>{
           {{"train", "--checkpoint", "plain"}, {"plain"}},
           {{"train", "--checkpoint", "plain/sub"}, {"plain/sub"}},
           {{"train", "--trace", "plain/t.json"}, {"plain/t.json"}},
           {{"train", "--trace", "missing/t.json"}, {"missing/t.json"}},
           {{"train", "--json", "folder"}, {"folder"}},
           {{"train", "--checkpoint", "new", "--trace", "plain/t.json"}, {"plain/t.json"}},
       })
    check_refused(bad);
}

TEST_CASE("weights and checkpoints that are none") {
  for (const Bad& bad : std::vector<Bad>{
           {{"train", "--resume"}, {"--resume", "--checkpoint DIR"}},
           {{"train", "--resume", "--checkpoint", "folder"}, {"folder", "no checkpoint"}},
           {{"train", "--resume", "--checkpoint", "missing"}, {"missing", "no checkpoint"}},
           {{"train", "--init-weights", "plain"}, {"plain", "safetensors"}},
           {{"sample"}, {"--weights"}},
           {{"sample", "--weights", "missing"}, {"missing"}},
           {{"sample", "--weights", "plain"}, {"plain", "safetensors"}},
           {{"sample", "--weights", "folder"},
            {"folder: ", "neither checkpoint.safetensors nor model.safetensors"}},
           {{"train", "--init-weights", "folder"},
            {"folder: ", "neither checkpoint.safetensors nor model.safetensors"}},
           {{"compare", "plain", "--threads", "-1"}, {"--threads is -1", "0 to 4096"}},
           {{"compare", "plain", "--threads", "4097"}, {"--threads is 4097", "0 to 4096"}},
           {{"sample", "--weights", "plain", "--temperature", "-0.1"}, {"--temperature is -0.1"}},
           {{"sample", "--weights", "plain", "--top-k", "-3"}, {"--top-k is -3"}},
           {{"sample", "--weights", "plain", "--max-tokens", "-1"}, {"--max-tokens is -1"}},
           {{"sample", "--weights", "plain", "--top-k", "0"}, {"--top-k"}},
           {{"sample", "--weights", "plain", "--num-samples", "0"}, {"--num-samples"}},
           {{"sample", "--weights", "plain", "--prompt", "a", "--tokens", "1"}, {"--prompt"}},
           {{"logits", "--weights", "plain"}, {"--tokens"}},
           {{"compare"}, {"files"}},
           {{"compare", "plain"}, {"plain", "safetensors"}},
           {{"compare", "missing"}, {"missing", "No such file"}},
           {{"compare", "plain", "--json", "plain"}, {"plain", "replace"}},
           {{"compare", "plain", "--with", "tensorflow"}, {"--with", "pytorch"}},
           {{"compare", "plain", "--samples", "-1"}, {"--samples is -1"}},
           {{"compare", "plain", "--max-tokens", "0"}, {"--max-tokens is 0"}},
           {{"compare", "plain", "--temperature", "-1"}, {"--temperature is -1"}},
           {{"compare", "plain", "--top-k", "0"}, {"--top-k is 0"}},
       })
    check_refused(bad);
}

TEST_CASE("traces of kernels, sizes and blocks that do not exist") {
  for (const Bad& bad : std::vector<Bad>{
           {{"tile-trace"}, {"kernel"}},
           {{"tile-trace", "matmol"}, {"'matmol'", "did you mean matmul?"}},
           {{"tile-trace", "matmul", "--length", "8"}, {"--length", "matmul", "--rows"}},
           {{"tile-trace", "matmul", "--rows", "0"}, {"--rows is 0", "512"}},
           {{"tile-trace", "attention", "--length", "513"}, {"--length is 513", "512"}},
           {{"tile-trace", "attention", "--head-dim", "200"}, {"head size 200"}},
           {{"tile-trace", "matmul", "--block", "4"}, {"--block 4,0,0", "4 x 1 x 1"}},
           {{"tile-trace", "matmul", "--block", "-1"}, {"--block", "negative"}},
           {{"tile-trace", "matmul", "--block", "1,2,3,4"}, {"--block", "4 numbers"}},
           {{"tile-trace", "matmul", "--block", "one"}, {"--block", "'one'"}},
           {{"tile-trace", "matmul", "--all-keys"}, {"--all-keys", "attention"}},
           {{"tile-trace", "matmul", "--query", "3"}, {"--query", "attention"}},
           {{"tile-trace", "attention", "--query", "3"}, {"--query 3", "32 to 47"}},
           {{"tile-trace", "matmul", "--dtype", "fp8"}, {"--dtype", "fp16"}},
           {{"tile-trace", "matmul", "-o", "missing/x.svg"}, {"missing/x.svg"}},
           {{"tile-trace", "matmul", "--json", "folder"}, {"folder"}},
       })
    check_refused(bad);
}

TEST_CASE("a stage without GPU kernels says so with exit code 3") {
  check_refused({{"train", "--stage", "1", "--device", "gpu"}, {"stage 1", "GPU"}, 3});
  check_refused({{"train", "--stage", "1", "--device", "gpu:1"}, {"stage 1", "leave out --device gpu:1"}, 3});
}

TEST_CASE("a GPU that is not there is one line with exit code 3, whichever subcommand is asked") {
  for (const Bad& bad : std::vector<Bad>{
           {{"train", "--stage", "2", "--device", "gpu:99", "--steps", "1"}, {"GPU"}, 3},
           {{"train", "--stage", "3", "--device", "gpu:99", "--steps", "1"}, {"GPU"}, 3},
       })
    check_refused(bad);
  const TemporaryFolder folder;
  for (const char* command : {"speedup", "parity", "crossover"}) {
    const test::Outcome outcome = test::run_program(folder.path(), {command, "--device", "gpu:99"});
    INFO(command << ": " << outcome.err);
    CHECK(outcome.code == 3);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  }
}

TEST_CASE("one launch: only stage 3, fp32 or fp64, one sequence a step, sizes that fit its tiles") {
  const std::vector<std::string> base = {"train", "--one-launch", "--steps", "1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), base.begin(), base.end());
    return more;
  };
  for (const Bad& bad : std::vector<Bad>{
           {with({}), {"--one-launch", "--stage 3"}},
           {with({"--stage", "2"}), {"--one-launch", "--stage 3"}},
           {with({"--stage", "3", "--batch-size", "2"}), {"one sequence a step", "--batch-size"}},
           {with({"--stage", "3", "--grad-accum", "2"}), {"one sequence a step", "--grad-accum"}},
           {with({"--stage", "3", "--dtype", "bf16"}), {"fp32 or fp64", "bf16"}},
           {with({"--stage", "3", "--dtype", "tf32"}), {"fp32 or fp64", "tf32"}},
           {with({"--stage", "3", "--n-embd", "68"}), {"68", "up to 64"}},
           {with({"--stage", "3", "--block-size", "17"}), {"17 positions", "up to 16"}},
           {with({"--stage", "3", "--resume"}), {"--resume needs --checkpoint"}},
           {with({"--stage", "3", "--clip", "1"}), {"--one-launch", "does not clip"}},
       })
    check_refused(bad);
}

TEST_CASE("a variant: one that there is, at its own stage, and one alone") {
  const auto train = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"train", "--steps", "1"});
    return more;
  };
  for (const Bad& bad : std::vector<Bad>{
           {train({"--stage", "3", "--variant", "fused-stop"}), {"'fused-stop'", "did you mean fused-step"}},
           {train({"--stage", "2", "--variant", "fused-step"}), {"--fused-step", "--stage 3"}},
           {train({"--stage", "3", "--variant", "one-launch", "--fused-step"}),
            {"--one-launch and --fused-step exclude each other"}},
           {train({"--stage", "3", "--variant", "one-launch", "--batch-size", "2"}), {"one sequence a step"}},
       })
    check_refused(bad);
}

TEST_CASE("a fused step: only stage 3, fp32 or fp64, sizes that fit its tiles") {
  const std::vector<std::string> base = {"train", "--fused-step", "--steps", "1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), base.begin(), base.end());
    return more;
  };
  for (const Bad& bad : std::vector<Bad>{
           {with({}), {"--fused-step", "--stage 3"}},
           {with({"--stage", "3", "--one-launch"}), {"--one-launch", "--fused-step"}},
           {with({"--stage", "3", "--dtype", "bf16"}), {"fp32 or fp64", "bf16"}},
           {with({"--stage", "3", "--n-embd", "68"}), {"--fused-step", "68", "up to 64"}},
           {with({"--stage", "3", "--clip", "1"}), {"--fused-step", "does not clip"}},
           {with({"--stage", "3", "--block-size", "17"}), {"17 positions", "up to 16"}},
       })
    check_refused(bad);
}
