#include "shared/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <utility>

#include "shared/base/shown.hpp"

namespace ladder {
namespace {

const char* name_of(Json::Kind kind) {
  switch (kind) {
    case Json::Kind::null:
      return "null";
    case Json::Kind::boolean:
      return "a truth value";
    case Json::Kind::negative:
    case Json::Kind::whole:
    case Json::Kind::real:
      return "a number";
    case Json::Kind::string:
      return "text";
    case Json::Kind::array:
      return "an array";
    case Json::Kind::object:
      return "an object";
  }
  return "?";
}

/// Of a number or a truth value; not dump(), which refuses what is not finite.
std::string number_text(const Json& json) {
  switch (json.kind()) {
    case Json::Kind::boolean:
      return json.get<bool>() ? "true" : "false";
    case Json::Kind::negative:
      return fmt::format("{}", json.get<std::int64_t>());
    case Json::Kind::whole:
      return fmt::format("{}", json.get<std::uint64_t>());
    default:
      return fmt::format("{}", json.get<double>());
  }
}

/// {"key", value}
bool is_pair(const Json& item) { return item.is_array() && item.size() == 2 && item.at(0U).is_string(); }

}  // namespace

// ---- making one ------------------------------------------------------------------------------------------------

Json::Json(std::string text) : kind_(Kind::string) { held_.text = new std::string(std::move(text)); }
Json::Json(std::string_view text) : Json(std::string(text)) {}
Json::Json(const char* text) : Json(std::string(text)) {}

Json::Json(std::initializer_list<Json> list) {
  if (!std::all_of(list.begin(), list.end(), is_pair)) {
    *this = array(Items(list));
    return;
  }
  Json result = object();
  for (const Json& pair : list) result[pair.at(0U).get<std::string>()] = pair.at(1U);
  *this = std::move(result);
}

Json::Json(const Json& other) : kind_(other.kind_), held_(other.held_) {
  if (kind_ == Kind::string) held_.text = new std::string(*other.held_.text);
  if (kind_ == Kind::array) held_.items = new Items(*other.held_.items);
  if (kind_ == Kind::object) held_.members = new Members(*other.held_.members);
}

Json::Json(Json&& other) noexcept
    : kind_(std::exchange(other.kind_, Kind::null)), held_(std::exchange(other.held_, {})) {}

Json& Json::operator=(Json other) noexcept {
  std::swap(kind_, other.kind_);
  std::swap(held_, other.held_);
  return *this;
}

Json::~Json() {
  if (kind_ == Kind::string) delete held_.text;
  if (kind_ == Kind::array) delete held_.items;
  if (kind_ == Kind::object) delete held_.members;
}

Json Json::array(Items items) {
  Json json;
  json.held_.items = new Items(std::move(items));
  json.kind_ = Kind::array;
  return json;
}

Json Json::object() { return object(Members()); }

Json Json::object(Members members) {
  Json json;
  json.held_.members = new Members(std::move(members));
  json.kind_ = Kind::object;
  return json;
}

Json sorted(Json json) {
  if (json.kind_ == Json::Kind::array)
    for (Json& item : *json.held_.items) item = sorted(std::move(item));
  if (json.kind_ != Json::Kind::object) return json;
  for (Json::Member& member : *json.held_.members) member.value = sorted(std::move(member.value));
  std::sort(json.held_.members->begin(), json.held_.members->end(),
            [](const Json::Member& a, const Json::Member& b) { return a.name < b.name; });
  return json;
}

// ---- reading ---------------------------------------------------------------------------------------------------

void Json::refuse(std::string_view wanted) const {
  const bool is_short = is_number() || kind_ == Kind::boolean;
  throw JsonError(
      fmt::format("expected {}, found {}", wanted, is_short ? number_text(*this) : name_of(kind_)));
}

std::size_t Json::size() const noexcept {
  if (kind_ == Kind::array) return held_.items->size();
  if (kind_ == Kind::object) return held_.members->size();
  return kind_ == Kind::null ? 0 : 1;
}

const Json* Json::find(std::string_view name) const noexcept {
  if (kind_ != Kind::object) return nullptr;
  for (const Member& member : *held_.members)
    if (member.name == name) return &member.value;
  return nullptr;
}

const Json* Json::member_of_object(std::string_view name) const {
  if (kind_ != Kind::object) refuse("an object");
  return find(name);
}

const Json& Json::at(std::string_view name) const {
  const Json* found = member_of_object(name);
  if (found == nullptr) throw JsonError("there is no member '" + std::string(name) + "'");
  return *found;
}

const Json& Json::at(std::size_t index) const {
  if (kind_ != Kind::array) refuse("an array");
  if (index >= held_.items->size())
    throw JsonError("there is no item " + std::to_string(index) + " in an array of " +
                    std::to_string(held_.items->size()));
  return (*held_.items)[index];
}

std::string Json::value(std::string_view name, const char* otherwise) const {
  const Json* found = member_of_object(name);
  return found == nullptr ? std::string(otherwise) : found->get<std::string>();
}

const Json::Members& Json::items() const {
  if (kind_ != Kind::object) refuse("an object");
  return *held_.members;
}

const Json* Json::begin() const {
  if (kind_ != Kind::array) refuse("an array");
  return held_.items->data();
}

const Json* Json::end() const { return begin() + held_.items->size(); }

std::int64_t Json::integer_within(std::int64_t low, std::int64_t high) const {
  const bool fits =
      kind_ == Kind::negative || (kind_ == Kind::whole && std::in_range<std::int64_t>(held_.whole));
  if (!fits || held_.integer < low || held_.integer > high)
    refuse(fmt::format("a whole number from {} to {}", low, high));
  return held_.integer;
}

std::uint64_t Json::whole_up_to(std::uint64_t high) const {
  if (kind_ != Kind::whole || held_.whole > high) refuse(fmt::format("a whole number from 0 to {}", high));
  return held_.whole;
}

void Json::read(bool& value) const {
  if (kind_ != Kind::boolean) refuse("a truth value");
  value = held_.flag;
}

void Json::read(double& value) const {
  if (!is_number()) refuse("a number");
  value = kind_ == Kind::real       ? held_.real
          : kind_ == Kind::negative ? static_cast<double>(held_.integer)
                                    : static_cast<double>(held_.whole);
}

void Json::read(std::string& value) const {
  if (kind_ != Kind::string) refuse("text");
  value = *held_.text;
}

Json number_or_text(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0.0 ? "inf" : "-inf";
}

double double_of(const Json& json) {
  if (!json.is_string()) return json.get<double>();
  const auto text = json.get<std::string>();
  for (const double value : {HUGE_VAL, -HUGE_VAL, std::nan("")})
    if (number_or_text(value) == text) return value;
  throw JsonError(fmt::format("expected a number, found '{}'", shown(text)));
}

Json numbers_or_texts(const std::vector<double>& values) {
  Json::Items items;
  for (const double value : values) items.push_back(number_or_text(value));
  return Json::array(std::move(items));
}

std::vector<double> doubles_of(const Json& json) {
  std::vector<double> values;
  for (const Json& item : json) values.push_back(double_of(item));
  return values;
}

// ---- changing --------------------------------------------------------------------------------------------------

Json& Json::operator[](std::string_view name) {
  if (kind_ == Kind::null) *this = object();
  if (const Json* found = member_of_object(name)) return const_cast<Json&>(*found);
  held_.members->push_back({std::string(name), {}});
  return held_.members->back().value;
}

void Json::push_back(Json item) {
  if (kind_ == Kind::null) *this = array();
  if (kind_ != Kind::array) refuse("an array");
  held_.items->push_back(std::move(item));
}

void Json::update(Json other) {  // by value: it may be a part of this one
  for (const Member& member : other.items()) (*this)[member.name] = member.value;
}

void Json::erase(std::string_view name) {
  if (kind_ != Kind::object) refuse("an object");
  std::erase_if(*held_.members, [&](const Member& member) { return member.name == name; });
}

bool Json::equal(const Json& a, const Json& b) noexcept {
  if (a.is_number() && b.is_number() && (a.kind_ == Kind::real || b.kind_ == Kind::real))
    return a.get<double>() == b.get<double>();
  if (a.kind_ != b.kind_) return false;
  switch (a.kind_) {
    case Kind::boolean:
      return a.held_.flag == b.held_.flag;
    case Kind::negative:
      return a.held_.integer == b.held_.integer;
    case Kind::whole:
      return a.held_.whole == b.held_.whole;
    case Kind::string:
      return *a.held_.text == *b.held_.text;
    case Kind::array:
      return *a.held_.items == *b.held_.items;
    case Kind::object:
      return a.size() == b.size() &&
             std::all_of(a.held_.members->begin(), a.held_.members->end(), [&](const Member& member) {
               const Json* other = b.find(member.name);
               return other != nullptr && member.value == *other;
             });
    default:
      return true;  // both are null
  }
}

std::ostream& Json::print(std::ostream& out, const Json& json) { return out << json.dump(); }

}  // namespace ladder
