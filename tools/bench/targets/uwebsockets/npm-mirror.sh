#!/usr/bin/env bash
# Installs the build of a fork of uWebSockets.js that is on the npm registry, and, where the C library is older than 2.38, has it take
# the three functions that it lacks from a library of its own. Needs npm, and in the second case gcc, patchelf and Python 3.
set -euo pipefail
cd "$(dirname "$0")"
npm install --no-save --no-package-lock @btc-vision/uwebsockets.js@20.57.0
cd node_modules/@btc-vision/uwebsockets.js
node -e 'require("./uws.js")' 2>/dev/null && exit

gcc -shared -fPIC -O2 -o libolder.so -x c - <<'C'
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
int __isoc23_sscanf(const char *text, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int count = vsscanf(text, format, values);
  va_end(values);
  return count;
}
C
addon="$(node -p '`uws_${process.platform}_${process.arch}_${process.versions.modules}.node`')"
patchelf --clear-symbol-version __isoc23_strtol --clear-symbol-version __isoc23_strtoul \
    --clear-symbol-version __isoc23_sscanf --add-needed libolder.so --set-rpath '$ORIGIN' "$addon"
# The demand for the version itself stays in the file; marked as weak, it does not keep the library from being loaded.
python3 - "$addon" <<'PY'
import struct, sys

path = sys.argv[1]
data = bytearray(open(path, "rb").read())
(table,) = struct.unpack_from("<Q", data, 40)
size, count = struct.unpack_from("<HH", data, 58)
sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + index * size) for index in range(count)]
for section in sections:
    if section[1] != 0x6FFFFFFE:  # SHT_GNU_verneed
        continue
    names, need = sections[section[6]][4], section[4]
    while True:
        _, versions, _, first, following = struct.unpack_from("<HHIII", data, need)
        at = need + first
        for _ in range(versions):
            _, flags, _, name, step = struct.unpack_from("<IHHII", data, at)
            if data[names + name :].startswith(b"GLIBC_2.38\0"):
                struct.pack_into("<H", data, at + 4, flags | 2)  # VER_FLG_WEAK
            at += step
        if not following:
            break
        need += following
open(path, "wb").write(data)
PY
node -e 'require("./uws.js")'
