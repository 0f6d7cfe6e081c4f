# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Where probes go: modules of the target, allocation functions, USDT. Without libbpf, so that it is
# tested and fuzzed without root.
add_library(asrtrace_probes STATIC
  byte_source.cpp
  call_sites.cpp
  disassembler.cpp
  elf_module.cpp
  elf_symbols.cpp
  module_file.cpp
  placement.cpp
  syscall_sites.cpp
  target_module.cpp
  allocator_family.cpp
  allocator_probes.cpp
  usdt_arguments.cpp
  usdt_operand.cpp
  usdt.cpp)
target_link_libraries(asrtrace_probes PUBLIC asrtrace_base PRIVATE PkgConfig::CAPSTONE)
