#include "protocol/protocol.h"

#include "base/alloc.h"

sk_effect *sk_effects_add(sk_effects *out, enum sk_effect_kind kind)
{
    if (out->count == out->capacity) {
        out->capacity = out->capacity ? out->capacity * 2 : 16;
        out->list = sk_realloc(out->list, out->capacity * sizeof *out->list);
    }
    sk_effect *effect = &out->list[out->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}

void sk_effects_reset(sk_effects *out)
{
    out->count = 0;
    sk_arena_reset(&out->arena);
}

void sk_effects_deinit(sk_effects *out)
{
    sk_free(out->list);
    sk_arena_deinit(&out->arena);
    *out = (sk_effects){0};
}

const sk_protocol *sk_protocol_find(const char *name)
{
    static const sk_protocol *const protocols[] = {&sk_raft, &sk_crdt, &sk_causal};
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        if (!strcmp(protocols[i]->name, name)) return protocols[i];
    }
    return NULL;
}
