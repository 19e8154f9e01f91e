/* input -- takes a fuzzer's bytes apart: numbers and pieces, off the front. What is not there is
 * zero or empty, so that every input means something. */
#ifndef BELFRY_FUZZ_INPUT_H
#define BELFRY_FUZZ_INPUT_H

#include "base/str.h"

static inline uint64_t input_number(Str *in, size_t bytes)
{
    uint64_t n = 0;
    while (bytes--) {
        n = n << 8 | (in->len ? (unsigned char)in->p[0] : 0u);
        *in = str_skip(*in, 1);
    }
    return n;
}

/* With its length before it, big end first. */
static inline Str input_piece(Str *in, size_t length_bytes)
{
    size_t len = (size_t)input_number(in, length_bytes);
    Str piece = str_make(in->p, len < in->len ? len : in->len);
    *in = str_skip(*in, piece.len);
    return piece;
}

#endif
