// How long a silent leader is waited for: learnt from what was measured, and cut short by doubt.
//
//   patience   eight round trips, four times the lateness of promised messages, or an election's own time (a round trip and two
//              disks, twice), whichever is longest; within [election_min, election_max / 2]. A timeout is drawn between once
//              and twice that
//   doubt      something asked of the leader (a read, a forwarded request) has seen no word from it for some round trips: all are told.
//              A live leader answers at once; the others ask it themselves, so that whoever it can reach stays loyal (R13).
//              Silence counts from there: an idle leader's long promise holds nobody who has work for it
#include "base/assert.h"
#include "protocol/raft/raft.h"

static const sk_ns DOUBT_AFTER_MIN = 20 * SK_MS; // a live leader may be busy for so long
static const uint64_t TRIP_US_MAX = 60 * 1000 * 1000;

// ---- Measuring ----

// Up at once, down by a part. Nothing above election_max changes what follows from it, and it would take long to forget.
static void learn(const sk_raft_replica *raft, sk_ns *value, sk_ns sample, sk_ns part)
{
    sample = sk_raft_earlier(sample, raft->timing.election_max);
    *value = sample >= *value ? sample : *value - (*value - sample) / part;
}

void sk_raft_measure_word(sk_raft_replica *raft, sk_ns promise)
{
    if (raft->word_due && raft->now > raft->word_due + raft->lateness)
        learn(raft, &raft->lateness, raft->now - raft->word_due, 1);
    raft->spoke = raft->now;
    raft->word_due = raft->now + promise;
    raft->doubted = false;
}

void sk_raft_measure_heartbeat(sk_raft_replica *raft, sk_raft_peer *leader, uint64_t trip_us)
{
    learn(raft, &raft->lateness, 0, 16); // what was late has just been learnt
    if (trip_us) leader->round_trip = sk_raft_earlier(trip_us, TRIP_US_MAX) * SK_US;
}

void sk_raft_measure_record(sk_raft_replica *raft)
{
    if (raft->disk_record) return;
    raft->disk_record = raft->record_last;
    raft->disk_since = raft->now;
}

void sk_raft_measure_durable(sk_raft_replica *raft)
{
    if (!raft->disk_record || raft->record_durable < raft->disk_record) return;
    raft->disk_record = 0;
    learn(raft, &raft->disk, raft->now - raft->disk_since, 8);
}

// ---- Patience ----

// To the leader; or, leading or without one, to the farthest peer that is there.
static sk_ns round_trip(const sk_raft_replica *raft)
{
    sk_ns trip = 0;
    bool follows = raft->leader && raft->leader != raft->self;
    for (size_t i = 0; i < raft->peer_count; i++) {
        const sk_raft_peer *peer = &raft->peers[i];
        if (follows ? peer->id == raft->leader : !peer->down) trip = sk_raft_later(trip, peer->round_trip);
    }
    return trip;
}

sk_ns sk_raft_patience(const sk_raft_replica *raft)
{
    sk_ns trip = round_trip(raft);
    sk_ns election = 2 * (trip + 2 * raft->disk);
    sk_ns learnt = sk_raft_later(election, sk_raft_later(8 * trip, 4 * raft->lateness));
    learnt = sk_raft_earlier(learnt, raft->timing.election_max / 2);
    return sk_raft_later(learnt, raft->timing.election_min);
}

sk_ns sk_raft_patience_max(const sk_raft_replica *raft)
{
    return sk_raft_earlier(2 * sk_raft_patience(raft), raft->timing.election_max);
}

sk_ns sk_raft_silence(sk_raft_replica *raft)
{
    return sk_prng_between(&raft->prng, sk_raft_patience(raft), sk_raft_patience_max(raft));
}

// ---- Doubt ----

static sk_ns doubt_after(const sk_raft_replica *raft)
{
    sk_ns after = sk_raft_later(DOUBT_AFTER_MIN, 4 * round_trip(raft));
    return sk_raft_earlier(after, raft->timing.heartbeat_active);
}

// The deadline stays where it is while answers come: one look a while, not a timer set anew for every request.
void sk_raft_asked(sk_raft_replica *raft)
{
    if (raft->role != SK_RAFT_FOLLOWER || !raft->leader || raft->doubted) return;
    bool armed = raft->doubt_at != SK_NEVER;
    if (!armed || raft->spoke > raft->asked_at) raft->asked_at = raft->now;
    if (!armed) raft->doubt_at = raft->now + doubt_after(raft);
}

static void send_doubt(sk_raft_replica *raft, sk_node_id to)
{
    sk_raft_message doubt = {.kind = SK_RAFT_DOUBT, .term = raft->term};
    sk_raft_send(raft, to, &doubt, 0, SK_SEND_URGENT);
}

static void suspect(sk_raft_replica *raft)
{
    raft->doubted = true;
    raft->doubt_at = SK_NEVER;
    raft->loyal_until = sk_raft_earlier(raft->loyal_until, raft->now + sk_raft_patience(raft));
    raft->election_at = sk_raft_earlier(raft->election_at, raft->now + sk_raft_silence(raft));
}

void sk_raft_doubt_tick(sk_raft_replica *raft)
{
    if (raft->now < raft->doubt_at) return;
    SK_ASSERT(raft->role == SK_RAFT_FOLLOWER && raft->leader && !raft->doubted);
    raft->doubt_at = SK_NEVER;
    if (raft->spoke > raft->asked_at) return;
    sk_ns due = raft->asked_at + doubt_after(raft);
    if (raft->now < due) { // asked again since it last spoke
        raft->doubt_at = due;
        return;
    }
    suspect(raft);
    for (size_t i = 0; i < raft->peer_count; i++) {
        if (i != raft->self_slot) send_doubt(raft, raft->peers[i].id);
    }
}

void sk_raft_on_doubt(sk_raft_replica *raft, sk_raft_peer *from, const sk_raft_message *message)
{
    SK_ASSERT(message->term == raft->term);
    if (raft->role == SK_RAFT_LEADER) {
        sk_raft_heartbeat_to(raft, from);
        return;
    }
    if (raft->role != SK_RAFT_FOLLOWER || !raft->leader || raft->leader == from->id || raft->doubted) {
        sk_raft_ignore(raft, SK_RAFT_IGNORE_wrong_role);
        return;
    }
    suspect(raft);
    send_doubt(raft, raft->leader);
}
