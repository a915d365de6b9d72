/* Finds the struct that contains a member. */
#ifndef RPPROXY_CONFIG_BASE_CONTAINER_OF_H
#define RPPROXY_CONFIG_BASE_CONTAINER_OF_H

#include <stddef.h>

/* Returns the struct of that type of which `pointer` is the address of `member`. */
#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* The same for a member that must not be changed. */
#define container_of_const(pointer, type, member)                                                  \
    ((const type *)(const void *)((const char *)(pointer)-offsetof(type, member)))

#endif
