/* Drives a fuzz target without libFuzzer: seeded random and mutated inputs, so that any compiler can run a
 * campaign. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

int main(int argc, char **argv)
{
    unsigned long runs = 10000, seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--runs") == 0)
            runs = strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoul(argv[i + 1], NULL, 10);
    }
    state = seed * 0x9E3779B97F4A7C15u + 1;
    static uint8_t previous[4096];
    size_t previous_len = 0;
    for (unsigned long run = 0; run < runs; run++) {
        size_t len = next_random() % (run % 16 == 0 ? sizeof previous : 128);
        uint8_t *input = malloc(len ? len : 1);
        for (size_t i = 0; i < len; i++) {
            uint64_t dice = next_random();
            input[i] = i < previous_len && dice % 8 ? previous[i] : (uint8_t)(dice >> 8);
        }
        LLVMFuzzerTestOneInput(input, len);
        memcpy(previous, input, len);
        previous_len = len;
        free(input);
    }
    printf("%lu runs, seed %lu\n", runs, seed);
    return 0;
}
