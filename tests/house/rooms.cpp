#include "tests/house/rooms.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <set>

#include "shared/base/lines.hpp"

namespace ladder::house {
namespace {

constexpr const char* kStages = "stages";      // the floor of the stages' folders
constexpr const char* kRegistry = "stages.*";  // the one file that names them
constexpr const char* kMap = "shared/HACKING.md";

bool starts_with(const std::string& text, const std::string& prefix) { return text.rfind(prefix, 0) == 0; }

/// Folders of shared/ that hold no code of the program.
bool is_workshop(const std::string& path) {
  return starts_with(path, "shared/cmake/") || starts_with(path, "shared/scripts/");
}

std::size_t floor_of(const std::string& room) {
  return static_cast<std::size_t>(std::find(rooms().begin(), rooms().end(), room) - rooms().begin());
}

/// The first folder of a path: what tells two stages apart.
std::string top_of(const std::string& path) { return path.substr(0, path.find('/')); }

/// Of stages, 4 alone builds on another: its kernels are stage 3's and more.
bool builds_on(const std::string& from, const std::string& what) {
  return top_of(from) == top_of(what) ||
         (starts_with(from, "stage4_nanogpt/") && starts_with(what, "stage3_tiled_kernels/"));
}

/// Whether `from` may include `what`.
bool may_include(const std::string& from, const std::string& what) {
  const std::string here = room_of(from), there = room_of(what);
  if (here == "tests") return true;
  if (there.empty() || there == "tests") return false;
  if (here == kStages && there == kStages) return builds_on(from, what);
  return floor_of(there) <= floor_of(here);
}

/// The text behind `prefix`, blanks in front of it passed over; empty where a line begins otherwise.
std::string behind(const std::string& line, const std::string& prefix) {
  const std::size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line.compare(at, prefix.size(), prefix) != 0) return {};
  return line.substr(at + prefix.size());
}

/// What a file includes, whether in quotes or in angle brackets.
std::vector<std::string> included_by(const File& file) {
  std::vector<std::string> paths;
  for (const std::string& line : lines_of(file.text)) {
    const std::string rest = behind(behind(line, "#"), "include");
    const std::size_t open = rest.find_first_of("\"<");
    if (open == std::string::npos) continue;
    paths.push_back(rest.substr(open + 1, rest.find_first_of("\">", open + 1) - open - 1));
  }
  return paths;
}

bool ends_with_any(const std::string& path, const std::vector<std::string>& suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](const std::string& suffix) { return path.ends_with(suffix); });
}
bool is_cxx(const std::string& path) { return ends_with_any(path, {".hpp", ".cpp", ".cuh", ".cu"}); }

/// Whether a path lies in a stage's folder: stageN_name/...
bool in_stage(const std::string& path) {
  return starts_with(path, "stage") && path.size() > 7 &&
         std::isdigit(static_cast<unsigned char>(path[5])) != 0 && path[6] == '_' &&
         path.find('/') != std::string::npos;
}

/// Whether an included path is one of this repository rather than a library's.
bool names_a_room(const std::string& what) {
  return starts_with(what, "shared/") || starts_with(what, "tests/") || in_stage(what);
}

/// The rooms that the tree has, in the order of rooms().
std::vector<std::string> rooms_in(const Files& files) {
  std::set<std::string> found;
  for (const File& file : files)
    if (const std::string room = room_of(file.path); !room.empty() && room != "tests" && is_cxx(file.path))
      found.insert(room);
  std::vector<std::string> ordered;
  for (const std::string& room : rooms())
    if (found.count(room) > 0) ordered.push_back(room);
  return ordered;
}

}  // namespace

const std::vector<std::string>& rooms() {
  static const std::vector<std::string> floors = {"base",    "model",    "check",         "data",    "device",
                                                  "simt",    "tile",     "tile/pictures", "train",   kStages,
                                                  "records", "baseline", "spak",          kRegistry, "report",
                                                  "parity",  "speed",    "checklist",     "cli"};
  return floors;
}

