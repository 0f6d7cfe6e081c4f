# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(ledger_test
  decode_test.cpp
  ledger_blocks_test.cpp
  ledger_http_test.cpp
  ledger_late_unmap_test.cpp
  ledger_leaking_size_test.cpp
  ledger_mappings_test.cpp
  ledger_marking_test.cpp
  ledger_paths_test.cpp
  ledger_processes_test.cpp
  ledger_requests_test.cpp
  ledger_windows_test.cpp)
target_link_libraries(ledger_test PRIVATE asrtrace_ledger asrtrace_decode GTest::gtest_main)
gtest_discover_tests(ledger_test PROPERTIES LABELS unit DISCOVERY_TIMEOUT 60)
