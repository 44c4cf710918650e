// A fuzz target: one function that takes any bytes and asserts what must hold for them. Linked with libFuzzer (script/fuzz), or
// with fuzz_replay.c, which replays a corpus and mutations of it in every test run.
#ifndef SK_TEST_SUPPORT_FUZZ_H
#define SK_TEST_SUPPORT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
