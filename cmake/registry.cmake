# The registry is collected from the sources: every src/models/NAME.c that defines `const family family_NAME` becomes a row
# with its NAME.json, every src/quant/NAME.c that defines `const quant_method method_NAME` a method, every presets/ORG--NAME.json a built-in id. Adding one touches no list.
set(registry_dir ${PROJECT_BINARY_DIR}/gen)
file(GLOB registry_models CONFIGURE_DEPENDS src/models/*.c)
file(GLOB registry_quants CONFIGURE_DEPENDS src/quant/*.c)
file(GLOB registry_presets CONFIGURE_DEPENDS presets/*.json)
file(GLOB registry_json CONFIGURE_DEPENDS src/models/*.json)
set(extra_models "")
if(TARE_EXTRA_MODELS)
    file(GLOB extra_models CONFIGURE_DEPENDS ${TARE_EXTRA_MODELS}/*.c)
    file(GLOB extra_json CONFIGURE_DEPENDS ${TARE_EXTRA_MODELS}/*.json)
    list(APPEND registry_models ${extra_models})
    list(APPEND registry_json ${extra_json})
endif()

set(extra_methods "")
if(TARE_EXTRA_METHODS)
    file(GLOB extra_methods CONFIGURE_DEPENDS ${TARE_EXTRA_METHODS}/*.c)
    list(APPEND registry_quants ${extra_methods})
endif()

# The script reads the lists from a file; it changes only when they do, or when a JSON file comes or goes.
set(registry_inputs "set(models \"${registry_models}\")\nset(quants \"${registry_quants}\")\nset(presets \"${registry_presets}\")\n# ${registry_json}\n")
file(CONFIGURE OUTPUT ${registry_dir}/inputs.cmake CONTENT "${registry_inputs}" @ONLY)
set(registry_sources ${registry_dir}/registry.c ${registry_dir}/embedded.S)
add_custom_command(OUTPUT ${registry_sources}
    COMMAND ${CMAKE_COMMAND} -D INPUTS=${registry_dir}/inputs.cmake -D OUT=${registry_dir}
            -P ${PROJECT_SOURCE_DIR}/cmake/write_registry.cmake
    DEPENDS ${registry_models} ${registry_quants} ${registry_dir}/inputs.cmake cmake/write_registry.cmake
    COMMENT "Collecting the registry" VERBATIM)
# The assembler reads the JSON files behind the dependency scanner's back.
set_source_files_properties(${registry_dir}/embedded.S PROPERTIES OBJECT_DEPENDS "${registry_json};${registry_presets}")
