// Random schedules over a tiny cluster: kills with lost and kept tails, cuts, losses, duplicates, slow disks,
// compaction, reads. Safety is checked after every step (raft_cluster.h); at the end all is healed and the
// cluster must make progress (G18).
#include "test/support/raft_cluster.h"

// What the schedules reached, over all of them: a test that never gets there proves nothing.
static struct {
    uint64_t schedules, applied, queried, refused, unknown, snapshots, fetches, damaged, terms;
} reached;

static void tally(cluster *c, uint64_t term)
{
    reached.schedules++;
    reached.terms += term;
    for (uint64_t r = 1; r <= c->next_request; r++) {
        reached.applied += c->ends[r].kind == END_APPLIED;
        reached.queried += c->ends[r].kind == END_QUERIED;
        reached.refused += c->ends[r].kind == END_REFUSED;
        reached.unknown += c->ends[r].why == SK_EUNKNOWN;
    }
    for (sk_node_id id = 1; id <= c->count; id++) {
        reached.snapshots += c->nodes[id].installs;
        reached.fetches += c->nodes[id].fetches_answered;
        reached.damaged += c->nodes[id].damages;
    }
}

typedef struct history {
    uint64_t acknowledged;       // greatest position that a submit's end told
    uint64_t floor_of[ENDS_MAX]; // of reads: acknowledged as they began
} history;

static void note_ends(cluster *c, history *h, uint64_t *seen)
{
    for (uint64_t r = *seen; r <= c->next_request; r++) {
        const request_end *end = &c->ends[r];
        if (end->kind == END_APPLIED && end->position > h->acknowledged) h->acknowledged = end->position;
        // A read never shows less than what was acknowledged before it began.
        if (end->kind == END_QUERIED) assert_true(end->position >= h->floor_of[r]);
    }
}

// Interior damage: the log's newest records are gone, votes among them. One replica at a time: the rest must
// be a majority.
static void damage(cluster *c, sk_node_id id, sk_prng *prng)
{
    for (sk_node_id other = 1; other <= c->count; other++) {
        if (!c->nodes[other].up || status_of(c, other).recovering) return;
    }
    if (c->count < 3) return;
    member *m = &c->nodes[id];
    cluster_kill(c, id);
    for (uint64_t k = sk_prng_below(prng, 20); k > 0 && m->disk_count; k--) {
        slice_drop(m->disk[--m->disk_count].record.payload);
    }
    cluster_start(c, id, true);
    assert_true(status_of(c, id).recovering);
    m->damages++;
}

static void one_fault(cluster *c, sk_prng *prng)
{
    sk_node_id id = (sk_node_id)sk_prng_between(prng, 1, c->count);
    sk_node_id other = (sk_node_id)sk_prng_between(prng, 1, c->count);
    switch (sk_prng_below(prng, 11)) {
    case 0:
        cluster_kill_keeping(c, id, sk_prng_below(prng, 4));
        break;
    case 1:
    case 2:
        if (!c->nodes[id].up) cluster_start(c, id, false);
        break;
    case 3:
        c->cut[id][other] = id != other;
        break;
    case 4:
        cluster_isolate(c, id, sk_prng_chance(prng, 1, 2));
        break;
    case 5:
        cluster_heal(c);
        break;
    case 6:
        c->nodes[id].disk_latency = sk_prng_below(prng, 3) * sk_prng_below(prng, 800) * SK_MS;
        break;
    case 7:
        if (c->nodes[id].up && id != other) cluster_link(c, id, other, sk_prng_chance(prng, 2, 3));
        break;
    case 8:
        if (c->nodes[id].up && c->nodes[id].machine.position > c->nodes[id].snapshot.position) {
            cluster_take_snapshot(c, id);
        }
        break;
    case 9:
        c->loss = (uint32_t)sk_prng_below(prng, 3) * 100;
        c->duplicate = (uint32_t)sk_prng_below(prng, 3) * 100;
        c->jitter = sk_prng_below(prng, 4) * 20 * SK_MS;
        break;
    case 10:
        damage(c, id, prng);
        break;
    }
}

