// The program `ladder`: picks the subcommand, and turns every failure into one line and an exit code.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <new>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/failed_call.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/json.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/names.hpp"
#include "shared/cli/standard_streams.hpp"

namespace ladder::cli {
namespace {

struct Command {
  const char* name;
  const char* summary;
  void (*add)(CLI::App&);
};

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"climb", "train the same GPT on every stage, check each against the one below, compare their speed",
       add_climb},
      {"prepare", "turn a text into token files, as nanoGPT does", add_prepare},
      {"train", "train on one stage", add_train},
      {"sample", "generate text from a checkpoint or a safetensors file", add_sample},
      {"logits", "print logits, for comparison with other programs", add_logits},
      {"probe", "write activations and gradients of a sequence, for other programs", add_probe},
      {"parity", "compare two stages level by level, down to the first value that differs", add_parity},
      {"compare",
       "walk trained weights on two stages, or beside PyTorch: blocks, logits, greedy text, samples",
       add_compare},
      {"checklist", "check a stage that trains GPT-2 in five steps, beside PyTorch where it is installed",
       add_checklist},
      {"speedup", "time the interpreter and every stage on the same work, GPT-2 beside PyTorch", add_speedup},
      {"profile", "time, bytes and FLOPs of each operation of a stage", add_profile},
      {"crossover", "stage against size as a heat map: where each stage begins to pay", add_crossover},
      {"graph", "draw an autograd graph of stage 0", add_graph},
      {"tile-trace", "follow one block of a stage 3 kernel step by step, and draw it", add_tile_trace},
      {"spak", "read, check and use what was learnt while tuning kernels: system files and traces", add_spak},
      {"info", "what runs on this machine, and why something does not", add_info},
      {"tables", "regenerate the tables of the READMEs from the committed run records", add_tables},
  };
  return all;
}

/// One line for a command line that CLI11 could not place: what is unknown, and the nearest name that is known.
std::string unknown_argument(const CLI::App& app, const std::vector<std::string>& arguments) {
  // The innermost subcommand that was named: `ladder spak show`.
  const CLI::App* owner = &app;
  std::string path = "ladder";
  while (!owner->get_subcommands().empty()) {
    owner = owner->get_subcommands().front();
    path += " " + owner->get_name();
  }
  const auto is_flag = [](const std::string& argument) { return argument.size() > 1 && argument[0] == '-'; };
  const auto flag = std::find_if(arguments.begin(), arguments.end(), is_flag);
  const std::string unknown = flag == arguments.end() ? arguments.front() : flag->substr(0, flag->find('='));
  std::vector<std::string> known;
  if (!is_flag(unknown)) {
    for (const CLI::App* command : owner->get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(command->get_name());
    if (known.empty()) return "'" + unknown + "' was not expected (" + path + " --help lists what is)";
    return "there is no " + std::string(owner == &app ? "subcommand" : "command") + " '" + unknown + "'" +
           suggestion(unknown, known) + " (" + path + " --help lists them)";
  }
  for (const CLI::Option* option : owner->get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  return "there is no flag " + unknown + suggestion(unknown, known) + " (" + path + " --help lists them)";
}

/// Messages hold names and texts out of files: one line, of characters that a terminal only shows, and not without end.
int fail(int code, const std::string& message) {
  constexpr std::size_t kLongest = 1500;
  std::fflush(stdout);  // what the run printed stands before its error
  std::fprintf(stderr, "ladder: %s\n", shown(message, kLongest).str().c_str());
  return code;
}

/// --help and --version, printed as everything else is.
int answer(const CLI::App& app, const CLI::Success& request) {
  std::ostringstream out, err;
  const int code = app.exit(request, out, err);
  std::fputs(out.str().c_str(), stdout);
  std::fputs(err.str().c_str(), stderr);
  return code;
}

/// "-a*b" behind `graph` is an expression, no flag: it goes to the end, behind "--". Flags stay what they are: -h, -o and
/// what begins with two signs and a letter.
void take_expression(std::vector<std::string>& arguments) {
  if (arguments.size() < 2 || arguments[0] != "graph") return;
  const std::string text = arguments[1];
  const bool is_long =
      text.starts_with("--") && (text.size() == 2 || std::isalpha(static_cast<unsigned char>(text[2])) != 0);
  if (!text.starts_with('-') || text == "-" || is_long || text == "-h" || text.starts_with("-o")) return;
  arguments.erase(arguments.begin() + 1);
  arguments.insert(arguments.end(), {"--", text});
}

/// "--json=" is "--json" and an empty text: CLI11 takes the next word for the flag's value, whatever it is.
void split_empty_values(std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    std::string& word = arguments[i];
    if (!word.starts_with("--") || word.find('=') != word.size() - 1) continue;
    word.pop_back();
    arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(++i), "");
  }
}

int parse_and_run(CLI::App& app, std::vector<std::string> arguments) {
  if (arguments.empty()) arguments = {"climb"};
  take_expression(arguments);
  split_empty_values(arguments);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes a vector from its end
  try {
    app.parse(arguments);
    return 0;
  } catch (const CLI::Success& request) {  // --help, --version
    return answer(app, request);
  } catch (const CLI::ExtrasError&) {
    return fail(2, unknown_argument(app, app.remaining(true)));
  } catch (const CLI::ParseError& error) {
    return fail(2, error.what());
  } catch (const InputError& error) {
    return fail(2, error.what());
  } catch (const JsonError& error) {
    return fail(2, std::string("a file's JSON is not what this command reads: ") + error.what());
  } catch (const CheckError& error) {
    return fail(1, error.what());
  } catch (const MachineError& error) {
    return fail(3, error.what());
  } catch (const Interrupted&) {
    end_by_signal(interrupting_signal());
  } catch (const StdoutFailed&) {
    return 0;  // main() says why
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(is_of_the_machine(error.code()) ? 3 : 2,
                error.path1().string() + ": " + error.code().message());
  } catch (const std::system_error& error) {  // of a thread
    return fail(is_of_the_machine(error.code()) ? 3 : 2, error.what());
  } catch (const std::bad_alloc&) {
    return fail(3,
                "this machine, or a limit of this process, has too little memory for that: choose a smaller "
                "model, batch or block");
  } catch (const std::exception& error) {
    return fail(1, std::string("unexpected: ") + error.what());
  }
}

}  // namespace
}  // namespace ladder::cli

int main(int argc, char** argv) {
  ladder::hear_signals();
  ladder::cli::take_standard_streams();
  CLI::App app{
      "gpt-ladder: one GPT, climbed from scalar autograd to full speed. Without a subcommand: ladder climb.",
      "ladder"};
  app.set_version_flag("--version", "ladder 0.1");
  app.footer(
      "Exit codes: 0 done, 1 a check failed, 2 bad usage or input, 3 this machine cannot. A signal ends the "
      "program as that signal.\n"
      "In JSON a file's name has \\xNN for each byte of what is not printed and of a backslash; "
      "messages show what is not printed as \\n, \\xff or \\u202e.");
  for (const auto& command : ladder::cli::commands())
    command.add(*app.add_subcommand(command.name, command.summary));
  const int code = ladder::cli::parse_and_run(app, {argv + 1, argv + argc});
  const std::string problem = ladder::cli::stdout_problem();
  if (code == 0 && ladder::cli::stdout_interrupted()) {
    ladder::cli::fail(3, std::string("ended by ") + ladder::signal_name(ladder::interrupting_signal()) +
                             ": what it prints was not read to its end");
    ladder::end_by_signal(ladder::interrupting_signal());
  }
  return code == 0 && !problem.empty() ? ladder::cli::fail(3, problem) : code;
}
