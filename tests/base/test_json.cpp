// The light JSON value: what it refuses, and that its text is to the byte what files already have.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"

using Catch::Matchers::Contains;
using ladder::Json;
using ladder::JsonError;

namespace {

std::string printed(std::string_view text) { return Json::parse(text).dump(); }
bool refused(std::string_view text) {
  try {
    Json::parse(text);
    return false;
  } catch (const JsonError&) {
    return true;
  }
}

std::string nested(int depth) {
  const auto levels = static_cast<std::size_t>(depth);
  return std::string(levels, '[') + std::string(levels, ']');
}

}  // namespace

TEST_CASE("a list of pairs that begin with text is an object, any other list an array") {
  CHECK(Json({{"a", 1}, {"b", {1, 2}}}).dump() == R"({"a":1,"b":[1,2]})");
  CHECK(Json({{"a", "b"}}).dump() == R"({"a":"b"})");
  CHECK(Json({"a", "b"}).dump() == R"(["a","b"])");
  CHECK(Json({{"a", 1}, {2, 3}}).dump() == R"([["a",1],[2,3]])");
  CHECK(Json({{"a", 1}, {"a", 2}}).dump() == R"({"a":2})");
  const Json row = {{"values", {{"seconds", 0.5}, {"proven", true}, {"none", nullptr}}},
                    {"names", std::vector<std::string>{"x", "y"}}};
  CHECK(row.dump() == R"({"values":{"seconds":0.5,"proven":true,"none":null},"names":["x","y"]})");
}

TEST_CASE("members keep their order; sorted() orders the keys of every object by their bytes") {
  const Json json = Json::parse(R"({"b": [{"z": 1, "y": 2}], "a": 3, "B": 4, "é": 5})");
  CHECK(json.dump() == R"({"b":[{"z":1,"y":2}],"a":3,"B":4,"é":5})");
  CHECK(sorted(json).dump() == R"({"B":4,"a":3,"b":[{"y":2,"z":1}],"é":5})");
  CHECK(sorted(json) == json);
}

TEST_CASE("an indent puts one item on a line, and empty ones stay short") {
  const Json json = {{"a", {1, 2}}, {"b", Json::array()}, {"c", Json::object()}, {"d", {{"e", "f"}}}};
  CHECK(json.dump(1) ==
        "{\n \"a\": [\n  1,\n  2\n ],\n \"b\": [],\n \"c\": {},\n \"d\": {\n  \"e\": \"f\"\n }\n}");
  CHECK(json.dump(0) == "{\n\"a\": [\n1,\n2\n],\n\"b\": [],\n\"c\": {},\n\"d\": {\n\"e\": \"f\"\n}\n}");
}

TEST_CASE("doubles are printed in the shortest form that reads back as the same double") {
  const std::vector<double> doubles = {3.3659669475848504,
                                       0.1 + 0.2,
                                       1.0 / 3,
                                       std::numeric_limits<double>::denorm_min(),
                                       std::numeric_limits<double>::max(),
                                       1e300,
                                       2.0,
                                       -0.0,
                                       1e15,
                                       1e16,
                                       123456789012345680.0,
                                       1e-4,
                                       1e-5,
                                       1e-8};
  CHECK(Json(doubles).dump() ==
        "[3.3659669475848504,0.30000000000000004,0.3333333333333333,5e-324,1.7976931348623157e+308,1e+300,"
        "2.0,-0.0,1e+15,1e+16,1.2345678901234568e+17,0.0001,1e-05,1e-08]");
  CHECK(Json::parse(Json(doubles).dump()).get<std::vector<double>>() == doubles);
  CHECK(std::signbit(Json::parse("-0.0").get<double>()));
  CHECK(Json(0.1F).dump() == "0.10000000149011612");
}

