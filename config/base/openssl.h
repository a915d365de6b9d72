/* OpenSSL, which is loaded when it is first called. Half of what the start of a program costs would
 * be the relocation of its two libraries: 140 of 270 page faults, four fifths of the instructions;
 * and most reloads, and all commands, call nothing of it. On x86-64 each function has a stub
 * (openssl_calls.S); elsewhere OpenSSL is linked as other libraries are. */
#ifndef RPPROXY_CONFIG_BASE_OPENSSL_H
#define RPPROXY_CONFIG_BASE_OPENSSL_H

/* Loads it now, if that has not been done: for what calls it only while clients are served, when
 * its file may have gone. From any thread. Returns NULL, or why it cannot be loaded. If a call of a
 * function cannot load it, that is logged, and the process ends. */
const char *openssl_load(void) __attribute__((warn_unused_result));

#endif
