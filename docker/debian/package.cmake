# The Debian package: cmake --preset package && cmake --build --preset package && cpack --config build-package/CPackConfig.cmake
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME rolecall)
set(CPACK_PACKAGE_VENDOR rolecall)
set(CPACK_PACKAGE_CONTACT "rolecall maintainers <maintainers@rolecall.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "PostgreSQL proxy that knows which node holds which role")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Clients connect to one endpoint: writes go to the current primary, reads to
 replicas that are fresh enough, and server connections are pooled. When a node
 dies, reads move at once, writes wait for the next primary, and sessions stay
 connected where that is safe.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "postgresql-client")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_LIST_DIR}/postinst ${CMAKE_CURRENT_LIST_DIR}/prerm ${CMAKE_CURRENT_LIST_DIR}/postrm
  ${PROJECT_BINARY_DIR}/conffiles)
file(WRITE ${PROJECT_BINARY_DIR}/conffiles "/etc/rolecall/rolecall.conf.example\n")
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

# What Debian asks of a package's documentation.
configure_file(${CMAKE_CURRENT_LIST_DIR}/changelog.in ${PROJECT_BINARY_DIR}/changelog.Debian @ONLY)
configure_file(${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_BINARY_DIR}/changelog COPYONLY)
foreach(file changelog changelog.Debian)
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/${file}.gz COMMAND gzip -9nkf ${file} DEPENDS ${PROJECT_BINARY_DIR}/${file}
    WORKING_DIRECTORY ${PROJECT_BINARY_DIR} VERBATIM)
  list(APPEND changelogs ${PROJECT_BINARY_DIR}/${file}.gz)
endforeach()
add_custom_target(rolecall_changelogs ALL DEPENDS ${changelogs})
install(FILES ${changelogs} DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

include(CPack)
