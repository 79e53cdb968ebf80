# A second build tree with one more family and one more quantisation method dropped in (tests/fixtures): no file of the project changes, and
# tare knows both.
set(build ${BINARY_DIR}/extra)
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
run(${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${build} -G ${GENERATOR} -D CMAKE_C_COMPILER=${COMPILER} -D CMAKE_BUILD_TYPE=Debug
    -D TARE_EXTRA_MODELS=${SOURCE_DIR}/tests/fixtures/extra -D TARE_EXTRA_METHODS=${SOURCE_DIR}/tests/fixtures/extra_methods)
run(${CMAKE_COMMAND} --build ${build} --target tare_cli)
run(${CMAKE_COMMAND} -D EXPECT=${SOURCE_DIR}/tests/fixtures/extra/expected.txt -P ${SOURCE_DIR}/tests/expect.cmake
    -- ${build}/tare show acme --class AcmeForCausalLM)
run(${build}/tare show llama)
run(${CMAKE_COMMAND} -D EXPECT=${SOURCE_DIR}/tests/fixtures/extra_methods/expected.txt -P ${SOURCE_DIR}/tests/expect.cmake
    -- ${build}/tare tree acme --class AcmeForCausalLM --quantize acme_bits:bits=2 --params)

# A definition without its defaults is named, not linked.
file(REMOVE_RECURSE ${BINARY_DIR}/bare)
file(COPY ${SOURCE_DIR}/tests/fixtures/extra/acme.c DESTINATION ${BINARY_DIR}/bare)
file(WRITE ${BINARY_DIR}/bare/inputs.cmake "set(models ${BINARY_DIR}/bare/acme.c)\nset(presets \"\")\n")
execute_process(COMMAND ${CMAKE_COMMAND} -D INPUTS=${BINARY_DIR}/bare/inputs.cmake -D OUT=${BINARY_DIR}/bare -P ${SOURCE_DIR}/cmake/write_registry.cmake
    RESULT_VARIABLE status ERROR_VARIABLE said OUTPUT_QUIET)
if(status EQUAL 0 OR NOT said MATCHES "has no acme.json")
    message(FATAL_ERROR "a family without defaults should be refused by name, not with: ${said}")
endif()