std::string room_of(const std::string& path) {
  if (starts_with(path, "tests/")) return "tests";
  if (in_stage(path)) return kStages;
  if (path == "shared/stages.hpp" || path == "shared/stages.cpp") return kRegistry;
  if (!starts_with(path, "shared/")) return {};
  const std::size_t last = path.rfind('/');
  std::string folder = last <= 6 ? std::string() : path.substr(7, last - 7);
  // A folder inside a room belongs to it unless it is a room itself.
  while (!folder.empty() && floor_of(folder) == rooms().size())
    folder.resize(folder.find('/') == std::string::npos ? 0 : folder.rfind('/'));
  return folder == kStages || folder == kRegistry ? std::string() : folder;
}

namespace {

/// "a.hpp includes b.hpp: model may not include from train".
std::string refusal(const std::string& from, const std::string& what) {
  std::string text = from;
  text.append(" includes ").append(what).append(": ");
  const std::string there = room_of(what);
  if (there.empty()) return text.append("that lies in no room");
  return text.append(room_of(from)).append(" may not include from ").append(there);
}

}  // namespace

Faults include_faults(const Files& files) {
  Faults faults;
  for (const File& file : files) {
    if (!is_cxx(file.path) || (room_of(file.path).empty() && !is_workshop(file.path))) continue;
    for (const std::string& what : included_by(file)) {
      if (what.find("../") != std::string::npos)
        faults.push_back(file.path + " includes " + what + ": write it from the root");
      if (!names_a_room(what)) continue;
      if (may_include(file.path, what)) continue;
      faults.push_back(refusal(file.path, what));
    }
  }
  return faults;
}

Faults homeless_faults(const Files& files) {
  const std::set<std::string> at_the_top = {"shared/CMakeLists.txt", kMap};
  Faults faults;
  std::set<std::string> with_build;
  for (const File& file : files) {
    if (!starts_with(file.path, "shared/")) continue;
    if (room_of(file.path).empty() && !is_workshop(file.path) && at_the_top.count(file.path) == 0)
      faults.push_back(file.path + ": lies in no room");
    if (ends_with_any(file.path, {".h", ".hh", ".hxx", ".inc", ".inl", ".ipp", ".c", ".cc", ".cxx", ".c++"}))
      faults.push_back(file.path + ": C++ is called .hpp, .cpp, .cuh or .cu here, which the rules read");
    if (file.path == "shared/" + room_of(file.path) + "/CMakeLists.txt")
      with_build.insert(room_of(file.path));
  }
  for (const std::string& room : rooms_in(files))
    if (room != kStages && room != kRegistry && with_build.count(room) == 0)
      faults.push_back("shared/" + room + ": a room without a CMakeLists.txt of its own");
  return faults;
}

Faults map_faults(const Files& files) {
  const auto map =
      std::find_if(files.begin(), files.end(), [](const File& file) { return file.path == kMap; });
  if (map == files.end()) return {std::string(kMap) + " is missing"};
  // A room's line in the table begins with its name in backquotes and a slash.
  std::vector<std::string> named;
  for (const std::string& line : lines_of(map->text))
    if (const std::string rest = behind(line, "| `"); rest.find("/` |") != std::string::npos)
      named.push_back(rest.substr(0, rest.find("/` |")));
  std::vector<std::string> expected = rooms_in(files);
  std::erase(expected, std::string(kRegistry));
  std::erase(expected, std::string(kStages));
  Faults faults;
  for (const std::string& room : expected)
    if (std::count(named.begin(), named.end(), room) != 1)
      faults.push_back(std::string(kMap) + ": the room " + room + "/ must have one line");
  for (const std::string& room : named)
    if (std::find(expected.begin(), expected.end(), room) == expected.end())
      faults.push_back(std::string(kMap) + ": there is no room " + room + "/");
  if (faults.empty() && named != expected)
    faults.push_back(std::string(kMap) + ": the rooms stand in another order");
  return faults;
}

}  // namespace ladder::house
