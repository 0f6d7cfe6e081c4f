# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# libFuzzer targets of what reads the target's files. The sources are compiled again, with coverage.
if(ASRTRACE_FUZZ)
  get_target_property(probes_sources asrtrace_probes SOURCES)
  list(TRANSFORM probes_sources PREPEND ${CMAKE_SOURCE_DIR}/user/capture/)
  get_target_property(base_sources asrtrace_base SOURCES)
  list(TRANSFORM base_sources PREPEND ${CMAKE_SOURCE_DIR}/user/base/)
  add_library(probes_fuzzed STATIC ${probes_sources} ${base_sources})
  target_compile_options(probes_fuzzed PUBLIC -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=undefined)
  target_link_libraries(probes_fuzzed PUBLIC PkgConfig::CAPSTONE)
  foreach(name probes_elf_fuzz probes_usdt_fuzz)
    add_executable(${name} ${name}.cpp)
    target_link_libraries(${name} PRIVATE probes_fuzzed)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  endforeach()
endif()
