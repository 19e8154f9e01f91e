#include "histogram.h"

#include <stdio.h>
#include <string.h>

static const uint64_t longest = 3600u * 1000000u;

/* Exact below 128; above, the seven highest bits choose the bucket. */
static size_t bucket_of(uint64_t us)
{
    if (us < HISTOGRAM_FINE)
        return (size_t)us;
    unsigned shift = 57u - (unsigned)__builtin_clzll(us);
    return (size_t)shift * 64 + (size_t)(us >> shift);
}

static uint64_t end_of(size_t bucket)
{
    if (bucket < HISTOGRAM_FINE)
        return bucket;
    size_t shift = bucket / 64 - 1;
    return (((uint64_t)bucket - shift * 64 + 1) << shift) - 1;
}

void histogram_clear(struct histogram *h)
{
    memset(h, 0, sizeof *h);
}

void histogram_add(struct histogram *h, uint64_t us)
{
    us = us > longest ? longest : us;
    h->bucket[bucket_of(us)]++;
    h->count++;
    h->sum += us;
    if (us > h->max)
        h->max = us;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    uint64_t want = h->count ? (uint64_t)((double)(h->count - 1) * q) : 0, sum = 0;
    for (size_t i = 0; h->count && i < HISTOGRAM_BUCKETS; i++)
        if ((sum += h->bucket[i]) > want)
            return end_of(i) < h->max ? end_of(i) : h->max;
    return h->max;
}

void histogram_print(const struct histogram *h, const char *prefix)
{
    printf("\"%scount\":%llu,\"%smean_us\":%.0f", prefix, (unsigned long long)h->count, prefix,
           h->count ? (double)h->sum / (double)h->count : 0.0);
    static const struct {
        const char *name;
        double q;
    } wanted[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1.0}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        printf(",\"%s%s_us\":%llu", prefix, wanted[i].name,
               (unsigned long long)histogram_quantile(h, wanted[i].q));
}
