-------------------------------- MODULE Raft --------------------------------
(* Raft as built here (src/protocol/raft): pre-vote, durable votes, asynchronous disk, commit of current-term entries only,
   snapshots. What differs from the paper's specification and why:

     disk      Every server has what is in memory and what is on disk. Whatever depends on a record is held back until a Sync
               has brought it there (`held`); a crash keeps the disk and loses the rest. One Sync takes all that is pending: the
               log's group commit (WriteAheadLog.tla says what becomes of a batch).
     pre-vote  A voter's answer changes nothing at the voter, so request and answer are one step (PreGrant): the answer may be
               counted long after it was given.
     next      Who leads may send any suffix it has: back-off, pipelining and retries are all particular choices of that.
     messages  A set that only grows: what was sent once may arrive late, twice or never.
     timing    Elections, stepping down and loyalty may happen at any time: no timing assumption guards safety.

   Entries are their terms: two entries of one index and term are the same entry (LogMatching is what makes that true). *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS Server, Nil,
          MaxTerm,    \* elections
          MaxSubmit,  \* client entries
          MaxCrash    \* crashes

VARIABLES term, vote, log, base, commit, role,  \* memory: log is the whole sequence, of which 1..base is the snapshot's
          disk,      \* [term, vote, log, base] that survive
          held,      \* messages that wait for the next Sync
          granted,   \* pre-votes given to a server in its current term and log
          votes,     \* votes that a candidate has counted
          match,     \* what a leader knows of each follower's disk
          messages,
          submits, crashes,
          elected,   \* history: [term, server, log] of every leader
          chosen     \* history: index -> term of every entry ever committed

vars == <<term, vote, log, base, commit, role, disk, held, granted, votes, match, messages, submits, crashes, elected, chosen>>

Quorum == {q \in SUBSET Server : Cardinality(q) * 2 > Cardinality(Server)}

LastTerm(l) == IF Len(l) = 0 THEN 0 ELSE l[Len(l)]
UpToDate(lastTerm, lastIndex, l) ==
    \/ lastTerm > LastTerm(l)
    \/ lastTerm = LastTerm(l) /\ lastIndex >= Len(l)
TermAt(l, i) == IF i = 0 THEN 0 ELSE l[i]
Min(a, b) == IF a < b THEN a ELSE b
Max(a, b) == IF a > b THEN a ELSE b

Init ==
    /\ term = [s \in Server |-> 0]
    /\ vote = [s \in Server |-> Nil]
    /\ log = [s \in Server |-> <<>>]
    /\ base = [s \in Server |-> 0]
    /\ commit = [s \in Server |-> 0]
    /\ role = [s \in Server |-> "follower"]
    /\ disk = [s \in Server |-> [term |-> 0, vote |-> Nil, log |-> <<>>, base |-> 0]]
    /\ held = [s \in Server |-> {}]
    /\ granted = [s \in Server |-> {}]
    /\ votes = [s \in Server |-> {}]
    /\ match = [s \in Server |-> [t \in Server |-> 0]]
    /\ messages = {}
    /\ submits = 0
    /\ crashes = 0
    /\ elected = {}
    /\ chosen = <<>>

OnDisk(s) == disk[s].term = term[s] /\ disk[s].vote = vote[s] /\ disk[s].log = log[s]

---------------------------------------------------------------------------
(* The disk *)

\* All that is pending becomes durable; what waited for it leaves.
Sync(s) ==
    /\ ~OnDisk(s) \/ held[s] /= {}
    /\ disk' = [disk EXCEPT ![s] = [term |-> term[s], vote |-> vote[s], log |-> log[s], base |-> base[s]]]
    /\ messages' = messages \cup held[s]
    /\ held' = [held EXCEPT ![s] = {}]
    /\ UNCHANGED <<term, vote, log, base, commit, role, granted, votes, match, submits, crashes, elected, chosen>>

Crash(s) ==
    /\ crashes < MaxCrash
    /\ crashes' = crashes + 1
    /\ term' = [term EXCEPT ![s] = disk[s].term]
    /\ vote' = [vote EXCEPT ![s] = disk[s].vote]
    /\ log' = [log EXCEPT ![s] = disk[s].log]
    /\ base' = [base EXCEPT ![s] = disk[s].base]
    /\ commit' = [commit EXCEPT ![s] = disk[s].base]
    /\ role' = [role EXCEPT ![s] = "follower"]
    /\ held' = [held EXCEPT ![s] = {}]
    /\ granted' = [granted EXCEPT ![s] = {}]
    /\ votes' = [votes EXCEPT ![s] = {}]
    /\ match' = [match EXCEPT ![s] = [t \in Server |-> 0]]
    /\ UNCHANGED <<disk, messages, submits, elected, chosen>>

---------------------------------------------------------------------------
(* Elections *)

PreCampaign(s) ==
    /\ role[s] \in {"follower", "candidate"}
    /\ term[s] < MaxTerm
    /\ role' = [role EXCEPT ![s] = "precandidate"]
    /\ granted' = [granted EXCEPT ![s] = {s}]
    /\ votes' = [votes EXCEPT ![s] = {}]
    /\ UNCHANGED <<term, vote, log, base, commit, disk, held, match, messages, submits, crashes, elected, chosen>>

PreGrant(v, s) ==
    /\ v /= s /\ role[s] = "precandidate" /\ v \notin granted[s]
    /\ role[v] /= "leader"
    /\ term[s] + 1 > term[v]
    /\ UpToDate(LastTerm(log[s]), Len(log[s]), log[v])
    /\ granted' = [granted EXCEPT ![s] = @ \cup {v}]
    /\ UNCHANGED <<term, vote, log, base, commit, role, disk, held, votes, match, messages, submits, crashes, elected, chosen>>

Campaign(s) ==
    /\ role[s] = "precandidate"
    /\ granted[s] \in Quorum
    /\ term' = [term EXCEPT ![s] = @ + 1]
    /\ vote' = [vote EXCEPT ![s] = s]
    /\ role' = [role EXCEPT ![s] = "candidate"]
    /\ granted' = [granted EXCEPT ![s] = {}]
    /\ votes' = [votes EXCEPT ![s] = {}]
    \* Held back: elected by others' votes alone, a server could forget its own and be elected twice (docs/raft.md, C1).
    /\ held' = [held EXCEPT ![s] = @ \cup {[type |-> "vote", from |-> s, term |-> term[s] + 1,
                                            lastTerm |-> LastTerm(log[s]), lastIndex |-> Len(log[s])]}]
    /\ UNCHANGED <<log, base, commit, disk, match, messages, submits, crashes, elected, chosen>>

