#include "tests/stage3/resources.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <memory>
#include <regex>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

std::string demangle(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  require(status == 0, "cannot read the kernel name {}", symbol);
  return text.get();
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// What a product does besides, in words instead of the four members of its Extras.
void name_extras(std::string& arguments) {
  static const std::regex members(R"(ladder::on_gpu::stage3::Extras\{(\w+), (\w+), (\w+), (\w+)\})");
  for (std::smatch found; std::regex_search(arguments, found, members);) {
    std::string words = found[1] == "true" ? "" : "by flags";
    for (const auto& [i, word] :
         {std::pair<std::size_t, const char*>{2, "scaled"}, {3, "relu"}, {4, "residual"}}) {
      if (found[i] != "true") continue;
      if (!words.empty()) words += ' ';
      words += word;
    }
    arguments.replace(static_cast<std::size_t>(found.position()), static_cast<std::size_t>(found.length()),
                      words.empty() ? "no extras" : words);
  }
}

/// "void a::b::name_kernel<float, 16>(int)" gives name and "fp32, 16".
void set_name(KernelResources& kernel, const std::string& symbol) {
  const std::string text = demangle(symbol);
  const std::size_t open = text.find('<'), end_of_name = std::min(open, text.find('('));
  std::string name = text.substr(0, end_of_name);
  if (const std::size_t scope = name.rfind("::"); scope != std::string::npos) name.erase(0, scope + 2);
  const std::string suffix = "_kernel";
  if (name.size() > suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0)
    name.resize(name.size() - suffix.size());
  kernel.kernel = name;
  if (open >= text.find('(')) return;
  std::size_t close = open;
  for (int depth = 0; close < text.size(); ++close) {
    depth += text[close] == '<' ? 1 : text[close] == '>' ? -1 : 0;
    if (depth == 0) break;
  }
  kernel.arguments = text.substr(open + 1, close - open - 1);
  const std::pair<const char*, const char*> types[] = {{"__nv_bfloat16", "bf16"},
                                                       {"__half", "fp16"},
                                                       {"__nv_tf32", "tf32"},
                                                       {"float", "fp32"},
                                                       {"double", "fp64"}};
  for (const auto& [from, to] : types) replace_all(kernel.arguments, from, to);
  kernel.arguments = std::regex_replace(kernel.arguments, std::regex(R"(ladder::table::\w+\{)"), "{");
  replace_all(kernel.arguments, "(ladder::table::Products)0", "plain");
  replace_all(kernel.arguments, "(ladder::table::Products)1", "split");
  name_extras(kernel.arguments);
  kernel.arguments = std::regex_replace(kernel.arguments, std::regex(R"(\b(\d+)ul\b)"), "$1");
}

}  // namespace

MultiprocessorLimits multiprocessor_limits(int architecture) {
  switch (architecture) {
    case 80:
      return {64, 32, 164 * 1024};
    case 90:
    case 100:
      return {64, 32, 228 * 1024};
    case 120:
      return {48, 24, 100 * 1024};
    default:
      throw InputError(
          fmt::format("no multiprocessor limits for sm_{}: 80, 90, 100 and 120 are known", architecture));
  }
}

int resident_blocks(const KernelResources& kernel) {
  constexpr int kRegisters = 65536, kRegisterPiece = 256, kSharedPiece = 128, kSystemShared = 1024,
                kWarp = 32;
  const MultiprocessorLimits limits = multiprocessor_limits(kernel.architecture);
  const auto round_up = [](int value, int piece) { return (value + piece - 1) / piece * piece; };
  const int warps = std::max(1, round_up(kernel.threads, kWarp) / kWarp);
  const int registers = std::max(1, round_up(kernel.registers * kWarp, kRegisterPiece) * warps);
  // From sm_90 on the report already holds the system's KiB, except in kernels without shared memory of their own.
  const int system = kernel.architecture < 90 ? kSystemShared : 0;
  const int shared = std::max(round_up(kernel.shared_bytes, kSharedPiece) + system, kSystemShared);
  return std::min(
      {limits.blocks, limits.warps / warps, kRegisters / registers, limits.shared_bytes / shared});
}

std::vector<KernelResources> parse_resources(int architecture, const std::vector<std::string>& lines) {
  static const std::regex function(R"(^ *Function (\S+):)"), usage(R"(REG:(\d+) STACK:(\d+) SHARED:(\d+))");
  static const std::regex section(R"(^\.nv\.info\.(\S+))"), number(R"(Value:\s*(0x[0-9a-fA-F]+))");
  std::map<std::string, KernelResources> kernels;
  std::string symbol;
  bool threads_follow = false;
  std::smatch match;
  for (const std::string& line : lines) {
    if (std::regex_search(line, match, function) || std::regex_search(line, match, section)) {
      symbol = match[1];
      threads_follow = false;
      if (symbol.find("stage3") == std::string::npos) symbol.clear();
    } else if (symbol.empty()) {
      continue;
    } else if (std::regex_search(line, match, usage)) {
      KernelResources& kernel = kernels[symbol];
      kernel.architecture = architecture;
      kernel.registers = std::stoi(match[1]);
      kernel.spilled_bytes = std::stoi(match[2]);
      kernel.shared_bytes = std::stoi(match[3]);
    } else if (line.find("EIATTR_REQNTID") != std::string::npos) {
      threads_follow = true;
    } else if (threads_follow && std::regex_search(line, match, number)) {
      kernels[symbol].threads = std::stoi(match[1], nullptr, 16);
      threads_follow = false;
    }
  }
  std::vector<KernelResources> found;
  for (auto& [name, kernel] : kernels) {
    set_name(kernel, name);
    require(kernel.registers > 0 && kernel.threads > 0, "{} for sm_{}: cuobjdump names no {}", kernel.kernel,
            architecture, kernel.registers > 0 ? "threads" : "registers");
    found.push_back(kernel);
  }
  return found;
}

std::vector<int> numbers_in(const std::string& arguments) {
  std::vector<int> numbers;
  for (std::size_t i = 0; i < arguments.size();) {
    const auto is_word = [&](std::size_t at) {
      return std::isalnum(static_cast<unsigned char>(arguments[at])) != 0;
    };
    std::size_t end = i;
    while (end < arguments.size() && is_word(end)) ++end;
    if (end > i && std::isdigit(static_cast<unsigned char>(arguments[i])))
      numbers.push_back(std::stoi(arguments.substr(i)));
    i = end + 1;
  }
  return numbers;
}

}  // namespace ladder
