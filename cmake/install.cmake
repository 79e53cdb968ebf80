# Header, both libraries, the command line, what find_package(tare) and pkg-config read, and the headers of definition files:
# <tare/build/def.h> for families from outside.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tare)

install(TARGETS tare_shared tare_static EXPORT tare)
install(TARGETS tare_cli)
install(FILES include/tare.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES src/build/def.h src/build/names.h src/build/nn.h src/build/blocks.h src/build/rules.h src/build/init.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tare/build)
install(FILES src/core/arena.h src/core/family.h src/core/val.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tare/core)
install(FILES docs/tare.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES cli/completion/tare.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME tare)
install(FILES cli/completion/_tare DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)

install(EXPORT tare NAMESPACE tare:: FILE tareTargets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/tareConfig.cmake.in ${PROJECT_BINARY_DIR}/gen/tareConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gen/tareConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gen/tareConfig.cmake ${PROJECT_BINARY_DIR}/gen/tareConfigVersion.cmake DESTINATION ${package_dir})
# A prefix relative to the file itself, so that a staged or moved tree works.
file(RELATIVE_PATH PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/tare.pc.in gen/tare.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/gen/tare.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
