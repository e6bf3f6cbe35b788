// The HTML report of `ladder climb`: one file without external resources, readable in light and dark.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/text_table.hpp"
#include "shared/model/config.hpp"
#include "shared/records/machine.hpp"
#include "shared/report/run_picture.hpp"
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

/// One of the steps by which somebody checks a stage (shared/checklist).
struct ChecklistStep {
  int number = 0;
  std::string title;
  enum class Outcome { passed, failed, not_run } outcome = Outcome::not_run;
  std::string summary;  ///< what came out, or why it was not run, in a sentence
  Cells figures;        ///< the first line is the heading
  double seconds = 0.0;
};

/// The same prompt continued by two models.
struct SamplePair {
  std::string left, right;
};

struct ReportChecklist {
  std::string work;  ///< stage, model, run and data, in a sentence
  GptConfig model;   ///< with the vocabulary of the data
  std::vector<ChecklistStep> steps;
  std::string left, right;       ///< the names of the two sides; right is empty where there is one only
  std::vector<TrainedRun> runs;  ///< of both sides
  std::vector<SamplePair> samples;

  bool passed() const;  ///< no step failed
};

std::string_view name_of(ChecklistStep::Outcome outcome);

struct Report {
  std::string date;
  Machine machine;
  Build build;
  bool passed = true;
  std::vector<ReportModel> models;
  Cells speedup;                ///< of the first model
  std::vector<RecordRow> rows;  ///< of the speedup, for the bars
  std::vector<std::string> notes;
  std::optional<ReportChecklist> checklist = {};
};

std::string html_of(const Report& report);

}  // namespace ladder
