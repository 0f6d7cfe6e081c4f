// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A program on musl with some live blocks; ends with its standard input.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    for (int i = 0; i < 1000; i++) {
        char* block = malloc(1000);
        if (!block) return 1;
        memset(block, i, 1000);
    }
    if (write(1, "ready=1\n", 8) != 8) return 1;
    char byte;
    while (read(0, &byte, 1) == 1)
        ;
    return 0;
}
