// rule: include
#include "protocol/protocol.h"