TEST_CASE("what is not finite is no JSON: its place is named, and it is never null") {
  const Json json = {{"loss", {1.0, std::nan("")}}, {"deep", {{"ms", -HUGE_VAL}}}};
  CHECK_THROWS_AS(json.dump(), ladder::CheckError);
  CHECK_THROWS_WITH(json.dump(1), Contains("loss[1] is nan"));
  CHECK_THROWS_WITH(json.at("deep").dump(), Contains("ms is -inf"));
  CHECK_THROWS_WITH(Json(HUGE_VAL).dump(), Contains("the number is inf"));
  CHECK_FALSE(Json(std::nan("")) == Json(std::nan("")));
}

TEST_CASE("where a number that is not finite is a result, it is told as text, and read again") {
  const std::vector<double> values = {1.5, HUGE_VAL, -HUGE_VAL, std::nan("")};
  const Json json = ladder::numbers_or_texts(values);
  CHECK(json.dump() == R"([1.5,"inf","-inf","nan"])");
  const std::vector<double> back = ladder::doubles_of(Json::parse(json.dump()));
  CHECK(back[1] == HUGE_VAL);
  CHECK(back[2] == -HUGE_VAL);
  CHECK(std::isnan(back[3]));
  for (const char* text : {"\"Inf\"", "\"\"", "null", "true", "[]"})
    CHECK_THROWS_AS(ladder::double_of(Json::parse(text)), JsonError);
}

