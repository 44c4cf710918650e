// The simulator itself: a seed is one run, whatever ran before it in the process.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "protocol/raft/message.h"
#include "sim/swarm.h"
#include "sim/world.h"

static uint64_t hash_of(uint64_t seed, enum sk_verdict *verdict)
{
    sk_swarm swarm;
    sk_swarm_draw(&swarm, seed, &(sk_swarm_wish){0});
    sk_world *world = sk_world_open(&swarm, SK_PLANT_NONE, 20000000, NULL);
    *verdict = sk_world_run(world);
    if (*verdict) print_message("seed %llu: %s\n", (unsigned long long)seed, world->problem);
    uint64_t hash = world->trace.hash;
    sk_world_close(world);
    return hash;
}

static void same_seed_same_trace(void **state)
{
    uint64_t last = 0;
    for (uint64_t seed = 100; seed < 104; seed++) {
        enum sk_verdict verdict;
        uint64_t hash = hash_of(seed, &verdict);
        assert_int_equal(verdict, SK_VERDICT_OK);
        assert_true(hash == hash_of(seed, &verdict));
        assert_true(hash != last);
        last = hash;
    }
}

static enum sk_verdict run(uint64_t seed, const sk_swarm_wish *wish, sk_lie lie, bool *reached)
{
    sk_swarm swarm;
    sk_swarm_draw(&swarm, seed, wish);
    sk_world *world = sk_world_open(&swarm, SK_PLANT_NONE, 20000000, NULL);
    if (lie) {
        world->lie = lie;
        world->liars = 1;
    }
    enum sk_verdict verdict = sk_world_run(world);
    if (reached) *reached = world->sometimes[SK_SOMETIMES_SAFE_HALT];
    sk_world_close(world);
    return verdict;
}

static void presets_by_name(void **state)
{
    static const char *const good[] = {"synchronous", "asynchronous,crash-stop", "send-omission,partially-synchronous", "unrecoverable"};
    static const char *const bad[] = {"", "synchronous,asynchronous", "crash-stop,crash-recovery", "sync", "synchronous,", "byzantine"};
    char problem[400];
    sk_preset preset;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(sk_preset_parse(good[i], "raft", &preset, problem, sizeof problem));
        assert_int_equal(run(1, &(sk_swarm_wish){.preset = preset, .nodes = 3}, NULL, NULL), SK_VERDICT_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sk_preset_parse(bad[i], "raft", &preset, problem, sizeof problem));
    assert_non_null(strstr(problem, "3f + 1")); // it says what kind of protocol could
}

// A model allows what it says, and no more.
static void presets_keep_their_word(void **state)
{
    char problem[400];
    sk_preset preset;
    assert_true(sk_preset_parse("synchronous,crash-stop", "raft", &preset, problem, sizeof problem));
    assert_true(sk_preset_allows(&preset, SK_FAULT_KILL));
    assert_false(sk_preset_allows(&preset, SK_FAULT_CRASH_LOOP));
    assert_false(sk_preset_allows(&preset, SK_FAULT_NET_LOSS));
    assert_false(sk_preset_allows(&preset, SK_FAULT_PAUSE));
    assert_true(sk_preset_parse("asynchronous,receive-omission", "raft", &preset, problem, sizeof problem));
    assert_true(sk_preset_allows(&preset, SK_FAULT_PAUSE));
    assert_true(sk_preset_allows(&preset, SK_FAULT_RECEIVE_OMISSION));
    assert_false(sk_preset_allows(&preset, SK_FAULT_SEND_OMISSION));
    assert_false(sk_preset_allows(&preset, SK_FAULT_NET_LOSS));
    assert_false(sk_preset_allows(&preset, SK_FAULT_KILL));
}

static void ruined_disks_end_in_a_halt(void **state)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        bool halted = false;
        sk_swarm_wish wish = {.nodes = 3, .preset = {.failure = SK_FAILURE_UNRECOVERABLE}};
        assert_int_equal(run(seed, &wish, NULL, &halted), SK_VERDICT_OK);
        assert_true(halted);
    }
}

// Says yes to whoever asks for a vote, in a frame with a right checksum.
static bool grant_all(sk_world *world, sk_prng *prng, uint32_t from, uint32_t to, sk_buffer *frame)
{
    sk_frame told;
    size_t used;
    if (sk_frame_parse(sk_buffer_slice(frame), &told, &used) != 1 || told.kind != SK_FRAME_PROTOCOL) return true;
    bool answers = told.payload.data[0] == SK_RAFT_VOTE_ANSWER || told.payload.data[0] == SK_RAFT_PREVOTE_ANSWER;
    bool acknowledges = told.payload.data[0] == SK_RAFT_APPEND_ANSWER;
    if (acknowledges) return false; // and keeps nothing that it was sent
    if (!answers) return true;
    uint8_t payload[64];
    assert_true(told.payload.size <= sizeof payload);
    memcpy(payload, told.payload.data, told.payload.size);
    payload[1] = SK_RAFT_GRANTED;
    told.payload.data = payload;
    sk_buffer_clear(frame);
    sk_frame_write(frame, &told);
    return true;
}

// The hook for members that lie is there, and one liar is too much for Raft.
static void a_liar_breaks_raft(void **state)
{
    bool broken = false;
    for (uint64_t seed = 1; seed <= 60 && !broken; seed++)
        broken = run(seed, &(sk_swarm_wish){.nodes = 3}, grant_all, NULL) == SK_VERDICT_WRONG;
    assert_true(broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_trace),
        cmocka_unit_test(presets_by_name),
        cmocka_unit_test(presets_keep_their_word),
        cmocka_unit_test(ruined_disks_end_in_a_halt),
        cmocka_unit_test(a_liar_breaks_raft),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
