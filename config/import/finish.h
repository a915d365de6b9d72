/* The last steps of an import. For the modules of import/. */
#ifndef RPPROXY_CONFIG_IMPORT_FINISH_H
#define RPPROXY_CONFIG_IMPORT_FINISH_H

#include "config/import/import.h"

/* Turns off the lines that a file cannot contain as they are (what looks like a comment, a
 * variable), which are then lost; moves what all sections have in common to [defaults]; sorts the
 * findings. */
void import_finish(struct import *import);

#endif
