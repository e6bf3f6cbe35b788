// JSON as a value: what records, traces, checkpoints and the files of --json are made of.
//
// nlohmann's library parses and prints, in json_text.cpp alone: its header costs every file that reads it seconds, this
// one next to nothing. Objects keep their members in the order in which they came; sorted() is for the files whose keys
// stand in the order of the alphabet.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ladder {

/// A member that is missing, a value of another kind than asked for, or text that is no JSON. Readers of files turn it
/// into an InputError that names the file (json_member.hpp).
struct JsonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Json {
 public:
  struct Member;
  using Items = std::vector<Json>;
  using Members = std::vector<Member>;
  /// Whole numbers have one kind for each sign, so that a number has one form.
  enum class Kind : std::uint8_t { null, boolean, negative, whole, real, string, array, object };

  // ---- making one ----
  // Implicit, so that {{"key", value}, ...} reads like the file: a list of pairs that begin with text is an object, any
  // other list an array. As everywhere in C++, braces around one Json make a list of it: copy with = or ().
  Json() noexcept = default;
  Json(std::nullptr_t) noexcept {}
  template <std::integral T>
  Json(T value) noexcept {
    if constexpr (std::same_as<T, bool>) {
      kind_ = Kind::boolean;
      held_.flag = value;
    } else {
      kind_ = value < T{} ? Kind::negative : Kind::whole;
      held_.whole = static_cast<std::uint64_t>(value);  // as an int64 the same bits
    }
  }
  template <std::floating_point T>
  Json(T value) noexcept : kind_(Kind::real) {
    held_.real = static_cast<double>(value);
  }
  Json(std::string text);
  Json(std::string_view text);
  Json(const char* text);
  template <class T>
  Json(const std::vector<T>& values) : Json(array(Items(values.begin(), values.end()))) {}
  Json(std::initializer_list<Json> list);

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(Json other) noexcept;
  ~Json();

  static Json array(Items items = {});
  static Json object();
  /// The names must differ from each other.
  static Json object(Members members);

  // ---- text ----
  /// Refused: anything but one value of RFC 8259 in UTF-8, numbers beyond a double's range, a name twice in one object
  /// (readers differ in which of the values counts), and more than `deepest` arrays and objects within each other.
  static Json parse(std::string_view text, int deepest = kDeepest);
  /// On one line; with an indent >= 0 one item a line, that many blanks a level. Doubles in the shortest form that
  /// reads back as the same double. Throws JsonError for text that is not UTF-8, and CheckError, naming its place, for a
  /// number that is not finite, which JSON does not have: as null it would be taken for something that was left out.
  std::string dump(int indent = -1) const;
  static constexpr int kDeepest = 64;  ///< what this program reads is a handful deep

  // ---- kind and size ----
  Kind kind() const noexcept { return kind_; }
  bool is_null() const noexcept { return kind_ == Kind::null; }
  bool is_number() const noexcept { return kind_ >= Kind::negative && kind_ <= Kind::real; }
  bool is_whole() const noexcept { return kind_ == Kind::whole; }  ///< an integer of 0 or more
  bool is_string() const noexcept { return kind_ == Kind::string; }
  bool is_array() const noexcept { return kind_ == Kind::array; }
  bool is_object() const noexcept { return kind_ == Kind::object; }
  std::size_t size() const noexcept;  ///< of an array or object; 0 for null, else 1
  bool empty() const noexcept { return size() == 0; }

  // ---- reading; JsonError when it is not there or of another kind ----
  /// bool, integers (written as such, and in the type's range: neither 8.9 nor 8.0 nor true is one), double,
  /// std::string, Json, or a vector of them.
  template <class T>
  T get() const {
    T value{};
    read(value);
    return value;
  }
  /// nullptr where this has no such member, or is no object.
  const Json* find(std::string_view name) const noexcept;
  bool contains(std::string_view name) const noexcept { return find(name) != nullptr; }
  const Json& at(std::string_view name) const;
  const Json& at(std::size_t index) const;
  const Json& operator[](std::string_view name) const { return at(name); }
  const Json& operator[](std::size_t index) const { return at(index); }
  const Json& operator[](int index) const { return at(static_cast<std::size_t>(index)); }
  /// The member, or `otherwise` where there is none.
  template <class T>
  T value(std::string_view name, const T& otherwise) const {
    const Json* found = member_of_object(name);
    return found == nullptr ? otherwise : found->get<T>();
  }
  std::string value(std::string_view name, const char* otherwise) const;
  /// The members of an object, in their order.
  const Members& items() const;
  /// The items of an array.
  const Json* begin() const;
  const Json* end() const;

  // ---- changing ----
  /// The member, null when it is new. Null itself becomes an object.
  Json& operator[](std::string_view name);
  Json& operator[](std::size_t index) { return const_cast<Json&>(at(index)); }
  Json& operator[](int index) { return const_cast<Json&>(at(static_cast<std::size_t>(index))); }
  /// Null itself becomes an array.
  void push_back(Json item);
  /// Sets every member of `other`.
  void update(Json other);
  void erase(std::string_view name);

  /// Integers by value, an integer and a double as doubles; objects whatever the order of their members.
  friend bool operator==(const Json& a, const Json& b) noexcept { return equal(a, b); }
  friend std::ostream& operator<<(std::ostream& out, const Json& json) { return print(out, json); }
  /// The same with the keys of every object in the order of their bytes.
  friend Json sorted(Json json);

 private:
  static bool equal(const Json& a, const Json& b) noexcept;
  static std::ostream& print(std::ostream& out, const Json& json);

  const Json* member_of_object(std::string_view name) const;
  std::int64_t integer_within(std::int64_t low, std::int64_t high) const;
  std::uint64_t whole_up_to(std::uint64_t high) const;
  [[noreturn]] void refuse(std::string_view wanted) const;
  void read(bool& value) const;
  void read(double& value) const;
  void read(std::string& value) const;
  void read(Json& value) const { value = *this; }
  template <std::integral T>
  void read(T& value) const {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::signed_integral<T>)
      value = static_cast<T>(integer_within(Limits::min(), Limits::max()));
    else
      value = static_cast<T>(whole_up_to(Limits::max()));
  }
  template <class T>
  T item_at(std::size_t index) const {
    try {
      return get<T>();
    } catch (const JsonError& error) {
      throw JsonError("item " + std::to_string(index) + ": " + error.what());
    }
  }
  template <class T>
  void read(std::vector<T>& values) const {
    for (const Json& item : *this) values.push_back(item.item_at<T>(values.size()));
  }

  Kind kind_ = Kind::null;
  union {
    std::uint64_t whole = 0;
    std::int64_t integer;
    bool flag;
    double real;
    std::string* text;
    Items* items;
    Members* members;
  } held_;
};

struct Json::Member {
  std::string name;
  Json value;
};

Json sorted(Json json);

/// A number that may not be finite, where that is a result to be told: JSON has no such number, so it is the text "inf",
/// "-inf" or "nan", never null. double_of() reads either; JsonError for anything else. The others do so with lists.
Json number_or_text(double value);
Json numbers_or_texts(const std::vector<double>& values);
double double_of(const Json& json);
std::vector<double> doubles_of(const Json& json);

}  // namespace ladder
