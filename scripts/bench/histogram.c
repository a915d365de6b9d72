#include "scripts/bench/histogram.h"

#include <math.h>
#include <stddef.h>

#define BUCKETS (sizeof((struct histogram *)0)->counts / sizeof(uint64_t))

/* One bucket for each value below 64; above, 64 buckets for each power of two. */
static size_t bucket_of(uint64_t value)
{
    if (value < 64) {
        return value;
    }
    unsigned shift = 63U - 6U - (unsigned)__builtin_clzll(value);
    size_t bucket = (size_t)(shift + 1) * 64 + ((value >> shift) & 63);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static uint64_t upper_edge(size_t bucket)
{
    if (bucket < 64) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket / 64) - 1;
    return ((64 + (uint64_t)(bucket % 64) + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t nanoseconds)
{
    histogram->counts[bucket_of(nanoseconds)]++;
    histogram->total++;
    histogram->sum += (double)nanoseconds;
    histogram->squares += (double)nanoseconds * (double)nanoseconds;
    if (nanoseconds > histogram->most) {
        histogram->most = nanoseconds;
    }
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->total;
    uint64_t seen = 0;
    for (size_t i = 0; i < BUCKETS && histogram->total > 0; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t edge = upper_edge(i);
            return edge < histogram->most ? edge : histogram->most;
        }
    }
    return histogram->most;
}

double histogram_deviation(const struct histogram *histogram)
{
    if (histogram->total == 0) {
        return 0;
    }
    double mean = histogram->sum / (double)histogram->total;
    double variance = histogram->squares / (double)histogram->total - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}
