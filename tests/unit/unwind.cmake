# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(unwind_test
  unwind_cache_test.cpp unwind_cfi_test.cpp unwind_oracle.cpp unwind_space_test.cpp
  unwind_table_test.cpp unwind_target_test.cpp)
target_link_libraries(unwind_test PRIVATE asrtrace_unwind PkgConfig::DW GTest::gtest_main)
gtest_discover_tests(unwind_test)
