// The HTML report of `ladder climb`: one file without external resources, readable in light and dark.
#pragma once

#include <string>
#include <vector>

#include "shared/base/text_table.hpp"
#include "shared/records/machine.hpp"
#include "shared/report/tables.hpp"

namespace ladder {

/// One stage's training in the report.
struct ReportCurve {
  std::string name;           ///< "stage 1 fp32"
  std::vector<double> loss;   ///< one per step
  std::vector<double> below;  ///< losses of the rung it is compared with; empty for the lowest
  double limit = 0.0;         ///< of their difference
  std::vector<std::string> samples;
  bool emulated = false;
};

/// One model that the stages have trained.
struct ReportModel {
  std::string name;  ///< "microGPT"
  std::string work;  ///< model, data and run, in a sentence
  Cells parity;
  std::vector<ReportCurve> curves;
};

struct Report {
  std::string date;
  Machine machine;
  Build build;
  bool passed = true;
  std::vector<ReportModel> models;
  Cells speedup;                ///< of the first model
  std::vector<RecordRow> rows;  ///< of the speedup, for the bars
  std::vector<std::string> notes;
};

std::string html_of(const Report& report);

}  // namespace ladder
