// The checklist as `ladder checklist` runs it without flags.
#pragma once

#include "shared/cli/status.hpp"
#include "shared/device/gpu.hpp"
#include "shared/report/report.hpp"

namespace ladder::cli {

ReportChecklist default_checklist(Device device, Status& status);

}  // namespace ladder::cli
