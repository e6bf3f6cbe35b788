#include "shared/spak/trace.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <unordered_set>

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

}  // namespace

std::string Trace::link(std::size_t item) const {
  const Json* id = items.at(item).find("id");
  if (id != nullptr && id->is_string()) return id->get<std::string>();
  return fmt::format("{}:{}", std::filesystem::path(name).filename().string(), lines.at(item));
}

Trace parse_trace(std::string_view text, std::string name) {
  Trace trace{std::move(name), {}, {}};
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
  if (path.extension() != ".json") return parse_trace(read_file(path, kLongestTrace), path.string());
  const std::string name = shown(path.string()).str();
  const Json file = json_object(read_file(path), name);
  const std::string format = member_or<std::string>(file, "format", "", name);
  require(
      format == "ladder-trace/1" || format == "ladder-record/1",
      "{}: is neither a ladder-trace/1 nor a ladder-record/1 (a trace of items, one a line, ends in .jsonl)",
      name);
  Trace trace{path.string(),
              format == "ladder-trace/1" ? items_of_training(file, name) : items_of_record(file, name),
              {}};
  trace.lines.assign(trace.items.size(), 1);
  return trace;
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

std::vector<Json> fresh_items(const std::vector<Json>& known, const std::vector<Json>& heard,
                              const std::string& stem) {
  std::unordered_set<std::string> seen, ids;
  const auto text_of = [&](Json item) {
    if (const Json* id = item.find("id"); id != nullptr && id->is_string())
      ids.insert(id->get<std::string>());
    item.erase("id");
    return sorted(std::move(item)).dump();
  };
  for (const Json& item : known) seen.insert(text_of(item));
  std::vector<Json> fresh;
  for (const Json& item : heard)
    if (seen.insert(text_of(item)).second) fresh.push_back(item);
  std::size_t number = known.size();
  for (Json& item : fresh) {
    if (item.contains("id")) continue;
    std::string id;
    do id = fmt::format("{}-{:04}", stem, ++number);
    while (!ids.insert(id).second);
    Json named = {{"id", id}};
    named.update(std::move(item));
    item = std::move(named);
  }
  return fresh;
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
