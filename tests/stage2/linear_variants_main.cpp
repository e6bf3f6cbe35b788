// linear_variants [RECORD.json]: prints what each way of writing the products reaches, and
// writes it as a run record.
#include <cstdio>
#include <filesystem>

#include "shared/base/error.hpp"
#include "shared/base/text_table.hpp"
#include "shared/records/records.hpp"
#include "tests/stage2/linear_variants.hpp"

int main(int argc, char** argv) {
  using namespace ladder;  // NOLINT(google-build-using-namespace)
  try {
    Record record =
        new_record("stage2-linear-variants", "linear_variants", "x [16384, 384], W [1536, 384], fp32");
    std::vector<std::vector<std::string>> cells = {{"", "", "time", "TFLOP/s"}};
    for (const VariantTime& time : time_linear_variants())
      cells.push_back({time.product, time.variant, format_seconds(time.seconds),
                       fmt::format("{:.2f}", time.flops / time.seconds / 1e12)});
    const std::string table = text_table(cells);
    fmt::print("{}", table);
    RecordRow row{"output", "stage2-gpu", source_hash("stage2-gpu"), {}};
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < table.size();) {
      const std::size_t end = table.find('\n', at);
      lines.push_back(table.substr(at, end - at));
      at = end + 1;
    }
    row.values["lines"] = lines;
    row.values["device"] = record.machine.gpu;
    record.rows.push_back(row);
    if (argc > 1) write_record(argv[1], record);
    return 0;
  } catch (const MachineError& error) {
    std::fprintf(stderr, "linear_variants: %s\n", error.what());
    return 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "linear_variants: %s\n", error.what());
    return 2;
  }
}
