# How everything is compiled and linked: tare_flags for objects, tare_link_flags for what is shipped.
add_library(tare_flags INTERFACE)
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings)
if(TARE_WERROR)
    list(APPEND warnings -Werror)
endif()
target_compile_options(tare_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:${warnings}> -ffp-contract=off -ffunction-sections -fdata-sections)

# Lazy binding and dropped sections keep the start-up of the command line short.
add_library(tare_link_flags INTERFACE)
target_link_options(tare_link_flags INTERFACE -Wl,--gc-sections -Wl,--as-needed -Wl,-z,lazy)

if(TARE_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "TARE_FUZZ needs clang: configure with -DCMAKE_C_COMPILER=clang")
    endif()
    add_compile_options($<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>)
endif()
if(TARE_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=address,undefined)
endif()
