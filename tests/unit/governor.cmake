# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(governor_test governor_test.cpp ${CMAKE_SOURCE_DIR}/tools/asrtrace/governor.cpp)
target_link_libraries(governor_test PRIVATE asrtrace_base fmt::fmt GTest::gtest_main)
gtest_discover_tests(governor_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)

add_executable(mapping_balance_test
  mapping_balance_test.cpp ${CMAKE_SOURCE_DIR}/tools/asrtrace/mapping_balance.cpp)
target_link_libraries(mapping_balance_test PRIVATE GTest::gtest_main)
gtest_discover_tests(mapping_balance_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)
