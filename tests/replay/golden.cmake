# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Run with -DCOMMAND=... -DTRACE=... -DGOLDEN=... -DOUT=...: replays TRACE and compares text, JSON and
# folded stacks with GOLDEN.txt, .json and .folded, and the gate's verdict, which is a failure, with
# GOLDEN.check, .xml and .md. With ASRTRACE_BLESS in the environment the
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
execute_process(
  COMMAND ${COMMAND} check ${TRACE} --policy ${CMAKE_CURRENT_LIST_DIR}/policy.toml
          --junit ${OUT}.xml --markdown ${OUT}.md
  OUTPUT_FILE ${OUT}.check RESULT_VARIABLE status)
if(NOT status EQUAL 1)
  message(FATAL_ERROR "check ended with ${status}")
endif()
foreach(kind txt json folded check xml md)
  if(DEFINED ENV{ASRTRACE_BLESS})
    file(COPY_FILE ${OUT}.${kind} ${GOLDEN}.${kind})
  endif()
  execute_process(COMMAND diff -u ${GOLDEN}.${kind} ${OUT}.${kind} RESULT_VARIABLE different)
  if(NOT different EQUAL 0)
    message(FATAL_ERROR "${GOLDEN}.${kind} differs")
  endif()
endforeach()
