---------------------------- MODULE WriteAheadLog ----------------------------
(* The log's group commit and recovery (src/store/wal.h, I1 to I5). One log, batches 1, 2, 3, ... in order.

   Records are appended to a pending batch; one write with a sync is under way at a time; what is appended meanwhile goes into the
   next batch. A batch says how far the log was known synced when it was written (its mark). A power cut keeps any subset of what
   was not synced; damage at rest may spoil any batch at any time. Recovery reads from the start to the first unreadable batch: if
   any readable batch behind it bears a mark at or above it, it is interior damage (reported, no vote); else a torn tail (cut). *)
EXTENDS Naturals, FiniteSets

CONSTANTS MaxBatch, MaxCrash, MaxDamage

VARIABLES
    pending,  \* is anything waiting to be written
    writing,  \* number of the batch under way; 0: none
    cell,     \* 1..MaxBatch -> what a read gives: "none", "good", "bad"
    mark,     \* 1..MaxBatch -> the mark that the batch bears
    synced,   \* known durable: batches up to here (memory)
    acked,    \* greatest batch anybody was told is durable (history)
    written,  \* greatest batch ever given to the disk in this life
    up, damaged,
    everDamaged, crashes, damages

vars == <<pending, writing, cell, mark, synced, acked, written, up, damaged, everDamaged, crashes, damages>>

Batch == 1..MaxBatch

Init ==
    /\ pending = FALSE /\ writing = 0 /\ synced = 0 /\ acked = 0 /\ written = 0
    /\ cell = [b \in Batch |-> "none"]
    /\ mark = [b \in Batch |-> 0]
    /\ up = TRUE /\ damaged = FALSE /\ everDamaged = FALSE /\ crashes = 0 /\ damages = 0

Append ==
    /\ up /\ ~pending
    /\ pending' = TRUE
    /\ UNCHANGED <<writing, cell, mark, synced, acked, written, up, damaged, everDamaged, crashes, damages>>

\* Only one write at a time: what comes meanwhile is the next batch.
Write ==
    /\ up /\ pending /\ writing = 0 /\ written < MaxBatch
    /\ writing' = written + 1
    /\ written' = written + 1
    /\ cell' = [cell EXCEPT ![written + 1] = "good"] \* in the page cache
    /\ mark' = [mark EXCEPT ![written + 1] = synced]
    /\ pending' = FALSE
    /\ UNCHANGED <<synced, acked, up, damaged, everDamaged, crashes, damages>>

Complete ==
    /\ up /\ writing /= 0
    /\ synced' = writing
    /\ acked' = IF writing > acked THEN writing ELSE acked
    /\ writing' = 0
    /\ UNCHANGED <<pending, cell, mark, written, up, damaged, everDamaged, crashes, damages>>

\* What was not synced may be whole, torn, or not there at all, each batch for itself (there is one at most: see Write).
Crash ==
    /\ up /\ crashes < MaxCrash
    /\ crashes' = crashes + 1
    /\ \E fate \in [Batch -> {"none", "good", "bad"}] :
          cell' = [b \in Batch |-> IF b > synced /\ cell[b] /= "none" THEN fate[b] ELSE cell[b]]
    /\ up' = FALSE /\ pending' = FALSE /\ writing' = 0 /\ synced' = 0 /\ written' = 0
    /\ UNCHANGED <<mark, acked, damaged, everDamaged, damages>>

\* Flash forgets.
Damage(b) ==
    /\ damages < MaxDamage
    /\ cell[b] = "good"
    /\ damages' = damages + 1
    /\ cell' = [cell EXCEPT ![b] = "bad"]
    /\ everDamaged' = TRUE
    /\ UNCHANGED <<pending, writing, mark, synced, acked, written, up, damaged, crashes>>

GoodUpTo == CHOOSE n \in 0..MaxBatch :
    /\ \A b \in 1..n : cell[b] = "good"
    /\ n = MaxBatch \/ cell[n + 1] /= "good"

GreatestMark == CHOOSE m \in 0..MaxBatch :
    /\ \A b \in Batch : cell[b] = "good" => mark[b] <= m
    /\ m = 0 \/ \E b \in Batch : cell[b] = "good" /\ mark[b] = m

\* Everything kept is synced before anybody acts on it (I7): so it is durable now.
Recover ==
    /\ ~up
    /\ up' = TRUE
    /\ damaged' = (damaged \/ GoodUpTo < GreatestMark)
    /\ cell' = [b \in Batch |-> IF b <= GoodUpTo THEN "good" ELSE "none"]
    /\ mark' = [b \in Batch |-> IF b <= GoodUpTo THEN mark[b] ELSE 0]
    /\ synced' = GoodUpTo /\ written' = GoodUpTo
    /\ UNCHANGED <<pending, writing, acked, everDamaged, crashes, damages>>

Next == Append \/ Write \/ Complete \/ Crash \/ Recover \/ \E b \in Batch : Damage(b)

Spec == Init /\ [][Next]_vars

---------------------------------------------------------------------------

\* Nobody is told before it is so.
DurableBeforeAck == ~everDamaged => \A b \in Batch : b <= acked /\ up => cell[b] = "good"

\* A power cut alone never loses what was acknowledged, and is never mistaken for damage.
CrashLosesNothing == ~everDamaged /\ up => synced >= acked \/ writing /= 0 \/ written >= acked
CrashIsNoDamage == ~everDamaged => ~damaged

\* Damage that takes away something a later batch knew to be synced is reported. (The last synced batch has no later one that
\* knows: for that one the peers know, docs/raft.md.)
NoSilentCut == [][ (~up /\ up' /\ GoodUpTo < GreatestMark) => damaged' ]_vars

\* One write at a time, in order.
InOrder == writing \in {0, written} /\ synced <= written
=============================================================================
