// rule: include
#include "protocol/paxos/paxos.h"
