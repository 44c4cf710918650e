// Addresses as people write them: host:port, a name, an IPv4 address or an IPv6 address in brackets. Parsing
// does no I/O; names are looked up by the event loop (peers.c), never here.
#ifndef SK_HOST_ADDRESS_H
#define SK_HOST_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { SK_HOST_NAME_MAX = 64, SK_ADDRESS_TEXT_MAX = 72 };

typedef struct sk_address {
    char host[SK_HOST_NAME_MAX]; // without brackets
    uint16_t port;
} sk_address;

typedef struct sk_socket_address {
    struct sockaddr_storage bytes;
    socklen_t size;
} sk_socket_address;

// "host:port" or "[v6]:port". False: malformed, or longer than an address may be.
bool sk_address_parse(const char *text, sk_address *out);
// Numeric hosts only ("localhost" counts as 127.0.0.1). False: a name, to be looked up.
bool sk_address_numeric(const char *host, uint16_t port, sk_socket_address *out);
// 127.0.0.0/8, ::1 and localhost: nobody outside this machine can reach it.
bool sk_address_is_loopback(const char *host);
// All addresses of this machine (0.0.0.0, ::).
bool sk_address_is_any(const char *host);
// host:port of a socket address, as parse takes it.
void sk_address_format(const sk_socket_address *address, char out[SK_ADDRESS_TEXT_MAX]);
// The same from a host and a port as configured.
void sk_address_join(const char *host, uint16_t port, char out[SK_ADDRESS_TEXT_MAX]);

#endif