static void all_well(cluster *c)
{
    cluster_heal(c);
    c->loss = c->duplicate = 0;
    c->jitter = 0;
    for (sk_node_id id = 1; id <= c->count; id++) {
        c->nodes[id].disk_latency = 0;
        if (!c->nodes[id].up) cluster_start(c, id, false);
        for (sk_node_id other = 1; other <= c->count; other++) {
            if (other != id) cluster_link(c, id, other, true);
        }
    }
}

static void one_schedule(size_t count, uint64_t seed)
{
    history *h = sk_alloc_zeroed(sizeof *h);
    cluster *c = cluster_new_idle(count, seed);
    sk_prng prng;
    sk_prng_init(&prng, seed * 7919);
    if (sk_prng_chance(&prng, 1, 2)) c->limits.window_bytes_max = 1500;
    if (sk_prng_chance(&prng, 1, 2)) c->limits.message_bytes_max = 200;
    if (sk_prng_chance(&prng, 1, 2)) c->limits.inflight_count_max = 2;
    cluster_start_all(c);
    for (int i = 0; i < 150; i++) {
        one_fault(c, &prng);
        for (uint64_t k = sk_prng_below(&prng, 6); k > 0; k--) {
            sk_node_id id = (sk_node_id)sk_prng_between(&prng, 1, c->count);
            if (!c->nodes[id].up) continue;
            char text[64];
            snprintf(text, sizeof text, "command %llu %.*s", (unsigned long long)c->next_request,
                     (int)sk_prng_below(&prng, 40), "........................................");
            note_ends(c, h, &(uint64_t){1});
            if (sk_prng_chance(&prng, 1, 3)) {
                h->floor_of[c->next_request + 1] = h->acknowledged;
                cluster_read(c, id);
            } else {
                cluster_submit(c, id, text);
            }
            cluster_run(c, sk_prng_below(&prng, 30) * SK_MS);
        }
        cluster_run(c, sk_prng_below(&prng, 1500) * SK_MS);
    }
    all_well(c);
    cluster_run(c, 20 * SK_S);
    sk_node_id leader = cluster_leader(c);
    assert_true(leader);
    uint64_t term = status_of(c, leader).epoch;
    uint64_t request = cluster_submit(c, leader, "the last one");
    uint64_t read = cluster_read(c, 1 + leader % (sk_node_id)count);
    cluster_run(c, 5 * SK_S);
    assert_int_equal(c->ends[request].kind, END_APPLIED);
    assert_int_equal(c->ends[read].kind, END_QUERIED);
    note_ends(c, h, &(uint64_t){1});
    assert_true(status_of(c, leader).applied >= h->acknowledged);
    for (sk_node_id id = 1; id <= count; id++) {
        assert_int_equal(status_of(c, id).epoch, term);
        assert_false(status_of(c, id).recovering);
        assert_int_equal(c->nodes[id].machine.position, c->nodes[leader].machine.position);
        assert_true(c->nodes[id].machine.digest == c->nodes[leader].machine.digest);
    }
    tally(c, term);
    cluster_close(c);
    sk_free(h);
}

static void random_schedules(void **state)
{
    (void)state;
    const char *from = getenv("SEED_FROM"), *to = getenv("SEED_TO");
    uint64_t first = from ? strtoull(from, NULL, 10) : 1;
    uint64_t last = to ? strtoull(to, NULL, 10) : first + 59;
    for (uint64_t seed = first; seed <= last; seed++) {
        if (getenv("SEED_SHOW")) fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        static const size_t sizes[] = {3, 3, 5, 1, 2, 4};
        one_schedule(sizes[seed % 6], seed);
    }
    printf("%llu schedules: %llu applied, %llu read, %llu refused (%llu unknown), %llu snapshots installed, "
           "%llu fetches, "
           "%llu damaged, %llu terms\n",
           (unsigned long long)reached.schedules, (unsigned long long)reached.applied,
           (unsigned long long)reached.queried, (unsigned long long)reached.refused,
           (unsigned long long)reached.unknown, (unsigned long long)reached.snapshots,
           (unsigned long long)reached.fetches, (unsigned long long)reached.damaged,
           (unsigned long long)reached.terms);
    assert_true(reached.applied && reached.queried && reached.unknown && reached.snapshots &&
                reached.fetches && reached.damaged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_schedules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
