# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# asrtrace_embed(OUTPUT NAMESPACE FILES...): writes OUTPUT (in the binary directory), a header with
# the bytes of each file as `inline constexpr std::string_view kNameExt`. Also the script that does it:
# cmake -DOUTPUT=... -DNAMESPACE=... -DFILES=A;B -P embed.cmake.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(ASRTRACE_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
  function(asrtrace_embed output namespace)
    list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE files)
    add_custom_command(
      OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${output}
      COMMAND ${CMAKE_COMMAND} -DOUTPUT=${CMAKE_CURRENT_BINARY_DIR}/${output}
              -DNAMESPACE=${namespace} "-DFILES=${files}" -P ${ASRTRACE_EMBED_SCRIPT}
      DEPENDS ${files} ${ASRTRACE_EMBED_SCRIPT}
      COMMENT "Embedding into ${output}"
      VERBATIM)
  endfunction()
  return()
endif()

set(text "// Written by cmake/embed.cmake.\n#pragma once\n\n#include <string_view>\n\n")
string(APPEND text "namespace ${NAMESPACE} {\n\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "[^a-zA-Z0-9]+" ";" words ${name})
  set(identifier k)
  foreach(word ${words})
    string(SUBSTRING ${word} 0 1 first)
    string(SUBSTRING ${word} 1 -1 rest)
    string(TOUPPER ${first} first)
    string(APPEND identifier ${first}${rest})
  endforeach()
  # As numbers: a string literal of a compiler need not hold more than 64 KiB.
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND text "inline constexpr char ${identifier}Bytes[] = {${bytes}'\\0'};\n")
  string(APPEND text "inline constexpr std::string_view ${identifier}"
    "(${identifier}Bytes, sizeof ${identifier}Bytes - 1);\n\n")
endforeach()
string(APPEND text "}  // namespace ${NAMESPACE}\n")
file(WRITE ${OUTPUT} "${text}")
