// Which damage a recoverable run may do (see nemesis.h).
#ifndef SIM_ATLAS_H
#define SIM_ATLAS_H

#include "sim/world.h"

// May the files of this computer be damaged now (once its process is down, if it runs)?
bool sk_atlas_may_damage(const sk_world *world, const sk_computer *computer);
void sk_atlas_damaged(sk_computer *computer);
// Notes who has healed; called now and then.
void sk_atlas_look(sk_world *world);

#endif
