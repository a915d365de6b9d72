/* Prints a table whose columns are as wide as what stands in them. */
#ifndef RPPROXY_RELOAD_CLI_TABLE_H
#define RPPROXY_RELOAD_CLI_TABLE_H

#include <stdio.h>

/* Rows are lines, cells are separated by tabs; the first line is the head. aligns has 'l' or 'r'
 * for each column. What follows after the last column is printed as it is. Changes text. */
void table_print(char *text, const char *aligns, FILE *out);

#endif
