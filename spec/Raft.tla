-------------------------------- MODULE Raft --------------------------------
(* Raft as built here (src/protocol/raft): durable votes, asynchronous disk, commit of current-term entries only, snapshots.

     disk      Every server has what is in memory and what is on disk. Whatever depends on a record is held back until a Sync
               has brought it there (`held`); a crash keeps the disk and loses the rest. One Sync takes all that is pending: the
               log's group commit (WriteAheadLog.tla says what becomes of a batch).
     messages  What was sent once may arrive late, twice or never: nothing is ever taken out. So what a server could send now, and
               loses nothing by sending, counts as sent at once; and what could be counted on arrival is counted where it lies.
               The reachable states of the servers are the same, and there are far fewer of them all:
                 appends, heartbeats, snapshots   an office (the leadership of one term) holds all that its leader's log and commit
                                                  ever were in that term, and others read what they like of it
                 votes, acknowledgements          `messages`, read by candidate and leader without a step for receiving
     pre-vote  and loyalty only forbid campaigns that are possible here at any time: whatever they allow is allowed.
     next      Who leads may send any suffix it has: back-off, pipelining and retries are all particular choices of that.
     timing    Elections and stepping down may happen at any time: no timing assumption guards safety.

   Entries are their terms: two entries of one index and term are the same entry (LogMatching is what makes that true). *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS Server, Nil,
          MaxTerm,    \* elections
          MaxSubmit,  \* client entries
          MaxCrash,   \* crashes
          Snapshots   \* are there any

VARIABLES term, vote, log, base, commit, role,  \* memory: log is the whole sequence, of which 1..base is the snapshot's
          disk,      \* [term, vote, log, base] that survive
          held,      \* messages that wait for the next Sync
          messages,
          submits, crashes,
          offices,   \* [term, leader, start, log, commit] of every leader ever: log and commit grow while it leads
          chosen     \* history: index -> [term, by] of every entry ever committed, and in which term that was

server == <<term, vote, log, base, commit, role, disk>>
vars == <<server, held, messages, submits, crashes, offices, chosen>>

Quorum == {q \in SUBSET Server : Cardinality(q) * 2 > Cardinality(Server)}

TermAt(l, i) == IF i = 0 THEN 0 ELSE l[i]
LastTerm(l) == TermAt(l, Len(l))
UpToDate(lastTerm, lastIndex, l) ==
    \/ lastTerm > LastTerm(l)
    \/ lastTerm = LastTerm(l) /\ lastIndex >= Len(l)
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
    /\ messages = {}
    /\ submits = 0
    /\ crashes = 0
    /\ offices = {}
    /\ chosen = <<>>

---------------------------------------------------------------------------
(* The disk *)

OnDisk(s) == disk[s].term = term[s] /\ disk[s].vote = vote[s] /\ disk[s].log = log[s]

\* An acknowledgement of less says nothing new.
Add(set, m) ==
    IF m.type /= "match" THEN set \cup {m}
    ELSE LET same == {x \in set : x.type = "match" /\ x.from = m.from /\ x.term = m.term}
         IN IF \E x \in same : x.match >= m.match THEN set ELSE (set \ same) \cup {m}
RECURSIVE AddAll(_, _)
AddAll(set, more) == IF more = {} THEN set ELSE LET m == CHOOSE m \in more : TRUE IN AddAll(Add(set, m), more \ {m})

Hold(s, m) == /\ held' = IF m \in messages THEN held ELSE [held EXCEPT ![s] = Add(@, m)]
              /\ UNCHANGED messages

\* All that is pending becomes durable; what waited for it leaves.
Sync(s) ==
    /\ ~OnDisk(s) \/ held[s] /= {}
    /\ disk' = [disk EXCEPT ![s] = [term |-> term[s], vote |-> vote[s], log |-> log[s], base |-> base[s]]]
    /\ messages' = AddAll(messages, held[s])
    /\ held' = [held EXCEPT ![s] = {}]
    /\ UNCHANGED <<term, vote, log, base, commit, role, submits, crashes, offices, chosen>>

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
    /\ UNCHANGED <<disk, messages, submits, offices, chosen>>

---------------------------------------------------------------------------
(* Elections *)

\* The request is held back: elected by others' votes alone, a server could forget its own and be elected twice (docs/raft.md, C1).
Campaign(s) ==
    /\ term[s] < MaxTerm
    /\ term' = [term EXCEPT ![s] = @ + 1]
    /\ vote' = [vote EXCEPT ![s] = s]
    /\ role' = [role EXCEPT ![s] = "candidate"]
    /\ Hold(s, [type |-> "vote", from |-> s, term |-> term[s] + 1, lastTerm |-> LastTerm(log[s]), lastIndex |-> Len(log[s])])
    /\ UNCHANGED <<log, base, commit, disk, submits, crashes, offices, chosen>>

\* A newer term makes a follower of it, without a vote.
Adopt(s, t) ==
    /\ term' = [term EXCEPT ![s] = t]
    /\ role' = [role EXCEPT ![s] = IF t > term[s] THEN "follower" ELSE @]

Grant(v, m) ==
    /\ m.type = "vote" /\ m.from /= v /\ m.term >= term[v]
    /\ m.term > term[v] \/ vote[v] \in {Nil, m.from}
    /\ UpToDate(m.lastTerm, m.lastIndex, log[v])
    /\ Adopt(v, m.term)
    /\ vote' = [vote EXCEPT ![v] = m.from]
    /\ Hold(v, [type |-> "granted", from |-> v, to |-> m.from, term |-> m.term])
    /\ UNCHANGED <<log, base, commit, disk, submits, crashes, offices, chosen>>

VotesFor(s) == {s} \cup {m.from : m \in {x \in messages : x.type = "granted" /\ x.to = s /\ x.term = term[s]}}

\* The term begins with an empty entry: only when it commits is what came before known to be committed.
BecomeLeader(s) ==
    /\ role[s] = "candidate"
    /\ disk[s].term = term[s] /\ disk[s].vote = s
    /\ VotesFor(s) \in Quorum
    /\ role' = [role EXCEPT ![s] = "leader"]
    /\ log' = [log EXCEPT ![s] = Append(@, term[s])]
    /\ offices' = offices \cup {[term |-> term[s], leader |-> s, start |-> Len(log[s]), log |-> Append(log[s], term[s]),
                                 commit |-> commit[s]]}
    /\ UNCHANGED <<term, vote, base, commit, disk, held, messages, submits, crashes, chosen>>

