# Turns a text file into a C++ source that defines one `const std::string_view`.
#
# Two uses of one file:
#   include(data/embed.cmake): declares the rule for the embedded names; LADDER_EMBEDDED_NAMES_SOURCE is their source;
#   cmake -D INPUT=... -D OUTPUT=... -D SYMBOL=... -D HEADER=... -P embed.cmake: what that rule runs, writes the source.

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  foreach(argument INPUT OUTPUT SYMBOL HEADER)
    if(NOT DEFINED ${argument})
      message(FATAL_ERROR "embed.cmake: -D ${argument}=... is missing")
    endif()
  endforeach()
  # Strings are read as lines: a compiler need only accept short literals, and a diff of the output stays readable.
  file(STRINGS "${INPUT}" lines ENCODING UTF-8)
  get_filename_component(source_name "${INPUT}" NAME)
  set(text "// Generated from ${source_name} by embed.cmake.\n#include \"${HEADER}\"\n\n")
  string(APPEND text "namespace ladder {\n\nconst std::string_view ${SYMBOL} =\n")
  foreach(line IN LISTS lines)
    string(REPLACE "\\" "\\\\" line "${line}")
    string(REPLACE "\"" "\\\"" line "${line}")
    string(APPEND text "    \"${line}\\n\"\n")
  endforeach()
  string(APPEND text "    ;\n\n}  // namespace ladder\n")
  file(WRITE "${OUTPUT}" "${text}")
  return()
endif()

# Remembered here because inside a function CMAKE_CURRENT_LIST_FILE is the caller's.
set(LADDER_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")

# ladder_embed_text(<variable> <text file> <symbol> <header, from the repository root>)
# <variable> becomes the path of a generated source that defines ladder::<symbol>, which <header> declares.
function(ladder_embed_text variable input symbol header)
  set(output "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp")
  add_custom_command(
    OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" -D "INPUT=${input}" -D "OUTPUT=${output}" -D "SYMBOL=${symbol}" -D "HEADER=${header}"
            -P "${LADDER_EMBED_SCRIPT}"
    DEPENDS "${input}" "${LADDER_EMBED_SCRIPT}"
    COMMENT "Embedding ${input}"
    VERBATIM)
  set(${variable} "${output}" PARENT_SCOPE)
endfunction()

ladder_embed_text(LADDER_EMBEDDED_NAMES_SOURCE "${CMAKE_CURRENT_LIST_DIR}/names.txt" embedded_names
                  shared/data/embedded_names.hpp)
