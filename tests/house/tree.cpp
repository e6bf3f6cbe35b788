#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "tests/house/rules.hpp"

namespace ladder::house {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> tracked_paths(const std::string& root) {
  std::vector<std::string> paths;
  const std::string command = "git -C '" + root + "' ls-files -z 2>/dev/null";
  // NOLINTNEXTLINE(bugprone-unused-return-value): the closing function's result is of no interest here
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) return paths;
  std::string path;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) {
    if (c == 0) {
      paths.push_back(path);
      path.clear();
    } else {
      path += static_cast<char>(c);
    }
  }
  return paths;
}

/// Without git: everything but hidden folders, build folders and Python's caches.
std::vector<std::string> walked_paths(const std::string& root) {
  std::vector<std::string> paths;
  for (auto at = fs::recursive_directory_iterator(root); at != fs::recursive_directory_iterator(); ++at) {
    const std::string name = at->path().filename().string();
    if (at->is_directory() && (name.rfind("build", 0) == 0 || name == ".git" || name == "__pycache__"))
      at.disable_recursion_pending();
    else if (at->is_regular_file())
      paths.push_back(fs::relative(at->path(), root).generic_string());
  }
  return paths;
}

}  // namespace

Files read_tree(const std::string& root) {
  std::vector<std::string> paths = tracked_paths(root);
  if (paths.empty()) paths = walked_paths(root);
  Files files;
  for (const std::string& path : paths) {
    std::ifstream in(fs::path(root) / path, std::ios::binary);
    if (!in) continue;  // deleted, but not yet in the index
    std::ostringstream text;
    text << in.rdbuf();
    if (text.str().find('\0') == std::string::npos) files.push_back({path, text.str()});
  }
  return files;
}

}  // namespace ladder::house
