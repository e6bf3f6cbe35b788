// A file's JSON and its members, or an error that names both.
#pragma once

#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"

namespace ladder {

/// Calls body(); where it throws JsonError, throws InputError: "SOURCE: WHERE: expected ..., found ...".
template <class Body>
auto naming_json(std::string_view source, std::string_view where, const Body& body) {
  try {
    return body();
  } catch (const JsonError& error) {
    throw InputError(fmt::format("{}: {}: {}", source, where, error.what()));
  }
}

/// The object that `text` is, of at most `deepest` levels. Throws InputError naming `source`, and what is wrong with it.
inline Json json_object(std::string_view text, std::string_view source, int deepest = Json::kDeepest) {
  try {
    Json json = Json::parse(text, deepest);
    require(json.is_object(), "{}: is not a JSON object", source);
    return json;
  } catch (const JsonError& error) {
    throw InputError(fmt::format("{}: is not a JSON object: {}", source, error.what()));
  }
}

/// json.at(name) as T. Throws InputError naming `source`, the member and what it is, where it is missing or no T.
template <class T>
T member_of(const Json& json, const char* name, std::string_view source) {
  const Json* found = json.find(name);
  require(found != nullptr, "{}: '{}' is missing", source, name);
  try {
    return found->get<T>();
  } catch (const JsonError& error) {
    throw InputError(fmt::format("{}: '{}': {}", source, name, error.what()));
  }
}

/// The same, or `otherwise` where it is missing.
template <class T>
T member_or(const Json& json, const char* name, const T& otherwise, std::string_view source) {
  return json.contains(name) ? member_of<T>(json, name, source) : otherwise;
}

}  // namespace ladder
