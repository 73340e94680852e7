# What `cmake --install` puts in place: the library with headers, CMake package and pkg-config file, the command line,
# and the models.
include(CMakePackageConfigHelpers)

set(TUTTI_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tutti)
set(TUTTI_MODELS_DIR ${CMAKE_INSTALL_DATADIR}/tutti/models)

install(TARGETS tutti EXPORT tuttiTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT tuttiTargets NAMESPACE tutti:: DESTINATION ${TUTTI_CMAKE_DIR})
install(DIRECTORY include/tutti DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(FILES include/tutti.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

configure_package_config_file(cmake/tuttiConfig.cmake.in tuttiConfig.cmake INSTALL_DESTINATION ${TUTTI_CMAKE_DIR}
                              PATH_VARS TUTTI_MODELS_DIR)
write_basic_package_version_file(tuttiConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tuttiConfig.cmake ${PROJECT_BINARY_DIR}/tuttiConfigVersion.cmake
        DESTINATION ${TUTTI_CMAKE_DIR})

# pkg-config finds the prefix from the file's own place, so an installed tree can be moved.
file(RELATIVE_PATH TUTTI_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/tutti.pc.in tutti.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tutti.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET tutti_cli)
  file(RELATIVE_PATH TUTTI_LIB_FROM_BIN /prefix/${CMAKE_INSTALL_BINDIR} /prefix/${CMAKE_INSTALL_LIBDIR})
  set_target_properties(tutti_cli PROPERTIES INSTALL_RPATH $ORIGIN/${TUTTI_LIB_FROM_BIN})
  install(TARGETS tutti_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY ${PROJECT_BINARY_DIR}/share/ DESTINATION ${CMAKE_INSTALL_DATADIR})  # man page, completion
endif()

install(FILES models/registry.json DESTINATION ${TUTTI_MODELS_DIR})
install(DIRECTORY models/demo-paraformer DESTINATION ${TUTTI_MODELS_DIR})
# Fetched by `make models`; a tree without them installs without them, and then the first use fetches them.
foreach(model whisper-base fsmn-vad)
  install(DIRECTORY .cache/models/${model} DESTINATION ${TUTTI_MODELS_DIR} OPTIONAL)
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
