// ladder prepare: a text as token files, which runs then map instead of reading the text.
#include <filesystem>
#include <memory>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/json.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/data/text.hpp"
#include "shared/data/token_files.hpp"

namespace ladder::cli {
namespace {

struct PrepareFlags {
  std::string text, out, json;
};

void run_prepare(const PrepareFlags& flags) {
  require(!flags.text.empty(), "the text has no name: name a file");
  require(!flags.out.empty(), "--out has no name: name a folder");
  // All that can be wrong with the text comes before the first file is made.
  const TokenStream stream = stream_of_text(read_text(flags.text), flags.text);
  require(!stream.training.empty(),
          "{}: one character cannot be divided into a part to train on and one held out", flags.text);
  require_token_files(stream);
  std::vector<std::filesystem::path> outputs = token_files_in(flags.out);
  outputs.emplace_back(flags.json);
  require_distinct_outputs({flags.text}, outputs);
  require_writable_outputs(flags.out, {flags.json});
  write_token_files(flags.out, stream);
  const std::size_t training = stream.training.size(), held_out = stream.held_out.size();
  fmt::print("{}: {} characters, {} of them distinct\n", flags.text, training + held_out,
             stream.tokenizer->vocab_size());
  fmt::print("{}: {} tokens in train.bin, {} in val.bin, their characters in meta.json\n", flags.out,
             training, held_out);
  fmt::print("train on them with: ladder train --preset small --data {}\n", flags.out);
  if (flags.json.empty()) return;
  Json json = {{"vocab_size", stream.tokenizer->vocab_size()},
               {"train_tokens", training},
               {"val_tokens", held_out},
               {"data_hash", hex64(stream.hash)}};
  write_file(flags.json, sorted(std::move(json)).dump(1) + "\n");
}

}  // namespace

void add_prepare(CLI::App& app) {
  const auto flags = std::make_shared<PrepareFlags>();
  add_text(app, "text", flags->text, "the text, in UTF-8").type("TEXT").required();
  add_text(app, "--out", flags->out, "folder for train.bin, val.bin and meta.json").type("DIR").required();
  add_text(app, "--json", flags->json, "write the numbers as JSON").type("FILE");
  set_footer(
      app,
      "A token is a character, numbered in order of code point; the last tenth is held out.\n"
      "The .bin files are those of nanoGPT's character preparation, meta.json is its meta.pkl as JSON.\n"
      "Files of these names that are there already are replaced.");
  set_action(app, [flags] { run_prepare(*flags); });
}

}  // namespace ladder::cli
