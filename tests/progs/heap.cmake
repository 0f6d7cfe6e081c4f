# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Targets of the census. No sanitizer: their heap must be glibc's.
function(asrtrace_heap_target name)
  add_executable(${name} heap_target.cpp)
  target_compile_options(${name} PRIVATE -fno-builtin)
  target_link_options(${name} PRIVATE ${ARGN})
  target_link_libraries(${name} PRIVATE Threads::Threads)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/progs)
endfunction()
asrtrace_heap_target(heap_target)
asrtrace_heap_target(heap_target_stripped -s)
asrtrace_heap_target(heap_target_static -static)
asrtrace_heap_target(heap_target_static_stripped -static -s)
asrtrace_heap_target(heap_target_static_pie -static-pie)

# Another libc: to be named, not read.
if(CMAKE_CROSSCOMPILING)
  add_custom_target(heap_target_musl)  # musl-gcc is the machine's own
  return()
endif()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/progs/heap_target_musl
  COMMAND musl-gcc -O2 -o ${CMAKE_BINARY_DIR}/progs/heap_target_musl
    ${CMAKE_CURRENT_SOURCE_DIR}/heap_target_musl.c
  DEPENDS heap_target_musl.c VERBATIM)
add_custom_target(heap_target_musl ALL DEPENDS ${CMAKE_BINARY_DIR}/progs/heap_target_musl)
