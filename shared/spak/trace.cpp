#include "shared/spak/trace.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"

namespace ladder::spak {

namespace {

std::string_view trimmed(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r");
  return begin == std::string_view::npos ? ""
                                         : line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
}

Json item_of(std::string_view line, const std::string& where) {
  Json item = json_object(line, where, kDeepestItem);
  const Json* type = item.find("type");
  require(type != nullptr && type->is_string() && !type->get<std::string>().empty(),
          "{}: an item needs a \"type\": \"Performance\", for instance", where);
  return item;
}

/// A file of `ladder train --trace`: its items, and its losses as items of the type Convergence.
void add_training(const Json& run, const std::string& name, Trace& trace) {
  const auto add = [&](Json item) {
    trace.items.push_back(std::move(item));
    trace.lines.push_back(1);
  };
  naming_json(shown(name).str(), "a trace of a training run", [&] {
    if (const Json* items = run.find("items"))
      for (const Json& item : *items) add(item_of(item.dump(), name));
    const auto losses = doubles_of(run.at("loss"));
    const auto ms = run.contains("ms") ? doubles_of(run.at("ms")) : std::vector<double>();
    for (std::size_t step = 0; step < losses.size(); ++step) {
      Json item = {{"type", "Convergence"}, {"step", step + 1}, {"loss", number_or_text(losses[step])}};
      if (step < ms.size()) item["step_time_ms"] = number_or_text(ms[step]);
      if (const Json* config = run.find("config")) item["configuration"] = *config;
      add(std::move(item));
    }
  });
}

}  // namespace

std::string Trace::link(std::size_t item) const {
  const Json* id = items.at(item).find("id");
  if (id != nullptr && id->is_string()) return id->get<std::string>();
  return fmt::format("{}:{}", std::filesystem::path(name).filename().string(), lines.at(item));
}

Trace parse_trace(std::string_view text, std::string name) {
  Trace trace{std::move(name), {}, {}};
  if (text.substr(0, 200).find("\"ladder-trace/1\"") != std::string_view::npos) {
    add_training(json_object(text, shown(trace.name).str()), trace.name, trace);
    return trace;
  }
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = trimmed(text.substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.starts_with(kTraceMark)) line = trimmed(line.substr(kTraceMark.size()));
    if (line.empty()) continue;
    trace.items.push_back(item_of(line, fmt::format("{}:{}", shown(trace.name), number)));
    trace.lines.push_back(number);
  }
  return trace;
}

Trace read_trace(const std::filesystem::path& path) {
  return parse_trace(read_file(path, kLongestTrace), path.string());
}

std::vector<Json> items_of_output(std::string_view output, std::string_view program) {
  std::vector<Json> items;
  std::size_t number = 0;
  for (std::size_t at = 0; at < output.size();) {
    const std::size_t end = std::min(output.find('\n', at), output.size());
    const std::string_view line = trimmed(output.substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.starts_with(kTraceMark))
      items.push_back(item_of(trimmed(line.substr(kTraceMark.size())),
                              fmt::format("{}: line {} of its output", program, number)));
  }
  return items;
}

void append_items(const std::filesystem::path& path, const std::vector<Json>& items) {
  std::string lines;
  for (const Json& item : items) lines += item.dump() + "\n";
  const int file = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  require(file >= 0, "{}: cannot be written: {}", shown(path.string()), std::strerror(errno));
  // One writer at a time, and all or nothing: a full disk leaves no half of a line.
  ::flock(file, LOCK_EX);
  char last = '\n';
  const off_t size = ::lseek(file, 0, SEEK_END);
  if (size > 0 && ::pread(file, &last, 1, size - 1) == 1 && last != '\n') lines.insert(0, "\n");
  const bool written = ::write(file, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
  bool kept = written && ::fsync(file) == 0;
  const int error = errno;
  if (!written) kept = ::ftruncate(file, size) == 0 && false;
  ::close(file);
  if (!kept)
    throw MachineError(fmt::format("{}: cannot be written: {}", shown(path.string()), std::strerror(error)));
}

}  // namespace ladder::spak
