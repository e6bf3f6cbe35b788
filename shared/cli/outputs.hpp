// What a call writes when its work is done: each on its own, so that one that fails takes no other with it.
#pragma once

#include <functional>
#include <string>

#include "shared/base/json.hpp"

namespace ladder::cli {

class Outputs {
 public:
  /// Calls write(); what it throws is kept for finish(), but for an interruption. An empty name of a file means that none
  /// was asked for.
  void try_to(const std::function<void()>& write);
  void write(const std::string& file, const std::function<std::string()>& text);
  /// The same with the keys of every object in the order of the alphabet.
  void write_json(const std::string& file, const std::function<Json()>& json);

  /// Remembers what failed elsewhere.
  void failed(const std::string& message);

  /// Ends the call where something has failed: throws CheckError with `check`, what a check of the work itself found, where
  /// it is not empty, or where an output was refused by a CheckError; otherwise MachineError. Either names every output
  /// that failed.
  void finish(const std::string& check = {}) const;

 private:
  std::string failures_;
  bool check_failed_ = false;
};

}  // namespace ladder::cli
