// Pictures by Graphviz, or its text where it is not there.
#pragma once

#include <filesystem>
#include <string>

namespace ladder::cli {

/// Throws InputError for a name that ends with none of .svg, .dot and .gv.
void require_picture_name(const std::string& output);

/// The file of Graphviz's text where a picture was asked for and there is none; "" where none was asked for.
std::filesystem::path dot_instead_of(const std::filesystem::path& output);

/// Writes `dot` where the name asks for it or where there is no Graphviz, or it takes too long, otherwise SVG; tells which.
void write_picture(const std::filesystem::path& output, const std::string& dot);

}  // namespace ladder::cli
