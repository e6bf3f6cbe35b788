// Run records: they come back as they were written, damaged ones are refused, and changed sources make a row stale.
#include "shared/records/records.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace fs = std::filesystem;

namespace {

/// A source folder with just enough in it for the set "interpreter".
void make_sources(const fs::path& folder) {
  fs::create_directories(folder / "shared" / "baseline");
  fs::create_directories(records_folder(folder));
  write_file(folder / "shared" / "baseline" / "microgpt.py", "print(1)\n");
}

std::string refusal(const fs::path& path) {
  try {
    read_record(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("a record comes back as it was written") {
  const TemporaryFolder folder;
  Record record = new_record("speedup-micro", "./ladder speedup", "nothing");
  record.rows.push_back(
      {"interpreter", "interpreter", "0123456789abcdef", {{"seconds", 0.1 + 0.2}, {"note", "é"}}});
  write_record(folder / "speedup-micro.json", record);
  const Record again = read_record(folder / "speedup-micro.json");
  CHECK(again.name == record.name);
  CHECK(again.date == record.date);
  CHECK(again.machine.cpu == record.machine.cpu);
  CHECK(again.build.commit == record.build.commit);
  REQUIRE(again.rows.size() == 1);
  CHECK(again.rows[0].values["seconds"].get<double>() == 0.1 + 0.2);
  CHECK(again.rows[0].hash == "0123456789abcdef");
}

TEST_CASE("a damaged or foreign record is refused with its reason") {
  const TemporaryFolder folder;
  const fs::path path = folder / "x.json";
  CHECK(refusal(path).find("cannot be read") != std::string::npos);
  std::string arrays;
  arrays.resize(20'000'000, '[');
  for (const std::string& text : {std::string("{\"format\": "), std::string("[]"), arrays,
                                  std::string("{}\0", 3), std::string(R"({"a": 1, "a": 2})")}) {
    write_file(path, text);
    CHECK(refusal(path).find("x.json: is not a JSON object") != std::string::npos);
  }
  write_file(path, R"({"format": 5})");
  CHECK(refusal(path).find("x.json: 'format': expected text, found 5") != std::string::npos);
  write_file(path, R"({"format": "ladder-trace/1"})");
  CHECK(refusal(path).find("ladder-record/1") != std::string::npos);
  write_file(path, R"({"format": "ladder-record/1", "name": "x"})");
  CHECK(refusal(path).find("'command'") != std::string::npos);
  Record whole = new_record("x", "", "");
  write_record(path, whole);
  std::string text = read_file(path);
  text.replace(text.find("\"rows\": []"), 10, "\"rows\": {}");
  write_file(path, text);
  CHECK(refusal(path).find("x.json: 'rows' is not a list") != std::string::npos);
  write_record(path, whole);
  text = read_file(path);
  text.replace(text.find("\"cores\""), 7, "\"corse\"");
  write_file(path, text);
  CHECK(refusal(path).find("x.json: 'machine': 'cores' is missing") != std::string::npos);
  for (const char* cores : {"2.0", "true", "4294967298", "\"2\""}) {
    write_record(path, whole);
    Json json = Json::parse(read_file(path));
    json["machine"]["cores"] = Json::parse(cores);
    write_file(path, json.dump());
    CHECK(refusal(path).find("x.json: 'machine': 'cores': expected a whole number") != std::string::npos);
  }
  Record record = new_record("other", "", "");
  write_record(path, record);
  CHECK_THROWS_WITH(read_records(folder.path()), Catch::Contains("holds the record 'other'"));
}

TEST_CASE("a row is stale once a file of its set changes, and only then") {
  const TemporaryFolder folder;
  make_sources(folder.path());
  const RecordRow row{"interpreter", "interpreter", source_hash("interpreter", folder.path()), {}};
  CHECK_FALSE(is_stale(row, folder.path()));
  write_file(folder / "shared/baseline/other.py", "unrelated\n");
  CHECK_FALSE(is_stale(row, folder.path()));
  write_file(folder / "shared/baseline/microgpt.py", "print(2)\n");
  CHECK(is_stale(row, folder.path()));
  CHECK_FALSE(is_stale({"no sources", "", "", {}}, folder.path()));
}

TEST_CASE("every source set names files that exist, and a new file in a stage's folder counts") {
  for (const char* set : {"interpreter", "stage0", "stage1", "stage2", "stage3", "stage2-gpu", "stage3-gpu",
                          "stage3-kernels", "stage0+stage1"}) {
    CAPTURE(set);
    CHECK(source_hash(set, LADDER_SOURCE_DIR).size() == 16);
  }
  CHECK(source_hash("stage0", LADDER_SOURCE_DIR) != source_hash("stage1", LADDER_SOURCE_DIR));
  CHECK_THROWS_AS(source_hash("stage9", LADDER_SOURCE_DIR), InputError);
  const TemporaryFolder folder;
  CHECK_THROWS_AS(source_hash("stage0", folder.path()), InputError);
  fs::create_directories(folder / "stage0_scalar_autograd");
  write_file(folder / "stage0_scalar_autograd/a.cpp", "a");
  const std::string before = source_hash("stage0", folder.path());
  write_file(folder / "stage0_scalar_autograd/README.md", "not code");
  CHECK(source_hash("stage0", folder.path()) == before);
  write_file(folder / "stage0_scalar_autograd/b.hpp", "b");
  CHECK(source_hash("stage0", folder.path()) != before);
}

TEST_CASE("comments and white space of C++ do not make a row stale, anything else does") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "stage0_scalar_autograd");
  const auto hash_of = [&](const std::string& text) {
    write_file(folder / "stage0_scalar_autograd/a.cpp", text);
    return source_hash("stage0", folder.path());
  };
  const std::string hash = hash_of("int a = 1;  // one\nchar q = '\"'; const char* s = \"a // b\";\n");
  CHECK(hash_of("/* a\n   word */ int a = 1;\nchar q = '\"';\n  const char* s = \"a // b\"; // end\n") ==
        hash);
  CHECK(hash_of("int a = 2;  // one\nchar q = '\"'; const char* s = \"a // b\";\n") != hash);
  CHECK(hash_of("int a = 1;  // one\nchar q = '\"'; const char* s = \"a // c\";\n") != hash);
  CHECK(hash_of("int a = 1;  // one\nchar q = '\"'; const char* s = \"a  // b\";\n") != hash);
  CHECK(hash_of("inta = 1;  // one\nchar q = '\"'; const char* s = \"a // b\";\n") != hash);
  CHECK(hash_of("x") != hash_of("x \"unclosed"));
  // an escaped quote ends no literal, an escaped backslash before one does
  CHECK(hash_of(R"(const char* s = "\" // b";)") != hash_of(R"(const char* s = "\" // c";)"));
  CHECK(hash_of(R"(const char* s = "\\";  // b)") == hash_of(R"(const char* s = "\\";  // c)"));
  CHECK(hash_of("x /* unclosed") == hash_of("x "));
}

TEST_CASE("a file that moves, and every include of it, leaves the hash as it was") {
  const TemporaryFolder folder;
  const fs::path stage = folder / "stage0_scalar_autograd";
  fs::create_directories(stage / "deep");
  write_file(stage / "a.hpp", "int a;\n");
  write_file(stage / "b.cpp", "#include \"stage0/a.hpp\"\n\nint b;\n");
  const std::string hash = source_hash("stage0", folder.path());
  fs::rename(stage / "a.hpp", stage / "deep/z.hpp");
  write_file(stage / "b.cpp", "  # include \"stage0/deep/z.hpp\"  // moved\n#include <map>\nint b;\n");
  CHECK(source_hash("stage0", folder.path()) == hash);
  // What only looks like an include is code, and so is what stands behind one.
  write_file(stage / "b.cpp", "const char* s = \"\\n#include x\";\nint b;\n");
  CHECK(source_hash("stage0", folder.path()) != hash);
  write_file(stage / "b.cpp", "#include \"x\"\nint c;\n");
  CHECK(source_hash("stage0", folder.path()) != hash);
  write_file(stage / "b.cpp", "#define include 1\nint b;\n");
  CHECK(source_hash("stage0", folder.path()) != hash);
}

TEST_CASE("contents that change places between files count as the same, contents that are joined do not") {
  const TemporaryFolder folder;
  const fs::path stage = folder / "stage0_scalar_autograd";
  fs::create_directories(stage);
  const auto hash_of = [&](const std::string& first, const std::string& second) {
    write_file(stage / "a.cpp", first);
    write_file(stage / "b.cpp", second);
    return source_hash("stage0", folder.path());
  };
  CHECK(hash_of("int a;", "int b;") == hash_of("int b;", "int a;"));
  CHECK(hash_of("int a;", "int b;") != hash_of("int a;int b;", ""));
}

TEST_CASE("a row of a GPU run depends on the kernels and not on the CPU models") {
  CHECK(source_set_of(0, true) == "stage0");
  CHECK(source_set_of(1, true) == "stage1");
  CHECK(source_set_of(2, false) == "stage2");
  CHECK(source_set_of(3, true) == "stage3-gpu");
  const TemporaryFolder folder;
  const fs::path tree = folder / "tree";
  fs::create_directories(tree);
  for (const char* room : {"shared", "stage2_naive_cuda", "stage3_tiled_kernels"})
    fs::copy(fs::path(LADDER_SOURCE_DIR) / room, tree / room, fs::copy_options::recursive);
  const auto hashes = [&] {
    std::vector<std::string> all;
    for (const char* set : {"stage2", "stage2-gpu", "stage3", "stage3-gpu"})
      all.push_back(source_hash(set, tree));
    return all;
  };
  const std::vector<std::string> before = hashes();
  const auto changed_by = [&](const char* file) {
    const std::string text = read_file(tree / file);
    write_file(tree / file, text + "int one_more;\n");
    const std::vector<std::string> after = hashes();
    write_file(tree / file, text);
    std::string changed;
    for (std::size_t i = 0; i < after.size(); ++i) changed += after[i] == before[i] ? '.' : 'x';
    return changed;
  };
  CHECK(changed_by("shared/tile/mma.cpp") == "..x.");
  CHECK(changed_by("shared/base/dtype.hpp") == "xxxx");
  CHECK(changed_by("stage2_naive_cuda/ops_simt.cpp") == "x...");
  CHECK(changed_by("shared/device/worker_pool.cpp") == "x.x.");
  CHECK(changed_by("shared/device/cuda_runtime.hpp") == "xxxx");
  CHECK(changed_by("shared/tile/launch.hpp") == "..xx");
  CHECK(changed_by("stage2_naive_cuda/kernels/adam.cuh") == "xx..");
  CHECK(changed_by("stage3_tiled_kernels/kernels/adam.cuh") == "..xx");
  CHECK(changed_by("stage3_tiled_kernels/sweep/sweep.py") == "....");
  CHECK(changed_by("stage3_tiled_kernels/make_ops.cpp") == "....");
  CHECK(changed_by("shared/model/microgpt.cpp") == "xxxx");
}

TEST_CASE("stage 4 is stage 3 and the text of GPT-2; sets joined by '+' hold a file once") {
  const std::vector<std::string> below = source_set("stage3-gpu"), stage4 = source_set("stage4-gpu");
  CHECK(std::count(below.begin(), below.end(), "shared/model/gpt2") == 0);
  CHECK(std::count(stage4.begin(), stage4.end(), "shared/model/gpt2") == 1);
  CHECK(source_set("stage4-gpu+stage4-gpu").size() == stage4.size());
}

TEST_CASE("of a build file the lines that choose compiler options count, and no others") {
  const TemporaryFolder folder;
  const fs::path tree = folder / "tree";
  fs::create_directories(tree);
  for (const char* room : {"shared", "stage1_cpu_tensor"})
    fs::copy(fs::path(LADDER_SOURCE_DIR) / room, tree / room, fs::copy_options::recursive);
  const std::string hash = source_hash("stage1", tree);
  const std::string text = read_file(tree / "stage1_cpu_tensor/CMakeLists.txt");
  write_file(tree / "stage1_cpu_tensor/CMakeLists.txt", text + "# a word\nadd_library(more a.cpp)\n");
  CHECK(source_hash("stage1", tree) == hash);
  write_file(tree / "stage1_cpu_tensor/CMakeLists.txt", text + "target_compile_options(a PRIVATE -O0)\n");
  CHECK(source_hash("stage1", tree) != hash);
  write_file(tree / "stage1_cpu_tensor/CMakeLists.txt",
             text + "set_source_files_properties(a.cpp PROPERTIES COMPILE_OPTIONS -O0)\n");
  CHECK(source_hash("stage1", tree) != hash);
}

TEST_CASE("a record that is not what it claims to be is refused, naming file, row and field") {
  const TemporaryFolder folder;
  Record record = new_record("speedup-x", "./ladder speedup", "work");
  record.rows = {{"a row", "", "", {{"seconds", 1.0}, {"emulated", false}}}};
  const fs::path path = folder / "r.json";
  write_record(path, record);
  const std::string good = read_file(path);
  const auto told = [&](const std::string& old, const std::string& now) {
    std::string text = good;
    const std::size_t at = text.find(old);
    REQUIRE(at != std::string::npos);
    write_file(path, text.replace(at, old.size(), now));
    try {
      read_record(path);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  for (const char* value : {"-1", "1e300", "\"1\"", "true", "null", "[1]"}) {
    const std::string seconds = fmt::format("\"seconds\": {}", value);
    CHECK_THAT(told("\"seconds\": 1.0", seconds), Contains("r.json: row 1 ('a row'): 'seconds'"));
  }
  for (const char* name : {"emulated", "not_run", "lines", "parity_error"})
    CHECK_THAT(told("\"emulated\": false", fmt::format("\"{}\": {{}}", name)),
               Contains(fmt::format("r.json: row 1 ('a row'): '{}': expected ", name)));
  for (const auto& [part, named] : std::vector<std::pair<const char*, const char*>>{
           {"\"kernel\": 5", "'kernel' is not an object"},
           {"\"block\": {\"error\": \"x\"}", "'block': 'error': expected a number"},
           {"\"loss\": {\"passed\": 1}", "'loss': 'passed': expected a truth value"},
           {"\"loss\": [1.5, true]", "'loss': expected a number, found true"},
           {"\"evaluations\": [[1, 2]]", "'evaluations': one has not three numbers"},
           {"\"evaluations\": {}", "'evaluations' is not a list"},
           {"\"kernels\": [{\"kernel\": 1}]", "'kernels': 'kernel': expected text"}})
    CHECK_THAT(told("\"emulated\": false", part), Contains("r.json: row 1 ('a row'): ") && Contains(named));
  CHECK_THAT(told("\"name\": \"a row\"", "\"name\": 5"), Contains("r.json: row 1: 'name': expected text"));
  CHECK_THAT(told("\"cores\": ", "\"cores\": -"), Contains("r.json: 'machine': 'cores' is -"));
  CHECK_THAT(told("\"memory_gib\": ", "\"memory_gib\": 1e300, \"x\": "),
             Contains("r.json: 'machine': 'memory_gib' is 1e+300"));
  CHECK_THAT(told("\"dirty\": ", "\"dirty\": 5, \"x\": "), Contains("r.json: 'build': 'dirty': expected"));
  CHECK(told("\"seconds\": 1.0", "\"seconds\": 0.5") == "nothing");
}

TEST_CASE("a row of sources that nobody knows is told with its file") {
  const TemporaryFolder folder;
  Record record = new_record("r", "", "");
  record.rows = {{"a row", "stage9\x1b", "", {}}};
  record.rows[0].values = Json::object();
  write_record(folder / "r.json", record);
  CHECK_NOTHROW(read_record(folder / "r.json"));
  CHECK_THROWS_WITH(read_records(folder.path()), Contains("r.json: unknown source set 'stage9\\x1b'"));
}

TEST_CASE("what the system calls its parts is shown on one line, and shortened") {
  const Machine machine{"a\x1b[31mCPU", 1, 8.0, std::string(5000, 'o') + "\n", ""};
  const std::string told = describe(machine);
  CHECK_THAT(told, Catch::Matchers::StartsWith("a\\x1b[31mCPU, 1 core, 8.0 GiB, ooo"));
  CHECK(told.size() < 300);
}

TEST_CASE("a machine and a build are told in a line that leaves nothing out") {
  Machine machine{"a CPU", 1, 7.96, "an OS", ""};
  CHECK(describe(machine) == "a CPU, 1 core, 8.0 GiB, an OS");
  machine.cores = 2;
  machine.gpu = "a GPU";
  CHECK(describe(machine) == "a CPU, 2 cores, 8.0 GiB, an OS, a GPU");
  Build build{"g++ 12", "-O3", "0123456789abcdef", false};
  CHECK(describe(build) == "g++ 12, -O3, commit 0123456789ab");
  build.dirty = true;
  CHECK(describe(build) == "g++ 12, -O3, commit 0123456789ab with changes");
}

TEST_CASE("nothing that a source set holds includes what was taken out of it") {
  // What a set leaves out must not reach the stage by an include, which no hash sees. Declarations alone may.
  const fs::path root = LADDER_SOURCE_DIR;
  for (const char* stage : {"stage2_naive_cuda", "stage3_tiled_kernels"})
    for (const auto& item : fs::recursive_directory_iterator(root / stage)) {
      const std::string path = fs::relative(item.path(), root).generic_string(),
                        folder = std::string(stage) + "/";
      const auto inside = [&](const char* room) { return path.rfind(folder + room + "/", 0) == 0; };
      if (!item.is_regular_file() || inside("ladder") || inside("pictures") || inside("sweep")) continue;
      const std::string text = read_file(item.path());
      CAPTURE(path);
      for (const char* room : {"ladder/", "pictures/", "sweep/", "make_ops"})
        CHECK(text.find("#include \"" + folder + room) == std::string::npos);
    }
}

TEST_CASE("every field of a record, its machine and its build comes back in its own place") {
  const TemporaryFolder folder;
  const Record record{
      "r",
      "call",
      "work",
      "date",
      {"a CPU", 3, 7.5, "an OS", "a card"},
      {"a compiler", "flags", "commit", true},
      {{"one", "stage0", "0123", {{"seconds", 0.0}, {"q3", 1e9}}}, {"two", "", "", Json::object()}}};
  write_record(folder / "r.json", record);
  const Record back = read_record(folder / "r.json");
  CHECK(back.command == "call");
  CHECK(back.work == "work");
  CHECK(back.date == "date");
  CHECK(describe(back.machine) == "a CPU, 3 cores, 7.5 GiB, an OS, a card");
  CHECK(describe(back.build) == "a compiler, flags, commit commit with changes");
  REQUIRE(back.rows.size() == 2);
  CHECK(back.rows[0].name == "one");
  CHECK(back.rows[0].sources == "stage0");
  CHECK(back.rows[0].hash == "0123");
  CHECK(back.rows[0].values == record.rows[0].values);  // 0 and 1e9 seconds are the limits
  CHECK(back.rows[1].name == "two");
}

TEST_CASE("every time of a row is judged, not the median alone") {
  const TemporaryFolder folder;
  for (const char* name : {"seconds", "q1", "q3", "min"})
    for (const double value : {-1e-9, 1.1e9}) {
      Record record = new_record("r", "", "");
      record.rows = {{"a row", "", "", {{"seconds", 1.0}}}};
      record.rows[0].values[name] = value;
      write_record(folder / "r.json", record);
      CHECK_THAT(refusal(folder / "r.json"), Contains(fmt::format("'{}' is ", name)));
    }
}

TEST_CASE("the records of a folder come by name, and other files are none") {
  const TemporaryFolder folder;
  for (const char* name : {"c", "a", "b"})
    write_record(folder / (std::string(name) + ".json"), new_record(name, "", ""));
  write_file(folder / "notes.txt", "no record");
  std::string names;
  for (const Record& record : read_records(folder.path())) names += record.name;
  CHECK(names == "abc");
  CHECK_THROWS_WITH(read_records(folder / "none"), Contains("none: is not a folder"));
}

TEST_CASE("a record's name is plain, so that its file lies in the folder of records") {
  CHECK(record_file("a.B-c_1") == records_folder() / "a.B-c_1.json");
  for (const char* name : {"", ".a", "a/b", "..", "a b", "a\n"})
    CHECK_THROWS_WITH(record_file(name), Contains("no name for a record"));
}

TEST_CASE("a record's time is that of UTC, whatever the clock on the wall shows") {
  const auto hour = [](const char* zone) {
    setenv("TZ", zone, 1);
    tzset();
    const std::string now = utc_now();
    CHECK(now.size() == 20);
    CHECK(now.back() == 'Z');
    return now.substr(0, 16);
  };
  const std::string first = hour("UTC"), east = hour("JST-9"), again = hour("UTC");
  unsetenv("TZ");
  tzset();
  CHECK((east == first || east == again));  // a minute may end between them
}
