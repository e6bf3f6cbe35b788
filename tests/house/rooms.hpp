// The rooms of house.md as a machine reads them: which folder may include from which.
#pragma once

#include <string>
#include <vector>

#include "tests/house/rules.hpp"

namespace ladder::house {

/// The rooms that hold code of the program, lowest floor first; a room includes from itself and from those above it in
/// this list. The stages' folders share one floor, "stages": none includes from another.
const std::vector<std::string>& rooms();

/// The room of a file: "base" for shared/base/hash.hpp, "tile/pictures" for shared/tile/pictures/flow.cpp, "stages" for
/// a stage's folder, "stages.*" for the file that names them, "tests"; empty when it lies in no room.
std::string room_of(const std::string& path);

/// Includes that run up or sideways, naming both files.
Faults include_faults(const Files& files);

/// Files of shared/ that lie in no room, and rooms without a CMakeLists.txt of their own.
Faults homeless_faults(const Files& files);

/// shared/HACKING.md names every room that the tree has, once, in this order, and none that it does not have.
Faults map_faults(const Files& files);

}  // namespace ladder::house
