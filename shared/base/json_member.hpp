// A member of a file's JSON, or an error that names both.
#pragma once

#include <string_view>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"

namespace ladder {

/// json.at(name) as T. Throws InputError naming `source` and the member when it is missing or of another kind.
template <class T>
T member_of(const Json& json, const char* name, std::string_view source) {
  try {
    return json.at(name).get<T>();
  } catch (const JsonError&) {
    throw InputError(fmt::format("{}: '{}' is missing or of another kind than expected", source, name));
  }
}

}  // namespace ladder
