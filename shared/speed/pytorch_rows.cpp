#include "shared/speed/pytorch_rows.hpp"

#include "shared/base/error.hpp"

namespace ladder {
namespace {

std::int64_t steps_of(const ChainSettings& settings) {
  return settings.documents / (settings.train.batch_size * settings.train.grad_accum);
}

Run without_dropout(const ChainSettings& settings) {
  GptConfig model = settings.model;
  model.dropout = 0.0;
  return prepare_run(model, settings.train, settings.data);
}

std::string not_run(const std::string& reason) { return "not run: " + reason; }

}  // namespace

PytorchRows::PytorchRows(const ChainSettings& settings, const Run& run, const ChainRow& partner,
                         const Side& side)
    : documents_(static_cast<double>(settings.documents)), forms_{Form{{}, false}, Form{{}, true}} {
  for (Form& form : forms_) {
    form.row.stage = kPytorchStage;
    form.row.dtype = side.dtype;
    form.row.variant = form.compiled ? "compiled" : "eager";
    form.row.name = fmt::format("PyTorch {}, {}", name_of(side.dtype), form.row.variant);
    form.row.parameters = partner.parameters;
    form.row.device = partner.device;
    form.row.compared_with = partner.name;
  }
  try {
    const Device device = partner.device.empty() ? Device{Device::Kind::cpu, 0} : settings.device;
    rival_ = std::make_unique<PytorchRival>(run, steps_of(settings),
                                            PytorchPlace{side.dtype, device, settings.threads});
    const Run plain = without_dropout(settings);
    const std::vector<double> want =
        train_curve(*side.make(plain.model, plain.train.batch_size), plain, steps_of(settings));
    for (Form& form : forms_) prove(form, want);
  } catch (const std::runtime_error& error) {
    for (Form& form : forms_) form.row.not_run = not_run(error.what());
  }
}

void PytorchRows::prove(Form& form, const std::vector<double>& want) {
  try {
    form.row.loss = rival_->train(form.compiled, false).loss;
    for (const Tolerance& tolerance : curve_tolerances(form.row.dtype)) {
      const Comparison comparison = compare(form.row.loss, want, tolerance);
      if (form.row.parity.want_size > 0 && comparison.passed()) continue;
      form.row.limit = tolerance.limit();
      form.row.parity = comparison;
      if (!comparison.passed()) break;
    }
    if (!form.row.parity.passed()) return;
    rival_->train(form.compiled, true);  // compiles what the race is going to run
    form.row.proven = true;
  } catch (const std::runtime_error& error) {
    form.row.not_run = not_run(error.what());
  }
}

void PytorchRows::run_slice(Form& form) {
  if (!form.row.not_run.empty()) return;
  try {
    form.seconds = rival_->train(form.compiled, true).seconds;
  } catch (const std::runtime_error& error) {  // the others race on
    form.row.not_run = not_run(error.what());
    form.row.proven = false;
  }
}

std::vector<Contestant> PytorchRows::contestants() {
  std::vector<Contestant> contestants;
  for (Form& form : forms_) {
    form.races = form.row.proven;
    if (!form.races) continue;
    Contestant contestant{form.row.name, documents_, {}, [] {}, {}, 0};
    contestant.slice = [this, &form] { run_slice(form); };
    contestant.seconds = [&form] { return form.seconds; };
    contestants.push_back(std::move(contestant));
  }
  return contestants;
}

std::vector<ChainRow> PytorchRows::rows(const std::vector<Timing>& timings) const {
  std::vector<ChainRow> rows;
  std::size_t next = 0;
  for (const Form& form : forms_) {
    ChainRow row = form.row;
    if (form.races) row.time = timings.at(next++);
    if (!row.proven) row.time.samples.clear();
    rows.push_back(std::move(row));
  }
  return rows;
}

void prove_by_pytorch(std::vector<ChainRow>& rows) {
  for (const ChainRow& rival : rows)
    for (ChainRow& row : rows) {
      if (rival.stage != kPytorchStage || !rival.not_run.empty()) continue;
      if (rival.compared_with != row.name || !row.reference) continue;
      row.reference = false;
      row.proven = rival.proven;
      row.parity = rival.parity;
      row.limit = rival.limit;
      row.compared_with = rival.name;
      if (!row.proven) row.time.samples.clear();
    }
}

}  // namespace ladder
