------------------------------- MODULE MCRaft -------------------------------
(* Raft within bounds: every MCRaft_*.cfg says its own, docs/proof.md which were exhausted. *)
EXTENDS Raft, TLC
ServersAlike == Permutations(Server)

\* Without crashes a sync only ever allows more, and forbids nothing: it may as well come at once.
Pending(s) == ~OnDisk(s) \/ held[s] /= {}
NextSynced == IF \E s \in Server : Pending(s) THEN \E s \in Server : Sync(s) ELSE Next
SpecSynced == Init /\ [][NextSynced]_vars

\* The paper's figure 8 (b), with servers 1, 2 and 3: 1 led term 1 and has its entry, 3 led term 2 by the vote of 2 and has its own.
InitFigure8 ==
    /\ term = <<1, 2, 2>> /\ vote = <<1, 3, 3>>
    /\ log = << <<1>>, <<>>, <<2>> >>
    /\ base = <<0, 0, 0>> /\ commit = <<0, 0, 0>>
    /\ role = <<"follower", "follower", "follower">>
    /\ disk = [s \in Server |-> [term |-> term[s], vote |-> vote[s], log |-> log[s], base |-> 0]]
    /\ held = [s \in Server |-> {}]
    /\ messages = {}
    /\ submits = 0 /\ crashes = 0
    /\ offices = {[term |-> 1, leader |-> 1, start |-> 0, log |-> <<1>>, commit |-> 0],
                  [term |-> 2, leader |-> 3, start |-> 0, log |-> <<2>>, commit |-> 0]}
    /\ chosen = <<>>
Course == role[2] = "follower" /\ (role[1] /= "follower" => term[1] = 3) /\ (role[3] /= "follower" => term[3] = 4)
SpecFigure8 == InitFigure8 /\ [][NextSynced]_vars
=============================================================================
