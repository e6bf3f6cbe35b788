#include "shared/cli/outputs.hpp"

#include <new>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/interrupt.hpp"

namespace ladder::cli {

void Outputs::try_to(const std::function<void()>& write) {
  try {
    write();
  } catch (const Interrupted&) {
    throw;
  } catch (const std::bad_alloc&) {
    failed("an output needs more memory than this machine has");
  } catch (const CheckError& error) {  // what was to be written is itself at fault
    check_failed_ = true;
    failed(error.what());
  } catch (const std::exception& error) {
    failed(error.what());
  }
}

void Outputs::write(const std::string& file, const std::function<std::string()>& text) {
  if (!file.empty()) try_to([&] { write_file(file, text()); });
}

void Outputs::write_json(const std::string& file, const std::function<Json()>& json) {
  write(file, [&] { return sorted(json()).dump(1) + "\n"; });
}

void Outputs::failed(const std::string& message) { failures_ += (failures_.empty() ? "" : "; ") + message; }

void Outputs::finish(const std::string& check) const {
  if (!check.empty()) throw CheckError(failures_.empty() ? check : check + "; " + failures_);
  if (check_failed_) throw CheckError(failures_);
  if (!failures_.empty()) throw MachineError(failures_);
}

}  // namespace ladder::cli
