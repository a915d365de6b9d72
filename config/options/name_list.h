/* Lists of host names in a value, separated by commas; "@FILE" stands for the names in a file. */
#ifndef RPPROXY_CONFIG_OPTIONS_NAME_LIST_H
#define RPPROXY_CONFIG_OPTIONS_NAME_LIST_H

#include "config/lists/name_map.h"
#include "config/options/options.h"

/* The attribute allow of a server: a struct name_list. */
extern const struct option_custom name_list_value;

/* Adds the names of the list, which is split in place, with the value 0; a name may stand there
 * twice. option: for messages. Returns NULL, or what is wrong with the list; what is wrong in a
 * file is reported to context. */
const char *name_list_read(char *list, struct name_map *names, const char *option,
                           const struct option_context *context)
    __attribute__((warn_unused_result));

/* The next word of a list, or NULL. Empty words are passed over. */
char *name_list_next(char **list);

/* The text of a list, or of a word "NAME:LIST", with absolute paths in place of relative ones. The
 * caller frees it. */
char *name_list_text(const char *text, const struct option_context *context)
    __attribute__((returns_nonnull, warn_unused_result));

#endif
