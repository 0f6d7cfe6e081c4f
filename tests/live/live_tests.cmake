# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# One ctest entry a file. They need root and BPF, and fail where these are missing. ALONE: measures
# times and rates, or lets nothing be lost at full speed. The others bear company, the longest first.

function(asrtrace_live_test name timeout_seconds)
  cmake_parse_arguments(PARSE_ARGV 2 is "ALONE" "" "")
  add_test(NAME live.${name}
    COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/${name}_test.py)
  set_tests_properties(live.${name} PROPERTIES
    LABELS live
    RUN_SERIAL ${is_ALONE}
    COST ${timeout_seconds}
    TIMEOUT ${timeout_seconds}
    ENVIRONMENT ASRTRACE_BUILD_DIR=${CMAKE_BINARY_DIR})
endfunction()

asrtrace_live_test(exactness 180 ALONE)
asrtrace_live_test(rate 180 ALONE)
asrtrace_live_test(cost 120 ALONE)
asrtrace_live_test(faults 120 ALONE)
asrtrace_live_test(mappings 300 ALONE)
asrtrace_live_test(sites 240 ALONE)
asrtrace_live_test(detach 240 ALONE)
asrtrace_live_test(failures 180 ALONE)
asrtrace_live_test(awkward 240)
asrtrace_live_test(exhaustion 240)
asrtrace_live_test(injection 240 ALONE)
asrtrace_live_test(cgroup 120 ALONE)
asrtrace_live_test(hostile 240)
asrtrace_live_test(requests 180 ALONE)
asrtrace_live_test(http 300 ALONE)
asrtrace_live_test(http_edges 300 ALONE)
asrtrace_live_test(http_paths 180 ALONE)
asrtrace_live_test(files 240)
asrtrace_live_test(trust 240)
asrtrace_live_test(raw 240)
asrtrace_live_test(rebuilt 240)
asrtrace_live_test(worker 300)
asrtrace_live_test(verdict 400)
asrtrace_live_test(many_lost 240)
asrtrace_live_test(roots 240)
asrtrace_live_test(trampoline 120 ALONE)
asrtrace_live_test(moving 240)
asrtrace_live_test(own_stack 240)
asrtrace_live_test(follow 240)
asrtrace_live_test(upgrades 400)
asrtrace_live_test(orphan 480 ALONE)
asrtrace_live_test(endurance 120 ALONE)
asrtrace_live_test(debuginfod 240)
asrtrace_live_test(run 240)
asrtrace_live_test(gate 300)
asrtrace_live_test(screen 300)
asrtrace_live_test(soak 600)
asrtrace_live_test(experiment 300 ALONE)
