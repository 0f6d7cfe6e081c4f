# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The verdict on a characterization run.
add_executable(soak_tests
  experiment_figures_test.cpp
  experiment_trial_test.cpp
  experiment_variant_test.cpp
  load_test.cpp
  report_experiment_test.cpp
  report_soak_run_test.cpp
  report_soak_test.cpp
  soak_csv_test.cpp
  soak_plan_test.cpp
  soak_processes_test.cpp
  soak_verdict_test.cpp)
target_compile_definitions(soak_tests PRIVATE ASRTRACE_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
target_link_libraries(soak_tests PRIVATE
  asrtrace_load asrtrace_soak asrtrace_report nlohmann_json::nlohmann_json GTest::gtest_main)
gtest_discover_tests(soak_tests PROPERTIES LABELS unit)
