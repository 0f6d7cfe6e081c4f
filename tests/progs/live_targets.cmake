# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
if(ASRTRACE_SANITIZE)
  return()
endif()

# NAME SOURCES...: a program in <build>/progs, bound at start so that no lazy binding is traced.
function(asrtrace_target_program name)
  add_executable(${name} ${ARGN})
  target_compile_options(${name} PRIVATE -fno-builtin)
  target_link_options(${name} PRIVATE -Wl,-z,now)
  target_link_libraries(${name} PRIVATE Threads::Threads)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/progs)
endfunction()

asrtrace_target_program(alloc_mix alloc_mix.cpp alloc_truth.cpp handshake.cpp)
asrtrace_target_program(alloc_rate alloc_rate.cpp alloc_truth.cpp handshake.cpp)
asrtrace_target_program(touch_pages touch_pages.cpp handshake.cpp)
asrtrace_target_program(edge_stack edge_stack.cpp handshake.cpp)
asrtrace_target_program(map_bytes map_bytes.cpp handshake.cpp)
asrtrace_target_program(throwing_requests throwing_requests.cpp handshake.cpp)
asrtrace_target_program(leaky_requests leaky_requests.cpp handshake.cpp)
asrtrace_target_program(idle idle.cpp handshake.cpp)
asrtrace_target_program(exits_soon exits_soon.cpp handshake.cpp)
asrtrace_target_program(forks forks.cpp handshake.cpp)

asrtrace_target_program(static_idle idle.cpp handshake.cpp)
target_link_options(static_idle PRIVATE -static)
asrtrace_target_program(static_idle_stripped idle.cpp handshake.cpp)
target_link_options(static_idle_stripped PRIVATE -static -s)
