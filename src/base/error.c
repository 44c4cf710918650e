#include "base/error.h"

const char *sk_error_name(int error)
{
    switch (error) {
#define X(name, value, text)                                                                                 \
    case name: return #name;
        SK_ERRORS(X)
#undef X
    default: return error >= 0 ? "SK_OK" : "SK_E?";
    }
}

const char *sk_error_text(int error)
{
    switch (error) {
#define X(name, value, text)                                                                                 \
    case name: return text;
        SK_ERRORS(X)
#undef X
    default: return error >= 0 ? "ok" : "unknown error";
    }
}