\* A newer term in a message makes a follower of it, without a vote.
Adopt(s, t, newVote) ==
    /\ term' = [term EXCEPT ![s] = t]
    /\ vote' = [vote EXCEPT ![s] = newVote]
    /\ role' = [role EXCEPT ![s] = IF t > term[s] THEN "follower" ELSE @]
    /\ granted' = [granted EXCEPT ![s] = IF t > term[s] THEN {} ELSE @]
    /\ votes' = [votes EXCEPT ![s] = IF t > term[s] THEN {} ELSE @]
    /\ match' = [match EXCEPT ![s] = IF t > term[s] THEN [x \in Server |-> 0] ELSE @]

Grant(v, m) ==
    /\ m.type = "vote" /\ m.from /= v /\ m.term >= term[v]
    /\ LET fresh == m.term > term[v]
           free == fresh \/ vote[v] \in {Nil, m.from}
       IN /\ free
          /\ fresh \/ role[v] \in {"follower", "precandidate"}
          /\ UpToDate(m.lastTerm, m.lastIndex, log[v])
    /\ Adopt(v, m.term, m.from)
    /\ held' = [held EXCEPT ![v] = @ \cup {[type |-> "granted", from |-> v, to |-> m.from, term |-> m.term]}]
    /\ UNCHANGED <<log, base, commit, disk, messages, submits, crashes, elected, chosen>>

CountVote(s, m) ==
    /\ m.type = "granted" /\ m.to = s /\ role[s] = "candidate" /\ m.term = term[s] /\ m.from \notin votes[s]
    /\ votes' = [votes EXCEPT ![s] = @ \cup {m.from}]
    /\ UNCHANGED <<term, vote, log, base, commit, role, disk, held, granted, match, messages, submits, crashes, elected, chosen>>

\* The term begins with an empty entry: only when it commits is what came before known to be committed.
BecomeLeader(s) ==
    /\ role[s] = "candidate"
    /\ disk[s].term = term[s] /\ disk[s].vote = s
    /\ votes[s] \cup {s} \in Quorum
    /\ role' = [role EXCEPT ![s] = "leader"]
    /\ log' = [log EXCEPT ![s] = Append(@, term[s])]
    /\ match' = [match EXCEPT ![s] = [x \in Server |-> 0]]
    /\ elected' = elected \cup {[term |-> term[s], server |-> s, log |-> log[s]]}
    /\ UNCHANGED <<term, vote, base, commit, disk, held, granted, votes, messages, submits, crashes, chosen>>

\* Check-quorum.
StepDown(s) ==
    /\ role[s] = "leader"
    /\ role' = [role EXCEPT ![s] = "follower"]
    /\ UNCHANGED <<term, vote, log, base, commit, disk, held, granted, votes, match, messages, submits, crashes, elected, chosen>>

