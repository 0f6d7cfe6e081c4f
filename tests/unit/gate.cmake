# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(gate_tests gate_evaluate_test.cpp gate_policy_test.cpp gate_verdict_test.cpp)
target_link_libraries(gate_tests PRIVATE
  asrtrace_gate asrtrace_trace nlohmann_json::nlohmann_json GTest::gtest_main)
target_compile_definitions(gate_tests PRIVATE POLICY_DOCUMENT="${CMAKE_SOURCE_DIR}/docs/policy.md")
gtest_discover_tests(gate_tests PROPERTIES LABELS unit)
