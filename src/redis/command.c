#include "redis/command.h"

#include "base/assert.h"
#include "base/error.h"
#include "redis/pack.h"
#include "redis/table.h"

// FNV-1a over the folded name. The names are ours and the table is constant, so nobody can make them collide.
uint8_t sk_command_hash(sk_slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (c >= 'A' && c <= 'Z') c = (uint8_t)(c + 32);
        hash = (hash ^ c) * 16777619u;
    }
    return (uint8_t)(hash ^ hash >> 8 ^ hash >> 16 ^ hash >> 24);
}

const sk_command *sk_command_find(sk_slice name)
{
    size_t count;
    const sk_command *rows = sk_command_rows(&count);
    if (name.size == 0 || name.size > SK_COMMAND_NAME_MAX) return NULL;
    for (uint8_t at = sk_command_hash(name);; at++) {
        uint8_t row = sk_command_index[at];
        if (row == SK_COMMAND_INDEX_NONE) return NULL;
        if (sk_slice_equal_nocase(name, rows[row].name)) return &rows[row];
    }
}

static const sk_command *find_subcommand(const sk_command *parent, sk_slice name)
{
    char full[SK_COMMAND_NAME_MAX + 1];
    size_t size = strlen(parent->name);
    SK_ASSERT(size + 1 < sizeof full);
    if (name.size > sizeof full - size - 1) return NULL;
    memcpy(full, parent->name, size);
    full[size++] = '|';
    if (name.size) memcpy(full + size, name.data, name.size);
    return sk_command_find(sk_slice_make(full, size + name.size));
}

bool sk_command_arity_ok(const sk_command *command, size_t argc)
{
    if (command->arity >= 0) return argc == (size_t)command->arity;
    return argc >= (size_t)-command->arity;
}

const sk_command *sk_command_select(size_t argc, const sk_slice *argv, sk_reply *reply)
{
    const sk_command *command = argc ? sk_command_find(argv[0]) : NULL;
    if (!command || memchr(argv[0].data, '|', argv[0].size)) {
        sk_command_reply_unknown(reply, argc, argv);
        return NULL;
    }
    if ((command->flags & SK_COMMAND_PARENT) && argc > 1) {
        command = find_subcommand(command, argv[1]);
        if (!command) {
            sk_command_reply_unknown_subcommand(reply, argv);
            return NULL;
        }
    }
    if (!sk_command_arity_ok(command, argc)) {
        sk_command_reply_arity(reply, command);
        return NULL;
    }
    return command;
}

// The number of keys; 0: none.
static size_t key_count(const sk_command *command, size_t argc)
{
    if (!command->key_first) return 0;
    int64_t last = command->key_last < 0 ? (int64_t)argc + command->key_last : command->key_last;
    if (last >= (int64_t)argc) last = (int64_t)argc - 1;
    if (last < command->key_first) return 0;
    return (size_t)(last - command->key_first) / (size_t)command->key_step + 1;
}

size_t sk_command_key(const sk_command *command, size_t argc, size_t i)
{
    if (i >= key_count(command, argc)) return 0;
    return (size_t)command->key_first + i * (size_t)command->key_step;
}

static bool set_reads(size_t argc, const sk_slice *argv)
{
    for (size_t i = 3; i < argc; i++) {
        if (sk_slice_equal_nocase(argv[i], "nx") || sk_slice_equal_nocase(argv[i], "xx")) return true;
        if (sk_slice_equal_nocase(argv[i], "get") || sk_slice_equal_nocase(argv[i], "keepttl")) return true;
        if (sk_slice_equal_nocase(argv[i], "ifeq")) return true;
    }
    return false;
}

uint32_t sk_command_needs(const sk_command *command, size_t argc, const sk_slice *argv)
{
    uint32_t needs = command->flags;
    if ((needs & SK_COMMAND_MULTI_KEY) && key_count(command, argc) < 2)
        needs &= ~(uint32_t)SK_COMMAND_MULTI_KEY;
    if (strcmp(command->name, "set") == 0 && set_reads(argc, argv)) needs |= SK_COMMAND_RMW;
    return needs;
}