\* Any message of a newer term.
Learn(s, m) ==
    /\ m.term > term[s]
    /\ Adopt(s, m.term, Nil)
    /\ UNCHANGED <<log, base, commit, disk, held, messages, submits, crashes, elected, chosen>>

---------------------------------------------------------------------------
(* Replication *)

Submit(s) ==
    /\ role[s] = "leader"
    /\ submits < MaxSubmit
    /\ submits' = submits + 1
    /\ log' = [log EXCEPT ![s] = Append(@, term[s])]
    /\ UNCHANGED <<term, vote, base, commit, role, disk, held, granted, votes, match, messages, crashes, elected, chosen>>

\* Without waiting for the leader's own disk. One entry a message, or none (a heartbeat that carries the commit index).
SendAppend(s, previous) ==
    /\ role[s] = "leader"
    /\ previous \in base[s]..Len(log[s])
    /\ LET m == [type |-> "append", from |-> s, term |-> term[s], previous |-> previous,
                 previousTerm |-> TermAt(log[s], previous),
                 entries |-> SubSeq(log[s], previous + 1, Min(previous + 1, Len(log[s]))),
                 commit |-> commit[s]]
       IN /\ m \notin messages
          /\ messages' = messages \cup {m}
    /\ UNCHANGED <<term, vote, log, base, commit, role, disk, held, granted, votes, match, submits, crashes, elected, chosen>>

Acknowledge(s, to, t, upTo) ==
    held' = [held EXCEPT ![s] = @ \cup {[type |-> "match", from |-> s, to |-> to, term |-> t, match |-> upTo]}]

\* Entries that are there already are skipped; the first that differs cuts the rest.
Merged(l, previous, entries) ==
    IF entries = <<>> THEN l
    ELSE IF Len(l) > previous /\ l[previous + 1] = entries[1] THEN l
    ELSE Append(SubSeq(l, 1, previous), entries[1])

HandleAppend(s, m) ==
    /\ m.type = "append" /\ m.from /= s /\ m.term >= term[s]
    /\ role[s] /= "leader" \/ m.term > term[s]
    /\ m.previous <= Len(log[s]) /\ m.previous >= base[s]
    /\ TermAt(log[s], m.previous) = m.previousTerm
    /\ LET end == m.previous + Len(m.entries)
           merged == Merged(log[s], m.previous, m.entries)
       IN /\ Len(merged) >= commit[s]
          /\ log' = [log EXCEPT ![s] = merged]
          /\ commit' = [commit EXCEPT ![s] = Max(@, Min(m.commit, end))]
          /\ Acknowledge(s, m.from, m.term, end)
    /\ term' = [term EXCEPT ![s] = m.term]
    /\ vote' = [vote EXCEPT ![s] = IF m.term > term[s] THEN Nil ELSE @]
    /\ role' = [role EXCEPT ![s] = "follower"]
    /\ granted' = [granted EXCEPT ![s] = {}]
    /\ votes' = [votes EXCEPT ![s] = {}]
    /\ UNCHANGED <<base, disk, match, messages, submits, crashes, elected, chosen>>

HandleMatch(s, m) ==
    /\ m.type = "match" /\ m.to = s /\ role[s] = "leader" /\ m.term = term[s]
    /\ m.match > match[s][m.from]
    /\ match' = [match EXCEPT ![s][m.from] = m.match]
    /\ UNCHANGED <<term, vote, log, base, commit, role, disk, held, granted, votes, messages, submits, crashes, elected, chosen>>

\* A leader counts itself by its disk, others by what they acknowledged from theirs; only entries of its own term.
Durable(s, t) == IF t = s THEN (IF disk[s].log = SubSeq(log[s], 1, Len(disk[s].log)) THEN Len(disk[s].log) ELSE 0)
                 ELSE match[s][t]
Advance(s, i) ==
    /\ role[s] = "leader"
    /\ i \in (commit[s] + 1)..Len(log[s])
    /\ log[s][i] = term[s]
    /\ {t \in Server : Durable(s, t) >= i} \in Quorum
    /\ commit' = [commit EXCEPT ![s] = i]
    /\ chosen' = IF i > Len(chosen) THEN SubSeq(log[s], 1, i) ELSE chosen
    /\ UNCHANGED <<term, vote, log, base, role, disk, held, granted, votes, match, messages, submits, crashes, elected>>

---------------------------------------------------------------------------
(* Snapshots *)

\* What a snapshot up to `index` makes of the log on disk: what follows from it stays, else it is void (N01).
Beneath(diskLog, snapshot) ==
    LET index == Len(snapshot)
    IN IF Len(diskLog) >= index /\ diskLog[index] = snapshot[index] THEN diskLog ELSE snapshot

