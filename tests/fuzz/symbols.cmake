# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Seeds: symbols_seeds/, made by symbols_seeds/make.sh.
if(ASRTRACE_FUZZ)
  get_target_property(symbols_sources asrtrace_symbols SOURCES)
  list(TRANSFORM symbols_sources PREPEND ${CMAKE_SOURCE_DIR}/user/symbols/)
  add_executable(symbols_lookup_fuzz symbols_lookup_fuzz.cpp ${symbols_sources})
  target_compile_options(symbols_lookup_fuzz PRIVATE
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined)
  target_link_options(symbols_lookup_fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
  get_target_property(symbols_libraries asrtrace_symbols LINK_LIBRARIES)
  target_link_libraries(symbols_lookup_fuzz PRIVATE ${symbols_libraries})
  target_include_directories(symbols_lookup_fuzz SYSTEM PRIVATE ${IBERTY_INCLUDE})
endif()
