# The sample run of the report tests, the tool that writes it, and the browser test where a browser is found.
add_library(strata_report_sample STATIC ${CMAKE_CURRENT_LIST_DIR}/sample_run.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sample_senses.cpp)
target_link_libraries(strata_report_sample PUBLIC strata_tools)

add_executable(report_sample ${CMAKE_CURRENT_LIST_DIR}/report_sample.cpp)
target_link_libraries(report_sample PRIVATE strata_report_sample)

find_program(STRATA_CHROMIUM NAMES chromium chromium-browser)
find_program(STRATA_CHROMEDRIVER NAMES chromedriver)
# The system's Python first: Debian's selenium is installed for that one.
find_program(STRATA_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(STRATA_CHROMIUM AND STRATA_CHROMEDRIVER AND STRATA_PYTHON)
  execute_process(COMMAND ${STRATA_PYTHON} -c "import selenium" RESULT_VARIABLE no_selenium ERROR_QUIET)
  if(no_selenium EQUAL 0)
    add_test(NAME tools/report_browser
      COMMAND ${STRATA_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/report_browser.py
              --sample $<TARGET_FILE:report_sample> --chromium ${STRATA_CHROMIUM} --driver ${STRATA_CHROMEDRIVER})
    add_test(NAME tools/senses_browser
      COMMAND ${STRATA_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/senses_browser.py
              --sample $<TARGET_FILE:report_sample> --strata $<TARGET_FILE:strata>
              --chromium ${STRATA_CHROMIUM} --driver ${STRATA_CHROMEDRIVER})
    # Alone, since it takes the time of what it does.
    set_tests_properties(tools/senses_browser PROPERTIES RUN_SERIAL TRUE)
    set_tests_properties(tools/report_browser tools/senses_browser PROPERTIES TIMEOUT 600)
  endif()
endif()