TEST_CASE("integers are exact up to the ends of their range, and doubles beyond") {
  CHECK(printed("[9223372036854775807, 9223372036854775808, 18446744073709551615, -9223372036854775808]") ==
        "[9223372036854775807,9223372036854775808,18446744073709551615,-9223372036854775808]");
  CHECK(printed("[18446744073709551616, -9223372036854775809, -0, 1E2, 0e-1]") ==
        "[1.8446744073709552e+19,-9.223372036854776e+18,0,100.0,0.0]");
  CHECK(Json::parse("18446744073709551615").get<std::uint64_t>() == ~std::uint64_t{0});
  CHECK(Json(std::numeric_limits<std::int64_t>::min()).get<std::int64_t>() ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(Json(~std::size_t{0}).dump() == "18446744073709551615");
}

TEST_CASE("numbers beyond a double are refused, those too small are zero") {
  for (const char* text :
       {"1e400", "-1e400", "[1, 1e999]", "NaN", "Infinity", "nan", "01", "+1", ".5", "1.", "0x1"})
    CHECK(refused(text));
  CHECK(printed("1e-400") == "0.0");
}

TEST_CASE("an integer is only read where one stands that fits: no 8.9, 8.0, 1e3, true, 2^32+1 or 1e300") {
  CHECK(Json(2147483647).get<int>() == 2147483647);
  CHECK(Json(-2147483648LL).get<int>() == std::numeric_limits<int>::min());
  for (const char* text : {"2147483648", "4294967297", "-2147483649", "8.9", "8.0", "-0.0", "1e3", "1e300",
                           "true", "null", "\"8\"", "[8]", "18446744073709551615"}) {
    INFO(text);
    CHECK_THROWS_AS(Json::parse(text).get<int>(), JsonError);
  }
  for (const char* text : {"-1", "4294967296", "3.0", "false"})
    CHECK_THROWS_AS(Json::parse(text).get<std::uint32_t>(), JsonError);
  for (const char* text : {"9223372036854775808", "18446744073709551615", "1e18", "-9223372036854775809"})
    CHECK_THROWS_AS(Json::parse(text).get<std::int64_t>(), JsonError);
  for (const char* text : {"18446744073709551616", "-1", "1.0"})
    CHECK_THROWS_AS(Json::parse(text).get<std::uint64_t>(), JsonError);
  CHECK_THROWS_WITH(Json::parse("8.9").get<int>(),
                    Contains("a whole number from -2147483648 to 2147483647, found 8.9"));
  CHECK_THROWS_WITH(Json::parse("[1, 2, true]").get<std::vector<std::uint32_t>>(),
                    Contains("item 2: expected a whole number from 0 to 4294967295, found true"));
  CHECK(Json(7).get<double>() == 7.0);
  CHECK(Json(-7).get<double>() == -7.0);
  CHECK_THROWS_AS(Json(true).get<double>(), JsonError);
}

TEST_CASE("what is missing or of another kind is said") {
  const Json json = {{"text", "x"}, {"list", {1, 2}}, {"number", 1}};
  CHECK_THROWS_WITH(json.at("nothing"), Contains("'nothing'"));
  CHECK_THROWS_WITH(json["nothing"], Contains("'nothing'"));
  CHECK_THROWS_WITH(json.at("list").at(2U), Contains("no item 2"));
  CHECK_THROWS_WITH(json.at("text").get<double>(), Contains("a number") && Contains("text"));
  CHECK_THROWS_AS(json.at("number").get<bool>(), JsonError);
  CHECK_THROWS_AS(json.at("number").get<std::string>(), JsonError);
  CHECK_THROWS_AS(json.at("text").get<std::vector<double>>(), JsonError);
  CHECK_THROWS_AS(json.at("list").get<std::vector<std::string>>(), JsonError);
  CHECK_THROWS_AS(json.at("list").at("text"), JsonError);
  CHECK_THROWS_AS(json.at("list").items(), JsonError);
  CHECK_THROWS_AS(Json(true).get<int>(), JsonError);
  CHECK_THROWS_AS(Json(nullptr).get<double>(), JsonError);
  CHECK(json.find("nothing") == nullptr);
  CHECK(json.at("list").find("text") == nullptr);
}

TEST_CASE("value() gives what is there, else its default, and never something of another kind") {
  const Json json = {{"n", 3}, {"s", "x"}};
  CHECK(json.value("n", 0) == 3);
  CHECK(json.value("m", 5L) == 5L);
  CHECK(json.value("s", "y") == "x");
  CHECK(json.value("t", "y") == "y");
  CHECK(json.value("t", std::vector<std::string>{"z"}).size() == 1);
  CHECK_THROWS_AS(json.value("s", 1.0), JsonError);
  CHECK_THROWS_AS(Json({1, 2}).value("s", 1.0), JsonError);
}

TEST_CASE("members and items are added, changed and taken away; null becomes what it is used as") {
  Json json;
  json["a"]["b"] = {{"c", 1.5}};
  json["list"].push_back({{"x", 1}});
  json["list"].push_back(2);
  json["list"][1] = 3;
  CHECK(json.dump() == R"({"a":{"b":{"c":1.5}},"list":[{"x":1},3]})");
  json.update({{"list", nullptr}, {"new", "n"}});
  json.erase("a");
  json.erase("a");
  CHECK(json.dump() == R"({"list":null,"new":"n"})");
  CHECK_THROWS_AS(json["new"]["deeper"], JsonError);
  CHECK_THROWS_AS(json["new"].push_back(1), JsonError);
  Json copy = json;
  copy["new"] = 1;
  CHECK(json.at("new") == "n");
  json = json.at("new");  // a part of itself
  CHECK(json == "n");
}

TEST_CASE("numbers are equal by value, objects whatever their order") {
  CHECK(Json(1) == Json(1.0));
  CHECK(Json(1) == Json::parse("1"));
  CHECK(Json(-1) == -1.0);
  CHECK_FALSE(Json(-1) == Json(std::uint64_t{0} - 1));
  CHECK_FALSE(Json(1) == Json(true));
  CHECK_FALSE(Json(0) == Json(nullptr));
  CHECK(Json::parse(R"({"a": 1, "b": 2})") == Json::parse(R"({"b": 2, "a": 1})"));
  CHECK_FALSE(Json::parse(R"({"a": 1})") == Json::parse(R"({"b": 1})"));
  CHECK_FALSE(Json({1, 2}) == Json({2, 1}));
}

TEST_CASE("a name that occurs twice in one object is refused, however far apart; in two objects it may") {
  CHECK_THROWS_WITH(Json::parse(R"({"a": 1, "b": 2, "a": 3})"), Contains("'a' occurs twice"));
  CHECK_THROWS_WITH(Json::parse(R"([{"c": {"d": 1, "\u0064": 1}}])"), Contains("'d' occurs twice"));
  CHECK(refused(R"({"a": 1, "a": 1})"));
  CHECK(printed(R"([{"a": 1}, {"a": {"a": 2}}])") == R"([{"a":1},{"a":{"a":2}}])");
}

TEST_CASE("a byte 0 does not end a text: what follows it is no blank") {
  using namespace std::string_literals;
  for (const std::string& text : {"{}\0"s, "{}\0 anything {{{"s, "\0{}"s, "[1,\0 2]"s, "\"a\0b\""s})
    CHECK(refused(text));
  CHECK_THROWS_WITH(Json::parse("{}\0x"s), Contains("byte at offset 2 is 0"));
}

TEST_CASE("text that is no JSON is refused, with its place where somebody asks") {
  for (const char* text : {"", " ", "{", "[1", "[1,]", "{\"a\":}", "{\"a\":1,}", "{a:1}", "'a'", "[1] x",
                           "{}{}", "tru", "// c\n1", "\"a", "\"\t\"", R"("\x")", R"("\ud800")"})
    CHECK(refused(text));
  CHECK_THROWS_WITH(Json::parse("[1,\n }"), Contains("line 2"));
}

TEST_CASE("text is UTF-8 on both ways") {
  CHECK(Json("\x01\t\"\\/\x7F"
             "é")
            .dump() ==
        "\"\\u0001\\t\\\"\\\\/\x7F"
        "é\"");
  CHECK(printed(R"("\u00e9\ud83d\ude00")") == "\"é😀\"");
  CHECK(printed("\xEF\xBB\xBF[1]") == "[1]");  // a byte order mark is passed over
  for (const char* bytes : {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80"}) {
    CHECK(refused("\"" + std::string(bytes) + "\""));
    CHECK_THROWS_WITH(Json(bytes).dump(), Contains("UTF-8"));
    CHECK_THROWS_AS(Json({{bytes, 1}}).dump(), JsonError);
  }
  CHECK(printed("\"a\\u0000b\"") == "\"a\\u0000b\"");
}

TEST_CASE("as many levels are read, printed, sorted and compared as a reader asks for; more are refused") {
  const std::string deepest = nested(Json::kDeepest);
  const Json json = Json::parse(deepest);
  CHECK(json.dump() == deepest);
  CHECK(sorted(json) == json);
  CHECK(refused(nested(Json::kDeepest + 1)));
  std::string arrays;
  arrays.resize(20'000'000, '[');
  CHECK_THROWS_WITH(Json::parse(arrays), Contains("more than 64 arrays"));
  CHECK(refused(std::string(1'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK(refused(objects));
  CHECK_NOTHROW(Json::parse(R"({"a": {"b": [1]}})", 3));
  CHECK_THROWS_AS(Json::parse(R"({"a": {"b": [[]]}})", 3), JsonError);
}

TEST_CASE("what a parser says of a text is short, and printable, however long the token that it stopped at") {
  try {
    Json::parse("{\"a\": \"" + std::string(60'000, 'x') + "\x1b\"}");
    FAIL("it was read");
  } catch (const JsonError& error) {
    const std::string said = error.what();
    CHECK(said.size() < 300);
    CHECK(said.find('\x1b') == std::string::npos);
  }
}

TEST_CASE("many members are read in a time that grows with their number") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"" + std::to_string(i) + "\":0,";
  text.back() = '}';
  CHECK(Json::parse(text).size() == 200'000);
}

TEST_CASE("objects are equal where each has what the other has, in any order") {
  const Json one = {{"a", 1}}, two = {{"a", 1}, {"b", 2}}, turned = {{"b", 2}, {"a", 1}};
  CHECK(two == turned);
  CHECK_FALSE(one == two);
  CHECK_FALSE(two == one);
  CHECK_FALSE(Json::object() == one);
  CHECK_FALSE(two == Json({{"a", 1}, {"c", 2}}));
  CHECK_FALSE(two == Json({{"a", 1}, {"b", 3}}));
  CHECK_FALSE(Json::array({1, 2}) == Json::array({2, 1}));
  CHECK_FALSE(Json::array({1, 2}) == Json::array({1}));
}
