/* payload -- the data of a measured event: `#NUMBER.MICROSECONDS.xxxx`, digits of fixed width,
 * which is found again in whatever a protocol wraps around it. */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD_MARK = '#', PAYLOAD_HEAD = 29, PAYLOAD_MAX = 64 * 1024 };

uint64_t clock_us(void); /* CLOCK_MONOTONIC: one machine, one clock */
/* Writes `size` bytes, PAYLOAD_HEAD at least, and no zero after them. */
void payload_put(char *to, size_t size, uint64_t number, uint64_t us);
/* From PAYLOAD_HEAD bytes that begin with the mark; false where they are none. */
bool payload_get(const char *p, uint64_t *number, uint64_t *us);

#endif
