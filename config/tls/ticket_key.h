/* One key of session tickets (RFC 5077), as OpenSSL uses it: AES in CBC mode, and HMAC-SHA256. */
#ifndef RPPROXY_CONFIG_TLS_TICKET_KEY_H
#define RPPROXY_CONFIG_TLS_TICKET_KEY_H

#define TICKET_NAME_SIZE   16
#define TICKET_SECRET_SIZE 32

/* Only the first `size` bytes of both secrets count. */
struct ticket_key {
    unsigned char name[TICKET_NAME_SIZE]; /* which a ticket begins with */
    unsigned char mac[TICKET_SECRET_SIZE], cipher[TICKET_SECRET_SIZE];
    unsigned size; /* 16: AES-128; 32: AES-256 */
};

#endif
