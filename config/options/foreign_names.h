/* The names by which users of other proxies know an option. They are not accepted: an error says
 * what the option is called here. */
#ifndef RPPROXY_CONFIG_OPTIONS_FOREIGN_NAMES_H
#define RPPROXY_CONFIG_OPTIONS_FOREIGN_NAMES_H

enum foreign_kind {
    FOREIGN_KEY,      /* a key of a section, or the first words of a line */
    FOREIGN_ATTRIBUTE /* an attribute of a bind or server line */
};

/* Also the names of options and attributes of this program that stand in the place of the other,
 * and attributes of other products that stand as a key.
 * What the name is here, as the rest of the sentence "it is ...", or NULL: nothing is known, or the
 * program has no such option yet. */
const char *foreign_name(enum foreign_kind kind, const char *name);

/* The same for the first word of a line and the rest of it, which say more together: "option
 * httpchk GET /". */
const char *foreign_words(const char *first, const char *rest);

/* The same for the first of several words, if it is known as a key: "tcp-check connect". */
const char *foreign_first_word(const char *words);

#endif
