# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# One ctest entry a file. They need root and BPF, and fail where these are missing. Serial: they
# measure rates, and count what the kernel holds.

function(asrtrace_live_test name timeout_seconds)
  add_test(NAME live.${name}
    COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/${name}_test.py)
  set_tests_properties(live.${name} PROPERTIES
    LABELS live
    RUN_SERIAL TRUE
    TIMEOUT ${timeout_seconds}
    ENVIRONMENT ASRTRACE_BUILD_DIR=${CMAKE_BINARY_DIR})
endfunction()

asrtrace_live_test(exactness 180)
asrtrace_live_test(rate 180)
asrtrace_live_test(cost 120)
asrtrace_live_test(faults 120)
asrtrace_live_test(mappings 120)
asrtrace_live_test(sites 240)
asrtrace_live_test(detach 240)
asrtrace_live_test(failures 180)
asrtrace_live_test(awkward 180)
asrtrace_live_test(injection 240)
asrtrace_live_test(cgroup 120)
asrtrace_live_test(hostile 240)
asrtrace_live_test(requests 180)
asrtrace_live_test(http 300)
asrtrace_live_test(http_edges 120)
asrtrace_live_test(http_paths 180)
asrtrace_live_test(files 120)
asrtrace_live_test(trust 120)
asrtrace_live_test(raw 120)
asrtrace_live_test(rebuilt 120)
asrtrace_live_test(worker 300)
asrtrace_live_test(verdict 400)
asrtrace_live_test(roots 180)
asrtrace_live_test(trampoline 120)
asrtrace_live_test(moving 120)
asrtrace_live_test(follow 120)
asrtrace_live_test(endurance 120)
asrtrace_live_test(debuginfod 120)
asrtrace_live_test(run 120)
asrtrace_live_test(gate 300)
asrtrace_live_test(screen 300)
asrtrace_live_test(soak 240)
asrtrace_live_test(experiment 300)
