# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Modules, placement, allocator discovery, USDT. The targets are plain programs, never sanitized:
# what is tested is what the tests find in them.
function(probes_target name)
  target_compile_options(${name} PRIVATE -fno-sanitize=all)
  target_link_options(${name} PRIVATE -fno-sanitize=all)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
endfunction()

add_executable(probes_plain probes_waiter.cpp)
add_executable(probes_static probes_waiter.cpp)
target_compile_definitions(probes_static PRIVATE WAITER_STATIC)
target_link_options(probes_static PRIVATE -static)
add_executable(probes_static_pie probes_waiter.cpp)
target_compile_definitions(probes_static_pie PRIVATE WAITER_STATIC)
target_compile_options(probes_static_pie PRIVATE -fPIE)
target_link_options(probes_static_pie PRIVATE -static-pie)
add_executable(probes_static_stripped probes_waiter.cpp)
target_compile_definitions(probes_static_stripped PRIVATE WAITER_STATIC)
target_link_options(probes_static_stripped PRIVATE -static -s)
add_executable(probes_usdt_pie probes_usdt_target.cpp)
target_compile_options(probes_usdt_pie PRIVATE -O2 -fPIE)
target_link_options(probes_usdt_pie PRIVATE -pie)
add_executable(probes_usdt_fixed probes_usdt_target.cpp)
target_compile_options(probes_usdt_fixed PRIVATE -O2 -fno-pie)
target_link_options(probes_usdt_fixed PRIVATE -no-pie)
set(probes_programs probes_plain probes_static probes_static_pie probes_static_stripped
  probes_usdt_pie probes_usdt_fixed)

# Stand-ins for allocators that are told by their symbols; none really replaces anything.
foreach(kind wrapper jemalloc tcmalloc mimalloc private musl)
  add_library(probes_${kind} MODULE probes_allocator_standin.cpp)
  string(TOUPPER ${kind} upper)
  target_compile_definitions(probes_${kind} PRIVATE STANDIN_${upper})
  target_compile_options(probes_${kind} PRIVATE -fno-builtin)
  target_link_options(probes_${kind} PRIVATE -nodefaultlibs)
  list(APPEND probes_programs probes_${kind})
endforeach()
target_link_options(probes_musl PRIVATE -Wl,-soname,libc.musl-x86_64.so.1)
foreach(program ${probes_programs})
  probes_target(${program})
endforeach()

add_executable(probes_test
  probes_allocator_test.cpp
  probes_child.cpp
  probes_elf_test.cpp
  probes_placement_test.cpp
  probes_syscall_test.cpp
  probes_usdt_run_test.cpp
  probes_usdt_test.cpp)
target_compile_definitions(probes_test PRIVATE PROBES_DIR="${CMAKE_CURRENT_BINARY_DIR}")
target_link_libraries(probes_test PRIVATE asrtrace_probes GTest::gtest_main)
add_dependencies(probes_test ${probes_programs})
gtest_discover_tests(probes_test PROPERTIES LABELS unit)
