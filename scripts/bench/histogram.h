/* Counts of times, in buckets that are never wider than 1/64 of their value. */
#ifndef SCRIPTS_BENCH_HISTOGRAM_H
#define SCRIPTS_BENCH_HISTOGRAM_H

#include <stdint.h>

struct histogram {
    uint64_t total, most;
    double sum, squares;
    uint64_t counts[64 * 40];
};

/* Values over about 70 minutes count as that. */
void histogram_add(struct histogram *histogram, uint64_t nanoseconds);

/* The upper edge, in nanoseconds, of the bucket below or in which `share` (0 to 1) of the values
 * lie; 0 if there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

/* The standard deviation of the values, in nanoseconds, not of their buckets; 0 if there are none.
 */
double histogram_deviation(const struct histogram *histogram);

#endif
