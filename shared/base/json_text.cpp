// Json from and to text: the only file that includes nlohmann's library.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/json.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/text_table.hpp"

namespace ladder {
namespace {

using Library = nlohmann::ordered_json;

/// A name that two members have, or nullptr. By sorting, because a hostile file may have millions of members.
const std::string* repeated_name(const Json::Members& members) {
  std::vector<const std::string*> names;
  names.reserve(members.size());
  for (const Json::Member& member : members) names.push_back(&member.name);
  const auto less = [](const std::string* a, const std::string* b) { return *a < *b; };
  std::sort(names.begin(), names.end(), less);
  const auto found = std::adjacent_find(names.begin(), names.end(),
                                        [](const std::string* a, const std::string* b) { return *a == *b; });
  return found == names.end() ? nullptr : *found;
}

/// What the library's parser calls for everything it reads; false stops it.
class Builder : public nlohmann::json_sax<Library> {
 public:
  Builder(std::string_view text, int deepest) : text_(text), deepest_(static_cast<std::size_t>(deepest)) {}

  Json result;
  std::string error = "it is no JSON";

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(Library::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }
  bool key(std::string& name) override {
    open_.back().members.push_back({std::move(name), {}});
    return true;
  }
  bool end_object() override {
    Json::Members members = std::move(open_.back().members);
    open_.pop_back();
    if (const std::string* name = repeated_name(members)) {
      error = fmt::format("the name '{}' occurs twice in one object", shown(*name));
      return false;
    }
    return add(Json::object(std::move(members)));
  }
  bool end_array() override {
    Json::Items items = std::move(open_.back().items);
    open_.pop_back();
    return add(Json::array(std::move(items)));
  }
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& what) override {
    constexpr int kNumberTooLarge = 406;
    constexpr std::size_t kMost = 24;  // of the text, as an error shows it
    const std::size_t end = std::min(position, text_.size()), begin = end - std::min(end, kMost);
    if (what.id == kNumberTooLarge)
      error = fmt::format("the number {} is larger than may be", shown(token, kMost));
    else if (position > text_.size())
      error = fmt::format("it ends after {}, before it is complete", counted(text_.size(), "byte"));
    else
      error =
          fmt::format("line {} goes wrong at the end of '{}'",
                      1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'),
                      shown(text_.substr(begin, end - begin)));
    return false;
  }

 private:
  /// An array or object that is not complete; what it is shows when it ends. A key waits in its member for its value.
  struct Open {
    Json::Items items;
    Json::Members members;
  };
  std::vector<Open> open_;
  const std::string_view text_;
  const std::size_t deepest_;

  bool open() {
    if (open_.size() == deepest_) {
      error = fmt::format("more than {} arrays and objects within each other", deepest_);
      return false;
    }
    open_.emplace_back();
    return true;
  }
  bool add(Json value) {
    if (open_.empty())
      result = std::move(value);
    else if (open_.back().members.empty())
      open_.back().items.push_back(std::move(value));
    else
      open_.back().members.back().value = std::move(value);
    return true;
  }
};

/// The value of `text`; JsonError where there is none.
Json parsed(std::string_view text, int deepest) {
  // The library takes a byte 0 for the end of the text, whatever follows it.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos)
    throw JsonError(fmt::format("the byte at offset {} is 0, which JSON does not have", zero));
  Builder builder(text, deepest);
  if (!Library::sax_parse(text, &builder)) throw JsonError(builder.error);
  return std::move(builder.result);
}

/// A number that JSON does not have, and where it stands.
struct NotFinite {
  std::string place;
  double value;
};

Library as_library(const Json& json);

template <class Place>
Library as_library_at(const Json& json, const Place& place) {
  try {
    return as_library(json);
  } catch (NotFinite& number) {
    number.place.insert(0, place());
    throw;
  }
}

Library array_of(const Json& json) {
  Library::array_t items;
  items.reserve(json.size());
  for (const Json& item : json)
    items.push_back(as_library_at(item, [&] { return fmt::format("[{}]", items.size()); }));
  return items;
}

Library object_of(const Json& json) {
  Library::object_t members;
  // Not through its map's functions, which look every name up among all before it.
  for (const Json::Member& member : json.items())
    members.emplace_back(member.name, as_library_at(member.value, [&] { return "." + member.name; }));
  return members;
}

Library as_library(const Json& json) {
  switch (json.kind()) {
    case Json::Kind::null:
      return nullptr;
    case Json::Kind::boolean:
      return json.get<bool>();
    case Json::Kind::negative:
      return json.get<std::int64_t>();
    case Json::Kind::whole:
      return json.get<std::uint64_t>();
    case Json::Kind::real: {
      const auto value = json.get<double>();
      if (!std::isfinite(value)) throw NotFinite{{}, value};
      return value;
    }
    case Json::Kind::string:
      return json.get<std::string>();
    case Json::Kind::array:
      return array_of(json);
    case Json::Kind::object:
      return object_of(json);
  }
  return nullptr;
}

}  // namespace

Json Json::parse(std::string_view text, int deepest) { return parsed(text, deepest); }

std::string Json::dump(int indent) const {
  try {
    return as_library(*this).dump(indent);
  } catch (const NotFinite& number) {
    const std::string place = number.place.empty() ? "the number" : number.place;
    throw CheckError(fmt::format("{} is {}, which JSON does not have: nothing was written",
                                 shown(std::string_view(place).substr(place[0] == '.' ? 1 : 0)),
                                 printable(number.value)));
  } catch (const Library::exception&) {  // the one thing that it refuses
    throw JsonError("a text is not UTF-8, which JSON does not have");
  }
}

}  // namespace ladder
