// Which record a page means: its own name, or that of whichever card measured.
#include "shared/records/find_record.hpp"

#include <catch2/catch.hpp>

using namespace ladder;

namespace {

Record gpu_record(const std::string& name, const std::string& date) {
  Record record = new_record(name, "./ladder speedup --record", "a step");
  record.date = date;
  record.machine.gpu = "NVIDIA H999 (sm_99)";
  record.rows.push_back({"stage 2 fp32", "", "", {{"seconds", 1e-3}}});
  return record;
}

Record cpu_record(const std::string& name) {
  Record record = gpu_record(name, "2026-01-09T00:00:00Z");
  record.machine.gpu.clear();
  return record;
}

std::string name_of(const std::string& name, const std::vector<Record>& records) {
  const Record* found = find_record(name, records, LADDER_SOURCE_DIR);
  return found == nullptr ? "none" : found->name;
}

}  // namespace

TEST_CASE("a record of any card answers to -gpu, the newest of several") {
  const std::vector<Record> records = {gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z"),
                                       gpu_record("speedup-small-h2", "2026-01-03T00:00:00Z"),
                                       gpu_record("speedup-small-h3", "2026-01-01T00:00:00Z"),
                                       gpu_record("speedup-small-no-graph-h2", "2026-01-04T00:00:00Z"),
                                       cpu_record("speedup-micro"),
                                       cpu_record("speedup-small-cpu")};
  CHECK(name_of("speedup-small-gpu", records) == "speedup-small-h2");
  CHECK(name_of("speedup-small-no-graph-gpu", records) == "speedup-small-no-graph-h2");
  CHECK(name_of("speedup-small-h1", records) == "speedup-small-h1");
  CHECK(name_of("speedup-micro", records) == "speedup-micro");
  // no machine without a GPU, and no name with more than a card behind it
  CHECK(name_of("speedup-gpu", records) == "none");
  CHECK(name_of("speedup-small", records) == "none");
}

TEST_CASE("a card with stale rows stands behind one without, however new") {
  std::vector<Record> records = {gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z"),
                                 gpu_record("speedup-small-h2", "2026-01-03T00:00:00Z")};
  records[1].rows[0].sources = "interpreter";  // of other sources than there are: no hash
  CHECK(name_of("speedup-small-gpu", records) == "speedup-small-h1");
}

TEST_CASE("a record of exactly that name is the one, wherever it stands and whatever card is newer") {
  const std::vector<Record> records = {gpu_record("speedup-small-h1", "2026-01-03T00:00:00Z"),
                                       gpu_record("speedup-small-gpu", "2026-01-01T00:00:00Z"),
                                       gpu_record("speedup-small-h2", "2026-01-04T00:00:00Z")};
  CHECK(name_of("speedup-small-gpu", records) == "speedup-small-gpu");
  CHECK(name_of("-gpu", records) == "none");
  CHECK(name_of("speedup-small-h1-gpu", records) == "none");
}

TEST_CASE("of cards that all have stale rows the one with the fewest is meant, then the newest") {
  std::vector<Record> records = {gpu_record("speedup-small-h1", "2026-01-02T00:00:00Z"),
                                 gpu_record("speedup-small-h2", "2026-01-03T00:00:00Z"),
                                 gpu_record("speedup-small-h3", "2026-01-01T00:00:00Z")};
  for (Record& record : records) record.rows[0].sources = "interpreter";  // without a hash
  records[1].rows.push_back(records[1].rows[0]);
  CHECK(name_of("speedup-small-gpu", records) == "speedup-small-h1");
  std::swap(records[0], records[1]);
  CHECK(name_of("speedup-small-gpu", records) == "speedup-small-h1");
}