// ---- Errors of a dispatcher ----

enum { SHOWN_MAX = 128 };

void sk_command_reply_unknown(sk_reply *reply, size_t argc, const sk_slice *argv)
{
    char shown[SHOWN_MAX + 8];
    size_t used = 0;
    shown[0] = 0;
    for (size_t i = 1; i < argc && used < SHOWN_MAX; i++) {
        size_t size = argv[i].size < SHOWN_MAX - used ? argv[i].size : SHOWN_MAX - used;
        const uint8_t *nul = size ? memchr(argv[i].data, 0, size) : NULL;
        if (nul) size = (size_t)(nul - argv[i].data);
        shown[used++] = '\'';
        if (size) memcpy(shown + used, argv[i].data, size);
        used += size;
        shown[used++] = '\'';
        shown[used++] = ' ';
        shown[used] = 0;
    }
    int size = argc ? (int)(argv[0].size < SHOWN_MAX ? argv[0].size : SHOWN_MAX) : 0;
    sk_reply_errorf(reply, "ERR unknown command '%.*s', with args beginning with: %s", size,
                    argc ? (const char *)argv[0].data : "", shown);
}

void sk_command_reply_unknown_subcommand(sk_reply *reply, const sk_slice *argv)
{
    char parent[SHOWN_MAX + 1];
    size_t size = argv[0].size < SHOWN_MAX ? argv[0].size : SHOWN_MAX;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = argv[0].data[i];
        parent[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    parent[size] = 0;
    int shown = (int)(argv[1].size < SHOWN_MAX ? argv[1].size : SHOWN_MAX);
    sk_reply_errorf(reply, "ERR unknown subcommand '%.*s'. Try %s HELP.", shown, (const char *)argv[1].data,
                    parent);
}

void sk_command_reply_arity(sk_reply *reply, const sk_command *command)
{
    sk_reply_errorf(reply, "ERR wrong number of arguments for '%s' command", command->name);
}

// ---- As it travels ----

void sk_command_encode(sk_buffer *out, size_t argc, const sk_slice *argv)
{
    sk_pack_append(out, argc);
    for (size_t i = 0; i < argc; i++) {
        uint8_t *begin = sk_buffer_reserve(out, SK_PACK_SIZE_MAX + argv[i].size);
        uint8_t *at = sk_pack(begin, argv[i].size);
        if (argv[i].size) memcpy(at, argv[i].data, argv[i].size);
        out->size += (size_t)(at - begin) + argv[i].size;
    }
}

// Takes the next argument off `bytes`. False: they cannot hold it.
static bool take_argument(sk_slice *bytes, sk_slice *argument)
{
    uint64_t size;
    if (sk_unpack(bytes, &size) != 1 || size > bytes->size) return false;
    *argument = sk_slice_make(bytes->data, (size_t)size);
    *bytes = sk_slice_make(bytes->data + size, bytes->size - (size_t)size);
    return true;
}

int sk_command_decode(sk_slice bytes, sk_slice *argv, size_t argv_max)
{
    uint64_t count;
    if (sk_unpack(&bytes, &count) != 1 || count > bytes.size || count > INT32_MAX) return SK_EPROTOCOL;
    if (count > argv_max) return SK_ETOOBIG;
    for (size_t i = 0; i < count; i++) {
        if (!take_argument(&bytes, &argv[i])) return SK_EPROTOCOL;
    }
    return bytes.size == 0 ? (int)count : SK_EPROTOCOL;
}

size_t sk_command_peek(sk_slice bytes, sk_slice *argv, size_t count)
{
    uint64_t all;
    if (sk_unpack(&bytes, &all) != 1) return 0;
    size_t taken = 0;
    while (taken < count && taken < all && take_argument(&bytes, &argv[taken])) taken++;
    return taken;
}

size_t sk_command_peek_keys(const sk_slice *commands, size_t count, sk_slice *keys)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        sk_slice argv[2];
        if (sk_command_peek(commands[i], argv, 2) == 2) keys[taken++] = argv[1];
    }
    return taken;
}
