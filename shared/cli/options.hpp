// Flags whose errors say what would be valid; used by every subcommand.
#pragma once

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "shared/cli/names.hpp"

namespace ladder::cli {

/// Accepts exactly the texts that are a number of type T; what they mean is validate()'s business.
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

/// A flag that takes one number and sets `target`.
template <class Target, class T = Target>
CLI::Option* add_number(CLI::App& app, const std::string& flag, Target& target, const std::string& help) {
  return app
      .add_option_function<T>(
          flag, [&target](const T& value) { target = value; }, help)
      ->type_name(std::is_integral_v<T> ? "N" : "X")
      ->transform(number_validator<T>());
}

template <class T>
CLI::Option* add_number(CLI::App& app, const std::string& flag, std::optional<T>& target,
                        const std::string& help) {
  return add_number<std::optional<T>, T>(app, flag, target, help);
}

/// A flag that takes one of `choices`; anything else is refused with the nearest of them.
inline CLI::Option* add_choice(CLI::App& app, const std::string& flag, std::string& target,
                               const std::vector<std::string>& choices, const std::string& help) {
  const auto check = [choices](std::string& text) -> std::string {
    if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
    return fmt::format("'{}' is not valid{} (valid are {})", text, suggestion(text, choices),
                       CLI::detail::join(choices, ", "));
  };
  return app.add_option(flag, target, help)
      ->type_name(CLI::detail::join(choices, "|"))
      ->check(CLI::Validator(check, ""));
}

/// --tokens 1,2,3
inline CLI::Option* add_token_list(CLI::App& app, std::vector<std::int32_t>& target,
                                   const std::string& help) {
  return app.add_option("--tokens", target, help)
      ->type_name("N,N,...")
      ->delimiter(',')
      ->transform(number_validator<std::int32_t>());
}

}  // namespace ladder::cli
