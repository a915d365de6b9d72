/* Prints a table whose columns are as wide as what stands in them. */
#ifndef RPPROXY_RELOAD_CLI_TABLE_H
#define RPPROXY_RELOAD_CLI_TABLE_H

#include <stdio.h>

/* Rows are lines, cells are separated by tabs; the first line is the head. aligns has 'l' or 'r'
 * for each column. What follows after the last column is printed as it is. width: of the terminal;
 * columns of text that are too wide for it lose the middle of what is in them, and what follows
 * after the last column has a line of its own where it does not fit. 0: any width. Text is UTF-8
 * without control characters (plain.h): width is counted in columns of a terminal. Changes text. */
void table_print(char *text, const char *aligns, int width, FILE *out);

/* Prints text, and of each line no more than fits in width; 0: any width. */
void table_print_cut(const char *text, int width, FILE *out);

/* Of the terminal that standard output is, or as the environment variable COLUMNS says; 0: it is
 * none. */
int table_width(void);

#endif
