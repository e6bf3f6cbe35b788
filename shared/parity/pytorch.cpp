#include "shared/parity/pytorch.hpp"

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/process.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/model/config_json.hpp"

namespace ladder {

void require_pytorch() {
  if (output_of({"python3", "-c", "import torch, transformers, safetensors; print(1)"}) == "1") return;
  throw MachineError(
      "--with pytorch: python3 does not find torch, transformers and safetensors: python3 -m pip install "
      "torch transformers safetensors");
}

PytorchAnswer ask_pytorch(const std::filesystem::path& weights, const GptConfig& model,
                          const std::vector<std::int32_t>& prompt, int max_tokens,
                          const std::vector<std::int32_t>& tokens) {
  const TemporaryFolder folder;
  const std::filesystem::path link = folder / "weights.safetensors";  // JSON holds a name in UTF-8 only
  std::filesystem::create_symlink(std::filesystem::absolute(weights), link);
  const Json request = {{"weights", link.string()},
                        {"model", to_json(model)},
                        {"tokens", tokens},
                        {"prompt", prompt},
                        {"max_tokens", max_tokens}};
  write_file(folder / "gpt2_pytorch.py", pytorch_script);
  write_file(folder / "request.json", request.dump());
  const std::string said =
      output_of({"python3", folder / "gpt2_pytorch.py", folder / "request.json", folder / "answer.json"});
  if (said != "done")
    throw MachineError(
        fmt::format("--with pytorch: {}", said.empty() ? std::string("python3 ended with an error") : said));
  const std::string source = "the answer of PyTorch";
  const Json json = json_object(read_file(folder / "answer.json"), source);
  PytorchAnswer answer{member_of<std::string>(json, "version", source),
                       {},
                       member_of<std::vector<std::int32_t>>(json, "greedy", source)};
  for (const auto& row : member_of<std::vector<std::vector<double>>>(json, "logits", source))
    answer.logits.insert(answer.logits.end(), row.begin(), row.end());
  return answer;
}

}  // namespace ladder
