# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(governor_test governor_test.cpp ${CMAKE_SOURCE_DIR}/tools/asrtrace/governor.cpp)
target_link_libraries(governor_test PRIVATE asrtrace_base fmt::fmt GTest::gtest_main)
gtest_discover_tests(governor_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)

add_executable(notes_test notes_test.cpp ${CMAKE_SOURCE_DIR}/tools/asrtrace/notes.cpp)
target_link_libraries(notes_test PRIVATE asrtrace_base GTest::gtest_main)
gtest_discover_tests(notes_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)

# Rules of when what is not followed is looked for.
add_executable(watch_test
  http_audit_test.cpp mapping_balance_test.cpp ${CMAKE_SOURCE_DIR}/user/capture/http_audit.cpp
  ${CMAKE_SOURCE_DIR}/tools/asrtrace/mapping_balance.cpp)
target_link_libraries(watch_test PRIVATE GTest::gtest_main)
gtest_discover_tests(watch_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)

add_executable(process_tree_test huge_pages_test.cpp process_test.cpp process_tree_test.cpp
  ${CMAKE_SOURCE_DIR}/user/capture/process.cpp
  ${CMAKE_SOURCE_DIR}/user/capture/huge_pages.cpp
  ${CMAKE_SOURCE_DIR}/user/capture/process_tree.cpp ${CMAKE_SOURCE_DIR}/user/capture/sampler.cpp
  ${CMAKE_SOURCE_DIR}/user/capture/cgroup.cpp)
target_link_libraries(process_tree_test PRIVATE asrtrace_base GTest::gtest_main)
gtest_discover_tests(process_tree_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)

add_executable(terminal_test terminal_test.cpp ${CMAKE_SOURCE_DIR}/tools/asrtrace/terminal.cpp)
target_link_libraries(terminal_test PRIVATE asrtrace_base asrtrace_symbols GTest::gtest_main)
gtest_discover_tests(terminal_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)
