#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "redis/number.h"
#include "redis/resp.h"

static void append_line(sk_reply *reply, char type, const char *text)
{
    size_t size = strlen(text);
    uint8_t *at = sk_buffer_reserve(reply->out, size + 3);
    at[0] = (uint8_t)type;
    memcpy(at + 1, text, size);
    memcpy(at + 1 + size, "\r\n", 2);
    reply->out->size += size + 3;
}

static void append_header(sk_reply *reply, char type, int64_t value)
{
    uint8_t *at = sk_buffer_reserve(reply->out, SK_NUMBER_SIZE_MAX + 3);
    at[0] = (uint8_t)type;
    size_t size = 1 + sk_number_format(at + 1, value);
    at[size] = '\r';
    at[size + 1] = '\n';
    reply->out->size += size + 2;
}

void sk_reply_simple(sk_reply *reply, const char *text)
{
    append_line(reply, '+', text);
}

void sk_reply_error(sk_reply *reply, const char *text)
{
    append_line(reply, '-', text);
}

// A client's bytes may be in the text: line ends at its end are dropped, those inside become spaces.
void sk_reply_errorf(sk_reply *reply, const char *format, ...)
{
    va_list list;
    va_list again;
    va_start(list, format);
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    size_t room = size < 0 ? 0 : (size_t)size;
    uint8_t *at = sk_buffer_reserve(reply->out, room + 4);
    at[0] = '-';
    vsnprintf((char *)at + 1, room + 1, format, again);
    va_end(again);
    while (room && (at[room] == '\r' || at[room] == '\n')) room--;
    for (size_t i = 1; i <= room; i++) {
        if (at[i] == '\r' || at[i] == '\n') at[i] = ' ';
    }
    memcpy(at + 1 + room, "\r\n", 2);
    reply->out->size += room + 3;
}

void sk_reply_integer(sk_reply *reply, int64_t value)
{
    append_header(reply, ':', value);
}

void sk_reply_bulk(sk_reply *reply, sk_slice bytes)
{
    append_header(reply, '$', (int64_t)bytes.size);
    uint8_t *at = sk_buffer_reserve(reply->out, bytes.size + 2);
    if (bytes.size) memcpy(at, bytes.data, bytes.size);
    memcpy(at + bytes.size, "\r\n", 2);
    reply->out->size += bytes.size + 2;
}

void sk_reply_text(sk_reply *reply, const char *text)
{
    sk_reply_bulk(reply, sk_slice_text(text));
}

void sk_reply_verbatim(sk_reply *reply, const char *format3, sk_slice bytes)
{
    if (reply->resp < 3) {
        sk_reply_bulk(reply, bytes);
        return;
    }
    append_header(reply, '=', (int64_t)bytes.size + 4);
    sk_buffer_append(reply->out, format3, 3);
    sk_buffer_append_byte(reply->out, ':');
    sk_buffer_append_slice(reply->out, bytes);
    sk_buffer_append_text(reply->out, "\r\n");
}

void sk_reply_null(sk_reply *reply)
{
    sk_buffer_append_text(reply->out, reply->resp < 3 ? "$-1\r\n" : "_\r\n");
}

void sk_reply_null_array(sk_reply *reply)
{
    sk_buffer_append_text(reply->out, reply->resp < 3 ? "*-1\r\n" : "_\r\n");
}

void sk_reply_bool(sk_reply *reply, bool value)
{
    if (reply->resp < 3) {
        sk_reply_integer(reply, value);
        return;
    }
    sk_buffer_append_text(reply->out, value ? "#t\r\n" : "#f\r\n");
}

void sk_reply_double(sk_reply *reply, double value)
{
    char text[40];
    if (isinf(value))
        snprintf(text, sizeof text, value > 0 ? "inf" : "-inf");
    else if (isnan(value))
        snprintf(text, sizeof text, "nan");
    else
        snprintf(text, sizeof text, "%.17g", value);
    if (reply->resp < 3)
        sk_reply_text(reply, text);
    else
        append_line(reply, ',', text);
}

void sk_reply_array(sk_reply *reply, size_t count)
{
    append_header(reply, '*', (int64_t)count);
}

void sk_reply_map(sk_reply *reply, size_t pairs)
{
    if (reply->resp < 3)
        append_header(reply, '*', (int64_t)pairs * 2);
    else
        append_header(reply, '%', (int64_t)pairs);
}

void sk_reply_set(sk_reply *reply, size_t count)
{
    append_header(reply, reply->resp < 3 ? '*' : '~', (int64_t)count);
}

void sk_reply_push(sk_reply *reply, size_t count)
{
    append_header(reply, reply->resp < 3 ? '*' : '>', (int64_t)count);
}
