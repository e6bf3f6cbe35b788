# cmake -D INPUT=... -D OUTPUT=... -D SYMBOL=... -D HEADER=... -P embed_file.cmake: writes a C++ source that defines
# `const std::string_view SYMBOL`, the bytes of INPUT as one raw literal. For files that are code: list handling, as in
# shared/data/embed.cmake, would stumble over their brackets and semicolons.
foreach(argument INPUT OUTPUT SYMBOL HEADER)
  if(NOT DEFINED ${argument})
    message(FATAL_ERROR "embed_file.cmake: -D ${argument}=... is missing")
  endif()
endforeach()
file(READ "${INPUT}" text)
get_filename_component(source_name "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "// Generated from ${source_name} by embed_file.cmake.\n#include \"${HEADER}\"\n\n"
     "namespace ladder {\n\nconst std::string_view ${SYMBOL} = R\"embedded(${text})embedded\";\n\n}  // namespace ladder\n")
