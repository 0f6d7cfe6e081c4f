# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(heap_test heap_debug_layout_test.cpp heap_hostile_test.cpp heap_image_builder.cpp heap_layouts_test.cpp
  heap_mapping_books_test.cpp heap_paced_memory_test.cpp heap_reach_test.cpp heap_walker_test.cpp)
target_link_libraries(heap_test PRIVATE asrtrace_heap GTest::gtest_main)
gtest_discover_tests(heap_test TEST_PREFIX heap. PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)
