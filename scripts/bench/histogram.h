/* A histogram of times. No bucket is wider than 1/64 of its values. */
#ifndef SCRIPTS_BENCH_HISTOGRAM_H
#define SCRIPTS_BENCH_HISTOGRAM_H

#include <stdint.h>

struct histogram {
    uint64_t total, most;
    double sum, squares;
    uint64_t counts[64 * 40];
};

/* Values above about 70 minutes count as 70 minutes. */
void histogram_add(struct histogram *histogram, uint64_t nanoseconds);

/* Returns the upper edge, in nanoseconds, of the first bucket such that `share` (0 to 1) of the
 * values are in this bucket or below; 0 if there are no values. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

/* Returns the standard deviation, in nanoseconds, of the exact values; 0 if there are no values.
 */
double histogram_deviation(const struct histogram *histogram);

#endif
