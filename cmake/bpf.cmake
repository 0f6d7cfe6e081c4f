# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# asrtrace_bpf_object(NAME SOURCES...): compiles each .bpf.c, links them into one object with
# `bpftool gen object` and writes NAME.skel.h. The kernel's types come from vmlinux/, never from the
# machine that builds.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
  set(BPF_TARGET_ARCH arm64)
else()
  set(BPF_TARGET_ARCH x86)
endif()

function(asrtrace_bpf_object name)
  set(objects)
  foreach(source ${ARGN})
    get_filename_component(stem ${source} NAME_WE)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${stem}.bpf.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${BPF_CLANG} -g -O2 -target bpf -mcpu=v3 -std=gnu11
              -D__TARGET_ARCH_${BPF_TARGET_ARCH} -Wall -Werror
              -Wno-missing-declarations -Wno-compare-distinct-pointer-types
              -I${CMAKE_SOURCE_DIR}/vmlinux -I${CMAKE_SOURCE_DIR}/vmlinux/${BPF_TARGET_ARCH}
              -I${CMAKE_SOURCE_DIR} --sysroot=${CMAKE_SYSROOT}/
              -idirafter ${CMAKE_SYSROOT}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
              -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      COMMENT "BPF ${stem}"
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(linked ${CMAKE_CURRENT_BINARY_DIR}/${name}.linked.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${BPFTOOL} gen object ${linked} ${objects}
    COMMAND ${BPFTOOL} gen skeleton ${linked} name ${name} > ${skeleton}
    DEPENDS ${objects}
    COMMENT "BPF skeleton ${name}"
    VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS ${skeleton})
  add_library(${name}_bpf INTERFACE)
  add_dependencies(${name}_bpf ${name}_skeleton)
  target_include_directories(${name}_bpf SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
