#include "host/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool parse_port(const char *text, uint16_t *out)
{
    uint32_t port = 0;
    if (!*text || strlen(text) > 5) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        port = port * 10 + (uint32_t)(*text - '0');
    }
    if (port == 0 || port > 65535) return false;
    *out = (uint16_t)port;
    return true;
}

static bool name_ok(const char *host)
{
    for (; *host; host++) {
        char c = *host;
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '.' || c == '_';
        if (!ok) return false;
    }
    return true;
}

bool sk_address_parse(const char *text, sk_address *out)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !parse_port(colon + 1, &out->port)) return false;
    size_t size = (size_t)(colon - text);
    bool bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    if (bracketed) {
        text++;
        size -= 2;
    }
    if (size == 0 || size >= sizeof out->host) return false;
    memcpy(out->host, text, size);
    out->host[size] = 0;
    if (!bracketed) return name_ok(out->host);
    struct in6_addr v6;
    return inet_pton(AF_INET6, out->host, &v6) == 1;
}

bool sk_address_numeric(const char *host, uint16_t port, sk_socket_address *out)
{
    *out = (sk_socket_address){0};
    if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&out->bytes, &v4, sizeof v4);
        out->size = sizeof v4;
        return true;
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(&out->bytes, &v6, sizeof v6);
        out->size = sizeof v6;
        return true;
    }
    return false;
}

bool sk_address_is_loopback(const char *host)
{
    sk_socket_address address;
    if (!sk_address_numeric(host, 1, &address)) return false;
    if (address.bytes.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address.bytes, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, &address.bytes, sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

bool sk_address_is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

void sk_address_join(const char *host, uint16_t port, char out[SK_ADDRESS_TEXT_MAX])
{
    bool v6 = strchr(host, ':') != NULL;
    snprintf(out, SK_ADDRESS_TEXT_MAX, v6 ? "[%.63s]:%u" : "%.63s:%u", host, (unsigned)port);
}

void sk_address_format(const sk_socket_address *address, char out[SK_ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    uint16_t port = 0;
    if (address->bytes.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->bytes, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        port = ntohs(v4.sin_port);
    } else if (address->bytes.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &address->bytes, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
        port = ntohs(v6.sin6_port);
    }
    sk_address_join(host, port, out);
}
