# Text files inside the program. Two uses of one file:
#   include(LadderEmbed): declares ladder_embed(), the rule;
#   cmake -D INPUT=... -D OUTPUT=... -D SYMBOL=... -D HEADER=... -P LadderEmbed.cmake: what that rule runs, writes a C++
#   source that defines `const std::string_view SYMBOL`, the bytes of INPUT.

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  foreach(argument INPUT OUTPUT SYMBOL HEADER)
    if(NOT DEFINED ${argument})
      message(FATAL_ERROR "LadderEmbed.cmake: -D ${argument}=... is missing")
    endif()
  endforeach()
  # As a whole, never as a list of lines: that would stumble over the brackets, semicolons and backslashes of code.
  # One literal a line, so that no line of the output is an #include: ./ladder test --ci looks for those.
  file(READ "${INPUT}" text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "??" "?\\?" text "${text}")  # no trigraphs
  string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
  get_filename_component(source_name "${INPUT}" NAME)
  # With its length said by the suffix: a compiler that has to count a long text takes ten times as long.
  file(WRITE "${OUTPUT}"
       "// Generated from ${source_name} by LadderEmbed.cmake.\n#include \"${HEADER}\"\n\n"
       "namespace ladder {\n\nusing namespace std::string_view_literals;\n\n"
       "const std::string_view ${SYMBOL} =\n    \"${text}\"sv;\n\n}  // namespace ladder\n")
  return()
endif()

# Remembered here because inside a function CMAKE_CURRENT_LIST_FILE is the caller's.
set(LADDER_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")

# ladder_embed(<variable> <text file> <symbol> <header, from the repository root>)
# <variable> becomes the path of a generated source that defines ladder::<symbol>, which <header> declares.
function(ladder_embed variable input symbol header)
  set(output "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp")
  set(input "${CMAKE_CURRENT_SOURCE_DIR}/${input}")
  add_custom_command(
    OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" -D "INPUT=${input}" -D "OUTPUT=${output}" -D "SYMBOL=${symbol}" -D "HEADER=${header}"
            -P "${LADDER_EMBED_SCRIPT}"
    DEPENDS "${input}" "${LADDER_EMBED_SCRIPT}"
    COMMENT "Embedding ${input}"
    VERBATIM)
  set(${variable} "${output}" PARENT_SCOPE)
endfunction()
