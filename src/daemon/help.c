// What skeind says about itself: --help and --check-config, both made from the table.
#include "base/assert.h"
#include "daemon/options.h"

static const char *const head =
    "skeind - one node of Skein: a few unreliable machines as one dependable system, spoken to by any Redis "
    "client\n"
    "\n"
    "Try it, on one machine, without a file:\n"
    "    skeind --dir /tmp/skein                    a cluster of one; then: redis-cli -p 7379 SET a 1\n"
    "\n"
    "Three machines: on each, with its own number, found the directory once and start\n"
    "    skeind init --dir /var/lib/skein --node 1 --cluster-name site \\\n"
    "           --peers 1@10.0.0.1:7380,2@10.0.0.2:7380,3@10.0.0.3:7380\n"
    "    skeind --config /etc/skein/skein.conf\n"
    "\n"
    "Usage\n"
    "    skeind [--config FILE] [--key value ...]   run, in the foreground, until SIGTERM or SIGINT\n"
    "    skeind init --dir DIR --node N --peers LIST (--cluster-name NAME | --cluster-id HEX)\n"
    "                                               make DIR a founder's directory; refused if it already is "
    "one\n"
    "    skeind --check-config ...                  show the settings in effect, or the first mistake "
    "(status 78)\n"
    "    skeind --help | --version\n"
    "\n"
    "Settings: flag (--port 7379) over environment (SKEIN_PORT=7379) over file (port = 7379) over default.\n"
    "Sizes are written 64kb, 16mb, 1gb (powers of 1024), times 200ms, 2s, 5min.\n";

static const char *const tail = "\n"
                                "Exit status: 0 fine, 1 failed, 2 wrong usage, 69 an address is taken, 74 "
                                "the disk failed, 75 the directory is in use,\n"
                                "77 no permission, 78 wrong configuration.\n";

static const char *kind_name(enum sk_setting_kind kind)
{
    switch (kind) {
    case SK_SETTING_TEXT:
        return "TEXT";
    case SK_SETTING_NUMBER:
        return "NUMBER";
    case SK_SETTING_SIZE:
        return "SIZE";
    case SK_SETTING_TIME:
        return "TIME";
    case SK_SETTING_FLAG:
        return "yes|no";
    case SK_SETTING_LEVEL:
        return "LEVEL";
    }
    SK_UNREACHABLE();
}

// Wraps `text` at 100 columns behind an indent of 10.
static void append_wrapped(sk_buffer *out, const char *text)
{
    enum { WIDTH = 90 };
    while (*text) {
        size_t size = strlen(text);
        if (size > WIDTH) {
            size = WIDTH;
            while (size > 1 && text[size] != ' ') size--;
        }
        sk_buffer_printf(out, "          %.*s\n", (int)size, text);
        text += size;
        while (*text == ' ') text++;
    }
}

void sk_options_help(sk_buffer *out)
{
    size_t count;
    const sk_setting *rows = sk_settings_rows(&count);
    sk_buffer_append_text(out, head);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].group) sk_buffer_printf(out, "\n%s\n", rows[i].group);
        sk_buffer_printf(out, "    --%s %s", rows[i].name, kind_name(rows[i].kind));
        if (*rows[i].initial) sk_buffer_printf(out, "   (%s)", rows[i].initial);
        sk_buffer_append_text(out, "\n");
        append_wrapped(out, rows[i].help);
    }
    sk_buffer_append_text(out, tail);
}

void sk_options_print(const sk_options *options, sk_buffer *out)
{
    size_t count;
    const sk_setting *rows = sk_settings_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char value[SK_SETTING_VALUE_MAX];
        sk_settings_get(&options->settings, &rows[i], value);
        size_t before = out->size;
        sk_buffer_printf(out, "%s = %s", rows[i].name, value);
        if (out->size - before < 40) sk_buffer_printf(out, "%*s", (int)(40 - (out->size - before)), "");
        switch (options->settings.origins[i]) {
        case SK_ORIGIN_DEFAULT:
            sk_buffer_append_text(out, " # default\n");
            break;
        case SK_ORIGIN_FILE:
            sk_buffer_printf(out, " # %s:%d\n", options->config, options->settings.lines[i]);
            break;
        case SK_ORIGIN_ENVIRONMENT:
            sk_buffer_append_text(out, " # environment\n");
            break;
        case SK_ORIGIN_FLAG:
            sk_buffer_append_text(out, " # command line\n");
            break;
        }
    }
}
