# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Seeds: unwind_table_seeds/ and unwind_walk_seeds/, made by unwind_seeds.sh.
if(ASRTRACE_FUZZ)
  get_target_property(unwind_sources asrtrace_unwind SOURCES)
  list(TRANSFORM unwind_sources PREPEND ${CMAKE_SOURCE_DIR}/user/unwind/)
  get_target_property(unwind_base_sources asrtrace_base SOURCES)
  list(TRANSFORM unwind_base_sources PREPEND ${CMAKE_SOURCE_DIR}/user/base/)
  add_executable(unwind_table_fuzz unwind_table_fuzz.cpp ${unwind_sources} ${unwind_base_sources})
  target_link_libraries(unwind_table_fuzz PRIVATE PkgConfig::DW ZLIB::ZLIB Threads::Threads)
  add_executable(unwind_walk_fuzz unwind_walk_fuzz.cpp
    ${CMAKE_SOURCE_DIR}/tests/bpf_host/fake_target.cpp ${CMAKE_SOURCE_DIR}/tests/bpf_host/walker.c)
  target_include_directories(unwind_walk_fuzz BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/tests/bpf_host/shim)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/tests/bpf_host/walker.c PROPERTIES COMPILE_OPTIONS
    "-Wno-conversion;-Wno-sign-conversion;-Wno-unknown-pragmas;-Wno-unused-function;-Wno-pass-failed")
  foreach(name unwind_table_fuzz unwind_walk_fuzz)
    target_compile_options(${name} PRIVATE
      -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  endforeach()
endif()
