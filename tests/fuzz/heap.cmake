# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The census over heap images. The library's sources are compiled again, with coverage.
add_executable(heap_seeds heap_seeds.cpp ${CMAKE_SOURCE_DIR}/tests/unit/heap_image_builder.cpp)
target_link_libraries(heap_seeds PRIVATE asrtrace_heap)
set_target_properties(heap_seeds PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/fuzz)
if(ASRTRACE_FUZZ)
  get_target_property(heap_sources asrtrace_heap SOURCES)
  list(TRANSFORM heap_sources PREPEND ${CMAKE_SOURCE_DIR}/user/heap/)
  get_target_property(heap_base_sources asrtrace_base SOURCES)
  list(TRANSFORM heap_base_sources PREPEND ${CMAKE_SOURCE_DIR}/user/base/)
  add_executable(heap_image_fuzz heap_image_fuzz.cpp ${heap_sources} ${heap_base_sources})
  target_compile_options(heap_image_fuzz PRIVATE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=undefined)
  target_link_options(heap_image_fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
endif()
