------------------------------- MODULE MCRaft -------------------------------
(* Raft within bounds that TLC exhausts. *)
EXTENDS Raft, TLC
ServersAlike == Permutations(Server)
=============================================================================
