// Flags whose errors say what would be valid; used by every subcommand. CLI11 itself is behind this header, in
// options.cpp and main.cpp: every file that reads the library's header compiles its validators anew.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shared/device/gpu.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace ladder::cli {

/// A flag that was added, for what few of them need besides.
struct Flag {
  CLI::Option* option;

  Flag type(const std::string& name) const;  ///< what --help shows for its value, such as FILE
  Flag required() const;
  Flag excludes(Flag other) const;
  Flag needs(Flag other) const;
  Flag may_be_empty() const;   ///< of a text: an empty one is meant, as a prompt may be
  Flag shows_default() const;  ///< --help says the value that the target has now
};

/// A flag that takes one text, which must not be empty. `flag` without dashes is an argument's name.
Flag add_text(CLI::App& app, const std::string& flag, std::string& target, const std::string& help);
/// The same with one or more texts.
Flag add_texts(CLI::App& app, const std::string& flag, std::vector<std::string>& target,
               const std::string& help);

/// A flag without a value.
Flag add_switch(CLI::App& app, const std::string& flag, bool& target, const std::string& help);

/// A flag that takes one number: int, std::int64_t, double, or an optional of them. Accepts exactly the texts that are
/// a number of that type; what they mean is validate()'s business.
template <class T>
Flag add_number(CLI::App& app, const std::string& flag, T& target, const std::string& help);

/// The same; what is given goes to `take`. T is int, std::int64_t or double.
template <class T>
Flag on_number(CLI::App& app, const std::string& flag, std::function<void(T)> take, const std::string& help);

/// A flag that takes numbers with commas between them: 1,2,3. Nothing may be missing between two commas.
Flag add_numbers(CLI::App& app, const std::string& flag, std::vector<std::int32_t>& target,
                 const std::string& help);

/// A flag that takes one of `choices`; anything else is refused with the nearest of them.
Flag add_choice(CLI::App& app, const std::string& flag, std::string& target,
                const std::vector<std::string>& choices, const std::string& help);
/// The same; what is given goes to `take`.
Flag on_choice(CLI::App& app, const std::string& flag, const std::vector<std::string>& choices,
               const std::function<void(const std::string&)>& take, const std::string& help);
/// The same with several of them, commas between.
Flag add_choices(CLI::App& app, const std::string& flag, std::vector<std::string>& target,
                 const std::vector<std::string>& choices, const std::string& help);

/// --device, which says where stages with GPU kernels run.
Flag add_device(CLI::App& app, Device& target);

/// What runs when the command line has been read.
void set_action(CLI::App& app, std::function<void()> action);
/// What --help ends with.
/// Another description of a flag that several commands share.
void describe_flag(CLI::App& app, const char* flag, const std::string& description);
void set_footer(CLI::App& app, const std::string& text);

/// A command of the subcommand, and whether one was called.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& help);
bool calls_command(const CLI::App& app);

}  // namespace ladder::cli
