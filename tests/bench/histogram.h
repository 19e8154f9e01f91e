/* histogram -- counts of microseconds in buckets of 1.6 % at most. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_FINE = 128, HISTOGRAM_BUCKETS = 128 + 25 * 64 };

struct histogram {
    uint64_t count, sum, max;
    uint32_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t us); /* more than an hour counts as an hour */
/* The upper end of the bucket in which the share q of all lies; 0 where there are none. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* `"count":N,"mean_us":…,"p50_us":…,"p90_us":…,"p99_us":…,"max_us":…`, each name after `prefix`. */
void histogram_print(const struct histogram *h, const char *prefix);

#endif
