# json-c, libcrypto and PCRE2. The archives, where they are installed and link, spare the command line the loading of shared
# libraries: with them it starts in half the time.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(json-c REQUIRED IMPORTED_TARGET json-c)
pkg_check_modules(libcrypto REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(libpcre2-8 REQUIRED IMPORTED_TARGET libpcre2-8)
set(shared_packages PkgConfig::json-c PkgConfig::libcrypto PkgConfig::libpcre2-8)
set(static_packages ${shared_packages})

find_library(JSONC_ARCHIVE libjson-c.a HINTS ${json-c_LIBRARY_DIRS} ${json-c_LIBDIR})
find_library(CRYPTO_ARCHIVE libcrypto.a HINTS ${libcrypto_LIBRARY_DIRS} ${libcrypto_LIBDIR})
find_library(PCRE2_ARCHIVE libpcre2-8.a HINTS ${libpcre2-8_LIBRARY_DIRS} ${libpcre2-8_LIBDIR})
mark_as_advanced(JSONC_ARCHIVE CRYPTO_ARCHIVE PCRE2_ARCHIVE)
if(JSONC_ARCHIVE AND CRYPTO_ARCHIVE AND PCRE2_ARCHIVE)
    if(NOT DEFINED TARE_ARCHIVES_LINK)
        try_compile(TARE_ARCHIVES_LINK ${PROJECT_BINARY_DIR}/probe ${PROJECT_SOURCE_DIR}/cmake/archives.c
            CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${json-c_INCLUDE_DIRS};${libcrypto_INCLUDE_DIRS};${libpcre2-8_INCLUDE_DIRS}"
            LINK_LIBRARIES ${JSONC_ARCHIVE} ${CRYPTO_ARCHIVE} ${PCRE2_ARCHIVE} Threads::Threads ${CMAKE_DL_LIBS} m)
    endif()
    if(TARE_ARCHIVES_LINK)
        set(static_packages ${JSONC_ARCHIVE} ${CRYPTO_ARCHIVE} ${PCRE2_ARCHIVE})
    endif()
endif()
target_include_directories(tare_flags INTERFACE ${json-c_INCLUDE_DIRS} ${libcrypto_INCLUDE_DIRS} ${libpcre2-8_INCLUDE_DIRS})
