#include "shared/cli/options.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <type_traits>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/process_limits.hpp"
#include "shared/cli/names.hpp"

namespace ladder::cli {
namespace {

constexpr const char* kNotEmpty = "not empty";

/// "1,,2" is three texts, "" is one.
std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back().push_back(c);
  return parts;
}

template <class T>
CLI::Validator number_validator() {
  const auto check = [](std::string& text) -> std::string {
    T value{};
    const char* begin = text.data() + (text.size() > 1 && text[0] == '+' ? 1 : 0);
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(begin, end, value);
    if (parsed.ec == std::errc() && parsed.ptr == end) return {};
    if constexpr (std::is_integral_v<T>)
      return fmt::format("'{}' is not a whole number from {} to {}", text, std::numeric_limits<T>::min(),
                         std::numeric_limits<T>::max());
    else if (parsed.ec == std::errc::result_out_of_range)
      return fmt::format("'{}' is too large or too near to 0 for a number here", text);
    else
      return fmt::format("'{}' is not a number such as 0.01 or 1e-3", text);
  };
  return {check, ""};
}

/// Refuses an empty text: a name that a script's empty variable stood for, more often than anything that was meant.
CLI::Validator no_empty_text(const CLI::Option* option) {
  const auto check = [option](const std::string& text) -> std::string {
    if (!text.empty()) return {};
    const std::string type = option->get_type_name();
    if (type.starts_with("DIR")) return "a folder's name is empty: name a folder, or leave it out";
    if (type.starts_with("FILE")) return "a file's name is empty: name a file, or leave it out";
    return "the text is empty: leave it out, or give one";
  };
  return CLI::Validator(check, "").name(kNotEmpty);
}

/// What is wrong with "1,2,3" as whole numbers; empty where nothing is.
std::string problem_with_numbers(const std::string& text) {
  const CLI::Validator is_number = number_validator<std::int32_t>();
  for (std::string& number : split_at_commas(text)) {
    if (number.empty())
      return fmt::format("an empty number in '{}': give numbers with commas between them, such as 1,2,3",
                         text);
    if (std::string problem = is_number(number); !problem.empty()) return problem;
  }
  return {};
}

/// What is wrong with `text` as one of `choices`; empty where nothing is.
std::string problem_with_choice(const std::string& text, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
  return fmt::format("'{}' is not valid{} (valid are {})", text, suggestion(text, choices),
                     CLI::detail::join(choices, ", "));
}

template <class T>
struct Held {
  using Type = T;
};
template <class T>
struct Held<std::optional<T>> {
  using Type = T;
};

}  // namespace

Flag Flag::type(const std::string& name) const { return {option->type_name(name)}; }
Flag Flag::required() const { return {option->required()}; }
Flag Flag::excludes(Flag other) const { return {option->excludes(other.option)}; }
Flag Flag::needs(Flag other) const { return {option->needs(other.option)}; }
Flag Flag::shows_default() const { return {option->capture_default_str()}; }
Flag Flag::may_be_empty() const {
  option->get_validator(kNotEmpty)->active(false);
  return *this;
}

Flag add_text(CLI::App& app, const std::string& flag, std::string& target, const std::string& help) {
  CLI::Option* option = app.add_option(flag, target, help);
  return {option->check(no_empty_text(option))};
}

Flag add_texts(CLI::App& app, const std::string& flag, std::vector<std::string>& target,
               const std::string& help) {
  CLI::Option* option = app.add_option(flag, target, help);
  return {option->check(no_empty_text(option))};
}

Flag add_switch(CLI::App& app, const std::string& flag, bool& target, const std::string& help) {
  return {app.add_flag(flag, target, help)};
}

template <class T>
Flag on_number(CLI::App& app, const std::string& flag, std::function<void(T)> take, const std::string& help) {
  return {app.add_option_function<T>(
                 flag, [take = std::move(take)](const T& value) { take(value); }, help)
              ->type_name(std::is_integral_v<T> ? "N" : "X")
              ->transform(number_validator<T>())};
}

template Flag on_number(CLI::App&, const std::string&, std::function<void(int)>, const std::string&);
template Flag on_number(CLI::App&, const std::string&, std::function<void(std::int64_t)>, const std::string&);
template Flag on_number(CLI::App&, const std::string&, std::function<void(double)>, const std::string&);

