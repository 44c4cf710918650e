#include "check/stepper.h"

#include "base/alloc.h"
#include "base/hash.h"

void sk_stepper_init(sk_stepper *stepper, const sk_model *model)
{
    *stepper = (sk_stepper){.model = model};
    sk_intern_put(&stepper->states, sk_slice_text(model->initial));
}

void sk_stepper_deinit(sk_stepper *stepper)
{
    sk_intern_deinit(&stepper->states);
    sk_intern_deinit(&stepper->classes);
    sk_free(stepper->samples);
    sk_free(stepper->reads);
    sk_free(stepper->memo_keys);
    sk_free(stepper->memo_next);
    sk_buffer_deinit(&stepper->scratch);
    *stepper = (sk_stepper){0};
}

uint32_t sk_stepper_class(sk_stepper *stepper, const sk_check_operation *operation)
{
    sk_buffer *text = &stepper->scratch;
    sk_buffer_clear(text);
    sk_buffer_append_text(text, operation->f);
    sk_buffer_append_byte(text, ' ');
    sk_datum_write(operation->input, text);
    if (operation->ok) {
        sk_buffer_append_byte(text, ' ');
        sk_datum_write(operation->output, text);
    }
    uint32_t known = stepper->classes.count;
    uint32_t class = sk_intern_put(&stepper->classes, sk_buffer_slice(text));
    if (class < known) return class;
    if (class >= stepper->sample_capacity) {
        stepper->sample_capacity = stepper->sample_capacity ? stepper->sample_capacity * 2 : 32;
        stepper->samples = sk_realloc(stepper->samples, stepper->sample_capacity * sizeof *stepper->samples);
        stepper->reads = sk_realloc(stepper->reads, stepper->sample_capacity * sizeof *stepper->reads);
    }
    stepper->samples[class] = operation;
    stepper->reads[class] = stepper->model->reads_only(operation);
    return class;
}

static size_t find_memo(const sk_stepper *stepper, uint64_t key)
{
    size_t mask = stepper->memo_size - 1;
    size_t at = sk_hash_mix(0, key) & mask;
    while (stepper->memo_keys[at] && stepper->memo_keys[at] != key) at = (at + 1) & mask;
    return at;
}

static void grow_memo(sk_stepper *stepper)
{
    uint64_t *old_keys = stepper->memo_keys;
    uint32_t *old_next = stepper->memo_next;
    size_t old_size = stepper->memo_size;
    stepper->memo_size = old_size ? old_size * 2 : 128;
    stepper->memo_keys = sk_alloc_zeroed(stepper->memo_size * sizeof *stepper->memo_keys);
    stepper->memo_next = sk_alloc(stepper->memo_size * sizeof *stepper->memo_next);
    for (size_t i = 0; i < old_size; i++) {
        if (!old_keys[i]) continue;
        size_t at = find_memo(stepper, old_keys[i]);
        stepper->memo_keys[at] = old_keys[i];
        stepper->memo_next[at] = old_next[i];
    }
    sk_free(old_keys);
    sk_free(old_next);
}

static uint32_t try(sk_stepper *stepper, uint32_t state, uint32_t class)
{
    sk_buffer_clear(&stepper->scratch);
    switch (stepper->model->step(stepper->states.texts[state], stepper->samples[class], &stepper->scratch)) {
    case SK_STEP_YES: return sk_intern_put(&stepper->states, sk_buffer_slice(&stepper->scratch));
    case SK_STEP_UNKNOWN_OPERATION: stepper->misfit = stepper->samples[class]; break;
    case SK_STEP_NO: break;
    }
    return SK_STATE_NONE;
}

uint32_t sk_stepper_step(sk_stepper *stepper, uint32_t state, uint32_t class)
{
    uint64_t key = ((uint64_t)state << 32 | class) + 1;
    if (stepper->memo_count * 2 >= stepper->memo_size) grow_memo(stepper);
    size_t at = find_memo(stepper, key);
    if (stepper->memo_keys[at]) return stepper->memo_next[at];
    uint32_t next = try(stepper, state, class);
    stepper->memo_keys[at] = key;
    stepper->memo_next[at] = next;
    stepper->memo_count++;
    return next;
}

size_t sk_stepper_bytes(const sk_stepper *stepper)
{
    return stepper->states.bytes + stepper->classes.bytes + stepper->memo_size * (sizeof(uint64_t) + sizeof(uint32_t));
}