\* Any message of a newer term.
Learn(s, t) ==
    /\ t > term[s]
    /\ Adopt(s, t)
    /\ vote' = [vote EXCEPT ![s] = Nil]
    /\ UNCHANGED <<log, base, commit, disk, held, messages, submits, crashes, offices, chosen>>

\* Check-quorum, or a candidate gives up. To the others that is no different from silence.
StepDown(s) ==
    /\ role[s] /= "follower"
    /\ role' = [role EXCEPT ![s] = "follower"]
    /\ UNCHANGED <<term, vote, log, base, commit, disk, held, messages, submits, crashes, offices, chosen>>

---------------------------------------------------------------------------
(* Replication *)

Office(s) == CHOOSE e \in offices : e.leader = s /\ e.term = term[s] /\ Len(e.log) = Len(log[s])

Submit(s) ==
    /\ role[s] = "leader"
    /\ submits < MaxSubmit
    /\ submits' = submits + 1
    /\ log' = [log EXCEPT ![s] = Append(@, term[s])]
    /\ offices' = (offices \ {Office(s)}) \cup {[Office(s) EXCEPT !.log = Append(@, term[s])]}
    /\ UNCHANGED <<term, vote, base, commit, role, disk, held, messages, crashes, chosen>>

\* Entries that are there already are skipped; the first that differs cuts the rest.
Merged(l, previous, entries) ==
    IF entries = <<>> THEN l
    ELSE IF Len(l) > previous /\ l[previous + 1] = entries[1] THEN l
    ELSE Append(SubSeq(l, 1, previous), entries[1])

\* One entry or none (a longer message is several of these), sent without waiting for the leader's own disk; `known` is a commit
\* index that the office has had. Acknowledged from the disk only.
HandleAppend(s, e, previous, count, known) ==
    /\ e.leader /= s /\ e.term >= term[s]
    /\ role[s] /= "leader" \/ e.term > term[s]
    /\ previous <= Len(log[s]) /\ previous >= base[s] /\ previous + count <= Len(e.log)
    /\ TermAt(log[s], previous) = TermAt(e.log, previous)
    /\ LET end == previous + count
       IN /\ log' = [log EXCEPT ![s] = Merged(@, previous, SubSeq(e.log, previous + 1, end))]
          /\ commit' = [commit EXCEPT ![s] = Max(@, Min(known, end))]
          /\ Hold(s, [type |-> "match", from |-> s, term |-> e.term, match |-> end])
    /\ term' = [term EXCEPT ![s] = e.term]
    /\ vote' = [vote EXCEPT ![s] = IF e.term > term[s] THEN Nil ELSE @]
    /\ role' = [role EXCEPT ![s] = "follower"]
    /\ UNCHANGED <<base, disk, submits, crashes, offices, chosen>>

\* A leader counts itself by its disk, others by what they acknowledged from theirs; only entries of its own term.
Durable(s, i) ==
    {m.from : m \in {x \in messages : x.type = "match" /\ x.term = term[s] /\ x.match >= i}}
    \cup (IF Len(disk[s].log) >= i THEN {s} ELSE {})
