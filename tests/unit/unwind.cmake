# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(unwind_test unwind_oracle.cpp unwind_table_test.cpp)
target_link_libraries(unwind_test PRIVATE asrtrace_unwind PkgConfig::DW GTest::gtest_main)
gtest_discover_tests(unwind_test)
