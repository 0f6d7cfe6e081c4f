# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(confinement_test confinement_test.cpp)
target_link_libraries(confinement_test PRIVATE asrtrace_base GTest::gtest_main)
gtest_discover_tests(confinement_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)
