# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(make_trace make_trace.cpp)
target_link_libraries(make_trace PRIVATE asrtrace_trace)
add_executable(replay_command replay_command.cpp)
target_link_libraries(replay_command PRIVATE asrtrace_replay_verbs)