template <class T>
Flag add_number(CLI::App& app, const std::string& flag, T& target, const std::string& help) {
  using Number = typename Held<T>::Type;
  return on_number<Number>(
      app, flag, [&target](Number value) { target = value; }, help);
}

template Flag add_number(CLI::App&, const std::string&, int&, const std::string&);
template Flag add_number(CLI::App&, const std::string&, std::int64_t&, const std::string&);
template Flag add_number(CLI::App&, const std::string&, double&, const std::string&);
template Flag add_number(CLI::App&, const std::string&, std::optional<int>&, const std::string&);
template Flag add_number(CLI::App&, const std::string&, std::optional<std::int64_t>&, const std::string&);
template Flag add_number(CLI::App&, const std::string&, std::optional<double>&, const std::string&);

Flag add_numbers(CLI::App& app, const std::string& flag, std::vector<std::int32_t>& target,
                 const std::string& help) {
  // Not with CLI11's delimiter, which passes over what is empty between two.
  const auto take = [&target](const std::vector<std::string>& texts) {
    target.clear();
    for (const std::string& text : texts)
      for (const std::string& number : split_at_commas(text)) {
        const char* begin = number.data() + (number[0] == '+' ? 1 : 0);
        std::from_chars(begin, number.data() + number.size(), target.emplace_back());
      }
  };
  return {app.add_option_function<std::vector<std::string>>(flag, take, help)
              ->type_name("N,N,...")
              ->check(CLI::Validator(problem_with_numbers, ""))};
}

Flag on_choice(CLI::App& app, const std::string& flag, const std::vector<std::string>& choices,
               const std::function<void(const std::string&)>& take, const std::string& help) {
  const auto check = [choices](const std::string& text) { return problem_with_choice(text, choices); };
  return {app.add_option_function<std::string>(flag, take, help)
              ->type_name(CLI::detail::join(choices, "|"))
              ->check(CLI::Validator(check, ""))};
}

Flag add_choice(CLI::App& app, const std::string& flag, std::string& target,
                const std::vector<std::string>& choices, const std::string& help) {
  return on_choice(
      app, flag, choices, [&target](const std::string& text) { target = text; }, help);
}

Flag add_choices(CLI::App& app, const std::string& flag, std::vector<std::string>& target,
                 const std::vector<std::string>& choices, const std::string& help) {
  // Not with CLI11's delimiter, as of numbers above.
  const auto take = [&target](const std::vector<std::string>& texts) {
    target.clear();
    for (const std::string& text : texts)
      for (std::string& name : split_at_commas(text)) target.push_back(std::move(name));
  };
  const auto check = [choices](const std::string& text) -> std::string {
    for (const std::string& name : split_at_commas(text))
      if (std::string problem = problem_with_choice(name, choices); !problem.empty()) return problem;
    return {};
  };
  const std::string described = help + ": " + CLI::detail::join(choices, ", ");
  return {app.add_option_function<std::vector<std::string>>(flag, take, described)
              ->type_name("NAME,...")
              ->check(CLI::Validator(check, ""))};
}

Flag add_device(CLI::App& app, Device& target) {
  const auto check = [](const std::string& text) -> std::string {
    try {
      parse_device(text);
      return {};
    } catch (const InputError& error) {
      return error.what() + suggestion(text, std::vector<std::string>{"auto", "cpu", "gpu"});
    }
  };
  return {app.add_option_function<std::string>(
                 "--device", [&target](const std::string& text) { target = parse_device(text); },
                 "where stages with GPU kernels run (default auto)")
              ->type_name("auto|cpu|gpu|gpu:N")
              ->check(CLI::Validator(check, ""))};
}

void set_action(CLI::App& app, std::function<void()> action) {
  app.callback([action = std::move(action)] {
    require_descriptors();
    require_stack();
    action();
  });
}

void describe_flag(CLI::App& app, const char* flag, const std::string& description) {
  app.get_option(flag)->description(description);
}

void set_footer(CLI::App& app, const std::string& text) { app.footer(text); }

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& help) {
  return *app.add_subcommand(name, help);
}

bool calls_command(const CLI::App& app) { return !app.get_subcommands().empty(); }

}  // namespace ladder::cli
