# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What `cmake --install` puts beside the program, and the Debian package of the tool alone:
# cpack --config build/release/CPackConfig.cmake. tools/package.sh does it and tries the package.
include(GNUInstallDirs)

add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/asrtrace.1.gz
  COMMAND ${CMAKE_SOURCE_DIR}/packaging/manual.sh $<TARGET_FILE:asrtrace>
          ${CMAKE_BINARY_DIR}/asrtrace.1.gz
  DEPENDS asrtrace ${CMAKE_SOURCE_DIR}/packaging/manual.sh
  COMMENT "Writing the manual page"
  VERBATIM)
add_custom_target(manual ALL DEPENDS ${CMAKE_BINARY_DIR}/asrtrace.1.gz)

install(TARGETS asrtrace COMPONENT asrtrace)
install(FILES ${CMAKE_BINARY_DIR}/asrtrace.1.gz
  DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT asrtrace)
install(FILES packaging/asrtrace.bash RENAME asrtrace
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT asrtrace)
# Where zsh looks for a package's on Debian, and for what was installed below /usr/local.
foreach(directory vendor-completions site-functions)
  install(FILES packaging/asrtrace.zsh RENAME _asrtrace
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${directory} COMPONENT asrtrace)
endforeach()
install(FILES README.md packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT asrtrace)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs COMPONENT asrtrace)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME asrtrace)
set(CPACK_PACKAGE_CONTACT "asrtrace developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "tells why the memory of a running process grows")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL asrtrace)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ASRTRACE_PACKAGE_NAME asrtrace)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION debug)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_ASRTRACE_PACKAGE_SUGGESTS "libdebuginfod1")
include(CPack)
