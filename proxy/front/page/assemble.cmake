# Puts the page together: cmake -DFOLDER=proxy/front/page -DOUT=page.c -P assemble.cmake
#
# page.html has the marks @STYLE@ and @SCRIPT@; the scripts are put one behind the other, in the order below, into one
# function. The digests of both go into the page's Content-Security-Policy.
set(scripts dom.js format.js feed.js series.js chart.js drawing.js tables.js latency.js timeline.js refusals.js main.js)

function(base64_of_hex hex out) # 32 bytes
  set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  set(text "")
  foreach(at RANGE 0 57 6)
    string(SUBSTRING "${hex}" ${at} 6 three)
    foreach(shift 18 12 6 0)
      math(EXPR index "(0x${three} >> ${shift}) & 63")
      string(SUBSTRING "${alphabet}" ${index} 1 letter)
      string(APPEND text "${letter}")
    endforeach()
  endforeach()
  string(SUBSTRING "${hex}" 60 4 two)
  foreach(shift 10 4)
    math(EXPR index "(0x${two} >> ${shift}) & 63")
    string(SUBSTRING "${alphabet}" ${index} 1 letter)
    string(APPEND text "${letter}")
  endforeach()
  math(EXPR index "(0x${two} << 2) & 63")
  string(SUBSTRING "${alphabet}" ${index} 1 letter)
  set(${out} "${text}${letter}=" PARENT_SCOPE)
endfunction()

# Semicolons and brackets are CMake's own: what is joined is kept in files.
set(work ${OUT}.parts)
file(WRITE ${work}.js "\"use strict\";\n(() => {\n")
foreach(script ${scripts})
  file(READ ${FOLDER}/${script} text)
  file(APPEND ${work}.js "${text}")
endforeach()
file(APPEND ${work}.js "})();\n")
file(READ ${work}.js script)
file(READ ${FOLDER}/style.css style)
string(SHA256 script_digest "${script}")
string(SHA256 style_digest "${style}")
base64_of_hex(${script_digest} script_digest)
base64_of_hex(${style_digest} style_digest)

file(READ ${FOLDER}/page.html page)
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")
file(WRITE ${work}.html "${page}")
file(READ ${work}.html hex HEX)
file(REMOVE ${work}.js ${work}.html)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")

set(policy "default-src 'none'; script-src 'sha256-${script_digest}'; style-src 'sha256-${style_digest}'; ")
string(APPEND policy "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
file(WRITE ${OUT} "/* Made by proxy/front/page/assemble.cmake. */
#include \"proxy/front/page.h\"

const unsigned char page_document[] = {
${bytes}};
const size_t page_document_len = sizeof page_document;
const char page_policy[] = \"${policy}\";
")
