/* What each keyword of a haproxy.cfg is for an import: one table. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_KEYWORDS_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_KEYWORDS_H

#include "config/import/haproxy/section.h"

enum hap_action {
    HAP_TIME,    /* a time, into the slot */
    HAP_NUMBER,  /* a number, into the slot */
    HAP_FLAG,    /* a switch, into the slot; "no" turns it off */
    HAP_WORDS,   /* the line, into the slot; "no" turns it off */
    HAP_LIST,    /* the line, into the list */
    HAP_NOTHING, /* needs no counterpart; text says why */
    HAP_NOTED,   /* would behave otherwise; text says how */
    HAP_MISSING  /* has no counterpart; text says what is lost */
};

struct hap_keyword {
    const char *words; /* one or several */
    unsigned where;    /* bits of enum hap_kind */
    enum hap_action action;
    int slot;         /* of HAP_LIST: the list */
    const char *text; /* for a person */
    size_t count;     /* words of the keyword; filled in by hap_keyword_find() */
};

/* The keyword with which the words begin, the longest one; false: there is none. */
bool hap_keyword_find(enum hap_kind kind, char *const *words, struct hap_keyword *keyword);

/* What is known of a section that is no proxy, such as userlist; NULL: there is no such section. */
struct hap_other {
    const char *name;
    enum hap_action action; /* HAP_NOTHING or HAP_MISSING */
    const char *text;
};
const struct hap_other *hap_other_section(const char *name);

#endif
