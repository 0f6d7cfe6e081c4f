# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Flags for everything of ours. Frame pointers stay on: our own binaries are targets of the tests.
add_compile_options(
  -Wall -Wextra -Wconversion -Wshadow
  -fno-omit-frame-pointer)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
  add_compile_options(-mno-omit-leaf-frame-pointer)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Takes the types of an included source for those of a header.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
endif()
if(ASRTRACE_WERROR)
  add_compile_options(-Werror)
endif()
if(ASRTRACE_SANITIZERS)
  add_compile_options(-fsanitize=${ASRTRACE_SANITIZERS} -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${ASRTRACE_SANITIZERS})
endif()

# Of asrtrace itself lines and functions are enough for a backtrace: the rest is a third of what it
# takes to compile. What is traced and tested has all of it.
set(ASRTRACE_OWN_OPTIONS $<$<NOT:$<CONFIG:Debug>>:-g1>)
