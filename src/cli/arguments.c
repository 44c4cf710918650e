#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/cli.h"

int sk_cli_usage(const sk_verb *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "skein %s: ", verb->name);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nusage: skein %s %s   (skein help %s says more)\n", verb->name, verb->usage, verb->name);
    return SK_EXIT_USAGE;
}

const char *sk_cli_value(const sk_arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->verb->flag_count; i++) {
        if (strcmp(arguments->verb->flags[i].name, name) == 0) return arguments->values[i];
    }
    SK_UNREACHABLE();
}

int sk_cli_number(const char *text, unsigned long min, unsigned long max, unsigned long *out)
{
    char *end = NULL;
    if (*text < '0' || *text > '9') return SK_EINVAL;
    unsigned long number = strtoul(text, &end, 10);
    if (*end || strlen(text) > 18 || number < min || number > max) return SK_EINVAL;
    *out = number;
    return 0;
}

int sk_cli_endpoint(const sk_arguments *arguments, sk_endpoint *out)
{
    const char *address = sk_cli_value(arguments, "--addr");
    const char *host = sk_cli_value(arguments, "--host");
    const char *port = sk_cli_value(arguments, "--port");
    if (address && (host || port)) return sk_cli_usage(arguments->verb, "--addr, or -h and -p, not both");
    if (host || port) {
        unsigned long number = SK_DEFAULT_PORT;
        if (port && sk_cli_number(port, 1, UINT16_MAX, &number)) {
            return sk_cli_usage(arguments->verb, "'%s' is no port", port);
        }
        if (host && strlen(host) >= sizeof out->host) return sk_cli_usage(arguments->verb, "the host name is too long");
        snprintf(out->host, sizeof out->host, "%s", host ? host : "127.0.0.1");
        snprintf(out->port, sizeof out->port, "%lu", number);
        return 0;
    }
    if (!address) address = getenv("SKEIN_ADDR");
    if (!address || !*address) address = "127.0.0.1";
    if (sk_endpoint_parse(address, SK_DEFAULT_PORT, out)) {
        return sk_cli_usage(arguments->verb, "'%s' is no address; it looks like 192.168.1.10:7379", address);
    }
    return 0;
}

// The row that `text` names (as --name, --name=value or its letter), or -1.
static int find_flag(const sk_verb *verb, const char *text, const char **value)
{
    size_t size = strcspn(text, "=");
    *value = text[size] ? text + size + 1 : NULL;
    for (size_t i = 0; i < verb->flag_count; i++) {
        const sk_flag *flag = &verb->flags[i];
        if (strlen(flag->name) == size && strncmp(flag->name, text, size) == 0) return (int)i;
        if (flag->letter && strcmp(flag->letter, text) == 0) return (int)i;
    }
    return -1;
}

int sk_cli_parse(const sk_verb *verb, int argc, char **argv, sk_arguments *out, char **list)
{
    *out = (sk_arguments){.verb = verb, .list = list};
    bool flags_over = false;
    for (int i = 0; i < argc; i++) {
        if (flags_over || argv[i][0] != '-' || argv[i][1] == 0) {
            list[out->count++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            flags_over = true;
            continue;
        }
        const char *value = NULL;
        int index = find_flag(verb, argv[i], &value);
        if (index < 0) return sk_cli_usage(verb, "there is no flag %s", argv[i]);
        const sk_flag *flag = &verb->flags[index];
        if (!flag->value && value) return sk_cli_usage(verb, "%s takes no value", flag->name);
        if (flag->value && !value) {
            if (i + 1 == argc) return sk_cli_usage(verb, "%s needs a value (%s)", argv[i], flag->value);
            value = argv[++i];
        }
        out->values[index] = value ? value : "";
    }
    return 0;
}
