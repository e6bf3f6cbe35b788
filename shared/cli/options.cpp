#include "shared/cli/options.hpp"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <type_traits>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/cli/names.hpp"

namespace ladder::cli {
namespace {

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
    else
      return fmt::format("'{}' is not a number such as 0.01 or 1e-3", text);
  };
  return {check, ""};
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
Flag Flag::shows_default() const { return {option->capture_default_str()}; }

Flag add_text(CLI::App& app, const std::string& flag, std::string& target, const std::string& help) {
  return {app.add_option(flag, target, help)};
}

Flag add_texts(CLI::App& app, const std::string& flag, std::vector<std::string>& target,
               const std::string& help) {
  return {app.add_option(flag, target, help)};
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
  return {app.add_option(flag, target, help)
              ->type_name("N,N,...")
              ->delimiter(',')
              ->transform(number_validator<std::int32_t>())};
}

Flag on_choice(CLI::App& app, const std::string& flag, const std::vector<std::string>& choices,
               std::function<void(const std::string&)> take, const std::string& help) {
  const auto check = [choices](std::string& text) -> std::string {
    if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
    return fmt::format("'{}' is not valid{} (valid are {})", text, suggestion(text, choices),
                       CLI::detail::join(choices, ", "));
  };
  return {app.add_option_function<std::string>(flag, std::move(take), help)
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
  return {app.add_option(flag, target, help + ": " + CLI::detail::join(choices, ", "))
              ->type_name("NAME,...")
              ->delimiter(',')
              ->check(CLI::IsMember(choices))};
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

void set_action(CLI::App& app, std::function<void()> action) { app.callback(std::move(action)); }

void set_footer(CLI::App& app, const std::string& text) { app.footer(text); }

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& help) {
  return *app.add_subcommand(name, help);
}

bool calls_command(const CLI::App& app) { return !app.get_subcommands().empty(); }

}  // namespace ladder::cli
