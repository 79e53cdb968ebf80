# The shared library shows tare_* and nothing else.
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^ \n]+\n" names "${symbols}")
list(TRANSFORM names STRIP)
list(FILTER names EXCLUDE REGEX "^tare_")
if(names OR NOT symbols MATCHES " tare_model_open\n")
    message(FATAL_ERROR "exported beside tare_*: ${names}")
endif()
