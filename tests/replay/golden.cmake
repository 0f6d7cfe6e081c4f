# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Run with -DCOMMAND=... -DTRACE=... -DGOLDEN=... -DOUT=...: replays TRACE and compares text, JSON and
# folded stacks with GOLDEN.txt, .json and .folded. With ASRTRACE_BLESS in the environment the
# golden files are written instead.
execute_process(COMMAND ${COMMAND} report ${TRACE} --json ${OUT}.json
  OUTPUT_FILE ${OUT}.txt RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "report ended with ${status}")
endif()
execute_process(COMMAND ${COMMAND} flamegraph ${TRACE} --kind live --format folded -o ${OUT}.folded
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "flamegraph ended with ${status}")
endif()
foreach(kind txt json folded)
  if(DEFINED ENV{ASRTRACE_BLESS})
    file(COPY_FILE ${OUT}.${kind} ${GOLDEN}.${kind})
  endif()
  execute_process(COMMAND diff -u ${GOLDEN}.${kind} ${OUT}.${kind} RESULT_VARIABLE different)
  if(NOT different EQUAL 0)
    message(FATAL_ERROR "${GOLDEN}.${kind} differs")
  endif()
endforeach()
