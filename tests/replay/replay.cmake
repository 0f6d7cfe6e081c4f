# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A trace, the committed one or one that was just written, gives its golden report byte for byte.
add_executable(make_trace make_trace.cpp)
target_link_libraries(make_trace PRIVATE asrtrace_trace)
add_executable(replay_command replay_command.cpp)
target_link_libraries(replay_command PRIVATE asrtrace_replay_verbs)

set(REPLAY_OUT ${CMAKE_CURRENT_BINARY_DIR})
set(REPLAY_TRACES ${CMAKE_SOURCE_DIR}/traces)
add_test(NAME replay.make_trace COMMAND make_trace ${REPLAY_OUT}/written.asrtrace)
set_tests_properties(replay.make_trace PROPERTIES FIXTURES_SETUP written_trace LABELS replay)
function(asrtrace_golden_test name trace)
  add_test(NAME replay.${name}
    COMMAND ${CMAKE_COMMAND} -DCOMMAND=$<TARGET_FILE:replay_command> -DTRACE=${trace}
            -DGOLDEN=${CMAKE_CURRENT_SOURCE_DIR}/golden/synthetic -DOUT=${REPLAY_OUT}/${name}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/golden.cmake)
  set_tests_properties(replay.${name} PROPERTIES LABELS replay)
endfunction()
asrtrace_golden_test(committed ${REPLAY_TRACES}/synthetic.asrtrace)
asrtrace_golden_test(written ${REPLAY_OUT}/written.asrtrace)
set_tests_properties(replay.written PROPERTIES FIXTURES_REQUIRED written_trace)

find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME replay.flame_xml
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/flame_xml_test.py
          $<TARGET_FILE:make_trace> $<TARGET_FILE:replay_command>)
set_tests_properties(replay.flame_xml PROPERTIES LABELS replay)

add_test(NAME replay.analyze
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/analyze_test.py
          $<TARGET_FILE:replay_command> ${CMAKE_SOURCE_DIR}/tests/data)
set_tests_properties(replay.analyze PROPERTIES LABELS replay)
add_test(NAME replay.recorded
  COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/recorded_test.py
          $<TARGET_FILE:replay_command> ${REPLAY_TRACES})
set_tests_properties(replay.recorded PROPERTIES LABELS replay)
add_test(NAME replay.check
  COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/check_test.py
          $<TARGET_FILE:replay_command> ${REPLAY_TRACES})
set_tests_properties(replay.check PROPERTIES LABELS replay)
add_test(NAME replay.profile_formats
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/profile_formats_test.py
          $<TARGET_FILE:make_trace> $<TARGET_FILE:replay_command>)
set_tests_properties(replay.profile_formats PROPERTIES LABELS replay)
if(NOT ASRTRACE_CHECKED)  # the whole command, a browser and npm: no memory of ours
  add_test(NAME replay.help
    COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/help_test.py $<TARGET_FILE:asrtrace>)
  set_tests_properties(replay.help PROPERTIES LABELS replay)
  add_test(NAME replay.kernels
    COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/kernels_test.py $<TARGET_FILE:asrtrace>
            ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/tests/vm)
  set_tests_properties(replay.kernels PROPERTIES LABELS replay)
  add_test(NAME replay.html
    COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/html_test.py
            $<TARGET_FILE:make_trace> $<TARGET_FILE:replay_command>)
  set_tests_properties(replay.html PROPERTIES LABELS replay TIMEOUT 600)
  add_test(NAME replay.profile_readers
    COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/profile_readers_test.py
            $<TARGET_FILE:make_trace> $<TARGET_FILE:replay_command> ${CMAKE_BINARY_DIR}/readers)
  set_tests_properties(replay.profile_readers PROPERTIES LABELS replay TIMEOUT 600)
endif()
