// Json from and to text: the only file that includes nlohmann's library.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "shared/base/json.hpp"

namespace ladder {
namespace {

using Library = nlohmann::ordered_json;

/// Of members with one name only the last value stays, in the place of the first; appends those names to `repeated`.
/// Once an object and by sorting, because a hostile file may have millions of members.
void keep_last_values(Json::Members& members, std::vector<std::string>& repeated) {
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int names = members[a].name.compare(members[b].name);
    return names < 0 || (names == 0 && a < b);
  });
  std::vector<bool> gone(members.size(), false);
  const std::size_t before = repeated.size();
  for (std::size_t first = 0, i = 1; i < order.size(); ++i) {
    Json::Member& kept = members[order[first]];
    if (members[order[i]].name != kept.name) {
      first = i;
      continue;
    }
    kept.value = std::move(members[order[i]].value);
    gone[order[i]] = true;
    if (repeated.size() == before || repeated.back() != kept.name) repeated.push_back(kept.name);
  }
  if (repeated.size() == before) return;
  std::size_t at = 0;
  std::erase_if(members, [&](const Json::Member&) { return gone[at++]; });
}

/// What the library's parser calls for everything it reads; false stops it.
class Builder : public nlohmann::json_sax<Library> {
 public:
  Json result;
  std::string error = "it is no JSON";
  std::vector<std::string> repeated;

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
    keep_last_values(members, repeated);
    return add(Json::object(std::move(members)));
  }
  bool end_array() override {
    Json::Items items = std::move(open_.back().items);
    open_.pop_back();
    return add(Json::array(std::move(items)));
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& what) override {
    error = what.what();
    return false;
  }

 private:
  /// An array or object that is not complete; what it is shows when it ends. A key waits in its member for its value.
  struct Open {
    Json::Items items;
    Json::Members members;
  };
  std::vector<Open> open_;

  bool open() {
    if (open_.size() == static_cast<std::size_t>(Json::kDeepest)) {
      error = "more than " + std::to_string(Json::kDeepest) + " arrays and objects within each other";
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

Library as_library(const Json& json) {
  switch (json.kind()) {
    case Json::Kind::invalid:
      throw JsonError("what is no JSON cannot be printed");
    case Json::Kind::null:
      return nullptr;
    case Json::Kind::boolean:
      return json.get<bool>();
    case Json::Kind::negative:
      return json.get<std::int64_t>();
    case Json::Kind::whole:
      return json.get<std::uint64_t>();
    case Json::Kind::real:
      return json.get<double>();
    case Json::Kind::string:
      return json.get<std::string>();
    case Json::Kind::array: {
      Library::array_t items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(as_library(item));
      return items;
    }
    case Json::Kind::object: {
      Library::object_t members;
      // Not through its map's functions, which look every name up among all before it.
      for (const auto& [name, value] : json.items()) members.emplace_back(name, as_library(value));
      return members;
    }
  }
  return nullptr;
}

}  // namespace

Json Json::parse(std::string_view text) {
  Builder builder;
  if (!Library::sax_parse(text, &builder)) throw JsonError(builder.error);
  return std::move(builder.result);
}

Json Json::try_parse(std::string_view text, std::vector<std::string>* repeated) {
  Builder builder;
  Json invalid;
  invalid.kind_ = Kind::invalid;
  const bool parsed = Library::sax_parse(text, &builder);
  if (repeated != nullptr) *repeated = std::move(builder.repeated);
  return parsed ? std::move(builder.result) : invalid;
}

std::string Json::dump(int indent) const {
  try {
    return as_library(*this).dump(indent);
  } catch (const Library::exception& error) {
    throw JsonError(error.what());
  }
}

}  // namespace ladder
