# cmake -D INPUTS=FILE -D OUT=DIR -P write_registry.cmake: writes DIR/registry.c and DIR/embedded.S. FILE sets `models` (definition
# files), `quants` (quantisation methods) and `presets` (config files). Rows are sorted by the bytes of their names, for binary search.
cmake_minimum_required(VERSION 3.25)
include(${INPUTS})

# Rows are "NAME FILE": the space sorts below every character of a name.
set(families "")
foreach(file IN LISTS models)
    cmake_path(GET file STEM LAST_ONLY name)
    file(STRINGS ${file} definition REGEX "^const family family_${name} =")
    if(definition)
        cmake_path(REPLACE_EXTENSION file LAST_ONLY json OUTPUT_VARIABLE json)
        if(NOT EXISTS ${json})
            message(FATAL_ERROR "${file} has no ${name}.json beside it: dump it with tools/dump_configs.py ${name}")
        endif()
        list(APPEND families "${name} ${json}")
    endif()
endforeach()
list(SORT families)

set(ids "")
foreach(file IN LISTS presets)
    cmake_path(GET file STEM LAST_ONLY id)
    string(FIND ${id} "--" at)
    if(at GREATER 0)
        string(SUBSTRING ${id} 0 ${at} org)
        math(EXPR at "${at} + 2")
        string(SUBSTRING ${id} ${at} -1 name)
        set(id ${org}/${name})
    endif()
    list(APPEND ids "${id} ${file}")
endforeach()
list(SORT ids)

# The bytes of a file between two symbols, and a zero byte for readers that want text.
set(externs "")
set(bytes "        .section .rodata\n")
macro(embed symbol file)
    string(APPEND externs "extern const char ${symbol}[], ${symbol}_end[];\n")
    string(APPEND bytes "        .globl ${symbol}\n        .globl ${symbol}_end\n        .hidden ${symbol}\n        .hidden ${symbol}_end\n"
        "${symbol}:\n        .incbin \"${file}\"\n${symbol}_end:\n        .byte 0\n")
endmacro()

set(registry_rows "")
set(registry_count 0)
foreach(row IN LISTS families)
    string(REGEX MATCH "^([^ ]+) (.*)$" row "${row}")
    set(name ${CMAKE_MATCH_1})
    embed(json_${name} "${CMAKE_MATCH_2}")
    string(APPEND externs "extern const struct family family_${name};\n")
    string(APPEND registry_rows "    {&family_${name}, json_${name}, json_${name}_end},\n")
    math(EXPR registry_count "${registry_count} + 1")
endforeach()

set(preset_rows "")
set(preset_count 0)
foreach(row IN LISTS ids)
    string(REGEX MATCH "^([^ ]+) (.*)$" row "${row}")
    set(id ${CMAKE_MATCH_1})
    embed(preset_${preset_count} "${CMAKE_MATCH_2}")
    string(APPEND preset_rows "    {\"${id}\", preset_${preset_count}, preset_${preset_count}_end},\n")
    math(EXPR preset_count "${preset_count} + 1")
endforeach()

set(quant_rows "")
set(quant_count 0)
foreach(file IN LISTS quants)
    cmake_path(GET file STEM LAST_ONLY name)
    file(STRINGS ${file} definition REGEX "^const quant_method method_${name} =")
    if(definition)
        string(APPEND externs "extern const struct quant_method method_${name};\n")
        string(APPEND quant_rows "    &method_${name},\n")
        math(EXPR quant_count "${quant_count} + 1")
    endif()
endforeach()

# C has no empty arrays: a row of NULLs, which the counts leave out, ends each.
set(registry "/* Written by cmake/write_registry.cmake from src/models, src/quant and presets. */
#include \"core/quants.h\"
#include \"core/registry.h\"

${externs}
const struct registry_row registry_rows[] = {
${registry_rows}    {NULL, NULL, NULL},
};
const size_t registry_count = ${registry_count};

const struct preset_row preset_rows[] = {
${preset_rows}    {NULL, NULL, NULL},
};
const size_t preset_count = ${preset_count};

const struct quant_method *const quant_methods[] = {
${quant_rows}    NULL,
};
const size_t quant_method_count = ${quant_count};
")
string(APPEND bytes "        .section .note.GNU-stack,\"\",%progbits\n")

# Untouched when nothing changes, so that an edit of a definition compiles that one file.
file(CONFIGURE OUTPUT ${OUT}/registry.c CONTENT "${registry}" @ONLY)
file(CONFIGURE OUTPUT ${OUT}/embedded.S CONTENT "/* Written by cmake/write_registry.cmake. */\n${bytes}" @ONLY)
