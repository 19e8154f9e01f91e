/* random -- from the kernel's generator. */
#ifndef BELFRY_RANDOM_H
#define BELFRY_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_NAME 23 /* 22 characters of A-Za-z0-9_- (128 bits) and a NUL */

void random_bytes(void *out, size_t size);
uint64_t random_u64(void);
void random_name(char out[RANDOM_NAME]);

#endif
