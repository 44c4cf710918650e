------------------------------ MODULE RaftTrace ------------------------------
(* Is a run of the real code a behaviour of Raft.tla? Module Run has it (skein-sim --tla): what one replica after the other held.

   Each line is reached by any number, up to MaxSteps, of the specification's own steps of that one server (a turn of the node
   handles several messages); the servers between themselves only know what the specification's messages and offices tell them.
   Not in the run, and so for TLC to find: messages, what is held, and the disk. The disk must hold at least what the replica says
   is durable, and a start must find exactly what the disk holds: so where the syncs were is found as well.

   The run is accepted if the last line can be reached: then NotAccepted is violated. Otherwise the greatest line printed is the last
   that could be reached, and no behaviour of the specification continues as the next line says. *)
EXTENDS Raft, Run, TLC

CONSTANT MaxSteps

VARIABLES line, steps

Target == Run[line]

\* Only what a replica's log still has is compared: entries up to `floor` are in its snapshot.
SameEntries(l, upTo) == \A i \in (Target.floor + 1)..upTo : l[i] = Target.log[i - Target.floor]
Last == Target.floor + Len(Target.log)

Reached(s) ==
    /\ term[s] = Target.term
    /\ vote[s] = IF Target.vote = 0 THEN Nil ELSE Target.vote
    /\ role[s] = Target.role
    /\ base[s] = Target.base
    /\ commit[s] = Target.commit
    /\ Len(log[s]) = Last /\ SameEntries(log[s], Last)
    /\ Len(disk[s].log) >= Target.durable /\ SubSeq(disk[s].log, 1, Target.durable) = SubSeq(log[s], 1, Target.durable)
    /\ Target.stateDurable => disk[s].term = term[s] /\ disk[s].vote = vote[s]

\* Where two logs part.
Common(a, b) == CHOOSE n \in 0..Min(Len(a), Len(b)) :
    /\ SubSeq(a, 1, n) = SubSeq(b, 1, n)
    /\ n = Min(Len(a), Len(b)) \/ a[n + 1] /= b[n + 1]

\* Of all an office may send only what leads on: the next entry, or how far both agree and what of that is committed.
Append1(s, e) ==
    LET n == Common(log[s], e.log)
    IN \/ Len(e.log) > n /\ HandleAppend(s, e, n, 1, 0)
       \/ HandleAppend(s, e, n, 0, Min(e.commit, Target.commit))

Act1(s) ==
    \/ Campaign(s) \/ BecomeLeader(s) \/ Submit(s) \/ StepDown(s)
    \/ Advance(s, Target.commit)
    \/ Compact(s, Target.base)
    \/ \E t \in {m.term : m \in messages} : Learn(s, t)
    \/ \E m \in messages : Grant(s, m)
    \/ \E e \in offices : Append1(s, e) \/ HandleSnapshot(s, e, Target.base)

\* No detours: terms, commits and entries beyond the line's are not undone within a turn.
Onward(s) ==
    /\ term'[s] <= Target.term
    /\ \/ log'[s] = log[s]
       \/ Len(log'[s]) <= Last /\ SameEntries(log'[s], Len(log'[s]))
    /\ commit'[s] <= Target.commit

Step ==
    LET s == Target.node
    IN /\ line <= Len(Run) /\ steps < MaxSteps
       /\ \/ Sync(s)
          \/ Target.started /\ crashes = 0 /\ Crash(s)
          \/ ~Target.started /\ Act1(s) /\ Onward(s)
       /\ steps' = steps + 1
       /\ UNCHANGED line

\* `crashes` counts those of the current line: a start is one, and nothing else is.
Arrive ==
    /\ line <= Len(Run)
    /\ Reached(Target.node)
    /\ Target.started => crashes = 1
    /\ line' = line + 1 /\ steps' = 0 /\ crashes' = 0
    /\ UNCHANGED <<server, held, messages, submits, offices, chosen>>

TraceInit == Init /\ line = 1 /\ steps = 0 /\ TLCSet(1, 0)
TraceNext == Step \/ Arrive
TraceSpec == TraceInit /\ [][TraceNext]_<<vars, line, steps>>

\* The fewest steps to a state are found first.
TraceView == <<vars, line>>

\* Prints how far it came; always true.
Progress == IF line > TLCGet(1) THEN TLCSet(1, line) /\ PrintT(<<"line", line - 1, "of", Len(Run)>>) ELSE TRUE
NotAccepted == line <= Len(Run)
=============================================================================