\* The file is durable before the log forgets (store/snapshot.h), so memory and disk change together. It may hold more than the
\* log on disk does.
Compact(s) ==
    /\ commit[s] > base[s]
    /\ base' = [base EXCEPT ![s] = commit[s]]
    /\ disk' = [disk EXCEPT ![s].base = commit[s], ![s].log = Beneath(@, SubSeq(log[s], 1, commit[s]))]
    /\ UNCHANGED <<term, vote, log, commit, role, held, granted, votes, match, messages, submits, crashes, elected, chosen>>

SendSnapshot(s) ==
    /\ role[s] = "leader" /\ base[s] > 0
    /\ LET m == [type |-> "snapshot", from |-> s, term |-> term[s], log |-> SubSeq(log[s], 1, base[s])]
       IN /\ m \notin messages
          /\ messages' = messages \cup {m}
    /\ UNCHANGED <<term, vote, log, base, commit, role, disk, held, granted, votes, match, submits, crashes, elected, chosen>>

HandleSnapshot(s, m) ==
    /\ m.type = "snapshot" /\ m.from /= s /\ m.term >= term[s]
    /\ role[s] /= "leader" \/ m.term > term[s]
    /\ Len(m.log) > commit[s]
    /\ LET index == Len(m.log)
           agrees == Len(log[s]) >= index /\ log[s][index] = m.log[index]
           after == IF agrees THEN log[s] ELSE m.log
       IN /\ log' = [log EXCEPT ![s] = after]
          /\ base' = [base EXCEPT ![s] = index]
          /\ commit' = [commit EXCEPT ![s] = index]
          /\ disk' = [disk EXCEPT ![s].base = index, ![s].log = Beneath(@, m.log)]
          /\ Acknowledge(s, m.from, m.term, index)
    /\ term' = [term EXCEPT ![s] = m.term]
    /\ vote' = [vote EXCEPT ![s] = IF m.term > term[s] THEN Nil ELSE @]
    /\ role' = [role EXCEPT ![s] = "follower"]
    /\ granted' = [granted EXCEPT ![s] = {}]
    /\ votes' = [votes EXCEPT ![s] = {}]
    /\ UNCHANGED <<match, messages, submits, crashes, elected, chosen>>

---------------------------------------------------------------------------

Next ==
    \/ \E s \in Server : \/ Sync(s) \/ Crash(s) \/ PreCampaign(s) \/ Campaign(s) \/ BecomeLeader(s) \/ StepDown(s)
                         \/ Submit(s) \/ Compact(s) \/ SendSnapshot(s)
                         \/ \E p \in 0..Len(log[s]) : SendAppend(s, p)
                         \/ \E i \in 1..Len(log[s]) : Advance(s, i)
    \/ \E v, s \in Server : PreGrant(v, s)
    \/ \E s \in Server, m \in messages : \/ Learn(s, m) \/ Grant(s, m) \/ CountVote(s, m)
                                         \/ HandleAppend(s, m) \/ HandleMatch(s, m) \/ HandleSnapshot(s, m)

Spec == Init /\ [][Next]_vars

---------------------------------------------------------------------------
(* Properties *)

\* At most one leader a term, ever.
ElectionSafety == \A a, b \in elected : a.term = b.term => a.server = b.server

\* Equal term at an index: equal up to there.
LogMatching ==
    \A s, t \in Server : \A i \in 1..Min(Len(log[s]), Len(log[t])) :
        log[s][i] = log[t][i] => SubSeq(log[s], 1, i) = SubSeq(log[t], 1, i)

\* What was committed is in the log of every later leader.
LeaderCompleteness ==
    \A e \in elected : \A i \in 1..Len(chosen) :
        chosen[i] < e.term => (Len(e.log) >= i /\ e.log[i] = chosen[i]) \/ ~ \E x \in elected : x.term = chosen[i]

\* Nobody considers committed anything else than was chosen.
StateMachineSafety ==
    \A s \in Server : /\ commit[s] <= Len(log[s])
                      /\ \A i \in 1..commit[s] : i <= Len(chosen) /\ log[s][i] = chosen[i]

\* What is committed (and so may be acknowledged) is on the disks of a quorum, and stays there.
DurableBeforeAck ==
    \A i \in 1..Len(chosen) :
        {s \in Server : Len(disk[s].log) >= i /\ disk[s].log[i] = chosen[i]} \in Quorum

TypeOK ==
    /\ \A s \in Server : disk[s].term <= term[s] /\ base[s] <= commit[s] /\ commit[s] <= Len(log[s])
    /\ \A s \in Server : role[s] \in {"follower", "precandidate", "candidate", "leader"}
=============================================================================
