# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# SOURCES... of this directory are compiled by themselves and without optimisation: command lines,
# JSON and TOML, which are read or written once. Half of what these headers cost to compile is their
# optimisation.
function(asrtrace_compile_quickly)
  if(ASRTRACE_CHECKED)
    return()  # options of its own would take a source out of its unit
  endif()
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "-O0;-g1")
endfunction()