Advance(s, i) ==
    /\ role[s] = "leader"
    /\ i \in (commit[s] + 1)..Len(log[s])
    /\ log[s][i] = term[s]
    /\ Durable(s, i) \in Quorum
    /\ commit' = [commit EXCEPT ![s] = i]
    /\ offices' = (offices \ {Office(s)}) \cup {[Office(s) EXCEPT !.commit = i]}
    /\ chosen' = [j \in 1..Max(i, Len(chosen)) |->
                    IF j <= Len(chosen) THEN chosen[j] ELSE [term |-> log[s][j], by |-> term[s]]]
    /\ UNCHANGED <<term, vote, log, base, role, disk, held, messages, submits, crashes>>

---------------------------------------------------------------------------
(* Snapshots *)

\* What a snapshot up to `index` makes of the log on disk: what follows from it stays, else it is void (N01).
Beneath(diskLog, snapshot) ==
    LET index == Len(snapshot)
    IN IF Len(diskLog) >= index /\ diskLog[index] = snapshot[index] THEN diskLog ELSE snapshot

\* The file is durable before the log forgets (store/snapshot.h), so memory and disk change together. It may hold more than the
\* log on disk does.
Compact(s, i) ==
    /\ Snapshots
    /\ i \in (base[s] + 1)..commit[s]
    /\ base' = [base EXCEPT ![s] = i]
    /\ disk' = [disk EXCEPT ![s].base = i, ![s].log = Beneath(@, SubSeq(log[s], 1, i))]
    /\ UNCHANGED <<term, vote, log, commit, role, held, messages, submits, crashes, offices, chosen>>

\* Of what an office had committed, whenever it arrives. The next append acknowledges it.
HandleSnapshot(s, e, i) ==
    /\ Snapshots
    /\ e.leader /= s
    /\ i \in (commit[s] + 1)..e.commit
    /\ LET snapshot == SubSeq(e.log, 1, i)
           agrees == Len(log[s]) >= i /\ log[s][i] = snapshot[i]
           newer == snapshot[i] > term[s]
       IN /\ agrees \/ newer \/ role[s] /= "leader"
          /\ log' = [log EXCEPT ![s] = IF agrees THEN @ ELSE snapshot]
          /\ base' = [base EXCEPT ![s] = i]
          /\ commit' = [commit EXCEPT ![s] = i]
          /\ disk' = [disk EXCEPT ![s].base = i, ![s].log = Beneath(@, snapshot)]
          /\ Adopt(s, Max(term[s], snapshot[i]))
          /\ vote' = [vote EXCEPT ![s] = IF newer THEN Nil ELSE @]
    /\ UNCHANGED <<held, messages, submits, crashes, offices, chosen>>

---------------------------------------------------------------------------

\* What server s may do.
Act(s) ==
    \/ Sync(s) \/ Crash(s) \/ Campaign(s) \/ BecomeLeader(s) \/ Submit(s)
    \/ \E i \in 1..Len(log[s]) : Advance(s, i) \/ Compact(s, i)
    \/ \E t \in {m.term : m \in messages} : Learn(s, t)
    \/ \E m \in messages : Grant(s, m)
    \/ \E e \in offices : \/ \E p \in 0..Len(log[s]), n \in 0..1, c \in 0..e.commit : HandleAppend(s, e, p, n, c)
                          \/ \E i \in 1..e.commit : HandleSnapshot(s, e, i)

\* StepDown only takes away what a leader may do, and everything else is possible to a leader as it is to a follower: left out here.
Next == \E s \in Server : Act(s)

Spec == Init /\ [][Next]_vars

---------------------------------------------------------------------------
(* Properties *)

\* At most one leader a term, ever: nobody else, nor the same twice.
ElectionSafety == \A a, b \in offices : a.term = b.term => a = b

\* Equal term at an index: equal up to there.
LogMatching ==
    \A s, t \in Server : \A i \in 1..Min(Len(log[s]), Len(log[t])) :
        log[s][i] = log[t][i] => SubSeq(log[s], 1, i) = SubSeq(log[t], 1, i)

\* What was committed in a term was in the log of every leader of a later term, when it was elected.
LeaderCompleteness ==
    \A e \in offices : \A i \in 1..Len(chosen) :
        chosen[i].by < e.term => e.start >= i /\ e.log[i] = chosen[i].term

\* Nobody considers committed anything else than was chosen.
StateMachineSafety ==
    \A s \in Server : /\ commit[s] <= Len(log[s])
                      /\ \A i \in 1..commit[s] : i <= Len(chosen) /\ log[s][i] = chosen[i].term

\* What is committed (and so may be acknowledged) is on the disks of a quorum, and stays there.
DurableBeforeAck ==
    \A i \in 1..Len(chosen) :
        {s \in Server : Len(disk[s].log) >= i /\ disk[s].log[i] = chosen[i].term} \in Quorum

TypeOK ==
    /\ \A s \in Server : disk[s].term <= term[s] /\ base[s] <= commit[s] /\ disk[s].base = base[s]
    /\ \A s \in Server : role[s] \in {"follower", "candidate", "leader"}
=============================================================================
